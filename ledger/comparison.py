"""Compares an entry as it was sent with what Bookkeeper holds under its id. Pure.

Date, currency, number, source and every posting must be there as they were sent; their order says nothing. What Bookkeeper does not
give back at all of the record, or of a posting beyond account and amounts, is no difference: it need not keep it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]

ALWAYS = ("account", "amount", "currency", "base_amount")  # of a posting, minor units
WHERE_KEPT = ("channel", "location", "tax_code", "category", "path")
SHOWN = 50  # pairs of postings that are told; the rest is counted
TEXT = 200  # characters of a value that are told


class Differing(NamedTuple):
    """What differs, both values: fields by name, postings in pairs (one side None where the other has no like)."""

    fields: list[Json]
    postings: list[Json]
    more: int

    def __bool__(self) -> bool:
        return bool(self.fields or self.postings)


def compare(ours: Json, theirs: Sequence[Json], *, same_record: Callable[[Any, Any], bool]) -> Differing:
    """What differs between an entry as sent and what is held under its id: one entry, or more than one by mistake."""
    held = theirs[0]
    fields = [
        _field(name, ours[name], held.get(name))
        for name in ("seq", "date", "currency", "source")
        if ours[name] != held.get(name)
    ]
    if len(theirs) > 1:
        fields.append(_field("copies", 1, len(theirs)))
    if "record" in held and not same_record(ours["record"], held["record"]):
        fields += _record_fields(ours["record"], held["record"])
    pairs = list(_pairs(ours["postings"], held.get("postings")))
    shown = [{"ours": posting_told(a), "theirs": posting_told(b)} for a, b in pairs[:SHOWN]]
    return Differing(fields, shown, len(pairs) - len(shown))


def posting_told(posting: Json | None) -> Json | None:
    """What a posting says, as far as it is a posting's."""
    if posting is None:
        return None
    return {name: told(posting[name]) for name in (*ALWAYS, *WHERE_KEPT) if name in posting}


def entry_told(entry: Json) -> Json:
    """What an entry says that only one side has."""
    postings = entry.get("postings")
    known = [p for p in postings if isinstance(p, dict)] if isinstance(postings, list) else []
    return {
        **{name: told(entry.get(name)) for name in ("seq", "date", "currency", "source")},
        "postings": [posting_told(posting) for posting in known[:SHOWN]],
        "more": max(len(known) - SHOWN, 0),
    }


def _field(name: str, ours: Any, theirs: Any) -> Json:
    return {"field": told(name), "ours": told(ours), "theirs": told(theirs)}


def told(value: Any) -> Any:
    """Short values as they are, long ones by their beginning; without the character that a database does not keep."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, dict):
        value = ", ".join(f"{name} {part}" for name, part in value.items())
    text = str(value).replace("\x00", "")
    return text if len(text) <= TEXT else text[:TEXT] + "…"


def _record_fields(ours: Any, theirs: Any) -> list[Json]:
    """The record's own fields that differ, one level deep."""
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return [_field("record", ours, theirs)]
    return [
        _field(f"record.{name}", ours.get(name), theirs.get(name))
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name) or (name in ours) != (name in theirs)
    ]


# --- postings


def _pairs(ours: list[Json], theirs: Any) -> Iterator[tuple[Json | None, Json | None]]:
    """Postings without an equal on the other side, beside what most likely became of them."""
    if not isinstance(theirs, list) or not all(isinstance(posting, dict) for posting in theirs):
        yield from ((posting, None) for posting in ours)
        return
    left, right = _without_equals(ours, theirs)
    for by in (("account", "path"), ("path",), ("account",), ()):
        found, left, right = _matched(left, right, by)
        yield from found
    yield from ((posting, None) for posting in left)
    yield from ((None, posting) for posting in right)


def _without_equals(ours: list[Json], theirs: list[Json]) -> tuple[list[Json], list[Json]]:
    """Both sides without the postings that are equal in all that their side gives back."""
    kept = frozenset(name for name in WHERE_KEPT if all(name in posting for posting in theirs))
    names = (*ALWAYS, *(name for name in WHERE_KEPT if name in kept))
    there = Counter(_key(posting, names) for posting in theirs)
    left = []
    for posting in ours:
        key = _key(posting, names)
        if there[key]:
            there[key] -= 1
        else:
            left.append(posting)
    right = []
    for posting in theirs:
        key = _key(posting, names)
        if there[key]:
            there[key] -= 1
            right.append(posting)
    return left, right


def _key(posting: Json, names: Sequence[str]) -> tuple[Hashable, ...]:
    """Values with their types: 1, 1.0 and true are not the same amount."""
    return tuple((type(posting.get(name)).__name__, repr(posting.get(name))) for name in names)


def _matched(
    left: list[Json], right: list[Json], by: Sequence[str]
) -> tuple[list[tuple[Json, Json]], list[Json], list[Json]]:
    """Pairs that agree in `by`, each with the first that is left; and what remains of both sides."""
    waiting: dict[tuple[Hashable, ...], list[int]] = defaultdict(list)
    for index in range(len(right) - 1, -1, -1):
        waiting[_key(right[index], by)].append(index)
    pairs, unmatched, taken = [], [], set()
    for posting in left:
        found = waiting.get(_key(posting, by))
        if found:
            index = found.pop()
            taken.add(index)
            pairs.append((posting, right[index]))
        else:
            unmatched.append(posting)
    return pairs, unmatched, [posting for index, posting in enumerate(right) if index not in taken]
