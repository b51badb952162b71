"""What is on the shelf: the only writer of levels, of movements and of the marks that have listings looked at.

Levels are locked in one order (product, location), so that carts in opposite order cannot deadlock.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from salessync.core import bulk

ZERO = Decimal(0)
DEFAULT_LOCATION = "main"
MOVEMENT = [
    ("company_id", "int8"), ("product_id", "int8"), ("location", "text"), ("kind", "text"), ("transaction_id", "int8"),
    ("line_id", "text"), ("sequence", "int4"), ("on_hand", "numeric"), ("reserved", "numeric"),
    ("cost", "int8"), ("unit_cost", "int8"), ("reservation_id", "int8"), ("document_id", "int8"),
]  # fmt: skip


class Delta(NamedTuple):
    """One movement to write; `cost` in minor units of the company's base currency, signed like `on_hand`."""

    company_id: int
    product_id: int
    location: str
    kind: str
    transaction_id: int | None
    line_id: str
    sequence: int
    on_hand: Decimal
    reserved: Decimal
    cost: int | None = None
    unit_cost: int | None = None
    reservation_id: int | None = None
    document_id: int | None = None


def write(deltas: Sequence[Delta], sold_by: Callable[[Delta], int | None] = lambda delta: None) -> int:
    """Movements, levels, and a mark on each product whose listings are to be looked at; returns how many levels fell below zero.

    `sold_by`: the channel that moved its own stock already.
    """
    bulk.copy_in("inventory_movement", MOVEMENT, deltas)
    sums: dict[tuple[int, str], list[Any]] = {}
    marks: dict[tuple[int, int | None], Decimal] = defaultdict(Decimal)
    for delta in deltas:
        entry = sums.setdefault((delta.product_id, delta.location), [delta.company_id, ZERO, ZERO])
        entry[1] += delta.on_hand
        entry[2] += delta.reserved
        marks[delta.product_id, sold_by(delta)] += delta.on_hand - delta.reserved
    short = [row for row in change_levels(sums) if row[3] < 0 and row[4] < 0]
    if short:
        takers = {(d.product_id, d.location): d.transaction_id for d in deltas if d.on_hand < 0 and d.transaction_id}
        _flag_oversold(short, takers)
    _settle_oversells(sums)
    mark(marks)
    return len(short)


def mark(units: Mapping[tuple[int, int | None], Decimal]) -> None:
    """(product, the channel that moved it itself) → change of what is available: the next push looks at the product's listings."""
    bulk.copy_in(
        "inventory_stockchange", [("product_id", "int8"), ("channel_id", "int8"), ("units", "numeric")],
        ((product, channel, change) for (product, channel), change in units.items()),
    )  # fmt: skip


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
            " ORDER BY product_id, location ON CONFLICT DO NOTHING",
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
    """Say so; the mark on the product has every listing show zero at once."""
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
    deltas = []
    for (product, place), units in wanted.items():
        had, last = before.get((product, place), (ZERO, 0))
        if units != had or last == 0:
            deltas.append(Delta(company_id, product, place, "opening", None, "", last + 1, units - had, ZERO))
    if deltas:
        write(deltas)
    return len(deltas)
