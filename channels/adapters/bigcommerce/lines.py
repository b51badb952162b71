"""BigCommerce order → the lines of a sale: products, shipping, handling, wrapping and fees, in the order's own price mode. Pure.

Each amount comes with and without tax; `is_tax_inclusive_pricing` says which of the two is the shop's, and the other an estimate.
"""

from decimal import Decimal
from typing import Any

import msgspec

from channels.adapters.bigcommerce.reading import HALF, Reader, apportion, whole
from channels.adapters.bigcommerce.words import LINE_TYPE, SHIPPING_COUPONS
from channels.reading import Json, text
from channels.record import Tax
from channels.sale import Discount, Line
from salessync.core.money import allocate, minor_digits


class Draft(msgspec.Struct):
    """One line before anything is rounded; `kind`: product, shipping, handling, wrapping or fee."""

    kind: str
    id: str
    type: str
    name: str
    gross: Decimal
    tax: Decimal
    sku: str | None = None
    quantity: int = 1
    unit_price: Decimal | None = None  # smallest units; None: the amount itself
    discounts: list[tuple[str | None, Decimal]] = []
    address: str = ""
    taxes: list[Tax] = []
    gross_units: int = 0
    discount_units: int = 0
    given: list[Discount] = []


class Costs(msgspec.Struct):
    """The order's own sums in whole units."""

    subtotal: int
    shipping: int
    fees: int
    discount: int
    total: int
    tax: int
    shipping_discount: int = 0
    rounding: int = 0  # what rounding each sum for itself leaves of the total


def mode(order: Json) -> str:
    """Which of the two figures of each amount is the shop's own."""
    return "inc_tax" if order.get("is_tax_inclusive_pricing") is True else "ex_tax"


def drafts(reader: Reader, order: Json, joined: Json) -> list[Draft]:
    """Every line, unrounded."""
    which = mode(order)
    found = [
        _product(reader, row, f"products[{index}].", which)
        for index, row in enumerate(_products(reader, order, joined))
    ]
    found.extend(_delivery(reader, order, joined, which))
    found.extend(_order_cost(reader, order, "wrapping", "Gift wrapping", which))
    for index, row in enumerate(fees(reader, order, joined)):
        found.append(_fee(reader, row, f"fees[{index}].", which))
    return found


def _products(reader: Reader, order: Json, joined: Json) -> list[Json]:
    rows = reader.rows(joined.get("products"), "products")
    if rows is None:
        rows = reader.rows(order.get("products"), "products")
    if rows is None:
        reader.refuse("MISSING_LINES", "products", "the order came without its products: they are read together")
    return rows or []


def addresses(reader: Reader, order: Json, joined: Json) -> list[Json]:
    """Where the order is shipped to, with what each delivery costs; [] where that was not joined."""
    rows = reader.rows(joined.get("shipping_addresses"), "shipping_addresses")
    if rows is None:
        rows = reader.rows(order.get("shipping_addresses"), "shipping_addresses")
    return consignments(reader, order, joined, "shipping") if rows is None else rows


def consignments(reader: Reader, order: Json, joined: Json, kind: str) -> list[Json]:
    """One kind of consignment: an object of lists, by some answers wrapped in a list of one."""
    for value in (joined.get("consignments"), order.get("consignments")):
        for one in value if type(value) is list else [value]:
            if type(one) is dict and one.get(kind):
                return reader.objects(one, kind, "consignments.")
    return []


def fees(reader: Reader, order: Json, joined: Json) -> list[Json]:
    """The order's fees, which stand in a list of their own or in an object around it."""
    for value in (joined.get("fees"), order.get("fees")):
        if type(value) is dict and "fees" in value:
            return reader.objects(value, "fees")
        rows = reader.rows(value, "fees")
        if rows is not None:
            return rows
    return []


def _product(reader: Reader, row: Json, where: str, which: str) -> Draft:
    kind = row.get("type")
    sku = row.get("sku")
    address = row.get("order_address_id")
    return Draft(
        kind="product",
        id=reader.identifier(row.get("id"), where + "id"),
        type=LINE_TYPE.get(kind, "unknown") if type(kind) is str else "unknown",
        sku=sku[:1000] if type(sku) is str and sku else None,
        name=text(row.get("name")) or "",
        quantity=reader.quantity(row.get("quantity"), where + "quantity"),
        unit_price=reader.exact(row.get("price_" + which), f"{where}price_{which}"),
        gross=reader.exact(row.get("total_" + which), f"{where}total_{which}"),
        tax=reader.exact(row.get("total_tax"), where + "total_tax"),
        discounts=_applied(reader, row, where),
        address=str(address) if type(address) is int else "",
    )


def _applied(reader: Reader, row: Json, where: str) -> list[tuple[str | None, Decimal]]:
    found = []
    for index, one in enumerate(reader.objects(row, "applied_discounts", where)):
        amount = reader.cost(one, "amount", f"{where}applied_discounts[{index}].")
        if amount:
            found.append((text(one.get("code")) or text(one.get("name")), amount))
    return found


def _delivery(reader: Reader, order: Json, joined: Json, which: str) -> list[Draft]:
    """Shipping and handling by address, where the addresses tell as much as the order charges; else one line of each."""
    rows = addresses(reader, order, joined)
    found: list[Draft] = []
    for kind, name, key in (("shipping", "Shipping", "cost_"), ("handling", "Handling", "handling_cost_")):
        charged = reader.cost(order, f"{kind}_cost_{which}")
        told = [
            _address_cost(reader, row, f"shipping_addresses[{index}].", kind, name, key, which)
            for index, row in enumerate(rows)
        ]
        if told and abs(sum((d.gross for d in told), Decimal(0)) - charged) < len(told):
            found.extend(d for d in told if d.gross or d.tax)
        else:
            found.extend(_order_cost(reader, order, kind, name, which))
    return found


def _address_cost(reader: Reader, row: Json, where: str, kind: str, name: str, key: str, which: str) -> Draft:
    identifier = reader.identifier(row.get("id"), where + "id")
    return Draft(
        kind=kind,
        id=f"{kind}:{identifier}"[:255],
        type="shipping" if kind == "shipping" else "fee",
        name=(text(row.get("shipping_method")) or name) if kind == "shipping" else name,
        gross=reader.cost(row, key + which, where),
        tax=reader.cost(row, key + "tax", where),
        address=identifier,
    )


def _order_cost(reader: Reader, order: Json, kind: str, name: str, which: str) -> list[Draft]:
    cost = reader.cost(order, f"{kind}_cost_{which}")
    tax = reader.cost(order, f"{kind}_cost_tax")
    if not cost and not tax:
        return []
    return [Draft(kind=kind, id=kind, type="shipping" if kind == "shipping" else "fee", name=name, gross=cost, tax=tax)]


def _fee(reader: Reader, row: Json, where: str, which: str) -> Draft:
    key = "cost_" + which
    if row.get(key) is None and which == "ex_tax":
        key = "cost_exc_tax"  # as some answers spell it
    return Draft(
        kind="fee",
        id=f"fee:{reader.identifier(row.get('id'), where + 'id')}"[:255],
        type="fee",
        name=text(row.get("display_name_merchant")) or text(row.get("display_name_customer")) or "Fee",
        gross=reader.exact(row.get(key), where + key),
        tax=reader.cost(row, "cost_tax", where),
    )


def order_costs(reader: Reader, order: Json, found: list[Draft], joined: Json) -> Costs:
    """BigCommerce's own sums. What a coupon took off the shipping is kept apart from what it took off the goods."""
    which = mode(order)
    subtotal = reader.exact(order.get("subtotal_" + which), "subtotal_" + which)
    shipping = reader.cost(order, "shipping_cost_" + which)
    fee_sum = sum((d.gross for d in found if d.kind == "fee"), Decimal(0))
    other = reader.cost(order, "handling_cost_" + which) + reader.cost(order, "wrapping_cost_" + which) + fee_sum
    discount = reader.cost(order, "discount_amount") + reader.cost(order, "coupon_discount")
    total = reader.exact(order.get("total_inc_tax"), "total_inc_tax")
    tax = reader.exact(order.get("total_tax"), "total_tax")
    costs = Costs(
        subtotal=whole(subtotal),
        shipping=whole(shipping),
        fees=whole(other),
        discount=whole(discount),
        total=whole(total),
        tax=whole(tax),
    )
    added = tax if which == "ex_tax" else Decimal(0)
    if reader.fine and abs(subtotal + shipping + other - discount + added - total) < HALF:
        whole_parts = costs.subtotal + costs.shipping + costs.fees - costs.discount + whole(added)
        costs.rounding = costs.total - whole_parts
    _shipping_coupons(reader, order, found, joined, costs)
    return costs


def _shipping_coupons(reader: Reader, order: Json, found: list[Draft], joined: Json, costs: Costs) -> None:
    """A coupon on shipping either has lowered the shipping cost already, or is part of the order's discount beside it."""
    rows = reader.rows(joined.get("coupons"), "coupons")
    if rows is None:
        rows = reader.rows(order.get("coupons"), "coupons") or []
    off = whole(
        sum(
            (
                reader.cost(row, "discount", f"coupons[{index}].")
                for index, row in enumerate(rows)
                if type(row.get("type")) is int and row["type"] in SHIPPING_COUPONS
            ),
            Decimal(0),
        )
    )
    if not 0 < off <= costs.discount:
        return
    parts = costs.subtotal + costs.shipping + costs.fees + (costs.tax if mode(order) == "ex_tax" else 0)
    counted = parts - costs.total
    applied = whole(sum((amount for d in found for _, amount in d.discounts), Decimal(0)))
    if counted == costs.discount - off:
        costs.discount -= off
    elif counted == costs.discount and applied == costs.discount - off and off <= costs.shipping:
        costs.discount -= off
        costs.shipping_discount = off
        costs.shipping -= off


def settle(reader: Reader, found: list[Draft], costs: Costs, notes: Json) -> list[Line]:
    """The lines in whole units, rounded so that they add up to what the order says, where rounding is all that differs."""
    products = [d for d in found if d.kind == "product"]
    deliveries = [d for d in found if d.type == "shipping"]
    others = [d for d in found if d.type == "fee"]
    for group, total in (
        (products, costs.subtotal),
        (deliveries, costs.shipping + costs.shipping_discount),
        (others, costs.fees),
    ):
        for draft, units in zip(group, apportion([d.gross for d in group], total), strict=True):
            draft.gross_units = units
    _discounts(products, costs.discount, notes)
    if costs.shipping_discount:
        weights = [d.gross_units for d in deliveries]
        for draft, units in zip(deliveries, allocate(costs.shipping_discount, weights), strict=True):
            draft.discount_units = units
            draft.given = [Discount(amount=units)] if units else []
    if reader.fine:
        notes["rounding"] = "by us: amounts finer than the smallest unit, by largest remainder to the order's sums"
    return [_line(reader, draft, notes) for draft in found]


def _discounts(products: list[Draft], total: int, notes: Json) -> None:
    flat = [(draft, code, amount) for draft in products for code, amount in draft.discounts]
    weights = [max(d.gross_units, 0) for d in products]
    if not flat and 0 < total <= sum(weights):
        for draft, units in zip(products, allocate(total, weights), strict=True):
            draft.discount_units = units
            draft.given = [Discount(amount=units)] if units else []
        notes["discount_allocation"] = "by us: the order's discount stood on no line"
        return
    for (draft, code, _), units in zip(flat, apportion([a for *_, a in flat], total), strict=True):
        draft.discount_units += units
        if units:
            draft.given = [*draft.given, Discount(code=code, amount=units)]


def _line(reader: Reader, draft: Draft, notes: Json) -> Line:
    return Line(
        id=draft.id or "?",
        type=draft.type,  # type: ignore[arg-type]
        sku=draft.sku,
        name=draft.name,
        quantity=str(draft.quantity),
        unit_price=_unit_price(draft, minor_digits(reader.currency), notes),
        gross=draft.gross_units,
        discount=draft.discount_units,
        net=draft.gross_units - draft.discount_units,
        discounts=draft.given,
        taxes=draft.taxes,
        tax=sum(tax.amount for tax in draft.taxes),
    )


def _unit_price(draft: Draft, digits: int, notes: Json) -> str:
    """The vendor's price; where rounding it explains why times quantity is not the line's total, the total's own share."""
    price = Decimal(draft.gross_units) if draft.unit_price is None else draft.unit_price
    off = abs(price * draft.quantity - draft.gross_units)
    if 1 < off <= Decimal(draft.quantity) / 2:
        price = Decimal(draft.gross_units) / draft.quantity
        notes["unit_price"] = "by us: the line's total by its quantity, the price is rounded"
    return plain(price.scaleb(-digits), digits)


def plain(value: Decimal, digits: int) -> str:
    """Decimal text with at least the currency's digits and at most twelve."""
    short = round(value, 12).normalize()
    exponent = short.as_tuple().exponent
    if type(exponent) is int and exponent > -digits:
        short = short.quantize(Decimal(1).scaleb(-digits))
    return format(short, "f")


def known(value: Any) -> str:
    """An id for comparison; "" where there is none."""
    return str(value) if type(value) is int or (type(value) is str and value) else ""
