"""How an order was paid: payments, voids and what they say of tax, tips and charges. Pure."""

import msgspec

from channels.adapters.clover.reading import Reader, is_true
from channels.adapters.clover.words import ACTION, CARD_BRAND, PAYMENT_RESULT, TENDER_TYPE
from channels.reading import Json, last4, word
from channels.record import Card
from channels.sale import CAPTURED, Tender

CLOVER = "clover"


class Charge(msgspec.Struct, frozen=True):
    """Something charged beside the goods: a surcharge, a delivery fee."""

    id: str
    type: str
    amount: int


class Payment(msgspec.Struct):
    """One payment; `amount` without the tip, as Clover counts it. `tax` and `service` None: the payment does not say."""

    id: str
    type: str
    status: str
    amount: int
    tip: int
    tax: int | None
    service: int | None
    charges: list[Charge]
    tendered: int | None
    parent: str | None
    card: Card | None
    offline: bool
    cashback: int

    @property
    def captured(self) -> bool:
        """Whether money was taken."""
        return self.status in CAPTURED


def read_payments(reader: Reader, order: Json) -> list[Payment] | None:
    """The payments with the voids among them; None where the order came without."""
    if order.get("payments") is None and order.get("voids") is None:
        return None
    found: dict[str, Payment] = {}
    for index, raw in enumerate(reader.elements(order, "payments")):
        payment = _payment(reader, raw, f"payments[{index}].")
        if payment.id in found:
            reader.refuse("DUPLICATE_TENDER", f"payments[{index}].id", f"two payments have the id {payment.id!r}")
        found[payment.id] = payment
    for index, raw in enumerate(reader.elements(order, "voids")):
        _void(reader, raw, f"voids[{index}].", found)
    everything = sum(p.amount + p.tip + sum(abs(c.amount) for c in p.charges) for p in found.values())
    reader.within_limit(everything, "payments")
    return list(found.values())


def _void(reader: Reader, raw: Json, where: str, found: dict[str, Payment]) -> None:
    """A void is the voided payment itself, or an object of its own that names it."""
    undone = reader.reference(raw, "voidPaymentRef", where)
    if undone is not None and undone in found and undone != raw.get("id"):
        found[undone].status = "voided"
        return
    payment = _payment(reader, raw, where)
    payment.status = "voided"
    found[payment.id] = payment


def _payment(reader: Reader, raw: Json, where: str) -> Payment:
    card = card_of(reader, raw, where)
    service = raw.get("serviceCharge")
    return Payment(
        id=reader.identifier(raw.get("id"), where + "id"),
        type=tender_type(reader, raw, "tender", card, where),
        status=PAYMENT_RESULT.get(word(raw.get("result")), "unknown"),
        amount=reader.positive(reader.money(raw, "amount", where), where + "amount"),
        tip=reader.maybe_money(raw, "tipAmount", where),
        tax=None if raw.get("taxAmount") is None else reader.money(raw, "taxAmount", where),
        service=None if service is None else reader.maybe_money(
            reader.object(service, where + "serviceCharge"), "amount", where + "serviceCharge."
        ),
        charges=_charges(reader, raw, where),
        tendered=reader.maybe_money(raw, "cashTendered", where) or None,
        parent=reader.reference(raw, "authorization", where),
        card=_card(card) if card else None,
        offline=is_true(raw.get("offline")),
        cashback=reader.maybe_money(raw, "cashbackAmount", where),
    )  # fmt: skip


def card_of(reader: Reader, raw: Json, where: str) -> Json:
    """What was read of a card; {} where none was."""
    value = raw.get("cardTransaction")
    card = {} if value is None else reader.object(value, where + "cardTransaction")
    return card if card.get("cardType") is not None or card.get("last4") is not None else {}


def _charges(reader: Reader, raw: Json, where: str) -> list[Charge]:
    found = []
    for index, one in enumerate(reader.elements(raw, "additionalCharges", where)):
        place = f"{where}additionalCharges[{index}]."
        amount = reader.money(one, "amount", place)
        kind = word(one.get("type"))[:100] or "charge"
        if amount:
            found.append(Charge(reader.optional_id(one.get("id"), place + "id") or kind.lower(), kind, amount))
    return found


def tender_type(reader: Reader, raw: Json, key: str, card: Json, where: str) -> str:
    """By the tender's key; a tender that came as a mere reference is told by the card that was read, if one was."""
    tender = reader.object(raw[key], where + key) if raw.get(key) else {}
    kind = TENDER_TYPE.get(word(tender.get("labelKey")))
    if card and kind in (None, "card"):
        return "gift_card" if card.get("cardType") == "GIFT_CARD" else "card"
    if kind is None:
        return "external" if is_true(tender.get("editable")) else "unknown"
    return kind


def _card(card: Json) -> Card:
    kind = word(card.get("cardType"))
    return Card(brand=CARD_BRAND.get(kind, kind.lower()[:100] or None), last4=last4(card.get("last4")))


def as_tender(payment: Payment, extra: int) -> Tender:
    """The payment as a tender of its sale; `extra`: charges that were taken with it and are not in its amount."""
    amount = payment.amount + payment.tip + extra
    tendered, change = None, None
    if payment.type == "cash" and payment.tendered is not None and payment.tendered >= amount:
        tendered, change = payment.tendered, payment.tendered - amount
    ours = payment.type == "card"
    return Tender(
        id=payment.id,
        type=payment.type,  # type: ignore[arg-type]
        action=ACTION.get(payment.status, "capture"),  # type: ignore[arg-type]
        status=payment.status,  # type: ignore[arg-type]
        amount=amount,
        tip=payment.tip,
        tendered=tendered,
        change=change,
        processor=CLOVER if ours else None,
        reference=payment.id if ours else None,
        parent=payment.parent,
        card=payment.card if ours else None,
    )
