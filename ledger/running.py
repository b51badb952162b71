"""Sums over the journal that are kept and rolled forward. Entries are never changed, so only new ones need to be read."""

import time
from typing import Any

from django.core.cache import cache
from django.db import connection

from salessync.core.models import Company

Sums = dict[tuple[Any, ...], tuple[int, int]]  # columns → (Σ amount, Σ base amount)

CHUNK = 200_000  # entries read at once
SECONDS = 5.0  # what one page waits at most; the next goes on from there
KEPT_SECONDS = 24 * 60 * 60


class StillReading(Exception):
    """A long journal is read for the first time, and is not through yet."""


def sums(by: str, *, where: str = "true") -> Sums:
    """Σ of the postings by these columns of p (posting), e (entry) and a (account). Both texts are ours, never a user's.

    An entry's number is given in commit order, so all up to a company's last number are there to be read.
    """
    key = f"journal-sums:{connection.settings_dict['NAME']}:{by}:{where}".replace(" ", "")
    read, kept = cache.get(key) or ({}, {})
    last = dict(Company.objects.values_list("pk", "feed_seq"))
    if any(last.get(company, -1) < number for company, number in read.items()):  # another database than before
        read, kept = {}, {}
    deadline = time.monotonic() + SECONDS
    for company, until in last.items():
        while read.get(company, 0) < until:
            if time.monotonic() > deadline:
                raise StillReading
            since = read.get(company, 0)
            read[company] = min(since + CHUNK, until)
            _add(kept, by, where, company, since, read[company])
            cache.set(key, (read, kept), KEPT_SECONDS)
    return kept


def _add(kept: Sums, by: str, where: str, company: int, since: int, until: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(id), max(id) FROM ledger_journalentry WHERE company_id = %s AND seq > %s AND seq <= %s",
            [company, since, until],
        )
        first, last = cursor.fetchone()  # so that the postings are read in one piece of their primary key
        cursor.execute(
            f"SELECT {by}, sum(p.amount)::bigint, sum(p.base_amount)::bigint"  # noqa: S608 -- our own text
            " FROM ledger_posting p"
            " JOIN ledger_journalentry e ON e.id = p.entry_id AND e.company_id = %s AND e.seq > %s AND e.seq <= %s"
            " JOIN ledger_account a ON a.id = p.account_id"
            f" WHERE p.entry_id BETWEEN %s AND %s AND {where} GROUP BY {by}",
            [company, since, until, first, last],
        )
        for *columns, amount, base in cursor.fetchall():
            before = kept.get(tuple(columns), (0, 0))
            kept[tuple(columns)] = (before[0] + amount, before[1] + base)
