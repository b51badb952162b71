"""The refunds of a Medusa order's payments → canonical refunds, with the goods that they pay back. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from channels.adapter import Context
from channels.adapters.medusa.amounts import Amounts, plain, settle
from channels.adapters.medusa.lines import Part, percent
from channels.adapters.medusa.payments import Back
from channels.adapters.medusa.returns import Return
from channels.reading import stamp, text
from channels.record import Source, Tax
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals
from channels.sale import Line


class Units(NamedTuple):
    """So many of one line, and where they went."""

    part: Part
    many: Decimal
    restock: str


class Of(msgspec.Struct, frozen=True):
    """The sale that the refunds belong to."""

    id: str
    inclusive: bool
    country: str | None
    context: Context
    lines: dict[str, Line]


class Cause(msgspec.Struct):
    """Why a refund was made, as far as the payload tells: the goods, and when that was last known to change."""

    units: list[Units] = []
    latest: list[datetime] = []
    notes: dict[str, object] = {}


def refund_record(reader: Amounts, back: Back, cause: Cause, of: Of) -> Refund:
    """One refund; where nothing tells of goods it is an amount only."""
    lines = _lines(reader, cause.units, of)
    given = sum(line.net + (0 if of.inclusive else line.tax) for line in lines)
    if back.amount != given:
        lines.append(RefundLine(type="adjustment", net=back.amount - given))
    reason, context = back.row.get("refund_reason"), of.context
    return Refund(
        source=Source(
            channel=context.channel,
            adapter="medusa",
            id=back.id,
            version=stamp(max([back.latest, *cause.latest])),
            test=back.test,
        ),
        occurred_at=back.at,
        timezone=context.timezone,
        business_date=reader.business_day(back.at, context.timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"medusa": cause.notes} if cause.notes else {},
        sale=of.id,
        status="succeeded",  # Medusa takes the row back where the processor refuses
        reason=text(reason.get("label")) if type(reason) is dict else None,
        tax_inclusive=of.inclusive,
        lines=lines,
        tenders=[
            RefundTender(
                id=back.id,
                parent=back.parent,
                type=back.type,  # type: ignore[arg-type]
                amount=back.amount,
                processor=back.processor,
            )
        ],
        totals=_totals(lines, back.amount),
    )


def _totals(lines: list[RefundLine], total: int) -> RefundTotals:
    sums = {"item": 0, "shipping": 0, "adjustment": 0}
    for line in lines:
        sums[line.type] += line.net
    return RefundTotals(
        net=sums["item"],
        shipping=sums["shipping"],
        adjustment=sums["adjustment"],
        tax=sum(line.tax for line in lines),
        total=total,
    )


def _lines(reader: Amounts, units: list[Units], of: Of) -> list[RefundLine]:
    """The goods at what they were sold for, rounded together."""
    if any(count > part.quantity for part, count, _ in units):
        reader.refuse("BAD_QUANTITY", "returns", "more units came back than were sold")
        return []
    nets = settle([part.in_mode(part.base(count) - part.discount(count), of.inclusive) for part, count, _ in units])
    taxes = settle([tax for part, count, _ in units for tax in part.taxes(count)])
    lines = []
    for (part, count, restock), net in zip(units, nets, strict=True):
        own, taxes = taxes[: len(part.rates)], taxes[len(part.rates) :]
        sold = of.lines.get(part.id)
        if sold is not None and count == part.sold():  # a whole line gives back what it took, to the penny
            net, own = sold.net, [tax.amount for tax in sold.taxes]
        lines.append(
            RefundLine(
                line=part.id,
                type="shipping" if part.type == "shipping" else "item",
                quantity=plain(count),
                net=net,
                tax=sum(own),
                taxes=[
                    Tax(name=rate.name, jurisdiction=of.country, rate=percent(rate.percent), amount=amount)
                    for rate, amount in zip(part.rates, own, strict=True)
                ],
                restock=restock,  # type: ignore[arg-type]
            )
        )
    return lines


def returned(returns: list[Return], parts: list[Part]) -> Cause:
    """What came back: the sound goods go to the shelf."""
    known = {part.id: part for part in parts if part.type != "shipping"}
    units = [
        Units(known[goods.line], count, restock)
        for one in returns
        for goods in one.goods
        if goods.line in known
        for count, restock in ((goods.received - goods.damaged, "return"), (goods.damaged, "none"))
        if count
    ]
    notes: dict[str, object] = {"returns": [one.id for one in returns]} if returns else {}
    return Cause(units, [one.latest for one in returns], notes)


def called_off(cause: Cause, parts: list[Part], canceled: datetime) -> Cause:
    """The last refund of an order that was canceled and paid back altogether: all that had not come back before."""
    units = list(cause.units)
    for part in parts:
        left = Decimal(1) if part.type == "shipping" else part.quantity - part.back
        if left > 0 and part.sold():
            units.append(Units(part, left, "none" if part.type == "shipping" else "cancel"))
    return Cause(units, [*cause.latest, canceled], {**cause.notes, "canceled": True})
