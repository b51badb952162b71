"""A sale as the till knows it, read from any of the three shapes that Lightspeed gives it. Pure.

Dated API (2026-07): nested (`line_items[].pricing.total`, `totals.price`). API 2.0: flat (`line_items[].total_price`).
Webhooks and API 1.0: flat with other names (`register_sale_products[].price_total`), many numbers as texts.
Prices never hold the tax, whatever the retailer shows on the shelf.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from channels.adapters.lightspeed.reading import NONE, Reader, decimal, first
from channels.adapters.lightspeed.words import ADJUSTMENT, DISCOUNT, DISCOUNT_SKU, LEGACY, percent
from channels.reading import Json, text, word


class Rate(msgspec.Struct):
    """A tax rate of the retailer: its name and percentage."""

    name: str
    rate: str | None = None


class Part(msgspec.Struct):
    """One tax on one line, unrounded."""

    rate: Rate
    amount: Decimal


class Item(msgspec.Struct):
    """A line of goods. Amounts in smallest units, unrounded, negative for what comes back."""

    id: str
    product: str
    sku: str | None
    name: str
    quantity: Decimal
    price: Decimal  # of one, before discount
    discount: Decimal  # of the line
    net: Decimal
    taxes: list[Part]
    gift_card: bool = False
    allowance: bool = False  # the line that takes a discount off the whole sale


class Charge(msgspec.Struct):
    """What is added to the goods: a surcharge, a tip, the delivery of a web order."""

    id: str
    type: str
    name: str
    amount: Decimal
    taxes: list[Part]


class Till(msgspec.Struct):
    """The sale, or the return."""

    id: str
    version: str
    state: str
    attributes: list[str]
    number: str | None
    outlet: str | None
    register: str | None
    at: datetime | None
    customer: str | None
    original: str | None  # the sale that this one takes back from
    is_return: bool
    price: Decimal
    tax: Decimal
    total: Decimal  # price and tax, as stated or added
    items: list[Item]
    charges: list[Charge]
    reduction: Decimal  # discounts of the whole sale that are listed beside the lines
    payments: list[Json]


class World(msgspec.Struct):
    """What was joined to the sale: the retailer, the outlet, tax rates, products and the sale that is returned."""

    retailer: Json
    outlet: Json
    rates: dict[str, Rate]
    only: Rate | None  # the one tax that the sale itself tells of
    products: dict[str, Json]
    original: Json


def read_world(reader: Reader, joined: Json, sale: Json) -> World:
    """Everything that stands beside the sale; each may be absent."""
    rates: dict[str, Rate] = {}
    for index, tax in enumerate(_rows(reader, joined, "taxes")):
        name, own = text(tax.get("name")) or "Tax", []
        for rate in reader.objects(tax, "rates", f"taxes[{index}]."):
            value = decimal(rate.get("rate"))
            own.append(Rate(text(rate.get("name")) or name, None if value is None else percent(value)))
            rates[str(rate.get("id"))] = own[-1]
        rates[str(tax.get("id"))] = own[0] if len(own) == 1 else Rate(name)
    own_rates = []
    for tax in reader.objects(sale, "taxes"):
        if text(tax.get("name")):
            value = decimal(tax.get("rate"))
            own_rates.append(Rate(text(tax.get("name")) or "Tax", None if value is None else percent(value)))
            rates.setdefault(str(tax.get("id")), own_rates[-1])
    products = {str(row.get("id")): row for row in _rows(reader, joined, "products")}
    return World(
        retailer=_one(joined.get("retailer")),
        outlet=_one(joined.get("outlet")),
        rates=rates,
        products=products,
        only=own_rates[0] if len(own_rates) == 1 else None,
        original=_one(joined.get("original")),
    )


def _one(value: Any) -> Json:
    """An object, as it stands or in the answer's `data`; {} where there is none."""
    if type(value) is dict and type(value.get("data")) is dict:
        value = value["data"]
    return value if type(value) is dict else {}


def _rows(reader: Reader, joined: Json, key: str) -> list[Json]:
    value = joined.get(key)
    if type(value) is dict and "data" in value:
        value = value["data"]
    return reader.objects({key: value}, key)


def read_till(reader: Reader, sale: Json, world: World) -> Till:
    """The sale in one shape."""
    state, attributes = _state(reader, sale)
    price = reader.exact(first(sale, "totals.price", "total_price", "totals.total_price"), "totals.price")
    tax = reader.exact(first(sale, "totals.tax", "total_tax", "totals.total_tax"), "totals.tax")
    stated = first(sale, "totals.price_incl_tax", "total_price_incl")
    items, charges = _items(reader, sale, world), _ecom(reader, sale, world)
    more, reduction = _adjustments(reader, sale, world)
    return Till(
        id=reader.identifier(sale.get("id"), "id"),
        version=_version(reader, first(sale, "_metadata.version", "version")),
        state=state,
        attributes=attributes,
        number=_word(sale.get("invoice_number")) or _word(sale.get("receipt_number")),
        outlet=reader.optional_id(first(sale, "source.outlet_id", "outlet_id"), "outlet_id"),
        register=reader.optional_id(first(sale, "source.register_id", "register_id"), "register_id"),
        at=reader.time(first(sale, "date", "sale_date", "created_at"), "date"),
        customer=reader.optional_id(sale.get("customer_id"), "customer_id"),
        original=reader.optional_id(first(sale, "return.original_sale_id", "return_for"), "return_for"),
        is_return=first(sale, "return.is_return") is True,
        price=price,
        tax=tax,
        total=price + tax if stated is None else reader.exact(stated, "totals.price_incl_tax"),
        items=items,
        charges=charges + more,
        reduction=reduction,
        payments=_payments(reader, sale),
    )


def _state(reader: Reader, sale: Json) -> tuple[str, list[str]]:
    """The state, from the older status where there is none; a sale that was deleted is void."""
    state, attribute = sale.get("state"), None
    if state is None:
        state, attribute = LEGACY.get(word(sale.get("status")), ("unknown", None))
        if sale.get("status") in (None, ""):
            reader.refuse(
                "MISSING_STATUS", "state", "the sale does not say whether it is parked, pending, closed or voided"
            )
    told = sale.get("attributes")
    attributes = [one[:60] for one in told[:20] if type(one) is str and one] if type(told) is list else []
    if attribute is not None and attribute not in attributes:
        attributes.append(attribute)
    return "voided" if sale.get("deleted_at") else word(state), attributes


def _version(reader: Reader, value: Any) -> str:
    """The retailer's running number: without it nobody knows which of two states is the newer."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= 20:
        return value
    if type(value) is int and 0 <= value < 10**20:
        return str(value)
    code = "MISSING_VERSION" if value is None else "BAD_VERSION"
    reader.refuse(code, "version", "the sale has no version number, which tells the newer of two states")
    return "0"


def _word(value: Any) -> str | None:
    return value[:1000] if type(value) is str and value else None


def _payments(reader: Reader, sale: Json) -> list[Json]:
    key = "register_sale_payments" if "register_sale_payments" in sale else "payments"
    return [row for row in reader.objects(sale, key) if not row.get("deleted_at")]


def _items(reader: Reader, sale: Json, world: World) -> list[Item]:
    key = "register_sale_products" if "register_sale_products" in sale else "line_items"
    found = []
    for index, row in enumerate(reader.objects(sale, key)):
        item = _item(reader, row, f"{key}[{index}].", world)
        if item.quantity or item.net:  # of a partial return the lines that stay bought are left with none
            found.append(item)
    return found


def _item(reader: Reader, row: Json, where: str, world: World) -> Item:
    quantity = reader.count(row.get("quantity"), where + "quantity")
    price = reader.exact(first(row, "pricing.price", "unit_price", "price"), where + "price")
    net = reader.exact(first(row, "pricing.total", "total_price", "price_total"), where + "price_total")
    told = first(row, "pricing.discount_total", "total_discount", "discount_total")
    unit = reader.maybe_exact(first(row, "pricing.discount", "unit_discount", "discount"), where + "discount")
    discount = unit * quantity if told is None else reader.exact(told, where + "discount_total")
    tolerance = abs(quantity) / 100 + 1
    if abs(price * quantity - net) <= tolerance:
        price += discount / quantity if quantity else NONE  # Lightspeed's price is what is left of it
    product = str(first(row, "product.id", "product_id") or "")[:255]
    known = world.products.get(product, {})
    sku = first(row, "sku") or known.get("sku")
    name = text(first(row, "name")) or text(known.get("name")) or text(known.get("variant_name")) or ""
    discount_product = world.retailer.get("discount_product_id")
    return Item(
        id=reader.identifier(row.get("id"), where + "id"),
        product=product,
        sku=sku[:1000] if type(sku) is str and sku else None,
        name=name,
        quantity=quantity,
        price=price,
        discount=discount,
        net=net,
        taxes=_line_taxes(reader, row, where, world),
        gift_card=bool(row.get("gift_card_number")),
        allowance=(product != "" and product == discount_product) or sku == DISCOUNT_SKU,
    )


def _line_taxes(reader: Reader, row: Json, where: str, world: World) -> list[Part]:
    """By component where they are told and add up; else the line's one tax."""
    total = reader.exact(first(row, "tax.total", "total_tax", "tax_total"), where + "tax_total")
    parts = []
    for index, one in enumerate(_components(reader, row, where)):
        amount = reader.exact(one.get("total_tax"), f"{where}tax_components[{index}].total_tax")
        parts.append(Part(world.rates.get(str(one.get("rate_id")), Rate("Tax")), amount))
    added = sum((p.amount for p in parts), NONE)
    if parts and added == -total and total:  # of a returned line some answers give them unsigned
        for part in parts:
            part.amount = -part.amount
        added = -added
    if parts and abs(added - total) < Decimal("0.1"):
        return parts
    rate = world.rates.get(str(first(row, "tax.id", "tax_id")))
    if rate is None:
        share = decimal(row.get("tax_rate"))
        rate = world.only or Rate(text(row.get("tax_name")) or "Tax", None if share is None else percent(share))
    return [Part(rate, total)] if total else []


def _components(reader: Reader, row: Json, where: str) -> list[Json]:
    meta = row.get("_metadata")
    if type(meta) is dict and meta.get("tax_components"):
        return reader.objects(meta, "tax_components", where + "_metadata.")
    return reader.objects(row, "tax_components", where)


def _ecom(reader: Reader, sale: Json, world: World) -> list[Charge]:
    """What a web shop adds: delivery and charges of its own."""
    found = []
    for index, row in enumerate(reader.objects(sale, "ecom_custom_charges")):
        where = f"ecom_custom_charges[{index}]."
        name = text(row.get("name")) or "Charge"
        delivery = any(part in name.casefold() for part in ("shipping", "delivery", "freight", "postage"))
        tax = reader.maybe_exact(row.get("total_tax"), where + "total_tax")
        found.append(
            Charge(
                id=f"ecom:{index + 1}",
                type="shipping" if delivery else "fee",
                name=name,
                amount=reader.exact(row.get("total"), where + "total"),
                taxes=_charge_taxes(reader, row, where, world) or ([Part(Rate("Tax"), tax)] if tax else []),
            )
        )
    return found


def _adjustments(reader: Reader, sale: Json, world: World) -> tuple[list[Charge], Decimal]:
    """Surcharges and tips of the whole sale, and what its discounts take off."""
    charges, reduction = [], NONE
    for index, row in enumerate(reader.objects(sale, "adjustments")):
        where = f"adjustments[{index}]."
        kind = word(first(row, "adjustment_type", "type"))
        amount = reader.exact(row.get("total"), where + "total")
        if kind == DISCOUNT:
            reduction += abs(amount)
        else:
            charges.append(
                Charge(
                    id=f"adjustment:{index + 1}",
                    type=ADJUSTMENT.get(kind, "unknown"),
                    name=text(row.get("name")) or kind.capitalize().replace("_", " "),
                    amount=amount,
                    taxes=_charge_taxes(reader, row, where, world),
                )
            )
    return charges, reduction


def _charge_taxes(reader: Reader, row: Json, where: str, world: World) -> list[Part]:
    return [
        Part(
            world.rates.get(str(one.get("rate_id")), Rate("Tax")),
            reader.exact(one.get("total_tax"), f"{where}tax_components[{index}].total_tax"),
        )
        for index, one in enumerate(reader.objects(row, "tax_components", where))
    ]
