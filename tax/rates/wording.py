"""Facts of tax and what changes about them, in plain words. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from tax.quoting.answer import rate_text

_DAY = timedelta(days=1)
_SCOPES = {"own": "", "below": " below it", "all": " there and below"}
_SOURCING = {"any": "", "intra": ", within the state", "inter": ", from outside the state"}
_SEMANTICS = {
    "exempt": "exempt", "exempt_below": "exempt below {upper}", "exempt_upto": "exempt up to {upper}",
    "excess_over": "taxed on what exceeds {lower}", "base_band": "taxed on the part from {lower} to {upper}",
    "price_band": "{rate} % for a price above {lower} and up to {upper}",
}  # fmt: skip


class Span(NamedTuple):
    """What holds on [starts, ends)."""

    starts: date | None
    ends: date | None
    text: str


class Piece(NamedTuple):
    """Days on which what holds differs; None: nothing holds. `follows`: what held before simply goes on until the eve."""

    starts: date | None
    ends: date | None
    before: str | None
    after: str | None
    follows: bool


def days(starts: date | None, ends: date | None) -> str:
    """ "from 2026-04-01 until 2026-06-30": the last day is in it; empty where it is every day."""
    said = [f"from {starts}"] if starts else []
    return " ".join(said + ([f"until {ends - _DAY}"] if ends else []))


def rate_says(values: Mapping[str, str]) -> str:
    """The value of a rate: "3.75 %", "0 % exempt below it"."""
    treatment = "" if values["treatment"] == "taxable" else f" {values['treatment']}"
    return f"{rate_text(Decimal(values['rate']))} %{treatment}{_SCOPES[values['scope']]}"


def rule_says(values: Mapping[str, str | None]) -> str:
    """The value of a threshold or holiday: "exempt below 110 USD"."""
    currency = f" {values['currency']}" if values["currency"] else ""
    numbers = {name: rate_text(Decimal(values[name] or 0)) for name in ("lower", "upper", "rate")}
    amounts = {name: numbers[name] + currency if values[name] else "any price" for name in ("lower", "upper")}
    said = _SEMANTICS[values["semantic"] or ""].format(**{**numbers, **amounts})
    counts = ", delivery counted in" if values["delivery_counts"] == "true" else ""
    return said + counts + _SCOPES[values["scope"] or "own"]


def delivery_says(values: Mapping[str, str]) -> str:
    """How delivery is taxed: "follows goods"."""
    return values["rule"].replace("_", " ") + _SCOPES[values["scope"]]


def rate_subject(jurisdiction: str, tax: str, category: str, sourcing: str) -> str:
    """Whose rate it is; goods in general need no mention."""
    return f"{jurisdiction} {tax}" + ("" if category == "standard" else f" on {category}") + _SOURCING[sourcing]


def rule_subject(jurisdiction: str, tax: str, category: str, holiday: str) -> str:
    """Whose rule it is."""
    return f"{jurisdiction} {tax}".strip() + f" on {category}" + (f", {holiday}" if holiday else "")


def delivery_subject(jurisdiction: str) -> str:
    """Whose rule of delivery it is."""
    return f"{jurisdiction} on delivery"


def sentence(subject: str, before: Sequence[Span], after: Sequence[Span]) -> str:
    """What changes: "US-GA-121 Sales tax: 3 % until 2026-03-31, 3.75 % from 2026-04-01"."""
    return f"{subject}: " + ", ".join(_said(piece) for piece in pieces(before, after))


def _said(piece: Piece) -> str:
    when = days(piece.starts, piece.ends)
    if piece.after is None:
        return " ".join(filter(None, [piece.before, when, "is gone"]))
    now = " ".join(filter(None, [piece.after, when]))
    if piece.follows and piece.starts:
        return f"{piece.before} until {piece.starts - _DAY}, {now}"
    return now if piece.before is None else f"{now} instead of {piece.before}"


def pieces(before: Sequence[Span], after: Sequence[Span]) -> list[Piece]:
    """The days on which the two differ, as long pieces as there are; neither has two spans on one day."""
    edges = sorted({day or date.min for span in (*before, *after) for day in (span.starts, span.ends or date.max)})
    found: list[Piece] = []
    eve: str | None = None  # what is to hold the day before
    for start, end in pairwise(edges):
        was, will = _on(before, start), _on(after, start)
        if was != will:
            last = found[-1] if found else None
            if last and last.ends == start and (last.before, last.after) == (was, will):
                found[-1] = last._replace(ends=end)
            else:
                found.append(Piece(start, end, was, will, was is not None and eve == was))
        eve = will
    return [
        piece._replace(
            starts=None if piece.starts == date.min else piece.starts, ends=None if piece.ends == date.max else piece.ends
        )
        for piece in found
    ]  # fmt: skip


def _on(spans: Sequence[Span], day: date) -> str | None:
    return next(
        (s.text for s in spans if (s.starts or date.min) <= day < (s.ends or date.max)), None
    )  # fmt: skip
