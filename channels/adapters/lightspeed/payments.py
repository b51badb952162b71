"""The payments of a Lightspeed sale: split tenders, change, rounding to coins, money still owed on account. Pure."""

from typing import Any

import msgspec

from channels import reading
from channels.adapters.lightspeed.reading import Reader, decimal, first, whole
from channels.adapters.lightspeed.till import Till
from channels.adapters.lightspeed.words import GENERIC, PAYMENT_ID, PAYMENT_NAME, ROUNDING, WITH_PROCESSOR
from channels.reading import Json, word
from channels.record import Card
from channels.refund import RefundTender
from channels.sale import CAPTURED, Tender


class Payment(msgspec.Struct):
    """One row, its amount in whole units; negative where money went back."""

    id: str
    type: str
    amount: int
    config: str
    processor: str | None
    reference: str | None
    card: Card | None
    where: str


class Payments(msgspec.Struct):
    """What was paid, and by how much the till rounded to the coins there are."""

    rows: list[Payment]
    rounding: int = 0


def read_payments(reader: Reader, till: Till) -> Payments:
    """Every payment that was not taken back."""
    found, ids = Payments([]), set[str]()
    for index, row in enumerate(till.payments):
        payment = _payment(reader, row, f"payments[{index}].")
        if payment.id in ids:
            reader.refuse("DUPLICATE_TENDER", payment.where + "id", f"two payments have the id {payment.id!r}")
        ids.add(payment.id)
        if payment.type == ROUNDING:
            found.rounding -= payment.amount  # what the rounding "pays" is not received
        elif payment.amount:
            found.rows.append(payment)
    return found


def _payment(reader: Reader, row: Json, where: str) -> Payment:
    kind, name = _type(row)
    attributes = _attributes(row.get("external_attributes"))
    reference = word(attributes.get("transaction_id")) or word(first(row, "source.id", "source_id"))
    digits = reading.last4(attributes.get("card_last_four_digits"))
    return Payment(
        id=reader.identifier(row.get("id"), where + "id") or "?",
        type=kind,
        amount=whole(reader.exact(row.get("amount"), where + "amount")),
        config=str(first(row, "type.config_id", "retailer_payment_type_id") or "")[:255],
        processor=name[:255] or None if kind in WITH_PROCESSOR and name not in GENERIC else None,
        reference=reference[:1000] or None if kind in WITH_PROCESSOR else None,
        card=Card(last4=digits) if digits else None,
        where=where,
    )


def _type(row: Json) -> tuple[str, str]:
    """By the name that the retailer gave the payment type, else by the global type behind it."""
    name = ""
    for path in ("type.name", "retailer_payment_type.name", "name", "label", "payment_type.name"):
        told = word(first(row, path)).strip().casefold()
        name = name or told
        kind = PAYMENT_NAME.get(told)
        if kind is not None:
            return kind, name
    number = decimal(first(row, "type.id", "payment_type_id", "payment_type.id"))
    return PAYMENT_ID.get(int(number), "unknown") if number is not None and abs(number) < 10**6 else "unknown", name


def _attributes(value: Any) -> Json:
    """External attributes, one object or a list of them."""
    found: Json = {}
    for one in value if type(value) is list else [value]:
        if type(one) is dict:
            found |= one
    return found


def sale_tenders(reader: Reader, till: Till, payments: Payments, total: int, notes: Json) -> list[Tender]:
    """Money received; what was handed back over the counter is the cash's change."""
    void = till.state == "voided"
    found = [
        Tender(
            id=p.id,
            type=p.type,  # type: ignore[arg-type]
            action="void" if void else "capture",
            status="voided" if void else "captured",
            amount=p.amount,
            processor=p.processor,
            reference=p.reference,
            card=p.card,
        )
        for p in payments.rows
        if p.amount > 0
    ]
    configs = {p.id: p.config for p in payments.rows}
    for p in payments.rows:
        if p.amount < 0:
            _take_back(reader, p, found, configs, notes)
    if not void:
        _on_account(till, found, total)
    return found


def _take_back(reader: Reader, p: Payment, found: list[Tender], configs: dict[str, str], notes: Json) -> None:
    amount = -p.amount
    for tender in reversed(found):
        if tender.type == p.type == "cash" and tender.amount >= amount:
            tender.tendered = tender.amount if tender.tendered is None else tender.tendered
            tender.change = (tender.change or 0) + amount
            tender.amount -= amount
            return
    for tender in reversed(found):
        if configs[tender.id] == p.config and tender.amount >= amount:
            tender.amount -= amount
            notes["reversed_payment"] = "a payment given back within the sale is taken off the one it reverses"
            return
    reader.refuse(
        "NEGATIVE_AMOUNT", p.where + "amount", "money went back within the sale that no payment of it brought"
    )


def _on_account(till: Till, found: list[Tender], total: int) -> None:
    """Goods that left unpaid: a promise is pending until the sale is closed, and nothing once others have paid it."""
    received = sum(t.amount for t in found if t.status in CAPTURED and t.type != "on_account")
    promised = [t for t in found if t.type == "on_account"]
    for tender in promised:
        if till.state != "closed":
            tender.status = "pending"
        elif received >= total:
            tender.status, tender.action = "voided", "void"
    if not promised and till.state == "pending" and "onaccount" in till.attributes and total > received:
        found.append(Tender(id="on_account", type="on_account", status="pending", amount=total - received))


def refund_tenders(reader: Reader, payments: Payments) -> list[RefundTender]:
    """Money given back."""
    found = [
        RefundTender(
            id=p.id,
            type=p.type,  # type: ignore[arg-type]
            amount=-p.amount,
            processor=p.processor,
            reference=p.reference,
        )
        for p in payments.rows
        if p.amount < 0
    ]
    kinds = {p.id: p.type for p in payments.rows}
    for p in payments.rows:
        if p.amount > 0:
            target = next((t for t in reversed(found) if kinds[t.id] == p.type and t.amount >= p.amount), None)
            if target is None:
                reader.refuse(
                    "NEGATIVE_AMOUNT", p.where + "amount", "money came in within a return that gave none back"
                )
            else:
                target.amount -= p.amount
    return found


def received(found: list[Tender]) -> int:
    """Captured money."""
    return sum(t.amount for t in found if t.status in CAPTURED)
