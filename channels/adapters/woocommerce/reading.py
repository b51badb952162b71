"""Reads single values out of a WooCommerce object, in whichever of PHP's types they come. Pure.

Plugins turn numbers into strings and back, empty objects into [] and lists with gaps into objects; what is certain is read.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from channels import reading
from channels.reading import Json
from salessync.core.money import LIMIT, MINOR_DIGITS

_NAIVE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?")
_FINE = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,24})?(?:[eE]-?[0-9]{1,2})?")

ZERO = Decimal(0)


class Reader(reading.Reader):
    """One order's currency and problems."""

    __slots__ = ()

    def rows(self, parent: Json, key: str, where: str = "") -> list[Json]:
        """A list of objects; PHP sends an empty one as {} or "", and one with gaps as an object of numbered keys."""
        value = parent.get(key)
        if value is None or value == "" or value == {}:
            return []
        if type(value) is dict and all(name.isdigit() for name in value):
            value = list(value.values())
        return self.objects({key: value}, key, where)

    def amount(self, parent: Json, key: str, where: str = "") -> int:
        """A required amount; an empty text is a missing one."""
        value = parent.get(key)
        return self.minor(None if value == "" else value, where + key)

    def maybe_amount(self, parent: Json, key: str, where: str = "") -> int | None:
        """An amount that may be absent; None then."""
        return None if parent.get(key) in (None, "") else self.amount(parent, key, where)

    def fine(self, value: Any, path: str) -> Decimal:
        """An amount in minor units with whatever fraction of them WooCommerce has kept (only the shares of a tax have any)."""
        found = plain(value)
        if found is not None:
            found = found.scaleb(MINOR_DIGITS[self.currency])
        if found is None or abs(found) > LIMIT:
            self.refuse("BAD_AMOUNT", path, f"{path} is not an amount")
            return ZERO
        return found

    def decimal(self, value: Any, path: str) -> Decimal:
        """How many, signed: whole, or a fraction where goods are weighed."""
        if type(value) is str and re.fullmatch(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?", value):
            return Decimal(value)
        if type(value) is int and abs(value) <= 10**12:
            return Decimal(value)
        if isinstance(value, Decimal) and value.is_finite() and -7 < value.adjusted() <= 12:
            return round(value, 6)
        if value == 0 and isinstance(value, Decimal):
            return ZERO
        code = "MISSING_QUANTITY" if value is None or value == "" else "BAD_QUANTITY"
        self.refuse(code, path, f"{path} should be a number of pieces")
        return ZERO

    def gmt(self, parent: Json, key: str, where: str = "") -> datetime | None:
        """A `date_…_gmt`, which is UTC without saying so; None where there is none."""
        value = parent.get(key)
        if not is_set(value):
            return None
        if type(value) is str and _NAIVE.fullmatch(value):
            value += "Z"
        return self.instant(value, where + key)

    def required_gmt(self, parent: Json, key: str, where: str = "") -> datetime | None:
        """A time that must be there; None and a problem otherwise."""
        if not is_set(parent.get(key)):
            self.refuse("MISSING_TIME", where + key, f"{where}{key}, the time, is missing")
            return None
        return self.gmt(parent, key, where)


def is_set(value: Any) -> bool:
    """Whether a date is there: null, PHP's other ways to say nothing, and the database's zero date are none."""
    return bool(value) and not (type(value) is str and value.startswith("0000-00-00"))


def plain(value: Any) -> Decimal | None:
    """A number in any of PHP's ways to write one; None for anything else."""
    if type(value) is str:
        return Decimal(value) if _FINE.fullmatch(value) else None
    if type(value) is int:
        return Decimal(value) if abs(value) <= LIMIT else None
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= 28:
        return value
    return None


def truth(value: Any) -> bool:
    """PHP's several ways to say yes."""
    return (
        value is True or (type(value) is int and value == 1) or (type(value) is str and value in ("true", "yes", "1"))
    )


def short(value: Any, limit: int = 255) -> str | None:
    """A word or number as a short text; None where there is none."""
    if type(value) is int and abs(value) < 10**30:
        return str(value)
    return value.strip()[:limit] or None if type(value) is str else None


def meta(parent: Json) -> dict[str, Any]:
    """Key → value of an object's meta_data; what has another shape says nothing that is read here."""
    rows = parent.get("meta_data")
    if type(rows) is dict:
        rows = list(rows.values())
    found: dict[str, Any] = {}
    for row in rows if type(rows) is list else ():
        if type(row) is dict and type(row.get("key")) is str:
            found[row["key"]] = row.get("value")
    return found


def number(value: Decimal) -> str:
    """A decimal text without trailing zeros."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
