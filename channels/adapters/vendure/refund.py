"""The refunds of a Vendure order's payments → canonical refunds. Pure.

A refund is worth its `total`. The lines that it names, if any, are stated at what they were sold for; the rest is an adjustment.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from channels.adapter import Context
from channels.adapters.vendure.amounts import Amounts, half_up
from channels.adapters.vendure.lines import Row, taxes_of
from channels.adapters.vendure.payments import Back, reference
from channels.reading import stamp, text
from channels.record import Source
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals


class Of(msgspec.Struct, frozen=True):
    """The sale that the refunds belong to."""

    id: str
    inclusive: bool
    country: str | None
    context: Context


class Units(NamedTuple):
    """So many of one line, and how many of them were called off before they left."""

    row: Row
    many: int
    cancelled: int


def refund_records(
    reader: Amounts, backs: list[Back], rows: list[Row], of: Of, called_off: datetime | None
) -> list[Refund]:
    """Every refund. `called_off`: when an order was cancelled of which all the money goes back; the last refund then takes all goods."""
    goods = {row.id: row for row in rows if row.type == "item"}
    open_units = {row.id: max(row.units - row.left, 0) for row in goods.values()}
    left = {row.id: row.units for row in goods.values()}
    in_turn = sorted((back for back in backs if back.counts), key=lambda back: (back.at, back.id))
    units = {back.id: _named(reader, back, goods, open_units, left) for back in in_turn}
    if called_off is not None and in_turn:
        last = in_turn[-1]
        units[last.id] += [Units(goods[i], many, open_units[i]) for i, many in left.items() if many > 0]
    found = []
    for back in backs:
        whole = called_off is not None and back is in_turn[-1]
        lines = _goods(units.get(back.id, []), of)
        lines += _shipping(reader, back, rows, of, whole)
        found.append(_record(reader, back, lines, of, called_off if whole else None))
    return found


def _named(
    reader: Amounts, back: Back, goods: dict[str, Row], open_units: dict[str, int], left: dict[str, int]
) -> list[Units]:
    found = []
    for index, one in enumerate(reader.objects(back.row, "lines", back.where)):
        where = f"{back.where}lines[{index}]."
        identifier = reader.identifier(one.get("orderLineId"), where + "orderLineId")
        many = reader.quantity(one.get("quantity"), where + "quantity")
        row = goods.get(identifier)
        if row is None or not many:
            continue
        if many > row.units:
            reader.refuse("BAD_QUANTITY", where + "quantity", "more units are refunded than were sold")
            continue
        cancelled = min(many, open_units[identifier])
        open_units[identifier] -= cancelled
        left[identifier] -= many
        found.append(Units(row, many, cancelled))
    return found


def _goods(units: list[Units], of: Of) -> list[RefundLine]:
    lines = []
    for row, many, cancelled in units:
        for count, restock in ((cancelled, "cancel"), (many - cancelled, "none")):
            if not count:
                continue
            tax = half_up(row.tax, count, row.units)
            lines.append(
                RefundLine(
                    line=row.id,
                    type="item",
                    quantity=str(count),
                    net=half_up(row.net, count, row.units),
                    tax=tax,
                    taxes=taxes_of(row, tax, of.country),
                    restock=restock,  # type: ignore[arg-type]
                )
            )
    return lines


def _shipping(reader: Amounts, back: Back, rows: list[Row], of: Of, whole: bool) -> list[RefundLine]:
    """The shipping that a refund names, with its tax; all of it where the whole order was called off."""
    told = reader.maybe_money(back.row, "shipping", back.where) or 0
    methods = [row for row in rows if row.type == "shipping"]
    if whole:
        return [_shipping_line(row, row.net, row.tax, of) for row in methods if row.net]
    if not told:
        return []
    row = methods[0] if len(methods) == 1 else None
    if row is None:
        return [RefundLine(type="shipping", quantity="1", net=told)]
    worth = row.net + (0 if of.inclusive else row.tax)
    tax = half_up(told, row.tax, worth)
    return [_shipping_line(row, told if of.inclusive else told - tax, tax, of)]


def _shipping_line(row: Row, net: int, tax: int, of: Of) -> RefundLine:
    return RefundLine(
        line=row.id, type="shipping", quantity="1", net=net, tax=tax, taxes=taxes_of(row, tax, of.country)
    )


def _record(reader: Amounts, back: Back, lines: list[RefundLine], of: Of, called_off: datetime | None) -> Refund:
    given = sum(line.net + (0 if of.inclusive else line.tax) for line in lines)
    if back.total != given:
        lines.append(RefundLine(type="adjustment", net=back.total - given))
    context, tender = of.context, back.tender
    latest = max(back.latest, called_off or back.latest)
    return Refund(
        source=Source(channel=context.channel, adapter="vendure", id=back.id, version=stamp(step(latest, back.rank))),
        occurred_at=back.at,
        timezone=context.timezone,
        business_date=reader.business_day(back.at, context.timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"vendure": {"cancelled": True}} if called_off is not None else {},
        sale=of.id,
        status=back.status,  # type: ignore[arg-type]
        reason=text(back.row.get("reason")),
        tax_inclusive=of.inclusive,
        lines=lines,
        tenders=[
            RefundTender(
                id=back.id,
                parent=tender.id,
                type=tender.type,
                amount=back.total,
                processor=tender.processor,
                reference=reference(back.row, tender.type),
            )
        ],
        totals=_totals(lines, back.total),
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


def step(at: datetime, steps: int) -> datetime:
    """Vendure's times are whole seconds or milliseconds; in what is below, the states of one moment are put in order."""
    return at + timedelta(microseconds=min(steps, 999)) if at.year < 9999 else at
