"""Reads single values out of BigCommerce's objects: decimals of four places, dates of RFC 2822, links in place of lists. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from channels import reading
from channels.reading import Json
from salessync.core.money import LIMIT, minor_digits

HALF = Decimal("0.5")
_DECIMAL = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,10})?")
_RFC_2822 = re.compile(
    r"(?:[A-Z][a-z]{2}, )?([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"
)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Reader(reading.Reader):
    """One object in its currency; `fine` once an amount was finer than the currency's smallest unit."""

    __slots__ = ("fine",)

    def __init__(self, currency: str = "") -> None:
        super().__init__(currency)
        self.fine = False

    def exact(self, value: Any, path: str) -> Decimal:
        """An amount in smallest units, not yet rounded: four decimals can be finer than a cent. 0 and a problem otherwise."""
        amount = decimal(value)
        if amount is None:
            code = "MISSING_AMOUNT" if value is None or value == "" else "BAD_AMOUNT"
            self.refuse(code, path, f"{path} should be an amount, a decimal number")
            return Decimal(0)
        scaled = amount.scaleb(minor_digits(self.currency))
        if abs(scaled) > LIMIT:
            self.refuse("AMOUNT_TOO_LARGE", path, f"{path} is beyond what an amount may be")
            return Decimal(0)
        if scaled != scaled.to_integral_value():
            self.fine = True
        return scaled

    def cost(self, parent: Json, key: str, where: str = "") -> Decimal:
        """An amount that may be absent, which is none; a negative one is a problem."""
        value = parent.get(key)
        if value is None or value == "":
            return Decimal(0)
        amount = self.exact(value, where + key)
        if amount < 0:
            self.refuse("NEGATIVE_AMOUNT", where + key, f"{where}{key} is negative, which has no meaning here")
            return Decimal(0)
        return amount

    def date(self, value: Any, path: str) -> datetime | None:
        """A time of RFC 2822 ("Tue, 01 Sep 2026 10:00:00 +0000") or ISO 8601; None and a problem otherwise."""
        match = _RFC_2822.fullmatch(value) if type(value) is str else None
        if match is None or match[2] not in _MONTHS:
            return self.instant(value, path)
        day, month, year, clock, sign, hours, minutes = match.groups()
        return self.instant(f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{clock}{sign}{hours}:{minutes}", path)

    def rows(self, value: Any, path: str) -> list[Json] | None:
        """A list of objects; None where there is none, or only the link to one."""
        if value is None or (type(value) is dict and ("resource" in value or "url" in value)):
            return None
        return self.objects({path: value}, path)


def decimal(value: Any) -> Decimal | None:
    """A number as BigCommerce writes them, text or JSON number; None for anything else."""
    if type(value) is str and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if type(value) is int and abs(value) <= LIMIT:
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite() and (value == 0 or -12 <= value.adjusted() <= 16):
        return value
    return None


def whole(amount: Decimal) -> int:
    """To the smallest unit, half up."""
    return int(amount.to_integral_value(ROUND_HALF_UP))


def apportion(parts: Sequence[Decimal], total: int) -> list[int]:
    """The parts in whole units that add up to `total`, by largest remainder.

    Only where `total` is what rounding makes of the parts: otherwise each is rounded for itself, and the proof objects.
    """
    fractions = sum(1 for part in parts if part != part.to_integral_value())
    if abs(sum(parts, Decimal(0)) - total) > HALF * fractions:
        return [whole(part) for part in parts]
    floors = [int(part.to_integral_value(ROUND_FLOOR)) for part in parts]
    order = sorted(range(len(parts)), key=lambda i: (floors[i] - parts[i], i))
    for index in order[: max(0, min(total - sum(floors), fractions))]:
        floors[index] += 1
    return floors


def latest(*times: datetime | None) -> datetime:
    """The latest of those that are known."""
    return max((t for t in times if t is not None), default=datetime(1970, 1, 1, tzinfo=UTC))
