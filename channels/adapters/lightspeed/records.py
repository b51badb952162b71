"""A Lightspeed sale → our sale; a return → a refund of the sale it takes back from; an exchange → one or both. Pure."""

from typing import Any

import msgspec

from channels.adapter import Context, customer_ref
from channels.adapters.lightspeed.lines import Sums, settle
from channels.adapters.lightspeed.payments import (
    Payments,
    read_payments,
    received,
    refund_tenders,
    sale_tenders,
)  # fmt: skip
from channels.adapters.lightspeed.reading import Reader, decimal, first
from channels.adapters.lightspeed.till import Item, Till, World, read_till, read_world
from channels.adapters.lightspeed.words import RESTOCK, STATE
from channels.canonical import AnyRecord
from channels.reading import Json, text
from channels.record import Jurisdiction, Source
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals
from channels.sale import Customer, Sale, Tender, Totals
from salessync.core.money import MINOR_DIGITS

EXCHANGE = "exchange"


def sale_records(sale: Any, joined: Json, context: Context) -> list[AnyRecord]:
    """What one sale of the till becomes."""
    reader = Reader()
    sale = reader.object(sale, "sale")
    reader.finish()
    world = read_world(reader, joined, sale)
    reader.currency = _currency(reader, sale, world)
    if not reader.currency:  # no amount can be read without it
        reader.identifier(sale.get("id"), "id")
        reader.finish()
    till = read_till(reader, sale, world)
    payments = read_payments(reader, till)
    reader.finish()
    records = _records(reader, till, payments, world, context)
    reader.finish()
    return records


def _records(reader: Reader, till: Till, payments: Payments, world: World, context: Context) -> list[AnyRecord]:
    back = [i for i in till.items if not i.allowance and (i.quantity < 0 or i.net < 0)]
    bought = [i for i in till.items if not i.allowance and not (i.quantity < 0 or i.net < 0)]
    if back and not bought:
        return [_refund(reader, till, till.items, payments, world, context, 0)]
    if not back and not bought and (till.is_return or till.total < 0):
        return [_refund(reader, till, till.items, payments, world, context, 0)]
    if back and till.total < 0:
        return _split(reader, till, back, bought, payments, world, context)
    return [_sale(reader, till, till.items, payments, world, context, back)]


def _split(
    reader: Reader, till: Till, back: list[Item], bought: list[Item], payments: Payments, world: World, context: Context
) -> list[AnyRecord]:
    """More came back than was bought: a sale and a refund, and what one pays of the other is a tender of both."""
    if till.charges or till.reduction or any(i.allowance for i in till.items):
        reader.refuse(
            "MIXED_RETURN", "line_items", "charges or discounts of a mixed return belong to neither part of it"
        )
        return []
    sale = _sale(reader, till, bought, Payments([]), world, context, [])
    assert sale.tenders is not None
    done = till.state == "closed"
    if sale.totals.total > 0 and done:
        sale.tenders.append(Tender(id=EXCHANGE, type="external", status="captured", amount=sale.totals.total))
        sale.totals.paid, sale.totals.due, sale.payment_status = sale.totals.total, 0, "paid"
    refund = _refund(reader, till, back, payments, world, context, sale.totals.total if done else 0)
    whole_total = refund.totals.total - (sale.totals.total if done else 0)
    if done and abs(whole_total + till.total) > 1:
        reader.refuse("TOTAL_MISMATCH", "totals.price", "what came back less what was bought is not the sale's total")
    return [sale, refund]


def _sale(
    reader: Reader, till: Till, items: list[Item], payments: Payments, world: World, context: Context, back: list[Item]
) -> Sale:
    notes = _notes(till, world)
    sums = settle(reader, till, items, 1, whole_sale=items is till.items, notes=notes)
    sums.total += payments.rounding
    sums.rounding += payments.rounding
    if payments.rounding:
        notes["cash_rounding"] = "stands among the vendor's payments"
    if back:
        _exchange(sums, back)
        notes |= {"return_for": till.original} if till.original else {}
    tenders = sale_tenders(reader, till, payments, sums.total, notes)
    status = STATE.get(till.state, ("unknown", "unknown"))[0]
    return Sale(
        **_head(reader, till, world, context, notes),
        status=status,  # type: ignore[arg-type]
        payment_status=_payment_status(status, tenders, sums.total),  # type: ignore[arg-type]
        jurisdiction=_jurisdiction(world, context),
        customer=Customer(ref=customer_ref(till.customer)) if till.customer else None,
        lines=sums.lines,
        tenders=tenders,
        totals=_totals(sums, received(tenders)),
    )


def _totals(sums: Sums, paid: int) -> Totals:
    goods = [line for line in sums.lines if line.type in ("item", "gift_card_sale")]
    discount = sum(line.discount for line in goods)
    return Totals(
        gross=sums.net + discount,
        discount=discount,
        net=sums.net,
        shipping=sums.shipping,
        tip=sums.tip,
        fees=sums.fees,
        tax=sums.tax,
        rounding=sums.rounding,
        total=sums.total,
        paid=paid,
        due=sums.total - paid,
    )


def _exchange(sums: Sums, back: list[Item]) -> None:
    """Of an exchange each bought line names a line that came back for it, in their order."""
    returned = [item.id for item in back]
    bought = [line for line in sums.lines if line.type == "item" and line.id not in set(returned)]
    for index, line in enumerate(bought):
        line.exchange = returned[min(index, len(returned) - 1)]


def _payment_status(status: str, tenders: list[Tender], total: int) -> str:
    if status == "voided":
        return "voided"
    paid = received(tenders)
    if paid >= total and (paid or status == "completed"):
        return "paid"
    return "partially_paid" if paid else "pending"


def _refund(
    reader: Reader, till: Till, items: list[Item], payments: Payments, world: World, context: Context, exchanged: int
) -> Refund:
    """`exchanged`: what of the money was kept for the goods that were bought in the same go."""
    notes = _notes(till, world)
    sums = settle(reader, till, items, -1, whole_sale=items is till.items, notes=notes)
    money = refund_tenders(reader, payments)
    if exchanged:
        money.append(RefundTender(id=EXCHANGE, type="external", amount=exchanged))
    total = sums.total
    if money:
        total = sum(t.amount for t in money)
    elif till.state == "closed" and total > 0 and "onaccount" in till.attributes:
        money = [RefundTender(id="on_account", type="on_account", amount=total)]
    lines = _refund_lines(sums, items, world)
    rest = total - sum(line.net + line.tax for line in lines)
    if rest:
        lines.append(RefundLine(type="adjustment", net=rest))
    if total < 0:
        reader.refuse("NEGATIVE_AMOUNT", "totals.price", "a return that costs the buyer money has no meaning here")
        total = 0
    return Refund(
        **_head(reader, till, world, context, notes),
        sale=till.original,
        status=STATE.get(till.state, ("unknown", "unknown"))[1],  # type: ignore[arg-type]
        lines=lines,
        tenders=money,
        totals=_refund_totals(lines, total),
    )


def _refund_lines(sums: Sums, items: list[Item], world: World) -> list[RefundLine]:
    """The lines that came back, each by the line of the first sale that sold the product, where that sale is known."""
    products = {item.id: item.product for item in items}
    sold = _sold(world.original)
    found = []
    for line in sums.lines:
        goods = line.type in ("item", "gift_card_sale")
        lines_of = sold.get(products.get(line.id, ""), [])
        found.append(
            RefundLine(
                line=(lines_of.pop(0) if len(lines_of) > 1 else lines_of[0]) if goods and lines_of else None,
                type="item" if goods else line.type if line.type in ("shipping", "tip", "fee") else "unknown",
                quantity=line.quantity if goods else "1",
                net=line.net,
                tax=line.tax,
                taxes=line.taxes,
                restock=RESTOCK if goods else "none",  # type: ignore[arg-type]
            )
        )
    return found


def _sold(original: Json) -> dict[str, list[str]]:
    """Product → ids of the lines that sold it."""
    found: dict[str, list[str]] = {}
    rows = first(original, "line_items", "register_sale_products")
    for row in rows if type(rows) is list else []:
        if type(row) is dict and type(row.get("id")) is str and row["id"]:
            quantity = decimal(row.get("quantity"))
            product = str(first(row, "product.id", "product_id") or "")[:255]
            if product and quantity is not None and quantity > 0:
                found.setdefault(product, []).append(row["id"][:255])
    return found


def _refund_totals(lines: list[RefundLine], total: int) -> RefundTotals:
    sums = {"shipping": 0, "tip": 0, "adjustment": 0, "net": 0}
    for line in lines:
        sums[line.type if line.type in sums else "net"] += line.net
    return RefundTotals(tax=sum(line.tax for line in lines), total=total, **sums)


def _head(reader: Reader, till: Till, world: World, context: Context, notes: Json) -> dict[str, Any]:
    """What every record begins with; the outlet's zone is the store's."""
    zone = text(world.outlet.get("time_zone")) or text(world.retailer.get("timezone")) or context.timezone
    if till.at is None:
        reader.finish()
        raise AssertionError("a time that cannot be read is a problem")
    return {
        "source": Source(
            channel=context.channel,
            adapter="lightspeed",
            id=till.id,
            version=till.version,
            number=till.number,
            location=till.outlet,
            register=till.register,
        ),
        "occurred_at": till.at,
        "timezone": zone,
        "business_date": reader.business_day(till.at, zone, context.day_cut_hour),
        "currency": reader.currency,
        "extensions": {"lightspeed": notes} if notes else {},
    }


def _notes(till: Till, world: World) -> Json:
    notes: Json = {"state": till.state[:60]} if till.state else {}
    if till.attributes:
        notes["attributes"] = till.attributes
    shown = world.outlet.get("display_prices")
    if type(shown) is str and shown:
        notes["display_prices"] = shown[:20]
    elif type(world.retailer.get("tax_exclusive")) is bool:
        notes["display_prices"] = "exclusive" if world.retailer["tax_exclusive"] else "inclusive"
    return notes


def _currency(reader: Reader, sale: Json, world: World) -> str:
    """The outlet's, the retailer's; a sale alone does not say."""
    for value in (
        world.outlet.get("currency"),
        first(world.retailer, "currency.code"),
        world.retailer.get("currency"),
        sale.get("currency"),
    ):
        if type(value) is str and value.upper() in MINOR_DIGITS:
            return value.upper()
    told = first(world.retailer, "currency.code") or sale.get("currency")
    return reader.read_currency(told if type(told) is str else None, "currency")


def _jurisdiction(world: World, context: Context) -> Jurisdiction | None:
    """Over the counter it is the outlet."""
    country = world.outlet.get("physical_country_id")
    if type(country) is str and len(country) == 2 and country.isascii() and country.isalpha():
        return Jurisdiction(
            country=country.upper(),
            region=_word(world.outlet.get("physical_state")),
            postcode=_word(world.outlet.get("physical_postcode")),
            city=_word(world.outlet.get("physical_city")),
            basis="store",
        )
    store = context.jurisdiction
    return None if store is None else msgspec.structs.replace(store, basis="store")


def _word(value: Any) -> str | None:
    return value[:255] if type(value) is str and value else None
