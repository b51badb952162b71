"""Money as integers in minor units. Pure: no Django, no clock, no floats."""

import re
from decimal import ROUND_HALF_EVEN, Decimal

LIMIT = 2**53 - 1  # beyond it other JSON readers would round (canonical.md)

# ISO 4217 (list one, 2026-01-01): digits after the decimal separator. Funds without digits (XAU, XXX …) are no money.
_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF"
    " CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL"
    " HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU"
    " MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR"
    " SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED"
    " VES WST XAD XCD XCG YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_DIGITS: dict[str, int] = {code: n for n, codes in _DIGITS.items() for code in codes.split()}

_AMOUNT = re.compile(r"-?[0-9]{1,16}(?:\.([0-9]{1,10}))?")  # ASCII digits only: int() would accept full-width ones


class MoneyError(ValueError):
    """An amount or currency that cannot be read with certainty; `code` is for machines, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def minor_digits(currency: str) -> int:
    """Digits of the currency's minor unit (JPY 0, USD 2, KWD 3); MoneyError for a code that ISO 4217 lacks."""
    try:
        return MINOR_DIGITS[currency]
    except (KeyError, TypeError):
        raise MoneyError("UNKNOWN_CURRENCY", f"{str(currency)[:20]!r} is not an ISO 4217 currency code") from None


def to_minor(value: object, currency: str) -> int:
    """Major units, as a vendor writes them ("12.50", Decimal, int), to minor units; refuses what it would have to round."""
    digits = minor_digits(currency)
    if type(value) is str:
        match = _AMOUNT.fullmatch(value)
        if match is None:
            raise MoneyError("BAD_AMOUNT", f"{value[:40]!r} is not an amount")
        fraction = match.group(1)
        if fraction is None:
            result: int = int(value) * 10**digits
        elif len(fraction) == digits:
            result = int(value.replace(".", "", 1))
        else:
            return _from_decimal(Decimal(value), currency, digits)
        if -LIMIT <= result <= LIMIT:
            return result
        raise MoneyError("AMOUNT_TOO_LARGE", f"{value[:40]} is beyond what an amount may be")
    if isinstance(value, Decimal):
        return _from_decimal(value, currency, digits)
    if type(value) is int:
        return _from_decimal(Decimal(value), currency, digits)
    raise MoneyError("BAD_AMOUNT", f"{str(value)[:40]!r} is not an amount")


def _from_decimal(value: Decimal, currency: str, digits: int) -> int:
    if not value.is_finite() or abs(value.adjusted()) > 20:
        if value.is_finite() and value == 0:  # a signalling NaN cannot even be compared
            return 0
        raise MoneyError("BAD_AMOUNT", "the amount is not a finite number of a usable size")
    scaled = value.scaleb(digits)
    whole = int(scaled)
    if scaled != whole:
        raise MoneyError(
            "AMOUNT_TOO_FINE", f"{value} has a fraction of the smallest unit of {currency} ({digits} digits)"
        )
    if not -LIMIT <= whole <= LIMIT:
        raise MoneyError("AMOUNT_TOO_LARGE", f"{value} is beyond what an amount may be")
    return whole


def to_major(minor: int, currency: str) -> str:
    """Minor units as people read them: 1250, "USD" → "12.50"."""
    digits = minor_digits(currency)
    if digits == 0:
        return str(minor)
    sign, whole = ("-" if minor < 0 else ""), str(abs(minor)).rjust(digits + 1, "0")
    return f"{sign}{whole[:-digits]}.{whole[-digits:]}"


def allocate(total: int, weights: list[int]) -> list[int]:
    """Split `total` in proportion to `weights` (all of one sign or zero) by largest remainder; Σ is exactly `total`.

    All weights zero: everything goes to the first. Ties go to the earlier position, so the result is deterministic.
    """
    if len(weights) == 1:
        return [total]
    base = sum(weights)
    if base == 0:
        return [total] + [0] * (len(weights) - 1)
    shares = [total * w // base for w in weights]
    missing = total - sum(shares)
    if missing:
        order = sorted(range(len(weights)), key=lambda i: (-((total * weights[i]) % base) * (1 if base > 0 else -1), i))
        for i in order[:missing]:
            shares[i] += 1
    return shares


def scale(amount: int, numerator: int, denominator: int) -> int:
    """amount × numerator ÷ denominator, half to even, in integers."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, rest = divmod(amount * numerator, denominator)
    twice = rest * 2
    if twice > denominator or (twice == denominator and quotient & 1):
        quotient += 1
    return quotient


def convert(amount: int, currency: str, rate: Decimal, into: str) -> int:
    """Minor units of `currency` to minor units of `into` at `rate` (units of `into` for one of `currency`), half to even."""
    shift = minor_digits(into) - minor_digits(currency)
    return int((Decimal(amount) * rate).scaleb(shift).to_integral_value(ROUND_HALF_EVEN))
