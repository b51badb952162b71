"""Tells every other listing of a product its new level, within a second of the sale.

How a level travels:
1. A sale, delivery or count leaves a mark on its products, in its own transaction.
2. Look (availability.py): marks become what each listing should show. Marks of one moment become one change; a listing that shows
   it already, as that of the channel which sold, is not due.
3. Claim (turns.py): the channel's most urgent rows, leased. Two calls for one listing are at least a window apart, so that what
   changed in between goes out once, the latest.
4. Call, outside any transaction, at the vendor's pace (channels/calls.py): compare and set, and where somebody else was there in
   between, again with their change kept (shown.py). What is not explained goes to `found`, before it is relied upon.
5. Write down: told, or failed with a sentence where the vendor refuses it for good. Anything else is tried again, after a second,
   doubling up to ten minutes, with jitter, for ever.
6. A vendor that cannot be reached rests as a whole, and so occupies nobody; others are told meanwhile, each channel by one worker.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from django.db import close_old_connections, connection, transaction

from channels.calls import AccessRefused, Caller, NotNow
from channels.client import Ask, Calls, StaleStock, StockLevel
from channels.models import Channel
from inventory import availability, shown, turns
from inventory.turns import Outcome, Result, Turn
from salessync.core.http import UnableToReach
from salessync.core.problems import Refused

logger = logging.getLogger(__name__)

WORKERS = 8  # channels at the same time
MOST = 20  # rows of one claim
PATIENCE = 1.0  # seconds that one pause inside a call may last
WAITS = 6  # attempts that a sale on its way to us may explain a level before it counts as a difference
COMPARISONS = 3  # in one turn
FIRST_DELAY, LAST_DELAY = 1.0, 600.0  # seconds
ACCESS_SECONDS = 300.0  # until credentials that were refused are tried again
IDLE_SECONDS = 0.03  # between two looks
_UNEXPLAINED = "it shows %s, which neither a call of ours nor a known sale explains yet"


class Difference(NamedTuple):
    """A listing showed `found` where `expected` would be all that we have heard of; equal: what was apart no longer is."""

    listing_id: int
    remote_id: str
    expected: Decimal
    found: Decimal


Found = Callable[[Sequence[Difference]], None]


class Pushed(NamedTuple):
    """Listings told, tried in vain, and refused; `halted` says why the channel rests, if it does."""

    told: int = 0
    unanswered: int = 0
    refused: int = 0
    halted: str | None = None

    def plus(self, other: "Pushed") -> "Pushed":
        """Both together; `halted` of the later."""
        sums = (self.told + other.told, self.unanswered + other.unanswered, self.refused + other.refused)
        return Pushed(*sums, other.halted)


class Lag(NamedTuple):
    """How far behind one channel is; `oldest_seconds` of what is due."""

    channel_id: int
    due: int
    oldest_seconds: float
    failed: int


class _Rest(NamedTuple):
    until: float  # monotonic
    failures: int


_resting: dict[int, _Rest] = {}  # by channel, of this process


def note_differences(differences: Sequence[Difference]) -> None:
    """Open or renew what is apart, close what no longer is. Committed when it returns: the next call reckons with it."""
    rows = [(d.listing_id, d.remote_id, d.expected, d.found) for d in differences]
    columns = [list(column) for column in zip(*rows, strict=True)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_stockdrift d SET state = 'gone', closed_at = now()"
            " FROM unnest(%s::bigint[], %s::text[], %s::numeric[], %s::numeric[]) n(listing_id, remote_id, expected, found)"
            " WHERE d.listing_id = n.listing_id AND d.remote_id = n.remote_id AND d.state = 'open' AND n.expected = n.found",
            columns,
        )
        cursor.execute(
            """
            INSERT INTO inventory_stockdrift (company_id, listing_id, remote_id, expected, found, cause, message)
            SELECT p.company_id, n.listing_id, n.remote_id, n.expected, n.found, 'unknown',
                   'When its level was to be set, it showed ' || trim_scale(n.found) || ' instead of ' || trim_scale(n.expected) || '.'
              FROM unnest(%s::bigint[], %s::text[], %s::numeric[], %s::numeric[]) n(listing_id, remote_id, expected, found)
              JOIN inventory_listing l ON l.id = n.listing_id JOIN inventory_product p ON p.id = l.product_id
             WHERE n.expected <> n.found
            ON CONFLICT (listing_id, remote_id) WHERE state = 'open'
            DO UPDATE SET expected = excluded.expected, found = excluded.found, message = excluded.message
            """,
            columns,
        )


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


# --- one channel ----------------------------------------------------------------------------------------------------


def push(channel: Channel, *, seconds: float = 5.0, found: Found = note_differences) -> Pushed:
    """Tell what is due, until nothing is, the channel has to rest or the time is over."""
    if _left(channel.pk) > 0 or not availability.can_be_told(channel):
        return Pushed()
    caller, give_up = Caller(channel, sleep=_sleep), time.monotonic() + seconds
    total, size = Pushed(), 1
    while total.halted is None and time.monotonic() < give_up and (claimed := turns.claim(channel.pk, size)):
        began = time.monotonic()
        part = _tell_all(claimed, caller, found)
        total = total.plus(part)
        each = (time.monotonic() - began) / len(claimed)
        size = max(1, min(MOST, int(availability.window() / max(each, 0.001))))  # as many as a window has time for
    return total


def _tell_all(claimed: Sequence[Turn], caller: Caller, found: Found) -> Pushed:
    """One after the other; after the first that cannot be told for a reason of the channel's, none."""
    results: list[Result] = []
    halt: Result | None = None
    for turn in claimed:
        if halt is None:
            results.append(_attempt(turn, caller, found))
            halt = results[-1] if results[-1].halts else None
        else:
            results.append(Result(turn, Outcome.NOT_CALLED, seconds=halt.seconds))
    turns.settle(results, channel_id=caller.channel.pk)
    if halt is None:
        _resting.pop(caller.channel.pk, None)
    else:
        logger.warning("stock: %s rests for %.0f s: %s", caller.channel.slug, halt.seconds, halt.problem)
    outcomes = [result.outcome for result in results]
    counts = (outcomes.count(one) for one in (Outcome.TOLD, Outcome.UNANSWERED, Outcome.REFUSED))
    return Pushed(*counts, halt.problem if halt else None)


def _attempt(turn: Turn, caller: Caller, found: Found) -> Result:
    """Whatever happens is a result."""
    writes: list[Ask] = []
    try:
        return _tell(turn, caller, found, writes)
    except NotNow as later:
        outcome = Outcome.UNANSWERED if writes else Outcome.NOT_CALLED
        wait = max(_rest(caller.channel, later.seconds), _delay(turn))
        return Result(turn, outcome, seconds=wait, problem=str(later), halts=True)
    except AccessRefused as refused:
        wait = _rest(caller.channel, ACCESS_SECONDS)
        return Result(turn, Outcome.NOT_CALLED, seconds=wait, problem=str(refused), halts=True)
    except (UnableToReach, Refused) as error:
        return Result(turn, Outcome.REFUSED, problem=str(error) or "the channel refused it without a reason")


def _tell(turn: Turn, caller: Caller, found: Found, writes: list[Ask]) -> Result:
    """Compare and set, until what we expect is what the vendor shows."""
    wish, difference = shown.wish(turn.shown, turn.wanted, turn.difference), turn.difference
    unclear = turn.before > 0 and not caller.adapter.stock_compares  # who compares keeps keys as well
    for _ in range(COMPARISONS):
        writes.clear()  # what came before was answered
        try:
            caller.result(_noting(caller.adapter.push_stock(caller.account, _level(turn, wish)), writes))
        except StaleStock as stale:
            actual = _decimal(stale.actual)
            if actual is None and not caller.adapter.stock_compares:  # it does not count the item until it is told to
                wish, difference = shown.wish(None, turn.wanted, shown.ZERO), shown.ZERO
                continue
            if actual is None or turn.shown is None:
                return Result(
                    turn, Outcome.NOT_SET, seconds=_delay(turn), problem="it did not say which level it shows"
                )
            stand = shown.stand(
                turn.shown, turn.wanted, turn.difference, actual, unclear=unclear, patient=turn.before < WAITS
            )
            if stand is None:
                return Result(
                    turn, Outcome.UNANSWERED, seconds=_delay(turn), problem=_UNEXPLAINED % shown.plain(actual)
                )
            difference, unclear = stand.difference, False
            if difference or turn.difference:
                found([Difference(turn.listing_id, turn.remote_id, actual - difference, actual)])
            wish = shown.Wish(actual, max(turn.wanted + difference, shown.ZERO))
        else:
            return _told(turn, wish.available, difference)
    return Result(turn, Outcome.NOT_SET, seconds=_delay(turn), problem="its level changed faster than it could be set")


def _noting(calls: Calls, writes: list[Ask]) -> Calls:
    """The same calls; what may change something is noted before it is sent."""
    reply = None
    while True:
        try:
            ask = calls.send(reply)  # type: ignore[arg-type]
        except StopIteration as end:
            return end.value
        if ask.method != "GET":
            writes.append(ask)
        reply = yield ask


def _told(turn: Turn, available: Decimal, difference: Decimal) -> Result:
    known = shown.ZERO if turn.shown is None else difference
    return Result(turn, Outcome.TOLD, shown=available - known, seconds=availability.window())


def _level(turn: Turn, wish: shown.Wish) -> StockLevel:
    expected, available = None if wish.expected is None else shown.plain(wish.expected), shown.plain(wish.available)
    return StockLevel(
        item_id=turn.item_id,
        location=turn.remote_id,
        available=available,
        expected=expected,
        key=f"stock-{turn.id}-{turn.turn}-{expected}-{available}",  # the same call has the same key
        at=turn.asked_at,
    )


def _decimal(text: str | None) -> Decimal | None:
    try:
        number = None if text is None else Decimal(text)
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _delay(turn: Turn) -> float:
    """Seconds until the next attempt of a listing, with jitter."""
    return min(FIRST_DELAY * 2.0 ** min(turn.before, 20), LAST_DELAY) * random.uniform(0.75, 1.25)


def _sleep(seconds: float) -> None:
    """A pause inside of a call; a longer one is left to the schedule, so that it occupies nobody."""
    if seconds > PATIENCE:
        raise NotNow(f"the channel's pace wants a pause of {seconds:.0f} s", seconds)
    time.sleep(seconds)


def _rest(channel: Channel, seconds: float) -> float:
    """The channel is left alone: as long as it wants, and longer each time; returns for how long."""
    failures = _resting[channel.pk].failures + 1 if channel.pk in _resting else 0
    pause = max(seconds, min(FIRST_DELAY * 2.0 ** min(failures, 10), 60.0) * random.uniform(0.75, 1.0))
    _resting[channel.pk] = _Rest(time.monotonic() + pause, failures)
    return pause


def _left(channel_id: int) -> float:
    rest = _resting.get(channel_id)
    return 0.0 if rest is None else rest.until - time.monotonic()


# --- all of them ----------------------------------------------------------------------------------------------------


def run(
    *, seconds: float | None = None, stop: threading.Event | None = None, found: Found = note_differences
) -> Pushed:
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
            if not marks:
                stopped.wait(IDLE_SECONDS)
    return crew.total


def _ahead() -> list[tuple[int, float]]:
    """Each channel with rows that are due or will be, and the seconds until the first is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT channel_id, extract(epoch FROM min(next_at) - clock_timestamp())::float8"
            " FROM inventory_listinglevel WHERE state = 'due' GROUP BY channel_id"
        )
        return [(channel_id, max(wait, _left(channel_id))) for channel_id, wait in cursor.fetchall()]


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
                done = push(channel, found=self.found)
            else:
                availability.look_again(channel_id=channel_id)  # it is told no longer: nothing of it stays due
        except Exception as error:  # whatever one channel's trouble is, the others are told
            logger.exception("stock: channel %s could not be pushed", channel_id)
            _resting[channel_id] = _Rest(time.monotonic() + 5.0, 3)
            done = Pushed(halted=f"{type(error).__name__}")
        finally:
            with self._lock:
                self.total = self.total.plus(done)
                self.busy.discard(channel_id)
