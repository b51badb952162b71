"""Tells every other listing of a product its new level, within a second of the sale.

How a level travels:
1. A sale, delivery or count leaves a mark on its products, in its own transaction.
2. Look (availability.py): marks become what each listing should show. Marks of one moment become one change; a listing that shows
   it already, as that of the channel which sold, is not due.
3. Claim (turns.py): the channel's most urgent rows, leased. Two calls for one listing are at least a window apart, so that what
   changed in between goes out once, the latest.
4. Call (telling.py), outside any transaction, at the vendor's pace (channels/calls.py): compare and set, and where somebody else was
   there in between, again with their change kept (shown.py). What is not explained goes to `found`, before it is relied upon.
5. Write down: told, or failed with a sentence where the vendor refuses it for good. Anything else is tried again, after a second,
   doubling up to ten minutes, with jitter, for ever.
6. A vendor that cannot be reached rests as a whole, and so occupies nobody; others are told meanwhile, each channel by one worker.
"""

import logging
import queue
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from django.db import close_old_connections, connection

from channels.models import Channel
from inventory import availability, telling
from inventory.differences import Found, note
from inventory.telling import Pushed

logger = logging.getLogger(__name__)

WORKERS = 8  # channels at the same time
IDLE_SECONDS = 0.04  # between two looks


class Lag(NamedTuple):
    """How far behind one channel is; `oldest_seconds` of what is due."""

    channel_id: int
    due: int
    oldest_seconds: float
    failed: int


def run(*, seconds: float | None = None, stop: threading.Event | None = None, found: Found = note) -> Pushed:
    """Look and push, each channel by one worker, until nothing is due, or nothing within a window.

    With `stop` it goes on until that is set. After `seconds` nothing new is begun, so that a task ends before its time limit.
    """
    stopped = stop or threading.Event()
    give_up = None if seconds is None else time.monotonic() + seconds
    with _Crew(found) as crew:
        while not stopped.is_set() and (give_up is None or time.monotonic() < give_up):
            marks = availability.look().marks
            ahead = _ahead()
            begun = crew.begin([channel_id for channel_id, wait in ahead if wait <= 0])
            soon = any(0 < wait <= availability.window() for _, wait in ahead)
            if stop is None and not (marks or begun or soon or crew.busy):
                break
            if marks < availability.MARKS:
                stopped.wait(IDLE_SECONDS)
    return crew.total


def _ahead() -> list[tuple[int, float]]:
    """Each channel with rows that are due or will be, and the seconds until the first is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT channel_id, extract(epoch FROM min(next_at) - clock_timestamp())::float8"
            " FROM inventory_listinglevel WHERE state = 'due' GROUP BY channel_id"
        )
        return [(channel_id, max(wait, telling.resting(channel_id))) for channel_id, wait in cursor.fetchall()]


class _Crew:
    """Threads that push channels: no channel twice at the same time, and each thread with a database connection of its own."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.total = Pushed()
        self.busy: set[int] = set()
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "_Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for _thread in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def begin(self, channel_ids: Sequence[int]) -> int:
        """Have these pushed, unless they are already; returns how many were not."""
        with self._lock:
            fresh = [channel_id for channel_id in channel_ids if channel_id not in self.busy]
            self.busy.update(fresh)
            wanted = min(len(self.busy), WORKERS)
        while len(self._threads) < wanted:
            self._threads.append(threading.Thread(target=self._work, name="push-stock", daemon=True))
            self._threads[-1].start()
        for channel_id in fresh:
            self._queue.put(channel_id)
        return len(fresh)

    def _work(self) -> None:
        try:
            while (channel_id := self._queue.get()) is not None:
                self._push(channel_id)
        finally:
            connection.close()

    def _push(self, channel_id: int) -> None:
        done = Pushed()
        try:
            close_old_connections()
            channel = Channel.objects.select_related("stock_policy").get(pk=channel_id)
            if availability.can_be_told(channel):
                done = telling.push(channel, found=self.found)
            else:
                availability.look_again(channel_id=channel_id)  # it is told no longer: nothing of it stays due
        except Exception as error:  # whatever one channel's trouble is, the others are told
            logger.exception("stock: channel %s could not be pushed", channel_id)
            telling.leave_alone(channel_id)
            done = Pushed(halted=f"{type(error).__name__}")
        finally:
            with self._lock:
                self.total = self.total.plus(done)
                self.busy.discard(channel_id)


def lags() -> list[Lag]:
    """Of each channel that has something due or failed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT channel_id, count(*) FILTER (WHERE state = 'due'),"
            " COALESCE(extract(epoch FROM clock_timestamp() - min(changed_at) FILTER (WHERE state = 'due')), 0)::float8,"
            " count(*) FILTER (WHERE state = 'failed')"
            " FROM inventory_listinglevel WHERE state IN ('due', 'failed') GROUP BY 1 ORDER BY 1"
        )
        return [Lag(*row) for row in cursor.fetchall()]


def retry(*, level_ids: Sequence[int]) -> int:
    """Try failed ones again now; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_listinglevel SET state = 'due', next_at = clock_timestamp(), problem = ''"
            " WHERE id = ANY(%s) AND state = 'failed'",
            [list(level_ids)],
        )
        return cursor.rowcount
