"""Clover's words as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure."""

# `state` of an order is free text, of which Clover itself writes these two, in either case
STATUS = {"open": "open", "locked": "completed"}

PAYMENT_STATUS = {
    "OPEN": "pending",
    "PAID": "paid",
    "PARTIALLY_PAID": "partially_paid",
    "PARTIALLY_REFUNDED": "partially_refunded",
    "REFUNDED": "refunded",
    "CREDITED": "refunded",  # given back as a manual refund
}

# `result` of a payment or credit; one that is being voided, or whose void failed, still stands
PAYMENT_RESULT = {
    "SUCCESS": "captured",
    "AUTH_COMPLETED": "captured",
    "VOIDING": "captured",
    "VOID_FAILED": "captured",
    "AUTH": "authorized",
    "INITIATED": "pending",
    "PENDING": "pending",
    "OFFLINE_RETRYING": "pending",
    "FAIL": "failed",
    "VOIDED": "voided",
}
ACTION = {"authorized": "authorize", "voided": "void", "unknown": "unknown"}

REFUND_STATUS = {"SUCCESS": "succeeded", "PENDING": "pending", "FAIL": "failed", "VOIDED": "cancelled"}
CREDIT_STATUS = {
    "SUCCESS": "succeeded",
    "INITIATED": "pending",
    "PENDING": "pending",
    "OFFLINE_RETRYING": "pending",
    "FAIL": "failed",
    "VOIDED": "cancelled",
    "VOIDING": "succeeded",
    "VOID_FAILED": "succeeded",
}

# labelKey of a tender → its type; a tender that the merchant made (`editable`) is money taken outside of Clover
TENDER_TYPE = {
    "com.clover.tender.cash": "cash",
    "com.clover.tender.credit_card": "card",
    "com.clover.tender.debit_card": "card",
    "com.clover.tender.interac": "card",
    "com.clover.tender.manual_card_entry": "card",
    "com.clover.tender.check": "cheque",
    "com.clover.tender.gift_card": "gift_card",
    "com.clover.tender.external_gift_card": "gift_card",
    "com.clover.tender.external_payment": "external",
    "com.clover.tender.external_pin_debit": "external",
    "com.clover.paypal": "wallet",
    "com.clover.venmo": "wallet",
}

CARD_BRAND = {
    "MC": "mastercard",
    "DINERS_CLUB": "diners",
    "CHINA_UNION_PAY": "unionpay",
    "UNKNOWN": None,
    "OTHER": None,
}

# what stands in the name of an item that is no revenue (`isRevenue` false) → what it is
NOT_REVENUE = (("gift card", "gift_card_sale"), ("giftcard", "gift_card_sale"), ("donation", "donation"))

# the gratuity that a till adds by itself is charged, not given
ORDER_FEE = {"AUTO_GRATUITY": "service_charge", None: "fee", "": "fee"}

# first letter of an event's object → kind of pointer; the others (items, customers, employees …) move no money
EVENT_KIND = {"O": "order", "P": "payment"}
EVENT_TYPES = ("CREATE", "UPDATE", "DELETE")
