"""Turns marks on products into what each listing should show: set-based, one transaction a batch.

What a place of a channel may sell: on hand less reserved over its locations, less the listing's buffer, never below zero; of a
bundle as many as its scarcest part gives. A product that is kept nowhere (a service) has no level to tell.

A mark of the channel's own sale moves what its listing shows as well: the vendor has deducted it already, so there is nothing to
tell it, and the echo of its own sale is never sent. Which of several listings or places sold is not known: then none is, and all
of them are told again.

While a call has no answer (attempts above 0, inventory/shown.py) its row stands still, so that the same call can be made again; its own
channel's sales wait as marks for that listing alone (the channel's id negative), and `refresh` takes up the rest when it is answered.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from channels import adapter as adapters
from channels import capabilities
from channels.models import Channel
from salessync.core import bulk

MARKS = 500  # in one transaction
ZERO = Decimal(0)


class Look(NamedTuple):
    """Marks taken, and the channels with listings that became due."""

    marks: int
    channels: frozenset[int]


def window() -> float:
    """Seconds between two calls for one listing, STOCK_PUSH_WINDOW."""
    return float(settings.STOCK_PUSH_WINDOW)


def can_be_told(channel: Channel) -> bool:
    """Whether levels go to this channel at all: live, with credentials, of a vendor that takes them, and wanted so."""
    adapter = adapters.get(channel.adapter)
    if channel.status != Channel.Status.LIVE or not capabilities.overrides(adapter, "push_stock"):
        return False
    policy = getattr(channel, "stock_policy", None)
    return (policy is None or policy.is_pushed) and channel.asks


def look(*, limit: int = MARKS) -> Look:
    """Take marks away and bring their listings up to date; several workers may look at the same time."""
    with transaction.atomic(), bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM inventory_stockchange WHERE id IN (
                SELECT s.id FROM inventory_stockchange s WHERE s.channel_id IS NULL OR s.channel_id > 0 OR NOT EXISTS (
                    SELECT FROM inventory_listing l JOIN inventory_listinglevel v ON v.listing_id = l.id
                     WHERE l.product_id = s.product_id AND l.channel_id = -s.channel_id AND v.attempts > 0)
                 ORDER BY s.id LIMIT %s FOR UPDATE OF s SKIP LOCKED)
            RETURNING product_id, channel_id, units, at
            """,
            [limit],
        )
        marks = cursor.fetchall()
        if not marks:
            return Look(0, frozenset())
        cursor.execute("SET LOCAL synchronous_commit = off")  # a crash brings the marks back
        own: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
        first: dict[int, datetime] = {}
        for product, channel, units, at in marks:
            first[product] = min(first.get(product, at), at)
            if channel is not None:
                own[product, abs(channel)] += units
        _bundles(cursor, first)
        told = _told(cursor, list(first))
        _add_rows(cursor, list(first), told)
        rows = _lock(cursor, list(first))
        _wait(cursor, rows, own, first)
        return Look(len(marks), _bring_up_to_date(cursor, rows, own, first, told))


def look_again(*, channel_id: int) -> int:
    """Mark every product that the channel lists: it is connected, or allowed again, or its settings changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_stockchange (product_id) SELECT DISTINCT product_id FROM inventory_listing"
            " WHERE channel_id = %s",
            [channel_id],
        )
        return cursor.rowcount


def take_as_shown(*, listing_id: int, remote_id: str, actual: Decimal) -> None:
    """The listing shows that, and no sale on its way to us explains it: ours is set over it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_listinglevel SET shown = %s, changed_at = clock_timestamp(), next_at = clock_timestamp(),"
            " state = CASE WHEN state = 'failed' THEN state WHEN wanted <> %s THEN 'due' ELSE 'idle' END"
            " WHERE listing_id = %s AND remote_id = %s AND attempts = 0",
            [actual, actual, listing_id, remote_id],
        )
        if not cursor.rowcount:
            cursor.execute(  # a call is under way or unanswered: what it did is found out without comparing
                "UPDATE inventory_listinglevel SET shown = NULL WHERE listing_id = %s AND remote_id = %s",
                [listing_id, remote_id],
            )


def _bundles(cursor: Any, first: dict[int, datetime]) -> None:
    """What a marked product is a part of, however deep inside, changed with it."""
    cursor.execute(
        """
        WITH RECURSIVE around (part, bundle) AS (
            SELECT part_id, bundle_id FROM inventory_component WHERE part_id = ANY(%s)
             UNION SELECT a.part, c.bundle_id FROM around a JOIN inventory_component c ON c.part_id = a.bundle)
        SELECT part, bundle FROM around
        """,
        [list(first)],
    )
    found = [(bundle, first[part]) for part, bundle in cursor.fetchall()]
    for bundle, at in found:
        first[bundle] = min(first.get(bundle, at), at)


def _told(cursor: Any, products: list[int]) -> list[int]:
    """The channels that list one of them and are told."""
    cursor.execute("SELECT DISTINCT channel_id FROM inventory_listing WHERE product_id = ANY(%s)", [products])
    ids = [row[0] for row in cursor.fetchall()]
    channels = Channel.objects.filter(pk__in=ids).select_related("stock_policy")
    return [channel.pk for channel in channels if can_be_told(channel)]


# What is in one of each of these bundles, bundles inside of bundles taken apart.
_LEAVES = """
    inside (bundle, part, units, path) AS (
        SELECT c.bundle_id, c.part_id, c.quantity::numeric, ARRAY[c.bundle_id, c.part_id]
          FROM inventory_component c WHERE c.bundle_id IN ({})
         UNION ALL
        SELECT i.bundle, c.part_id, i.units * c.quantity, i.path || c.part_id
          FROM inside i JOIN inventory_component c ON c.bundle_id = i.part WHERE c.part_id <> ALL(i.path)),
    leaves AS (
        SELECT bundle, part, sum(units) AS units FROM inside i
         WHERE NOT EXISTS (SELECT FROM inventory_component c WHERE c.bundle_id = i.part) GROUP BY 1, 2)
"""


def _add_rows(cursor: Any, products: list[int], told: list[int]) -> None:
    """A row for each place of each listing that has none yet."""
    cursor.execute(
        f"""
        WITH RECURSIVE {_LEAVES.format("SELECT unnest(%s::bigint[])")}
        INSERT INTO inventory_listinglevel (listing_id, channel_id, remote_id, wanted)
        SELECT l.id, l.channel_id, COALESCE(c.remote_id, ''), 0
          FROM inventory_listing l LEFT JOIN inventory_channellocation c ON c.channel_id = l.channel_id
         WHERE l.product_id = ANY(%s) AND l.channel_id = ANY(%s) AND l.is_pushed
           AND (EXISTS (SELECT FROM inventory_level k WHERE k.product_id = l.product_id)
                OR EXISTS (SELECT FROM leaves e JOIN inventory_level k ON k.product_id = e.part WHERE e.bundle = l.product_id))
           AND NOT EXISTS (SELECT FROM inventory_listinglevel v WHERE v.listing_id = l.id
                              AND v.remote_id = COALESCE(c.remote_id, ''))
         ORDER BY 1, 3
        ON CONFLICT DO NOTHING
        """,  # noqa: S608 -- the text above
        [products, products, told],
    )


class _Row(NamedTuple):
    """`stands`: its place still exists; `attempts`: without an answer."""

    id: int
    product: int
    channel: int
    stands: bool
    attempts: int


def _lock(cursor: Any, products: list[int]) -> list[_Row]:
    """The rows of these products, locked in one order: whoever computes them next sees our levels."""
    cursor.execute(
        """
        SELECT v.id, l.product_id, v.channel_id,
               EXISTS (SELECT FROM inventory_channellocation c WHERE c.channel_id = v.channel_id AND c.remote_id = v.remote_id)
               OR NOT EXISTS (SELECT FROM inventory_channellocation c WHERE c.channel_id = v.channel_id) AND v.remote_id = '',
               v.attempts
          FROM inventory_listinglevel v JOIN inventory_listing l ON l.id = v.listing_id
         WHERE l.product_id = ANY(%s) ORDER BY v.id FOR UPDATE OF v
        """,
        [products],
    )
    return [_Row(*row) for row in cursor.fetchall()]


def _wait(cursor: Any, rows: Sequence[_Row], own: dict[tuple[int, int], Decimal], first: dict[int, datetime]) -> None:
    """Own sales of listings that stand still wait until these are answered."""
    waiting = {(row.product, row.channel) for row in rows if row.attempts and (row.product, row.channel) in own}
    marks = [(product, -channel, own.pop((product, channel)), first[product]) for product, channel in waiting]
    if marks:
        cursor.execute(
            "INSERT INTO inventory_stockchange (product_id, channel_id, units, at)"
            " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::numeric[], %s::timestamptz[])",
            [list(column) for column in zip(*marks, strict=True)],
        )


# What rows should show, for the parameters rows, channels that are told, rows; `told` false: nothing.
_FRESH = f"""
    {_LEAVES.format("SELECT l.product_id FROM inventory_listing l JOIN inventory_listinglevel v ON v.listing_id = l.id WHERE v.id = ANY(%s)")},
    fresh AS (
        SELECT r.id, r.told, GREATEST(min(CASE WHEN p.units IS NULL THEN s.units ELSE floor(s.units / p.units) END)
                                      - r.buffer, 0) AS wanted
          FROM (SELECT v.id, l.product_id, COALESCE(l.buffer, y.buffer, 0) AS buffer,
                       l.is_pushed AND l.channel_id = ANY(%s) AND (c.id IS NOT NULL OR v.remote_id = '' AND NOT EXISTS
                         (SELECT FROM inventory_channellocation o WHERE o.channel_id = l.channel_id)) AS told,
                       CASE WHEN c.id IS NOT NULL THEN NULLIF(c.locations, '{{}}')
                            WHEN h.stock_location <> '' THEN ARRAY[h.stock_location] END AS locations
                  FROM inventory_listinglevel v
                  JOIN inventory_listing l ON l.id = v.listing_id
                  JOIN channels_channel h ON h.id = l.channel_id
                  LEFT JOIN inventory_stockpolicy y ON y.channel_id = l.channel_id
                  LEFT JOIN inventory_channellocation c ON c.channel_id = l.channel_id AND c.remote_id = v.remote_id
                 WHERE v.id = ANY(%s)) r
          LEFT JOIN leaves p ON p.bundle = r.product_id
         CROSS JOIN LATERAL (SELECT COALESCE(sum(k.on_hand - k.reserved), 0) AS units FROM inventory_level k
                              WHERE k.product_id = COALESCE(p.part, r.product_id)
                                AND (r.locations IS NULL OR k.location = ANY(r.locations::text[]))) s
         GROUP BY r.id, r.told, r.buffer)
"""  # noqa: S608 -- the text above


def _bring_up_to_date(
    cursor: Any,
    rows: Sequence[_Row],
    own: dict[tuple[int, int], Decimal],
    first: dict[int, datetime],
    told: list[int],
) -> frozenset[int]:
    """Own sales into `shown`, our levels into `wanted`; → the channels with rows that are due now."""
    places = Counter((row.product, row.channel) for row in rows if row.stands)
    ids = [row.id for row in rows]
    units = [own.get((row.product, row.channel), ZERO) for row in rows]
    forget = [(row.product, row.channel) in own and places[row.product, row.channel] > 1 for row in rows]
    since = [first[row.product] for row in rows]
    cursor.execute(
        f"""
        WITH RECURSIVE {_FRESH}, moved AS (
            SELECT v.id, f.told, f.wanted, m.since, m.units, CASE WHEN NOT m.forget THEN v.shown + m.units END AS shown,
                   m.units <> 0 AND EXISTS (SELECT FROM inventory_stockdrift d WHERE d.listing_id = v.listing_id
                                               AND d.remote_id = v.remote_id AND d.state = 'open') AS explained
              FROM unnest(%s::bigint[], %s::numeric[], %s::bool[], %s::timestamptz[]) AS m(id, units, forget, since)
              JOIN inventory_listinglevel v USING (id) JOIN fresh f USING (id)),
        judged AS (
            SELECT v.id, CASE WHEN NOT m.told THEN 'idle'
                              WHEN v.state = 'failed' AND v.next_at > clock_timestamp() THEN 'failed'
                              WHEN v.attempts <> 0 OR m.shown IS NULL OR m.shown <> m.wanted OR m.explained THEN 'due'
                              ELSE 'idle' END AS state
              FROM moved m JOIN inventory_listinglevel v USING (id))
        UPDATE inventory_listinglevel v SET
               shown = m.shown, state = j.state,
               wanted = CASE WHEN v.attempts = 0 THEN m.wanted ELSE v.wanted END,
               changed_at = CASE WHEN v.state <> 'due' AND j.state = 'due' THEN m.since ELSE v.changed_at END,
               next_at = CASE WHEN v.state <> 'due' AND j.state = 'due'
                              THEN GREATEST(clock_timestamp(), v.told_at + make_interval(secs => %s)) ELSE v.next_at END
          FROM moved m JOIN judged j USING (id) WHERE v.id = m.id
        RETURNING v.channel_id, v.state = 'due'
        """,  # noqa: S608 -- the text above
        [ids, told, ids, ids, units, forget, since, window()],
    )
    return frozenset(channel for channel, due in cursor.fetchall() if due)


def refresh(cursor: Any, *, channel_id: int, gaps: Iterable[tuple[int, Decimal]]) -> None:
    """What answered rows should show now; due unless they differ from `shown` by just the gap that the answer left.

    A gap other than 0: the level could not be told in full, since none is below zero. The rows are locked already.
    """
    ids, left = (list(column) for column in zip(*gaps, strict=True))
    cursor.execute(
        f"""
        WITH RECURSIVE {_FRESH}
        UPDATE inventory_listinglevel v SET wanted = f.wanted,
               state = CASE WHEN v.state = 'failed' THEN 'failed' WHEN NOT f.told THEN 'idle'
                            WHEN v.shown IS NULL OR f.wanted - v.shown <> g.gap THEN 'due' ELSE 'idle' END
          FROM fresh f JOIN unnest(%s::bigint[], %s::numeric[]) AS g(id, gap) USING (id) WHERE v.id = f.id
        """,  # noqa: S608 -- the text above
        [ids, [channel_id], ids, ids, left],
    )
