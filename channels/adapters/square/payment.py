"""Square payment → canonical charge, and the tenders that an order lists, which are the same payments. Pure."""

from typing import Any

from channels.adapter import Context
from channels.adapters.square.reading import Reader, card, known, source
from channels.adapters.square.words import (
    EXTERNAL_TYPE,
    FEE_TYPE,
    OUTSIDE,
    PAYMENT_STATUS,
    TENDER_ACTION,
    TENDER_DETAILS,
    TENDER_STATUS,
    TENDER_TYPE,
    WITHOUT_PROCESSOR,
)
from channels.charge import Charge
from channels.reading import Json, text, word
from channels.record import Fee, Settlement
from channels.sale import Tender


def tender_words(kind: Any, row: Json) -> tuple[str, str | None]:
    """Tender type and processor of a payment, tender or refund whose Square word is `kind`."""
    found = TENDER_TYPE.get(word(kind), "unknown")
    details = row.get("external_details")
    if kind == "EXTERNAL" and type(details) is dict and details.get("type") is not None:
        found = known(EXTERNAL_TYPE, details["type"])
    card_details = row.get("card_details")
    plastic = card_details.get("card") if type(card_details) is dict else None
    if found == "card" and type(plastic) is dict and plastic.get("card_brand") == "SQUARE_GIFT_CARD":
        found = "gift_card"
    if found in WITHOUT_PROCESSOR or found == "unknown":
        return found, None
    return found, "external" if word(kind) in OUTSIDE else "square"


def payment_record(raw: Any, context: Context) -> Charge:
    """A payment is money taken for an order, whatever the order holds."""
    reader = Reader()
    row = reader.object(raw, "payment")
    reader.finish()
    identifier = reader.identifier(row.get("id"), "id")
    reader.find_currency([row.get("total_money"), row.get("amount_money")], "total_money.currency")
    at = reader.happened(row)
    version = reader.version(row, at)
    status = known(PAYMENT_STATUS, row.get("status"))
    amount = _total(reader, row)
    captured = amount if status == "captured" else 0
    kind, processor = tender_words(row.get("source_type"), row)
    fees = _fees(reader, row) if captured else []
    offline = reader.parts(row, "offline_payment_details")
    happened = reader.maybe_instant(offline, "client_created_at", "offline_payment_details.") or at
    where_from = source(reader, row, "", version, context)
    where_from.number = text(row.get("receipt_number"))
    where_from.register = _device(reader, row)
    where_from.offline = row.get("is_offline_payment") is True
    day = reader.business_day(happened, context.timezone, context.day_cut_hour)
    order = reader.optional_id(row.get("order_id"), "order_id")
    tip = reader.amount(row, "tip_money")
    settlement = _settlement(reader, row, "processing_fee", captured, fees)
    reader.finish()
    return Charge(
        source=where_from,
        occurred_at=happened,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        extensions=_notes(row, processor),
        order_reference=order,
        tender_type=kind,  # type: ignore[arg-type]
        status=status,  # type: ignore[arg-type]
        amount=amount,
        captured=captured,
        tip=tip,
        reference=identifier,
        card=card(row.get("card_details")),
        fees=fees,
        settlement=settlement,
    )


def _total(reader: Reader, row: Json) -> int:
    """With its tip: `amount_money` is without."""
    if row.get("total_money") is not None:
        return reader.amount(row, "total_money")
    if row.get("amount_money") is None:
        return reader.money(row, "total_money")
    return reader.within_limit(reader.amount(row, "amount_money") + reader.amount(row, "tip_money"), "amount_money")


def _fees(reader: Reader, row: Json) -> list[Fee]:
    """What Square keeps, which it tells only seconds after the payment, and what the seller's application keeps."""
    fees = []
    for index, one in enumerate(reader.objects(row, "processing_fee")):
        kind = one.get("type")
        name = FEE_TYPE.get(kind) if type(kind) is str else None
        amount = reader.money(one, "amount_money", f"processing_fee[{index}].")
        fees.append(Fee(type=name or word(kind)[:100].casefold() or "processing", amount=amount))
    application = reader.maybe_money(row, "app_fee_money")
    if application:
        fees.append(Fee(type="application", amount=application))
    return fees


def _settlement(reader: Reader, row: Json, told_by: str, captured: int, fees: list[Fee]) -> Settlement | None:
    """What is left of a payment after its fees; None as long as Square has not told them."""
    if not captured or not row.get(told_by):
        return None
    left = reader.within_limit(captured - sum(fee.amount for fee in fees), told_by)
    return Settlement(currency=reader.currency or "XXX", amount=left)


def _device(reader: Reader, row: Json) -> str | None:
    return reader.optional_id(reader.parts(row, "device_details").get("device_id"), "device_details.device_id")


def _notes(row: Json, processor: str | None) -> Json:
    notes: Json = {"processor": processor} if processor else {}
    reference = text(row.get("reference_id"))
    if reference:
        notes["reference_id"] = reference
    return {"square": notes} if notes else {}


def order_tenders(reader: Reader, order: Json) -> list[Tender]:
    """What an order was paid with; an open drawer is no payment."""
    return [
        _tender(reader, row, f"tenders[{index}].")
        for index, row in enumerate(reader.objects(order, "tenders"))
        if row.get("type") != "NO_SALE"
    ]


def _tender(reader: Reader, row: Json, where: str) -> Tender:
    identifier = reader.identifier(row.get("id"), where + "id")
    kind, processor = tender_words(row.get("type"), row)
    status = known(TENDER_STATUS, _state(reader, row, where))
    amount = reader.money(row, "amount_money", where)
    tip = reader.amount(row, "tip_money", where)
    cash = reader.parts(row, "cash_details", where)
    handed = change = None
    if cash.get("buyer_tendered_money") is not None:
        handed = reader.amount(cash, "buyer_tendered_money", where + "cash_details.")
        change = reader.amount(cash, "change_back_money", where + "cash_details.")
    fee = reader.maybe_money(row, "processing_fee_money", where)
    fees = [Fee(type="processing", amount=fee)] if fee and status == "captured" else []
    return Tender(
        id=identifier,
        type=kind,  # type: ignore[arg-type]
        action="unknown" if status == "unknown" else TENDER_ACTION.get(status, "capture"),  # type: ignore[arg-type]
        status=status,  # type: ignore[arg-type]
        amount=amount,
        tip=tip,
        tendered=handed,
        change=change,
        processor=processor,
        reference=reader.optional_id(row.get("payment_id"), where + "payment_id")
        or (identifier if processor else None),
        card=card(row.get("card_details")),
        fees=fees,
        settlement=_settlement(reader, row, "processing_fee_money", amount, fees) if fees else None,
    )


def _state(reader: Reader, row: Json, where: str) -> Any:
    for key in TENDER_DETAILS:
        state = reader.parts(row, key, where).get("status")
        if state is not None:
            return state
    return None
