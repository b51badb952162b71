"""Reads back what Bookkeeper holds and compares it with what it acknowledged.

A slow roll goes through all of it again and again, a page at a time in the order of the feed (`roll`); `check` does it at once.

1. Of each stretch of the feed: what was sent and acknowledged before the page was asked for, beside what the page holds. What was
   acknowledged later, and what is on its way, is none of this reading's business.
2. Acknowledged and not there: missing; or deleted, if an earlier reading saw it or it is marked so. A few are asked for by their
   ids first, since their number may have been changed there. There, and not as it was sent: edited.
3. There under our company's name, and none of our entries: unknown there. Ids of another make are somebody else's.
4. Each open difference is asked for by its id in between, so that it closes soon after its cause is gone.
"""

import logging
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Max, Q

from ledger import bookkeeper, comparison, differences, messages
from ledger.bookkeeper import Held
from ledger.differences import Finding, Kind
from ledger.models import BookkeeperDifference, Delivery, ReadBack
from salessync.core.http import UnableToReach
from salessync.core.models import Company

logger = logging.getLogger(__name__)

STRETCH = 1000  # numbers of the feed that are compared at once
ASKED_BY_ID = 20  # of what a stretch lacks: more than these are not there for sure
ASKED_AGAIN, ASKED_IN_CHECK = 50, 1000  # open differences in one run of the roll, and in one check
PAUSE = 3600.0  # seconds between two rounds
AFTER_FAILURE = 300.0  # seconds
LEASE = 180.0  # seconds

_OURS = re.compile(r"([^:]+):(.*)", re.DOTALL)
_ENTRY = re.compile(r"[1-9][0-9]{0,17}")


class Report(NamedTuple):
    """Entries compared, differences opened and closed; `error` says why it ended early."""

    compared: int = 0
    opened: int = 0
    closed: int = 0
    error: str | None = None

    def plus(self, other: "Report") -> "Report":
        """Both together."""
        return Report(
            self.compared + other.compared, self.opened + other.opened, self.closed + other.closed, self.error or other.error
        )  # fmt: skip


class Sent(NamedTuple):
    """An entry that Bookkeeper acknowledged; `seen`: it was read there before."""

    entry_id: int
    company_id: int
    known_as: str
    seen: bool
    acknowledgement: str


class Stretch(NamedTuple):
    """A part of the feed, what Bookkeeper holds of it, and when it was asked."""

    after: int
    upto: int
    held: list[Held]
    as_of: datetime


def roll(*, seconds: float) -> Report:
    """Go on with the round for some seconds, where it is time; returns what was done."""
    why = bookkeeper.why_not_configured()
    position = None if why else _begin()
    if position is None:
        return Report(error=why)
    give_up = time.monotonic() + seconds
    done = Report()
    try:
        done = _ask_again(limit=ASKED_AGAIN, give_up=time.monotonic() + seconds / 2)
        for stretch in _stretches(position):
            done = done.plus(_examine_stretch(stretch))
            if time.monotonic() >= give_up:
                _rest(0.0, position=stretch.upto)
                return done
    except UnableToReach as error:
        logger.warning("Bookkeeper cannot be read back: %s", error)
        _rest(max(AFTER_FAILURE, error.retry_after or 0.0), error=str(error))
        return done._replace(error=str(error))
    _finish_round()
    return done


def check(*, full: bool, progress: Callable[[int], None] = lambda compared: None) -> Report:
    """Compare now: all there is, or what was acknowledged and never read back; and every open difference.

    bookkeeper.NotConfigured; a Bookkeeper that cannot be reached is told in the report.
    """
    bookkeeper.url()
    after = 0 if full else _before_first_unseen()
    done = Report()
    try:
        done = _ask_again(limit=ASKED_IN_CHECK)
        if after is not None:
            for stretch in _stretches(after):
                done = done.plus(_examine_stretch(stretch))
                progress(done.compared)
    except UnableToReach as error:
        return done._replace(error=str(error))
    if full:
        _finish_round()
    return done


# --- what is read -----------------------------------------------------------------------------------------------------


def _stretches(after: int) -> Iterator[Stretch]:
    """All of the feed after a number, as Bookkeeper holds it."""
    while True:
        as_of = _now()
        page = bookkeeper.page(after=after)
        end = Company.objects.aggregate(end=Max("feed_seq"))["end"] or 0
        last = max(held.seq for held in page) if page else max(end, after)
        for start, upto in _cut(after, last, end):
            yield Stretch(start, upto, [held for held in page if start < held.seq <= upto], as_of)
        if not page:
            return
        after = last


def _cut(after: int, last: int, end: int) -> Iterator[tuple[int, int]]:
    """Parts of at most STRETCH numbers; beyond the end of our feed nothing was sent, and one part will do."""
    while after < last:
        upto = min(after + STRETCH, last) if after < end else last
        yield after, upto
        after = upto


def _ask_again(*, limit: int, give_up: float | None = None) -> Report:
    """Ask for each open difference by its id, the one that was looked at longest ago first; not for what is being sent."""
    found = BookkeeperDifference.objects.filter(
        Q(entry__isnull=True) | Q(entry__delivery__state=Delivery.State.ACKNOWLEDGED), resolved_at__isnull=True
    )
    done = Report()
    for known_as in list(found.order_by("last_seen", "id").values_list("known_as", flat=True)[:limit]):
        if give_up is not None and time.monotonic() >= give_up:
            break
        as_of = _now()
        held = [one for one in bookkeeper.fetch(entry=known_as) if one.id == known_as]
        sent = [row for row in _known([known_as], as_of).values() if row is not None]
        done = done.plus(_examine(sent, {known_as: held} if held else {}, as_of, asked={known_as}))
    return done


# --- comparing --------------------------------------------------------------------------------------------------------


def _examine_stretch(stretch: Stretch) -> Report:
    held = defaultdict(list)
    for one in stretch.held:
        held[one.id].append(one)
    sent = _sent(stretch)
    for row in [row for row in sent if row.known_as not in held][:ASKED_BY_ID]:
        held[row.known_as] = [one for one in bookkeeper.fetch(entry=row.known_as) if one.id == row.known_as]
    return _examine(sent, {id_: rows for id_, rows in held.items() if rows}, stretch.as_of)


def _examine(
    sent: Sequence[Sent], held: Mapping[str, Sequence[Held]], as_of: datetime, *, asked: Iterable[str] = ()
) -> Report:
    """Compare and write down. `asked`: ids that were asked for by themselves; where nothing is held, nothing is unknown there."""
    ours: dict[str, Sent | None] = {row.known_as: row for row in sent}
    ours |= _known([id_ for id_ in held if id_ not in ours], as_of)
    theirs = {id_: [one for one in rows if not one.deleted] for id_, rows in held.items()}
    there = [row for id_, row in ours.items() if row is not None and theirs.get(id_)]
    findings = [_lacking(row, row.known_as in held) for row in ours.values() if row and not theirs.get(row.known_as)]
    findings += _edited(there, theirs)
    findings += _unknown({id_: rows for id_, rows in theirs.items() if rows and id_ not in ours})
    examined = {id_ for id_, row in ours.items() if row is not None} | {f.known_as for f in findings}
    examined |= {id_ for id_ in asked if id_ not in ours}
    opened, closed = differences.settle(examined, findings)
    _remember([row.entry_id for row in there if not row.seen])
    return Report(sum(row is not None for row in ours.values()), opened, closed)


def _lacking(row: Sent, marked: bool) -> Finding:
    kind = Kind.DELETED if marked or row.seen else Kind.MISSING
    details = {"acknowledgement": row.acknowledgement, "marked": marked}
    return Finding(row.company_id, row.entry_id, row.known_as, kind, details)


def _edited(there: Sequence[Sent], theirs: Mapping[str, Sequence[Held]]) -> Iterator[Finding]:
    sent = messages.of([row.entry_id for row in there])
    for row in there:
        ours = bookkeeper.as_dict(sent[row.entry_id])
        differing = comparison.compare(ours, [one.entry for one in theirs[row.known_as]], same_record=_same_record)
        if differing:
            yield Finding(row.company_id, row.entry_id, row.known_as, Kind.EDITED, differing._asdict())


def _same_record(ours: Any, theirs: Any) -> bool:
    """Bookkeeper may have the record from before a privacy request took the person out of ours."""
    return bool(ours == theirs or ours == bookkeeper.without_person(theirs))


def _unknown(theirs: Mapping[str, Sequence[Held]]) -> Iterator[Finding]:
    """What bears the name of one of our companies and is none of our entries."""
    companies = dict(Company.objects.values_list("slug", "id")) if theirs else {}
    for id_, rows in theirs.items():
        match = _OURS.fullmatch(id_)
        if match and match[1] in companies:
            told = comparison.entry_told(rows[0].entry)
            details = {"acknowledgement": comparison.told(rows[0].acknowledgement), "theirs": told}
            yield Finding(companies[match[1]], None, id_[:300].replace("\x00", ""), Kind.UNKNOWN_THERE, details)


# --- our side ---------------------------------------------------------------------------------------------------------

_SENT = """
    SELECT e.id, e.company_id, c.slug || ':' || e.id, d.seen_at IS NOT NULL, d.acknowledgement,
           d.state = 'acknowledged' AND d.acknowledged_at <= %s AND own.id IS NULL
      FROM ledger_journalentry e
      JOIN core_company c ON c.id = e.company_id
      JOIN ledger_delivery d ON d.entry_id = e.id
      LEFT JOIN channels_transactionversion v ON v.id = e.version_id
      LEFT JOIN ledger_bookkeepercorrection own ON own.event_id = v.event_id
"""  # what Bookkeeper made itself was never sent, and stands there under an id of its own


def _sent(stretch: Stretch) -> list[Sent]:
    """What Bookkeeper acknowledged of the stretch before it was asked."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SENT + " WHERE e.company_id = ANY(ARRAY(SELECT id FROM core_company)) AND e.seq > %s AND e.seq <= %s"  # noqa: S608
            " ORDER BY e.seq, e.id",
            [stretch.as_of, stretch.after, stretch.upto],
        )
        return [Sent(*row[:5]) for row in cursor.fetchall() if row[5]]


def _known(ids: Sequence[str], as_of: datetime) -> dict[str, Sent | None]:
    """Of these ids those of our entries; None for what is on its way, or was never sent."""
    numbers = [int(match[2]) for id_ in ids if (match := _OURS.fullmatch(id_)) and _ENTRY.fullmatch(match[2])]
    if not numbers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_SENT + " WHERE e.id = ANY(%s)", [as_of, numbers])
        rows = cursor.fetchall()
    wanted = set(ids)
    return {row[2]: Sent(*row[:5]) if row[5] else None for row in rows if row[2] in wanted}


def _remember(entry_ids: list[int]) -> None:
    """They were there: gone later, they were deleted."""
    Delivery.objects.filter(entry__in=entry_ids, seen_at__isnull=True).update(seen_at=_now())


def _before_first_unseen() -> int | None:
    """The number before the first that was never read back, but for those known to differ; None: there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(e.seq) - 1 FROM ledger_delivery d JOIN ledger_journalentry e ON e.id = d.entry_id"
            " WHERE d.state = 'acknowledged' AND d.seen_at IS NULL AND NOT EXISTS ("
            "  SELECT FROM ledger_bookkeeperdifference f WHERE f.entry_id = d.entry_id AND f.resolved_at IS NULL)"
        )
        first: int | None = cursor.fetchone()[0]
        return first


def _now() -> datetime:
    """The database's clock, by which acknowledgements are stamped."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


# --- the round --------------------------------------------------------------------------------------------------------


def _begin() -> int | None:
    """Where the round stands, with a lease; None: it is not time yet, or somebody else is at it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_readback SET next_at = statement_timestamp() + make_interval(secs => %s),"
            " round_started_at = CASE WHEN position = 0 THEN statement_timestamp() ELSE round_started_at END"
            " WHERE next_at <= statement_timestamp() RETURNING position",
            [LEASE],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _rest(seconds: float, *, position: int | None = None, error: str | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_readback SET next_at = statement_timestamp() + make_interval(secs => %s),"
            " position = COALESCE(%s, position), error = %s",
            [seconds, position, error.replace("\x00", "")[:1000] if error else None],
        )


def _finish_round() -> None:
    _rest(PAUSE, position=0)
    ReadBack.objects.update(round_finished_at=_now())
