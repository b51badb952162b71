"""The payments of a Medusa order: a payment with its captures and refunds → tenders. Pure."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from channels.adapters.medusa.amounts import ZERO, Amounts, rounded, settle
from channels.adapters.medusa.words import PROVIDER
from channels.reading import Json, word
from channels.sale import Tender

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Back(msgspec.Struct):
    """One refund of a payment."""

    id: str
    where: str
    row: Json
    amount: int
    at: datetime
    latest: datetime
    parent: str
    type: str
    processor: str | None
    test: bool


class Paid(msgspec.Struct):
    """All that the payments of one order tell; `tenders` None where they are not at hand."""

    tenders: list[Tender] | None = None
    refunds: list[Back] = []
    latest: datetime = EPOCH
    test: bool = False
    foreign: list[str] = []  # providers that have no word here


def order_payments(order: Json, joined: Any) -> tuple[Any, str] | None:
    """The payment rows and where they stand: inside the order's collections, or joined beside the order; None: not told."""
    collections = order.get("payment_collections")
    if type(collections) is not list:
        told = collections is not None
    else:  # a list of orders brings the collections without their payments
        told = not collections or any("payments" in one for one in collections if type(one) is dict)
    if joined is not None and (not told or not collections):
        return [{"payments": joined}], ""
    return (collections, "payment_collections") if told else None


def read_payments(reader: Amounts, order: Json, joined: Any) -> Paid:
    """Tenders and refunds; the captures are rounded so that together they are the rounded sum."""
    place = order_payments(order, joined)
    if place is None:
        return Paid()
    collections, name = place
    paid = Paid(tenders=[], refunds=[], foreign=[])
    captured: list[tuple[Tender, Decimal]] = []
    for index, collection in enumerate(reader.objects({name: collections}, name)):
        where = f"{name}[{index}]." if name else ""
        _seen(reader, paid, collection, where)
        for position, row in enumerate(reader.objects(collection, "payments", where)):
            _payment(reader, paid, row, f"{where}payments[{position}].", captured)
    for (tender, _), amount in zip(captured, settle([amount for _, amount in captured]), strict=True):
        tender.amount = amount
    return paid


def _seen(reader: Amounts, paid: Paid, row: Json, where: str) -> None:
    """Anything that changes makes a later version."""
    for key in ("created_at", "updated_at", "captured_at", "canceled_at"):
        at = reader.maybe_instant(row, key, where)
        if at is not None:
            paid.latest = max(paid.latest, at)


def _payment(reader: Amounts, paid: Paid, row: Json, where: str, captured: list[tuple[Tender, Decimal]]) -> None:
    _seen(reader, paid, row, where)
    identifier = reader.identifier(row.get("id"), where + "id")
    told = row.get("currency_code")
    if told is not None and reader.read_currency(told, where + "currency_code") not in ("", reader.currency):
        reader.refuse("WRONG_CURRENCY", where + "currency_code", "the payment is not in the currency of its order")
    amount = reader.magnitude(row.get("amount"), where + "amount")
    kind, processor = _provider(paid, row)
    data = row.get("data")
    details = data if type(data) is dict else {}
    test = details.get("livemode") is False
    paid.test = paid.test or test
    tender = Tender(
        id=identifier,
        type=kind,  # type: ignore[arg-type]
        action="authorize",
        status="authorized",
        amount=rounded(amount),
        processor=processor,
        reference=_reference(details, processor),
    )
    captures = _captures(reader, paid, row, where, tender, amount)
    assert paid.tenders is not None
    if captures:
        captured.extend(captures)
        paid.tenders.extend(one for one, _ in captures)
    else:
        if row.get("canceled_at") is not None:
            tender.action, tender.status = "void", "voided"
        paid.tenders.append(tender)
    parent = captures[0][0] if captures else tender
    for index, back in enumerate(reader.objects(row, "refunds", where)):
        paid.refunds.append(_back(reader, paid, back, f"{where}refunds[{index}].", parent, test))


def _captures(
    reader: Amounts, paid: Paid, row: Json, where: str, tender: Tender, amount: Decimal
) -> list[tuple[Tender, Decimal]]:
    """An authorization and its capture are one tender, under the capture's id."""
    found = []
    for index, capture in enumerate(reader.objects(row, "captures", where)):
        place = f"{where}captures[{index}]."
        _seen(reader, paid, capture, place)
        taken = reader.magnitude(capture.get("amount"), place + "amount")
        identifier = reader.identifier(capture.get("id"), place + "id")
        found.append((_captured(tender, identifier, tender.id), taken))
    if not found and row.get("captured_at") is not None and row.get("captures") is None:
        found.append((_captured(tender, tender.id, None), amount))
    return found


def _captured(tender: Tender, identifier: str, parent: str | None) -> Tender:
    return msgspec.structs.replace(tender, id=identifier, parent=parent, action="capture", status="captured")


def _provider(paid: Paid, row: Json) -> tuple[str, str | None]:
    """Tender type and processor; a provider that the merchant has written is told by name and quarantined."""
    name = word(row.get("provider_id"))
    if not name:
        return "external", None
    middle = name.removeprefix("pp_").split("_", 1)[0].casefold()
    known = PROVIDER.get(middle)
    if known is None:
        paid.foreign.append(name[:100])
        return "unknown", middle[:255] or None
    return known


def _reference(details: Json, processor: str | None) -> str | None:
    """The processor's own id of the payment: Stripe's charge before its intent."""
    if processor is None:
        return None
    for key in ("latest_charge", "id"):
        value = details.get(key)
        if type(value) is dict:
            value = value.get("id")
        if type(value) is str and value:
            return value[:255]
    return None


def _back(reader: Amounts, paid: Paid, row: Json, where: str, parent: Tender, test: bool) -> Back:
    _seen(reader, paid, row, where)
    at = reader.instant(row.get("created_at"), where + "created_at") or EPOCH
    updated = reader.maybe_instant(row, "updated_at", where) or at
    return Back(
        id=reader.identifier(row.get("id"), where + "id"),
        where=where,
        row=row,
        amount=rounded(reader.magnitude(row.get("amount"), where + "amount")),
        at=at,
        latest=max(at, updated),
        parent=parent.id,
        type=parent.type,
        processor=parent.processor,
        test=test,
    )


def credit_tenders(rows: list[tuple[Json, Decimal]]) -> list[Tender]:
    """Gift cards and store credit that were spent at the checkout stand among the order's credit lines."""
    found = []
    for number, (row, amount) in enumerate(rows, start=1):
        kind = "gift_card" if "gift" in word(row.get("reference")).casefold() else "store_credit"
        known = row.get("reference_id")  # the line's own id is another one in each version of the order
        identifier = known if type(known) is str and 0 < len(known) <= 200 else str(number)
        found.append(Tender(id=f"{kind}:{identifier}", type=kind, status="captured", amount=rounded(amount)))  # type: ignore[arg-type]
    return found


def money_back(paid: Paid) -> Decimal:
    """All that was refunded so far."""
    return sum((Decimal(one.amount) for one in paid.refunds), ZERO)
