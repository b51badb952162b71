"""WooCommerce's one payment of an order, and its gift cards, as tenders. Pure.

Core knows whether an order is paid, by what method and under which id of the gateway, but no split, no attempts and no times.
"""

from typing import Any

import msgspec

from channels.adapters.woocommerce.reading import Reader, is_set, meta, short
from channels.adapters.woocommerce.words import (
    BY_HAND,
    CARD_BRAND_META,
    CARD_LAST4_META,
    FEE_META,
    PROCESSOR,
    TENDER_TYPE,
)
from channels.reading import Json, last4, text_to_minor, word
from channels.record import Card, Fee
from channels.sale import Tender
from salessync.core.money import LIMIT, MoneyError

WITHOUT_ID = "payment"  # the id of a payment that no gateway gave one


class Payment(msgspec.Struct):
    """How an order is paid. `total` is what WooCommerce asked for, after the gift cards."""

    is_paid: bool
    total: int
    gift_cards: int
    paid: int
    tenders: list[Tender]
    kind: str
    processor: str | None


def payment(reader: Reader, order: Json, status: str) -> Payment:
    """`date_paid_gmt` null says that nothing was paid; a payload without it does not say whether."""
    if "date_paid_gmt" in order:
        is_paid = reader.gmt(order, "date_paid_gmt") is not None
    else:
        is_paid = is_set(order.get("date_paid"))  # the local time of it is as good: only whether it is there counts
        if "date_paid" not in order:
            reader.refuse("MISSING_PAYMENT_STATUS", "date_paid_gmt", "the order does not say whether it is paid")
    total = reader.positive(reader.amount(order, "total"), "total")
    cards = _gift_cards(reader, order)
    kind, processor = _method(order)
    tenders: list[Tender] = []
    if is_paid and total:
        tenders.append(_tender(reader, order, total, kind, processor, status))
    if is_paid:
        tenders += cards
    return Payment(
        is_paid=is_paid,
        total=total,
        gift_cards=sum(card.amount for card in cards),
        paid=reader.within_limit(sum(t.amount for t in tenders if t.status == "captured"), "total"),
        tenders=tenders,
        kind=kind,
        processor=processor,
    )


def _method(order: Json) -> tuple[str, str | None]:
    """Tender type, and the processor behind it where there is one."""
    value = order.get("payment_method")
    if value is not None and type(value) is not str:
        return "unknown", None
    name = word(value).strip().casefold()
    kind = TENDER_TYPE.get(name, "unknown")
    if name in BY_HAND:
        return kind, None
    return kind, next((whose for start, whose in PROCESSOR.items() if name.startswith(start)), name[:255])


def _tender(reader: Reader, order: Json, total: int, kind: str, processor: str | None, status: str) -> Tender:
    identifier = reader.optional_id(order.get("transaction_id"), "transaction_id")
    return Tender(
        id=identifier or WITHOUT_ID,
        type=kind,  # type: ignore[arg-type]
        action="capture",
        status="failed" if status == "failed" else "captured",  # a direct debit can be paid and fail days later
        amount=total,
        processor=processor,
        reference=identifier if processor else None,
        card=_card(order) if kind == "card" else None,
        fees=_fees(order, reader.currency),
    )


def _card(order: Json) -> Card | None:
    said = meta(order)
    brand, digits = short(said.get(CARD_BRAND_META), 40), last4(said.get(CARD_LAST4_META))
    return Card(brand=brand.casefold() if brand else None, last4=digits) if brand or digits else None


def _fees(order: Json, currency: str) -> list[Fee]:
    """What the gateway's plugin noted as its fee, where that is in the order's currency."""
    said = meta(order)
    found = []
    for key, currency_key in FEE_META.items():
        code = said.get(currency_key)
        if key not in said or (code and word(code).upper() != currency):
            continue
        amount = _noted(said[key], currency)
        if amount:
            found.append(Fee(type="processing", amount=amount))
    return found


def _noted(value: Any, currency: str) -> int:
    """An amount in a plugin's note; 0 where it cannot be read with certainty."""
    try:
        amount = text_to_minor(str(value), currency)
    except MoneyError:
        return 0
    return amount if abs(amount) <= LIMIT else 0


def _gift_cards(reader: Reader, order: Json) -> list[Tender]:
    """Cards of the Gift Cards plugin, which takes them off the order's total; their codes are money and stay out."""
    found = []
    for index, row in enumerate(reader.rows(order, "gift_cards")):
        where = f"gift_cards[{index}]."
        identifier = reader.optional_id(row.get("id"), where + "id")
        found.append(
            Tender(
                id=identifier or f"gift_card:{index + 1}",
                type="gift_card",
                action="capture",
                status="captured",
                amount=reader.positive(reader.amount(row, "amount", where), where + "amount"),
            )
        )
    return found
