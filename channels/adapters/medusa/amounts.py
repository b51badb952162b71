"""Medusa's amounts: JSON numbers of major units that nobody has rounded (70.7556 GBP). Pure.

Everything is added up exactly, in minor units with their fractions, and rounded half up once at the end; where several parts
must still make their sum, by largest remainder.
"""

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from typing import Any

from channels.reading import Json, Reader
from salessync.core.money import LIMIT, MINOR_DIGITS

ZERO = Decimal(0)
_NOISE = Decimal("0.000001")  # a double has 15 digits: what is finer than this is no amount
_MOST_UNITS = Decimal(10) ** 12


class Amounts(Reader):
    """A Reader for numbers with more digits than their currency has."""

    __slots__ = ("fractions",)

    def __init__(self, currency: str = "") -> None:
        super().__init__(currency)
        self.fractions = False  # whether any amount had a fraction of the minor unit

    def exact(self, value: Any, path: str) -> Decimal:
        """An amount in minor units, fractions kept; 0 and a problem where it cannot be read."""
        number = _number(value)
        if number is None:
            code = "MISSING_AMOUNT" if value is None else "BAD_AMOUNT"
            what = "is missing" if value is None else "is no number that an amount can be"
            self.refuse(code, path, f"{path}, an amount, {what}")
            return ZERO
        return self.bounded(number.scaleb(MINOR_DIGITS.get(self.currency, 2)), path)

    def maybe(self, parent: Json, key: str, where: str = "") -> Decimal | None:
        """An amount that may be absent."""
        value = parent.get(key)
        return None if value is None else self.exact(value, where + key)

    def bounded(self, amount: Decimal, path: str) -> Decimal:
        """An exact amount that must still be one after a product."""
        if abs(amount) > LIMIT:
            self.refuse("AMOUNT_TOO_LARGE", path, f"{path} is beyond what an amount may be")
            return ZERO
        if amount != amount.to_integral_value():
            self.fractions = True
        return amount

    def magnitude(self, value: Any, path: str) -> Decimal:
        """An amount that cannot be negative."""
        amount = self.exact(value, path)
        if amount < 0:
            self.refuse("NEGATIVE_AMOUNT", path, f"{path} is negative, which has no meaning here")
            return ZERO
        return amount

    def how_many(self, value: Any, path: str) -> Decimal:
        """How many, with fractions where something is sold by weight."""
        number = _number(value)
        if number is not None and 0 <= number <= _MOST_UNITS:
            return number
        code = "MISSING_QUANTITY" if value is None else "BAD_QUANTITY"
        self.refuse(code, path, f"{path} should be a number, zero or more")
        return ZERO

    def maybe_units(self, parent: Json, key: str, where: str = "") -> Decimal:
        """A quantity that is zero where it is not told."""
        value = parent.get(key)
        return ZERO if value is None else self.how_many(value, where + key)

    def rate(self, value: Any, path: str) -> Decimal:
        """A tax rate in percent."""
        number = _number(value)
        if number is not None and 0 <= number <= 1000:
            return number
        self.refuse("BAD_RATE", path, f"{path} should be a tax rate in percent")
        return ZERO


def _number(value: Any) -> Decimal | None:
    if type(value) is int and -(10**20) < value < 10**20:
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite():
        if value == 0:
            return ZERO
        return value if -15 <= value.adjusted() <= 20 else None
    return None


def rounded(amount: Decimal) -> int:
    """Half up, away from zero, to the minor unit."""
    return int(_clean(amount).to_integral_value(ROUND_HALF_UP))


def settle(amounts: list[Decimal]) -> list[int]:
    """Each amount as a whole number, so that together they are the rounded sum: by largest remainder, the earlier first."""
    clean = [_clean(amount) for amount in amounts]
    whole = [int(amount.to_integral_value(ROUND_FLOOR)) for amount in clean]
    missing = rounded(sum(clean, ZERO)) - sum(whole)
    order = sorted(range(len(clean)), key=lambda i: (whole[i] - clean[i], i))
    for index in order[:missing]:
        whole[index] += 1
    return whole


def _clean(amount: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return amount.quantize(_NOISE, ROUND_HALF_UP)


@lru_cache(maxsize=4096)
def plain(number: Decimal, least: int = 0) -> str:
    """A decimal string without exponent: at most 12 digits after the point and at least `least`."""
    with localcontext() as context:
        context.prec = 60
        text = format(number.quantize(Decimal("1e-12"), ROUND_HALF_UP), "f").rstrip("0").rstrip(".")
    if text in ("", "-", "-0"):
        text = "0"
    whole, _, fraction = text.partition(".")
    fraction = fraction.ljust(least, "0")
    return f"{whole}.{fraction}" if fraction else whole
