"""The journal for those who follow it: the messages that are pushed, in the order of `seq`. Reads only.

`seq` has no gaps and is given in the order of the commits (journal.py), so whoever asks for what comes after the last one he has
misses nothing and sees nothing twice, however many write meanwhile.
"""

from typing import NamedTuple

from django.db import connection

from ledger import bookkeeper, messages
from ledger.claims import MAX_BATCH_BYTES
from ledger.models import JournalEntry
from salessync.core.models import Company


class Stretch(NamedTuple):
    """Entries one after the other; `more`: others follow already."""

    entries: list[bookkeeper.Entry]
    more: bool


def stretch(*, company: Company, after: int, limit: int) -> Stretch:
    """The company's entries with a greater `seq`: at most `limit`, and as many as one answer may hold (but at least one)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id, coalesce(octet_length(v.record), 0) FROM ledger_journalentry e"
            "  LEFT JOIN channels_transactionversion v ON v.id = e.version_id"
            " WHERE e.company_id = %s AND e.seq > %s ORDER BY e.seq LIMIT %s",
            [company.pk, after, limit + 1],
        )
        rows = cursor.fetchall()
    ids: list[int] = []
    size = 0
    for entry_id, record_size in rows[:limit]:
        size += record_size
        if ids and size > MAX_BATCH_BYTES:
            break
        ids.append(entry_id)
    return Stretch(list(messages.of(ids).values()), len(ids) < len(rows))


def entry(*, company: Company, number: int) -> bookkeeper.Entry | None:
    """One entry of the company by its number; None where it has none of this number."""
    if not JournalEntry.objects.filter(company=company, pk=number).exists():
        return None
    return messages.of([number])[number]
