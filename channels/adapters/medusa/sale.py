"""Medusa order, joined with its payments and returns → canonical sale and refunds. Pure."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from channels.adapter import Context, Ignored, customer_ref
from channels.adapters.medusa.amounts import Amounts, plain, rounded
from channels.adapters.medusa.lines import Part, lines_of, read_parts, taxed_inside
from channels.adapters.medusa.payments import Paid, credit_tenders, order_payments, read_payments
from channels.adapters.medusa.refund import Cause, Of, called_off, refund_record, returned
from channels.adapters.medusa.returns import Return, assign, read_returns, replaced_units
from channels.adapters.medusa.totals import Credit, order_totals, read_credit
from channels.adapters.medusa.words import DRAFT, ORDER_STATUS, PAYMENT_STATUS
from channels.canonical import AnyRecord
from channels.reading import Json, stamp, text, word
from channels.record import Jurisdiction, Source
from channels.sale import Customer, Line, Sale, Tender, Totals
from salessync.core.money import to_major

_PROVINCE = re.compile("[a-z]{2}-([a-z0-9]{1,3})", re.IGNORECASE)
ROUNDED = "half up, by largest remainder"


def order_records(order: Any, payments: Any, returns: Any, context: Context, where: str = "") -> list[AnyRecord]:
    """The sale, and after it the refunds of its payments."""
    reader = Amounts()
    order = reader.object(order, where or "$")
    reader.finish()
    if order.get("status") == DRAFT or order.get("is_draft_order") is True:
        raise Ignored("a draft order is no sale until somebody confirms it")
    identifier = reader.identifier(order.get("id"), "id")
    reader.currency = reader.read_currency(_currency(order, payments), "currency_code")
    if not reader.currency:  # no amount can be read without it
        _required(reader, order)
        reader.finish()
    received = read_returns(reader, order, returns, identifier)
    parts = read_parts(reader, order, replaced_units(received or []))
    paid = read_payments(reader, order, payments)
    credit = read_credit(reader, order, paid)
    return _Records(reader, order, identifier, parts, paid, credit, received, context).build()


def _currency(order: Json, payments: Any) -> Any:
    """Medusa's default answer leaves the order's currency out; its payments name it."""
    told = order.get("currency_code")
    if told is not None:
        return told
    place = order_payments(order, payments)
    rows = place[0] if place is not None and type(place[0]) is list else []
    for collection in rows:
        for row in _rows(collection, "payments"):
            if row.get("currency_code"):
                return row["currency_code"]
        if type(collection) is dict and collection.get("currency_code"):
            return collection["currency_code"]
    return None


def _rows(parent: Any, key: str) -> list[Json]:
    rows = parent.get(key) if type(parent) is dict else None
    return [row for row in rows if type(row) is dict] if type(rows) is list else []


def _required(reader: Amounts, order: Json) -> None:
    """What else is missing of an order whose amounts cannot be read."""
    if order.get("total") is None:
        reader.refuse("MISSING_AMOUNT", "total", "total, an amount, is missing")
    if order.get("created_at") is None:
        reader.refuse("MISSING_TIME", "created_at", "the time of the order is missing")


class _Records:
    """One order while its records are put together."""

    def __init__(
        self,
        reader: Amounts,
        order: Json,
        identifier: str,
        parts: list[Part],
        paid: Paid,
        credit: Credit,
        returns: list[Return] | None,
        context: Context,
    ) -> None:
        self.reader, self.order, self.identifier, self.context = reader, order, identifier, context
        self.parts, self.paid, self.credit, self.returns = parts, paid, credit, returns
        self.notes: Json = {}

    def build(self) -> list[AnyRecord]:
        """The sale and its refunds."""
        reader, place = self.reader, jurisdiction(self.order, self.context)
        inclusive = taxed_inside(self.parts)
        country = place.country if place is not None and place.country not in ("US", "CA") else None
        lines = lines_of(reader, self.parts, inclusive, country)
        if self.credit.granted:
            lines.append(_credit_line(self.credit.granted, reader.currency))
        tenders = self._tenders()
        totals = order_totals(reader, self.order, self.parts, lines, self.credit, inclusive)
        if tenders is not None:
            totals.paid = sum(t.amount for t in tenders if t.status == "captured")
            totals.due = totals.total - totals.paid
        sale = self._sale(lines, tenders, totals, inclusive, place)
        of = Of(self.identifier, inclusive, country, self.context, {line.id: line for line in lines})
        causes = self._causes(sale)
        refunds = [refund_record(reader, back, causes[back.id], of) for back in self.paid.refunds]
        reader.finish()
        return [sale, *refunds]

    def _causes(self, sale: Sale) -> dict[str, Cause]:
        """What each refund is for, by its id."""
        settled = assign(self.returns or [], self.paid.refunds)
        causes = {identifier: returned(returns, self.parts) for identifier, returns in settled.items()}
        given = sum(one.amount for one in self.paid.refunds)
        if sale.status == "cancelled" and causes and given == sale.totals.total:
            last = max(self.paid.refunds, key=lambda one: (one.at, one.id)).id
            updated = self.reader.maybe_instant(self.order, "updated_at") or sale.occurred_at
            causes[last] = called_off(causes[last], self.parts, updated)
        return causes

    def _tenders(self) -> list[Tender] | None:
        """Payments and what was spent of gift cards and store credit, which alone does not say that nothing else was paid."""
        if self.paid.tenders is None:
            return None
        return [*self.paid.tenders, *credit_tenders(self.credit.spent)]

    def _sale(
        self,
        lines: list[Line],
        tenders: list[Tender] | None,
        totals: Totals,
        inclusive: bool,
        place: Jurisdiction | None,
    ) -> Sale:
        reader, order, context = self.reader, self.order, self.context
        at = reader.instant(order.get("created_at"), "created_at")
        status, payment_status = self._status(), self._payment_status(tenders, totals)
        self._note(totals)
        latest = self._latest(at)
        customer = reader.optional_id(order.get("customer_id"), "customer_id")
        reader.finish()
        assert at is not None  # a time that cannot be read is a problem
        return Sale(
            source=Source(
                channel=context.channel,
                adapter="medusa",
                id=self.identifier,
                version=stamp(latest),
                number=_number(order),
                test=self.paid.test,
            ),
            occurred_at=at,
            timezone=context.timezone,
            business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
            currency=reader.currency,
            extensions={"medusa": self.notes} if self.notes else {},
            status=status,  # type: ignore[arg-type]
            payment_status=payment_status,  # type: ignore[arg-type]
            jurisdiction=place,
            tax_inclusive=inclusive,
            customer=None if customer is None else Customer(ref=customer_ref(customer)),
            lines=lines,
            tenders=tenders,
            totals=totals,
        )

    def _latest(self, at: datetime | None) -> datetime:
        """A capture does not touch the order: the latest change of anything in it is its version."""
        updated = self.reader.maybe_instant(self.order, "updated_at")
        known = [time for time in (at, updated) if time is not None]
        return max([*known, self.paid.latest, *(one.latest for one in self.returns or [])])

    def _status(self) -> str:
        told = self.order.get("status")
        if told in (None, ""):
            self.reader.refuse("MISSING_STATUS", "status", "the state of the order is missing")
        elif word(told) not in ORDER_STATUS:
            self.notes["status"] = word(told)[:100]
        return ORDER_STATUS.get(word(told), "unknown")

    def _payment_status(self, tenders: list[Tender] | None, totals: Totals) -> str:
        """Medusa's word; without one, what the payments say; without those, it is missing."""
        told = self.order.get("payment_status")
        if told not in (None, ""):
            if word(told) not in PAYMENT_STATUS:
                self.notes["payment_status"] = word(told)[:100]
            return PAYMENT_STATUS.get(word(told), "unknown")
        if tenders is None:
            self.reader.refuse("MISSING_PAYMENT_STATUS", "payment_status", "the payment status is missing")
            return "unknown"
        given = sum(one.amount for one in self.paid.refunds)
        if totals.paid:
            if given:
                return "refunded" if given >= totals.paid else "partially_refunded"
            return "paid" if totals.paid >= totals.total else "partially_paid"
        states = {tender.status for tender in tenders}
        return next((state for state in ("authorized", "voided") if state in states), "pending")

    def _note(self, totals: Totals) -> None:
        """What Medusa says and the record has no field for; nothing personal."""
        notes, order = self.notes, self.order
        for key in ("sales_channel_id", "region_id", "fulfillment_status"):
            value = text(order.get(key))
            if value is not None:
                notes[key] = value[:100]
        if self.reader.fractions:
            notes["rounded"] = ROUNDED
            if totals.rounding:
                notes["rounding"] = totals.rounding
        if self.paid.foreign:
            notes["provider_id"] = sorted(set(self.paid.foreign))
        if self.returns is None and any(part.back for part in self.parts):
            notes["returns"] = "not told"
        replaced = {part.id: plain(part.exchanged) for part in self.parts if part.exchanged}
        if replaced:
            notes["replaced"] = replaced


def _number(order: Json) -> str | None:
    """What people call the order."""
    for key in ("custom_display_id", "display_id"):
        value = order.get(key)
        if (type(value) is str and value) or (type(value) is int and 0 <= value < 10**30):
            return str(value)[:255]
    return None


def _credit_line(granted: Decimal, currency: str) -> Line:
    """Credit that the merchant gave without a refund: less to pay, and no tax in it."""
    amount = -rounded(granted)
    price = to_major(amount, currency)
    return Line(id="credit", type="fee", name="Credit", quantity="1", unit_price=price, gross=amount, net=amount)


def jurisdiction(order: Json, context: Context) -> Jurisdiction | None:
    """Where the goods go, else where the buyer is billed, else the store."""
    for key in ("shipping_address", "billing_address"):
        place = _place(order.get(key))
        if place is not None:
            return place
    return None if context.jurisdiction is None else msgspec.structs.replace(context.jurisdiction, basis="store")


def _place(address: Any) -> Jurisdiction | None:
    if type(address) is not dict:
        return None
    country = word(address.get("country_code"))
    if len(country) != 2 or not (country.isascii() and country.isalpha()):
        return None
    province = word(address.get("province"))
    coded = _PROVINCE.fullmatch(province)
    return Jurisdiction(
        country=country.upper(),
        region=coded[1].upper() if coded else province[:255] or None,
        postcode=word(address.get("postal_code"))[:255] or None,
        city=word(address.get("city"))[:255] or None,
    )
