"""Rows of one sale → canonical sale. Pure."""

from channels.adapters.csv.cells import Cells
from channels.adapters.csv.facts import Facts, payments, required_tax
from channels.adapters.csv.lines import extra_lines, plain_line, read_lines, spread_discount, spread_tax
from channels.adapters.csv.words import PAID, STATUS, TENDER_STATE
from channels.checks import COUNTED
from channels.reading import Json, text
from channels.sale import CAPTURED, Line, Sale, Tender, Totals

OF_TYPE = {"shipping": "shipping", "tip": "tip", "service_charge": "service_charge", "fee": "fees", "duty": "duties"}


def sale_record(cells: Cells, facts: Facts) -> Sale:
    """The sale; the proof compares the file's own total and tax with its lines."""
    notes: Json = {}
    total, tax = cells.required_amount("total"), required_tax(cells)
    if total < 0:
        index, _ = cells.one("total")
        cells.refuse(
            "NEGATIVE_TOTAL", index, "total", "money was given back: map the column that names the sale, refund_of"
        )
    status, payment_status = _status(cells)
    lines = _lines(cells, facts, total, tax, notes)
    tenders = _tenders(cells, total, payment_status)
    totals = _totals(cells, lines, tenders, total, tax)
    cells.finish()
    return Sale(
        source=facts.source,
        occurred_at=facts.occurred_at,
        timezone=facts.timezone,
        business_date=facts.business_date,
        currency=cells.currency,
        extensions={"csv": notes} if notes else {},
        status=status,  # type: ignore[arg-type]
        payment_status=payment_status,  # type: ignore[arg-type]
        jurisdiction=facts.place,
        tax_inclusive=cells.mapping.tax_inclusive,
        lines=lines,
        tenders=tenders,
        totals=totals,
    )


def _status(cells: Cells) -> tuple[str, str]:
    return STATUS.get(cells.required_word("status"), ("unknown", "unknown"))


def _lines(cells: Cells, facts: Facts, total: int, tax: int | None, notes: Json) -> list[Line]:
    """The rows with goods, and the shipping and tip that have columns of their own."""
    others = extra_lines(cells)
    if cells.mapping.tells("line_unit_price"):
        rows = read_lines(cells, facts)
        if not rows:
            cells.refuse("MISSING_LINES", 0, "line_unit_price", "no row of the transaction says what was sold")
    else:  # a file of totals: one line has what the rest leaves
        notes["lines"] = "not told"
        rest = total - sum(line.net for line in others) - (cells.maybe_amount("rounding") or 0)
        rest += abs(cells.maybe_amount("discount") or 0)
        line = plain_line(cells, "line:1", "item", rest if cells.mapping.tax_inclusive else rest - (tax or 0))
        line.name = next((text(cells.own(index, "line_name")) or "" for index in cells.having(("line_name",))), "")
        rows = {0: line}
    lines = [*rows.values(), *others]
    spread_discount(cells, lines, notes)
    if tax is not None and not (cells.mapping.tells("line_tax") and cells.mapping.tells("line_unit_price")):
        spread_tax(cells, facts, rows, others, tax, notes)
    return lines


def _tenders(cells: Cells, total: int, payment_status: str) -> list[Tender] | None:
    told = payments(cells, total, moved=payment_status in PAID and bool(total))
    if told is None:
        return None
    action, status = TENDER_STATE[payment_status]
    if any(payment.amount is not None and payment.amount < 0 for payment in told):
        cells.refuse("NEGATIVE_AMOUNT", 0, "tender_amount", "a payment of a sale cannot be negative")
    if payment_status == "partially_paid" and any(payment.amount is None for payment in told):
        cells.refuse("MISSING_AMOUNT", 0, "tender_amount", "paid in part, and how much is not told")
    return [
        Tender(
            id=payment.id,
            type=payment.type,  # type: ignore[arg-type]
            action=action,  # type: ignore[arg-type]
            status=status,  # type: ignore[arg-type]
            amount=total if payment.amount is None else payment.amount,
            processor=payment.processor,
            reference=payment.reference,
        )
        for payment in told
    ]


def _totals(cells: Cells, lines: list[Line], tenders: list[Tender] | None, total: int, tax: int | None) -> Totals:
    """The file's total and tax; of what it does not tell, the sums of its lines."""
    counted = [line for line in lines if line.type in COUNTED]
    paid = None if tenders is None else sum(t.amount for t in tenders if t.status in CAPTURED)
    totals = Totals(
        gross=sum(line.gross for line in counted),
        discount=sum(line.discount for line in counted),
        net=sum(line.net for line in counted),
        tax=sum(line.tax for line in lines) if tax is None else tax,
        rounding=cells.maybe_amount("rounding") or 0,
        total=total,
        paid=paid,
        due=None if paid is None else total - paid,
    )
    for line in lines:
        if line.type in OF_TYPE:
            name = OF_TYPE[line.type]
            setattr(totals, name, getattr(totals, name) + line.net)
    return totals
