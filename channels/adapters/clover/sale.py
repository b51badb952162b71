"""An order as a sale, and its refunds and credits beside it. Pure.

`total` of an order is its owner's figure, without tips: it is carried through (tips added, since ours include them) and the
lines must prove it.
"""

from typing import Any

import msgspec

from channels.adapter import Context, Ignored, customer_ref
from channels.adapters.clover.facts import Facts, read_facts
from channels.adapters.clover.lines import Row, charge_of, maybe_percent, read_rows
from channels.adapters.clover.payments import Charge, Payment, as_tender, read_payments
from channels.adapters.clover.reading import Reader
from channels.adapters.clover.refund import credit_records, given_back, refund_records
from channels.adapters.clover.taxes import expected, lay_on
from channels.adapters.clover.words import PAYMENT_STATUS, STATUS
from channels.canonical import AnyRecord
from channels.reading import Json, word
from channels.record import Tax
from channels.sale import Customer, Line, Sale, Tender, Totals
from salessync.core.money import to_major


class Figures(msgspec.Struct):
    """The amounts of an order, once it is known which of them the vendor states."""

    total: int
    service: int
    tax: int
    tips: int
    charges: list[Charge]
    outside: bool  # the charges lie outside of what the order's total and its payments count
    extensions: Json


def order_records(raw: Any, context: Context) -> list[AnyRecord]:
    """The sale with its refunds and credits; only credits where nothing was sold."""
    reader = Reader()
    order = reader.object(raw, "order")
    reader.finish()
    if _is_empty(order):
        raise Ignored("an order without lines, payments or credits: nothing has happened yet")
    # whatever the currency should have been, the problem is noted, and the rest is read on
    reader.currency = reader.read_currency(order.get("currency"), "currency") or "USD"
    facts = read_facts(reader, order, context)
    if order.get("lineItems") is None and not order.get("credits"):
        reader.refuse("MISSING_LINES", "lineItems", "the order came without its lines: they have to be asked for")
    rows = read_rows(reader, order)
    payments = read_payments(reader, order)
    figures = _figures(reader, order, rows, payments or [], facts)
    taxes = lay_on(rows, figures.tax, facts.inclusive) if not reader.problems else [[] for _ in rows]
    lines = _lines(reader, rows, taxes, figures)
    records: list[AnyRecord] = []
    only_credits = bool(order.get("credits")) and not payments and not any(row.gross > 0 for row in rows)
    if not only_credits:
        records.append(_sale(reader, order, facts, lines, payments, figures, context))
    sale = None if only_credits else facts.id
    records += refund_records(
        reader, order, facts, {line.id: line for line in lines}, rows, {p.id: p.type for p in payments or ()}
    )
    records += credit_records(reader, order, facts, sale)
    reader.finish()
    return records


def _is_empty(order: Json) -> bool:
    """A tab that was opened and nothing more; a list in a shape of its own is read, and refused there."""
    blank: tuple[Any, ...] = ({"elements": []}, [])
    lists = [order.get(key) for key in ("lineItems", "payments", "voids", "refunds", "credits")]
    return order.get("lineItems") in blank and all(one is None or one in blank for one in lists)


def _figures(reader: Reader, order: Json, rows: list[Row], payments: list[Payment], facts: Facts) -> Figures:
    captured = [p for p in payments if p.captured]
    taken, extensions = sum(p.amount for p in captured), _extensions(rows, order, captured)
    stated = reader.money(order, "total")
    if any(row.refunded for row in rows) and stated != taken and stated + given_back(order) == taken:
        stated = taken  # the till took refunded lines out of the total: the sale is stated before its refunds
        extensions["refunds_added_to_total"] = True
    in_full = bool(captured) and taken >= stated
    service = _service(reader, order, rows, captured if in_full else [])
    charges, of_order = _charges(reader, order, rows, captured)
    others = sum(row.net for row in rows) + service
    known = [p.tax for p in captured if p.tax is not None]
    if in_full and len(known) == len(captured):
        tax = sum(known)
    else:
        tax = sum(expected(rows, facts.inclusive).values())
        beside = stated - others - (sum(c.amount for c in charges) if of_order else 0)
        if not facts.inclusive and tax and 0 < abs(beside - tax) <= len(rows):
            tax = beside  # whoever made the order rounded line by line: what the total leaves is the tax
        if tax:
            extensions["tax_from_rates"] = True
    goods = others + (0 if facts.inclusive else tax)
    return Figures(
        total=stated,
        service=service,
        tax=reader.within_limit(tax, "lineItems.taxRates"),
        tips=sum(p.tip for p in captured),
        charges=charges,
        outside=bool(charges) and not of_order and stated == goods,
        extensions=extensions,
    )


def _extensions(rows: list[Row], order: Json, captured: list[Payment]) -> Json:
    found: Json = {}
    if order.get("discounts") and any(row.discounts for row in rows):
        found["discount_allocation"] = "largest remainder over the lines"
    cashback = sum(p.cashback for p in captured)
    if cashback:
        found["cashback"] = cashback
    return found


def _service(reader: Reader, order: Json, rows: list[Row], captured: list[Payment]) -> int:
    """What the payments say was charged for service, or its percentage of the goods."""
    known = [p.service for p in captured if p.service is not None]
    if known:
        return sum(known)
    raw = order.get("serviceCharge")
    if not raw:
        return 0
    service = reader.object(raw, "serviceCharge")
    if service.get("enabled") is False:
        return 0
    amount = charge_of(maybe_percent(reader, service, "serviceCharge."), rows)
    return reader.within_limit(amount, "serviceCharge")


def _charges(reader: Reader, order: Json, rows: list[Row], captured: list[Payment]) -> tuple[list[Charge], bool]:
    """The order's own charges, which its total counts, or else those that came with the payments; and which they are."""
    found: dict[str, Charge] = {}
    of_order = reader.elements(order, "additionalCharges")
    for index, raw in enumerate(of_order):
        where = f"additionalCharges[{index}]."
        kind = word(raw.get("type"))[:100] or "charge"
        if raw.get("amount") is None:
            amount = reader.within_limit(
                charge_of(maybe_percent(reader, raw, where), rows), where + "percentageDecimal"
            )
        else:
            amount = reader.money(raw, "amount", where)
        _add(found, Charge(reader.optional_id(raw.get("id"), where + "id") or kind.lower(), kind, amount))
    if not of_order:
        for charge in (c for p in captured for c in p.charges):
            _add(found, charge)
    return list(found.values()), bool(of_order)


def _add(found: dict[str, Charge], charge: Charge) -> None:
    """Payments of a split each name their share of one charge."""
    before = found.get(charge.id)
    found[charge.id] = Charge(charge.id, charge.type, charge.amount + (before.amount if before else 0))


def _lines(reader: Reader, rows: list[Row], taxes: list[list[Tax]], figures: Figures) -> list[Line]:
    lines = [
        Line(
            id=row.id,
            type=row.type,  # type: ignore[arg-type]
            sku=row.sku,
            name=row.name,
            quantity=row.quantity,
            unit_price=row.unit_price,
            gross=row.gross,
            discount=row.discount,
            net=row.net,
            discounts=row.discounts,
            taxes=taxed,
            tax=sum(t.amount for t in taxed),
            exchange=row.exchange,
        )
        for row, taxed in zip(rows, taxes, strict=True)
    ]
    beside = [("service_charge", "service_charge", "Service charge", figures.service)]
    beside += [(charge.id, "fee", charge.type, charge.amount) for charge in figures.charges]
    beside += [("tip", "tip", "Tip", figures.tips)]
    for identifier, kind, name, amount in beside:
        if amount:
            lines.append(
                Line(
                    id=identifier,
                    type=kind,  # type: ignore[arg-type]
                    name=name,
                    quantity="1",
                    unit_price=to_major(amount, reader.currency),
                    gross=amount,
                    net=amount,
                )
            )
    return lines


def _sale(
    reader: Reader,
    order: Json,
    facts: Facts,
    lines: list[Line],
    payments: list[Payment] | None,
    figures: Figures,
    context: Context,
) -> Sale:
    tenders = None if payments is None else _tenders(payments, figures)
    totals = _totals(lines, tenders, figures)
    status, payment_status = _states(order, payments or [])
    return Sale(
        source=facts.source(facts.id, facts.modified, offline=any(p.offline for p in payments or ())),
        occurred_at=facts.at,
        timezone=context.timezone,
        business_date=reader.business_day(facts.at, context.timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"clover": figures.extensions} if figures.extensions else {},
        status=status,  # type: ignore[arg-type]
        payment_status=payment_status,  # type: ignore[arg-type]
        jurisdiction=context.jurisdiction,
        tax_inclusive=facts.inclusive,
        customer=_customer(reader, order),
        lines=lines,
        tenders=tenders,
        totals=totals,
    )


def _tenders(payments: list[Payment], figures: Figures) -> list[Tender]:
    """Charges outside of the payments' amounts were taken with them; which it is, the sum of the payments tells."""
    beside = figures.outside and sum(p.amount for p in payments if p.captured) == figures.total
    return [as_tender(p, sum(c.amount for c in p.charges) if beside else 0) for p in payments]


def _totals(lines: list[Line], tenders: list[Tender] | None, figures: Figures) -> Totals:
    by_kind: dict[str, int] = {}
    for line in lines:
        by_kind[line.type] = by_kind.get(line.type, 0) + line.net
    goods = [line for line in lines if line.type in ("item", "gift_card_sale", "donation")]
    total = figures.total + figures.tips + (sum(c.amount for c in figures.charges) if figures.outside else 0)
    paid = None if tenders is None else sum(t.amount for t in tenders if t.status == "captured")
    return Totals(
        gross=sum(line.gross for line in goods),
        discount=sum(line.discount for line in goods),
        net=sum(line.net for line in goods),
        tip=figures.tips,
        service_charge=by_kind.get("service_charge", 0),
        fees=by_kind.get("fee", 0),
        tax=figures.tax,
        total=total,
        paid=paid,
        due=None if paid is None else total - paid,
    )


def _states(order: Json, payments: list[Payment]) -> tuple[str, str]:
    """Status and payment status; payments that were all undone void the order, whatever it says of itself."""
    have = {p.status for p in payments}
    paid = PAYMENT_STATUS.get(word(order.get("paymentState")), "unknown")
    if paid == "pending" and "authorized" in have:
        paid = "authorized"
    state = order.get("state")
    status = "open" if state is None else STATUS.get(word(state).casefold(), "unknown")
    if "voided" in have and have <= {"voided", "failed"}:
        status = paid = "voided"
    if order.get("deletedTime") is not None or order.get("deletedTimestamp") is not None:
        status = "cancelled"
    return status, paid


def _customer(reader: Reader, order: Json) -> Customer | None:
    people = reader.elements(order, "customers")
    if not people:
        return None
    return Customer(ref=customer_ref(reader.optional_id(people[0].get("id"), "customers[0].id")))
