"""Takes listings that are due, so that whoever tells one is alone with it, and writes down what became of it.

A claim counts the attempt and leases its rows, and commits before anybody is called. What is not written down when the lease ends
counts as a call without an answer, whatever happened to its caller.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from django.db import transaction

from inventory import availability
from salessync.core import bulk

LEASE_SECONDS = 180.0  # longer than a few calls that each end by their deadline
FAILED_SECONDS = 6 * 3600.0  # what a vendor refuses for good is tried again at a change after that

ZERO = Decimal(0)


class Turn(NamedTuple):
    """One listing's turn, as it was claimed. `before`: attempts without an answer; `difference`: what is known to be unexplained."""

    id: int
    listing_id: int
    remote_id: str
    item_id: str
    wanted: Decimal
    shown: Decimal | None
    difference: Decimal
    before: int
    turn: int
    changed_at: datetime
    asked_at: datetime
    lease: datetime


class Outcome(StrEnum):
    """What became of a turn."""

    TOLD = "told"
    NOT_SET = "not set"  # the vendor's answers leave nothing open
    NOT_CALLED = "not called"  # as it was before the turn
    UNANSWERED = "unanswered"  # it may have been set
    REFUSED = "refused"  # for good


class Result(NamedTuple):
    """An outcome; `shown` of what was told (shown.py), `seconds` until it may be tried again, `problem` in a sentence.

    `halts`: it is the channel's trouble, not this listing's.
    """

    turn: Turn
    outcome: Outcome
    shown: Decimal | None = None
    seconds: float = 0.0
    problem: str = ""
    halts: bool = False


def claim(channel_id: int, limit: int) -> list[Turn]:
    """Lease the most urgent rows of the channel that are due: those that should show nothing, then the fewest, then the oldest."""
    with transaction.atomic(), bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            WITH due AS (
                SELECT id, attempts, changed_at FROM inventory_listinglevel v
                 WHERE channel_id = %s AND state = 'due' AND next_at <= clock_timestamp()
                   AND (attempts > 0 OR NOT EXISTS (  -- own sales that waited for an answer come first
                       SELECT FROM inventory_stockchange s JOIN inventory_listing l ON l.product_id = s.product_id
                        WHERE s.channel_id = -v.channel_id AND l.id = v.listing_id))
                 ORDER BY wanted, changed_at LIMIT %s FOR UPDATE SKIP LOCKED)
            UPDATE inventory_listinglevel v
               SET attempts = v.attempts + 1,
                   turn = v.turn + CASE WHEN v.attempts > 0 THEN 0 ELSE 1 END,
                   changed_at = CASE WHEN v.attempts = 0 THEN statement_timestamp() ELSE v.changed_at END,
                   next_at = statement_timestamp() + make_interval(secs => %s)
              FROM due JOIN inventory_listinglevel b USING (id)
              JOIN inventory_listing l ON l.id = b.listing_id
              LEFT JOIN inventory_stockdrift d ON d.listing_id = b.listing_id AND d.remote_id = b.remote_id AND d.state = 'open'
             WHERE v.id = due.id
            RETURNING v.id, v.listing_id, v.remote_id, COALESCE(NULLIF(l.stock_id, ''), l.item_id), v.wanted, v.shown,
                      COALESCE(d.found - d.expected, 0), due.attempts, v.turn, due.changed_at, v.changed_at, v.next_at
            """,
            [channel_id, limit, LEASE_SECONDS],
        )
        return sorted((Turn(*row) for row in cursor.fetchall()), key=lambda turn: (turn.wanted, turn.changed_at))


def settle(results: Sequence[Result], *, channel_id: int) -> None:
    """Write down what became of turns, unless somebody else has them by now, and bring them up to date.

    Where `shown` was found to be another or unknown meanwhile, that stands.
    """
    rows = [
        (
            r.turn.id, r.turn.lease, r.outcome.value, r.shown, r.turn.shown, r.turn.before, r.turn.changed_at,
            FAILED_SECONDS if r.outcome == Outcome.REFUSED else r.seconds, r.problem.replace("\x00", "")[:500],
        )
        for r in results
    ]  # fmt: skip
    columns = [list(column) for column in zip(*rows, strict=True)]
    with transaction.atomic(), bulk.binary_cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")  # what a crash forgets counts as unanswered
        cursor.execute(
            "SELECT count(*) FROM (SELECT id FROM inventory_listinglevel WHERE id = ANY(%s) ORDER BY id FOR UPDATE) x",
            [columns[0]],
        )
        cursor.execute(
            """
            UPDATE inventory_listinglevel v SET
                   shown = CASE WHEN r.outcome = 'told' AND v.shown IS NOT DISTINCT FROM r.was THEN r.shown ELSE v.shown END,
                   attempts = CASE r.outcome WHEN 'unanswered' THEN v.attempts WHEN 'not called' THEN r.before ELSE 0 END,
                   changed_at = CASE WHEN r.outcome IN ('told', 'unanswered') THEN v.changed_at ELSE r.changed_at END,
                   next_at = clock_timestamp() + make_interval(secs => r.seconds),
                   state = CASE WHEN r.outcome = 'refused' THEN 'failed' ELSE v.state END,
                   told_at = CASE WHEN r.outcome = 'told' THEN clock_timestamp() ELSE v.told_at END,
                   lag_ms = CASE WHEN r.outcome <> 'told' THEN v.lag_ms
                                 ELSE least(extract(epoch FROM clock_timestamp() - r.changed_at) * 1000, 2000000000) END,
                   problem = r.problem
              FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::numeric[], %s::numeric[], %s::int[], %s::timestamptz[],
                          %s::float8[], %s::text[])
                AS r(id, lease, outcome, shown, was, before, changed_at, seconds, problem)
             WHERE v.id = r.id AND v.next_at = r.lease
            RETURNING v.id, v.attempts
            """,
            columns,
        )
        answered = {id_ for id_, attempts in cursor.fetchall() if attempts == 0}
        gaps = [(r.turn.id, _gap(r)) for r in results if r.turn.id in answered]
        if gaps:
            availability.refresh(cursor, channel_id=channel_id, gaps=gaps)


def _gap(result: Result) -> Decimal:
    """By how much what was told falls short of what is wanted: less than nothing cannot be told."""
    if result.outcome != Outcome.TOLD or result.shown is None:
        return ZERO
    return max(result.turn.wanted, ZERO) - result.shown
