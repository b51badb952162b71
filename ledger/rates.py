"""Exchange rates by day. A missing rate is never 1: the record that needs it goes to quarantine."""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal

from channels.arrivals import Arrival
from channels.inbox import Outcome
from channels.refund import Refund
from channels.sale import Sale
from salessync.core import bulk
from salessync.core.problems import Problem

Need = tuple[date, str, str]  # day, from, to


def load(needs: Collection[Need]) -> dict[Need, Decimal]:
    """The rates in force on those days, in one query; a need without a rate is absent."""
    wanted = sorted({n for n in needs if n[1] != n[2]})
    found: dict[Need, Decimal] = {n: Decimal(1) for n in needs if n[1] == n[2]}
    if wanted:
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                """
                SELECT n.day, n.source, n.target, r.rate
                  FROM unnest(%s::date[], %s::text[], %s::text[]) AS n(day, source, target)
                 CROSS JOIN LATERAL (
                       SELECT rate FROM ledger_rate
                        WHERE from_currency = n.source AND to_currency = n.target AND date <= n.day
                        ORDER BY date DESC LIMIT 1) r
                """,
                [list(column) for column in zip(*wanted, strict=True)],
            )
            found.update({(day, source, target): rate for day, source, target, rate in cursor.fetchall()})
    return found


def require(arrivals: Sequence[Arrival]) -> tuple[list[Arrival], list[Outcome]]:
    """Set aside the events that hold a sale or refund without a rate to the base currency; only these are booked."""
    foreign = [
        a
        for a in arrivals
        if isinstance(a.record, Sale | Refund)
        and a.record.currency != a.channel.base_currency
        and a.channel.posts(a.record)
    ]
    if not foreign:
        return list(arrivals), []
    known = load({(a.record.business_date, a.record.currency, a.channel.base_currency) for a in foreign})
    lacking: dict[int, Problem] = {}
    for a in foreign:
        if (a.record.business_date, a.record.currency, a.channel.base_currency) not in known:
            lacking[a.event_id] = Problem(
                "MISSING_RATE",
                "currency",
                f"no rate from {a.record.currency} to {a.channel.base_currency} is in force on {a.record.business_date}",
            )
    kept = [a for a in arrivals if a.event_id not in lacking]
    return kept, [Outcome(event, "quarantined", problems=[problem]) for event, problem in lacking.items()]
