"""Shopify refund → canonical refund, from the refund's own words alone: its order embeds the same object. Pure.

The money given back is what the transactions say. The lines are what the vendor counted for it; the difference between
the two is one adjustment line, whatever the vendor's own order_adjustments say: of a pending refund they hold the whole sum.
"""

from typing import Any

import msgspec

from channels.adapter import Context
from channels.adapters.shopify.reading import Reader
from channels.adapters.shopify.taxes import scaled_taxes
from channels.adapters.shopify.transactions import payment_words, times
from channels.adapters.shopify.words import NO_PAYMENT, REFUND_STATUS, RESTOCK
from channels.reading import Json, stamp, text
from channels.record import Source
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals
from salessync.core.money import scale
from salessync.core.problems import Problem

SETS = ("subtotal_set", "total_tax_set", "subtotal_amount_set", "amount_set", "tax_amount_set")


class Money(msgspec.Struct):
    """One transaction of the refund, in the refund's currency."""

    tender: RefundTender
    status: str


def refund_record(raw: Any, context: Context, problems: list[Problem], where: str = "") -> Refund | None:
    """The refund, or None with the reasons added to `problems`."""
    reader, before = Reader(problems=problems), len(problems)
    refund = reader.object(raw, where.rstrip(".") or "$")
    if len(problems) > before:
        return None
    identifier = reader.identifier(refund.get("id"), where + "id")
    sale = reader.optional_id(refund.get("order_id"), where + "order_id")
    transactions = reader.objects(refund, "transactions", where)
    reader.currency = _currency(reader, refund, transactions, where)
    if not reader.currency:
        return None
    lines = _lines(reader, refund, where)
    moved = _moved(reader, refund, transactions, where)
    status = _status(moved)
    counted = [m.tender for m in moved if m.status == status or (status == "pending" and m.status == "succeeded")]
    total = sum(t.amount for t in counted)
    _adjust(reader, refund, lines, total, where)
    at = reader.instant(refund.get("processed_at") or refund.get("created_at"), where + "created_at")
    if at is None or len(problems) > before:
        return None
    version = max([at, *(times(reader, row, where)[1] for row in transactions)])
    created = reader.maybe_instant(refund, "created_at", where)
    return Refund(
        source=Source(
            channel=context.channel,
            adapter="shopify",
            id=identifier,
            version=stamp(version if created is None else max(version, created)),
            test=any(row.get("test") is True for row in transactions),
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"shopify": {"channel_liable": "not told"}} if reader.silent_about_collector else {},
        sale=sale,
        status=status,  # type: ignore[arg-type]
        reason=_reason(refund),
        lines=lines,
        tenders=counted,
        totals=_totals(lines, total),
    )


def _currency(reader: Reader, refund: Json, transactions: list[Json], where: str) -> str:
    """The shop's currency, from any of the refund's sets; else the one that its money moved in."""
    candidates: list[Any] = [refund.get("total_duties_set"), refund.get("total_additional_fees_set")]
    for key in ("refund_line_items", "refund_shipping_lines", "order_adjustments"):
        candidates.extend(row.get(name) for row in reader.objects(refund, key, where) for name in SETS if name in row)
    for both in candidates:
        shop = both.get("shop_money") if type(both) is dict else None
        code = shop.get("currency_code") if type(shop) is dict else None
        if code:
            return reader.read_currency(code, where + "currency")
    told = next((row.get("currency") for row in transactions if row.get("currency")), None)
    return reader.read_currency(told, where + "currency")


def _lines(reader: Reader, refund: Json, where: str) -> list[RefundLine]:
    lines = []
    for index, row in enumerate(reader.objects(refund, "refund_line_items", where)):
        lines.append(_item(reader, row, f"{where}refund_line_items[{index}]."))
    lines.extend(_shipping(reader, refund, where))
    lines.extend(_fees(reader, refund, "duties", "total_duties_set", where))
    lines.extend(_fees(reader, refund, "additional_fees", "total_additional_fees_set", where))
    return lines


def _item(reader: Reader, row: Json, where: str) -> RefundLine:
    net = _shop_amount(reader, row, "subtotal", where)
    tax = _shop_amount(reader, row, "total_tax", where) if row.get("total_tax_set") or row.get("total_tax") else 0
    sold = row.get("line_item")
    item = reader.object(sold, where + "line_item") if sold is not None else {}
    restock = row.get("restock_type")
    return RefundLine(
        line=reader.identifier(row.get("line_item_id"), where + "line_item_id"),
        type="tip" if is_tip(item) else "item",
        quantity=str(reader.quantity(row.get("quantity"), where + "quantity")),
        net=net,
        tax=tax,
        taxes=scaled_taxes(reader, item, where + "line_item.", tax) if tax else [],
        restock=RESTOCK.get(restock, "unknown") if restock is None or type(restock) is str else "unknown",  # type: ignore[arg-type]
    )


def is_tip(item: Json) -> bool:
    """Some POS orders carry the tip as a line of its own, which is no product."""
    if item.get("product_id") is not None or item.get("variant_id") is not None:
        return False
    name = item.get("title") or item.get("name")
    return type(name) is str and name.casefold() == "tip"


def _shop_amount(reader: Reader, row: Json, key: str, where: str) -> int:
    """The exact text of the set before the JSON number beside it."""
    value = reader.side(row, key + "_set", where)
    return reader.minor(row.get(key) if value is None else value, where + key)


def _shipping(reader: Reader, refund: Json, where: str) -> list[RefundLine]:
    """A shipping refund stands both in refund_shipping_lines and in order_adjustments: it counts once."""
    rows = reader.objects(refund, "refund_shipping_lines", where)
    adjusted = _adjustments(reader, refund, where, "shipping_refund")
    if not rows:
        net, tax = -sum(a for a, _ in adjusted), -sum(t for _, t in adjusted)
        return [RefundLine(type="shipping", net=net, tax=tax)] if net or tax else []
    lines = []
    for index, row in enumerate(rows):
        place = f"{where}refund_shipping_lines[{index}]."
        sold = row.get("shipping_line")
        shipping = reader.object(sold, place + "shipping_line") if sold is not None else {}
        line_id = row.get("shipping_line_id")
        told = reader.in_set(row, "tax_amount_set", place)
        # older versions tell the tax in the adjustment only, for all shipping lines together
        tax = told if told is not None else -sum(t for _, t in adjusted) if index == 0 else 0
        lines.append(
            RefundLine(
                line=reader.optional_id(
                    line_id if line_id is not None else shipping.get("id"), place + "shipping_line_id"
                ),
                type="shipping",
                quantity="1",
                net=reader.in_set(row, "subtotal_amount_set", place) or 0,
                tax=tax,
                taxes=scaled_taxes(reader, shipping, place + "shipping_line.", tax) if tax else [],
            )
        )
    return lines


def _fees(reader: Reader, refund: Json, key: str, total_key: str, where: str) -> list[RefundLine]:
    """Duties and additional fees given back, one by one where they are listed."""
    lines = []
    for index, row in enumerate(reader.objects(refund, key, where)):
        place = f"{where}{key}[{index}]."
        amount = reader.in_set(row, "amount_set", place)
        if amount is None:
            amount = reader.in_set(row, "price_set", place) or 0
        identifier = row.get("duty_id") if row.get("duty_id") is not None else row.get("id")
        lines.append(
            RefundLine(line=reader.optional_id(identifier, place + "id"), type="fee", quantity="1", net=amount)
        )
    total = reader.in_set(refund, total_key, where)
    if not lines and total:
        lines.append(RefundLine(type="fee", quantity="1", net=total))
    return lines


def _adjustments(reader: Reader, refund: Json, where: str, kind: str) -> list[tuple[int, int]]:
    """Amount and tax of the order adjustments of one kind, signed as Shopify signs them: negative is given back."""
    return [
        (
            reader.money(row, "amount", f"{where}order_adjustments[{index}]."),
            reader.maybe_money(row, "tax_amount", f"{where}order_adjustments[{index}].") or 0,
        )
        for index, row in enumerate(reader.objects(refund, "order_adjustments", where))
        if row.get("kind") == kind
    ]


def _adjust(reader: Reader, refund: Json, lines: list[RefundLine], total: int, where: str) -> None:
    """One adjustment line for what the money is more or less than the lines."""
    difference = total - sum(line.net + line.tax for line in lines)
    if not difference:
        return
    told = _adjustments(reader, refund, where, "refund_discrepancy")
    net, tax = -sum(a for a, _ in told), -sum(t for _, t in told)
    if net + tax != difference:
        net, tax = difference, 0
    lines.append(RefundLine(type="adjustment", net=net, tax=tax))


def _moved(reader: Reader, refund: Json, transactions: list[Json], where: str) -> list[Money]:
    """The money of the refund; a void in it moved none."""
    moved = []
    foreign: list[Money] = []
    given = 0
    for index, row in enumerate(transactions):
        kind, status = row.get("kind") or "refund", row.get("status")
        if kind not in NO_PAYMENT if type(kind) is str else True:
            continue
        place = f"{where}transactions[{index}]."
        currency = reader.currency
        if row.get("currency") is not None:
            currency = reader.read_currency(row["currency"], place + "currency") or currency
        amount = reader.minor(row.get("amount"), place + "amount", currency)
        if amount < 0:
            reader.refuse("NEGATIVE_AMOUNT", place + "amount", "a refund's transaction cannot be negative")
            amount = 0
        one = _money(reader, row, status, place, amount)
        moved.append(one)
        if currency != reader.currency:
            foreign.append(one)
            given += amount
    if foreign:
        _convert(reader, refund, foreign, given, where)
    return moved


def _money(reader: Reader, row: Json, status: Any, where: str, amount: int) -> Money:
    identifier = reader.identifier(row.get("id"), where + "id")
    kind, processor, reference = payment_words(row, identifier)
    tender = RefundTender(
        id=identifier,
        parent=reader.optional_id(row.get("parent_id"), where + "parent_id"),
        type=kind,  # type: ignore[arg-type]
        amount=amount,
        processor=processor,
        reference=reference,
    )
    return Money(tender, REFUND_STATUS.get(status, "unknown") if type(status) is str else "unknown")


def _convert(reader: Reader, refund: Json, foreign: list[Money], given: int, where: str) -> None:
    """Money that moved in the buyer's currency, by the ratio of the refund's two sums; the last one takes the remainder."""
    shop, buyer = _two_sums(reader, refund, where, goods=True)
    if not shop or not buyer:
        shop, buyer = _two_sums(reader, refund, where, goods=False)
    if not shop or not buyer:
        reader.refuse(
            "MISSING_RATE", where + "transactions", "the refund moved in the buyer's currency and has no rate"
        )
        return
    left = shop if given == buyer else None
    for position, one in enumerate(foreign):
        amount = abs(scale(one.tender.amount, shop, buyer))
        if left is not None and position == len(foreign) - 1:
            amount = abs(left)
        elif left is not None:
            left -= amount
        one.tender.amount = amount


def _two_sums(reader: Reader, refund: Json, where: str, goods: bool) -> tuple[int, int]:
    """What the refund is worth in the shop's and in the buyer's currency: its goods, or its adjustments where it has none."""
    keys = (
        ("refund_line_items", "refund_shipping_lines", "duties", "additional_fees") if goods else ("order_adjustments",)
    )
    shop = buyer = 0
    for key in keys:
        for row in reader.objects(refund, key, where):
            for name in SETS:
                raw = reader.side(row, name, where, "presentment_money")
                if raw is not None:
                    code = row[name]["presentment_money"].get("currency_code")
                    currency = reader.read_currency(code, f"{where}{key}.{name}")
                    buyer += reader.minor(raw, f"{where}{key}.{name}", currency)
                    shop += reader.in_set(row, name, where) or 0
    return (shop, buyer) if goods else (abs(shop), abs(buyer))


def _status(moved: list[Money]) -> str:
    """Pending as long as anything is; failed only where nothing else came of it."""
    states = {m.status for m in moved}
    for state in ("unknown", "pending", "succeeded", "failed"):
        if state in states:
            return state
    return "succeeded"  # no money was to move: goods taken back of an order that was never paid


def _reason(refund: Json) -> str | None:
    """Shopify's own word for a discrepancy; the note is free text of a person and stays out."""
    for row in refund.get("order_adjustments") or []:
        if row.get("kind") == "refund_discrepancy" and row.get("reason") != "Refund discrepancy":
            return text(row.get("reason"))
    return None


def _totals(lines: list[RefundLine], total: int) -> RefundTotals:
    sums = {"shipping": 0, "tip": 0, "adjustment": 0, "net": 0}
    tax = 0
    for line in lines:
        sums[line.type if line.type in sums else "net"] += line.net
        tax += line.tax
    return RefundTotals(tax=tax, total=total, **sums)
