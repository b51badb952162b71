"""Shopify transactions → payments: the tenders of an order, or the charges of transactions that come alone. Pure.

A payment is what the buyer did once: an authorization and its captures, a sale, cash and its change are folded together.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from channels.adapter import Context
from channels.adapters.shopify.reading import Reader, card
from channels.adapters.shopify.words import (
    ACTION,
    METHOD_TYPE,
    NO_PAYMENT,
    PROCESSOR,
    SETTLED,
    TENDER_TYPE,
    UNSETTLED,
    WITHOUT_PROCESSOR,
)  # fmt: skip
from channels.charge import Charge
from channels.reading import Json, stamp
from channels.record import Source
from channels.sale import Tender

Amount = Callable[[Json, str], int]  # a transaction row and its place → its amount in the record's currency

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Payment(msgspec.Struct):
    """One payment while it is being put together."""

    id: str
    row: Json
    where: str
    action: str
    status: str
    amount: int
    parent: str | None
    at: datetime
    latest: datetime
    change: int | None = None
    void: str | None = None  # the void that undid it, where the authorization itself is not at hand


def fold(reader: Reader, rows: list[Json], where: str, amount: Amount) -> list[Payment]:
    """The payments that these rows tell of; rows that are no payment of their own change the one they belong to."""
    payments: dict[str, Payment] = {}
    changes: list[Payment] = []
    voids: list[Payment] = []
    for index, row in enumerate(rows):
        kind = row.get("kind")
        if kind in NO_PAYMENT if type(kind) is str else False:
            continue
        payment = _payment(reader, row, f"{where}[{index}]." if where else "", amount)
        if kind == "change":
            changes.append(payment)
        elif kind == "void":
            voids.append(payment)
        elif payment.id in payments:
            reader.refuse("DUPLICATE_TENDER", payment.where + "id", f"two transactions have the id {payment.id!r}")
        else:
            payments[payment.id] = payment
    taken = {p.parent for p in payments.values() if p.action == "capture" and p.parent and p.status != "failed"}
    for void in voids:
        _apply_void(void, payments, taken)
    for change in changes:
        _apply_change(reader, change, payments)
    return [p for p in payments.values() if not (p.id in taken and p.action == "authorize")]


def _payment(reader: Reader, row: Json, where: str, amount: Amount) -> Payment:
    kind, status = row.get("kind"), row.get("status")
    action = ACTION.get(kind, "unknown") if type(kind) is str else "unknown"
    if status == "success":
        state = SETTLED[action]
    else:
        state = UNSETTLED.get(status, "unknown") if type(status) is str else "unknown"
    first, last = times(reader, row, where)
    return Payment(
        id=reader.identifier(row.get("id"), where + "id"),
        row=row,
        where=where,
        action=action,
        status=state,
        amount=amount(row, where),
        parent=reader.optional_id(row.get("parent_id"), where + "parent_id"),
        at=first,
        latest=last,
    )


def times(reader: Reader, row: Json, where: str) -> tuple[datetime, datetime]:
    """When a transaction happened, and the latest time that it tells."""
    created = reader.maybe_instant(row, "created_at", where)
    processed = reader.maybe_instant(row, "processed_at", where)
    known = [t for t in (processed, created) if t is not None]
    return (known[0], max(known)) if known else (EPOCH, EPOCH)


def _apply_void(void: Payment, payments: dict[str, Payment], taken: set[str]) -> None:
    """A void that worked turns its authorization voided; one that failed left everything as it was."""
    if void.status != "voided":
        return
    target = payments.get(void.parent or "")
    if target is None:
        void.void, void.id, void.parent = void.id, void.parent or void.id, None
        payments.setdefault(void.id, void)
    elif target.id not in taken:  # of an authorization that was captured in part, only the rest was released
        target.status, target.action, target.latest = "voided", "void", max(target.latest, void.latest)


def _apply_change(reader: Reader, change: Payment, payments: dict[str, Payment]) -> None:
    """Money handed back over the counter belongs to the cash that was handed over."""
    if change.status == "failed":
        return
    cash = payments.get(change.parent or "") or next(
        (p for p in reversed(payments.values()) if _type_and_processor(p.row)[0] == "cash"), None
    )
    if cash is None:
        reader.refuse(
            "ORPHAN_CHANGE", change.where + "parent_id", "change was given, but there is no cash it belongs to"
        )
    elif change.amount + (cash.change or 0) > cash.amount:
        reader.refuse("CHANGE_OVER_CASH", change.where + "amount", "more change was given than cash was handed over")
    else:
        cash.change = (cash.change or 0) + change.amount
        cash.latest = max(cash.latest, change.latest)


def _type_and_processor(row: Json) -> tuple[str, str | None]:
    """Tender type by gateway; the payment's details decide where the gateway's name says nothing."""
    gateway, details = row.get("gateway"), row.get("payment_details")
    name = gateway.strip().casefold() if type(gateway) is str else ""
    if type(details) is not dict:
        details = {}
    kind = TENDER_TYPE.get(name)
    if kind is None:
        if details.get("credit_card_company") or details.get("credit_card_number"):
            kind = "card"
        else:
            kind = "external" if row.get("manual_payment_gateway") is True else "unknown"
    if name == "shopify_payments":
        method = details.get("payment_method_name")
        kind = METHOD_TYPE.get(method, kind) if type(method) is str else kind
    if kind in WITHOUT_PROCESSOR:
        return kind, None
    return kind, PROCESSOR.get(name) or name[:255] or None


def payment_words(row: Json, identifier: str) -> tuple[str, str | None, str | None]:
    """Tender type, processor and the reference under which the processor knows the payment."""
    kind, processor = _type_and_processor(row)
    if processor is None:
        return kind, None, None
    if processor == "shopify":  # its payout lines name our transaction's id
        return kind, processor, identifier
    return kind, processor, _reference(row.get("authorization"))


def _reference(value: Any) -> str | None:
    return value[:1000] if type(value) is str and value else None


def tenders(payments: list[Payment]) -> list[Tender]:
    """The payments of an order as its tenders."""
    return [_tender(p) for p in payments]


def _tender(p: Payment) -> Tender:
    kind, processor, reference = payment_words(p.row, p.id)
    return Tender(
        id=p.id,
        type=kind,  # type: ignore[arg-type]
        action=p.action,  # type: ignore[arg-type]
        status=p.status,  # type: ignore[arg-type]
        amount=p.amount - (p.change or 0),
        tendered=None if p.change is None else p.amount,
        change=p.change,
        processor=processor,
        reference=reference,
        parent=p.parent,
        card=card(p.row),
    )


def charges(rows: list[Json], where: str, context: Context) -> list[Charge]:
    """The payments of transactions that come without their order."""
    reader = Reader()

    def amount(row: Json, place: str) -> int:
        reader.currency = reader.read_currency(row.get("currency"), place + "currency")
        return reader.magnitude(row, "amount", place) if reader.currency else 0

    alone = [row for row in rows if row.get("kind") != "change"] if len(rows) == 1 else rows
    found = [_charge(reader, p, context) for p in fold(reader, alone, where, amount)]
    reader.finish()
    return found


def _charge(reader: Reader, p: Payment, context: Context) -> Charge:
    row = p.row
    kind, processor, reference = payment_words(row, p.id)
    extensions: Json = {"processor": processor} if processor else {}
    if p.parent:
        extensions["parent_id"] = p.parent
    if p.void:
        extensions["transaction_id"] = p.void
    if p.at is EPOCH:
        reader.refuse("MISSING_TIME", p.where + "created_at", "the transaction does not say when it happened")
    amount = p.amount - (p.change or 0)
    location = reader.optional_id(row.get("location_id"), p.where + "location_id")
    return Charge(
        source=Source(
            channel=context.channel,
            adapter="shopify",
            id=p.id,
            version=stamp(p.latest),
            location=location,
            register=reader.optional_id(row.get("device_id"), p.where + "device_id"),
            test=row.get("test") is True,
        ),
        occurred_at=p.at,
        timezone=context.timezone,
        business_date=reader.business_day(p.at, context.timezone, context.day_cut_hour),
        currency=reader.read_currency(row.get("currency"), p.where + "currency") or "XXX",
        extensions={"shopify": extensions} if extensions else {},
        order_reference=reader.optional_id(row.get("order_id"), p.where + "order_id"),
        tender_type=kind,  # type: ignore[arg-type]
        status=p.status,  # type: ignore[arg-type]
        amount=amount,
        captured=amount if p.status == "captured" else 0,
        reference=reference,
        card=card(row),
    )
