"""Lightspeed Retail's words as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure."""

from decimal import Decimal

# state of a sale → (status of our sale, status of our refund where the sale is a return)
STATE = {
    "parked": ("open", "pending"),
    "pending": ("open", "pending"),
    "closed": ("completed", "succeeded"),
    "voided": ("voided", "cancelled"),
}

# the older status → (state, attribute)
LEGACY = {
    "SAVED": ("parked", None),
    "OPEN": ("pending", None),
    "VOIDED": ("voided", None),
    "CLOSED": ("closed", None),
    "ONACCOUNT": ("pending", "onaccount"),
    "ONACCOUNT_CLOSED": ("closed", "onaccount"),
    "LAYBY": ("pending", "layby"),
    "LAYBY_CLOSED": ("closed", "layby"),
    "AWAITING_DISPATCH": ("pending", "delivery"),
    "DISPATCHED_CLOSED": ("closed", "delivery"),
    "AWAITING_PICKUP": ("pending", "pickup"),
    "PICKED_UP_CLOSED": ("closed", "pickup"),
    "SERVICE": ("pending", "service"),
    "SERVICE_CLOSED": ("closed", "service"),
}

ROUNDING = "rounding"  # what a cash total was rounded by stands among the payments, and is none

# name of a payment type (lower case); merchants name their own, so the usual English names are here too
PAYMENT_NAME = {
    "cash": "cash",
    "cash rounding": ROUNDING,
    "rounding": ROUNDING,
    "credit card": "card",
    "debit card": "card",
    "card": "card",
    "eftpos": "card",
    "visa": "card",
    "mastercard": "card",
    "american express": "card",
    "amex": "card",
    "integrated eftpos": "card",
    "lightspeed payments": "card",
    "lightspeed payments online": "card",
    "square": "card",
    "stripe": "card",
    "worldpay": "card",
    "adyen": "card",
    "tyro": "card",
    "smartpay": "card",
    "windcave": "card",
    "verifone": "card",
    "cheque": "cheque",
    "check": "cheque",
    "gift card": "gift_card",
    "store credit": "store_credit",
    "loyalty": "voucher",
    "voucher": "voucher",
    "on account": "on_account",
    "account": "on_account",
    "bank transfer": "bank",
    "direct deposit": "bank",
    "direct credit": "bank",
    "paypal": "wallet",
    "apple pay": "wallet",
    "google pay": "wallet",
    "alipay": "wallet",
    "wechat pay": "wallet",
    "afterpay": "bnpl",
    "zip": "bnpl",
    "zip pay": "bnpl",
    "laybuy": "bnpl",
    "klarna": "bnpl",
    "humm": "bnpl",
    "internal": "external",
    "other": "external",
    "other payment method": "external",
}

# the global payment types that the vendor's documentation names by number
PAYMENT_ID = {1: "cash", 3: "card", 106: "voucher", 118: "gift_card"}

WITH_PROCESSOR = frozenset({"card", "wallet", "bnpl"})
# names of what was swiped, not of who processed it
GENERIC = frozenset({
    "credit card", "debit card", "card", "eftpos", "integrated eftpos", "visa", "mastercard", "american express", "amex",
})  # fmt: skip

ADJUSTMENT = {"NON_CASH_FEE": "fee", "SURCHARGE": "fee", "TIP": "tip"}
DISCOUNT = "DISCOUNT"
DISCOUNT_SKU = "vend-discount"

RESTOCK = "return"  # a return puts its goods back into the outlet's stock


def percent(rate: Decimal) -> str | None:
    """A fraction as a percentage in text (0.15 → "15.0"); None for a number that no rate has."""
    if not rate.is_finite() or abs(rate) >= 10**4:
        return None
    text = format(round(rate * 100, 10).normalize(), "f")
    return text if "." in text else text + ".0"
