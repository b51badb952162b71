"""Rows of one refund → canonical refund, whichever sign the file gives to what is given back. Pure."""

from channels.adapters.csv.cells import Cells
from channels.adapters.csv.facts import Facts, payments, required_tax, taxes
from channels.adapters.csv.lines import extra_lines, read_lines, spread_discount, spread_tax
from channels.adapters.csv.words import REFUND_LINE_TYPE, REFUND_STATUS, RESTOCK
from channels.reading import Json
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals
from channels.sale import Line


def refund_record(cells: Cells, facts: Facts) -> Refund:
    """The refund of the sale that its rows name; what the lines are less than the money, or more, is an adjustment."""
    notes: Json = {}
    sale = cells.one_id("refund_of")
    for index in range(len(cells.rows)):
        if not cells.cell(index, "refund_of"):
            message = "other rows of the same transaction refund a sale, and this one names none"
            cells.refuse("MIXED_ROWS", index, "refund_of", message)
    total, tax = abs(cells.required_amount("total")), required_tax(cells)
    told = None if tax is None else abs(tax)
    lines = _lines(cells, facts, told, notes)
    _adjust(cells, facts, lines, total, told)
    status = REFUND_STATUS.get(cells.required_word("status"), "unknown")
    tenders = [
        RefundTender(
            id=payment.id,
            type=payment.type,  # type: ignore[arg-type]
            amount=total if payment.amount is None else abs(payment.amount),
            processor=payment.processor,
            reference=payment.reference,
        )
        for payment in payments(cells, total, moved=bool(total)) or []
    ]
    cells.finish()
    return Refund(
        source=facts.source,
        occurred_at=facts.occurred_at,
        timezone=facts.timezone,
        business_date=facts.business_date,
        currency=cells.currency,
        extensions={"csv": notes} if notes else {},
        sale=sale,
        status=status,  # type: ignore[arg-type]
        tax_inclusive=cells.mapping.tax_inclusive,
        lines=lines,
        tenders=tenders,
        totals=_totals(lines, total, told),
    )


def _lines(cells: Cells, facts: Facts, tax: int | None, notes: Json) -> list[RefundLine]:
    rows, others = read_lines(cells, facts), extra_lines(cells)
    lines = [*rows.values(), *others]
    _turn(lines)
    spread_discount(cells, lines, notes)
    if tax is not None and lines and not cells.mapping.tells("line_tax"):
        spread_tax(cells, facts, rows, others, tax, notes)
    return [_refund_line(cells, index, line) for index, line in rows.items()] + [
        RefundLine(line=line.id, type=line.type, quantity="1", net=line.net, tax=line.tax, taxes=line.taxes)  # type: ignore[arg-type]
        for line in others
    ]


def _turn(lines: list[Line]) -> None:
    """Files write what is given back with a minus or without: in a refund it is positive either way."""
    if sum(line.gross for line in lines) < 0:
        for line in lines:
            line.gross, line.net = -line.gross, -line.gross - line.discount
    if sum(line.tax for line in lines) < 0:
        for line in lines:
            line.tax = -line.tax
            for tax in line.taxes:
                tax.amount = -tax.amount


def _refund_line(cells: Cells, index: int, line: Line) -> RefundLine:
    back = cells.cell(index, "restock")
    named = cells.own(index, "line_id") or cells.own(index, "line_sku")  # as the sale's line is named
    return RefundLine(
        line=line.id if named else None,
        type=REFUND_LINE_TYPE[line.type],  # type: ignore[arg-type]
        quantity=line.quantity.removeprefix("-"),
        net=line.net,
        tax=line.tax,
        taxes=line.taxes,
        restock=RESTOCK.get(cells.word(index, "restock", back), "unknown") if back else "none",  # type: ignore[arg-type]
    )


def _adjust(cells: Cells, facts: Facts, lines: list[RefundLine], total: int, tax: int | None) -> None:
    """One adjustment line for what the money is more or less than the lines; without lines it is the whole refund."""
    own = 0 if lines else tax or 0
    taxed = 0 if cells.mapping.tax_inclusive else own + sum(line.tax for line in lines)
    net = total - taxed - sum(line.net for line in lines)
    if net or own:
        lines.append(
            RefundLine(
                type="adjustment",
                net=net,
                tax=own,
                taxes=taxes(cells, 0, own, cells.rate(0), facts.place) if own else [],
            )
        )


def _totals(lines: list[RefundLine], total: int, tax: int | None) -> RefundTotals:
    sums = {"net": 0, "shipping": 0, "tip": 0, "adjustment": 0}
    for line in lines:
        sums[line.type if line.type in sums else "net"] += line.net
    return RefundTotals(tax=sum(line.tax for line in lines) if tax is None else tax, total=total, **sums)
