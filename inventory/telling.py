"""Tells one channel the levels of its listings that are due: compare and set, at the vendor's pace.

Bounded: a call that the vendor wants to pause for, or that fails twice or so, is left to the schedule, and the channel rests as a
whole, longer each time: a shop that is down occupies nobody.
"""

import logging
import random
import time
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from django.db import DatabaseError

from channels.calls import AccessRefused, Caller, NotNow
from channels.client import Ask, Calls, StaleStock, StockLevel
from channels.models import Channel
from inventory import availability, shown, turns
from inventory.differences import Difference, Found, note
from inventory.turns import Outcome, Result, Turn
from salessync.core.http import UnableToReach
from salessync.core.problems import Refused

logger = logging.getLogger(__name__)

MOST = 20  # rows of one claim
CLAIM_SECONDS = 0.1  # that the calls of one claim should last: what becomes urgent waits so long
PATIENCE = 1.5  # seconds that one pause inside a call may last
WAITS = 6  # attempts that something unheard of may explain a level before it counts as a difference
COMPARISONS = 3  # in one turn
FIRST_DELAY, LAST_DELAY = 1.0, 600.0  # seconds
ACCESS_SECONDS = 300.0  # until credentials that were refused are tried again
_UNEXPLAINED = "it shows %s, which neither a call of ours nor a known sale explains yet"


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


class _Rest(NamedTuple):
    until: float  # monotonic
    failures: int


# by channel, of this process
_resting: dict[int, _Rest] = {}
_sizes: dict[int, int] = {}  # rows of the next claim: as many as CLAIM_SECONDS were enough for


def push(channel: Channel, *, seconds: float = 5.0, found: Found = note) -> Pushed:
    """Tell what is due, until nothing is, the channel has to rest or the time is over."""
    if resting(channel.pk) > 0 or not availability.can_be_told(channel):
        return Pushed()
    caller, give_up = Caller(channel, sleep=_sleep), time.monotonic() + seconds
    total = Pushed()
    while total.halted is None and time.monotonic() < give_up:
        size = _sizes.get(channel.pk, 1)
        claimed = turns.claim(channel.pk, size)
        if not claimed:
            break
        began = time.monotonic()
        total = total.plus(_tell_all(claimed, caller, found))
        each = max((time.monotonic() - began) / len(claimed), 0.001)
        _sizes[channel.pk] = 1 if total.halted else max(1, min(MOST, int(CLAIM_SECONDS / each)))
        if len(claimed) < size:
            break
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
        wait = max(leave_alone(caller.channel.pk, later.seconds), _delay(turn))
        return Result(turn, outcome, seconds=wait, problem=str(later), halts=True)
    except AccessRefused as refused:
        wait = leave_alone(caller.channel.pk, ACCESS_SECONDS)
        return Result(turn, Outcome.NOT_CALLED, seconds=wait, problem=str(refused), halts=True)
    except (UnableToReach, Refused) as error:
        return Result(turn, Outcome.REFUSED, problem=str(error) or "the channel refused it without a reason")
    except DatabaseError:
        raise
    except (
        Exception
    ) as error:  # an answer that the adapter did not reckon with: the other listings are told all the same
        logger.exception("stock: listing %s could not be told", turn.listing_id)
        problem = f"the channel's answer could not be read ({type(error).__name__})"
        return Result(turn, Outcome.UNANSWERED, seconds=_delay(turn), problem=problem)


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


def leave_alone(channel_id: int, seconds: float = 0.0) -> float:
    """For as long as it wants, and longer each time; returns for how many seconds."""
    failures = _resting[channel_id].failures + 1 if channel_id in _resting else 0
    pause = max(seconds, min(FIRST_DELAY * 2.0 ** min(failures, 10), 60.0) * random.uniform(0.75, 1.0))
    _resting[channel_id] = _Rest(time.monotonic() + pause, failures)
    return pause


def resting(channel_id: int) -> float:
    """Seconds that the channel is still left alone by this process."""
    rest = _resting.get(channel_id)
    return 0.0 if rest is None else rest.until - time.monotonic()
