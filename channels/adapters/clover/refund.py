"""Money given back: refunds of payments, and credits (manual refunds), which belong to no payment. Pure."""

from datetime import datetime

from channels.adapters.clover.facts import Facts
from channels.adapters.clover.lines import Row, spread
from channels.adapters.clover.payments import CLOVER, card_of, tender_type
from channels.adapters.clover.reading import Reader, is_true
from channels.adapters.clover.words import CREDIT_STATUS, REFUND_STATUS
from channels.reading import Json, word
from channels.record import Tax
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals
from channels.sale import Line


def given_back(order: Json) -> int:
    """What the succeeded refunds of an order gave back without tips; 0 for whatever cannot be read, which is told later."""
    value = order.get("refunds")
    rows = value.get("elements") if type(value) is dict else value
    amounts = [
        (row.get("amount"), row.get("tipAmount") or 0)
        for row in (rows if type(rows) is list else ())
        if type(row) is dict and _refund_status(row) == "succeeded"
    ]
    return sum(a - t for a, t in amounts if type(a) is int and type(t) is int)


def _refund_status(raw: Json) -> str:
    if is_true(raw.get("voided")):
        return "cancelled"
    status = raw.get("status")
    return "succeeded" if status is None else REFUND_STATUS.get(word(status), "unknown")


def refund_records(
    reader: Reader, order: Json, facts: Facts, lines: dict[str, Line], rows: list[Row], types: dict[str, str]
) -> list[Refund]:
    """The refunds that an order embeds; `types`: what its payments were, since a refund says only which one it gives back."""
    found = []
    for index, raw in enumerate(reader.elements(order, "refunds")):
        where = f"refunds[{index}]."
        named = [lines[i] for i in _named(reader, raw, where, rows) if i in lines]
        found.append(_refund(reader, raw, where, facts, named, types))
    return found


def _named(reader: Reader, raw: Json, where: str, rows: list[Row]) -> list[str]:
    """The lines that a refund gives back: those it names, or those that name it."""
    named = [
        reader.optional_id(one.get("id"), where + "lineItems.id") for one in reader.elements(raw, "lineItems", where)
    ]
    found = [one for one in named if one]
    if not found:
        found = [row.id for row in rows if row.refund is not None and row.refund == raw.get("id")]
    return list(dict.fromkeys(found))


def _refund(reader: Reader, raw: Json, where: str, facts: Facts, named: list[Line], types: dict[str, str]) -> Refund:
    identifier = reader.identifier(raw.get("id"), where + "id")
    amount = reader.positive(reader.money(raw, "amount", where), where + "amount")
    tax = reader.maybe_money(raw, "taxAmount", where)
    tip = reader.maybe_money(raw, "tipAmount", where)
    service = _service(reader, raw, where)
    payment = reader.reference(raw, "payment", where)
    kind = types.get(payment or "", "unknown")
    if raw.get("overrideMerchantTender") is not None:
        kind = tender_type(reader, raw, "overrideMerchantTender", {}, where)
    status, at = _refund_status(raw), _time(reader, raw, where, facts)
    lines = _lines(named, amount, tax, tip, service, facts.inclusive)
    return _record(
        reader, facts, identifier, status, at, lines,
        sale=facts.id, amount=amount, tax=tax,
        tender=RefundTender(
            id=identifier or "?", parent=payment, type=kind, amount=amount,  # type: ignore[arg-type]
            processor=CLOVER if kind == "card" else None, reference=identifier if kind == "card" else None,
        ),
    )  # fmt: skip


def _service(reader: Reader, raw: Json, where: str) -> int:
    value = raw.get("serviceChargeAmount")
    if not value:
        return 0
    return reader.maybe_money(
        reader.object(value, where + "serviceChargeAmount"), "amount", where + "serviceChargeAmount."
    )


def _time(reader: Reader, raw: Json, where: str, facts: Facts) -> datetime:
    created = reader.maybe_millis(raw, "createdTime", where)
    client = reader.maybe_millis(raw, "clientCreatedTime", where)
    if created is not None and client is not None:
        return min(created, client)
    known = created or client
    if known is None:
        reader.refuse("MISSING_TIME", where + "createdTime", "the refund does not say when it happened")
    return known or facts.at


def _lines(named: list[Line], amount: int, tax: int, tip: int, service: int, inclusive: bool) -> list[RefundLine]:
    """The lines with their share of the tax that the refund states; what the money is more or less is one adjustment."""
    shares = spread(tax, [line.tax for line in named])
    found = [_line(line, share) for line, share in zip(named, shares, strict=True)]
    if service:
        found.append(RefundLine(line="service_charge", type="fee", quantity="1", net=service))
    if tip:
        found.append(RefundLine(line="tip", type="tip", quantity="1", net=tip))
    left = amount - sum(line.net for line in found) - (0 if inclusive else tax)
    unshared = tax - sum(line.tax for line in found)
    if left or unshared or not found:
        taxes = [Tax(name="Tax", amount=unshared)] if unshared else []
        found.append(RefundLine(type="adjustment", net=left, tax=unshared, taxes=taxes))
    return found


def _line(line: Line, tax: int) -> RefundLine:
    """A line item comes back whole: Clover has one line for each unit."""
    taxes = [
        Tax(name=t.name, rate=t.rate, amount=share)
        for t, share in zip(line.taxes, spread(tax, [t.amount for t in line.taxes]), strict=True)
    ]
    if not taxes:
        taxes = [Tax(name="Tax", amount=tax)] if tax else []
    kind = "fee" if line.type in ("fee", "service_charge") else "item"
    return RefundLine(line=line.id, type=kind, quantity=line.quantity, net=line.net, tax=tax, taxes=taxes)  # type: ignore[arg-type]


def credit_records(reader: Reader, order: Json, facts: Facts, sale: str | None) -> list[Refund]:
    """The credits of an order: money given back without a payment; the sale is named where the order is one."""
    found = []
    for index, raw in enumerate(reader.elements(order, "credits")):
        where = f"credits[{index}]."
        identifier = reader.identifier(raw.get("id"), where + "id")
        amount = reader.positive(abs(reader.money(raw, "amount", where)), where + "amount")
        tax = abs(reader.money(raw, "taxAmount", where)) if raw.get("taxAmount") is not None else 0
        kind = tender_type(reader, raw, "tender", card_of(reader, raw, where), where)
        net = amount if facts.inclusive else amount - tax
        line = RefundLine(type="adjustment", net=net, tax=tax, taxes=[Tax(name="Tax", amount=tax)] if tax else [])
        found.append(
            _record(
                reader, facts, identifier, _credit_status(reader, raw, where), _time(reader, raw, where, facts), [line],
                sale=sale, amount=amount, tax=tax,
                tender=RefundTender(
                    id=identifier or "?", type=kind, amount=amount,  # type: ignore[arg-type]
                    processor=CLOVER if kind == "card" else None, reference=identifier if kind == "card" else None,
                ),
            )
        )  # fmt: skip
    return found


def _credit_status(reader: Reader, raw: Json, where: str) -> str:
    """A credit that was itself taken back is no credit any more."""
    if is_true(raw.get("voided")) or reader.elements(raw, "creditRefunds", where):
        return "cancelled"
    result = raw.get("result")
    return "succeeded" if result is None else CREDIT_STATUS.get(word(result), "unknown")


def _record(
    reader: Reader,
    facts: Facts,
    identifier: str,
    status: str,
    at: datetime,
    lines: list[RefundLine],
    *,
    sale: str | None,
    amount: int,
    tax: int,
    tender: RefundTender,
) -> Refund:
    # a refund has no time of change: what stands as it was made keeps that time, whatever else happens to the order
    version = at if status in ("succeeded", "pending") else max(at, facts.modified)
    return Refund(
        source=facts.source(identifier, version),
        occurred_at=at,
        timezone=facts.context.timezone,
        business_date=reader.business_day(at, facts.context.timezone, facts.context.day_cut_hour),
        currency=reader.currency,
        sale=sale,
        status=status,  # type: ignore[arg-type]
        tax_inclusive=facts.inclusive,
        lines=lines,
        tenders=[tender],
        totals=RefundTotals(
            net=sum(line.net for line in lines if line.type not in ("tip", "adjustment")),
            tip=sum(line.net for line in lines if line.type == "tip"),
            adjustment=sum(line.net for line in lines if line.type == "adjustment"),
            tax=sum(line.tax for line in lines),
            total=amount,
        ),
    )  # fmt: skip
