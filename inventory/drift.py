"""Reads levels back from the channels, and finds out where a listing shows another one than we reckon with, why, and what to do.

What is read: each level once in `audit_hours`; a level that an event of the channel calls changed (`heed`), with the next run; and what
is apart and not explained, again after the grace time. Why: inventory/drift_causes.py. What becomes of it, once it is certain:
- a sale that had not come: gone by itself with the sale, or with the next read.
- a lost push, or a bundle: our level is set again.
- an edit made there, as the channel's policy says: adopt, our level moves by the difference; overwrite, ours is set again; ask, it stays
  open for a person, who adopts or overwrites it.
A level that shows what we reckon with is nothing, whoever speaks of it: the echo of our own push moves nothing.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from django.db import DatabaseError, transaction
from django.utils import timezone

from channels import adapter as adapters
from channels import capabilities
from channels.calls import AccessRefused, Caller, NotNow
from channels.client import ItemPage, StockPlace, StockRead
from channels.models import Channel
from inventory import availability, drift_comparison
from inventory.differences import Difference
from inventory.drift_comparison import Compared, Order, Row, compare, grace
from inventory.models import StockDrift, StockPolicy
from salessync.core import bulk, locks
from salessync.core.http import UnableToReach
from salessync.core.problems import Problem, Refused

logger = logging.getLogger(__name__)

LOCK = 7250  # class of the advisory locks: one reader of a channel's levels at a time
LIST_FROM = 50  # levels from which on the whole list is read, of a vendor that answers one level a request
PERSON_PATIENCE = 5.0  # seconds that somebody waits for one pause
_FINEST = Decimal("0.0001")


class _OutOfTime(NotNow):
    pass


class Audited(NamedTuple):
    """What one channel's reading brought; `problem`: why it ended before its end, None where it did not."""

    compared: Compared = Compared()
    finished: bool = True
    problem: str | None = None

    @property
    def read(self) -> int:
        """Levels that something was concluded of."""
        done = self.compared
        return done.equal + done.open + done.adopted + done.overwritten + done.uncounted


def audit(channel: Channel, *, now: datetime, seconds: float = 45.0, everything: bool = False) -> Audited:
    """Read back the channel's levels that were not for `audit_hours` (`everything`: all of them); the next call goes on with the rest."""
    policy, _ = StockPolicy.objects.get_or_create(channel=channel)
    before = now - timedelta(hours=policy.audit_hours)
    done = _read(
        channel, _ids(channel.pk, "%s OR v.read_at IS NULL OR v.read_at <= %s", everything, before), now, seconds
    )
    if done.finished:
        StockPolicy.objects.filter(channel=channel).update(audited_at=now)
    return done


def read_back(channel: Channel, places: Sequence[StockPlace], *, now: datetime, seconds: float = 45.0) -> Audited:
    """Read these levels back now; a place without a location stands for all of the item's."""
    named = f"v.id IN ({_NAMED})"
    items, where = [place.item_id for place in places], [place.location for place in places]
    none = [None] * len(places)
    return _read(channel, _ids(channel.pk, named, [channel.pk] * len(places), items, where, none), now, seconds)


def heed(hints: Iterable[tuple[int, StockPlace]]) -> int:
    """(channel, level that an event calls changed): read back with the next run, unless it is said to be what we reckon with.

    To be called in a transaction that has no levels locked. Returns how many rows are to be read.
    """
    rows = [
        (id_, h.item_id, h.location, level_of(h.available) if isinstance(h, StockRead) else None) for id_, h in hints
    ]
    if not rows:
        return 0
    with transaction.atomic(), bulk.binary_cursor() as cursor:
        cursor.execute(
            f"UPDATE inventory_listinglevel SET read_at = NULL WHERE id IN ({_NAMED} ORDER BY v.id FOR UPDATE OF v)",  # noqa: S608
            [list(column) for column in zip(*rows, strict=True)],
        )
        return cursor.rowcount


def can_be_audited(channel: Channel) -> bool:
    """Whether it is told levels and can be asked for them."""
    return capabilities.overrides(adapters.get(channel.adapter), "read_stock") and availability.can_be_told(channel)


def due(now: datetime) -> list[Channel]:
    """Channels whose audit is due."""
    return [channel for channel in _channels() if _is_due(channel, now)]


def run_due(*, now: datetime, seconds: float = 45.0) -> dict[str, Audited]:
    """Of each channel what was asked for or is not explained, then what its audit wants; → slug → what was read, where anything was."""
    give_up, found = time.monotonic() + seconds, {}
    for channel in _channels():
        with locks.alone(LOCK, channel.pk) as alone:
            left = give_up - time.monotonic()
            if not alone or left <= 0:
                continue
            done = _read(channel, _ids(channel.pk, _AGAIN, now - grace()), now, left)
            if done.finished and _is_due(channel, now) and (left := give_up - time.monotonic()) > 0:
                more = audit(channel, now=now, seconds=left)
                done = more._replace(compared=done.compared.plus(more.compared))
            if done.read or done.problem:
                found[channel.slug] = done
    return found


def found(differences: Sequence[Difference]) -> None:
    """What a push met. Committed when it returns, where no transaction is open: the next call reckons with it."""
    now = timezone.now()
    with transaction.atomic(), bulk.binary_cursor() as cursor:
        together = [(d.listing_id, d.remote_id) for d in differences if d.expected == d.found]
        if together:
            drift_comparison.close_gone(cursor, together, now)
        apart = [d for d in differences if d.expected != d.found]
        if apart:
            drift_comparison.keep_met(cursor, apart, now)


def adopt(drift: StockDrift, *, actor: str, now: datetime, note: str = "") -> None:
    """A person takes the difference over, as it is now: our level moves by it. Refused with a sentence why it cannot be."""
    _by_hand(drift, Order("adopt", actor), now, note)


def overwrite(drift: StockDrift, *, actor: str, now: datetime, note: str = "") -> None:
    """A person has our level set again, over the difference as it is now. Refused with a sentence why it cannot be."""
    _by_hand(drift, Order("overwrite", actor), now, note)


def _by_hand(drift: StockDrift, order: Order, now: datetime, note: str) -> None:
    """Read back first: what was written down may be older than the last sale."""
    drift.refresh_from_db()
    channel = drift.listing.channel
    if drift.state != StockDrift.State.OPEN:
        raise Refused(Problem("NOT_OPEN", str(drift.pk), "the difference is settled already"))
    ids = _ids(channel.pk, "v.listing_id = %s AND v.remote_id = %s", drift.listing_id, drift.remote_id)
    done = _read(channel, ids, now, PERSON_PATIENCE, order)
    if done.problem:
        raise Refused(Problem("CANNOT_BE_READ", channel.slug, f"its level cannot be read at present: {done.problem}"))
    if not done.read or done.compared.uncounted:
        said = "its level is being changed just now, or is not counted by the channel: try again in a moment"
        raise Refused(Problem("LEVEL_MOVES", channel.slug, said))
    if note:
        StockDrift.objects.filter(pk=drift.pk).update(note=note[:1000])
    drift.refresh_from_db()


# --- which ones

# Rows of listings that (channel, item, location, level) name, unless the level is the one that we reckon with.
_NAMED = """
    SELECT v.id FROM inventory_listinglevel v JOIN inventory_listing l ON l.id = v.listing_id
      JOIN unnest(%s::bigint[], %s::text[], %s::text[], %s::numeric[]) AS n(channel_id, item, location, level)
        ON n.channel_id = l.channel_id AND n.item = COALESCE(NULLIF(l.stock_id, ''), l.item_id)
     WHERE (n.location = '' OR n.location = v.remote_id) AND n.level IS DISTINCT FROM v.shown
"""
_AGAIN = """
    v.read_at IS NULL OR v.read_at <= %s AND EXISTS (
        SELECT FROM inventory_stockdrift d WHERE d.listing_id = v.listing_id AND d.remote_id = v.remote_id AND d.state = 'open'
           AND d.cause <> 'manual_edit')
"""


def _ids(channel_id: int, which: str, *parameters: object) -> list[int]:
    """Rows of the channel that show a level as far as we know, place by place; none whose call is under way or unanswered."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            f"""
            SELECT v.id FROM inventory_listinglevel v JOIN inventory_listing l ON l.id = v.listing_id
             WHERE v.channel_id = %s AND v.shown IS NOT NULL AND v.attempts = 0 AND l.is_pushed AND ({which})
             ORDER BY v.remote_id, v.id
            """,  # noqa: S608 -- a condition of this file
            [channel_id, *parameters],
        )
        return [id_ for (id_,) in cursor.fetchall()]


def _rows(ids: Sequence[int]) -> list[Row]:
    """As they are now, in the same order."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT v.id, v.listing_id, v.remote_id, COALESCE(NULLIF(l.stock_id, ''), l.item_id), l.item_id, l.product_id, v.shown,"
            " v.turn FROM unnest(%s::bigint[]) WITH ORDINALITY AS n(id, place) JOIN inventory_listinglevel v USING (id)"
            " JOIN inventory_listing l ON l.id = v.listing_id WHERE v.shown IS NOT NULL AND v.attempts = 0 ORDER BY n.place",
            [list(ids)],
        )
        return [Row(*row) for row in cursor.fetchall()]


def _channels() -> Iterator[Channel]:
    for channel in Channel.objects.filter(status=Channel.Status.LIVE).select_related("stock_policy", "company"):
        if can_be_audited(channel):
            yield channel


def _is_due(channel: Channel, now: datetime) -> bool:
    policy = getattr(channel, "stock_policy", None) or StockPolicy()
    if not policy.audit_hours:
        return False
    return policy.audited_at is None or policy.audited_at <= now - timedelta(hours=policy.audit_hours)


# --- how they are read


def _read(channel: Channel, ids: Sequence[int], now: datetime, seconds: float, order: Order | None = None) -> Audited:
    """Those that moved meanwhile once more in the end; then they are left to the next time."""
    give_up, done = time.monotonic() + seconds, Compared()

    def sleep(pause: float) -> None:
        if time.monotonic() + pause > give_up:
            raise _OutOfTime(f"the channel's pace wants a pause of {pause:.0f} s", pause)
        time.sleep(pause)

    caller = Caller(channel, sleep=sleep)
    try:
        left = list(ids)
        if caller.adapter.stock_batch == 1 and len(left) > LIST_FROM:
            done, left = _from_list(caller, left, now)
        for attempt in range(2):
            for start in range(0, len(left), caller.adapter.stock_batch):
                if time.monotonic() > give_up:
                    return Audited(done, finished=False)
                chunk = left[start : start + caller.adapter.stock_batch]
                done = done.plus(_compare(caller, chunk, now, order))
            left, done = list(done.moving), done._replace(moving=() if attempt == 0 else done.moving)
    except _OutOfTime:
        return Audited(done, finished=False)
    except (NotNow, AccessRefused, UnableToReach) as error:
        return Audited(done, finished=False, problem=str(error))
    except DatabaseError:
        raise
    except Refused as refused:
        if order is not None:
            raise
        return Audited(done, finished=False, problem=str(refused))
    except Exception as error:  # an answer that nobody foresaw: the other channels are read all the same
        logger.exception("stock: levels of %s cannot be read", channel.slug)
        return Audited(done, finished=False, problem=f"its answer cannot be understood ({type(error).__name__})")
    return Audited(done)


def _compare(caller: Caller, ids: Sequence[int], now: datetime, order: Order | None) -> Compared:
    rows = _rows(ids)
    if not rows:
        return Compared()
    places = [StockPlace(row.stock_id, row.remote_id) for row in rows]
    reads = caller.result(caller.adapter.read_stock(caller.account, places))
    levels = [level_of(read.available) for read in reads]
    return compare(caller.channel, list(zip(rows, levels, strict=True)), now=now, order=order)


def _from_list(caller: Caller, ids: Sequence[int], now: datetime) -> tuple[Compared, list[int]]:
    """By the list of all items, many levels a request; → what it told, and the rows that it told nothing of, or that moved."""
    done, left = Compared(), list(ids)
    rows = {(row.stock_id, row.remote_id): row for row in _rows(left)}
    for page in caller.pages(caller.adapter.items(caller.account, None)):
        levels = (
            [read for item in getattr(page, "items", ()) for read in item.levels] if isinstance(page, ItemPage) else []
        )
        known = {(read.item_id, read.location): level_of(read.available) for read in levels}
        reads = [(rows[place], level) for place, level in known.items() if place in rows]
        part = compare(caller.channel, reads, now=now)
        told = {row.id for row, _ in reads} - set(part.moving)
        done, left = done.plus(part._replace(moving=())), [id_ for id_ in left if id_ not in told]
        rows = {
            (row.stock_id, row.remote_id): row for row in _rows(left)
        }  # as they are before the next page is asked for
    return done, left


def level_of(text: str | None) -> Decimal | None:
    """To the fourth decimal; None where it is no number that could be a level."""
    try:
        number = None if text is None else Decimal(text)
    except InvalidOperation:
        return None
    if number is None or not number.is_finite() or abs(number) >= 10**15:
        return None
    return number.quantize(_FINEST)
