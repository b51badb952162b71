"""What condition a channel is in, and why: from facts that were read elsewhere, at a moment that the caller names. Pure.

The worst that is true counts: paused by a person, broken, stale, silent, and live where nothing else is.

Silence is judged by the channel's own habit. The four weeks before the last time it was heard of give a rate for each hour of the
week (168 of them, UTC); from the last time on these rates are added up to what was to be expected meanwhile, and Poisson's law gives
the chance of hearing nothing all the same: e^-expected. Below one in ten thousand (9.2 expected) the channel is silent. What comes
within one minute counts once, since one sale sends several events; an hour of the week that was never watched expects nothing; and
two floors keep a quiet shop from alarming: FEWEST times heard in those weeks, and SHORTEST silence.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

HABIT = timedelta(weeks=4)
CHANCE = 1 / 10_000
FEWEST = 20
SHORTEST = timedelta(minutes=30)
FIRST_WORD = timedelta(days=1)  # within which a new channel should be heard of
LATE = 3  # times `every` after which a list is stale
DUE_AT_MOST = timedelta(minutes=5)
GIVEN_UP_TELLS = timedelta(days=7)  # older ones are counted on the pages, and their events are in quarantine
MANY_FAILURES = 5  # of a list one after the other: about a quarter of an hour

HOUR = timedelta(hours=1)
WEEK = 168  # hours


class State(StrEnum):
    """In the order in which they are told: the best first."""

    LIVE = "live"
    SILENT = "silent"
    STALE = "stale"
    BROKEN = "broken"
    PAUSED = "paused"


class Condition(NamedTuple):
    """`sentence`: why, and since when, for a person; `since` is None where nobody can say."""

    state: State
    sentence: str
    since: datetime | None


class Rhythm(NamedTuple):
    """When a channel was heard of. `hours`: hour since 1970 (UTC) → in how many of its minutes; complete from `since` on."""

    hours: Mapping[int, int]
    since: datetime
    last: datetime | None


class LiveList(NamedTuple):
    """One list that is read again and again. `read`: when it last was to its end, or since when it should be."""

    name: str
    every: timedelta
    read: datetime
    paused: bool = False
    failures: int = 0
    error: str = ""


class Facts(NamedTuple):
    """What a condition depends on. `refused`: the vendor's word on our credentials; `due`: since when its events wait for a worker.

    Not `expected`: nobody can say when something should come by it.
    """

    connected: datetime
    rhythm: Rhythm
    paused: bool = False
    paused_since: datetime | None = None
    readable: bool = True
    lists: tuple[LiveList, ...] = ()
    refused: str = ""
    given_up: int = 0
    given_up_last: datetime | None = None
    given_up_error: str = ""
    due: datetime | None = None
    expected: bool = True


def condition(facts: Facts, at: datetime) -> Condition:
    """The worst that is true."""
    if facts.paused:
        since = f" since {when(facts.paused_since)}" if facts.paused_since else ""
        return Condition(
            State.PAUSED, f"Paused by a person{since}: what comes is stored, not booked.", facts.paused_since
        )
    return _broken(facts, at) or _stale(facts, at) or _silent(facts, at) or _live(facts, at)


def _broken(facts: Facts, at: datetime) -> Condition | None:
    if not facts.readable:
        return _is(State.BROKEN, "CREDENTIALS_UNREADABLE: today's encryption keys do not open its secrets", None)
    if facts.refused:
        read = min((one.read for one in facts.lists), default=None)
        return _is(State.BROKEN, f"{facts.refused}; its credentials must be renewed", read, "read for the last time")
    failing = [one for one in facts.lists if one.failures >= MANY_FAILURES]
    if failing:
        worst = min(failing, key=lambda one: one.read)
        said = f": {worst.error}" if worst.error else ""
        text = f"LIST_FAILING: the list {worst.name} failed {worst.failures} times in a row{said}"
        return _is(State.BROKEN, text, worst.read, "read to its end for the last time")
    if facts.given_up_last and at - facts.given_up_last <= GIVEN_UP_TELLS:
        objects = "1 object was" if facts.given_up == 1 else f"{facts.given_up} objects were"
        said = f": {facts.given_up_error}" if facts.given_up_error else ""
        return _is(
            State.BROKEN,
            f"FETCH_FAILED: {objects} asked for in vain{said}",
            facts.given_up_last,
            "the last one given up",
        )
    return None


def _stale(facts: Facts, at: datetime) -> Condition | None:
    late = [one for one in facts.lists if at - one.read > LATE * one.every]
    if late:
        worst = min(late, key=lambda one: one.read)
        why = "is paused" if worst.paused else f"should be read every {_span(worst.every)}"
        said = f"; {worst.error}" if worst.error and not worst.paused else ""
        return _is(
            State.STALE,
            f"LIST_LATE: the list {worst.name} {why}{said}",
            worst.read,
            "read to its end for the last time",
        )
    if facts.due and at - facts.due > DUE_AT_MOST:
        return _is(State.STALE, "INBOX_LATE: its events are stored and no worker takes them", facts.due, "waiting")
    return None


def _silent(facts: Facts, at: datetime) -> Condition | None:
    last = facts.rhythm.last
    if not facts.expected:
        return None
    if last is None:
        unheard = max(facts.connected, facts.rhythm.since)
        if at - unheard <= FIRST_WORD:
            return None
        never = "never heard of" if unheard == facts.connected else "not heard of"
        return _is(State.SILENT, f"NOT_HEARD: {never}", unheard, "that is, since")
    if at - last < SHORTEST:
        return None
    wanted = expected(facts.rhythm, at)
    if math.exp(-wanted) >= CHANCE:
        return None
    return _is(
        State.SILENT,
        f"SILENT: by its habit it should have been heard of about {wanted:.0f} times by now",
        last,
        "last heard of",
    )


def _live(facts: Facts, at: datetime) -> Condition:
    last = facts.rhythm.last
    if not facts.expected:
        return Condition(State.LIVE, "Nothing is expected to come by it: people make what does.", last)
    read = f"; its lists are read in time ({', '.join(one.name for one in facts.lists)})" if facts.lists else ""
    if last is None:
        return Condition(
            State.LIVE, f"Nothing was heard of it since {when(max(facts.connected, facts.rhythm.since))}{read}.", None
        )
    return Condition(State.LIVE, f"Last heard of {when(last)}, as expected{read}.", last)


def _is(state: State, why: str, since: datetime | None, what: str = "") -> Condition:
    told = f" ({what} {when(since)})" if since else ""
    return Condition(state, f"{why.rstrip('.')}{told}.", since)


# --- the habit


def times_heard(rhythm: Rhythm) -> int:
    """How often it was heard of in the four weeks before the last time."""
    return sum(_watched(rhythm)[1].values())


def expected(rhythm: Rhythm, at: datetime) -> float:
    """How often it should have been heard of between the last time and `at`; 0 for a channel too quiet to tell."""
    rates = _rates(rhythm)
    if rhythm.last is None or not rates or at <= rhythm.last:
        return 0.0
    first, begun = divmod((rhythm.last - _EPOCH) / HOUR, 1)
    final, over = divmod((at - _EPOCH) / HOUR, 1)
    weeks, rest = divmod(int(final - first), WEEK)
    total = weeks * sum(rates.values()) + sum(rates.get((int(first) + n) % WEEK, 0.0) for n in range(rest))
    return total - begun * rates.get(int(first) % WEEK, 0.0) + over * rates.get(int(final) % WEEK, 0.0)


def _rates(rhythm: Rhythm) -> dict[int, float]:
    """By hour of the week, counted from the epoch; without those that were never watched."""
    watched, heard = _watched(rhythm)
    if sum(heard.values()) < FEWEST:
        return {}
    times = {
        hour: len(range(watched.start + (hour - watched.start) % WEEK, watched.stop, WEEK)) for hour in range(WEEK)
    }
    sums = dict.fromkeys(range(WEEK), 0)
    for hour, count in heard.items():
        sums[hour % WEEK] += count
    return {hour: sums[hour] / times[hour] for hour in range(WEEK) if times[hour]}


def _watched(rhythm: Rhythm) -> tuple[range, dict[int, int]]:
    """The full hours of the four weeks before the last time, as far as they are known, and what was heard in them."""
    if rhythm.last is None:
        return range(0), {}
    stop = hour_of(rhythm.last)
    start = max(stop - HABIT // HOUR, math.ceil((rhythm.since - _EPOCH) / HOUR))
    hours = range(start, max(start, stop))
    return hours, {hour: count for hour, count in rhythm.hours.items() if hour in hours}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def hour_of(at: datetime) -> int:
    """Full hours since 1970."""
    return (at - _EPOCH) // HOUR


# --- all channels together


class Summary(NamedTuple):
    """`share`: of the channels, how many are live; `volume`: of what four weeks bring, how much comes by live ones. None: there is none."""

    counts: dict[State, int]
    share: float | None
    volume: float | None


def summary(channels: Iterable[tuple[Condition, int]]) -> Summary:
    """From each channel's condition, and how often it was heard of in four weeks."""
    found = list(channels)
    counts = {state: sum(one.state == state for one, _ in found) for state in State}
    total, heard = sum(times for _, times in found), sum(times for one, times in found if one.state == State.LIVE)
    return Summary(counts, counts[State.LIVE] / len(found) if found else None, heard / total if total else None)


def when(at: datetime) -> str:
    """An instant for a sentence."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    return f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"
