"""Stock that is moved by hand: transfers, deliveries that came, counts and adjustments. All or nothing a document.

A document with a reference is recorded once: the same kind and reference again changes nothing and says so. What a document moves is
computed under the locks of its levels, so that sales in between are neither lost nor counted twice.

A delivery moves the product's average cost, over all places: (max(on hand, 0) · average + units · cost) / (max(on hand, 0) + units).
Units whose cost was not known until then are taken to have cost the same as the delivery; what comes without a cost, is counted,
moved or comes back from a customer keeps the average. Its movements are valued at what was paid, all others at the average.
The ledger posts nothing here: what a purchase owes and pays is not a channel's to say. Cost of sales takes the average with each sale.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from django.db import transaction

from inventory import levels
from inventory.levels import ZERO, Delta
from inventory.models import Component, Product, StockDocument
from inventory.shown import plain
from salessync.core import audit, bulk
from salessync.core.models import Company
from salessync.core.money import LIMIT
from salessync.core.problems import Problem, Refused

FINEST_COST = Decimal("0.000001")
_FINEST_UNITS, _MOST_UNITS = Decimal("0.0001"), Decimal(10) ** 12


class Line(NamedTuple):
    """So many units of a product; a count's are what was counted. `where`: the place in the caller's own input, for its problems.

    `unit_cost` of a delivery: of one unit, minor units of the company's base currency, parts of them too; None: not known.
    """

    sku: str
    quantity: Decimal
    unit_cost: Decimal | None = None
    where: str = ""


class Recorded(NamedTuple):
    """The document, and how many levels it moved; not `is_new`: it was there before, and nothing was changed."""

    document_id: int
    movements: int
    is_new: bool
    actor: str
    at: datetime


class _Item(NamedTuple):
    """A line with its product. `average` of one unit, minor units; None: not known."""

    position: int
    where: str
    product_id: int
    sku: str
    quantity: Decimal
    unit_cost: Decimal | None
    average: Decimal | None


Place = tuple[int, str]  # product, location
Shelf = Mapping[Place, tuple[Decimal, Decimal]]  # on hand, reserved
_Move = tuple[_Item, str, Decimal, Decimal | None]  # its line, place, units, what one costs
_Moves = Callable[[Sequence[_Item], Shelf], list[_Move]]


def transfer(
    *, company: Company, lines: Sequence[Line], from_location: str, to_location: str, actor: str, reason: str,
    reference: str = "",
) -> Recorded:  # fmt: skip
    """Move units from one place to another: only what is there and not held for anybody."""
    document = StockDocument(company=company, kind="transfer", actor=actor, reason=reason, reference=reference)
    problems = []
    if from_location == to_location:
        problems.append(Problem("SAME_PLACE_TWICE", "to", f"{to_location!r} is where the units are taken from"))

    def moves(items: Sequence[_Item], shelf: Shelf) -> list[_Move]:
        levels_there = {item.product_id: shelf[item.product_id, from_location] for item in items}
        left = {product: on_hand - reserved for product, (on_hand, reserved) in levels_there.items()}
        _take(items, left, lambda item: f"can be moved from {from_location}{_held(levels_there[item.product_id])}")
        return [
            (item, place, units, item.average)
            for item in items
            for place, units in ((from_location, -item.quantity), (to_location, item.quantity))
        ]

    return _record(document, lines, (from_location, to_location), moves, problems)


def receive(
    *, company: Company, lines: Sequence[Line], location: str, actor: str, reason: str, reference: str = ""
) -> Recorded:
    """A delivery that came; where its lines say what a unit cost, the average moves."""
    document = StockDocument(company=company, kind="receipt", actor=actor, reason=reason, reference=reference)

    def moves(items: Sequence[_Item], shelf: Shelf) -> list[_Move]:
        averages = _move_averages(items, shelf)
        return [
            (item, location, item.quantity, item.unit_cost if item.unit_cost is not None else averages[item.product_id])
            for item in items
        ]

    return _record(document, lines, (location,), moves)


def count(
    *, company: Company, lines: Sequence[Line], location: str, actor: str, reason: str, reference: str = ""
) -> Recorded:
    """What was counted is what is there: the difference moves. A sale that is still to come will be taken from it."""
    document = StockDocument(company=company, kind="count", actor=actor, reason=reason, reference=reference)

    def moves(items: Sequence[_Item], shelf: Shelf) -> list[_Move]:
        return [
            (item, location, item.quantity - shelf[item.product_id, location][0], item.average)
            for item in items
            if item.quantity != shelf[item.product_id, location][0]
        ]

    return _record(document, lines, (location,), moves)


def adjust(
    *, company: Company, lines: Sequence[Line], location: str, actor: str, reason: str, reference: str = "",
    channel_id: int | None = None,
) -> Recorded:  # fmt: skip
    """Units found (above zero) or gone (below); no more than there are. `channel_id`: a channel whose listing shows it already."""
    document = StockDocument(company=company, kind="adjustment", actor=actor, reason=reason, reference=reference)

    def moves(items: Sequence[_Item], shelf: Shelf) -> list[_Move]:
        left = {item.product_id: shelf[item.product_id, location][0] for item in items}
        gone = [item._replace(quantity=-item.quantity) for item in items]
        _take(gone, left, lambda item: f"can be taken from {location}")
        return [(item, location, item.quantity, item.average) for item in items]

    return _record(document, lines, (location,), moves, sold_by=channel_id)


# --- one way for all of them


@transaction.atomic
def _record(
    document: StockDocument,
    lines: Sequence[Line],
    places: Sequence[str],
    moves: _Moves,
    problems: Sequence[Problem] = (),
    sold_by: int | None = None,
) -> Recorded:
    problems = [*problems, *_heading_problems(document, lines, places)]
    if problems:
        raise Refused(*problems)
    kept = _keep(document)
    if not kept.is_new:
        return kept
    items = _items(document, lines)
    shelf = _locked(document, items, places)
    deltas = [
        Delta(document.company_id, item.product_id, place, document.kind, None, str(item.position), 1, units, ZERO,
              _whole(units * cost) if cost is not None else None, _whole(cost) if cost is not None else None,
              document_id=kept.document_id)
        for item, place, units, cost in moves(_valued(document.company, items), shelf)
    ]  # fmt: skip
    if deltas:
        levels.write(deltas, lambda delta: sold_by)
    said = {"kind": document.kind, "reference": document.reference, "movements": len(deltas)}
    audit.record([(document.company_id, document.actor, "recorded", "stock_document", kept.document_id, said)])
    return kept._replace(movements=len(deltas))


def _heading_problems(document: StockDocument, lines: Sequence[Line], places: Sequence[str]) -> list[Problem]:
    problems = []
    if not document.reason.strip():
        problems.append(Problem("MISSING_REASON", "reason", "say why the stock is moved"))
    problems += [
        Problem("TOO_LONG", name, f"the {name} may have {most} characters")
        for name, most in (("reason", 500), ("reference", 200), ("actor", 150))
        if len(getattr(document, name)) > most
    ]
    problems += [
        Problem("BAD_TEXT", name, f"the {name} holds a character that no text has")
        for name in ("reason", "reference", "actor")
        if "\x00" in getattr(document, name)
    ]
    problems += [
        Problem("BAD_LOCATION", "location", f"{place[:60]!r} is not the name of a place")
        for place in places
        if not place.strip() or len(place) > 60 or "\x00" in place
    ]
    if not lines:
        problems.append(Problem("NO_LINES", "lines", "the document has no lines"))
    return problems


def _keep(document: StockDocument) -> Recorded:
    """A row for the document, or the one that has its reference already."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_stockdocument (company_id, kind, reference, reason, actor) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (company_id, kind, reference) WHERE reference <> '' DO NOTHING RETURNING id, actor, at",
            [document.company_id, document.kind, document.reference, document.reason, document.actor],
        )
        row = cursor.fetchone()
    if row is not None:
        return Recorded(row[0], 0, True, *row[1:])
    known = StockDocument.objects.get(company_id=document.company_id, kind=document.kind, reference=document.reference)
    return Recorded(known.pk, 0, False, known.actor, known.at)


def _items(document: StockDocument, lines: Sequence[Line]) -> list[_Item]:
    """The lines with their products, or Refused with what is wrong with each."""
    known = {
        sku: id_
        for id_, sku in Product.objects.filter(
            company_id=document.company_id, sku__in={line.sku for line in lines if "\x00" not in line.sku}
        ).values_list("id", "sku")
    }
    bundles = set(Component.objects.filter(bundle__in=known.values()).values_list("bundle_id", flat=True))
    problems: list[Problem] = []
    items: list[_Item] = []
    seen: set[str] = set()
    for position, line in enumerate(lines, 1):
        where = line.where or f"line {position}"
        found = list(_line_problems(document.kind, line, where))
        if line.sku not in known:
            found.append(Problem("UNKNOWN_SKU", where, f"there is no product with the SKU {line.sku[:40]!r}"))
        elif known[line.sku] in bundles:
            found.append(
                Problem("BUNDLE_HAS_NO_STOCK", where, f"{line.sku[:40]} is a bundle: name the products that are in it")
            )
        if document.kind == "count" and line.sku in seen:
            found.append(Problem("SAME_PLACE_TWICE", where, f"{line.sku[:40]} was counted in an earlier line already"))
        seen.add(line.sku)
        problems += found
        if not found:
            items.append(_Item(position, where, known[line.sku], line.sku, line.quantity, line.unit_cost, None))
    if problems:
        raise Refused(*problems)
    return items


def _line_problems(kind: str, line: Line, where: str) -> list[Problem]:
    units, cost = line.quantity, line.unit_cost
    if not units.is_finite() or abs(units) >= _MOST_UNITS or units % _FINEST_UNITS:
        return [Problem("BAD_QUANTITY", where, f"{str(units)[:20]} is no quantity of units, to four decimals")]
    if kind == "count" and units < 0:
        return [Problem("BAD_QUANTITY", where, "less than nothing cannot be counted")]
    if kind == "adjustment" and units == 0:
        return [Problem("BAD_QUANTITY", where, "an adjustment of nothing says nothing")]
    if kind in ("transfer", "receipt") and units <= 0:
        return [Problem("BAD_QUANTITY", where, f"{plain(units)} is not a quantity that could be moved")]
    if cost is not None and kind != "receipt":
        return [Problem("COST_NOT_WANTED", where, "only a delivery says what its units cost")]
    if cost is not None and (not cost.is_finite() or cost < 0):
        return [Problem("NEGATIVE_COST", where, f"{line.sku[:40]} cannot cost less than nothing")]
    if cost is not None and units * cost > LIMIT:
        return [Problem("AMOUNT_TOO_LARGE", where, "what the units cost together is beyond what an amount may be")]
    return []


def _locked(
    document: StockDocument, items: Sequence[_Item], places: Sequence[str]
) -> dict[Place, tuple[Decimal, Decimal]]:
    """Every level that the document needs, locked in the order of everybody else: a change by nothing. A new one is made.

    A delivery needs its products' levels at all places, and its products, whose average only one at a time can move.
    """
    products = sorted({item.product_id for item in items})
    wanted = {(product, place) for product in products for place in places}
    with bulk.binary_cursor() as cursor:
        if document.kind == "receipt":
            cursor.execute(
                "SELECT count(*) FROM (SELECT id FROM inventory_product WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE) x",
                [products],
            )
            cursor.execute("SELECT product_id, location FROM inventory_level WHERE product_id = ANY(%s)", [products])
            wanted |= {(product, place) for product, place in cursor.fetchall()}
        levels.change_levels({key: [document.company_id, ZERO, ZERO] for key in wanted})
        cursor.execute(  # again: a transfer that was waited for may have opened a place
            "SELECT product_id, location, on_hand, reserved FROM inventory_level WHERE product_id = ANY(%s)", [products]
        )
        return {(product, place): (hand, held) for product, place, hand, held in cursor.fetchall()}


def _valued(company: Company, items: Sequence[_Item]) -> list[_Item]:
    """With the average of each, as it is under the locks."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT id, COALESCE(average_cost, CASE WHEN currency IN ('', %s) THEN cost END) FROM inventory_product"
            " WHERE id = ANY(%s)",
            [company.base_currency, [item.product_id for item in items]],
        )
        averages = dict(cursor.fetchall())
    return [item._replace(average=averages[item.product_id]) for item in items]


def _move_averages(items: Sequence[_Item], shelf: Shelf) -> dict[int, Decimal | None]:
    """Line by line; → each product's average after the delivery, written down where it moved."""
    on_hand: dict[int, Decimal] = {item.product_id: ZERO for item in items}
    for (product, _), level in shelf.items():
        on_hand[product] += level[0]
    before = {item.product_id: item.average for item in items}
    averages = dict(before)
    for item in items:
        if item.unit_cost is not None:
            averages[item.product_id] = moved(
                averages[item.product_id], on_hand[item.product_id], item.quantity, item.unit_cost
            )
        on_hand[item.product_id] += item.quantity
    new = {item.product_id: averages[item.product_id] for item in items if item.unit_cost is not None}
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_product p SET average_cost = n.average"
            " FROM unnest(%s::bigint[], %s::numeric[]) AS n(id, average) WHERE p.id = n.id",
            [list(new), list(new.values())],
        )
    return averages


def moved(average: Decimal | None, on_hand: Decimal, units: Decimal, cost: Decimal) -> Decimal:
    """The average after so many units came at that cost each; half to even at its sixth decimal."""
    there = max(on_hand, ZERO)
    worth = there * (cost if average is None else average) + units * cost
    return (worth / (there + units)).quantize(FINEST_COST, ROUND_HALF_EVEN)


def _take(items: Sequence[_Item], left: dict[int, Decimal], what: Callable[[_Item], str]) -> None:
    """Refused with each line that wants more than the lines before it left."""
    problems = []
    for item in items:
        there = left[item.product_id]
        if item.quantity > max(there, ZERO):
            said = f"only {plain(max(there, ZERO))} of {item.sku[:40]} {what(item)}, and not {plain(item.quantity)}"
            problems.append(Problem("NOT_ENOUGH", item.where, said))
        left[item.product_id] = there - item.quantity
    if problems:
        raise Refused(*problems)


def _held(level: tuple[Decimal, Decimal]) -> str:
    return f" ({plain(level[0])} are there, {plain(level[1])} of them held)" if level[1] else ""


def _whole(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_HALF_EVEN))
