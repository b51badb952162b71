"""Units held for carts and tills, until the sale comes, the caller lets them go, or their time is over.

A reservation's row is locked before the levels of its lines, and levels in their one order (inventory/levels.py): of a sale, a
release and the sweeper that come at the same time one finds it open, and gives its units back. A cart's levels are locked by one
statement, judged as they then are, and written by one: nobody can take them in between.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.db import connection, transaction

from channels.models import Channel
from inventory import levels, reserving
from inventory.levels import DEFAULT_LOCATION, ZERO, Delta
from inventory.models import Reservation, ReservationLine
from inventory.reserving import Allotted, Asked, Item
from salessync.core import bulk
from salessync.core.problems import Problem, Refused

OPEN = (Reservation.State.HELD, Reservation.State.PARTIAL)
MOST_LINES = 200
MOST_ROWS = 10_000  # of the parts of all bundles together
SHORTEST, LONGEST = 10, 86_400  # seconds

_LINE = [
    ("reservation_id", "int8"), ("position", "int2"), ("product_id", "int8"), ("sku", "text"), ("location", "text"),
    ("quantity", "numeric"), ("held", "numeric"),
]  # fmt: skip
_UUID = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Line(NamedTuple):
    """A line as it was asked for; `location` None: a bundle, whose parts may be held at several."""

    sku: str
    location: str | None
    quantity: Decimal
    held: Decimal


class Reserved(NamedTuple):
    """A reservation as it stands."""

    id: UUID
    channel: str
    reference: str
    state: str
    expires_at: datetime
    lines: list[Line]


class Short(Exception):
    """Not enough of it is there; nothing was held. `lines` tells what there is of each."""

    def __init__(self, lines: list[Allotted]) -> None:
        super().__init__("there is not enough of " + ", ".join(one.asked.sku for one in lines if one.is_short))
        self.lines = lines


class Closed(Exception):
    """It cannot be extended: it holds nothing any more, or its time is over."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


def reserve(
    *, channel: Channel, reference: str, lines: Sequence[Asked], expires_in: int, partial: bool, now: datetime
) -> Reserved:
    """Hold all of it, or with `partial` what there is of it, for `expires_in` seconds.

    Short where it is not there (with `partial`: where none of it is), Refused with every SKU that is not known. A line without a
    location is held at the channel's own place where the product is kept there, else where there is enough.
    """
    with transaction.atomic():
        items = _items(channel, {line.sku for line in lines})
        _require_known(lines, items)
        shelf = _lock(channel, lines, items)
        own = channel.stock_location
        allotted = reserving.allot(lines, items, shelf, own=own, elsewhere=own or DEFAULT_LOCATION)
        is_short = any(one.is_short for one in allotted)
        if is_short and not (partial and any(one.held for one in allotted)):
            raise Short(allotted)
        reservation = Reservation.objects.create(
            public_id=uuid4(), company_id=channel.company_id, channel=channel, reference=reference,
            state=Reservation.State.PARTIAL if is_short else Reservation.State.HELD,
            expires_at=now + timedelta(seconds=expires_in), created_at=now,
        )  # fmt: skip
        rows = list(_rows(reservation.pk, allotted))
        bulk.copy_in("inventory_reservationline", _LINE, rows)
        levels.write(
            [
                Delta(
                    channel.company_id, product, place, "hold", None, str(position), 1, ZERO, held, reservation_id=id_
                )
                for id_, position, product, _, place, _, held in rows
                if held
            ]
        )
        return _as_asked(reservation, [ReservationLine(**_named(row)) for row in rows])


def find(*, company_id: int, id: UUID) -> Reserved | None:
    """The company's reservation, however it ended."""
    found = Reservation.objects.select_related("channel").filter(company_id=company_id, public_id=id).first()
    return found and _as_asked(found, found.lines.order_by("position"))


def extend(*, company_id: int, id: UUID, expires_in: int, now: datetime) -> Reserved | None:
    """It lasts so many seconds from now at least; Closed where it is over. None: the company has no such reservation."""
    with transaction.atomic():
        found = _locked(company_id, id)
        if found is None:
            return None
        if found.state not in OPEN or found.expires_at <= now:
            raise Closed(found.state if found.state not in OPEN else Reservation.State.EXPIRED)
        found.expires_at = max(found.expires_at, now + timedelta(seconds=expires_in))
        found.save(update_fields=["expires_at"])
        return _as_asked(found, found.lines.order_by("position"))


def release(*, company_id: int, id: UUID, now: datetime) -> Reserved | None:
    """Let its units go; one that is over already stays as it is. None: the company has no such reservation."""
    with transaction.atomic():
        found = _locked(company_id, id)
        if found is None:
            return None
        if found.state in OPEN:
            found.state, found.closed_at = Reservation.State.RELEASED, now
            found.save(update_fields=["state", "closed_at"])
            _let_go([found.pk])
        return _as_asked(found, found.lines.order_by("position"))


def expire(*, limit: int = 500, now: datetime) -> int:
    """Let the units of reservations go whose time is over, the longest over first; returns how many. Several may sweep at once."""
    with transaction.atomic():
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                """
                UPDATE inventory_reservation r SET state = 'expired', closed_at = %s
                  FROM (SELECT id FROM inventory_reservation WHERE state IN ('held', 'partial') AND expires_at <= %s
                         ORDER BY expires_at, id LIMIT %s FOR UPDATE SKIP LOCKED) over
                 WHERE over.id = r.id RETURNING r.id
                """,
                [now, now, limit],
            )
            ids = [row[0] for row in cursor.fetchall()]
        _let_go(ids)
        return len(ids)


def commit(named: Mapping[str, tuple[int, int]]) -> list[Delta]:
    """Reservation → (company, the sale that names it): those that hold units still let them go, as movements for the caller to write.

    A reservation whose time was over is remembered as its sale's all the same. One that another sale took stays that sale's.
    """
    known = {UUID(name): sale for name, sale in named.items() if _UUID.fullmatch(name)}
    if not known:
        return []
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            WITH named AS MATERIALIZED (
                SELECT r.id, r.state, n.transaction_id FROM inventory_reservation r
                  JOIN unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS n(public_id, company_id, transaction_id)
                    ON r.public_id = n.public_id AND r.company_id = n.company_id
                 WHERE r.transaction_id IS NULL ORDER BY r.id FOR UPDATE OF r
            ), taken AS (
                UPDATE inventory_reservation r SET transaction_id = n.transaction_id,
                       state = CASE WHEN n.state IN ('held', 'partial') THEN 'committed' ELSE n.state END,
                       closed_at = COALESCE(r.closed_at, now())
                  FROM named n WHERE n.id = r.id
            )
            SELECT n.id, l.position, r.company_id, l.product_id, l.location, l.held FROM named n
              JOIN inventory_reservation r ON r.id = n.id JOIN inventory_reservationline l ON l.reservation_id = n.id
             WHERE n.state IN ('held', 'partial') AND l.held > 0 ORDER BY 1, 2
            """,
            [list(known), [company for company, _ in known.values()], [sale for _, sale in known.values()]],
        )
        return [_back(*row) for row in cursor.fetchall()]


def places(let_go: Iterable[Delta]) -> dict[tuple[int, int], str]:
    """(sale, product) → where the reservation held it that the sale took, of several places the one that held most."""
    held: dict[tuple[int, int], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for delta in let_go:
        held[delta.reservation_id or 0, delta.product_id][delta.location] -= delta.reserved
    sales = dict(Reservation.objects.filter(pk__in={id_ for id_, _ in held}).values_list("pk", "transaction_id"))
    return {
        (sales[id_] or 0, product): max(units, key=lambda place: units[place]) for (id_, product), units in held.items()
    }


def violations() -> list[str]:
    """Levels, reservations and sales whose held units do not agree.

    What a level has reserved is what open reservations and unpaid orders hold; a reservation's movements add up to what its lines
    hold while it is open, and to nothing afterwards; no order gives back more than it held.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT 'product ' || COALESCE(l.product_id, x.product_id) || ' at ' || COALESCE(l.location, x.location)
              FROM inventory_level l FULL JOIN (
                   SELECT product_id, location, sum(units) AS units FROM (
                          SELECT l.product_id, l.location, l.held AS units FROM inventory_reservationline l
                            JOIN inventory_reservation r ON r.id = l.reservation_id WHERE r.state IN ('held', 'partial')
                           UNION ALL
                          SELECT product_id, location, reserved FROM inventory_movement WHERE reservation_id IS NULL) u
                    GROUP BY 1, 2) x ON x.product_id = l.product_id AND x.location = l.location
             WHERE COALESCE(l.reserved, 0) <> COALESCE(x.units, 0)
             UNION ALL
            SELECT 'reservation ' || COALESCE(l.reservation_id, m.reservation_id) || ' line ' || COALESCE(l.line_id, m.line_id)
              FROM (SELECT l.reservation_id, l.position::text AS line_id, l.product_id, l.location,
                           CASE WHEN r.state IN ('held', 'partial') THEN l.held ELSE 0 END AS held
                      FROM inventory_reservationline l JOIN inventory_reservation r ON r.id = l.reservation_id) l
              FULL JOIN (SELECT reservation_id, line_id, product_id, location, sum(reserved) AS held FROM inventory_movement
                          WHERE reservation_id IS NOT NULL GROUP BY 1, 2, 3, 4) m
                ON m.reservation_id = l.reservation_id AND m.line_id = l.line_id AND m.product_id = l.product_id
               AND m.location = l.location
             WHERE COALESCE(l.held, 0) <> COALESCE(m.held, 0)
             UNION ALL
            SELECT 'transaction ' || transaction_id || ' line ' || line_id FROM inventory_movement
             WHERE transaction_id IS NOT NULL GROUP BY transaction_id, line_id, product_id, location HAVING sum(reserved) < 0
             UNION ALL
            SELECT 'reservation ' || id FROM inventory_reservation
             WHERE (closed_at IS NULL) <> (state IN ('held', 'partial')) OR (state = 'committed' AND transaction_id IS NULL)
            """
        )
        return [row[0] for row in cursor.fetchall()]


def _items(channel: Channel, skus: Iterable[str]) -> dict[str, Item]:
    """What each SKU stands for: as the channel's listing says, else by the product's own SKU; bundles taken apart.

    The buffer is the listing's, else the largest of the channel's listings of the product, else the channel's.
    """
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE named AS (
                SELECT a.sku, q.id AS product, COALESCE(l.buffer, o.buffer, y.buffer, 0) AS buffer
                  FROM unnest(%s::text[]) AS a(sku)
                  LEFT JOIN inventory_listing l ON l.channel_id = %s AND l.item_id = a.sku
                  LEFT JOIN inventory_product p ON p.company_id = %s AND p.sku = a.sku
                  JOIN inventory_product q ON q.id = COALESCE(l.product_id, p.id)
                  LEFT JOIN inventory_stockpolicy y ON y.channel_id = %s
                 CROSS JOIN LATERAL (SELECT max(buffer) AS buffer FROM inventory_listing
                                      WHERE channel_id = %s AND product_id = q.id) o
            ), inside (sku, product, buffer, part, units, path) AS (
                SELECT sku, product, buffer, product, 1::numeric, ARRAY[product] FROM named
                 UNION ALL
                SELECT i.sku, i.product, i.buffer, c.part_id, i.units * c.quantity, i.path || c.part_id
                  FROM inside i JOIN inventory_component c ON c.bundle_id = i.part
                 WHERE c.part_id <> ALL(i.path)
            )
            SELECT sku, product, buffer, part, sum(units) FROM inside i
             WHERE NOT EXISTS (SELECT FROM inventory_component c WHERE c.bundle_id = i.part)
             GROUP BY 1, 2, 3, 4 ORDER BY 1, 4
            """,
            [list(skus), channel.pk, channel.company_id, channel.pk, channel.pk],
        )
        parts: dict[tuple[str, int, Decimal], list[tuple[int, Decimal]]] = defaultdict(list)
        for sku, product, buffer, part, units in cursor.fetchall():
            parts[sku, product, buffer].append((part, units))
    return {sku: Item(product, buffer, tuple(found)) for (sku, product, buffer), found in parts.items()}


def _require_known(lines: Sequence[Asked], items: Mapping[str, Item]) -> None:
    unknown = [
        Problem("UNKNOWN_SKU", f"lines[{place}].sku", "neither the channel nor the company has a product of this name")
        for place, line in enumerate(lines)
        if line.sku not in items
    ]
    if unknown:
        raise Refused(*unknown)
    if sum(len(items[line.sku].parts) + 1 for line in lines) > MOST_ROWS:
        raise Refused(Problem("TOO_MANY_PARTS", "lines", f"the bundles have more than {MOST_ROWS} parts together"))


def _lock(channel: Channel, lines: Sequence[Asked], items: Mapping[str, Item]) -> dict[int, dict[str, Decimal]]:
    """The levels that may be held from, locked in the one order; by product, the oldest place first."""
    wanted = {(product, line.location) for line in lines for product, _ in items[line.sku].parts}
    products, places = (list(column) for column in zip(*wanted, strict=True))
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT l.product_id, l.location, l.on_hand - l.reserved, l.id FROM inventory_level l
             WHERE l.product_id = ANY(%s) AND EXISTS (
                   SELECT FROM unnest(%s::bigint[], %s::text[]) AS w(product_id, location)
                    WHERE w.product_id = l.product_id AND (w.location = l.location OR (w.location IS NULL AND (
                          l.location = %s OR NOT EXISTS (SELECT FROM inventory_level o WHERE o.product_id = l.product_id
                                                            AND o.location = %s)))))
             ORDER BY l.product_id, l.location FOR UPDATE OF l
            """,
            [products, products, places, channel.stock_location, channel.stock_location],
        )
        rows = sorted(cursor.fetchall(), key=lambda row: row[3])
    shelf: dict[int, dict[str, Decimal]] = defaultdict(dict)
    for product, place, units, _ in rows:
        shelf[product][place] = units
    return dict(shelf)


def _rows(id_: int, allotted: Iterable[Allotted]) -> Iterable[tuple[int, int, int, str, str, Decimal, Decimal]]:
    """A line for each share; before those of a bundle one that says how many of it were asked for, at no place and holding nothing."""
    position = 0
    for one in allotted:
        if one.item.is_bundle:
            position += 1
            yield id_, position, one.item.product_id, one.asked.sku, "", one.asked.quantity, ZERO
        for share in one.shares:
            position += 1
            yield id_, position, share.product_id, one.asked.sku, share.location, share.quantity, share.held


def _as_asked(reservation: Reservation, rows: Iterable[ReservationLine]) -> Reserved:
    """Of a bundle as much is held as of its scarcest part."""
    lines: list[Line] = []
    for row in rows:
        if not row.location:
            lines.append(Line(row.sku, None, row.quantity, row.quantity))
        elif lines and lines[-1].location is None and lines[-1].sku == row.sku:
            share = lines[-1].quantity * row.held / row.quantity
            held = min(lines[-1].held, share.quantize(reserving.FINEST, ROUND_HALF_EVEN))
            lines[-1] = lines[-1]._replace(held=held)
        else:
            lines.append(Line(row.sku, row.location, row.quantity, row.held))
    return Reserved(
        reservation.public_id, reservation.channel.slug, reservation.reference, reservation.state, reservation.expires_at, lines
    )  # fmt: skip


def _named(row: Sequence[Any]) -> dict[str, Any]:
    return {name: value for (name, _), value in zip(_LINE, row, strict=True)}


def _locked(company_id: int, id: UUID) -> Reservation | None:
    found = Reservation.objects.select_related("channel").select_for_update(of=("self",))
    return found.filter(company_id=company_id, public_id=id).first()


def _let_go(ids: list[int]) -> None:
    """What these reservations hold; whoever calls has locked and closed them."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT r.id, l.position, r.company_id, l.product_id, l.location, l.held FROM inventory_reservation r"
            " JOIN inventory_reservationline l ON l.reservation_id = r.id WHERE r.id = ANY(%s) AND l.held > 0 ORDER BY 1, 2",
            [ids],
        )
        deltas = [_back(*row) for row in cursor.fetchall()]
    if deltas:
        levels.write(deltas)


def _back(id_: int, position: int, company: int, product: int, place: str, held: Decimal) -> Delta:
    return Delta(company, product, place, "hold", None, str(position), 2, ZERO, -held, reservation_id=id_)
