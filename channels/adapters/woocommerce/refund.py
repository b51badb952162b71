"""A WooCommerce refund, read beside its order, → canonical refund. Pure.

Alone it has neither currency nor order. Its lines are negative; its amount is not, and wins over the lines where they differ.
"""

from decimal import Decimal
from typing import Any

from channels.adapter import Context
from channels.adapters.woocommerce.payment import Payment
from channels.adapters.woocommerce.reading import ZERO, Reader, meta, number, plain, short, truth
from channels.adapters.woocommerce.taxes import Rate, row_tax, taxes
from channels.adapters.woocommerce.words import REFUND_REFERENCE, REFUNDED_LINE_META, RESTOCKED_META
from channels.reading import Json, stamp
from channels.record import Source
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals
from channels.sale import Sale

Restocked = dict[str, Any]  # sale line id → its meta; the count in it goes down as refunds, the oldest first, use it up


def refund_record(
    reader: Reader,
    row: Json,
    where: str,
    order_id: str,
    known: dict[str, Rate],
    paid: Payment,
    restocked: Restocked,
    sale: Sale | None,
    context: Context,
) -> Refund | None:
    """One refund of the order; None where it cannot be read, with problems."""
    identifier = reader.identifier(row.get("id"), where + "id")
    total = reader.positive(reader.amount(row, "amount", where), where + "amount")
    at = reader.required_gmt(row, "date_created_gmt", where)
    lines = [
        line
        for key, kind in (("line_items", "item"), ("shipping_lines", "shipping"), ("fee_lines", "fee"))
        for index, one in enumerate(reader.rows(row, key, where))
        if (line := _line(reader, one, f"{where}{key}[{index}].", kind, known, restocked)) is not None
    ]
    difference = reader.within_limit(total - sum(line.net + line.tax for line in lines), where + "amount")
    if difference:
        lines.append(RefundLine(type="adjustment", net=difference))
    if at is None or sale is None:
        return None
    return Refund(
        source=Source(
            channel=context.channel,
            adapter="woocommerce",
            id=identifier,
            version=stamp(at),  # a refund never changes; it can only be deleted
            test=sale.source.test,
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"woocommerce": {"refunded_payment": truth(row.get("refunded_payment"))}},
        sale=order_id,
        status="succeeded",
        lines=lines,
        tenders=_tenders(row, identifier, total, paid),
        totals=_totals(reader, lines, total, where),
    )


def _line(
    reader: Reader, row: Json, where: str, kind: Any, known: dict[str, Rate], restocked: Restocked
) -> RefundLine | None:
    """A line given back; one with neither pieces nor money is none."""
    said = meta(row)
    sold = reader.optional_id(said.get(REFUNDED_LINE_META), where + REFUNDED_LINE_META)
    net = -reader.amount(row, "total", where)
    tax = row_tax(reader, row, where, known, sign=-1)
    quantity = abs(reader.decimal(row.get("quantity"), where + "quantity")) if kind == "item" else Decimal(1)
    if not net and not tax.stated and (kind != "item" or not quantity):
        return None
    return RefundLine(
        line=sold,
        type=kind,
        quantity=number(quantity),
        net=net,
        tax=tax.stated,
        taxes=taxes(tax, tax.stated),
        restock="return" if kind == "item" and _is_back(restocked, sold, quantity) else "none",
    )


def _is_back(restocked: Restocked, sold: str | None, quantity: Decimal) -> bool:
    """Whether the pieces went back on the shelf: the sale's line counts them over all its refunds."""
    said = restocked.get(sold or "")
    count = plain(said.get(RESTOCKED_META)) if said else None
    if said is None or count is None or not ZERO < quantity <= count:
        return False
    said[RESTOCKED_META] = count - quantity
    return True


def _tenders(row: Json, identifier: str, total: int, paid: Payment) -> list[RefundTender]:
    """The money goes back where it came from; of an order that was never paid nothing can.

    `refunded_payment` false says only that WooCommerce did not ask the gateway: most such refunds were made in the gateway's
    own dashboard, so that the processor's clearing is where the bookkeeper looks for them.
    """
    if not total or not paid.tenders:
        return []
    first = paid.tenders[0]
    said = meta(row)
    reference = next((short(said[key]) for key in REFUND_REFERENCE if said.get(key)), None)
    return [
        RefundTender(
            id=identifier,
            parent=first.id,
            type=first.type,
            amount=total,
            processor=first.processor,
            reference=reference if first.processor else None,
        )
    ]


def _totals(reader: Reader, lines: list[RefundLine], total: int, where: str) -> RefundTotals:
    sums = {"net": 0, "shipping": 0, "adjustment": 0}
    for line in lines:
        sums[line.type if line.type in sums else "net"] += line.net
    return RefundTotals(
        net=reader.within_limit(sums["net"], where + "line_items"),
        shipping=reader.within_limit(sums["shipping"], where + "shipping_lines"),
        adjustment=sums["adjustment"],
        tax=reader.within_limit(sum(line.tax for line in lines), where + "line_items"),
        total=total,
    )
