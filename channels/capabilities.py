"""What each adapter can do and what not, and why: read off the adapters themselves, for people and for `capabilities`. No database.

An ability stands unless the adapter's `missing` says why not, or unless the method that it needs is not there. Golden cases prove
the rest (tests/channels/test_capabilities.py).
"""

import inspect
from collections.abc import Iterator
from typing import Any

import msgspec

from channels import adapter as adapters
from channels.adapter import ABILITIES, Adapter
from channels.client import Account, Limits, Stream
from salessync.core.problems import Refused

# abilities that are a method of the adapter
METHODS = {"webhooks": "verify", "polling": "poll", "stock": "push_stock"}
ASKING = ("poll", "fetch", "subscribe", "push_stock", "read_stock", "items")


class Ability(msgspec.Struct, frozen=True):
    """Whether an adapter has it; where not, why."""

    has: bool
    why_not: str = ""


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """How levels are told and asked for. `compares`: the vendor refuses a level that is not set from the expected one.

    `batch`: levels that one request answers. `topics`: events that tell of edits there.
    """

    compares: bool
    reads: bool
    batch: int
    lists_items: bool
    topics: tuple[str, ...]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """One adapter's line of the table. `limits`: None where the vendor is never asked anything; `stock`: where it is told none."""

    name: str
    label: str
    abilities: dict[str, Ability]
    settles: bool
    signature: str
    subscribes: bool
    topics: tuple[str, ...]
    streams: tuple[Stream, ...]
    limits: Limits | None
    stock: Stock | None


def table() -> list[Capabilities]:
    """Every adapter, sorted by name."""
    return [capabilities(adapters.get(name)) for name in adapters.adapter_names()]


def capabilities(adapter: Adapter) -> Capabilities:
    """What one adapter can do."""
    abilities = {name: _ability(adapter, name) for name in ABILITIES}
    return Capabilities(
        name=adapter.name,
        label=adapter.label,
        abilities=abilities,
        settles=adapter.settles,
        signature=_first_paragraph(adapter.verify),
        subscribes=abilities["webhooks"].has and subscribes(adapter),
        topics=tuple(sorted(adapter.topics)),
        streams=adapter.streams if abilities["polling"].has else (),
        limits=adapter.limits if any(overrides(adapter, name) for name in ASKING) else None,
        stock=_stock(adapter) if abilities["stock"].has else None,
    )


def _stock(adapter: Adapter) -> Stock:
    return Stock(
        compares=adapter.stock_compares,
        reads=overrides(adapter, "read_stock"),
        batch=adapter.stock_batch,
        lists_items=overrides(adapter, "items"),
        topics=tuple(sorted(adapter.stock_topics)),
    )


def overrides(adapter: Adapter, method: str) -> bool:
    """Whether the adapter has a method of its own there."""
    return getattr(type(adapter), method) is not getattr(Adapter, method)


def subscribes(adapter: Adapter) -> bool:
    """Whether the vendor can be asked for subscriptions; False: a person makes them."""
    try:
        next(adapter.subscribe(Account(channel="", credentials={}), "https://books.example/"))
    except (NotImplementedError, StopIteration):  # no call, or one that asks nothing
        return False
    except (KeyError, Refused):  # it would ask, if it had credentials
        return True
    return True


def as_markdown(rows: list[Capabilities]) -> str:
    """docs/channels.md."""
    return "\n".join(_lines(rows)) + "\n"


def as_json(rows: list[Capabilities]) -> list[Any]:
    """The same for programs."""
    return msgspec.to_builtins(rows)


def _ability(adapter: Adapter, name: str) -> Ability:
    if name in adapter.missing:
        return Ability(has=False, why_not=adapter.missing[name])
    if name in METHODS and not overrides(adapter, METHODS[name]):
        return Ability(has=False, why_not=f"the adapter has no {METHODS[name]}")
    if name == "polling" and not adapter.streams:
        return Ability(has=False, why_not="the adapter names no list to read")
    return Ability(has=True)


def _first_paragraph(method: Any) -> str:
    text = (inspect.getdoc(method) or "").split("\n\n")[0]
    return " ".join(text.split())


def _lines(rows: list[Capabilities]) -> Iterator[str]:
    yield "# Channels"
    yield ""
    yield "<!-- written by `manage.py capabilities --markdown`; a test says when it is stale -->"
    yield ""
    yield (
        "What each adapter brings and takes. ● it does, · it does not, with the reason below. "
        "What it does is proven by its golden cases in `tests/golden`."
    )
    yield ""
    yield "| adapter | " + " | ".join(ABILITIES) + " |"
    yield "| --- |" + " :-: |" * len(ABILITIES)
    for row in rows:
        marks = ("●" if row.abilities[name].has else "·" for name in ABILITIES)
        yield f"| [`{row.name}`](#{row.name}) | " + " | ".join(marks) + " |"
    for row in rows:
        yield from _section(row)


def _section(row: Capabilities) -> Iterator[str]:
    yield ""
    yield f"## {row.name}"
    yield ""
    settles = "; its charges may pay for sales of other channels" if row.settles else ""
    yield f"{row.label}{settles}."
    yield ""
    if row.abilities["webhooks"].has:
        made = "`connect` makes them" if row.subscribes else "made by hand, at the vendor's"
        yield f"- **Signature**: {_sentence(row.signature)}"
        yield f"- **Subscriptions**: {made}{_topics(row.topics)}."
    for stream in row.streams:
        yield f"- **Polled**: `{stream.name}`, every {_every(stream.every)}, each time from {_span(stream.overlap)} before the last."
    if row.limits:
        rate = f"{row.limits.per_second:g} request{'' if row.limits.per_second == 1 else 's'} a second"
        yield f"- **Pace**: {rate}, {row.limits.burst} at once."
    if row.stock:
        yield f"- **Stock**: {_sentence('; '.join(_of_stock(row.stock)))}"
    for name, ability in row.abilities.items():
        if not ability.has:
            yield f"- **No {name}**: {_sentence(ability.why_not)}"


def _of_stock(stock: Stock) -> Iterator[str]:
    if stock.compares:
        yield "the vendor itself sets a level only where it still is the expected one"
    else:
        yield "a level is read just before it is set, since the vendor compares nothing"
    if stock.reads:
        yield f"read back, {stock.batch} level{'' if stock.batch == 1 else 's'} a request"
    if stock.lists_items:
        yield "its items are listed"
    if stock.topics:
        yield f"edits there are told by {', '.join(f'`{topic}`' for topic in stock.topics)}"


def _topics(topics: tuple[str, ...]) -> str:
    if not topics:
        return ""
    return f" ({', '.join(f'`{t}`' for t in topics)})" if len(topics) <= 13 else f" ({len(topics)} topics)"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _every(seconds: int) -> str:
    return _span(seconds).removeprefix("1 ")


def _span(seconds: int) -> str:
    for length, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % length == 0 and seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} seconds"
