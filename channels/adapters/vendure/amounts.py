"""Vendure's amounts: whole numbers of a fraction of the currency that the server's money strategy sets. Pure.

The strategy's precision is 2 unless the shop has another, whatever the currency: 100 is a dollar, and 100 yen are 10000. The
queries of client.py ask for it; where a payload does not tell it, the amounts are minor units of their currency.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from channels.reading import Json, Reader
from salessync.core.money import LIMIT, MINOR_DIGITS

ZERO = Decimal(0)


class Amounts(Reader):
    """A Reader that brings Vendure's numbers to minor units, half up where the currency is coarser."""

    __slots__ = ("precision", "rounded")

    def __init__(self, precision: int | None) -> None:
        super().__init__()
        self.precision = precision
        self.rounded = 0  # how many amounts lost a fraction: no sum of them can be off by more

    def money(self, value: Any, path: str) -> int:
        """An amount; 0 and a problem where it cannot be read."""
        number = _number(value)
        if number is None:
            code = "MISSING_AMOUNT" if value is None else "BAD_AMOUNT"
            what = "is missing" if value is None else "is no number that an amount can be"
            self.refuse(code, path, f"{path}, an amount, {what}")
            return 0
        if self.precision is not None:
            number = number.scaleb(MINOR_DIGITS.get(self.currency, 2) - self.precision)
        if abs(number) > LIMIT:
            self.refuse("AMOUNT_TOO_LARGE", path, f"{path} is beyond what an amount may be")
            return 0
        return self.whole(number)

    def whole(self, number: Decimal) -> int:
        """Half up to the minor unit; a fraction that is lost is counted."""
        found = int(number.to_integral_value(ROUND_HALF_UP))
        self.rounded += found != number
        return found

    def maybe_money(self, parent: Json, key: str, where: str = "") -> int | None:
        """An amount that may be absent."""
        value = parent.get(key)
        return None if value is None else self.money(value, where + key)

    def magnitude(self, value: Any, path: str) -> int:
        """An amount that cannot be negative."""
        return self.positive(self.money(value, path), path)

    def rate(self, value: Any, path: str) -> Decimal:
        """A tax rate in percent."""
        number = _number(value)
        if number is not None and 0 <= number <= 1000:
            return number
        self.refuse("BAD_RATE", path, f"{path} should be a tax rate in percent")
        return ZERO


def _number(value: Any) -> Decimal | None:
    if type(value) is int and -(10**18) < value < 10**18:
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite():
        if value == 0:
            return ZERO
        return value if -15 <= value.adjusted() <= 18 else None
    return None


def half_up(amount: Decimal | int, numerator: Decimal | int = 1, denominator: Decimal | int = 1) -> int:
    """amount × numerator ÷ denominator, half up, as Vendure rounds."""
    if not denominator:
        return 0
    return int((Decimal(amount) * numerator / denominator).to_integral_value(ROUND_HALF_UP))


def percent(rate: Decimal) -> str:
    """20 → "20.0", 8.875 → "8.875"."""
    text = format(round(rate, 12).normalize(), "f")
    return text if "." in text else text + ".0"


def unit_text(amount: int, units: int, gross: int, currency: str) -> str:
    """The unit price as listed; where its own rounding does not make the line, the line's price divided by its units."""
    digits = MINOR_DIGITS.get(currency, 2)
    price = Decimal(amount)
    if units and abs(price * units - gross) > 1:
        price = Decimal(gross) / units
    text = format(round(price.scaleb(-digits), 12), "f")
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(digits, "0")
    return f"{whole}.{fraction}" if fraction else whole
