"""Reads the counts of stock that vendors tell, and asks for them in portions: what every adapter's stock.py needs. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from channels.client import StockPlace, StockRead
from salessync.core.problems import Problem, Refused

_DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,12})?")


def count(value: Any, path: str) -> str | None:
    """A count in one way of writing it: "5", "-2", "0.25"; None where there is none, Refused where it is no number."""
    if value is None or value == "":
        return None
    if not _is_number(value):
        raise Refused(Problem("BAD_QUANTITY", path, f"{str(value)[:40]!r} is no count of stock"))
    text = format(Decimal(value), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _is_number(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and (value == 0 or -13 < value.adjusted() < 15)
    return _DECIMAL.fullmatch(value) is not None if type(value) is str else type(value) is int and abs(value) < 10**15


def minus(stock: Any, held: Any, path: str) -> str | None:
    """What is left of a count beside what is held for orders; None where there is no count."""
    there = count(stock, path)
    return None if there is None else count(Decimal(there) - Decimal(count(held, path) or 0), path)


def portions(values: Iterable[str], size: int) -> Iterator[list[str]]:
    """The different ones among them, in lists of at most `size`."""
    distinct = list(dict.fromkeys(values))
    for start in range(0, len(distinct), size):
        yield distinct[start : start + size]


def by_location(places: Iterable[StockPlace]) -> dict[str, list[str]]:
    """Location → the items that are asked for there."""
    found: dict[str, list[str]] = {}
    for place in places:
        found.setdefault(place.location, []).append(place.item_id)
    return found


def answers(places: Sequence[StockPlace], found: Mapping[tuple[str, str], str | None]) -> list[StockRead]:
    """What was found by (item, location), in the order in which it was asked."""
    return [StockRead(p.item_id, p.location, found.get((p.item_id, p.location))) for p in places]


def hint(item: Any, location: Any, value: Any = None, *, prefix: str = "") -> tuple[StockPlace, ...]:
    """What an event says of one level: with its value where that can be read; () where it does not say of which item."""
    item_id, place = _identifier(item), _identifier(location)
    if not item_id:
        return ()
    try:
        available = count(value, "available")
    except Refused:
        available = None
    if available is None:
        return (StockPlace(prefix + item_id, place),)
    return (StockRead(prefix + item_id, place, available),)


def _identifier(value: Any) -> str:
    if type(value) is int and 0 <= value < 10**30:
        return str(value)
    return value if type(value) is str and 0 < len(value) <= 255 and value.strip() else ""
