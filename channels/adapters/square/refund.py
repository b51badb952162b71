"""Square returns → canonical refunds of a sale; Square refunds → canonical refunds of a charge. Pure.

Goods that come back are an order of their own, whose `returns` name the orders that sold them. The money that goes back is a
refund of a payment. Both are told, each under its own id, and the return lists the refunds that paid it.
"""

from typing import Any

import msgspec

from channels.adapter import Context
from channels.adapters.square.lines import row_amounts
from channels.adapters.square.payment import tender_words
from channels.adapters.square.reading import Reader, known, source
from channels.adapters.square.taxes import TaxTable, applied_taxes, tax_table
from channels.adapters.square.words import LINE_TYPE, REFUND_STATUS, RETURN_STATUS, SHIPPING_NAMES
from channels.canonical import AnyRecord
from channels.reading import Json, text
from channels.record import Tax
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals


class Returned(msgspec.Struct):
    """One line that came back. `line` names the sale's; `sold_as` is the type that line has."""

    uid: str
    line: str | None
    type: str
    sold_as: str
    name: str
    sku: str | None
    quantity: str
    net: int
    tax: int
    taxes: list[Tax]


class Money(msgspec.Struct):
    """A refund that paid for the return. `type` None: nothing tells what it was paid with."""

    id: str
    status: str
    amount: int
    parent: str | None
    type: str | None
    processor: str | None
    fee_returned: int


class Goods(msgspec.Struct):
    """What one return gives back."""

    inclusive: bool
    lines: list[RefundLine]
    tenders: list[RefundTender]
    totals: RefundTotals


def returns_records(
    reader: Reader, order: Json, returns: list[Json], timezone: str, context: Context, refunds: list[Json]
) -> list[AnyRecord]:
    """A refund for each order that goods came back from; there is hardly ever more than one."""
    at = reader.happened(order)
    changed = [reader.version(row, at, f"refunds[{i}].") for i, row in enumerate(refunds)]
    version = reader.version(order, at, "", *changed)
    money = _money(reader, order, refunds)
    status = _status(order, money)
    reason = next((text(row.get("reason")) for row in reader.objects(order, "refunds") if row.get("reason")), None)
    found: list[AnyRecord] = []
    for index, entry in enumerate(returns):
        where = f"returns[{index}]."
        goods = _goods(reader, order, entry, where, money if len(returns) == 1 else [])
        record_source = source(reader, order, "", version, context)
        if index:
            uid = reader.optional_id(entry.get("uid"), where + "uid")
            record_source.id = f"{record_source.id}/{uid or index + 1}"[:255]
        found.append(
            Refund(
                source=record_source,
                occurred_at=at,
                timezone=timezone,
                business_date=reader.business_day(at, timezone, context.day_cut_hour),
                currency=reader.currency,
                extensions={"square": {"refunds": [m.id for m in money]}} if money else {},
                sale=reader.optional_id(entry.get("source_order_id"), where + "source_order_id"),
                status=status,  # type: ignore[arg-type]
                reason=reason,
                tax_inclusive=goods.inclusive,
                lines=goods.lines,
                tenders=goods.tenders,
                totals=goods.totals,
            )
        )
    reader.finish()
    return found


def _goods(reader: Reader, order: Json, entry: Json, where: str, money: list[Money]) -> Goods:
    """What one return gives back, and `money`, the refunds that paid for it where it is the order's only one."""
    rows = reader.objects(entry, "return_line_items", where) + reader.objects(entry, "return_service_charges", where)
    table = tax_table(reader, entry, "return_taxes", rows, where)
    counted = _counted(money)
    only = len(reader.objects(order, "returns")) == 1
    stated, tax = _stated(reader, order if only else entry, entry, where, needed=not counted)
    total = reader.within_limit(sum(m.amount for m in counted) if counted else stated, where + "return_amounts")
    lines = [_refund_line(row) for row in returned_lines(reader, entry, where, table)]
    _adjust(reader, entry, lines, total, tax, table, where)
    return Goods(table.inclusive, lines, _tenders(counted), _totals(lines, total, tax))


def returned_lines(reader: Reader, entry: Json, where: str, table: TaxTable) -> list[Returned]:
    """Goods, service charges and tips that one return gives back."""
    found = [
        _returned_item(reader, row, f"{where}return_line_items[{index}].", index, table)
        for index, row in enumerate(reader.objects(entry, "return_line_items", where))
    ]
    for index, row in enumerate(reader.objects(entry, "return_service_charges", where)):
        found.append(_returned_charge(reader, row, f"{where}return_service_charges[{index}].", index, table))
    for index, row in enumerate(reader.objects(entry, "return_tips", where)):
        amount = reader.amount(row, "applied_money", f"{where}return_tips[{index}].")
        found.append(_plain(f"return_tip:{index + 1}", "tip", "tip", "Tip", amount))
    return found


def _plain(uid: str, line: str | None, kind: str, name: str, amount: int) -> Returned:
    return Returned(uid, line, kind, "item", name, None, "1", amount, 0, [])


def _returned_item(reader: Reader, row: Json, where: str, index: int, table: TaxTable) -> Returned:
    """An amount that was given back for no line in particular comes as a custom amount without a line of the sale."""
    amounts = row_amounts(reader, row, where, table, returned=True)
    line = reader.optional_id(row.get("source_line_item_uid"), where + "source_line_item_uid")
    sold_as = known(LINE_TYPE, row.get("item_type"))
    custom = row.get("item_type") == "CUSTOM_AMOUNT" and line is None
    return Returned(
        uid=reader.optional_id(row.get("uid"), where + "uid") or f"return:{index + 1}",
        line=line,
        type="adjustment" if custom else "unknown" if sold_as == "unknown" else "item",
        sold_as=sold_as,
        name=text(row.get("name")) or "",
        sku=reader.optional_id(row.get("catalog_object_id"), where + "catalog_object_id"),
        quantity=amounts.quantity,
        net=amounts.net,
        tax=amounts.tax,
        taxes=amounts.taxes,
    )


def _returned_charge(reader: Reader, row: Json, where: str, index: int, table: TaxTable) -> Returned:
    taxed = applied_taxes(reader, row, where, table)
    stated = reader.maybe_money(row, "applied_money", where)
    if stated is None:
        stated = reader.money(row, "total_money", where) - taxed.outside
    name = text(row.get("name")) or "Service charge"
    uid = reader.optional_id(row.get("uid"), where + "uid") or f"return_charge:{index + 1}"
    line = reader.optional_id(row.get("source_service_charge_uid"), where + "source_service_charge_uid")
    shipping = name.strip().casefold() in SHIPPING_NAMES
    back = _plain(uid, line, "shipping" if shipping else "fee", name, stated - taxed.inside if table.mixed else stated)
    back.taxes, back.tax = taxed.taxes, taxed.total
    return back


def _refund_line(row: Returned) -> RefundLine:
    """Square does not say whether the goods went back on the shelf, so none did: its stock counts are its own."""
    return RefundLine(
        line=row.line,
        type=row.type,  # type: ignore[arg-type]
        quantity="0" if row.type in ("adjustment", "tip") else row.quantity,
        net=row.net,
        tax=row.tax,
        taxes=row.taxes,
    )


def _stated(reader: Reader, parent: Json, entry: Json, where: str, *, needed: bool) -> tuple[int, int | None]:
    """What Square says was returned in all, and the tax in it: for the order, else in the return's own entry."""
    path = where if parent is entry or parent.get("return_amounts") is None else ""
    amounts = reader.parts(entry if path else parent, "return_amounts", path)
    path += "return_amounts."
    total = reader.money(amounts, "total_money", path) if needed else 0
    return reader.positive(total, path + "total_money"), reader.maybe_money(amounts, "tax_money", path)


def _adjust(
    reader: Reader, entry: Json, lines: list[RefundLine], total: int, tax: int | None, table: TaxTable, where: str
) -> None:
    """Cash rounding, and what the money is more or less than the lines: one line each, signed."""
    missing = total - sum(line.net + (0 if table.inclusive else line.tax) for line in lines)
    rounding = rounded(reader, entry, where)
    if rounding and missing:
        lines.append(RefundLine(type="adjustment", net=rounding))
        missing -= rounding
    missing = reader.within_limit(missing, where + "return_amounts")
    if missing:
        own_tax = tax if tax and not lines else 0  # an amount without lines may still name the tax in it
        lines.append(RefundLine(type="adjustment", net=missing if table.inclusive else missing - own_tax, tax=own_tax))


def rounded(reader: Reader, parent: Json, where: str) -> int:
    """Cash rounding of an order or a return, signed; 0 where there is none."""
    rounding = reader.parts(parent, "rounding_adjustment", where)
    return reader.maybe_money(rounding, "amount_money", where + "rounding_adjustment.") or 0


def _money(reader: Reader, order: Json, refunds: list[Json]) -> list[Money]:
    """The refunds that the order lists, by the newer word of the refund's own object where the poller joined it."""
    joined = {row.get("id"): (index, row) for index, row in enumerate(refunds) if type(row.get("id")) is str}
    paid_with = {row.get("id"): row for row in reader.objects(order, "tenders") if type(row.get("id")) is str}
    found = []
    for index, listed in enumerate(reader.objects(order, "refunds")):
        where, identifier = f"refunds[{index}].", listed.get("id")
        own = joined.get(identifier) if type(identifier) is str else None
        row = listed if own is None else own[1]
        parent = reader.optional_id(listed.get("tender_id"), where + "tender_id")
        kind, processor = _paid_back_by(row, paid_with.get(parent))
        found.append(
            Money(
                id=reader.identifier(identifier, where + "id"),
                status=known(REFUND_STATUS, row.get("status")),
                amount=reader.positive(reader.money(row, "amount_money", where), where + "amount_money"),
                parent=parent or reader.optional_id(row.get("payment_id"), where + "payment_id"),
                type=kind,
                processor=processor,
                fee_returned=_fee_returned(reader, row, where),
            )
        )
    return found


def _paid_back_by(row: Json, tender: Json | None) -> tuple[str | None, str | None]:
    """Type and processor by the refund's own destination, else by the tender it undoes; None where neither is told."""
    if row.get("destination_type") is not None:
        details = row.get("destination_details")
        return tender_words(row["destination_type"], details if type(details) is dict else {})
    return (None, None) if tender is None else tender_words(tender.get("type"), tender)


def _fee_returned(reader: Reader, row: Json, where: str) -> int:
    """Processing fees that come back to the seller: negative in a refund's own list, positive in the order's."""
    listed = reader.maybe_money(row, "processing_fee_money", where) or 0
    for index, one in enumerate(reader.objects(row, "processing_fee", where)):
        listed -= reader.money(one, "amount_money", f"{where}processing_fee[{index}].")
    return max(0, reader.within_limit(listed, where + "processing_fee"))


def _counted(money: list[Money]) -> list[Money]:
    """The refunds that give something back; the failed ones only where nothing else came of it."""
    return [m for m in money if m.status != "failed"] or money


def _status(order: Json, money: list[Money]) -> str:
    """Pending as long as any of the money is; without money, what the return order itself has come to."""
    by_state = known(RETURN_STATUS, order.get("state"))
    states = {m.status for m in money}
    if by_state == "cancelled" or not states or (by_state == "unknown" and order.get("state") is not None):
        return by_state
    return next(state for state in ("unknown", "pending", "succeeded", "failed") if state in states)


def _tenders(counted: list[Money]) -> list[RefundTender]:
    """Known only where all of them are: together they make up the total."""
    if any(m.type is None for m in counted):
        return []
    return [
        RefundTender(
            id=m.id,
            parent=m.parent,
            type=m.type,  # type: ignore[arg-type]
            amount=m.amount,
            processor=m.processor,
            reference=m.id,
            fee_returned=m.fee_returned,
        )
        for m in counted
    ]


def _totals(lines: list[RefundLine], total: int, tax: int | None) -> RefundTotals:
    sums = {"shipping": 0, "tip": 0, "adjustment": 0, "net": 0}
    taxes = 0
    for line in lines:
        sums[line.type if line.type in sums else "net"] += line.net
        taxes += line.tax
    return RefundTotals(tax=taxes if tax is None else tax, total=total, **sums)


def refund_record(raw: Any, context: Context) -> Refund:
    """Money that went back to a payment: its `order_id` names the return order and not the sale."""
    reader = Reader()
    row = reader.object(raw, "refund")
    reader.finish()
    identifier = reader.identifier(row.get("id"), "id")
    reader.find_currency([row.get("amount_money")], "amount_money.currency")
    at = reader.happened(row)
    version = reader.version(row, at)
    amount = reader.positive(reader.money(row, "amount_money"), "amount_money")
    charge = reader.optional_id(row.get("payment_id"), "payment_id")
    kind, processor = _paid_back_by(row, None)
    returned = _fee_returned(reader, row, "")
    where_from = source(reader, row, "", version, context)
    day = reader.business_day(at, context.timezone, context.day_cut_hour)
    notes: Json = {}
    order = reader.optional_id(row.get("order_id"), "order_id")
    if order:
        notes["order_id"] = order
    if kind is None and returned:
        notes["fee_returned"] = returned
    reader.finish()
    money = Money(identifier, "", amount, charge, kind, processor, returned)
    return Refund(
        source=where_from,
        occurred_at=at,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        extensions={"square": notes} if notes else {},
        charge=charge,
        status=known(REFUND_STATUS, row.get("status")),  # type: ignore[arg-type]
        reason=text(row.get("reason")),
        lines=[RefundLine(type="adjustment", net=amount)] if amount else [],
        tenders=_tenders([money]),
        totals=RefundTotals(adjustment=amount, total=amount),
    )
