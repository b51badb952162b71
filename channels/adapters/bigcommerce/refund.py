"""BigCommerce refund → canonical refund. Its items name the order's lines; their amounts follow from what was sold. Pure.

The refund itself tells the money, its tax, and of an item no more than how many or how much was asked for. What the lines
are worth less or more than the money is one adjustment line.
"""

from datetime import datetime

import msgspec

from channels.adapter import Context
from channels.adapters.bigcommerce.reading import Reader, decimal, latest, whole
from channels.adapters.bigcommerce.tenders import Given, Payments
from channels.adapters.bigcommerce.words import GATEWAY_TYPE, REFUND_ITEM, WITHOUT_PROCESSOR
from channels.reading import Json, stamp, word
from channels.record import Source, Tax
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals
from channels.sale import Line, Sale, Tender
from salessync.core.money import allocate, scale


class Sold(msgspec.Struct):
    """The sale's lines, and how many units of each its refunds have taken back so far."""

    sale: Sale
    lines: dict[str, Line]
    returned: dict[str, int] = {}


def refund_records(
    reader: Reader, joined: Json, sale: Sale, payments: Payments, modified: datetime, context: Context
) -> list[Refund]:
    """Every refund of the order, in the order in which they were made."""
    value = joined.get("refunds")
    if type(value) is dict and "data" in value:
        value = value["data"]
    rows = reader.rows(value, "refunds") or []
    sold = Sold(sale, {line.id: line for line in sale.lines})
    found = []
    for index, row in sorted(enumerate(rows), key=lambda pair: _age(pair[1])):
        record = _refund(reader, row, f"refunds[{index}].", sold, payments, modified, context)
        if record is not None:
            found.append(record)
    return found


def _age(row: Json) -> int:
    identifier = row.get("id")
    return identifier if type(identifier) is int else 0


def _refund(
    reader: Reader, row: Json, where: str, sold: Sold, payments: Payments, modified: datetime, context: Context
) -> Refund | None:
    identifier = reader.identifier(row.get("id"), where + "id")
    at = reader.date(row.get("created"), where + "created")
    stated = reader.positive(
        whole(reader.exact(row.get("total_amount"), where + "total_amount")), where + "total_amount"
    )
    tax = whole(reader.exact(row.get("total_tax") or 0, where + "total_tax"))
    status, money = _money(reader, row, where, sold.sale, payments)
    total = sum(t.amount for t in money) if money else stated
    lines = _lines(reader, row, where, sold)
    inclusive = sold.sale.tax_inclusive
    _spread_tax(lines, tax, sold)
    rest = total - sum(line.net + (0 if inclusive else line.tax) for line in lines)
    if rest:
        _adjust(lines, rest)
    if at is None or not identifier:
        return None
    return Refund(
        source=Source(
            channel=context.channel,
            adapter="bigcommerce",
            id=identifier,
            version=stamp(latest(at, modified)),  # its lines are worth what the order says: both states count
            test=sold.sale.source.test,
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"bigcommerce": {"merchant_override": True}}
        if row.get("uses_merchant_override_values") is True
        else {},
        sale=sold.sale.source.id,
        status=status,  # type: ignore[arg-type]
        tax_inclusive=inclusive,
        lines=lines,
        tenders=money,
        totals=_totals(lines, total),
    )


def _money(reader: Reader, row: Json, where: str, sale: Sale, payments: Payments) -> tuple[str, list[RefundTender]]:
    """What was paid back, a declined payment only where nothing else came of the refund."""
    done: list[RefundTender] = []
    declined: list[RefundTender] = []
    for index, one in enumerate(reader.objects(row, "payments", where)):
        place = f"{where}payments[{index}]."
        provider = word(one.get("provider_id")).casefold()
        amount = reader.positive(whole(reader.exact(one.get("amount"), place + "amount")), place + "amount")
        kind = GATEWAY_TYPE.get(provider, "unknown")
        parent = _parent(sale.tenders or [], provider, kind)
        if kind == "unknown" and parent is not None:
            kind = parent.type
        moved = _moved(payments.given, provider, amount)
        processor = None if kind in WITHOUT_PROCESSOR else provider[:255] or None
        tender = RefundTender(
            id=reader.identifier(one.get("id"), place + "id") or "?",
            parent=parent.id if parent is not None else None,
            type=kind,  # type: ignore[arg-type]
            amount=amount,
            processor=processor,
            reference=moved.reference if moved is not None and processor else None,
        )
        (declined if one.get("is_declined") is True else done).append(tender)
    if declined and not done:
        return "failed", declined
    return "succeeded", done


def _parent(found: list[Tender], provider: str, kind: str) -> Tender | None:
    """The payment that it goes back to, where there is only one that it can be."""
    of_provider = [t for t in found if t.status in ("captured", "settled") and t.processor == provider and provider]
    alike = of_provider or [t for t in found if t.status in ("captured", "settled") and t.type == kind]
    return alike[0] if len(alike) == 1 else None


def _moved(given: list[Given], provider: str, amount: int) -> Given | None:
    for one in given:
        if not one.taken and one.gateway == provider and one.amount == amount:
            one.taken = True
            return one
    return None


def _lines(reader: Reader, row: Json, where: str, sold: Sold) -> list[RefundLine]:
    found = []
    for index, item in enumerate(reader.objects(row, "items", where)):
        line = _item(reader, item, f"{where}items[{index}].", sold)
        if line is not None:
            found.append(line)
    return found


def _item(reader: Reader, item: Json, where: str, sold: Sold) -> RefundLine | None:
    kind, prefix = REFUND_ITEM.get(word(item.get("item_type")), ("unknown", None))
    if item.get("item_type") in ("ORDER", "TAX") and type(item.get("item_type")) is str:
        return None  # an amount, or tax, of no line: what is left of the money tells it
    line = _sold_line(sold, prefix, reader.optional_id(item.get("item_id"), where + "item_id"))
    asked = item.get("requested_amount")
    amount = (
        None if asked in (None, "") or decimal(asked) == 0 else whole(reader.exact(asked, where + "requested_amount"))
    )
    units = reader.quantity(item.get("quantity") or 0, where + "quantity")
    if line is not None and prefix == "" and units:
        net = _share(sold, line, units)
    elif amount is not None:
        net = reader.positive(amount, where + "requested_amount")
    else:
        net = line.net if line is not None else 0
    if line is not None and line.type == "tip":
        kind = "tip"
    return RefundLine(
        line=line.id if line is not None else None,
        type=kind,  # type: ignore[arg-type]
        quantity=str(units if prefix == "" else 1),
        net=net,
    )


def _sold_line(sold: Sold, prefix: str | None, identifier: str | None) -> Line | None:
    if prefix is None:
        return None
    if prefix == "":
        return sold.lines.get(identifier or "")
    return sold.lines.get(f"{prefix}:{identifier}") or sold.lines.get(prefix)


def _share(sold: Sold, line: Line, units: int) -> int:
    """What these units were sold for, so that the shares of all units together are the line's net."""
    ordered = int(line.quantity)
    if not ordered:
        return line.net
    before = sold.returned.get(line.id, 0)
    after = sold.returned[line.id] = min(before + units, ordered)
    return scale(line.net, after, ordered) - scale(line.net, before, ordered)


def _spread_tax(lines: list[RefundLine], tax: int, sold: Sold) -> None:
    """The refund's tax over its lines, by the tax that they were sold with."""
    if not tax:
        return
    weights = []
    for line in lines:
        of = sold.lines.get(line.line or "")
        weights.append(abs(scale(of.tax * 1000, line.net, of.net)) if of is not None and of.net else 0)
    if not any(weights):
        lines.append(RefundLine(type="adjustment", net=0 if not sold.sale.tax_inclusive else tax, tax=tax))
        return
    for line, share in zip(lines, allocate(tax, weights), strict=True):
        line.tax = share
        of = sold.lines.get(line.line or "")
        if of is not None and share and of.taxes:
            line.taxes = _taxes(of.taxes, share)


def _taxes(sold: list[Tax], share: int) -> list[Tax]:
    weights = [tax.amount for tax in sold]
    if any(w < 0 for w in weights) or not any(weights):
        return []
    return [
        msgspec.structs.replace(tax, amount=units) for tax, units in zip(sold, allocate(share, weights), strict=True)
    ]


def _adjust(lines: list[RefundLine], rest: int) -> None:
    for line in lines:
        if line.type == "adjustment":
            line.net += rest
            return
    lines.append(RefundLine(type="adjustment", net=rest))


def _totals(lines: list[RefundLine], total: int) -> RefundTotals:
    sums = {"shipping": 0, "tip": 0, "adjustment": 0, "net": 0}
    for line in lines:
        sums[line.type if line.type in sums else "net"] += line.net
    return RefundTotals(tax=sum(line.tax for line in lines), total=total, **sums)
