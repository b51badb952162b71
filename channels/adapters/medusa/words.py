"""Medusa's words as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure."""

ORDER_STATUS = {
    "pending": "open",
    "requires_action": "open",
    "completed": "completed",
    "archived": "completed",
    "canceled": "cancelled",
}

# a draft is a proposal: it becomes an order, with an event of its own, when somebody confirms it
DRAFT = "draft"

PAYMENT_STATUS = {
    "not_paid": "pending",
    "awaiting": "pending",
    "requires_action": "pending",
    "authorized": "authorized",
    "partially_authorized": "authorized",
    "captured": "paid",
    "partially_captured": "partially_paid",
    "refunded": "refunded",
    "partially_refunded": "partially_refunded",
    "canceled": "voided",
}

# the middle of a provider's id (`pp_<middle>_<name>`) → tender type and processor
PROVIDER: dict[str, tuple[str, str | None]] = {
    "system": ("external", None),  # Medusa's own provider only notes that somebody was paid somehow
    "stripe": ("card", "stripe"),
    "stripe-bancontact": ("bank", "stripe"),
    "stripe-blik": ("bank", "stripe"),
    "stripe-giropay": ("bank", "stripe"),
    "stripe-ideal": ("bank", "stripe"),
    "stripe-oxxo": ("voucher", "stripe"),
    "stripe-promptpay": ("bank", "stripe"),
    "stripe-przelewy24": ("bank", "stripe"),
    "adyen": ("card", "adyen"),
    "authorizenet": ("card", "authorizenet"),
    "braintree": ("card", "braintree"),
    "checkout": ("card", "checkout"),
    "mollie": ("card", "mollie"),
    "razorpay": ("card", "razorpay"),
    "square": ("card", "square"),
    "paypal": ("wallet", "paypal"),
    "klarna": ("bnpl", "klarna"),
    "cash": ("cash", None),
    "cod": ("cash", None),
    "manual": ("external", None),
}

# what an event names its object by, in the order in which its `data` is searched
TOPICS: dict[str, tuple[tuple[str, str], ...]] = {
    "order.placed": (("order", "id"),),
    "order.updated": (("order", "id"),),
    "order.completed": (("order", "id"),),
    "order.archived": (("order", "id"),),
    "order.canceled": (("order", "id"),),
    "order.return_requested": (("order", "order_id"),),
    "order.return_received": (("order", "order_id"),),
    "order.exchange_created": (("order", "order_id"),),
    "order.claim_created": (("order", "order_id"),),
    "order.fulfillment_created": (("order", "order_id"),),
    "order.fulfillment_canceled": (("order", "order_id"),),
    "order-edit.confirmed": (("order", "order_id"),),
    "payment.captured": (("order", "order_id"), ("payment", "id")),
    "payment.refunded": (("order", "order_id"), ("payment", "id")),
}

RETURNED = frozenset({"received", "partially_received"})  # states of a return that has moved goods
