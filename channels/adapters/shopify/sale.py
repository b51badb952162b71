"""Shopify order → canonical sale, with the refunds that the order embeds as records of their own. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from channels.adapter import Context, customer_ref
from channels.adapters.shopify.lines import order_lines
from channels.adapters.shopify.reading import Reader
from channels.adapters.shopify.refund import refund_record
from channels.adapters.shopify.totals import Sides, order_totals, presentment, sides_of
from channels.adapters.shopify.transactions import EPOCH, fold, tenders
from channels.adapters.shopify.words import PAYMENT_STATUS
from channels.canonical import AnyRecord
from channels.reading import Json, stamp
from channels.record import Jurisdiction, Source
from channels.refund import Refund
from channels.sale import Customer, Sale, Tender, Totals
from salessync.core.money import scale


def order_records(order: Any, context: Context, where: str = "") -> list[AnyRecord]:
    """The sale, and after it the refunds that the order embeds."""
    reader = Reader()
    order = reader.object(order, where or "$")
    reader.finish()
    identifier = reader.identifier(order.get("id"), "id")
    reader.currency = reader.read_currency(order.get("currency"), "currency")
    if not reader.currency:  # no amount can be read without it
        _required(reader, order)
        reader.finish()
    refunds = _refunds(reader, order, context)
    sale = _sale(reader, order, identifier, refunds, context)
    reader.finish()
    return [sale, *refunds]


def _required(reader: Reader, order: Json) -> None:
    """What else is missing of an order whose amounts cannot be read."""
    if order.get("total_price") is None and reader.side(order, "total_price_set") is None:
        reader.refuse("MISSING_AMOUNT", "total_price", "total_price, an amount, is missing")
    if order.get("financial_status") in (None, "") and not order.get("transactions"):
        reader.refuse("MISSING_PAYMENT_STATUS", "financial_status", "the payment status is missing")


def _refunds(reader: Reader, order: Json, context: Context) -> list[Refund]:
    rows = order.get("refunds")
    if not rows:
        return []
    found = [
        refund_record(row, context, reader.problems, f"refunds[{index}].")
        for index, row in enumerate(reader.objects(order, "refunds"))
    ]
    return [one for one in found if one is not None]


def _sale(reader: Reader, order: Json, identifier: str, refunds: list[Refund], context: Context) -> Sale:
    at = reader.instant(order.get("processed_at") or order.get("created_at"), "processed_at")
    updated = reader.maybe_instant(order, "updated_at") or at or EPOCH
    place = jurisdiction(order, context)
    lines = order_lines(reader, order, _returned(refunds), place)
    notes: Json = {}
    totals = order_totals(reader, order, lines, refunds, place, notes)
    sides = sides_of(reader, order)
    paid = _tenders(reader, order, totals, sides)
    payment_status = _payment_status(reader, order, paid, totals, notes)
    _note(reader, order, notes)
    if at is None:
        reader.finish()
        raise AssertionError("a time that cannot be read is a problem")
    return Sale(
        source=_source(reader, order, identifier, updated, context),
        occurred_at=at,
        timezone=context.timezone,
        business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"shopify": notes} if notes else {},
        status=_status(order),  # type: ignore[arg-type]
        payment_status=payment_status,  # type: ignore[arg-type]
        jurisdiction=place,
        tax_inclusive=order.get("taxes_included") is True,
        customer=_customer(reader, order),
        lines=lines.lines,
        tenders=paid,
        totals=totals,
        presentment=None if sides is None else presentment(reader, sides, totals.total),
    )


def _source(reader: Reader, order: Json, identifier: str, updated: datetime, context: Context) -> Source:
    name = order.get("name")
    return Source(
        channel=context.channel,
        adapter="shopify",
        id=identifier,
        version=stamp(updated),
        number=name[:1000] if type(name) is str and name else None,
        location=reader.optional_id(order.get("location_id"), "location_id"),
        register=reader.optional_id(order.get("device_id"), "device_id"),
        test=order.get("test") is True,
    )


def _status(order: Json) -> str:
    if order.get("cancelled_at") is not None:
        return "cancelled"
    if order.get("financial_status") == "voided":
        return "voided"
    finished = order.get("closed_at") is not None or order.get("fulfillment_status") == "fulfilled"
    return "completed" if finished else "open"


def _payment_status(reader: Reader, order: Json, paid: list[Tender] | None, totals: Totals, notes: Json) -> str:
    """Shopify's word; without one, what the transactions say; without those, it is missing."""
    word = order.get("financial_status")
    if type(word) is str and word:
        if word not in PAYMENT_STATUS:
            notes["financial_status"] = word[:100]
        return PAYMENT_STATUS.get(word, "unknown")
    if word not in (None, ""):
        reader.refuse("BAD_FIELD", "financial_status", "the payment status should be a word")
    elif paid is None:
        reader.refuse("MISSING_PAYMENT_STATUS", "financial_status", "the payment status is missing")
    elif totals.paid:
        return "paid" if totals.paid >= totals.total else "partially_paid"
    states = {t.status for t in paid or []}
    return next((state for state in ("authorized", "voided", "failed") if state in states), "pending")


def jurisdiction(order: Json, context: Context) -> Jurisdiction | None:
    """Where the goods go, else where the buyer lives, else the store; over the counter it is the store before the buyer."""
    shipped = _place(order.get("shipping_address"))
    if shipped is not None:
        return shipped
    store = context.jurisdiction
    counter = order.get("source_name") == "pos"
    billed = None if counter and store is not None else _place(order.get("billing_address"))
    if billed is not None or store is None:
        return billed
    return msgspec.structs.replace(store, basis="store")


def _place(address: Any) -> Jurisdiction | None:
    if type(address) is not dict:
        return None
    country = address.get("country_code")
    if type(country) is not str or len(country) != 2 or not (country.isascii() and country.isalpha()):
        return None
    country, region = country.upper(), _word(address.get("province_code"))
    if region is not None and region.startswith(country + "-"):  # Japan's provinces come as JP-13
        region = region[3:] or None
    return Jurisdiction(
        country=country,
        region=region,
        postcode=_word(address.get("zip")),
        city=_word(address.get("city")),
        basis="destination",
    )


def _word(value: Any) -> str | None:
    return value[:255] if type(value) is str and value else None


def _customer(reader: Reader, order: Json) -> Customer | None:
    customer = order.get("customer")
    exempt = order.get("tax_exempt") is True
    if type(customer) is not dict:
        return Customer(exempt=True) if exempt else None
    identifier = reader.optional_id(customer.get("id"), "customer.id")
    return Customer(ref=customer_ref(identifier), exempt=exempt or customer.get("tax_exempt") is True)


def _returned(refunds: list[Refund]) -> dict[str, int]:
    """Units given back, by line."""
    units: dict[str, int] = {}
    for refund in refunds:
        for line in refund.lines:
            if line.line is not None and line.type in ("item", "tip"):
                units[line.line] = units.get(line.line, 0) + int(line.quantity)
    return units


def _tenders(reader: Reader, order: Json, totals: Totals, sides: Sides | None) -> list[Tender] | None:
    """The payments, where the payload tells of them; a webhook does not, and then nothing is known of what was paid."""
    if order.get("transactions") is None:
        return None
    converted: set[str] = set()

    def amount(row: Json, where: str) -> int:
        currency = row.get("currency")
        if currency is None and sides is not None:
            reader.refuse(
                "MISSING_CURRENCY", where + "currency", "shop's or buyer's currency: the transaction does not say"
            )
            return 0
        if currency is None or currency == reader.currency:
            return reader.magnitude(row, "amount", where)
        if sides is None or currency != sides.currency:
            reader.refuse("WRONG_CURRENCY", where + "currency", "the transaction is in neither currency of its order")
            return 0
        converted.add(str(row.get("id")))
        paid = reader.minor(row.get("amount"), where + "amount", sides.currency)
        return scale(abs(paid), sides.shop_total, sides.total) if sides.total else 0

    found = tenders(fold(reader, reader.objects(order, "transactions"), "transactions", amount))
    captured = [t for t in found if t.status == "captured"]
    totals.paid = sum(t.amount for t in captured)
    rounded = [t for t in captured if t.id in converted]
    if rounded and 0 < abs(totals.total - totals.paid) <= len(rounded):  # the last capture takes what rounding left
        rounded[-1].amount += totals.total - totals.paid
        totals.paid = totals.total
    totals.due = totals.total - totals.paid
    return found


def _note(reader: Reader, order: Json, notes: Json) -> None:
    """What Shopify says and the record has no field for; kept small, nothing personal."""
    for key in ("source_name", "cancel_reason"):
        value = order.get(key)
        if type(value) is str and value:
            notes[key] = value[:100]
    for key in ("merchant_of_record_app_id",):
        value = order.get(key)
        if value is not None:
            notes[key] = reader.identifier(value, key)
    if order.get("estimated_taxes") is True:
        notes["estimated_taxes"] = True
    if order.get("duties_included") is True:
        notes["duties_included"] = True
    if reader.silent_about_collector:
        notes["channel_liable"] = "not told"
