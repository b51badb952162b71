"""Reads vendors' lists into the inbox: what changes (live), and what was before (backfill). The only writer of Reading rows.

A window [since, until] is read page by page. Each page is stored together with its cursor in one transaction, so whoever dies goes
on after the last stored page; a window that begins `overlap` before the last one's end makes late rows harmless, and what is met
twice is recognised by the inbox or by its version. Live lists go before backfills.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from channels import adapter as adapters
from channels import payload as payloads
from channels.calls import AccessRefused, Caller, NotNow
from channels.capture import capture
from channels.client import CursorExpired, Found, Page, Stream
from channels.models import Channel, Event, Reading
from salessync.core import locks, nudge
from salessync.core.http import UnableToReach
from salessync.core.problems import Refused

logger = logging.getLogger(__name__)

LOCK = 7204  # pg_try_advisory_lock's class for readings: it ends with the reader, however that dies
RESTARTS = 3  # of one window whose cursor expires
FIRST_LOOK = timedelta(days=1)  # how far back a new channel is read without being asked for more

Progress = Callable[[Reading], None]


class Read(NamedTuple):
    """What one run brought; `finished`: the window was read to its end."""

    pages: int
    found: int
    stored: int
    finished: bool


class NotReadable(Exception):
    """The channel's vendor has no list to read, or none of that name."""


def ensure_live(channel: Channel) -> list[Reading]:
    """One live reading for each of the adapter's streams, made where it is missing."""
    start = timezone.now() - FIRST_LOOK
    for stream in adapters.get(channel.adapter).streams:
        Reading.objects.get_or_create(
            channel=channel, stream=stream.name, purpose=Reading.Purpose.LIVE, defaults={"reached": start}
        )
    return list(channel.readings.filter(purpose=Reading.Purpose.LIVE).order_by("id"))


def begin_backfill(channel: Channel, since: datetime, until: datetime) -> list[Reading]:
    """Readings of the past, one for each stream; those that exist already go on where they were."""
    streams = adapters.get(channel.adapter).streams
    if not streams:
        raise NotReadable(f"{channel.adapter} has no list that could be read")
    if since >= until:
        raise NotReadable("the backfill ends before it begins")
    found = []
    for stream in streams:
        reading, made = Reading.objects.get_or_create(
            channel=channel,
            stream=stream.name,
            purpose=Reading.Purpose.BACKFILL,
            reached=since,
            until=until,
            defaults={"since": since},
        )
        if not made and reading.state == Reading.State.PAUSED:
            Reading.objects.filter(pk=reading.pk).update(state=Reading.State.WAITING, next_at=timezone.now())
        found.append(reading)
    return found


def pause(reading: Reading) -> None:
    """Stop after the page that is being read."""
    Reading.objects.filter(pk=reading.pk).exclude(state=Reading.State.DONE).update(state=Reading.State.PAUSED)


def resume(reading: Reading) -> None:
    """Go on after the last stored page."""
    Reading.objects.filter(pk=reading.pk, state__in=[Reading.State.PAUSED, Reading.State.FAILED]).update(
        state=Reading.State.WAITING, attempts=0, next_at=timezone.now()
    )


def read_due(*, seconds: float = 50.0, sleep: Callable[[float], None] | None = None) -> int:
    """Read what is due, live lists first, until nothing is or the time is over; returns how many objects were found."""
    deadline = timezone.now() + timedelta(seconds=seconds)
    for channel in Channel.objects.filter(status=Channel.Status.LIVE):
        if channel.asks and adapters.get(channel.adapter).streams:
            ensure_live(channel)
    total = 0
    while timezone.now() < deadline:
        runs = (read(reading, until=deadline, sleep=sleep) for reading in _due())
        run = next((run for run in runs if run is not None), None)
        if run is None:
            return total
        total += run.found
    return total


def _due() -> list[Reading]:
    """Whose turn it is: live before backfill, then the one that waits longest."""
    return list(
        Reading.objects.select_related("channel", "channel__company")
        .filter(
            state__in=[Reading.State.WAITING, Reading.State.FAILED],
            next_at__lte=timezone.now(),
            channel__status=Channel.Status.LIVE,
        )
        .order_by(F("purpose").desc(), "next_at")[:100]  # "live" sorts after "backfill"
    )


def read(
    reading: Reading,
    *,
    until: datetime | None = None,
    caller: Caller | None = None,
    sleep: Callable[[float], None] | None = None,
    progress: Progress = lambda reading: None,
) -> Read | None:
    """Read one list's open window, or a new one up to now; None where somebody else is reading it.

    Stops after a page once `until` is past or the reading was paused, and goes on from there the next time.
    """
    with locks.alone(LOCK, reading.pk) as alone:
        if not alone:
            return None
        reading.refresh_from_db(
            fields=["state", "reached", "since", "until", "cursor", "pages", "found", "stored", "attempts"]
        )
        if reading.state not in (Reading.State.WAITING, Reading.State.FAILED):
            return Read(0, 0, 0, reading.state == Reading.State.DONE)
        return _read(
            reading,
            caller or (Caller(reading.channel, sleep=sleep) if sleep else Caller(reading.channel)),
            until,
            progress,
        )


def _read(reading: Reading, caller: Caller, until: datetime | None, progress: Progress) -> Read:
    stream = _stream(reading)
    _open_window(reading, stream)
    before = (reading.pages, reading.found, reading.stored)
    finished = False
    try:
        finished = _read_window(reading, caller, until, progress)
    except NotNow as later:
        _postpone(reading, str(later), later.seconds, failed=False)
    except (AccessRefused, UnableToReach, Refused) as error:
        _postpone(reading, str(error), min(3600.0, 60.0 * 2**reading.attempts), failed=True)
    except (InterfaceError, OperationalError):
        raise
    except Exception as error:  # an answer that nobody foresaw: the window stays, a person sees it
        logger.exception("%s cannot be read", reading)
        _postpone(reading, f"{type(error).__name__}: {error}", 3600.0, failed=True)
    if finished:
        _close_window(reading, stream)
    return Read(reading.pages - before[0], reading.found - before[1], reading.stored - before[2], finished)


def _stream(reading: Reading) -> Stream:
    for stream in adapters.get(reading.channel.adapter).streams:
        if stream.name == reading.stream:
            return stream
    raise NotReadable(f"{reading.channel.adapter} has no list called {reading.stream}")


def _open_window(reading: Reading, stream: Stream) -> None:
    if reading.purpose == Reading.Purpose.BACKFILL or reading.until is not None:
        return
    reading.since = reading.reached - timedelta(seconds=stream.overlap)
    reading.until = timezone.now()
    reading.cursor = None
    Reading.objects.filter(pk=reading.pk).update(since=reading.since, until=reading.until, cursor=None)


def _read_window(reading: Reading, caller: Caller, until: datetime | None, progress: Progress) -> bool:
    for _ in range(RESTARTS + 1):
        assert reading.since is not None and reading.until is not None
        pages = caller.adapter.poll(
            reading.stream, caller.account, since=reading.since, until=reading.until, cursor=reading.cursor
        )
        try:
            for page in caller.pages(pages):
                _store(reading, page)
                progress(reading)
                if page.cursor is not None and (_told_to_stop(reading) or (until and timezone.now() >= until)):
                    return False
            return True
        except CursorExpired:
            reading.cursor = None  # the window begins anew: what is stored already is recognised
            Reading.objects.filter(pk=reading.pk).update(cursor=None)
    raise NotNow("the vendor forgets its cursors faster than a window can be read", 300.0)


def _told_to_stop(reading: Reading) -> bool:
    return Reading.objects.filter(pk=reading.pk, state=Reading.State.PAUSED).exists()


def _store(reading: Reading, page: Page) -> None:
    """The page's objects and the place after them, or neither."""
    mode = Event.Mode.POLL if reading.purpose == Reading.Purpose.LIVE else Event.Mode.BACKFILL
    with transaction.atomic():
        new = sum(store_found(reading.channel, found, mode) for found in page.found)
        reading.pages, reading.found, reading.stored = (
            reading.pages + 1,
            reading.found + len(page.found),
            reading.stored + new,
        )
        reading.cursor, reading.attempts = page.cursor, 0
        Reading.objects.filter(pk=reading.pk).update(
            pages=reading.pages, found=reading.found, stored=reading.stored, cursor=page.cursor, attempts=0, error="",
        )  # fmt: skip
    if new:
        nudge.nudge(nudge.DRAIN_INBOX)


def store_found(channel: Channel, found: Found, mode: str) -> bool:
    """Into the inbox, unless this object was stored in just this state before; part of the caller's transaction."""
    captured = capture(
        channel=channel,
        headers={},
        body=payloads.dump(found.payload),
        mode=mode,
        received_at=datetime.now(UTC),
        topic=found.topic,
        lane=Event.Lane.BACKFILL if mode == Event.Mode.BACKFILL else Event.Lane.LIVE,
    )
    return not captured.duplicate


def _close_window(reading: Reading, stream: Stream) -> None:
    now = timezone.now()
    if reading.purpose == Reading.Purpose.BACKFILL:
        Reading.objects.filter(pk=reading.pk).update(state=Reading.State.DONE, cursor=None, read_at=now, error="")
        return
    Reading.objects.filter(pk=reading.pk).update(
        reached=reading.until, since=None, until=None, cursor=None, read_at=now, error="", attempts=0,
        state=Reading.State.WAITING, next_at=now + timedelta(seconds=stream.every),
    )  # fmt: skip


def _postpone(reading: Reading, error: str, seconds: float, *, failed: bool) -> None:
    """The open window stays as it is; the next run goes on after the last stored page."""
    state = Reading.State.FAILED if failed else Reading.State.WAITING
    Reading.objects.filter(pk=reading.pk).exclude(state=Reading.State.PAUSED).update(
        state=state, next_at=timezone.now() + timedelta(seconds=seconds), attempts=F("attempts") + 1, error=error[:500]
    )


def wish_now(channel: Channel) -> None:
    """Read the channel's live lists at the next opportunity."""
    channel.readings.filter(purpose=Reading.Purpose.LIVE, state__in=["waiting", "failed"]).update(
        next_at=timezone.now()
    )
