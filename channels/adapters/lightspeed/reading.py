"""Reads single values out of Lightspeed's objects: numbers of five decimals, some of them texts, under names of three APIs. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from channels import reading
from channels.reading import Json
from salessync.core.money import LIMIT, minor_digits

HALF = Decimal("0.5")
NONE = Decimal(0)
_DECIMAL = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,12})?")
_NAIVE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?")


class Reader(reading.Reader):
    """One object in the retailer's currency."""

    __slots__ = ()

    def exact(self, value: Any, path: str) -> Decimal:
        """An amount in smallest units, not yet rounded; 0 and a problem where it cannot be read."""
        amount = decimal(value)
        if amount is None:
            code = "MISSING_AMOUNT" if value is None or value == "" else "BAD_AMOUNT"
            self.refuse(code, path, f"{path} should be an amount, a decimal number")
            return NONE
        scaled = amount.scaleb(minor_digits(self.currency))
        if abs(scaled) > LIMIT:
            self.refuse("AMOUNT_TOO_LARGE", path, f"{path} is beyond what an amount may be")
            return NONE
        return scaled

    def maybe_exact(self, value: Any, path: str) -> Decimal:
        """An amount that may be absent, which is none."""
        return NONE if value is None or value == "" else self.exact(value, path)

    def count(self, value: Any, path: str) -> Decimal:
        """How many, a decimal number that is negative for what comes back."""
        number = decimal(value)
        if number is not None and abs(number) < 10**12:
            return round(number, 6)
        code = "MISSING_QUANTITY" if value is None else "BAD_QUANTITY"
        self.refuse(code, path, f"{path} should be a decimal number")
        return NONE

    def time(self, value: Any, path: str) -> datetime | None:
        """A time; one without a zone is UTC, as the older API writes it."""
        if type(value) is str and _NAIVE.fullmatch(value):
            value += "Z"
        return self.instant(value, path)


def first(row: Json, *paths: str) -> Any:
    """The value under the first of these names that is there: the APIs call the same thing differently."""
    for path in paths:
        value: Any = row
        for key in path.split("."):
            value = value.get(key) if type(value) is dict else None
        if value is not None:
            return value
    return None


def decimal(value: Any) -> Decimal | None:
    """A JSON number or the text of one; None for anything else."""
    if type(value) is str and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if type(value) is int and abs(value) <= LIMIT:
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite() and (value == 0 or -12 <= value.adjusted() <= 16):
        return value
    return None


def whole(amount: Decimal) -> int:
    """To the smallest unit as the till rounds, half away from zero."""
    return int(amount.to_integral_value(ROUND_HALF_UP))


def apportion(parts: Sequence[Decimal], total: int) -> list[int]:
    """The parts in whole units that add up to `total`, by largest remainder.

    Only where `total` is what rounding makes of the parts: otherwise each is rounded for itself, and the proof objects.
    """
    fractions = sum(1 for part in parts if part != part.to_integral_value())
    if abs(sum(parts, NONE) - total) > HALF * fractions:
        return [whole(part) for part in parts]
    floors = [int(part.to_integral_value(ROUND_FLOOR)) for part in parts]
    order = sorted(range(len(parts)), key=lambda i: (floors[i] - parts[i], i))
    for index in order[: max(0, min(total - sum(floors), fractions))]:
        floors[index] += 1
    return floors


def plain(value: Decimal, digits: int = 0) -> str:
    """Decimal text with at least the currency's digits and at most twelve."""
    short = round(value, 12).normalize()
    exponent = short.as_tuple().exponent
    if type(exponent) is int and exponent > -digits:
        short = short.quantize(Decimal(1).scaleb(-digits))
    return format(short, "f")
