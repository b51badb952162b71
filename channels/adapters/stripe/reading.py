"""Reads single values out of a Stripe object: amounts in Stripe's smallest unit, Unix times, ids that may be whole objects. Pure."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from channels import reading
from channels.adapter import Context
from channels.adapters.stripe.words import DIGITS, FEE_TYPE, ORDER_KEYS
from channels.reading import Json, stamp, word
from channels.record import Fee, Source
from salessync.core.money import MINOR_DIGITS
from salessync.core.problems import Problem

LAST_SECOND = 253402300799  # of the year 9999


class Seen(NamedTuple):
    """How an object came: in an event (its time is the version), read because of one, or on its own (None)."""

    at: datetime | None = None
    in_event: bool = False
    topic: str = ""
    test: bool = False


class Balance(NamedTuple):
    """What a balance transaction says, in minor units of the settlement currency; positive towards the merchant."""

    currency: str
    amount: int
    fee: int
    net: int
    fees: list[Fee]
    rate: Decimal | None
    category: str
    at: datetime | None


class Reader(reading.Reader):
    """One object in its own currency."""

    __slots__ = ()

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("", problems)

    def money(self, parent: Json, key: str, where: str = "", currency: str = "") -> int:
        """A required amount, signed, brought to ISO digits."""
        path = where + key
        return self._iso(self.units(parent.get(key), path), path, currency or self.currency)

    def magnitude(self, parent: Json, key: str, where: str = "") -> int:
        """A required amount that cannot be negative."""
        return self.positive(self.money(parent, key, where), where + key)

    def _iso(self, value: int, path: str, currency: str) -> int:
        digits = MINOR_DIGITS.get(currency, 0)
        surplus = DIGITS.get(currency, digits) - digits
        factor: int = 10 ** abs(surplus)
        if surplus <= 0:
            return self.within_limit(value * factor, path)
        if value % factor:
            self.refuse("AMOUNT_TOO_FINE", path, f"{path} has a fraction of the smallest unit of {currency}")
        return value // factor

    def moment(self, parent: Json, key: str, where: str = "") -> datetime | None:
        """A required Unix time; None and a problem where it cannot be read."""
        value = parent.get(key)
        if type(value) is int and 0 <= value <= LAST_SECOND:
            return datetime.fromtimestamp(value, UTC)
        code = "MISSING_TIME" if value is None else "BAD_TIME"
        self.refuse(code, where + key, f"{where}{key} should be a time, in seconds since 1970")
        return None

    def maybe_moment(self, parent: Json, key: str, where: str = "") -> datetime | None:
        """A Unix time that may be absent."""
        return None if parent.get(key) is None else self.moment(parent, key, where)

    def linked(self, parent: Json, key: str, where: str = "") -> str | None:
        """The id of another object, which may stand there whole; None where there is none."""
        value = parent.get(key)
        return self.optional_id(value.get("id") if type(value) is dict else value, where + key)

    def balance(self, parent: Json, key: str, where: str = "") -> Balance | None:
        """The balance transaction where it stands whole; None where only its id is known."""
        row = parent.get(key)
        if type(row) is not dict:
            return None
        where = f"{where}{key}."
        currency = self.read_currency(row.get("currency"), where + "currency")
        if not currency:
            return None
        amount, net = self.money(row, "amount", where, currency), self.money(row, "net", where, currency)
        fee = self.money(row, "fee", where, currency)
        if net != amount - fee and not self.problems:
            self.refuse("SETTLEMENT_MISMATCH", where + "net", "what is left of the amount after the fee is not the net")
        return Balance(
            currency=currency,
            amount=amount,
            fee=fee,
            net=net,
            fees=self._fees(row, fee, where, currency),
            rate=self._rate(row, where),
            category=word(row.get("reporting_category")),
            at=self.maybe_moment(row, "created", where),
        )

    def _fees(self, row: Json, fee: int, where: str, currency: str) -> list[Fee]:
        found = []
        for index, one in enumerate(self.objects(row, "fee_details", where)):
            kind = word(one.get("type"))[:60]
            amount = self.money(one, "amount", f"{where}fee_details[{index}].", currency)
            found.append(Fee(type=FEE_TYPE.get(kind, kind or "processing"), amount=amount))
        if not found:
            return [Fee(type="processing", amount=fee)] if fee else []
        if sum(one.amount for one in found) != fee and not self.problems:
            self.refuse("FEE_MISMATCH", where + "fee", "the parts of the fee do not add up to it")
        return found

    def _rate(self, row: Json, where: str) -> Decimal | None:
        value = row.get("exchange_rate")
        if value is None:
            return None
        if type(value) in (int, Decimal, float):
            rate = Decimal(str(value))
            if rate.is_finite() and rate > 0 and -12 <= rate.adjusted() <= 12:
                return rate
        self.refuse("BAD_RATE", where + "exchange_rate", "the exchange rate is not a usable number")
        return None


def inner(parent: Json, key: str) -> Json:
    """A part that may be absent; {} then, and where something else stands there."""
    value = parent.get(key)
    return value if type(value) is dict else {}


def rate_text(balance: Balance, amount: int, currency: str) -> str | None:
    """Units of the settlement currency for one of the charge's; None within one currency.

    Stripe multiplies amounts in smallest units: where these differ (yen to cents), the rate is brought to whole units.
    Which of the two a rate is follows from the amounts, since they are a factor of ten or more apart.
    """
    if balance.rate is None or balance.currency == currency:
        return None
    shift = _digits(currency) - _digits(balance.currency)
    rate, shifted = balance.rate, balance.rate.scaleb(shift)
    here, there = (
        Decimal(amount).scaleb(-MINOR_DIGITS[currency]),
        Decimal(balance.amount).scaleb(-MINOR_DIGITS[balance.currency]),
    )
    if here and there and _apart(here * shifted, there) < _apart(here * rate, there):
        rate = shifted
    return format(round(rate, 12) if rate.as_tuple().exponent < -12 else rate, "f")  # type: ignore[operator]


def _digits(currency: str) -> int:
    return DIGITS.get(currency, MINOR_DIGITS[currency])


def _apart(one: Decimal, other: Decimal) -> Decimal:
    quotient = abs(one / other)
    return max(quotient, 1 / quotient)


def order_reference(*places: Json) -> str | None:
    """The merchant's order as its system passed it, from the first of these objects whose metadata names one."""
    for place in places:
        metadata = inner(place, "metadata")
        for key in ORDER_KEYS:
            value = metadata.get(key)
            if type(value) is str and 0 < len(value) <= 255 and value.strip():
                return value
    return None


def source(
    context: Context, seen: Seen, identifier: str, known: list[datetime | None], rank: int, *, test: bool
) -> Source:
    """Stripe has no versions: an event's time is one; what was read on its own is as old as the latest time it tells.

    `rank` orders what falls into one second, by microseconds: the further it has come and the more is known, the later.
    """
    at = seen.at or max(one for one in known if one is not None)
    return Source(
        channel=context.channel,
        adapter="stripe",
        id=identifier,
        version=stamp(at if seen.in_event else at.replace(microsecond=rank)),
        test=test or seen.test,
    )


def extensions(**found: Any) -> Json:
    """What the record has no field for, without what is absent."""
    kept = {key: value for key, value in found.items() if value not in (None, "", [], {})}
    return {"stripe": kept} if kept else {}
