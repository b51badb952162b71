"""The totals of a Shopify order, in the shop's currency and in the buyer's. Pure.

The vendor's totals are carried through, so that the arithmetic proof can object. A total is taken from the lines only
where Shopify's figure is known to count something else (a discount on shipping, a tip line of a POS order).
"""

from decimal import Decimal

import msgspec

from channels.adapters.shopify.lines import Lines
from channels.adapters.shopify.reading import Reader
from channels.adapters.shopify.taxes import taxes
from channels.reading import Json
from channels.record import Jurisdiction, Tax
from channels.refund import Refund
from channels.sale import Discount, Line, Presentment, Totals
from salessync.core.money import allocate, minor_digits, scale


class Sides(msgspec.Struct):
    """The order's total in the shop's and in the buyer's currency: the ratio of everything that was paid in the latter."""

    currency: str
    total: int
    shop_total: int


def order_totals(
    reader: Reader, order: Json, lines: Lines, refunds: list[Refund], place: Jurisdiction | None, notes: Json
) -> Totals:
    """The totals of the sale: before its refunds, after its edits."""
    stated = reader.money(order, "total_price")
    edited_total = _edited_total(reader, order, lines, refunds, stated)
    if edited_total is None:
        total, tax = stated, reader.maybe_money(order, "total_tax")
        _spread_order_level(reader, order, lines, tax, place, notes)
    else:
        notes["edited"] = True
        total, tax = edited_total, reader.maybe_money(order, "current_total_tax")
        if tax is not None:
            tax += sum(r.totals.tax for r in refunds)
            _settle_rounding(lines, tax)
    rounding = reader.in_set(order, "total_cash_rounding_payment_adjustment_set") or 0
    inclusive = order.get("taxes_included") is True
    if rounding and total == _parts(lines, inclusive):
        # Shopify rounds what is received, and leaves total_price as it was: the sale is what was received
        total += rounding
        notes["cash_rounding"] = "outside total_price"
    totals = Totals(
        gross=lines.gross,
        discount=lines.discount,
        net=lines.net,
        shipping=lines.shipping,
        tip=lines.tip,
        fees=lines.fees,
        duties=lines.duties,
        tax=lines.tax if tax is None else tax,
        tax_marketplace=lines.tax_marketplace,
        rounding=rounding,
        total=total,
    )
    if edited_total is None:
        _carry(reader, order, lines, totals)
    return totals


def _parts(lines: Lines, inclusive: bool) -> int:
    parts = lines.net + lines.shipping + lines.tip + lines.fees + lines.duties
    return parts if inclusive else parts + lines.tax


def _edited_total(reader: Reader, order: Json, lines: Lines, refunds: list[Refund], stated: int) -> int | None:
    """What an edited order comes to before its refunds; None for an order that was never edited.

    current_total_price follows edits and refunds, total_price does not: what refunds do not explain is an edit.
    """
    current = reader.maybe_money(order, "current_total_price")
    if current is None:
        return None
    live = [r for r in refunds if r.status != "failed"]
    money = sum(r.totals.total for r in live)
    goods = money - sum(r.totals.adjustment for r in live)
    if not lines.removed and stated in (current, current + money, current + goods):
        return None
    if order.get("cancelled_at") is not None and not lines.removed:
        return None  # a cancellation brings the current total to nothing without a refund
    proven = _parts(lines, order.get("taxes_included") is True)
    return current + goods if current + goods == proven else current + money


def _settle_rounding(lines: Lines, tax: int) -> None:
    """Taxes scaled to the units that an edit left may be off by a unit each; the vendor's own sum says by how much."""
    missing = tax - lines.tax
    if not missing or abs(missing) > len(lines.scaled):
        return
    step = 1 if missing > 0 else -1
    for one in lines.scaled[: abs(missing)]:
        one.amount += step
        if one.collector == "marketplace":
            lines.tax_marketplace += step
    lines.tax += missing
    for line in lines.lines:
        line.tax = sum(t.amount for t in line.taxes)


def _spread_order_level(
    reader: Reader, order: Json, lines: Lines, tax: int | None, place: Jurisdiction | None, notes: Json
) -> None:
    """Taxes and discounts that no line bears, over the item lines by largest remainder."""
    discount = reader.maybe_money(order, "total_discounts") or 0
    if not lines.discount and not lines.shipping_discount and 0 < discount <= lines.gross:
        items = [line for line in lines.lines if line.type in ("item", "gift_card_sale")]
        for line, share in zip(items, allocate(discount, [i.gross for i in items]), strict=True):
            line.discount, line.net = share, line.gross - share
            line.discounts = [Discount(amount=share)] if share else []
        lines.discount, lines.net = discount, lines.net - discount
        notes["discount_allocation"] = "by us: the order's discount stood on no line"
    if tax and not lines.tax and not any(line.taxes for line in lines.lines):
        taxable = [line for line in lines.lines if line.type == "item" and line.id not in lines.untaxed]
        _spread_taxes(taxes(reader, order, "", place) if taxable else [], lines, taxable, notes)


def _spread_taxes(stated: list[Tax], lines: Lines, taxable: list[Line], notes: Json) -> None:
    for tax in stated:
        for line, share in zip(taxable, allocate(tax.amount, [i.net for i in taxable]), strict=True):
            line.taxes = [*line.taxes, msgspec.structs.replace(tax, amount=share)]
            line.tax += share
        lines.tax += tax.amount
        if tax.collector == "marketplace":
            lines.tax_marketplace += tax.amount
        notes["tax_allocation"] = "by us: the order's taxes stood on no line"


def _carry(reader: Reader, order: Json, lines: Lines, totals: Totals) -> None:
    """Shopify's own sums; the lines' where its figure is known to count something else beside them."""
    tips = lines.tip_items  # a tip line of a POS order counts among Shopify's line items
    gross = reader.maybe_money(order, "total_line_items_price")
    if gross not in (None, lines.gross, lines.gross + tips):
        totals.gross = gross
    discount = reader.maybe_money(order, "total_discounts")
    if discount not in (None, lines.discount, lines.discount + lines.shipping_discount):
        totals.discount = discount
    net = reader.maybe_money(order, "subtotal_price")
    if net not in (None, lines.net, lines.net + tips, lines.gross):  # answers of some versions give it before discounts
        totals.net = net
    shipping = reader.in_set(order, "total_shipping_price_set")
    if shipping not in (None, lines.shipping, lines.shipping_gross, lines.shipping + lines.shipping_discount):
        totals.shipping = shipping - lines.shipping_discount
    if order.get("duties_included") is not True:
        totals.duties = reader.in_set(order, "original_total_duties_set") or lines.duties
    totals.fees = reader.in_set(order, "original_total_additional_fees_set") or lines.fees


def sides_of(reader: Reader, order: Json) -> Sides | None:
    """The order's total in both currencies, where the buyer's is another one."""
    code = order.get("presentment_currency")
    if code is None or code == reader.currency:
        return None
    currency = reader.read_currency(code, "presentment_currency")
    shown = reader.side(order, "total_price_set", side="presentment_money")
    if not currency:
        return None
    if shown is None:
        reader.refuse(
            "MISSING_AMOUNT", "total_price_set.presentment_money.amount", "what the buyer was shown is missing"
        )
        return None
    total = reader.minor(shown, "total_price_set.presentment_money.amount", currency)
    return Sides(currency, total, reader.money(order, "total_price"))


def presentment(reader: Reader, sides: Sides, total: int) -> Presentment:
    """What the buyer saw of `total`, and the rate of his currency in ours."""
    shown = (
        sides.total
        if total == sides.shop_total or not sides.shop_total
        else scale(total, sides.total, sides.shop_total)
    )
    rate = None
    if sides.total:
        shop = Decimal(sides.shop_total).scaleb(-minor_digits(reader.currency))
        buyer = Decimal(sides.total).scaleb(-minor_digits(sides.currency))
        rate = format(round(shop / buyer, 8), "f")
    return Presentment(currency=sides.currency, total=shown, rate=rate)
