"""Vendure's words as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure."""

import re

# an order that is still a cart, or a draft of an administrator's, has not been placed
UNPLACED = frozenset({"Created", "Draft", "AddingItems", "ArrangingPayment"})

ORDER_STATE = {
    "PaymentAuthorized": "open",
    "PaymentSettled": "open",
    "PartiallyShipped": "open",
    "Shipped": "open",
    "PartiallyDelivered": "open",
    "Modifying": "open",
    "ArrangingAdditionalPayment": "open",
    "Delivered": "completed",
    "Cancelled": "cancelled",
}

# how far along an order is, where two of its states bear the same time
ORDER_RANK = {
    "PaymentAuthorized": 1,
    "PaymentSettled": 2,
    "Modifying": 2,
    "ArrangingAdditionalPayment": 2,
    "PartiallyShipped": 3,
    "Shipped": 4,
    "PartiallyDelivered": 5,
    "Delivered": 6,
    "Cancelled": 7,
}

# state of a payment → action and status of its tender
PAYMENT_STATE = {
    "Created": ("authorize", "pending"),
    "Authorized": ("authorize", "authorized"),
    "Settled": ("capture", "captured"),
    "Declined": ("authorize", "failed"),
    "Error": ("authorize", "failed"),
    "Cancelled": ("void", "voided"),
}
PAYMENT_RANK = {"Created": 0, "Authorized": 1, "Settled": 2}

REFUND_STATE = {"Pending": "pending", "Settled": "succeeded", "Failed": "failed"}
REFUND_RANK = {"Pending": 0, "Settled": 1, "Failed": 2}

# The merchant names a payment method with a code of its own; these words in it say what it is, the earlier ones first.
METHOD: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"giftcard", "gift"}), "gift_card"),
    (frozenset({"storecredit", "credit-balance", "wallet-credit"}), "store_credit"),
    (frozenset({"paypal", "applepay", "googlepay", "wallet", "alipay", "wechat"}), "wallet"),
    (frozenset({"klarna", "afterpay", "clearpay", "affirm", "bnpl"}), "bnpl"),
    (frozenset({"ideal", "bancontact", "sepa", "sofort", "bank", "banktransfer", "transfer", "prepayment"}), "bank"),
    (frozenset({"invoice", "account"}), "on_account"),
    (frozenset({"cash", "cod"}), "cash"),
    (frozenset({"cheque", "check"}), "cheque"),
    (frozenset({"voucher"}), "voucher"),
    (frozenset({"stripe", "mollie", "braintree", "adyen", "authorizenet", "card", "creditcard", "debit"}), "card"),
    (frozenset({"dummy", "manual", "external", "standard"}), "external"),
)
PROCESSORS = frozenset({"stripe", "mollie", "braintree", "adyen", "paypal", "klarna", "authorizenet"})

# of other payments the transaction's id may be the code of a gift card, which is as good as money
REFERENCED = frozenset({"card", "wallet", "bnpl", "bank"})

_WORD = re.compile("[a-z]+")


def method_type(code: str) -> tuple[str, str | None]:
    """Tender type and processor of a payment method's code; "unknown" where no word of it is known."""
    found = set(_WORD.findall(code.casefold()))
    processor = next((name for name in sorted(PROCESSORS) if name in found), None)
    kind = next((kind for names, kind in METHOD if names & found), "unknown")
    if kind == "unknown":
        processor = code[:255] or None
    return kind, processor


# events that a plugin in the shop posts, and where their `data` names the order
TOPICS: dict[str, tuple[str, ...]] = {
    "order.placed": ("orderId", "order_id", "id"),
    "order.updated": ("orderId", "order_id", "id"),
    "order.state_changed": ("orderId", "order_id", "id"),
    "order.cancelled": ("orderId", "order_id", "id"),
    "payment.state_changed": ("orderId", "order_id"),
    "refund.state_changed": ("orderId", "order_id"),
}
