"""Shopify order → the lines of a sale: items, shipping, tips, duties and additional fees, after the order's edits. Pure."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from channels.adapters.shopify.reading import Reader
from channels.adapters.shopify.refund import is_tip
from channels.adapters.shopify.taxes import taxes
from channels.reading import Json, text
from channels.record import Jurisdiction, Tax
from channels.sale import Discount, Line
from salessync.core.money import allocate, to_major

major = lru_cache(maxsize=32768)(to_major)


class Lines(msgspec.Struct):
    """The lines, and the sums that the order's own totals are compared with."""

    lines: list[Line]
    removed: bool  # an edit took something out of the order
    gross: int = 0
    discount: int = 0
    net: int = 0
    tax: int = 0
    tax_marketplace: int = 0
    shipping: int = 0
    shipping_gross: int = 0  # before its discount, with what was removed
    shipping_discount: int = 0
    tip: int = 0
    tip_items: int = 0
    duties: int = 0
    fees: int = 0
    untaxed: set[str] = set()  # lines that Shopify calls not taxable
    scaled: list[Tax] = []  # taxes of lines of which an edit took a part: rounded by us

    def add(self, line: Line) -> None:
        """Take a line in and count it."""
        self.lines.append(line)
        self.tax += line.tax
        for tax in line.taxes:
            if tax.collector == "marketplace":
                self.tax_marketplace += tax.amount
        if line.type == "item" or line.type == "gift_card_sale":
            self.gross += line.gross
            self.discount += line.discount
            self.net += line.net
        elif line.type == "shipping":
            self.shipping += line.net
            self.shipping_discount += line.discount
        elif line.type == "tip":
            self.tip += line.net
        elif line.type == "duty":
            self.duties += line.net
        else:
            self.fees += line.net


def order_lines(reader: Reader, order: Json, returned: Mapping[str, int], place: Jurisdiction | None) -> Lines:
    """Every line of the order as it stands after its edits and before its refunds; `returned` is units by line id."""
    codes = _discount_codes(reader, order)
    rows = reader.objects(order, "line_items")
    removed = _removed(reader, order, rows, returned)
    found = Lines(lines=[], removed=any(removed))
    for index, row in enumerate(rows):
        _item(reader, row, f"line_items[{index}].", removed[index], codes, place, found)
    _tip(reader, order, found)
    for index, row in enumerate(reader.objects(order, "shipping_lines")):
        _shipping(reader, row, index, codes, place, found)
    if order.get("duties_included") is not True:  # where the prices hold the duties, a line of theirs would count twice
        _total_line(reader, order, "original_total_duties_set", "duty", "duties", found.duties, found)
    _fees(reader, order, place, found)
    return found


def _discount_codes(reader: Reader, order: Json) -> list[str | None]:
    """The code, or the name of an automatic discount, by the index that allocations use."""
    return [text(row.get("code")) or text(row.get("title")) for row in reader.objects(order, "discount_applications")]


def _removed(reader: Reader, order: Json, rows: list[Json], returned: Mapping[str, int]) -> list[int]:
    """Units of each line that an edit took out: what is neither current nor returned.

    `current_quantity` falls through refunds too, and returned units are still part of the sale.
    """
    removed = []
    for row in rows:
        quantity, current = row.get("quantity"), row.get("current_quantity")
        if type(quantity) is int and type(current) is int and current < quantity:
            removed.append(max(0, quantity - current - returned.get(str(row.get("id")), 0)))
        else:
            removed.append(0)
    if order.get("cancelled_at") is not None and all(
        row.get("quantity") == gone + returned.get(str(row.get("id")), 0)
        for row, gone in zip(rows, removed, strict=True)
    ):
        return [0] * len(rows)  # a cancellation empties an order; it is no edit of it
    return removed


def _item(
    reader: Reader,
    row: Json,
    where: str,
    removed: int,
    codes: list[str | None],
    place: Jurisdiction | None,
    found: Lines,
) -> None:
    ordered = reader.quantity(row.get("quantity"), where + "quantity")
    kept = ordered - removed
    if kept <= 0 and removed:
        return
    price = reader.money(row, "price", where)
    discounts = _discounts(reader, row, where, codes)
    own_taxes = taxes(reader, row, where, place)
    if removed:
        _scale(discounts, own_taxes, kept, removed)
        found.scaled.extend(own_taxes)
    gross = reader.within_limit(price * kept, where + "price")
    discount = tax = 0
    for given in discounts:
        discount += given.amount
    for own in own_taxes:
        tax += own.amount
    tip = is_tip(row)
    if tip:
        found.tip_items += gross - discount
    found.add(
        Line(
            id=reader.identifier(row.get("id"), where + "id"),
            type="tip" if tip else "gift_card_sale" if row.get("gift_card") is True else "item",
            sku=_sku(reader, row.get("sku"), where + "sku"),
            name=text(row.get("name")) or text(row.get("title")) or "",
            quantity=str(kept),
            unit_price=major(price, reader.currency),
            gross=gross,
            discount=discount,
            net=gross - discount,
            discounts=discounts,
            taxes=own_taxes,
            tax=tax,
        )
    )
    if row.get("taxable") is False:
        found.untaxed.add(str(row.get("id")))
    if row.get("duties"):
        _duties(reader, row, where, place, found)


def _discounts(reader: Reader, row: Json, where: str, codes: list[str | None]) -> list[Discount]:
    """Allocations hold the line's own and the order's discounts; total_discount only the line's own, and is deprecated."""
    allocations = row.get("discount_allocations")
    if not allocations and (allocations is None or type(allocations) is list):
        alone = reader.maybe_money(row, "total_discount", where)
        return [Discount(amount=alone)] if alone and alone > 0 else []
    found = []
    for index, one in enumerate(reader.objects(row, "discount_allocations", where)):
        position = one.get("discount_application_index")
        found.append(
            Discount(
                code=codes[position] if type(position) is int and 0 <= position < len(codes) else None,
                amount=reader.magnitude(one, "amount", f"{where}discount_allocations[{index}]."),
            )
        )
    return found


def _scale(discounts: list[Discount], own_taxes: list[Tax], kept: int, removed: int) -> None:
    """Shopify leaves the discounts and taxes of removed units on their line."""
    for discount in discounts:
        discount.amount = allocate(discount.amount, [kept, removed])[0]
    for tax in own_taxes:
        tax.amount = allocate(tax.amount, [kept, removed])[0]


def _sku(reader: Reader, value: object, path: str) -> str | None:
    if value is None or (type(value) is str and not value):
        return None
    if type(value) is str and len(value) <= 1000:
        return value
    if type(value) is int and 0 <= value < 10**30:
        return str(value)
    reader.refuse("BAD_SKU", path, "the sku is no text of at most 1000 characters")
    return None


def _tip(reader: Reader, order: Json, found: Lines) -> None:
    """The order's tip, less what a POS tip line has counted already."""
    stated = reader.maybe_money(order, "total_tip_received")
    extra = (stated or 0) - found.tip_items
    if extra > 0:
        found.add(_single(reader, "tip", "tip", "Tip", extra))
    if stated:
        found.tip = stated


def _single(
    reader: Reader, identifier: str, kind: str, name: str, amount: int, own_taxes: list[Tax] | None = None
) -> Line:
    return Line(
        id=identifier,
        type=kind,  # type: ignore[arg-type]
        name=name,
        quantity="1",
        unit_price=major(amount, reader.currency),
        gross=amount,
        net=amount,
        taxes=own_taxes or [],
        tax=sum(t.amount for t in own_taxes or []),
    )


def _shipping(
    reader: Reader, row: Json, index: int, codes: list[str | None], place: Jurisdiction | None, found: Lines
) -> None:
    """discounted_price knows only the line's own discounts, the allocations know all; either may be left out."""
    where = f"shipping_lines[{index}]."
    price = reader.magnitude(row, "price", where)
    found.shipping_gross += price
    if row.get("is_removed") is True:
        found.removed = True
        return
    discounts = _discounts(reader, row, where, codes)
    discounted = reader.maybe_money(row, "discounted_price", where)
    allocated = sum(d.amount for d in discounts)
    untold = 0 if discounted is None else price - discounted - allocated
    if untold > 0:
        discounts.append(Discount(amount=untold))
        allocated += untold
    own_taxes = taxes(reader, row, where, place)
    identifier = row.get("id")
    found.add(
        Line(
            id=f"shipping:{index + 1}" if identifier is None else reader.identifier(identifier, where + "id"),
            type="shipping",
            name=text(row.get("title")) or "",
            quantity="1",
            unit_price=major(price, reader.currency),
            gross=price,
            discount=allocated,
            net=price - allocated,
            discounts=discounts,
            taxes=own_taxes,
            tax=sum(t.amount for t in own_taxes),
        )
    )


def _duties(reader: Reader, row: Json, where: str, place: Jurisdiction | None, found: Lines) -> None:
    for index, duty in enumerate(reader.objects(row, "duties", where)):
        spot = f"{where}duties[{index}]."
        money = reader.object(duty.get("shop_money") or {}, spot + "shop_money")
        found.add(
            _single(
                reader,
                reader.identifier(duty.get("id"), spot + "id"),
                "duty",
                "Duty",
                reader.minor(money.get("amount"), spot + "shop_money.amount"),
                taxes(reader, duty, spot, place),
            )
        )


def _total_line(reader: Reader, order: Json, key: str, kind: str, identifier: str, listed: int, found: Lines) -> None:
    """One line for a total of which the order lists no parts."""
    total = reader.in_set(order, key) if order.get(key) is not None else None
    if total and not listed:
        found.add(_single(reader, identifier, kind, kind.capitalize(), total))


def _fees(reader: Reader, order: Json, place: Jurisdiction | None, found: Lines) -> None:
    for index, row in enumerate(reader.objects(order, "additional_fees")):
        spot = f"additional_fees[{index}]."
        amount = reader.money(row, "price", spot)
        own_taxes = taxes(reader, row, spot, place)
        identifier = reader.identifier(row.get("id"), spot + "id")
        found.add(_single(reader, identifier, "fee", text(row.get("name")) or "Fee", amount, own_taxes))
    _total_line(reader, order, "original_total_additional_fees_set", "fee", "additional_fees", found.fees, found)
