"""What the pipeline wants to be asked of vendors: noted in its own transaction, carried out by channels/fetching.py."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from channels.client import Pointer
from salessync.core import bulk

PARENT_PATIENCE = 20.0  # seconds for a missing sale to come by itself before it is asked for


class Wish(NamedTuple):
    """Somebody wants this object of that channel, `after` so many seconds."""

    channel_id: int
    pointer: Pointer
    after: float = 0.0


def waits_on(channel_id: int, pointer: Pointer) -> str:
    """What an event waits for that only named the object."""
    name = pointer.id if len(pointer.id) <= 200 else hashlib.sha256(pointer.id.encode()).hexdigest()
    return f"fetch:{channel_id}:{pointer.kind}:{name}"


def wish(wishes: Iterable[Wish]) -> None:
    """Note what is to be asked for; part of the caller's transaction. An object that was fetched before is fetched anew."""
    rows = sorted({(w.channel_id, w.pointer.kind, w.pointer.id, w.after) for w in wishes})
    if not rows:
        return
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO channels_fetch AS f (channel_id, kind, object_id, state, attempts, asked, next_at, error)
            SELECT channel_id, kind, object_id, 'due', 0, 1, now() + make_interval(secs => min(after)), ''
              FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::float8[]) AS w(channel_id, kind, object_id, after)
             GROUP BY channel_id, kind, object_id
            ON CONFLICT (channel_id, kind, md5(object_id)) DO UPDATE
               SET asked = f.asked + 1, state = 'due', attempts = CASE WHEN f.state = 'due' THEN f.attempts ELSE 0 END,
                   next_at = CASE WHEN f.state = 'due' THEN f.next_at ELSE excluded.next_at END
            """,
            [list(column) for column in zip(*rows, strict=True)],
        )
