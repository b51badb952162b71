"""Which channels are heard of and read as they should be: the facts behind each one's condition, in a few queries for all of them.

What was heard of when is counted once and rolled forward, since no index knows the time of an event: from the newest event back over
four weeks, a chunk of the primary key after the other, in as many looks as it takes. Until then a channel's habit is known for less
time, and an hour of the week that was not looked at yet expects nothing. Each process keeps its own; a lost one is counted again.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from channels import adapter as adapters
from channels import condition as conditions
from channels.calls import AccessRefused
from channels.condition import Condition, Facts, LiveList, Rhythm
from channels.models import Channel, Reading
from channels.poll import FIRST_LOOK
from salessync.core.crypto import UnableToDecrypt
from salessync.core.models import AuditRow
from salessync.core.screens import remembered

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
    """By channel, from the latest events. What was read of the past says nothing of today and is left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT channel_id, max(received_at) FILTER (WHERE mode <> 'backfill'),
                   count(*) FILTER (WHERE mode <> 'backfill' AND received_at > now() - interval '1 hour'),
                   count(*) FILTER (WHERE mode <> 'backfill' AND received_at > now() - interval '1 day'),
                   count(*), min(received_at)
              FROM (SELECT channel_id, received_at, mode FROM channels_event ORDER BY id DESC LIMIT %s) latest
             GROUP BY 1
            """,
            [LATEST],
        )
        rows = cursor.fetchall()
    full = sum(count for *_, count, _ in rows) >= LATEST
    return Coverage(
        {channel_id: Heard(last, hour, day) for channel_id, last, hour, day, _, _ in rows if last},
        min(first for *_, first in rows) if full else None,
    )


# --- the condition of each channel


class Stand(NamedTuple):
    """A channel's condition, and what stands behind it. `due`, `given_up`: objects still to be asked for, and asked for in vain."""

    channel: Channel
    facts: Facts
    condition: Condition
    due: int

    @property
    def times_heard(self) -> int:
        return conditions.times_heard(self.facts.rhythm)


def stands(channels: Sequence[Channel], at: datetime | None = None) -> dict[int, Stand]:
    """By channel; as many queries for one as for many."""
    at = at or timezone.now()
    rhythms, lists, due, fetches, paused = _rhythms(channels), _lists(channels), _due(), _fetches(), _paused(channels)
    found = {}
    for channel in channels:
        own, asked = lists[channel.pk], fetches.get(channel.pk, NO_FETCHES)
        facts = Facts(
            connected=channel.created_at,
            rhythm=rhythms[channel.pk],
            paused=channel.status != Channel.Status.LIVE,
            paused_since=paused.get(channel.pk),
            readable=_readable(channel),
            lists=tuple(own.live),
            refused=own.refused or asked.refused,
            given_up=asked.given_up,
            given_up_last=asked.given_up_last,
            given_up_error=asked.error,
            due=due.get(channel.pk),
            expected=expected(channel),
        )
        found[channel.pk] = Stand(channel, facts, conditions.condition(facts, at), asked.due)
    return found


def summary(found: Iterable[Stand]) -> conditions.Summary:
    """How much of what should come is watched over: only live channels count, and only those by which something should."""
    return conditions.summary((stand.condition, stand.times_heard) for stand in found if stand.facts.expected)


# What none of a channel's messages brings, where it is people's own.
_NOBODY_ELSE = {"sales", "charges", "payouts", "webhooks", "polling"}


def expected(channel: Channel) -> bool:
    """Whether anybody could send something to it, or be asked for it: by the books' own channel only people's entries come."""
    known = adapters.get(channel.adapter).missing if channel.adapter in adapters.adapter_names() else {}
    return not known.keys() >= _NOBODY_ELSE


def _readable(channel: Channel) -> bool:
    try:
        return channel.credentials is not None
    except UnableToDecrypt:
        return False


class _Lists(NamedTuple):
    live: list[LiveList]
    refused: str


def _lists(channels: Sequence[Channel]) -> dict[int, _Lists]:
    """A channel's live lists, and what its vendor said where any list was refused."""
    rows: dict[int, list[Reading]] = defaultdict(list)
    for reading in Reading.objects.exclude(state=Reading.State.DONE).order_by("id"):
        rows[reading.channel_id].append(reading)
    return {channel.pk: _lists_of(channel, rows[channel.pk]) for channel in channels}


def _lists_of(channel: Channel, readings: Sequence[Reading]) -> _Lists:
    known = adapters.get(channel.adapter).streams if channel.adapter in adapters.adapter_names() else ()
    every = {stream.name: timedelta(seconds=stream.every) for stream in known}
    live = [
        LiveList(
            name=one.stream,
            every=every[one.stream],
            read=one.read_at or one.reached + FIRST_LOOK,  # made that long before its beginning
            paused=one.state == Reading.State.PAUSED,
            failures=one.attempts if one.state == Reading.State.FAILED else 0,
            error=one.error,
        )
        for one in readings
        if one.purpose == Reading.Purpose.LIVE and one.stream in every
    ]
    refused = (one.error for one in readings if one.state == Reading.State.FAILED and _is_refusal(one.error))
    return _Lists(live, next(refused, ""))


def _is_refusal(error: str) -> bool:
    return error.startswith(AccessRefused.CODE)


def _due() -> dict[int, datetime]:
    """Since when the longest waiting event of a channel is due; a backfill's may wait. Each part by its own partial index."""
    rows = _rows(
        "SELECT channel_id, min(at) FROM ("
        " SELECT channel_id, min(next_attempt_at) AS at FROM channels_event WHERE state = 'new' AND attempts = 0 AND lane = 0"
        " GROUP BY 1 UNION ALL SELECT channel_id, min(next_attempt_at) FROM channels_event"
        " WHERE state IN ('new', 'claimed') AND attempts > 0 GROUP BY 1) parts GROUP BY 1"
    )
    return dict(rows)


class _Fetches(NamedTuple):
    due: int
    refused: str
    given_up: int
    given_up_last: datetime | None
    error: str


NO_FETCHES = _Fetches(0, "", 0, None, "")


def _fetches() -> dict[int, _Fetches]:
    """Objects to ask for, by channel; no index knows those given up, so the answer is remembered for a while."""
    return remembered("channels-fetches", lambda: {row[0]: _Fetches(*row[1:]) for row in _rows(_FETCHES, [REFUSED])})


REFUSED = f"{AccessRefused.CODE}%"
# `next_at` of one given up lies beyond its end by the pause that was not taken.
_FETCHES = """
    SELECT channel_id, count(*) FILTER (WHERE state = 'due'),
           coalesce(max(error) FILTER (WHERE state = 'due' AND error LIKE %s), ''),
           count(*) FILTER (WHERE state = 'failed'),
           max(next_at - make_interval(secs => least(60 * 2.0 ^ attempts, 3600))) FILTER (WHERE state = 'failed'),
           coalesce((array_agg(error ORDER BY next_at DESC) FILTER (WHERE state = 'failed'))[1], '')
      FROM channels_fetch WHERE state IN ('due', 'failed') GROUP BY 1
"""


def _paused(channels: Sequence[Channel]) -> dict[int, datetime]:
    """When a person last changed the status of those that are paused, as the audit trail tells."""
    paused = [channel.pk for channel in channels if channel.status != Channel.Status.LIVE]
    if not paused:
        return {}
    told = AuditRow.objects.filter(
        object_type="channel", object_id__in=paused, data__message__contains=[{"changed": {"fields": ["Status"]}}]
    )
    return {row["object_id"]: row["at"] for row in told.order_by("id").values("object_id", "at")}


def _rows(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


# --- when each was heard of, rolled forward

CHUNK = 20_000  # ids read at once
SECONDS = 0.3  # what one look spends on the past
FAR = 20 * CHUNK  # behind: quicker to begin again with the newest
KEPT_SECONDS = 7 * 24 * 60 * 60

Hours = dict[int, dict[int, int]]  # channel → hour since 1970 → minutes with an event


class _Kept:
    """Counted of the ids (low, high]; `since`: when the lowest of them was received."""

    def __init__(self, at: int) -> None:
        self.low = self.high = at
        self.since = timezone.now()
        self.hours: Hours = {}
        self.last: dict[int, datetime] = {}

    def add(self, low: int, high: int | None) -> datetime | None:
        """Count these ids too; returns when the first of them was received."""
        first = None
        for channel_id, hour, minutes, last, begun in _rows(_COUNT, [low, high]):
            first = min(first or begun, begun)
            if last is None:
                continue
            own = self.hours.setdefault(channel_id, {})
            own[int(hour)] = own.get(int(hour), 0) + minutes
            self.last[channel_id] = max(self.last.get(channel_id, last), last)
        return first

    def forget(self) -> None:
        """What lies more than four weeks before a channel was last heard of."""
        for channel_id, own in self.hours.items():
            oldest = conditions.hour_of(self.last[channel_id] - conditions.HABIT) - 1
            self.hours[channel_id] = {hour: count for hour, count in own.items() if hour >= oldest}


_COUNT = """
    SELECT channel_id, floor(extract(epoch FROM received_at) / 3600),
           count(DISTINCT date_trunc('minute', received_at)) FILTER (WHERE mode <> 'backfill'),
           max(received_at) FILTER (WHERE mode <> 'backfill'), min(received_at)
      FROM channels_event WHERE id > %s AND id <= coalesce(%s, 9223372036854775807) GROUP BY 1, 2
"""
# An event may become visible after one with a higher id: what is kept ends two minutes ago.
_SETTLED = "SELECT id FROM channels_event WHERE stored_at < now() - interval '2 minutes' ORDER BY id DESC LIMIT 1"


def _rhythms(channels: Sequence[Channel]) -> dict[int, Rhythm]:
    counted, since = _counted()
    return {
        channel.pk: Rhythm(
            counted.hours.get(channel.pk, {}), max(channel.created_at, since), counted.last.get(channel.pk)
        )
        for channel in channels
    }


def _counted() -> tuple[_Kept, datetime]:
    """All that was kept, with the newest events; and from when on it is complete."""
    key = f"channels-heard:{connection.settings_dict['NAME']}"
    settled = next((pk for (pk,) in _rows(_SETTLED)), 0)
    kept: _Kept | None = cache.get(key)
    if kept is None or kept.high > settled or settled - kept.high > FAR:  # none, another database's, or long ago
        kept = _Kept(settled)
    while kept.high < settled:
        high = min(kept.high + CHUNK, settled)
        kept.add(kept.high, high)
        kept.high = high
    deadline = time.monotonic() + SECONDS
    while kept.low > 0 and timezone.now() - kept.since < conditions.HABIT and time.monotonic() < deadline:
        low = max(kept.low - CHUNK, 0)
        kept.since = kept.add(low, kept.low) or kept.since
        kept.low = low
    kept.forget()
    cache.set(key, kept, KEPT_SECONDS)
    kept.add(settled, None)  # the cache holds a copy without these
    return kept, datetime.min.replace(tzinfo=UTC) if kept.low == 0 else kept.since
