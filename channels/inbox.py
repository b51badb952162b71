"""The life of an inbox row after its capture: claimed, finished, tried again, replayed or ignored by a person."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from salessync.core import audit, bulk
from salessync.core.problems import Problem, as_json

MAX_ATTEMPTS = 5
BACKOFF_SECONDS = (1, 10, 60, 300)


class Claimed(NamedTuple):
    """An event in work."""

    id: int
    channel_id: int
    topic: str
    body: bytes
    readable: bool
    attempts: int


class Outcome(NamedTuple):
    """What became of an event; `state` is one of Event.State."""

    event_id: int
    state: str
    waiting_for: str | None = None
    problems: Sequence[Problem] = ()
    reason: str | None = None


class Taken(NamedTuple):
    """Fresh events in the hands of one worker, under one lease; lease None: there was nothing to take."""

    lease: int | None
    events: list[Claimed]


# One row for a batch, instead of an update of each event: that took a sixth of all the database's work. A lease that ends with
# its worker dead counts as an attempt of whatever it holds and the worker had not finished.
_LOCK = "SELECT pg_advisory_xact_lock(7203)"
_RECOVER = """
    WITH ended AS (DELETE FROM channels_lease WHERE ends_at <= now() RETURNING event_ids)
    UPDATE channels_event SET attempts = 1, next_attempt_at = now()
     WHERE id = ANY(ARRAY(SELECT unnest(event_ids) FROM ended)) AND state = 'new' AND attempts = 0
"""
_LEASE = """
    INSERT INTO channels_lease (ends_at, event_ids)
    SELECT now() + make_interval(secs => %s), found.ids
      FROM (SELECT ARRAY(
            SELECT id FROM channels_event
             WHERE state = 'new' AND attempts = 0
               AND channel_id IN (SELECT id FROM channels_channel WHERE status = 'live')
               AND id NOT IN (SELECT unnest(event_ids) FROM channels_lease)
             ORDER BY lane, id LIMIT %s) AS ids) AS found
     WHERE cardinality(found.ids) > 0
    RETURNING id, event_ids
"""
# The planner must find each row by its key, however small the table still is: hence an array, not a join.
_READ = "SELECT id, channel_id, topic, body, readable, 1 FROM channels_event WHERE id = ANY(%s)"
_AGAIN = """
    UPDATE channels_event
       SET state = 'claimed', attempts = attempts + 1, claimed_at = clock_timestamp(),
           next_attempt_at = now() + make_interval(secs => %s)
     WHERE id = ANY(ARRAY(
        SELECT id FROM channels_event
        WHERE state IN ('new', 'claimed') AND attempts > 0 AND next_attempt_at <= now()
          AND channel_id IN (SELECT id FROM channels_channel WHERE status = 'live')
        ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED))
    RETURNING id, channel_id, topic, body, readable, attempts
"""


def claim(*, limit: int) -> Taken:
    """Take up to `limit` events that were never tried; the lease is committed before the work begins."""
    with transaction.atomic(), bulk.binary_cursor() as cursor:
        cursor.execute(
            "SET LOCAL synchronous_commit = off"
        )  # a lease that a crash loses dies with its worker's connection
        cursor.execute(_LOCK)
        cursor.execute(_RECOVER)
        cursor.execute(_LEASE, [settings.INBOX_LEASE_SECONDS, limit])
        lease, ids = cursor.fetchone() or (None, [])
    if lease is None:
        return Taken(None, [])
    with bulk.binary_cursor() as cursor:
        cursor.execute(_READ, [ids])
        return Taken(lease, sorted(Claimed(*row) for row in cursor.fetchall()))


def release(taken: Taken) -> None:
    """The batch is done; what it left as it was is due again."""
    with transaction.atomic(), bulk.binary_cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("DELETE FROM channels_lease WHERE id = %s", [taken.lease])


def claim_again() -> list[Claimed]:
    """Take one event that was tried before: it goes alone, so that it cannot take others down with it."""
    with transaction.atomic(), bulk.binary_cursor() as cursor:
        cursor.execute(_AGAIN, [settings.INBOX_LEASE_SECONDS])
        return [Claimed(*row) for row in cursor.fetchall()]


def finish(outcomes: Iterable[Outcome]) -> None:
    """Write what became of each event; part of the batch's own transaction."""
    posted, others = [], []
    for outcome in outcomes:
        if outcome.state == "posted":
            posted.append(outcome.event_id)
        else:
            others.append(outcome)
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "UPDATE channels_event SET state = 'posted', problems = NULL, attempts = greatest(attempts, 1),"
            " claimed_at = coalesce(claimed_at, now()), finished_at = clock_timestamp()"
            " WHERE id = ANY(%s::bigint[]) AND state IN ('new', 'claimed')",
            [posted],
        )
        if others:
            cursor.executemany(
                "UPDATE channels_event SET state = %s, waiting_for = %s, problems = %s::jsonb, reason = %s,"
                " attempts = greatest(attempts, 1), claimed_at = coalesce(claimed_at, now()), finished_at = clock_timestamp()"
                " WHERE id = %s AND state IN ('new', 'claimed')",
                [
                    (
                        o.state,
                        o.waiting_for,
                        as_json(o.problems) if o.problems else None,
                        o.reason[:500] if o.reason else None,
                        o.event_id,
                    )
                    for o in others
                ],
            )


def wake(keys: Iterable[str]) -> int:
    """The sales that events waited for have come, and the events' records were posted with them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_event SET state = 'posted', waiting_for = NULL, finished_at = clock_timestamp()"
            " WHERE state = 'waiting' AND waiting_for = ANY(%s)",
            [list(keys)],
        )
        return cursor.rowcount


def let_go(keys: Iterable[str], *, reason: str) -> int:
    """What these events waited for will never come, and that is no fault."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_event SET state = 'ignored', reason = %s, waiting_for = NULL, finished_at = clock_timestamp()"
            " WHERE state = 'waiting' AND waiting_for = ANY(%s)",
            [reason[:500], list(keys)],
        )
        return cursor.rowcount


def give_up(keys: Iterable[str], problem: Problem) -> int:
    """What these events waited for could not be had: a person must look."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_event SET state = 'dead', problems = %s::jsonb, waiting_for = NULL,"
            " finished_at = clock_timestamp() WHERE state = 'waiting' AND waiting_for = ANY(%s)",
            [as_json([problem]), list(keys)],
        )
        return cursor.rowcount


def fail(event: Claimed, error: BaseException) -> None:
    """One event alone could not be processed: try again later, and give up visibly after MAX_ATTEMPTS."""
    dead = event.attempts >= MAX_ATTEMPTS
    wait = BACKOFF_SECONDS[min(event.attempts, len(BACKOFF_SECONDS)) - 1]
    problem = Problem("PROCESSING_FAILED", "$", f"{type(error).__name__}: {str(error)[:300]}")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_event SET state = %s, problems = %s::jsonb, attempts = %s,"
            " next_attempt_at = now() + make_interval(secs => %s),"
            " finished_at = CASE WHEN %s THEN clock_timestamp() END WHERE id = %s AND state IN ('new', 'claimed')",
            ["dead" if dead else "new", as_json([problem]), event.attempts, wait, dead, event.id],
        )


def put_back(events: Iterable[Claimed], *, patience: float = 5.0) -> bool:
    """The database failed under a batch: make its rows due again at once, without waiting for their lease.

    It counts as an attempt, so each goes alone now. False where the database stays away: then the lease ends by itself.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.close()
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE channels_event SET state = 'new', attempts = greatest(attempts, 1), next_attempt_at = now()"
                    " WHERE id = ANY(%s) AND state IN ('new', 'claimed')",
                    [[e.id for e in events]],
                )
            return True
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)


REPLAYABLE = ("posted", "waiting", "ignored", "quarantined", "dead")


def replay(*, event_ids: Iterable[int], actor: str) -> int:
    """Process finished events once more, after a fix; an exact replay of what stands changes nothing. → how many.

    A body that could not be read was not kept, and stays in quarantine with its reason; nor can a purged one be read again.
    """
    return _by_hand(
        "UPDATE channels_event SET state = 'new', attempts = 0, next_attempt_at = now(), waiting_for = NULL,"
        " problems = NULL, reason = NULL, finished_at = NULL WHERE id = ANY(%s) AND state = ANY(%s) AND readable"
        " AND purged_at IS NULL RETURNING id, company_id",
        [list(event_ids), list(REPLAYABLE)],
        actor=actor,
        action="replayed",
        data={},
    )


def refusals(event_ids: Iterable[int]) -> dict[int, str]:
    """Why some of these cannot be replayed, as ends of the sentence “event 7 …”."""
    wanted = list(event_ids)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, state, readable, purged_at FROM channels_event WHERE id = ANY(%s)", [wanted])
        known = {id_: row for id_, *row in cursor.fetchall()}
    found = {}
    for id_ in wanted:
        state, readable, purged_at = known.get(id_, (None, True, None))
        if state is None:
            found[id_] = "is unknown"
        elif purged_at:
            found[id_] = f"was purged on {purged_at:%Y-%m-%d}: of its payload only hash and length are kept"
        elif not readable:
            found[id_] = "could not be read when it came, so its payload was not kept"
        elif state not in REPLAYABLE:
            found[id_] = "is in work or due already"
    return found


def ignore(*, event_ids: Iterable[int], reason: str, actor: str) -> int:
    """Set events aside for good with a reason; they stay stored and can be replayed. → how many."""
    if not reason.strip():
        raise ValueError("an event is only ignored with a reason")
    return _by_hand(
        "UPDATE channels_event SET state = 'ignored', reason = %s, waiting_for = NULL, finished_at = clock_timestamp()"
        " WHERE id = ANY(%s) AND state IN ('quarantined', 'dead') RETURNING id, company_id",
        [f"{reason.strip()[:400]} ({actor})", list(event_ids)],
        actor=actor,
        action="ignored",
        data={"reason": reason.strip()[:400]},
    )


def reapply(*, transaction_ids: Iterable[int], actor: str) -> int:
    """Process the current versions of these transactions once more, after a setting changed. → how many events."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT v.event_id FROM channels_transaction t JOIN channels_transactionversion v ON v.id = t.version_id"
            " WHERE t.id = ANY(%s)",
            [list(transaction_ids)],
        )
        events = [row[0] for row in cursor.fetchall()]
    return replay(event_ids=events, actor=actor)


def _by_hand(sql: str, parameters: list[object], *, actor: str, action: str, data: dict[str, str]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        changed = cursor.fetchall()
        audit.record((company, actor, action, "event", event, data) for event, company in changed)
    return len(changed)


def depth() -> tuple[dict[str, int], datetime | None]:
    """Events by state, posted and ignored left out, and when the oldest that is due or in work was received.

    Each part is asked for as a partial index knows it, so that it costs the same however many are finished.
    """
    counts: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, count(*), min(received_at) FROM channels_event WHERE state = 'new' AND attempts = 0 GROUP BY 1"
            " UNION ALL SELECT state, count(*), min(received_at) FROM channels_event"
            " WHERE state IN ('new', 'claimed') AND attempts > 0 GROUP BY 1"
            " UNION ALL SELECT state, count(*), NULL FROM channels_event"
            " WHERE state IN ('waiting', 'quarantined', 'dead') GROUP BY 1"
        )
        rows = cursor.fetchall()
    for state, count, _ in rows:
        counts[state] = counts.get(state, 0) + count
    return counts, min((at for *_, at in rows if at), default=None)
