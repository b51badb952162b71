"""Vendure order → canonical sale, with the refunds of its payments as records of their own. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from channels.adapter import Context, Ignored, customer_ref
from channels.adapters.vendure.amounts import Amounts
from channels.adapters.vendure.lines import as_lines, prices_include_tax
from channels.adapters.vendure.payments import Paid, read_payments, times
from channels.adapters.vendure.refund import Of, refund_records, step
from channels.adapters.vendure.totals import Stated, state
from channels.adapters.vendure.words import ORDER_RANK, ORDER_STATE, UNPLACED
from channels.canonical import AnyRecord
from channels.reading import Json, stamp, text, word
from channels.record import Jurisdiction, Source
from channels.sale import Customer, Sale, Totals


class Shop(msgspec.Struct, frozen=True):
    """What a payload tells beside the order."""

    precision: int | None = None
    prices_include_tax: bool | None = None


def order_records(order: Any, shop: Shop, context: Context) -> list[AnyRecord]:
    """The sale, and after it the refunds of its payments."""
    reader = Amounts(shop.precision)
    order = reader.object(order, "order")
    reader.finish()
    _placed(order)
    identifier = reader.identifier(order.get("id"), "id")
    reader.currency = reader.read_currency(order.get("currencyCode"), "currencyCode")
    if not reader.currency:  # no amount can be read without it
        if order.get("totalWithTax") is None:
            reader.refuse("MISSING_AMOUNT", "totalWithTax", "totalWithTax, an amount, is missing")
        reader.finish()
    notes: Json = {}
    paid = read_payments(reader, order)
    inclusive = prices_include_tax(order, shop.prices_include_tax)
    cancelled = order.get("state") == "Cancelled"
    stated = state(reader, order, paid, inclusive, cancelled, notes)
    place = jurisdiction(order, context)
    country = place.country if place is not None and place.country not in ("US", "CA") else None
    sale = _sale(reader, order, identifier, paid, stated, inclusive, place, notes, context)
    whole = cancelled and paid.refunds and paid.given_back() == sale.totals.total
    called_off = reader.maybe_instant(order, "updatedAt") or sale.occurred_at if whole else None
    refunds = refund_records(reader, paid.refunds, stated.rows, Of(identifier, inclusive, country, context), called_off)
    reader.finish()
    return [sale, *refunds]


def _placed(order: Json) -> None:
    if word(order.get("state")) in UNPLACED:
        raise Ignored("a cart or draft is no sale until it is placed")
    if order.get("state") == "Cancelled" and order.get("orderPlacedAt") is None and not order.get("payments"):
        raise Ignored("the cart was given up before it was placed")
    if order.get("type") == "Aggregate":
        raise Ignored("the orders of the sellers, which an aggregate order is made of, are read one by one")


def _sale(
    reader: Amounts,
    order: Json,
    identifier: str,
    paid: Paid,
    stated: Stated,
    inclusive: bool,
    place: Jurisdiction | None,
    notes: Json,
    context: Context,
) -> Sale:
    told = order.get("orderPlacedAt") if order.get("orderPlacedAt") is not None else order.get("createdAt")
    at = reader.instant(told, "orderPlacedAt")
    latest = _latest(reader, order, paid, at)
    status = _status(reader, order, notes)
    totals = stated.totals
    if paid.tenders is not None:
        totals.paid = paid.sum_of("captured")
        totals.due = totals.total - totals.paid
    payment_status = _payment_status(reader, paid, totals, notes)
    customer = _customer(reader, order)
    _note(order, paid, notes)
    reader.finish()
    assert at is not None  # a time that cannot be read is a problem
    country = place.country if place is not None and place.country not in ("US", "CA") else None
    return Sale(
        source=Source(
            channel=context.channel,
            adapter="vendure",
            id=identifier,
            version=stamp(latest),
            number=word(order.get("code"))[:255] or None,
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"vendure": notes} if notes else {},
        status=status,  # type: ignore[arg-type]
        payment_status=payment_status,  # type: ignore[arg-type]
        jurisdiction=place,
        tax_inclusive=inclusive,
        customer=customer,
        lines=as_lines(stated.rows, reader.currency, country),
        tenders=paid.tenders,
        totals=totals,
    )


def _latest(reader: Amounts, order: Json, paid: Paid, at: datetime | None) -> datetime:
    """A refund does not touch the order: the latest change of anything in it is its version."""
    known = [*times(reader, order, ""), paid.latest, *([] if at is None else [at])]
    steps = paid.steps + sum(_moved(row) for row in reader.objects(order, "lines"))
    return step(max(known), ORDER_RANK.get(word(order.get("state")), 8) * 100 + min(steps, 99))


def _moved(line: Json) -> int:
    """Units called off or added since the order was placed."""
    units, placed = line.get("quantity"), line.get("orderPlacedQuantity")
    return abs(units - placed) if type(units) is int and type(placed) is int else 0


def _status(reader: Amounts, order: Json, notes: Json) -> str:
    told = order.get("state")
    if told in (None, ""):
        reader.refuse("MISSING_STATUS", "state", "the state of the order is missing")
    elif word(told) not in ORDER_STATE:
        notes["state"] = word(told)[:100]
    return ORDER_STATE.get(word(told), "unknown")


def _payment_status(reader: Amounts, paid: Paid, totals: Totals, notes: Json) -> str:
    """Vendure has no word for it: what the payments and their refunds come to."""
    if paid.tenders is None:
        reader.refuse("MISSING_PAYMENT_STATUS", "payments", "the payments of the order are missing")
        return "unknown"
    given = sum(back.total for back in paid.refunds if back.status == "succeeded")
    if totals.paid:
        if given:
            return "refunded" if given >= totals.paid else "partially_refunded"
        return "paid" if totals.paid >= totals.total else "partially_paid"
    states = {tender.status for tender in paid.tenders}
    if not states and totals.total == 0:
        return "paid"  # a free order
    return next((one for one in ("unknown", "authorized", "pending", "voided", "failed") if one in states), "pending")


def _customer(reader: Amounts, order: Json) -> Customer | None:
    customer = order.get("customer")
    if type(customer) is not dict:
        return None
    identifier = reader.optional_id(customer.get("id"), "customer.id")
    return None if identifier is None else Customer(ref=customer_ref(identifier))


def _note(order: Json, paid: Paid, notes: Json) -> None:
    """What Vendure says and the record has no field for; nothing personal."""
    codes = order.get("couponCodes")
    if type(codes) is list:
        known = [code[:100] for code in codes if type(code) is str and code]
        if known:
            notes["couponCodes"] = known
    if order.get("type") not in (None, "Regular"):
        notes["type"] = word(order.get("type"))[:100]
    channels = order.get("channels")
    if type(channels) is list:
        own = [text(one.get("code")) for one in channels if type(one) is dict]
        named = [code for code in own if code and code != "__default_channel__"]
        if named:
            notes["channels"] = named
    if paid.foreign:
        notes["method"] = sorted(set(paid.foreign))


def jurisdiction(order: Json, context: Context) -> Jurisdiction | None:
    """Where the goods go, else where the buyer is billed, else the store."""
    for key in ("shippingAddress", "billingAddress"):
        place = _place(order.get(key))
        if place is not None:
            return place
    return None if context.jurisdiction is None else msgspec.structs.replace(context.jurisdiction, basis="store")


def _place(address: Any) -> Jurisdiction | None:
    if type(address) is not dict:
        return None
    country = word(address.get("countryCode"))
    if len(country) != 2 or not (country.isascii() and country.isalpha()):
        return None
    return Jurisdiction(
        country=country.upper(),
        region=word(address.get("province"))[:255] or None,
        postcode=word(address.get("postalCode"))[:255] or None,
        city=word(address.get("city"))[:255] or None,
    )
