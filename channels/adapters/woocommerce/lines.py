"""WooCommerce order → the lines of a sale: items, shipping and fees, without tax as the shop sends them. Pure."""

from decimal import Decimal
from typing import Any

import msgspec

from channels.adapters.woocommerce.reading import Reader, meta, number, short
from channels.adapters.woocommerce.taxes import Rate, RowTax, row_tax, settle, taxes
from channels.adapters.woocommerce.words import GIFT_CARD_SOLD
from channels.reading import Json, text, text_to_minor
from channels.sale import Discount, Line
from salessync.core.money import MINOR_DIGITS, MoneyError, allocate, to_major

PRICE_DIGITS = 4  # beyond the smallest unit, of a unit price that does not come out even
MOST_PER_UNIT = 10**14  # minor units: beyond it a unit price is no price


class Lines(msgspec.Struct):
    """The lines, and the sums that the order's own totals are compared with."""

    lines: list[Line]
    rounded: bool  # line figures are roundings of finer ones, so that their sums may miss the order's by a unit or two
    gross: int = 0
    discount: int = 0
    net: int = 0
    shipping: int = 0
    fees: int = 0
    tax: int = 0
    raised: int = 0  # what an administrator has put on top of prices, which the order's discount_total takes off

    def add(self, line: Line) -> None:
        """Take a line in and count it."""
        self.lines.append(line)
        self.tax += line.tax
        if line.type == "shipping":
            self.shipping += line.net
        elif line.type == "fee":
            self.fees += line.net
        else:
            self.gross += line.gross
            self.discount += line.discount
            self.net += line.net


def order_lines(reader: Reader, order: Json, known: dict[str, Rate], notes: Json) -> Lines:
    """Every line of the order, with its taxes settled against the order's total_tax."""
    drafts: list[tuple[Line, RowTax]] = []
    raised = 0
    for index, row in enumerate(reader.rows(order, "line_items")):
        line, more = _item(reader, row, f"line_items[{index}].")
        raised += more
        drafts.append((line, row_tax(reader, row, f"line_items[{index}].", known)))
    for key, kind in (("shipping_lines", "shipping"), ("fee_lines", "fee")):
        for index, row in enumerate(reader.rows(order, key)):
            where = f"{key}[{index}]."
            drafts.append((_simple(reader, row, where, kind), row_tax(reader, row, where, known)))
    rows = [tax for _, tax in drafts]
    found = Lines(lines=[], rounded=any(row.is_fine for row in rows), raised=raised)
    amounts = settle(rows, reader.maybe_amount(order, "total_tax"))
    if amounts != [row.stated for row in rows]:
        notes["tax"] = "total_tax shared over the lines by largest remainder"
    for (line, tax), amount in zip(drafts, amounts, strict=True):
        line.tax = amount
        line.taxes = taxes(tax, amount)
        found.add(line)
    _name_discounts(reader, order, found, notes)
    return found


def _item(reader: Reader, row: Json, where: str) -> tuple[Line, int]:
    """An item before and after its coupons, and by how much its price was raised by hand."""
    quantity = pieces(reader, row, where)
    net = reader.amount(row, "total", where)
    before = reader.maybe_amount(row, "subtotal", where)
    gross = net if before is None else max(before, net)
    line = Line(
        id=reader.identifier(row.get("id"), where + "id"),
        type="gift_card_sale" if GIFT_CARD_SOLD & meta(row).keys() else "item",
        sku=short(row.get("sku")),
        name=text(row.get("name")) or "",
        quantity=number(quantity),
        unit_price=_unit_price(reader, gross, quantity, where),
        gross=gross,
        discount=gross - net,
        net=net,
    )
    return line, 0 if before is None else gross - before


def pieces(reader: Reader, row: Json, where: str) -> Decimal:
    """How many pieces a line has."""
    quantity = reader.decimal(row.get("quantity"), where + "quantity")
    if quantity < 0:
        reader.refuse("NEGATIVE_QUANTITY", where + "quantity", "a sale cannot have fewer than no pieces of something")
        return Decimal(0)
    return quantity


def _unit_price(reader: Reader, gross: int, quantity: Decimal, where: str) -> str:
    """The price of one piece before coupons; WooCommerce's own `price` is the one after them."""
    digits = MINOR_DIGITS[reader.currency]
    if not quantity:
        return to_major(0, reader.currency)
    price = Decimal(gross) / quantity
    if abs(price) > MOST_PER_UNIT:
        reader.refuse("AMOUNT_TOO_LARGE", where + "subtotal", "the price of one piece is beyond what an amount may be")
        return "0"
    if price == price.to_integral_value():
        return to_major(int(price), reader.currency)
    kept = (
        digits + PRICE_DIGITS if quantity < 10**3 else 12
    )  # the digits left out, times the pieces, must stay below a unit
    return number(round(price.scaleb(-digits), kept))


def _simple(reader: Reader, row: Json, where: str, kind: Any) -> Line:
    """Shipping, or a fee; a fee that takes money off is negative."""
    net = reader.amount(row, "total", where)
    if abs(net) > MOST_PER_UNIT:
        reader.refuse("AMOUNT_TOO_LARGE", where + "total", f"{where}total is beyond what an amount may be")
        net = 0
    return Line(
        id=reader.identifier(row.get("id"), where + "id"),
        type=kind,
        name=text(row.get("method_title" if kind == "shipping" else "name")) or "",
        quantity="1",
        unit_price=to_major(net, reader.currency),
        gross=net,
        net=net,
    )


def _name_discounts(reader: Reader, order: Json, found: Lines, notes: Json) -> None:
    """Which coupon took off what. The lines tell how much, the coupons how much in all; a discount by hand has no code."""
    items = [line for line in found.lines if line.discount]
    codes: list[str | None] = []
    left: list[int] = []
    for row in reader.rows(order, "coupon_lines"):
        amount = _info(row.get("discount"), reader.currency)
        if amount > 0:
            codes.append(text(row.get("code")))
            left.append(amount)
    if not codes or abs(sum(left) - found.discount) > len(items):
        codes, left = [None], [found.discount]
    if len(codes) > 1 and items:
        notes["coupons"] = "shared over the lines in proportion, by largest remainder"
    for line in items:
        parts = allocate(line.discount, left) if sum(left) else [line.discount]
        left = [max(0, rest - part) for rest, part in zip(left, parts, strict=False)]
        line.discounts = [Discount(code=code, amount=part) for code, part in zip(codes, parts, strict=False) if part]


def _info(value: Any, currency: str) -> int:
    """An amount that only names another one; 0 where it cannot be read."""
    try:
        return text_to_minor(str(value), currency)
    except MoneyError:
        return 0
