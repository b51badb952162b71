"""How a BigCommerce order was paid: its transactions, its store credit and gift certificates, and what they leave open. Pure.

A payment made outside BigCommerce (bank, cheque, cash) often has no transaction: then the order's own words tell of it.
"""

from datetime import datetime
from typing import Any

import msgspec

from channels import reading
from channels.adapters.bigcommerce.reading import Reader, whole
from channels.adapters.bigcommerce.words import (
    CARD_BRAND,
    EVENT,
    GATEWAY_TYPE,
    METHOD_TYPE,
    NAMED_TYPE,
    OFFLINE_METHODS,
    TENDER_STATE,
    WITHOUT_PROCESSOR,
)  # fmt: skip
from channels.reading import Json, word
from channels.record import Card
from channels.sale import CAPTURED, Tender

LIVE = CAPTURED | {"authorized", "pending", "unknown"}


class Given(msgspec.Struct):
    """Money given back by a transaction, for the refund that it belongs to."""

    gateway: str
    amount: int
    reference: str | None
    parent: str | None
    taken: bool = False


class Payments(msgspec.Struct):
    """What the transactions tell; `asked` is false where they were not joined."""

    asked: bool
    tenders: list[Tender] = []
    given: list[Given] = []
    test: bool = False
    latest: datetime | None = None
    offline: set[str] = set()  # tenders that a merchant's own hand moves on


def read_transactions(reader: Reader, joined: Json) -> Payments:
    """An authorization and its capture are one payment with the capture's id."""
    value = joined.get("transactions")
    if type(value) is dict and "data" in value:
        value = value["data"]
    rows = reader.rows(value, "transactions")
    found = Payments(asked=rows is not None)
    payments: dict[str, Tender] = {}
    changes: list[Tender] = []
    for index, row in enumerate(rows or []):
        where = f"transactions[{index}]."
        at = reader.date(row["date_created"], where + "date_created") if row.get("date_created") else None
        found.latest = at if found.latest is None or (at is not None and at > found.latest) else found.latest
        found.test |= row.get("test") is True and row.get("status") != "error"
        if row.get("event") == "refund":
            if row.get("status") != "error":
                found.given.append(_given(reader, row, where))
            continue
        tender = _tender(reader, row, where)
        if row.get("method") in OFFLINE_METHODS if type(row.get("method")) is str else False:
            found.offline.add(tender.id)
        if tender.parent and row.get("event") in ("void", "settled"):
            changes.append(tender)
        elif tender.id in payments:
            reader.refuse("DUPLICATE_TENDER", where + "id", f"two transactions have the id {tender.id!r}")
        else:
            payments[tender.id] = tender
    found.tenders = _folded(payments, changes)
    return found


def _folded(payments: dict[str, Tender], changes: list[Tender]) -> list[Tender]:
    for change in changes:
        target = payments.get(change.parent or "")
        if target is None:
            payments.setdefault(change.id, change)
        elif change.status in ("voided", "settled"):
            target.status, target.action = change.status, change.action
    taken = {t.parent for t in payments.values() if t.parent and t.status in CAPTURED}
    return [t for t in payments.values() if not (t.id in taken and t.status in ("authorized", "pending"))]


def _tender(reader: Reader, row: Json, where: str) -> Tender:
    event, state = word(row.get("event")), row.get("status")
    action, settled = EVENT.get(event, ("unknown", "unknown"))
    status = settled if state in (None, "", "ok") else "failed" if state == "error" else "unknown"
    kind, processor = _type_and_processor(row)
    reference = row.get("gateway_transaction_id")
    return Tender(
        id=reader.identifier(row.get("id"), where + "id") or "?",
        type=kind,  # type: ignore[arg-type]
        action=action,  # type: ignore[arg-type]
        status=status,  # type: ignore[arg-type]
        amount=_amount(reader, row, where),
        processor=processor,
        reference=reference[:1000] if processor and type(reference) is str and reference else None,
        parent=_parent(reader, row, where),
        card=_card(row.get("credit_card")),
    )


def _parent(reader: Reader, row: Json, where: str) -> str | None:
    value = row.get("reference_transaction_id")
    return None if value == 0 and type(value) is int else reader.optional_id(value, where + "reference_transaction_id")


def _amount(reader: Reader, row: Json, where: str) -> int:
    if row.get("currency") not in (None, "", reader.currency):
        reader.refuse("WRONG_CURRENCY", where + "currency", "the transaction is in another currency than its order")
        return 0
    return reader.positive(whole(reader.exact(row.get("amount"), where + "amount")), where + "amount")


def _given(reader: Reader, row: Json, where: str) -> Given:
    reference = row.get("gateway_transaction_id")
    return Given(
        gateway=word(row.get("gateway")).casefold(),
        amount=_amount(reader, row, where),
        reference=reference[:1000] if type(reference) is str and reference else None,
        parent=_parent(reader, row, where),
    )


def _type_and_processor(row: Json) -> tuple[str, str | None]:
    gateway, method = word(row.get("gateway")).casefold(), word(row.get("method")).casefold()
    kind = METHOD_TYPE.get(method) if method in ("store_credit", "gift_certificate") else None
    kind = kind or GATEWAY_TYPE.get(gateway) or METHOD_TYPE.get(method) or "unknown"
    if kind == "card" and METHOD_TYPE.get(method) == "wallet":
        kind = "wallet"
    if kind == "external":
        kind = _named(row) or kind
    return kind, None if kind in WITHOUT_PROCESSOR else gateway[:255] or None


def _named(row: Json) -> str | None:
    """What the merchant calls a payment of his own: cash, a bank transfer; None where the name says nothing."""
    for key, name in (("offline", "display_name"), ("custom", "payment_method")):
        details = row.get(key)
        kind = NAMED_TYPE.get(word(details.get(name)).strip().casefold()) if type(details) is dict else None
        if kind is not None and kind != "card":
            return kind
    return None


def _card(details: Any) -> Card | None:
    if type(details) is not dict:
        return None
    brand, digits = word(details.get("card_type"))[:40].casefold(), reading.last4(details.get("card_last4"))
    return Card(brand=CARD_BRAND.get(brand, brand) or None, last4=digits) if brand or digits else None


def tenders(
    reader: Reader, order: Json, payments: Payments, total: int, payment_status: str, notes: Json
) -> list[Tender]:
    """Every payment of the order, those that no transaction tells of included."""
    found = list(payments.tenders)
    if payment_status in ("paid", "refunded", "partially_refunded"):
        for tender in found:
            if tender.id in payments.offline and tender.status == "pending":
                tender.status = "captured"
                notes["offline_payment"] = "confirmed by the order's status"
    for kind, key, identifier in (
        ("store_credit", "store_credit_amount", "store_credit"),
        ("gift_card", "gift_certificate_amount", "gift_card:1"),
    ):
        spent = whole(reader.cost(order, key)) - sum(t.amount for t in found if t.type == kind and t.status in LIVE)
        if spent > 0:
            found.append(Tender(id=identifier, type=kind, status="captured", amount=spent))  # type: ignore[arg-type]
    if not any(t.type not in ("store_credit", "gift_card") and t.status in LIVE | {"voided"} for t in found):
        rest = total - sum(t.amount for t in found if t.status in LIVE)
        untold = _untold(order, rest, payment_status)
        if untold is not None and not any(t.status == "failed" == untold.status for t in found):
            found.append(untold)
    return found


def _untold(order: Json, rest: int, payment_status: str) -> Tender | None:
    """The rest, as the order's own words tell of it."""
    name, status = word(order.get("payment_method")).strip(), TENDER_STATE.get(payment_status)
    if rest <= 0 or status is None:  # a payment that is awaited is none yet
        return None
    kind = NAMED_TYPE.get(name.casefold(), "unknown")
    identifier = order.get("payment_provider_id")
    reference = str(identifier) if type(identifier) is int or type(identifier) is str else ""
    reference = reference.strip()[:255]
    return Tender(
        id=reference or "payment",
        type=kind,  # type: ignore[arg-type]
        action={"authorized": "authorize", "voided": "void"}.get(status, "capture"),  # type: ignore[arg-type]
        status=status,  # type: ignore[arg-type]
        amount=rest,
        reference=(reference or None) if kind not in WITHOUT_PROCESSOR else None,
    )


def paid(found: list[Tender]) -> int:
    """Captured and settled money."""
    return sum(t.amount for t in found if t.status in CAPTURED)
