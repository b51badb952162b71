"""What subscribers can be told of: events in order, each at a position that only grows. Thin: ids and amounts, and where to read on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from django.db import connection
from django.db.models import Max

from ledger import bookkeeper
from ledger.models import BookkeeperDifference, PeriodChange
from salessync.core.models import Company

Json = dict[str, Any]


class Event(NamedTuple):
    """`at`: when it happened; `data`: what the message says of it, amounts in minor units."""

    position: int
    at: datetime
    data: Json


class Topic(NamedTuple):
    """`cursor`: the subscriber's column; `latest`: the last position of a company; `after`: events behind a position."""

    cursor: str
    latest: Callable[[Company], int]
    after: Callable[[Company, int, int], Sequence[Event]]


def message_id(topic: str, company: Company, event: Event) -> str:
    """The same however often it is sent, to whomever; without a dot, which separates what a signature covers."""
    return f"msg_{topic.replace('.', '_')}_{company.slug}_{event.position}"


def body(topic: str, event: Event) -> bytes:
    """The message's bytes, the same at every attempt."""
    return msgspec.json.encode({"type": topic, "timestamp": event.at, "data": event.data})


# --- journal_entry.posted: the feed itself, gap-free and in the order of the commits

_ENTRIES = """
    SELECT e.seq, e.created_at, e.id, e.date, e.business_date, t.type, c.slug, t.source_id, v.version,
           (SELECT sum(p.base_amount)::bigint FROM ledger_posting p WHERE p.entry_id = e.id AND p.base_amount > 0)
      FROM ledger_journalentry e
      JOIN channels_transaction t ON t.id = e.transaction_id
      JOIN channels_channel c ON c.id = t.channel_id
      LEFT JOIN channels_transactionversion v ON v.id = e.version_id
     WHERE e.company_id = %s AND e.seq > %s ORDER BY e.seq LIMIT %s
"""


def _entries(company: Company, after: int, limit: int) -> list[Event]:
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, [company.pk, after, limit])
        rows = cursor.fetchall()
    found = []
    for seq, at, id_, day, business_day, kind, channel, source_id, version, debits in rows:
        data = {
            "id": bookkeeper.entry_id(company=company.slug, entry=id_),
            "company": company.slug,
            "seq": seq,
            "date": day,
            "business_date": business_day,
            "source": {"type": kind, "channel": channel, "id": source_id, "version": version},
            "amount": debits or 0,  # Σ of the debits, which is the Σ of the credits
            "currency": company.base_currency,
        }
        found.append(Event(seq, at, data))
    return found


def _last_entry(company: Company) -> int:
    return Company.objects.values_list("feed_seq", flat=True).get(pk=company.pk)


# --- bookkeeper.difference: opened one after the other, under a lock (differences.py)


def _differences(company: Company, after: int, limit: int) -> list[Event]:
    rows = BookkeeperDifference.objects.filter(company=company, pk__gt=after).order_by("pk")[:limit]
    return [
        Event(
            row.pk, row.first_seen,
            {"id": row.pk, "company": company.slug, "kind": row.kind, "entry": row.known_as, "open": row.resolved_at is None},
        )
        for row in rows
    ]  # fmt: skip


def _last_difference(company: Company) -> int:
    return BookkeeperDifference.objects.filter(company=company).aggregate(last=Max("pk"))["last"] or 0


# --- period.closed: changed by whoever holds the company's row (periods.py)


def _periods(company: Company, after: int, limit: int) -> list[Event]:
    closed = PeriodChange.objects.filter(company=company, pk__gt=after, action=PeriodChange.Action.CLOSED)
    return [
        Event(
            row.pk, row.at,
            {"id": row.pk, "company": company.slug, "closed_through": row.closed_through, "actor": row.actor, "reason": row.reason},
        )
        for row in closed.order_by("pk")[:limit]
    ]  # fmt: skip


def _last_period(company: Company) -> int:
    closed = PeriodChange.objects.filter(company=company, action=PeriodChange.Action.CLOSED)
    return closed.aggregate(last=Max("pk"))["last"] or 0


TOPICS: Mapping[str, Topic] = {
    "journal_entry.posted": Topic("cursor", _last_entry, _entries),
    "bookkeeper.difference": Topic("difference_cursor", _last_difference, _differences),
    "period.closed": Topic("period_cursor", _last_period, _periods),
}


def events(topic: str, company: Company, after: int, *, page: int = 100) -> Iterator[Event]:
    """All that happened behind a position, in order, as far as it is committed."""
    while found := TOPICS[topic].after(company, after, page):
        yield from found
        after = found[-1].position
