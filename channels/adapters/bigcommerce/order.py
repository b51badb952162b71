"""BigCommerce order, joined with its products, taxes, transactions and refunds → the sale, and its refunds after it. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from channels.adapter import Context, Ignored, customer_ref
from channels.adapters.bigcommerce import lines as parts
from channels.adapters.bigcommerce.reading import Reader, latest
from channels.adapters.bigcommerce.refund import refund_records
from channels.adapters.bigcommerce.taxes import tax_lines
from channels.adapters.bigcommerce.tenders import Payments, paid, read_transactions, tenders
from channels.adapters.bigcommerce.words import (
    BY_SHIPMENT,
    INCOMPLETE,
    OFFLINE_STATUS,
    PAYMENT_STATUS,
    REGION_CODE,
    STATUS,
)  # fmt: skip
from channels.canonical import AnyRecord
from channels.reading import Json, stamp, text
from channels.record import Jurisdiction, Source
from channels.sale import Customer, Sale, Tender, Totals

NOTED = ("status", "order_source", "external_source", "external_order_id", "payment_method", "tax_provider_id")


def order_records(order: Any, joined: Json, context: Context) -> list[AnyRecord]:
    """The sale, and after it its refunds."""
    reader = Reader()
    order = reader.object(order, "order")
    reader.finish()
    if order.get("status_id") == INCOMPLETE and type(order.get("status_id")) is int:
        raise Ignored("an incomplete order: the buyer never finished the checkout")
    identifier = reader.identifier(order.get("id"), "id")
    reader.currency = reader.read_currency(order.get("default_currency_code") or order.get("currency_code"), "currency")
    if not reader.currency:  # no amount can be read without it
        if order.get("total_inc_tax") in (None, ""):
            reader.refuse("MISSING_AMOUNT", "total_inc_tax", "total_inc_tax, an amount, is missing")
        reader.finish()
    payments = read_transactions(reader, joined)
    sale, modified = _sale(reader, order, identifier, joined, payments, context)
    refunds = refund_records(reader, joined, sale, payments, modified, context)
    reader.finish()
    if refunds:
        newest = latest(modified, *(r.occurred_at for r in refunds))
        sale.source.version = stamp(newest)
    return [sale, *refunds]


def _sale(
    reader: Reader, order: Json, identifier: str, joined: Json, payments: Payments, context: Context
) -> tuple[Sale, datetime]:
    at = reader.date(order.get("date_created"), "date_created")
    changed = reader.date(order["date_modified"], "date_modified") if order.get("date_modified") else None
    place = jurisdiction(reader, order, joined, context)
    notes = _notes(order)
    found = parts.drafts(reader, order, joined)
    costs = parts.order_costs(reader, order, found, joined)
    sold = parts.settle(reader, found, costs, notes)
    tax_lines(reader, joined, found, costs.tax, place, notes)
    for line, draft in zip(sold, found, strict=True):
        line.taxes, line.tax = draft.taxes, sum(t.amount for t in draft.taxes)
    payment_status = _payment_status(reader, order, payments)
    paid_by = tenders(reader, order, payments, costs.total, payment_status, notes)
    if at is None:
        reader.finish()
        raise AssertionError("a time that cannot be read is a problem")
    modified = latest(at, changed, payments.latest)
    sale = Sale(
        source=Source(
            channel=context.channel,
            adapter="bigcommerce",
            id=identifier or "?",
            version=stamp(modified),
            number=identifier or None,
            test=payments.test or str(order.get("payment_method")).strip().casefold() == "test payment gateway",
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"bigcommerce": notes} if notes else {},
        status=_status(order, payment_status),  # type: ignore[arg-type]
        payment_status=_from_tenders(payment_status, paid_by, costs.total),  # type: ignore[arg-type]
        jurisdiction=place,
        tax_inclusive=order.get("is_tax_inclusive_pricing") is True,
        customer=_customer(reader, order),
        lines=sold,
        tenders=paid_by,
        totals=_totals(costs, paid_by),
    )
    return sale, modified


def _totals(costs: parts.Costs, paid_by: list[Tender]) -> Totals:
    received = paid(paid_by)
    return Totals(
        gross=costs.subtotal,
        discount=costs.discount,
        net=costs.subtotal - costs.discount,
        shipping=costs.shipping,
        fees=costs.fees,
        tax=costs.tax,
        rounding=costs.rounding,
        total=costs.total,
        paid=received,
        due=costs.total - received,
    )


def _status(order: Json, payment_status: str) -> str:
    number = order.get("status_id")
    status = STATUS.get(number, "unknown") if type(number) is int else "unknown"
    if payment_status == "voided" and status in ("open", "completed"):
        return "voided"
    if status != BY_SHIPMENT:
        return status
    ordered, shipped = order.get("items_total"), order.get("items_shipped")
    left = type(ordered) is int and type(shipped) is int and 0 < ordered <= shipped
    return "completed" if left or number == 4 else "open"


def _payment_status(reader: Reader, order: Json, payments: Payments) -> str:
    """BigCommerce's word; where it processed nothing itself, what the order's status says of the money."""
    told = order.get("payment_status")
    if type(told) is str and told:
        return PAYMENT_STATUS.get(told.casefold(), "unknown")
    if told not in (None, ""):
        reader.refuse("BAD_FIELD", "payment_status", "the payment status should be a word")
    number = order.get("status_id")
    if type(number) is int and number in OFFLINE_STATUS:
        status = OFFLINE_STATUS[number]
        live = {t.status for t in payments.tenders}
        if status == "pending" and "authorized" in live:
            return "authorized"
        return status
    return "unknown"


def _from_tenders(status: str, paid_by: list[Tender], total: int) -> str:
    """Store credit and gift certificates pay a part of an order that still awaits the rest."""
    received = paid(paid_by)
    if status == "pending" and received:
        return "paid" if received >= total else "partially_paid"
    return status


def jurisdiction(reader: Reader, order: Json, joined: Json, context: Context) -> Jurisdiction | None:
    """Where the goods go, else where they are picked up, else where the buyer lives, else the store."""
    for row in parts.addresses(reader, order, joined):
        shipped = _place(row, "country_iso2", "zip", "destination")
        if shipped is not None:
            return shipped
    for row in parts.consignments(reader, order, joined, "pickups"):
        picked_up = _place(row.get("location"), "country_alpha2", "postal_code", "store")
        if picked_up is not None:
            return picked_up
    billed = _place(order.get("billing_address"), "country_iso2", "zip", "destination")
    store = context.jurisdiction
    if billed is not None or store is None:
        return billed
    return msgspec.structs.replace(store, basis="store")


def _place(address: Any, country_key: str, postcode_key: str, basis: str) -> Jurisdiction | None:
    if type(address) is not dict:
        return None
    country = address.get(country_key)
    if type(country) is not str or len(country) != 2 or not (country.isascii() and country.isalpha()):
        return None
    state = _word(address.get("state"))
    country = country.upper()
    return Jurisdiction(
        country=country,
        region=None if state is None else REGION_CODE.get((country, state.strip().casefold()), state),
        postcode=_word(address.get(postcode_key)),
        city=_word(address.get("city")),
        basis=basis,  # type: ignore[arg-type]
    )


def _word(value: Any) -> str | None:
    return value[:255] if type(value) is str and value else None


def _customer(reader: Reader, order: Json) -> Customer | None:
    """Nobody, for a guest: BigCommerce numbers them all 0."""
    value = order.get("customer_id")
    if value == 0 and type(value) is int:
        return None
    identifier = reader.optional_id(value, "customer_id")
    return None if identifier is None else Customer(ref=customer_ref(identifier))


def _notes(order: Json) -> Json:
    """What BigCommerce says and the record has no field for."""
    notes: Json = {}
    for key in NOTED:
        value = text(order.get(key))
        if value:
            notes[key] = value[:100]
    channel = order.get("channel_id")
    if type(channel) is int and abs(channel) < 10**12:
        notes["channel_id"] = channel
    shown, own = order.get("currency_code"), order.get("default_currency_code")
    if type(shown) is str and shown and type(own) is str and own and shown != own:
        notes["display_currency"] = shown[:3]
        notes["currency_exchange_rate"] = str(order.get("currency_exchange_rate"))[:40]
    store = order.get("store_default_currency_code")
    if type(store) is str and store and store not in (own, shown):
        notes["store_currency"] = store[:3]
        notes["store_exchange_rate"] = str(order.get("store_default_to_transactional_exchange_rate"))[:40]
    return notes
