"""What is known about differences between what listings show and what we reckon with: for inventory/drift_causes.py to judge."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from channels import adapter as adapters
from channels.models import Channel, Reading

RECENT = 100_000  # of the newest movements, among which a cause is looked for: they have no index by product


def in_work(cursor: Any, channel_id: int) -> int:
    """Events of the channel that are stored and not processed, and objects that are still to be fetched."""
    cursor.execute(
        "SELECT (SELECT count(*) FROM channels_event WHERE channel_id = %s AND state IN ('new', 'claimed'))"
        " + (SELECT count(*) FROM channels_fetch WHERE channel_id = %s AND state = 'due')",
        [channel_id, channel_id],
    )
    return cursor.fetchone()[0]


def stuck(cursor: Any, channel_id: int, names: Sequence[str]) -> dict[str, int]:
    """Name of an item → how many events of the channel that wait, are quarantined or dead have it in their body."""
    spelled = {spelling: name for name in names for spelling in _spellings(name)}
    cursor.execute(
        "SELECT n.spelling, count(*) FROM channels_event e"
        " JOIN unnest(%s::text[], %s::bytea[]) AS n(spelling, quoted) ON position(n.quoted IN e.body) > 0"
        " WHERE e.channel_id = %s AND e.state IN ('waiting', 'quarantined', 'dead') GROUP BY 1",
        [list(spelled), [spelling.encode() for spelling in spelled], channel_id],
    )
    found: dict[str, int] = {}
    for spelling, count in cursor.fetchall():
        found[spelled[spelling]] = found.get(spelled[spelling], 0) + count
    return found


def _spellings(name: str) -> set[str]:
    """As a JSON body may write it; quotes are left out, since an id may be a number there."""
    return {json.dumps(name, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}


def lists(channel: Channel) -> list[tuple[str, datetime]]:
    """The channel's lists that bring sales, and until when everything in them has come for certain: their overlap is left out."""
    overlaps = {
        s.name: timedelta(seconds=s.overlap) for s in adapters.get(channel.adapter).streams if s.totals != "none"
    }
    live = channel.readings.filter(purpose=Reading.Purpose.LIVE).values_list("stream", "reached")
    return [(stream, reached - overlaps[stream]) for stream, reached in live if stream in overlaps]


def before_push(cursor: Any, level_ids: Sequence[int]) -> Mapping[int, Decimal]:
    """Row → what it would show if our last confirmed call had not been: without what others moved between change and confirmation."""
    cursor.execute(
        """
        WITH told AS MATERIALIZED (
            SELECT v.id, v.channel_id, v.shown, v.told_at, v.told_at - make_interval(secs => (v.lag_ms + 5) / 1000.0) AS since,
                   l.product_id, CASE WHEN c.id IS NOT NULL THEN NULLIF(c.locations, '{}')
                                      WHEN h.stock_location <> '' THEN ARRAY[h.stock_location] END AS locations
              FROM inventory_listinglevel v JOIN inventory_listing l ON l.id = v.listing_id
              JOIN channels_channel h ON h.id = v.channel_id
              LEFT JOIN inventory_channellocation c ON c.channel_id = v.channel_id AND c.remote_id = v.remote_id
             WHERE v.id = ANY(%s) AND v.told_at IS NOT NULL AND v.lag_ms IS NOT NULL AND v.shown IS NOT NULL)
        SELECT t.id, t.shown - sum(m.on_hand - m.reserved) FROM told t JOIN inventory_movement m
            ON m.product_id = t.product_id AND m.created_at BETWEEN t.since AND t.told_at
               AND m.id > (SELECT max(id) FROM inventory_movement) - %s
               AND (t.locations IS NULL OR m.location = ANY(t.locations::text[]))
          LEFT JOIN channels_transaction x ON x.id = m.transaction_id
         WHERE x.channel_id IS DISTINCT FROM t.channel_id
         GROUP BY t.id, t.shown HAVING sum(m.on_hand - m.reserved) <> 0
        """,
        [list(level_ids), RECENT],
    )
    return dict(cursor.fetchall())


def name_sales(cursor: Any, drift_ids: Sequence[int]) -> None:
    """Closed differences that an own sale of the channel, or a return of one, came for since: that was the cause."""
    cursor.execute(
        """
        UPDATE inventory_stockdrift d SET cause = 'unsynced_sale' FROM inventory_listing l
         WHERE d.id = ANY(%s) AND l.id = d.listing_id AND EXISTS (
               SELECT FROM inventory_movement m JOIN channels_transaction t ON t.id = m.transaction_id
                WHERE m.product_id = l.product_id AND t.channel_id = l.channel_id AND m.created_at >= d.found_at - interval '10 s'
                  AND m.id > (SELECT max(id) FROM inventory_movement) - %s
                  AND sign(m.on_hand - m.reserved) = sign(d.found - d.expected))
        """,
        [list(drift_ids), RECENT],
    )


def bundles(cursor: Any, listing_ids: Sequence[int]) -> frozenset[int]:
    """Of these listings those of bundles."""
    cursor.execute(
        "SELECT l.id FROM inventory_listing l WHERE l.id = ANY(%s)"
        " AND EXISTS (SELECT FROM inventory_component c WHERE c.bundle_id = l.product_id)",
        [list(listing_ids)],
    )
    return frozenset(row[0] for row in cursor.fetchall())
