"""Sums over the journal that are kept and rolled forward. Entries are never changed, so only new ones need to be read."""

from typing import Any

from django.core.cache import cache
from django.db import connection

from salessync.core.models import Company

Sums = dict[tuple[Any, ...], tuple[int, int]]  # columns → (Σ amount, Σ base amount)

KEPT_SECONDS = 24 * 60 * 60


def sums(by: str, *, where: str = "true") -> Sums:
    """Σ of the postings by these columns of p (posting), e (entry) and a (account). Both texts are ours, never a user's.

    An entry's number is given in commit order, so all up to a company's last number are there to be read.
    """
    key = f"journal-sums:{by}:{where}".replace(" ", "")
    seen, kept = cache.get(key) or ({}, {})
    now = dict(Company.objects.values_list("pk", "feed_seq"))
    if any(now.get(company, -1) < number for company, number in seen.items()):  # another database than before
        seen, kept = {}, {}
    grown = [
        (company, seen.get(company, 0), last) for company, last in now.items() if last > seen.get(company, 0)
    ]
    if grown:
        for columns, amount, base in _read(by, where, grown):
            before = kept.get(columns, (0, 0))
            kept[columns] = (before[0] + amount, before[1] + base)
        cache.set(key, (now, kept), KEPT_SECONDS)
    return kept


def _read(by: str, where: str, grown: list[tuple[int, int, int]]) -> list[tuple[tuple[Any, ...], int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {by}, sum(p.amount)::bigint, sum(p.base_amount)::bigint"  # noqa: S608 -- our own text
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS n(company_id, since, until)"
            " JOIN ledger_journalentry e ON e.company_id = n.company_id AND e.seq > n.since AND e.seq <= n.until"
            " JOIN ledger_posting p ON p.entry_id = e.id"
            " JOIN ledger_account a ON a.id = p.account_id"
            f" WHERE {where} GROUP BY {by}",
            [list(column) for column in zip(*grown, strict=True)],
        )
        return [(tuple(row[:-2]), row[-2], row[-1]) for row in cursor.fetchall()]
