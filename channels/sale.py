"""The canonical sale: stated before its refunds and after its edits. Pure."""

from typing import Annotated, Literal

from msgspec import Meta

from channels.record import (
    Amount,
    Card,
    Collector,
    Currency,
    Fee,
    Identifier,
    Jurisdiction,
    Number,
    Part,
    Record,
    Settlement,
    Signed,
    Tax,
    TenderType,
    Text,
)  # fmt: skip

__all__ = ["Collector", "Customer", "Discount", "Line", "Presentment", "Sale", "Tender", "Totals"]

LineType = Literal[
    "item", "shipping", "fee", "tip", "service_charge", "gift_card_sale", "donation", "deposit", "duty", "unknown"
]


CAPTURED = frozenset({"captured", "settled"})  # states of a tender that has paid


class Discount(Part, kw_only=True, gc=False):
    """Part of a line's `discount`; platform-funded ones are paid back to the merchant."""

    code: Text | None = None
    amount: Amount
    funded_by: Literal["merchant", "platform", "unknown"] = "merchant"


class Line(Part, kw_only=True, gc=False):
    """`gross`, `discount`, `net` in the price's own mode: with tax inside when the sale is `tax_inclusive`."""

    id: Identifier
    type: LineType
    sku: Text | None = None
    name: Text = ""
    category: Text | None = None
    quantity: Number
    unit_price: Number
    gross: Signed
    discount: Amount = 0
    net: Signed
    discounts: list[Discount] = []
    taxes: list[Tax] = []
    tax: Signed = 0
    exchange: Text | None = None


class Tender(Part, kw_only=True, gc=False):
    """One payment towards the sale; `amount` includes `tip`. For cash, amount = tendered - change."""

    id: Identifier
    type: TenderType
    action: Literal["authorize", "capture", "void", "unknown"] = "capture"
    status: Literal["pending", "authorized", "captured", "settled", "failed", "voided", "unknown"]
    amount: Amount
    tip: Amount = 0
    tendered: Amount | None = None
    change: Amount | None = None
    processor: Text | None = None
    reference: Text | None = None
    parent: Text | None = None
    card: Card | None = None
    fees: list[Fee] = []
    settlement: Settlement | None = None


class Totals(Part, kw_only=True, gc=False):
    """The vendor's own figures, carried through; `paid` and `due` are null where the payload does not speak of payments."""

    gross: Signed
    discount: Amount = 0
    net: Signed
    shipping: Amount = 0
    tip: Amount = 0
    service_charge: Amount = 0
    fees: Signed = 0
    duties: Amount = 0
    tax: Signed = 0
    tax_marketplace: Signed = 0
    rounding: Signed = 0
    total: Signed
    paid: Amount | None = None
    due: Signed | None = None


class Customer(Part, kw_only=True, gc=False):
    """A hash of the customer's id, never who they are."""

    ref: Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")] | None = None
    exempt: bool = False
    tax_id: Text | None = None


class Presentment(Part, kw_only=True, gc=False):
    """What the buyer saw, where that is another currency than the shop's."""

    currency: Currency
    total: Signed
    rate: Number | None = None


class Sale(Record, kw_only=True, gc=False, tag="sale"):
    """`tenders` null: not known here; []: none."""

    status: Literal["open", "completed", "cancelled", "voided", "unknown"]
    payment_status: Literal[
        "pending",
        "authorized",
        "partially_paid",
        "paid",
        "partially_refunded",
        "refunded",
        "voided",
        "failed",
        "unknown",
    ]
    jurisdiction: Jurisdiction | None = None
    tax_inclusive: bool = False
    customer: Customer | None = None
    reservation: Text | None = None
    lines: list[Line]
    tenders: list[Tender] | None = None
    totals: Totals
    presentment: Presentment | None = None
