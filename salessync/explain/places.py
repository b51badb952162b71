"""Where in a canonical record an amount stands. Pure.

A posting's path names the parts of a list by their ids (lines/669/gross), a refund's lines by their position; an id may itself
contain a slash.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple


class Place(NamedTuple):
    """`path` is written as problems write theirs (lines[0].gross); `value` is what stands there, None where it is no single value.

    `exact` is false where the record ends before the path does: a line's cost is the stock's, not the record's.
    """

    path: str
    value: int | str | bool | None
    exact: bool


def find(record: Any, path: str) -> Place | None:
    """The place that a posting's path means; None where the record has no such part."""
    found = _walk(record, path, "")
    return found if found is not None and found.path else None


def _walk(value: Any, path: str, place: str) -> Place | None:
    if not path:
        return _here(value, place)
    for part, inner, rest in _steps(value, path, place):
        found = _walk(inner, rest, part)
        if found is not None:
            return found
    return Place(place, None, exact=False) if place and isinstance(value, dict) else None


def _here(value: Any, place: str) -> Place:
    """What a tender or a movement of cash comes to is its amount."""
    if isinstance(value, dict) and "amount" in value:
        return Place(f"{place}.amount", value["amount"], exact=True)
    return Place(place, None if isinstance(value, dict | list) else value, exact=True)


def _steps(value: Any, path: str, place: str) -> Iterator[tuple[str, Any, str]]:
    """(place, value, rest of the path) of the parts that the path may go on with, the likeliest first."""
    head, _, rest = path.partition("/")
    if isinstance(value, dict):
        if head in value:
            yield (f"{place}.{head}" if place else head), value[head], rest
        return
    if not isinstance(value, list):
        return
    parts = [(n, item) for n, item in enumerate(value) if isinstance(item, dict)]
    ids = [(item["id"], n, item) for n, item in parts if isinstance(item.get("id"), str)]
    for id_, n, item in sorted(ids, key=lambda found: -len(found[0])):
        if path == id_ or path.startswith(f"{id_}/"):
            yield f"{place}[{n}]", item, path[len(id_) + 1 :]
    if not ids:  # a part that has an id is never meant by its position
        yield from ((f"{place}[{n}]", item, rest) for n, item in parts if head in (str(n), item.get("type")))
