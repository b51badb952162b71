"""Empties the stored bodies of events that are done with, after a while. All else of an event stays: hash, length, ids, times.

Books and records stay whole: they come from the stored versions. What ends is the replay of such an event. A body is kept however old
it is while somebody may still need it: of an event that is due, waiting, quarantined or dead.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from channels.models import Channel, Event
from salessync.core import audit

STEP = 10_000  # events looked at in one transaction
FINAL = (Event.State.POSTED, Event.State.IGNORED)

Progress = Callable[[int], None]


class Purged(NamedTuple):
    """What was emptied (or would be), and by state how many as old ones keep their bodies."""

    events: int
    bytes: int
    kept: dict[str, int]


# Ids come in the order of time, but for what many senders do in one moment.
_NEXT = """
    SELECT max(id), bool_or(received_at < %s) FROM (
           SELECT id, received_at FROM channels_event WHERE id > %s ORDER BY id LIMIT %s) step
"""
_OLD = """
    SELECT id, octet_length(body) AS bytes FROM channels_event
     WHERE id > %s AND id <= %s AND state = ANY(%s) AND purged_at IS NULL AND received_at < %s
       AND (%s::bigint IS NULL OR channel_id = %s)
"""
_COUNT = f"SELECT count(*), coalesce(sum(bytes), 0) FROM ({_OLD}) old"  # noqa: S608
# What somebody has in hand just now, a replay or a privacy request, is left for the next time.
_PURGE = f"""
    WITH old AS ({_OLD} FOR UPDATE SKIP LOCKED), done AS (
         UPDATE channels_event e SET body = '', purged_at = statement_timestamp(), purged_bytes = old.bytes
           FROM old WHERE e.id = old.id RETURNING old.bytes)
    SELECT count(*), coalesce(sum(bytes), 0) FROM done
"""  # noqa: S608
_KEPT = """
    SELECT state, count(*) FROM channels_event
     WHERE state IN ('new', 'claimed', 'waiting', 'quarantined', 'dead') AND received_at < %s
       AND (%s::bigint IS NULL OR channel_id = %s) GROUP BY 1 ORDER BY 1
"""


def purge(
    *,
    before: datetime,
    actor: str,
    channel: Channel | None = None,
    dry_run: bool = False,
    progress: Progress = lambda events: None,
) -> Purged:
    """Empty the bodies of finished events received before that instant; stopped halfway, the next run goes on.

    A step commits before the next begins. What was done by then is in the audit trail however the run ends.
    """
    of = channel.pk if channel else None
    found = Purged(0, 0, {})
    try:
        for first, last in _steps(before):
            with connection.cursor() as cursor:
                cursor.execute(_COUNT if dry_run else _PURGE, [first, last, list(FINAL), before, of, of])
                events, size = cursor.fetchone()
            found = Purged(found.events + events, found.bytes + int(size), {})
            progress(found.events)
    finally:
        if not dry_run:
            told = {"before": before.isoformat(), "channel": channel.slug if channel else None}
            told |= {"events": found.events, "bytes": found.bytes}
            audit.record([(channel.company_id if channel else None, actor, "purged", "event", None, told)])
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, [before, of, of])
        return found._replace(kept=dict(cursor.fetchall()))


def _steps(before: datetime) -> Iterator[tuple[int, int]]:
    """(beyond id, through id) until a whole step is younger."""
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [before, last, STEP])
            through, old = cursor.fetchone()
        if not old:
            return
        yield last, through
        last = through
