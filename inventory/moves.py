"""Moves stock: the only writer of levels and movements, in the same transaction as the sale.

Like the books, stock is kept by difference: what a family's lines should have moved, less what their movements add up to.
Levels are locked in one order (product, location), so that carts in opposite order cannot deadlock.

A movement carries what its units had cost, where that was known when the line first left the shelf: the product's cost of that
moment stays the line's, whatever it costs later, and a refund brings back its share of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from channels.arrivals import ChannelFacts
from channels.families import FamilyWork
from inventory.stock import Returns, Want, cost_of, wanted
from salessync.core import bulk

DEFAULT_LOCATION = "main"
ZERO = Decimal(0)

Slot = tuple[int, str, int]  # transaction, line, product


class Product(NamedTuple):
    """`cost` of one unit in minor units of the company's base currency; None: not known, or in another currency."""

    id: int
    cost: int | None


class Standing(NamedTuple):
    """What a line's movements add up to at one place; `left` once it has left the shelf, with the unit cost of then."""

    location: str
    sequence: int
    on_hand: Decimal
    reserved: Decimal
    cost: int
    left: bool
    unit_cost: int | None


class Target:
    """What a line's movements at one place should add up to."""

    __slots__ = ("cost", "on_hand", "reserved", "unit_cost")

    def __init__(self) -> None:
        self.on_hand = self.reserved = ZERO
        self.cost: int | None = None
        self.unit_cost: int | None = None


class Delta(NamedTuple):
    """One movement to write; `cost` in minor units of the company's base currency, signed like `on_hand`."""

    company_id: int
    product_id: int
    location: str
    kind: str
    transaction_id: int
    line_id: str
    sequence: int
    on_hand: Decimal
    reserved: Decimal
    cost: int | None = None
    unit_cost: int | None = None


def apply(works: Sequence[FamilyWork], created: set[int]) -> int:
    """Bring the stock of every family to what it should be; returns how many levels fell below zero."""
    wants = [(work.channel, want) for work in works if _posts(work) for want in wanted(work.family)]
    owners = {work_id: work.channel for work in works for work_id in work.versions}
    standing = _standing([id_ for id_ in owners if id_ not in created])
    if not wants and not standing:
        return 0
    products = _products(wants)
    _note_unmapped(wants, products)
    deltas = _deltas(wants, products, standing, owners, _places({p.id for p in products.values()}))
    return _write(deltas) if deltas else 0


def _posts(work: FamilyWork) -> bool:
    return work.family.sale is not None and work.channel.posts(work.family.sale.record)


def _products(wants: Iterable[tuple[ChannelFacts, Want]]) -> dict[tuple[int, str], Product]:
    """(channel, item id) → product: as the channel's listing says, else by the product's own SKU."""
    asked = {(channel.id, channel.company_id, channel.base_currency, want.sku) for channel, want in wants}
    if not asked:
        return {}
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT a.channel_id, a.sku, q.id, CASE WHEN q.currency IN ('', a.base_currency) THEN q.cost END
              FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS a(channel_id, company_id, base_currency, sku)
              LEFT JOIN inventory_listing l ON l.channel_id = a.channel_id AND l.item_id = a.sku
              LEFT JOIN inventory_product p ON p.company_id = a.company_id AND p.sku = a.sku
              JOIN inventory_product q ON q.id = COALESCE(l.product_id, p.id)
            """,
            [list(column) for column in zip(*asked, strict=True)],
        )
        return {(channel, sku): Product(id_, cost) for channel, sku, id_, cost in cursor.fetchall()}


def _note_unmapped(wants: Iterable[tuple[ChannelFacts, Want]], products: dict[tuple[int, str], Product]) -> None:
    unknown = sorted({(c.id, w.sku, w.name) for c, w in wants if (c.id, w.sku) not in products})
    if unknown:
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                "INSERT INTO inventory_unmappeditem (channel_id, item_id, name)"
                " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING",
                [list(column) for column in zip(*unknown, strict=True)],
            )


def _places(product_ids: Iterable[int]) -> dict[int, list[str]]:
    """Where each product is kept, the oldest place first."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT product_id, array_agg(location ORDER BY id) FROM inventory_level"
            " WHERE product_id = ANY(%s) GROUP BY product_id",
            [list(set(product_ids))],
        )
        return dict(cursor.fetchall())


def _standing(ids: list[int]) -> dict[Slot, list[Standing]]:
    """What the movements of known transactions add up to, by line, product and place."""
    found: dict[Slot, list[Standing]] = defaultdict(list)
    if ids:
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                "SELECT transaction_id, line_id, product_id, location, max(sequence), sum(on_hand), sum(reserved),"
                " COALESCE(sum(cost), 0)::bigint, bool_or(on_hand <> 0), max(unit_cost)"
                " FROM inventory_movement WHERE transaction_id = ANY(%s) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, min(id)",
                [ids],
            )
            for transaction_id, line_id, product_id, *rest in cursor.fetchall():
                found[transaction_id, line_id, product_id].append(Standing(*rest))
    return found


def _deltas(
    wants: Iterable[tuple[ChannelFacts, Want]],
    products: dict[tuple[int, str], Product],
    standing: dict[Slot, list[Standing]],
    owners: dict[int, ChannelFacts],
    places: dict[int, list[str]],
) -> list[Delta]:
    targets = _targets(wants, products, standing, places)
    done = {(slot, row.location): row for slot, rows in standing.items() for row in rows}
    nothing = Target()
    deltas = []
    for slot, place in {**targets, **done}:
        target, row = targets.get((slot, place), nothing), done.get((slot, place))
        sequence, hand, held, cost = row[1:5] if row else (0, ZERO, ZERO, 0)
        change = (target.cost or 0) - cost
        if target.on_hand != hand or target.reserved != held or change:
            transaction_id, line_id, product = slot
            kind = "refund" if target.on_hand > 0 or hand > 0 else "sale"
            known = change or (target.cost is not None and target.on_hand != hand)
            deltas.append(
                Delta(owners[transaction_id].company_id, product, place, kind, transaction_id, line_id, sequence + 1,
                      target.on_hand - hand, target.reserved - held, change if known else None, target.unit_cost)
            )  # fmt: skip
    return deltas


def _targets(
    wants: Iterable[tuple[ChannelFacts, Want]],
    products: dict[tuple[int, str], Product],
    standing: dict[Slot, list[Standing]],
    places: dict[int, list[str]],
) -> dict[tuple[Slot, str], Target]:
    """Of each family the sale comes before its refunds, and these in the order in which they happened: each brings back its share."""
    targets: dict[tuple[Slot, str], Target] = {}
    sold: dict[Slot, Returns] = {}
    for channel, want in wants:
        product = products.get((channel.id, want.sku))
        if product is None:
            continue
        slot = (want.transaction_id, want.line_id, product.id)
        moved_before = standing.get(slot)  # a line stays where it was taken from, whatever the settings say now
        place = moved_before[0].location if moved_before else _place(want, channel, places.get(product.id, []))
        target = targets.get((slot, place))
        if target is None:
            target = targets[slot, place] = Target()
        target.on_hand += want.on_hand
        target.reserved += want.reserved
        if want.sale_id != want.transaction_id:
            if (line := sold.get((want.sale_id, want.line_id, product.id))) is not None:
                target.cost = (target.cost or 0) + line.take(want.on_hand)
        elif want.on_hand and (unit_cost := _unit_cost(product, moved_before)) is not None:
            target.cost, target.unit_cost = cost_of(want.on_hand, unit_cost), unit_cost
            if target.cost is not None:
                sold[slot] = Returns(want.on_hand, target.cost)
    return targets


def _unit_cost(product: Product, moved_before: Sequence[Standing] | None) -> int | None:
    """Of the moment when the line first left the shelf: now, or what was known then."""
    for row in moved_before or ():
        if row.left:
            return row.unit_cost
    return product.cost


def _place(want: Want, channel: ChannelFacts, places: list[str]) -> str:
    """The place that the sale names, else the channel's, where the product is kept there; else where it is kept."""
    for place in (want.location, channel.stock_location):
        if place and place in places:
            return place
    return places[0] if places else (channel.stock_location or DEFAULT_LOCATION)


_MOVEMENT = [
    ("company_id", "int8"), ("product_id", "int8"), ("location", "text"), ("kind", "text"), ("transaction_id", "int8"),
    ("line_id", "text"), ("sequence", "int4"), ("on_hand", "numeric"), ("reserved", "numeric"),
    ("cost", "int8"), ("unit_cost", "int8"),
]  # fmt: skip


def _write(deltas: Sequence[Delta]) -> int:
    bulk.copy_in("inventory_movement", _MOVEMENT, deltas)
    sums: dict[tuple[int, str], list[Any]] = {}
    for delta in deltas:
        entry = sums.setdefault((delta.product_id, delta.location), [delta.company_id, ZERO, ZERO])
        entry[1] += delta.on_hand
        entry[2] += delta.reserved
    short = [row for row in change_levels(sums) if row[3] < 0 and row[4] < 0]
    if short:
        takers = {(d.product_id, d.location): d.transaction_id for d in deltas if d.on_hand < 0}
        _flag_oversold(short, takers)
    _settle_oversells(sums)
    return len(short)


def change_levels(sums: dict[tuple[int, str], list[Any]]) -> list[tuple[int, int, str, Decimal, Decimal]]:
    """Add [company, on hand, reserved] to each (product, location), in one order → (level, product, location, on hand, change)."""
    rows = sorted((product, place, *values) for (product, place), values in sums.items())
    products, places, companies, hands, helds = (list(column) for column in zip(*rows, strict=True))
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_level (product_id, location, company_id, on_hand, reserved)"
            " SELECT product_id, location, company_id, 0, 0"
            " FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS n(product_id, location, company_id)"
            " WHERE NOT EXISTS (SELECT FROM inventory_level l WHERE l.product_id = n.product_id AND l.location = n.location)"
            " ON CONFLICT DO NOTHING",
            [products, places, companies],
        )
        cursor.execute(  # in one order for everybody: that is why two carts in opposite order do not deadlock
            "SELECT count(*) FROM (SELECT l.id FROM inventory_level l JOIN unnest(%s::bigint[], %s::text[])"
            " AS n(product_id, location) USING (product_id, location) ORDER BY l.product_id, l.location FOR UPDATE OF l) x",
            [products, places],
        )
        cursor.execute(
            "UPDATE inventory_level l SET on_hand = l.on_hand + n.hand, reserved = l.reserved + n.held"
            " FROM unnest(%s::bigint[], %s::text[], %s::numeric[], %s::numeric[]) AS n(product_id, location, hand, held)"
            " WHERE l.product_id = n.product_id AND l.location = n.location"
            " RETURNING l.id, l.product_id, l.location, l.on_hand, n.hand",
            [products, places, hands, helds],
        )
        return [tuple(row) for row in cursor.fetchall()]


def _flag_oversold(short: list[tuple[int, int, str, Decimal, Decimal]], takers: dict[tuple[int, str], int]) -> None:
    """Say so, and have every listing of the product show zero."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO inventory_oversell (company_id, level_id, transaction_id, short)
            SELECT l.company_id, l.id, s.transaction_id, -l.on_hand
              FROM unnest(%s::bigint[], %s::bigint[]) AS s(level_id, transaction_id)
              JOIN inventory_level l ON l.id = s.level_id
            """,
            [[row[0] for row in short], [takers.get((row[1], row[2]), 0) for row in short]],
        )
        cursor.execute(
            """
            INSERT INTO inventory_stockchange (product_id, units) SELECT DISTINCT p, 0 FROM unnest(%s::bigint[]) p
            """,
            [[row[1] for row in short]],
        )


def _settle_oversells(sums: dict[tuple[int, str], list[Any]]) -> None:
    """An oversell is over once its level is no longer below zero."""
    filled = [product for (product, _), values in sums.items() if values[1] > 0]
    if filled:
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                "UPDATE inventory_oversell o SET resolved_at = now() FROM inventory_level l"
                " WHERE l.id = o.level_id AND l.on_hand >= 0 AND o.resolved_at IS NULL AND l.product_id = ANY(%s)",
                [filled],
            )


def set_opening(*, company_id: int, wanted: dict[tuple[int, str], Decimal]) -> int:
    """Opening stock by (product, location): moves the difference to what earlier openings gave; → how many movements."""
    with bulk.binary_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7202, %s::int)", [company_id])
        cursor.execute(
            "SELECT product_id, location, sum(on_hand), max(sequence) FROM inventory_movement"
            " WHERE kind = 'opening' AND product_id = ANY(%s) GROUP BY 1, 2",
            [[product for product, _ in wanted]],
        )
        before = {(product, place): (units, last) for product, place, units, last in cursor.fetchall()}
    rows, sums = [], {}
    for (product, place), units in wanted.items():
        had, last = before.get((product, place), (ZERO, 0))
        if units != had or last == 0:
            rows.append((company_id, product, place, "opening", None, "", last + 1, units - had, ZERO, None, None))
            sums[product, place] = [company_id, units - had, ZERO]
    if rows:
        bulk.copy_in("inventory_movement", _MOVEMENT, rows)
        change_levels(sums)
        _settle_oversells(sums)
    return len(rows)
