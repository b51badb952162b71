"""The processor's transfer to the bank, with its lines. Pure."""

from datetime import date
from typing import Literal

from channels.record import Identifier, Instant, Part, Record, Signed, Text


class PayoutLine(Part, kw_only=True, gc=False):
    """net = gross - fee, positive towards the merchant."""

    id: Identifier
    category: Literal[
        "charge", "refund", "refund_failure", "dispute", "dispute_reversal", "fee", "reserve_hold", "reserve_release",
        "adjustment", "loan_repayment", "fx", "payout_failure", "other", "unknown",
    ]  # fmt: skip
    gross: Signed
    fee: Signed = 0
    net: Signed
    reference: Text | None = None
    available_on: Instant | None = None


class Payout(Record, kw_only=True, gc=False, tag="payout"):
    """`amount` = Σ lines.net + residual; lines null: not known here."""

    processor: Text
    status: Literal["pending", "in_transit", "paid", "failed", "cancelled", "returned", "unknown"]
    method: Literal["automatic", "manual", "unknown"] = "automatic"
    amount: Signed
    initiated_at: Instant | None = None
    arrival_date: date | None = None
    trace_id: Text | None = None
    descriptor: Text | None = None
    lines: list[PayoutLine] | None = None
    residual: Signed | None = None
