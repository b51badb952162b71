"""Reads Clover's own ways of writing lists, times and amounts. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any

from channels.reading import Json
from channels.reading import Reader as BaseReader

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 253402300799999  # milliseconds: the end of the year 9999


class Reader(BaseReader):
    """A reader of one order."""

    __slots__ = ()

    def elements(self, parent: Json, key: str, where: str = "") -> list[Json]:
        """A nested list, which REST wraps in {"elements": […]} and the devices' own JSON does not."""
        value = parent.get(key)
        if type(value) is dict:
            if "elements" not in value:
                self.refuse("NOT_A_LIST", where + key, f"{where}{key} should be a list of elements")
            return self.objects(value, "elements", f"{where}{key}.")
        return self.objects(parent, key, where)

    def millis(self, value: Any, path: str) -> datetime | None:
        """Milliseconds since 1970 as an instant; None and a problem otherwise."""
        if type(value) is int and 0 < value <= LAST:
            return EPOCH + timedelta(milliseconds=value)
        code = "MISSING_TIME" if value is None else "BAD_TIME"
        self.refuse(code, path, f"{path} should be a time in milliseconds since 1970")
        return None

    def maybe_millis(self, parent: Json, key: str, where: str = "") -> datetime | None:
        """A time that may be absent."""
        value = parent.get(key)
        return None if value is None else self.millis(value, where + key)

    def money(self, parent: Json, key: str, where: str = "") -> int:
        """An amount in minor units that must be there."""
        return self.within_limit(self.units(parent.get(key), where + key), where + key)

    def maybe_money(self, parent: Json, key: str, where: str = "") -> int:
        """An amount, 0 where there is none; never negative."""
        return 0 if parent.get(key) is None else self.positive(self.money(parent, key, where), where + key)

    def reference(self, parent: Json, key: str, where: str = "") -> str | None:
        """The id of a reference ({"id": …}); None where there is none."""
        value = parent.get(key)
        if value is None:
            return None
        return self.optional_id(self.object(value, where + key).get("id"), f"{where}{key}.id")

    def scaled(self, value: Any, path: str) -> int:
        """A rate or quantity as a scaled whole number, not negative."""
        if type(value) is int and 0 <= value <= 10**9:
            return value
        self.refuse("BAD_NUMBER", path, f"{path} should be a whole number, zero or more")
        return 0


def is_true(value: Any) -> bool:
    """A flag that is set."""
    return value is True


def half_up(numerator: int, denominator: int) -> int:
    """The quotient rounded half up, away from zero below it, as Clover rounds; the denominator is positive."""
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))
