"""Which channels were heard of lately. Looks at the latest events only, so that it costs the same however many there are."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection

LATEST = 20_000


class Heard(NamedTuple):
    """A channel's last event, and how many came within an hour and a day."""

    last: datetime
    hour: int
    day: int


class Coverage(NamedTuple):
    """`since`: nothing is known of before; None where all events were looked at."""

    heard: dict[int, Heard]
    since: datetime | None


def lately() -> Coverage:
    """By channel, from the latest events."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT channel_id, max(received_at), count(*) FILTER (WHERE received_at > now() - interval '1 hour'),
                   count(*) FILTER (WHERE received_at > now() - interval '1 day'), count(*), min(received_at)
              FROM (SELECT channel_id, received_at FROM channels_event ORDER BY id DESC LIMIT %s) latest
             GROUP BY 1
            """,
            [LATEST],
        )
        rows = cursor.fetchall()
    full = sum(count for *_, count, _ in rows) >= LATEST
    return Coverage(
        {channel_id: Heard(last, hour, day) for channel_id, last, hour, day, _, _ in rows},
        min(first for *_, first in rows) if full else None,
    )
