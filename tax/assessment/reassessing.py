"""Sales of some days assessed again: after a registration, a mapping or rates were corrected, or to see what staged rates would change.

A piece at a time, each in a database transaction of its own under the locks of the pipeline. Refunds are left as they are: they are
measured by their sale, and never by rates. What was assessed stays beside the new result.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from django.db import transaction

from channels import families
from salessync.core import bulk
from salessync.core.locks import lock_families, lock_payouts
from salessync.core.models import Company
from tax.assessment import assessing, differences
from tax.assessment.assessed import Row
from tax.models import Dataset
from tax.rates import books
from tax.rates.books import Book

PIECE = 500
PREVIEW_DAYS = 30
PREVIEWED = 5_000
SAMPLES = 100


class Change(NamedTuple):
    """A sale whose tax is computed otherwise than before; minor units of its currency, None: it could not be computed."""

    transaction_id: int
    currency: str
    country: str
    region: str
    before: int | None
    after: int | None
    verdict_before: str
    verdict_after: str


class Tally:
    """How many sales were looked at, how many are computed otherwise, and the first of these; sums by currency in minor units."""

    def __init__(self) -> None:
        self.looked_at = self.changed = 0
        self.more: dict[str, int] = {}
        self.samples: list[Change] = []

    def add(self, change: Change) -> None:
        """Count it."""
        self.changed += 1
        self.more[change.currency] = self.more.get(change.currency, 0) + (change.after or 0) - (change.before or 0)
        if len(self.samples) < SAMPLES:
            self.samples.append(change)


class Preview(NamedTuple):
    """What a dataset would change about a company's sales since `first`; at most PREVIEWED of them are looked at."""

    company: Company
    first: date
    tally: Tally


def preview(dataset: Dataset, *, today: date) -> list[Preview]:
    """Every company's sales of the last PREVIEW_DAYS days, computed as if the dataset were active."""
    book, first = books.with_dataset(dataset), today - timedelta(days=PREVIEW_DAYS)
    return [
        Preview(company, first, reassess(company.pk, first=first, last=today, book=book, post=False, at_most=PREVIEWED))
        for company in Company.objects.order_by("slug")
    ]


def reassess(
    company_id: int, *, first: date, last: date, book: Book, post: bool, progress: Callable[[Tally], None] = lambda tally: None,
    at_most: int | None = None,
) -> Tally:  # fmt: skip
    """Sales of these business days, both among them. Without `post` nothing is written: what the book would change is counted."""
    tally, after = Tally(), ""
    while at_most is None or tally.looked_at < at_most:
        keys = _families(company_id, first, last, after)
        if not keys:
            break
        after = keys[-1]
        with transaction.atomic():
            _piece(company_id, keys, book, post, tally)
        progress(tally)
    return tally


def _piece(company_id: int, keys: list[str], book: Book, post: bool, tally: Tally) -> None:
    if post:
        lock_payouts([company_id], exclusive=False)
        lock_families(keys)
    wanted = assessing.sales_of(families.stored(keys, []))
    rows = assessing.compute(wanted, book, notes_unmapped=post)
    before = _before([row.transaction_id for row in rows])
    tally.looked_at += len(rows)
    for row in rows:
        computed, verdict = before.get(row.transaction_id, (None, ""))
        if (computed, verdict) != (row.found.computed, row.found.verdict):
            tally.add(_change(row, computed, verdict))
    if post:
        differences.note(assessing.write(rows), known_before=[row.transaction_id for row in rows])


def _change(row: Row, computed: int | None, verdict: str) -> Change:
    found = row.found
    return Change(
        row.transaction_id, row.currency, found.country, found.region, computed, found.computed, verdict, found.verdict
    )


def _before(transaction_ids: list[int]) -> dict[int, tuple[int | None, str]]:
    """What the last local assessment of each said."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT a.transaction_id, a.computed, a.verdict FROM unnest(%s::bigint[]) AS w(id)
             CROSS JOIN LATERAL (
                   SELECT * FROM tax_assessment WHERE transaction_id = w.id AND provider = 'local' ORDER BY id DESC LIMIT 1) a
            """,
            [transaction_ids],
        )
        return {id_: (computed, verdict) for id_, computed, verdict in cursor.fetchall()}


def _families(company_id: int, first: date, last: date, after: str) -> list[str]:
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT family FROM channels_transaction WHERE company_id = %s AND type = 'sale' AND business_date BETWEEN %s AND %s"
            " AND family > %s ORDER BY 1 LIMIT %s",
            [company_id, first, last, after, PIECE],
        )
        return [key for (key,) in cursor.fetchall()]
