"""The processor's side of a tender: money, not goods. Pure."""

from typing import Literal

from channels.record import Amount, Card, Fee, Record, Settlement, TenderType, Text


class Charge(Record, kw_only=True, gc=False, tag="charge"):
    """`amount` is what was authorized, tip included; `captured` what was taken of it."""

    order_reference: Text | None = None
    tender_type: TenderType
    status: Literal["pending", "authorized", "captured", "failed", "voided", "unknown"]
    amount: Amount
    captured: Amount
    tip: Amount = 0
    reference: Text | None = None
    card: Card | None = None
    fees: list[Fee] = []
    settlement: Settlement | None = None
