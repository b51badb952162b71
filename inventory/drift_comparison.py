"""Compares levels that were read back with what we reckon with, keeps what is apart, and settles it as the channel's policy says.

One transaction for all levels of one answer: what is concluded from a row holds while its lock is held (inventory/drift_causes.py, 1).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from channels.models import Channel
from inventory import availability, documents, drift_evidence
from inventory.differences import Difference
from inventory.documents import Line
from inventory.drift_causes import Cause, Evidence, Verdict, is_lost_push, judge
from inventory.levels import DEFAULT_LOCATION, ZERO
from inventory.models import ChannelLocation, Level, Product, StockPolicy
from inventory.shown import plain
from salessync.core import audit, bulk
from salessync.core.problems import Problem, Refused

POLICY = "policy"  # who settles a difference that no person did


def grace() -> timedelta:
    """How long a difference has to stay as it is before it counts, STOCK_DRIFT_GRACE (seconds)."""
    return timedelta(seconds=float(getattr(settings, "STOCK_DRIFT_GRACE", 600.0)))


class Row(NamedTuple):
    """A listing at one of its channel's places as it was before its level was read; `turn` counts the calls that set it."""

    id: int
    listing_id: int
    remote_id: str
    stock_id: str
    item_id: str
    product_id: int
    shown: Decimal
    turn: int


class Order(NamedTuple):
    """A person's decision about a difference, adopt or overwrite."""

    choice: str
    actor: str


class Compared(NamedTuple):
    """Levels that agree, that are apart and stay open, and what became of others; `moving`: ids of rows that nothing was concluded of."""

    equal: int = 0
    open: int = 0
    gone: int = 0
    adopted: int = 0
    overwritten: int = 0
    uncounted: int = 0
    moving: tuple[int, ...] = ()

    def plus(self, other: "Compared") -> "Compared":
        """Both together."""
        return Compared(*(one + more for one, more in zip(self, other, strict=True)))


class _Apart(NamedTuple):
    """A row that shows another level than we reckon with."""

    row: Row
    evidence: Evidence
    verdict: Verdict


def compare(
    channel: Channel, reads: Sequence[tuple[Row, Decimal | None]], *, now: datetime, order: Order | None = None
) -> Compared:
    """`reads`: rows, and what they were found to show; None: the channel knows no such item or does not count it."""
    with transaction.atomic(), bulk.binary_cursor() as cursor:
        counted = [(row, found) for row, found in reads if found is not None]
        steady, pending = _steady(cursor, channel, counted)
        moving = tuple(row.id for row, _ in counted if row.id not in steady)
        reads_of = {row: found for row, found in counted if row.id in steady}
        cursor.execute(
            "UPDATE inventory_listinglevel SET read_at = %s WHERE id = ANY(%s)",
            [now, [row.id for row, _ in reads if row.id not in moving]],
        )
        equal = [row for row, found in reads_of.items() if found == row.shown]
        gone = close_gone(cursor, [(row.listing_id, row.remote_id) for row in equal], now)
        done = Compared(equal=len(equal), gone=gone, uncounted=len(reads) - len(counted), moving=moving)
        apart = {row: found for row, found in reads_of.items() if found != row.shown}
        if not apart:
            return done
        judged = _judged(cursor, channel, apart, pending, now)
        ids = keep(
            cursor,
            [
                (a.row.listing_id, a.row.remote_id, a.row.shown, a.evidence.found, a.verdict.cause, a.verdict.message)
                for a in judged
            ],
            now,
        )
        if order is None:
            policy = StockPolicy.objects.filter(channel=channel).first()
            edits = policy.edits if policy else StockPolicy.Edits.ASK
            choices = [(a, _choice(a.verdict, edits), POLICY) for a in judged]
        else:
            _refuse_pending(judged)
            choices = [(a, order.choice, order.actor) for a in judged]
        fates = [
            _settle(cursor, channel, a, ids[a.row.listing_id, a.row.remote_id], choice, actor, now)
            for a, choice, actor in choices
        ]
        return done._replace(**{fate: fates.count(fate) for fate in ("open", "adopted", "overwritten")})


def _steady(cursor: Any, channel: Channel, counted: Sequence[tuple[Row, Decimal]]) -> tuple[set[int], int]:
    """Locks the rows; → those whose level and expectation are of one moment, and how many events are in work.

    In this order: an event that is processed at any moment is among those in work, or among the marks, or has changed its row.
    """
    cursor.execute(
        "SELECT id, shown, turn FROM inventory_listinglevel WHERE id = ANY(%s) AND attempts = 0 ORDER BY id FOR UPDATE",
        [[row.id for row, _ in counted]],
    )
    fresh = {id_: rest for id_, *rest in cursor.fetchall()}
    pending = drift_evidence.in_work(cursor, channel.pk)
    cursor.execute(
        "SELECT DISTINCT product_id FROM inventory_stockchange WHERE channel_id IN (%s, -%s) AND product_id = ANY(%s)",
        [channel.pk, channel.pk, [row.product_id for row, _ in counted]],
    )
    marked = {product for (product,) in cursor.fetchall()}
    steady = {
        row.id for row, _ in counted if fresh.get(row.id) == [row.shown, row.turn] and row.product_id not in marked
    }
    return steady, pending


def _judged(cursor: Any, channel: Channel, apart: Mapping[Row, Decimal], pending: int, now: datetime) -> list[_Apart]:
    cursor.execute(
        "SELECT listing_id, remote_id, found - expected, cause, found_at FROM inventory_stockdrift"
        " WHERE state = 'open' AND listing_id = ANY(%s)",
        [[row.listing_id for row in apart]],
    )
    known = {(listing, remote): rest for listing, remote, *rest in cursor.fetchall()}
    stuck = drift_evidence.stuck(
        cursor, channel.pk, sorted({name for row in apart for name in (row.item_id, row.stock_id)})
    )
    before = drift_evidence.before_push(cursor, [row.id for row in apart])
    bundles = drift_evidence.bundles(cursor, [row.listing_id for row in apart])
    lists = drift_evidence.lists(channel)
    judged = []
    for row, found in apart.items():
        difference, cause, since = known.get((row.listing_id, row.remote_id), (None, "", now))
        if difference != found - row.shown:
            since = now
        evidence = Evidence(
            expected=row.shown,
            found=found,
            age=now - since,
            pending=pending + max(stuck.get(row.item_id, 0), stuck.get(row.stock_id, 0)),
            unread=next((name for name, until in lists if until < since), ""),
            before_push=before.get(row.id),
            was_lost_push=cause == Cause.LOST_PUSH,
            is_bundle=row.listing_id in bundles,
        )
        judged.append(_Apart(row, evidence, judge(evidence, grace())))
    return judged


def _choice(verdict: Verdict, edits: str) -> str:
    """adopt, overwrite or ask."""
    if not verdict.is_final:
        return "ask"
    return edits if verdict.cause == Cause.MANUAL_EDIT else "overwrite"


def _refuse_pending(judged: Sequence[_Apart]) -> None:
    for a in judged:
        if a.evidence.pending:
            raise Refused(Problem("SALES_PENDING", a.row.item_id, a.verdict.message))


def _settle(cursor: Any, channel: Channel, a: _Apart, drift_id: int, choice: str, actor: str, now: datetime) -> str:
    """→ the state of the difference after it."""
    if choice == "ask":
        return "open"
    if choice == "adopt":
        try:
            with transaction.atomic():
                _adopt(channel, a, drift_id, actor)
        except Refused as refused:
            if actor != POLICY:
                raise
            said = f"{a.verdict.message} It cannot be taken over: {refused.problems[0].message}."
            cursor.execute("UPDATE inventory_stockdrift SET message = %s WHERE id = %s", [said[:1000], drift_id])
            return "open"
        state = "adopted"
    else:
        availability.take_as_shown(listing_id=a.row.listing_id, remote_id=a.row.remote_id, actual=a.evidence.found)
        state = "overwritten"
    cursor.execute(
        "UPDATE inventory_stockdrift SET state = %s, closed_at = %s, closed_by = %s WHERE id = %s",
        [state, now, actor, drift_id],
    )
    said = {
        "item": a.row.item_id,
        "expected": plain(a.row.shown),
        "found": plain(a.evidence.found),
        "cause": a.verdict.cause,
    }
    audit.record([(channel.company_id, actor, state, "stock_drift", drift_id, said)])
    return state


def _adopt(channel: Channel, a: _Apart, drift_id: int, actor: str) -> None:
    """Our level moves by the difference, as by a sale or return of the channel's own: its listing shows it already."""
    if a.evidence.is_bundle:
        raise Refused(
            Problem("BUNDLE_HAS_NO_STOCK", a.row.item_id, "a bundle has no stock of its own that could be moved")
        )
    product = Product.objects.get(pk=a.row.product_id)
    for number, (location, units) in enumerate(_shares(channel, a.row, a.evidence.found - a.row.shown)):
        documents.adjust(
            company=channel.company, lines=[Line(product.sku, units, where=a.row.item_id)], location=location, actor=actor,
            reason=f"{channel.slug} shows {plain(a.evidence.found)} of it instead of {plain(a.row.shown)}",
            reference=f"drift {drift_id}" + (f" {number + 1}" if number else ""), channel_id=channel.pk,
        )  # fmt: skip


def _shares(channel: Channel, row: Row, units: Decimal) -> list[tuple[str, Decimal]]:
    """At which of our places: found units go to the first, missing ones are missed where there are any, the oldest place first."""
    place = ChannelLocation.objects.filter(channel=channel, remote_id=row.remote_id).first()
    own = [channel.stock_location] if channel.stock_location and place is None else []
    chosen = place.locations if place and place.locations else own
    kept = Level.objects.filter(product_id=row.product_id).order_by("id")
    levels = [level for level in kept if not chosen or level.location in chosen]
    first = levels[0].location if levels else (chosen[0] if chosen else DEFAULT_LOCATION)
    if units > 0:
        return [(first, units)]
    shares: dict[str, Decimal] = defaultdict(Decimal)
    left = -units
    for level in levels:
        taken = min(left, max(level.available, ZERO))
        if taken:
            shares[level.location] -= taken
            left -= taken
    if left:  # more than is free: whoever it is held for, or a refusal
        shares[first] -= left
    return list(shares.items())


# --- what is kept of a difference


def keep(
    cursor: Any, rows: Sequence[tuple[int, str, Decimal, Decimal, str, str]], now: datetime
) -> dict[tuple[int, str], int]:
    """(listing, place, expected, found, cause, message) → the open row of each. Apart by another number it begins anew."""
    cursor.execute(
        """
        INSERT INTO inventory_stockdrift AS d (company_id, listing_id, remote_id, expected, found, cause, message, found_at)
        SELECT p.company_id, n.listing_id, n.remote_id, n.expected, n.found, n.cause, left(n.message, 1000), %s
          FROM unnest(%s::bigint[], %s::text[], %s::numeric[], %s::numeric[], %s::text[], %s::text[])
            AS n(listing_id, remote_id, expected, found, cause, message)
          JOIN inventory_listing l ON l.id = n.listing_id JOIN inventory_product p ON p.id = l.product_id
         ORDER BY 2, 3
        ON CONFLICT (listing_id, remote_id) WHERE state = 'open' DO UPDATE SET
               expected = excluded.expected, found = excluded.found, message = excluded.message,
               cause = CASE WHEN excluded.cause = 'unknown' AND (d.cause = 'lost_push' OR d.found - d.expected = excluded.found - excluded.expected)
                            THEN d.cause ELSE excluded.cause END,
               found_at = CASE WHEN d.found - d.expected = excluded.found - excluded.expected THEN d.found_at
                               ELSE excluded.found_at END
        RETURNING listing_id, remote_id, id
        """,
        [now, *(list(column) for column in zip(*rows, strict=True))],
    )
    return {(listing, remote): id_ for listing, remote, id_ in cursor.fetchall()}


def close_gone(cursor: Any, places: Sequence[tuple[int, str]], now: datetime) -> int:
    """What was apart at these listings' places no longer is; → how many."""
    cursor.execute(
        "UPDATE inventory_stockdrift d SET state = 'gone', closed_at = %s"
        " FROM unnest(%s::bigint[], %s::text[]) AS n(listing_id, remote_id)"
        " WHERE d.listing_id = n.listing_id AND d.remote_id = n.remote_id AND d.state = 'open' RETURNING d.id",
        [now, [listing for listing, _ in places], [remote for _, remote in places]],
    )
    closed = [id_ for (id_,) in cursor.fetchall()]
    if closed:
        drift_evidence.name_sales(cursor, closed)
    return len(closed)


def keep_met(cursor: Any, differences: Sequence[Difference], now: datetime) -> None:
    """Differences that pushes met: a lost call shows at once, anything else with time."""
    places = [(d.listing_id, d.remote_id) for d in differences]
    cursor.execute(
        "SELECT v.listing_id, v.remote_id, v.id FROM inventory_listinglevel v"
        " JOIN unnest(%s::bigint[], %s::text[]) AS n(listing_id, remote_id) USING (listing_id, remote_id)",
        [[listing for listing, _ in places], [remote for _, remote in places]],
    )
    ids = {(listing, remote): id_ for listing, remote, id_ in cursor.fetchall()}
    before = drift_evidence.before_push(cursor, list(ids.values()))
    rows = []
    for d in differences:
        lost = is_lost_push(d.found, before.get(ids.get((d.listing_id, d.remote_id), 0)))
        cause = Cause.LOST_PUSH if lost else Cause.UNKNOWN
        said = f"When its level was to be set, it showed {plain(d.found)} instead of {plain(d.expected)}."
        rows.append((d.listing_id, d.remote_id, d.expected, d.found, cause, said))
    keep(cursor, rows, now)
