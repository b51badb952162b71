"""One journal entry for many sales: the details of channels that post in summary, taken in by the day or by the payout.

By the day: once a business day of the channel is over, one entry for it; what comes later for that day is one more.
By the payout: when a payout has come, one entry for what it pays, a month at most, so that no sale leaves its month; and one a day
for what no payout will pay, and for what none has paid in PATIENCE.
An entry leads to its sales through its details, and both ways of posting give the same trial balance.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

import msgspec
from django.db import transaction

from channels import canonical
from channels.arrivals import ChannelFacts, channel_facts
from channels.models import Transaction, TransactionVersion
from ledger import journal
from ledger.targets import Legs
from salessync.core import bulk
from salessync.core.dates import business_date
from salessync.core.locks import alone

PATIENCE = timedelta(days=35)  # for a payout; processors pay within days, reserves and new accounts within a month
_LOCK = 7205


class Group(NamedTuple):
    """Details that one entry takes in. `source`: what the summary is called among its channel's."""

    source: str
    day: date
    currency: str
    details: list[int]


def post_due(now: datetime) -> int:
    """Make every entry that is due; returns how many. `now` is UTC."""
    with alone(_LOCK, 0) as mine:
        if not mine:
            return 0
        channels = channel_facts(_channels_with_details())
        return sum(_post(group, c) for c in channels.values() for group in _due(c, now))


def post_through(company_id: int, last: date) -> int:
    """Take in everything up to this day, by the day whatever the channel's way: the books are about to be closed."""
    with alone(_LOCK, 0, wait=True):
        channels = [c for c in channel_facts(_channels_with_details()).values() if c.company_id == company_id]
        return sum(_post(g, c) for c in channels for g in _grouped(c, _BY_DAY, [c.id, last + timedelta(days=1)]))


def _channels_with_details() -> list[int]:
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT c.id FROM channels_channel c"
            " WHERE EXISTS (SELECT FROM ledger_detail d WHERE d.channel_id = c.id AND d.entry_id IS NULL)"
        )
        return [id_ for (id_,) in cursor.fetchall()]


def _due(channel: ChannelFacts, now: datetime) -> Iterator[Group]:
    context = channel.context
    today = business_date(now, context.timezone, context.day_cut_hour)
    if channel.posting_mode == "payout":
        yield from _grouped(channel, _BY_PAYOUT, [channel.id, today])
        yield from _grouped(channel, _UNPAID, [channel.id, today, today - PATIENCE])
    else:
        yield from _grouped(channel, _BY_DAY, [channel.id, today])


def _grouped(channel: ChannelFacts, query: str, arguments: list[object]) -> Iterator[Group]:
    with bulk.binary_cursor() as cursor:
        cursor.execute(query, arguments)
        rows = cursor.fetchall()
    for source, day, currency, details in rows:
        yield Group(source, day, currency, details)


_DAYS = """
    SELECT to_char(d.business_date, 'YYYY-MM-DD') || ' ' || t.currency, d.business_date, t.currency, array_agg(d.id ORDER BY d.id)
      FROM ledger_detail d JOIN channels_transaction t ON t.id = d.transaction_id
     WHERE d.channel_id = %s AND d.entry_id IS NULL AND d.business_date < %s {condition}
     GROUP BY d.business_date, t.currency ORDER BY 2, 3
"""
_BY_DAY = _DAYS.format(condition="")
_UNPAID = _DAYS.format(
    condition="""
       AND (d.business_date < %s OR NOT EXISTS (
           SELECT FROM ledger_detailposting p JOIN ledger_account a ON a.id = p.account_id
            WHERE p.detail_id = d.id AND a.code LIKE 'Assets:Clearing:%%'))"""
)
_BY_PAYOUT = """
    SELECT 'payout ' || p.source_id || to_char(max(d.business_date), ' YYYY-MM ') || t.currency, max(d.business_date), t.currency,
           array_agg(d.id ORDER BY d.id)
      FROM ledger_detail d JOIN channels_transaction t ON t.id = d.transaction_id
     CROSS JOIN LATERAL (
           SELECT o.source_id FROM (
                  SELECT c.source_id AS name FROM channels_transaction c WHERE c.family = t.family AND c.type = 'charge'
                     AND t.type = 'sale'
                   UNION ALL SELECT t.source_id
                   UNION ALL SELECT x.reference FROM channels_tender x WHERE x.transaction_id = t.id) n
             JOIN channels_payoutline l ON l.company_id = d.company_id AND l.reference = n.name
             JOIN channels_transaction o ON o.id = l.transaction_id
            ORDER BY o.id LIMIT 1) p
     WHERE d.channel_id = %s AND d.entry_id IS NULL AND d.business_date < %s
     GROUP BY p.source_id, date_trunc('month', d.business_date), t.currency ORDER BY 2, 1
"""


def _post(group: Group, channel: ChannelFacts) -> int:
    """One entry for the group; none where its details cancel each other out: they wait for the next of their day."""
    with transaction.atomic():
        legs = _sum(group.details)
        if not legs:
            return 0
        owner, version = _summary(group, channel, legs)
        (entry_id,) = journal.write(
            [journal.Entry(channel, owner, version, group.day, legs, summarized=False)], known={owner}
        )
        with bulk.binary_cursor() as cursor:
            cursor.execute("UPDATE ledger_detail SET entry_id = %s WHERE id = ANY(%s)", [entry_id, group.details])
    return 1


def _sum(details: list[int]) -> Legs:
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT a.code, p.currency, p.location, p.tax_code, p.category, sum(p.amount)::bigint, sum(p.base_amount)::bigint"
            "  FROM ledger_detailposting p JOIN ledger_account a ON a.id = p.account_id WHERE p.detail_id = ANY(%s)"
            ' GROUP BY 1, 2, 3, 4, 5 HAVING sum(p.amount) <> 0 OR sum(p.base_amount) <> 0 ORDER BY a.code COLLATE "C", 2, 3, 4, 5',
            [details],
        )
        return {(*key, "details"): (amount, base) for *key, amount, base in cursor.fetchall()}  # type: ignore[misc]


def _summary(group: Group, channel: ChannelFacts, legs: Legs) -> tuple[int, int]:
    """The transaction that owns the entry, with a version that says what was taken in."""
    sales = _transactions(group.details)
    midnight = f"{group.day.isoformat()}T00:00:00Z"
    owner, _ = Transaction.objects.get_or_create(
        channel_id=channel.id,
        type="summary",
        source_id=group.source,
        defaults={
            "company_id": channel.company_id, "family": f"{channel.id}:summary:{group.source}", "number": group.source,
            "version": "0", "version_order": "", "version_id": 0, "status": "posted", "currency": group.currency, "total": 0,
            "occurred_at": midnight, "business_date": group.day,
        },
    )  # fmt: skip
    number = str(int(owner.version) + 1)
    total = sum(amount for key, (amount, _) in legs.items() if amount > 0 and key[1] == group.currency)
    record = msgspec.json.encode(
        {
            "schema": "salessync/1", "type": "summary", "business_date": group.day, "currency": group.currency,
            "source": {"channel": channel.slug, "adapter": channel.adapter, "id": group.source, "version": number},
            "transactions": sales, "details": len(group.details), "total": total,
        },
        order="deterministic",
    )  # fmt: skip
    version = TransactionVersion.objects.create(
        company_id=channel.company_id, transaction=owner, version=number, digest=canonical.digest(record), record=record, event_id=0
    )  # fmt: skip
    Transaction.objects.filter(pk=owner.pk).update(
        version=number, version_order=number.rjust(12, "0"), version_id=version.pk, total=owner.total + total
    )
    return owner.pk, version.pk


def _transactions(details: Iterable[int]) -> int:
    with bulk.binary_cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT transaction_id) FROM ledger_detail WHERE id = ANY(%s)", [list(details)])
        return int(cursor.fetchone()[0])


def pending() -> dict[int, int]:
    """Channel → details that no entry has taken in yet."""
    with bulk.binary_cursor() as cursor:
        cursor.execute("SELECT channel_id, count(*) FROM ledger_detail WHERE entry_id IS NULL GROUP BY 1")
        return dict(cursor.fetchall())
