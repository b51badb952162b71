"""What activating a dataset would change about what is active now, before anybody does it. Reads only."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from django.db import connection, transaction
from psycopg.types.multirange import Multirange

from salessync.core import bulk
from tax.models import Dataset
from tax.rates import precedence, wording
from tax.rates.boundary_changes import BoundaryChanges, boundary_changes
from tax.rates.precedence import Kind
from tax.rates.wording import Span


class UnableToChange(ValueError):
    """The dataset's status does not allow it; the message says why."""


Books = dict[str, list[int]]  # the standing datasets before and after

_TELL: dict[str, Callable[[Any], str]] = {
    "rate": wording.rate_says, "rule": wording.rule_says, "delivery": wording.delivery_says,
}  # fmt: skip


class Count(NamedTuple):
    """Keys (of rates: jurisdiction, tax, category, sourcing) by what would become of them; unchanged: the same on every day."""

    added: int
    changed: int
    ended: int
    unchanged: int

    @property
    def listed(self) -> int:
        """Those that a person should look at."""
        return self.added + self.changed + self.ended


class Change(NamedTuple):
    """A rate, threshold, holiday or rule of delivery that would not be what it is.

    `what` is rate, rule or delivery, `how` added, changed or ended. `before` and `after` are all days on which something holds, as text.
    """

    what: str
    how: str
    jurisdiction: str
    name: str
    tax: str
    category: str
    sourcing: str
    holiday: str
    before: tuple[Span, ...]
    after: tuple[Span, ...]
    sentence: str


class Changes(NamedTuple):
    """`replaces`: the version of the same code that is active. `rows` is the asked page of the `listed` ones: rates, rules, deliveries."""

    dataset: Dataset
    replaces: Dataset | None
    rates: Count
    rules: Count
    deliveries: Count
    boundaries: BoundaryChanges
    rows: tuple[Change, ...]

    @property
    def listed(self) -> int:
        """How many rows there are to page through."""
        return self.rates.listed + self.rules.listed + self.deliveries.listed


def changes(dataset: Dataset, *, offset: int = 0, limit: int = 100) -> Changes:
    """UnableToChange for a discarded dataset, whose rows are gone; an active one changes nothing."""
    if dataset.status == Dataset.Status.DISCARDED:
        raise UnableToChange(f"{dataset} was discarded: bring the file again")
    books = {"before": precedence.standing(), "after": precedence.standing_with(dataset)}
    replaces = Dataset.objects.filter(code=dataset.code, status=Dataset.Status.ACTIVE).exclude(pk=dataset.pk).first()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '5min'")  # millions of boundaries take long to compare
        counts = [_count(kind, books) for kind in precedence.KINDS]
        rows: list[Change] = []
        for kind, count in zip(precedence.KINDS, counts, strict=True):
            if offset < count.listed and len(rows) < limit:
                rows += _rows(kind, books, offset, limit - len(rows))
            offset = max(0, offset - count.listed)
        zips = boundary_changes(dataset.pk, replaces.pk if replaces else None)
    return Changes(dataset, replaces, *counts, zips, tuple(rows))


def _compared(kind: Kind) -> str:
    """By key: what would become of it. A value and the days on which it holds, whatever rows say so, are the same before and after."""
    key = ", ".join(kind.key)
    value = ", ".join(f"'{name}', ({sql})::text" for name, sql in kind.values.items())
    before, after = (
        f"""
        SELECT {key}, jsonb_build_object({value}) AS value, range_agg(days) AS days
          FROM ({precedence.counting(kind, standing)}) counting GROUP BY {key}, value
        """  # noqa: S608
        for standing in ("before", "after")
    )
    return f"""
        WITH sides AS (
            SELECT {key}, value, b.days AS before, a.days AS after FROM ({before}) b FULL JOIN ({after}) a USING ({key}, value)
        ), compared AS (
            SELECT {key}, CASE WHEN count(before) = 0 THEN 'added' WHEN count(after) = 0 THEN 'ended'
                               WHEN bool_and(before IS NOT DISTINCT FROM after) THEN 'unchanged' ELSE 'changed' END AS how
              FROM sides GROUP BY {key}
        )
    """  # noqa: S608


def _count(kind: Kind, books: Books) -> Count:
    with bulk.binary_cursor() as cursor:
        cursor.execute(_compared(kind) + " SELECT how, count(*) FROM compared GROUP BY how", books)  # noqa: S608
        found = dict(cursor.fetchall())
    return Count(*(found.get(how, 0) for how in Count._fields))


def _rows(kind: Kind, books: Books, offset: int, limit: int) -> list[Change]:
    key = ", ".join(kind.key)
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            f"""
            {_compared(kind)}, page AS (
                SELECT {key}, how FROM compared WHERE how <> 'unchanged' ORDER BY {key} OFFSET %(offset)s LIMIT %(limit)s
            )
            SELECT {key}, how, j.name, value, before, after
              FROM page JOIN sides USING ({key}) JOIN tax_jurisdiction j ON j.code = jurisdiction_id
             ORDER BY {key}
            """,  # noqa: S608
            {**books, "offset": offset, "limit": limit},
        )
        rows = cursor.fetchall()
    width = len(kind.key) + 2
    return [_change(kind, head, [row[width:] for row in of]) for head, of in groupby(rows, lambda row: row[:width])]


def _change(kind: Kind, head: Sequence[Any], sides: Sequence[tuple[dict[str, Any], Any, Any]]) -> Change:
    of = dict(zip(kind.key, head, strict=False))
    tell = _TELL[kind.name]
    before = _spans((tell(value), days) for value, days, _ in sides)
    after = _spans((tell(value), days) for value, _, days in sides)
    return Change(
        kind.name, head[-2], of["jurisdiction_id"], head[-1], of.get("tax", ""), of.get("category", ""), of.get("sourcing", ""),
        of.get("holiday", ""), before, after, wording.sentence(_subject(of), before, after),
    )  # fmt: skip


def _subject(of: dict[str, Any]) -> str:
    if "sourcing" in of:
        return wording.rate_subject(of["jurisdiction_id"], of["tax"], of["category"], of["sourcing"])
    if "semantic" in of:
        return wording.rule_subject(of["jurisdiction_id"], of["tax"], of["category"], of["holiday"])
    return wording.delivery_subject(of["jurisdiction_id"])


def _spans(sides: Iterable[tuple[str, Multirange[date] | None]]) -> tuple[Span, ...]:
    spans = [Span(days.lower, days.upper, text) for text, of in sides for days in of or ()]
    return tuple(sorted(spans, key=lambda span: span.starts or date.min))
