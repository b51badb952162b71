"""Exchange rates by day. A missing rate is never 1: the record that needs it goes to quarantine."""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal

from channels.arrivals import Arrival
from channels.inbox import Outcome
from channels.manual import Manual
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
    """Set aside the events that hold what is booked, without a rate to the base currency, or with a worth of its own that is none."""
    arrivals, unlike = _worth_itself(arrivals)
    foreign = [
        a
        for a in arrivals
        if a.record.record_type != "charge"
        and a.record.currency != a.channel.base_currency
        and a.channel.posts(a.record)
    ]
    if not foreign:
        return list(arrivals), unlike
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
    return kept, [*unlike, *(Outcome(event, "quarantined", problems=[problem]) for event, problem in lacking.items())]


def _worth_itself(arrivals: Sequence[Arrival]) -> tuple[Sequence[Arrival], list[Outcome]]:
    """An entry by hand says what its amounts are worth in base currency: an amount in base currency is worth itself."""
    wrong: dict[int, Problem] = {}
    for a in arrivals:
        if isinstance(a.record, Manual):
            base = a.channel.base_currency
            for n, posting in enumerate(a.record.postings):
                currency = a.record.currency_of(posting)
                if currency == base and posting.base_amount not in (None, posting.amount):
                    message = f"{posting.amount} {base} cannot be worth {posting.base_amount} {base}"
                elif currency not in (base, a.record.currency) and posting.base_amount is None:
                    message = f"say what {posting.amount} {currency} are worth in {base}"
                else:
                    continue
                wrong[a.event_id] = Problem("BASE_AMOUNT", f"postings/{n}/base_amount", message)
    if not wrong:
        return arrivals, []
    kept = [a for a in arrivals if a.event_id not in wrong]
    return kept, [Outcome(event, "quarantined", problems=[problem]) for event, problem in wrong.items()]
