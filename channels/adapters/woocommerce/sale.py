"""WooCommerce order → canonical sale, with its refunds where they were fetched beside it. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from channels.adapter import Context, Ignored, customer_ref
from channels.adapters.woocommerce.lines import Lines, order_lines
from channels.adapters.woocommerce.payment import Payment, payment
from channels.adapters.woocommerce.reading import Reader, meta, short, truth
from channels.adapters.woocommerce.refund import refund_record
from channels.adapters.woocommerce.taxes import rates
from channels.adapters.woocommerce.words import EXEMPT_META, NOT_YET_ORDERS, PICKUP, STATUS, TEST_META, UNPAID
from channels.canonical import AnyRecord
from channels.reading import Json, stamp, word
from channels.record import Jurisdiction, Source
from channels.sale import Customer, Sale, Totals


def order_records(payload: Any, refunds: Any, context: Context) -> list[AnyRecord]:
    """The sale, and after it the refunds; `refunds` None: they were not fetched, and the order's own list lacks their detail."""
    reader = Reader()
    order = reader.object(payload, "$" if refunds is None else "order")
    reader.finish()
    status = _status_word(order)
    if status in NOT_YET_ORDERS:
        raise Ignored(f"an order with the status {status!r} is a basket that nobody has ordered yet")
    identifier = reader.identifier(order.get("id"), "id")
    reader.currency = reader.read_currency(order.get("currency"), "currency")
    if not reader.currency:  # no amount can be read without it
        _required(reader, order, status)
        reader.finish()
    place = jurisdiction(order, context)
    known = rates(reader, order, place)
    paid = payment(reader, order, status)
    joined = reader.rows({"refunds": refunds}, "refunds")
    given_back = _given_back(reader, order, joined)
    sale = _sale(reader, order, identifier, status, place, known, paid, given_back, context)
    restocked = _restocked(order)
    found = {
        index: refund_record(
            reader, joined[index], f"refunds[{index}].", identifier, known, paid, restocked, sale, context
        )
        for index in sorted(range(len(joined)), key=lambda i: str(joined[i].get("date_created_gmt")))
    }
    reader.finish()
    return [sale, *(one for _, one in sorted(found.items()) if one is not None)] if sale else []


def _status_word(order: Json) -> str:
    """The status without the prefix that it has in WordPress."""
    return word(order.get("status")).strip().removeprefix("wc-")


def _required(reader: Reader, order: Json, status: str) -> None:
    """What else is missing of an order whose amounts cannot be read."""
    if order.get("total") in (None, ""):
        reader.refuse("MISSING_AMOUNT", "total", "total, an amount, is missing")
    _require_status(reader, order, status)


def _require_status(reader: Reader, order: Json, status: str) -> None:
    if status:
        return
    if order.get("status") in (None, ""):
        reader.refuse(
            "MISSING_PAYMENT_STATUS", "status", "the order's status, which tells whether it is paid, is missing"
        )
    else:
        reader.refuse("BAD_FIELD", "status", "the order's status should be a word")


def _sale(
    reader: Reader,
    order: Json,
    identifier: str,
    status: str,
    place: Jurisdiction | None,
    known: Any,
    paid: Payment,
    given_back: int,
    context: Context,
) -> Sale | None:
    _require_status(reader, order, status)
    at = reader.required_gmt(order, "date_created_gmt")
    changed = reader.gmt(order, "date_modified_gmt") or at
    notes = _notes(order, status)
    lines = order_lines(reader, order, known, notes)
    totals = _totals(reader, order, lines, paid, notes)
    if at is None or changed is None:
        return None
    return Sale(
        source=_source(reader, order, identifier, changed, context),
        occurred_at=at,
        timezone=context.timezone,
        business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"woocommerce": notes} if notes else {},
        status=STATUS.get(status, "unknown"),  # type: ignore[arg-type]
        payment_status=_payment_status(status, paid, given_back, totals.total),  # type: ignore[arg-type]
        jurisdiction=place,
        tax_inclusive=False,  # the lines come without tax whatever the store's setting
        customer=_customer(reader, order),
        lines=lines.lines,
        tenders=paid.tenders,
        totals=totals,
    )


def _source(reader: Reader, order: Json, identifier: str, changed: datetime, context: Context) -> Source:
    return Source(
        channel=context.channel,
        adapter="woocommerce",
        id=identifier,
        version=stamp(changed),
        number=short(order.get("number")),
        test=is_test(order),
    )


def is_test(order: Json) -> bool:
    """Whether the gateway noted its sandbox on the order; WooCommerce itself has no test orders."""
    said = meta(order)
    return any(word(said.get(key)) in words for key, words in TEST_META.items())


def _payment_status(status: str, paid: Payment, given_back: int, total: int) -> str:
    if status == "failed":
        return "failed"
    if not paid.is_paid:
        free = total == 0 and status in ("processing", "completed")  # nothing was asked for, so nothing is due
        return "paid" if free else UNPAID.get(status, "unknown")
    if status == "refunded" or (given_back and given_back >= paid.total):
        return "refunded"
    return "partially_refunded" if given_back else "paid"


def _totals(reader: Reader, order: Json, lines: Lines, paid: Payment, notes: Json) -> Totals:
    """The vendor's own figures. Gross and net of the items it does not state; the total is the one before gift cards."""
    inclusive = truth(order.get("prices_include_tax"))
    slack = lines.rounded and inclusive  # net prices of such a shop are rounded for display only
    discount = reader.maybe_amount(order, "discount_total")
    discount = lines.discount if discount is None else discount + lines.raised
    if slack and abs(discount - lines.discount) <= len(lines.lines):
        discount = lines.discount
    shipping = reader.maybe_amount(order, "shipping_total")
    tax = reader.maybe_amount(order, "total_tax")
    totals = Totals(
        gross=reader.within_limit(lines.gross, "line_items"),
        discount=reader.positive(reader.within_limit(discount, "discount_total"), "discount_total"),
        net=reader.within_limit(lines.net, "line_items"),
        shipping=reader.positive(lines.shipping if shipping is None else shipping, "shipping_total"),
        fees=reader.within_limit(lines.fees, "fee_lines"),
        tax=reader.within_limit(lines.tax if tax is None else tax, "total_tax"),
        total=reader.within_limit(paid.total + paid.gift_cards, "total"),
        paid=paid.paid,
    )
    totals.due = totals.total - paid.paid
    missing = totals.total - (totals.net + totals.shipping + totals.fees + totals.tax)
    if slack and missing and abs(missing) <= len(lines.lines) // 2 + 1:
        totals.rounding = missing
        notes["rounding"] = "the shop rounds at the subtotal: its lines are roundings of finer figures"
    return totals


def _given_back(reader: Reader, order: Json, joined: list[Json]) -> int:
    """What the refunds come to, from their own records or else from the order's list of them."""
    if joined:
        return sum(abs(reader.maybe_amount(row, "amount", f"refunds[{i}].") or 0) for i, row in enumerate(joined))
    rows = reader.rows(order, "refunds")
    return sum(abs(reader.maybe_amount(row, "total", f"refunds[{i}].") or 0) for i, row in enumerate(rows))


def _restocked(order: Json) -> dict[str, Any]:
    """Line id → the line's meta, which counts the pieces that refunds put back on the shelf."""
    rows = order.get("line_items")
    rows = list(rows.values()) if type(rows) is dict else rows
    return {str(row.get("id")): meta(row) for row in rows or () if type(row) is dict} if type(rows) is list else {}


def jurisdiction(order: Json, context: Context) -> Jurisdiction | None:
    """Where the goods go, else where the buyer lives; what the buyer fetches is taxed where the store is, if that is known."""
    store = context.jurisdiction
    if store is not None and _is_fetched(order):
        return msgspec.structs.replace(store, basis="store")
    found = _place(order.get("shipping")) or _place(order.get("billing"))
    if found is None and store is not None:
        return msgspec.structs.replace(store, basis="store")
    return found


def _is_fetched(order: Json) -> bool:
    rows = order.get("shipping_lines")
    methods = (
        [word(row.get("method_id")).split(":")[0] for row in rows if type(row) is dict] if type(rows) is list else []
    )
    return bool(methods) and all(method in PICKUP for method in methods)


def _place(address: Any) -> Jurisdiction | None:
    country = word(address.get("country")).strip().upper() if type(address) is dict else ""
    if len(country) != 2 or not (country.isascii() and country.isalpha()):
        return None
    region = short(address.get("state"))
    if region is not None and region.startswith(country + "-"):  # DE-BE, TH-10
        region = region[3:] or None
    elif region is not None and region.startswith(country) and region[2:].isdigit():  # JP13
        region = region[2:]
    return Jurisdiction(
        country=country, region=region, postcode=short(address.get("postcode")), city=short(address.get("city"))
    )


def _customer(reader: Reader, order: Json) -> Customer | None:
    """A guest has the id 0."""
    identifier = order.get("customer_id")
    exempt = truth(meta(order).get(EXEMPT_META))
    if identifier is None or identifier is False or identifier in ("", "0", 0):
        return Customer(exempt=True) if exempt else None
    return Customer(ref=customer_ref(reader.optional_id(identifier, "customer_id")), exempt=exempt)


def _notes(order: Json, status: str) -> Json:
    """What WooCommerce says and the record has no field for."""
    notes: Json = {}
    if order.get("prices_include_tax") is not None:
        notes["prices_include_tax"] = truth(order["prices_include_tax"])
    for key in ("created_via", "payment_method"):
        value = short(order.get(key), 100)
        if value:
            notes[key] = value
    if status and status not in ("pending", "processing", "completed", "cancelled"):
        notes["status"] = status[:100]
    rows = order.get("refunds")
    if type(rows) is list and rows:  # a refund can be deleted in the shop: it is missing here then
        notes["refunds"] = [short(row.get("id")) for row in rows if type(row) is dict]
    return notes
