"""The canonical refund: money and goods given back. Pure."""

from typing import Literal

from channels.record import Amount, Identifier, Number, Part, Record, Signed, Tax, TenderType, Text

GIVES_BACK = frozenset({"pending", "succeeded"})  # states of a refund that gives back; failed and cancelled ones do not


class RefundLine(Part, kw_only=True, gc=False):
    """`line` names the sale's line; an amount-only refund has one `adjustment` line, signed."""

    line: Text | None = None
    type: Literal["item", "shipping", "tip", "fee", "adjustment", "unknown"]
    quantity: Number = "0"
    net: Signed
    tax: Signed = 0
    taxes: list[Tax] = []
    restock: Literal["return", "cancel", "none", "unknown"] = "none"


class RefundTender(Part, kw_only=True, gc=False):
    """Where the money went back to; `parent` is the sale's tender."""

    id: Identifier
    parent: Text | None = None
    type: TenderType
    amount: Amount
    processor: Text | None = None
    reference: Text | None = None
    fee_returned: Amount = 0


class RefundTotals(Part, kw_only=True, gc=False):
    """`total` is the money given back."""

    net: Signed = 0
    shipping: Signed = 0
    tip: Signed = 0
    adjustment: Signed = 0
    tax: Signed = 0
    total: Amount


class Refund(Record, kw_only=True, gc=False, tag="refund"):
    """Of a `sale`, or (a processor's own) of a `charge`; both are source ids, not display numbers."""

    sale: Text | None = None
    charge: Text | None = None
    status: Literal["pending", "succeeded", "failed", "cancelled", "unknown"]
    reason: Text | None = None
    tax_inclusive: bool = False
    lines: list[RefundLine] = []
    tenders: list[RefundTender] = []
    totals: RefundTotals
