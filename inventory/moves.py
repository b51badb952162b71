"""Moves stock with its sale, in the same transaction.

Like the books, stock is kept by difference: what a family's lines should have moved, less what their movements add up to.

A movement carries what its units had cost, where that was known when the line first left the shelf: the product's cost of that
moment stays the line's, whatever it costs later, and a refund brings back its share of it.

A bundle has no stock: its parts move. A sale that names a reservation takes it: what was held is let go in the same statement.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from channels.arrivals import ChannelFacts
from channels.families import FamilyWork
from channels.sale import Sale
from inventory import levels, reservations
from inventory.levels import DEFAULT_LOCATION, ZERO, Delta
from inventory.stock import Returns, Want, cost_of, wanted
from salessync.core import bulk

ONE = Decimal(1)

Slot = tuple[int, str, int]  # transaction, line, product


class Product(NamedTuple):
    """`cost` of one unit in minor units of the company's base currency; None: not known, or in another currency.

    `units` of it are in one unit of what was sold: more than one product in a `bundle`, of which one `leads`.
    """

    id: int
    cost: int | None
    units: Decimal = ONE
    bundle: int | None = None
    leads: bool = False


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


def apply(works: Sequence[FamilyWork], created: set[int]) -> int:
    """Bring the stock of every family to what it should be; returns how many movements that took."""
    wants = [(work.channel, want) for work in works if _posts(work) for want in wanted(work.family)]
    owners = {work_id: work.channel for work in works for work_id in work.versions}
    standing = _standing([id_ for id_ in owners if id_ not in created])
    deltas, products = _taken(works), dict[tuple[int, str], list[Product]]()
    if wants or standing:
        products = _products(wants)
        _note_unmapped(wants, products)
        places = _places({product.id for parts in products.values() for product in parts})
        deltas += _deltas(wants, products, standing, owners, places, reservations.places(deltas) if deltas else {})
    if not deltas:
        return 0
    parts = {
        (want.transaction_id, want.line_id, product.id): product
        for channel, want in wants
        for product in products.get((channel.id, want.sku), ())
        if product.bundle
    }
    _write(deltas, {id_: owner.id for id_, owner in owners.items()}, parts)
    return len(deltas)


def _write(deltas: Sequence[Delta], selling: dict[int, int], parts: dict[Slot, Product]) -> None:
    """The selling channel has taken the units off its own listing: of a bundle off the bundle's, and not off those of its parts."""

    def part(delta: Delta) -> Product | None:
        return parts.get((delta.transaction_id or 0, delta.line_id, delta.product_id)) if parts else None

    levels.write(deltas, lambda delta: None if part(delta) else selling.get(delta.transaction_id or 0))
    bundles: dict[tuple[int, int | None], Decimal] = defaultdict(Decimal)
    for delta in deltas if parts else ():
        if (one := part(delta)) is not None and one.leads and one.bundle:
            bundles[one.bundle, selling.get(delta.transaction_id or 0)] += (delta.on_hand - delta.reserved) / one.units
    if bundles:
        levels.mark(bundles)


def _posts(work: FamilyWork) -> bool:
    return work.family.sale is not None and work.channel.posts(work.family.sale.record)


def _products(wants: Iterable[tuple[ChannelFacts, Want]]) -> dict[tuple[int, str], list[Product]]:
    """(channel, item id) → product: as the channel's listing says, else by the product's own SKU; the parts of a bundle."""
    asked = {(channel.id, channel.company_id, channel.base_currency, want.sku) for channel, want in wants}
    if not asked:
        return {}
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT a.channel_id, a.sku, a.base_currency, q.id,
                   CASE WHEN q.average_cost IS NOT NULL THEN round(q.average_cost)::bigint
                        WHEN q.currency IN ('', a.base_currency) THEN q.cost END,
                   EXISTS (SELECT FROM inventory_component c WHERE c.bundle_id = q.id)
              FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS a(channel_id, company_id, base_currency, sku)
              LEFT JOIN inventory_listing l ON l.channel_id = a.channel_id AND l.item_id = a.sku
              LEFT JOIN inventory_product p ON p.company_id = a.company_id AND p.sku = a.sku
              JOIN inventory_product q ON q.id = COALESCE(l.product_id, p.id)
            """,
            [list(column) for column in zip(*asked, strict=True)],
        )
        rows = cursor.fetchall()
    bundles = {id_: base for _, _, base, id_, _, is_bundle in rows if is_bundle}
    parts = _parts(bundles) if bundles else {}
    return {(channel, sku): parts.get(id_) or [Product(id_, cost)] for channel, sku, _, id_, cost, _ in rows}


def _parts(bundles: dict[int, str]) -> dict[int, list[Product]]:
    """Bundle → what is in one of it, bundles inside of bundles taken apart; a product that is in it twice is there once, summed."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE inside (bundle, base, part, units, path) AS (
                SELECT b.id, b.base, c.part_id, c.quantity::numeric, ARRAY[b.id, c.part_id]
                  FROM unnest(%s::bigint[], %s::text[]) AS b(id, base) JOIN inventory_component c ON c.bundle_id = b.id
                 UNION ALL
                SELECT i.bundle, i.base, c.part_id, i.units * c.quantity, i.path || c.part_id
                  FROM inside i JOIN inventory_component c ON c.bundle_id = i.part
                 WHERE c.part_id <> ALL(i.path)
            )
            SELECT i.bundle, i.part, sum(i.units),
                   CASE WHEN p.average_cost IS NOT NULL THEN round(p.average_cost)::bigint
                        WHEN p.currency IN ('', i.base) THEN p.cost END
              FROM inside i JOIN inventory_product p ON p.id = i.part
             WHERE NOT EXISTS (SELECT FROM inventory_component c WHERE c.bundle_id = i.part)
             GROUP BY 1, 2, 4 ORDER BY 1, 2
            """,
            [list(bundles), list(bundles.values())],
        )
        found: dict[int, list[Product]] = {}
        for bundle, part, units, cost in cursor.fetchall():
            parts = found.setdefault(bundle, [])
            parts.append(Product(part, cost, units, bundle, leads=not parts))
        return found


def _note_unmapped(wants: Iterable[tuple[ChannelFacts, Want]], products: dict[tuple[int, str], list[Product]]) -> None:
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
    products: dict[tuple[int, str], list[Product]],
    standing: dict[Slot, list[Standing]],
    owners: dict[int, ChannelFacts],
    places: dict[int, list[str]],
    held_at: dict[tuple[int, int], str],
) -> list[Delta]:
    targets = _targets(wants, products, standing, places, held_at)
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
    products: dict[tuple[int, str], list[Product]],
    standing: dict[Slot, list[Standing]],
    places: dict[int, list[str]],
    held_at: dict[tuple[int, int], str],
) -> dict[tuple[Slot, str], Target]:
    """Of each family the sale comes before its refunds, and these in the order in which they happened: each brings back its share."""
    targets: dict[tuple[Slot, str], Target] = {}
    sold: dict[Slot, Returns] = {}
    for channel, want in wants:
        for product in products.get((channel.id, want.sku), ()):
            slot = (want.transaction_id, want.line_id, product.id)
            moved_before = standing.get(slot)  # a line stays where it was taken from, whatever the settings say now
            held = held_at.get((want.transaction_id, product.id))
            kept = places.get(product.id, [])
            place = moved_before[0].location if moved_before else _place(want, held, channel, kept)
            target = targets.get((slot, place))
            if target is None:
                target = targets[slot, place] = Target()
            on_hand = want.on_hand * product.units
            target.on_hand += on_hand
            target.reserved += want.reserved * product.units
            if want.sale_id != want.transaction_id:
                if (line := sold.get((want.sale_id, want.line_id, product.id))) is not None:
                    target.cost = (target.cost or 0) + line.take(on_hand)
            elif on_hand and (unit_cost := _unit_cost(product, moved_before)) is not None:
                target.cost, target.unit_cost = cost_of(on_hand, unit_cost), unit_cost
                if target.cost is not None:
                    sold[slot] = Returns(on_hand, target.cost)
    return targets


def _unit_cost(product: Product, moved_before: Sequence[Standing] | None) -> int | None:
    """Of the moment when the line first left the shelf: now, or what was known then."""
    for row in moved_before or ():
        if row.left:
            return row.unit_cost
    return product.cost


def _place(want: Want, held: str | None, channel: ChannelFacts, places: list[str]) -> str:
    """The place that the sale names, else where its reservation held it, else the channel's, where the product is kept there; else
    where it is kept.
    """
    for place in (want.location, held, channel.stock_location):
        if place and place in places:
            return place
    return places[0] if places else (channel.stock_location or DEFAULT_LOCATION)


def _taken(works: Sequence[FamilyWork]) -> list[Delta]:
    """What the reservations held that these sales name: it is let go, and the reservation is committed, however late its sale comes."""
    named = {
        sale.record.reservation: (work.channel.company_id, sale.transaction_id)
        for work in works
        if (sale := work.family.sale) is not None
        and isinstance(sale.record, Sale)
        and sale.record.reservation
        and _posts(work)
    }
    return reservations.commit(named) if named else []
