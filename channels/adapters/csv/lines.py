"""The lines of a sale or refund, and what the file tells of the whole transaction laid on them. Pure."""

from decimal import Decimal

from channels.adapters.csv.cells import Cells
from channels.adapters.csv.facts import Facts, taxes
from channels.adapters.csv.words import LINE_CELLS, LINE_TYPE, TAXED
from channels.reading import Json, text
from channels.sale import Discount, Line
from salessync.core.money import allocate, to_major


def read_lines(cells: Cells, facts: Facts) -> dict[int, Line]:
    """The rows with goods, by their place among the rows; none where the file has no prices, but totals only."""
    if not cells.mapping.tells("line_unit_price"):
        return {}
    found = {index: _line(cells, facts, index) for index in cells.having(LINE_CELLS)}
    skus = [line.sku for line in found.values()]
    for place, line in enumerate(found.values(), 1):
        if not line.id:  # named by its article, as a refund will name it; else by its place
            line.id = line.sku if line.sku and skus.count(line.sku) == 1 else f"line:{place}"
    return found


def _line(cells: Cells, facts: Facts, index: int) -> Line:
    price = cells.cell(index, "line_unit_price")
    if not price:
        cells.refuse("MISSING_AMOUNT", index, "line_unit_price", "the price of the article is missing")
    price = cells.number(index, "line_unit_price", price or "0")
    quantity = cells.number(index, "line_quantity", cells.cell(index, "line_quantity") or "1")
    discounted, taxed = cells.own(index, "line_discount"), cells.cell(index, "line_tax")
    gross = cells.extended(index, quantity, price)
    discount = cells.magnitude(index, "line_discount", discounted) if discounted else 0
    tax = cells.amount(index, "line_tax", taxed) if taxed else 0
    said = cells.cell(index, "line_type")
    return Line(
        id=cells.identifier(index, "line_id", cells.own(index, "line_id")) or "",
        type=LINE_TYPE.get(cells.word(index, "line_type", said), "unknown") if said else "item",  # type: ignore[arg-type]
        sku=cells.identifier(index, "line_sku", cells.own(index, "line_sku")),
        name=text(cells.own(index, "line_name")) or "",
        quantity=quantity,
        unit_price=price,
        gross=gross,
        discount=discount,
        net=gross - discount,
        discounts=[Discount(amount=discount)] if discount else [],
        taxes=taxes(cells, index, tax, cells.rate(index), facts.place),
        tax=tax,
    )


def extra_lines(cells: Cells) -> list[Line]:
    """Shipping and tip that have columns of their own."""
    found = []
    for kind in ("shipping", "tip"):
        amount = cells.maybe_amount(kind)
        if amount:
            found.append(plain_line(cells, kind, kind, amount))
    return found


def plain_line(cells: Cells, identifier: str, kind: str, amount: int) -> Line:
    """One of something, for that amount."""
    price = to_major(amount, cells.currency) if cells.currency else "0"
    return Line(id=identifier, type=kind, quantity="1", unit_price=price, gross=amount, net=amount)  # type: ignore[arg-type]


def spread_discount(cells: Cells, lines: list[Line], notes: Json) -> None:
    """A discount of the whole transaction, by largest remainder over the articles."""
    index, said = cells.one("discount")
    discount = cells.magnitude(index, "discount", said) if said else 0
    if not discount:
        return
    bearing = [line for line in lines if line.type == "item" and line.net > 0]
    if not bearing:
        cells.refuse("DISCOUNT_WITHOUT_LINES", index, "discount", "there is no article that the discount can lie on")
        return
    for line, share in zip(bearing, allocate(discount, [line.net for line in bearing]), strict=True):
        line.discount, line.net = share, line.gross - share
        line.discounts = [Discount(amount=share)] if share else []
    if len(bearing) > 1:
        notes["discount"] = "allocated to the lines"


def spread_tax(cells: Cells, facts: Facts, rows: dict[int, Line], others: list[Line], tax: int, notes: Json) -> None:
    """A tax of the whole transaction, by largest remainder over what can be taxed: by the rates, where every row has one.

    `rows` are the lines of the file's rows, `others` those of its columns, of which no rate is known.
    """
    told: list[tuple[Line, int, str | None]] = [(line, index, cells.rate(index)) for index, line in rows.items()]
    bearing = [one for one in [*told, *((line, 0, None) for line in others)] if one[0].type in TAXED and one[0].net > 0]
    rates = [rate for _, _, rate in bearing]
    if None in rates:
        weights = [line.net for line, _, _ in bearing]
    else:
        weights = [_held(line.net, rate or "0", cells.mapping.tax_inclusive) for line, _, rate in bearing]
    if not sum(weights):
        if tax:
            index, _ = cells.one("tax")
            cells.refuse("TAX_WITHOUT_LINES", index, "tax", "there is no line that the tax can lie on")
        return
    for (line, index, rate), share in zip(bearing, allocate(tax, weights), strict=True):
        line.tax, line.taxes = share, taxes(cells, index, share, rate, facts.place)
    if tax and len(bearing) > 1:
        notes["tax"] = "allocated to the lines"


def _held(net: int, rate: str, inclusive: bool) -> int:
    """The tax in a line by its rate, in millionths of a minor unit: a weight, no amount."""
    percent = max(Decimal(rate), Decimal(0))
    return int(net * percent * 10**6 / (100 + percent if inclusive else 100))
