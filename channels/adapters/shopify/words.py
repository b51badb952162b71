"""Shopify's words as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure."""

from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

PAYMENT_STATUS = {
    "pending": "pending",
    "authorized": "authorized",
    "partially_paid": "partially_paid",
    "paid": "paid",
    "partially_refunded": "partially_refunded",
    "refunded": "refunded",
    "voided": "voided",
    "expired": "voided",  # the authorization ran out before anybody captured it: no money moved
}

# kind of a transaction → what it does; refund and change rows are no payments of their own
ACTION = {
    "authorization": "authorize",
    "emv_authorization": "authorize",  # a chip read at a terminal, finished by a capture like any other
    "sale": "capture",
    "capture": "capture",
    "void": "void",
}
NO_PAYMENT = frozenset({"refund", "suggested_refund"})

SETTLED = {"authorize": "authorized", "capture": "captured", "void": "voided", "unknown": "unknown"}
UNSETTLED = {"pending": "pending", "awaiting_response": "pending", "failure": "failed", "error": "failed"}

REFUND_STATUS = {
    "success": "succeeded",
    "pending": "pending",
    "awaiting_response": "pending",
    "failure": "failed",
    "error": "failed",
}

RESTOCK = {
    None: "none",
    "no_restock": "none",
    "cancel": "cancel",
    "return": "return",
    "legacy_restock": "return",  # refunds of before 2018, whose goods came back without a word on how
}

# gateway (lower case) → tender type; merchants name their manual methods themselves, so the usual English names are here too
TENDER_TYPE = {
    "shopify_payments": "card",
    "bogus": "card",
    "stripe": "card",
    "authorize_net": "card",
    "braintree": "card",
    "adyen": "card",
    "checkout_com": "card",
    "cybersource": "card",
    "worldpay": "card",
    "square": "card",
    "visa": "card",
    "mastercard": "card",
    "american_express": "card",
    "external_credit": "card",
    "external_debit": "card",
    "gift_card": "gift_card",
    "store_credit": "store_credit",
    "shopify_store_credit": "store_credit",
    "exchange-credit": "store_credit",
    "paypal": "wallet",
    "paypal express checkout": "wallet",
    "amazon_payments": "wallet",
    "google_pay": "wallet",
    "apple_pay": "wallet",
    "shop_cash": "wallet",
    "klarna": "bnpl",
    "affirm": "bnpl",
    "afterpay": "bnpl",
    "afterpay_north_america": "bnpl",
    "shop_pay_installments": "bnpl",
    "shopify_installments": "bnpl",
    "cash": "cash",
    "cash on delivery (cod)": "cash",
    "cash on delivery": "cash",
    "cash_on_delivery": "cash",
    "bank deposit": "bank",
    "bank_deposit": "bank",
    "bank transfer": "bank",
    "money order": "cheque",
    "money_order": "cheque",
    "check": "cheque",
    "cheque": "cheque",
    "manual": "external",
    "external": "external",
}

# what Shopify Payments took, where that is not a card
METHOD_TYPE = {
    "klarna": "bnpl",
    "affirm": "bnpl",
    "shop_pay_installments": "bnpl",
    "installments": "bnpl",
    "ideal": "bank",
    "bancontact": "bank",
    "sofort": "bank",
    "sepa_debit": "bank",
    "shop_cash": "wallet",
}

# no processor stands behind these: nothing of theirs will ever come in a payout
WITHOUT_PROCESSOR = frozenset({"cash", "gift_card", "store_credit", "bank", "cheque", "external"})

# the payouts of Shopify Payments come from this adapter; any other gateway pays out under its own name
PROCESSOR = {"shopify_payments": "shopify"}

CARD_BRAND = {"american express": "amex", "diners club": "diners", "master": "mastercard"}

PAYOUT_STATUS = {
    "scheduled": "pending",
    "in_transit": "in_transit",
    "paid": "paid",
    "failed": "failed",
    "canceled": "cancelled",
    "cancelled": "cancelled",
}

# a later state of a payout has a higher rank; a paid one can still fail
PAYOUT_RANK = {"pending": 1, "in_transit": 2, "paid": 3, "failed": 4, "cancelled": 4, "returned": 4, "unknown": 5}

PAYOUT_LINE = {
    "charge": "charge",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "dispute": "dispute",
    "dispute_reversal": "dispute_reversal",
    "chargeback": "dispute",
    "adjustment": "adjustment",
    "reserve": "reserve_hold",
    "credit": "adjustment",
    "debit": "adjustment",
    "payout_failure": "payout_failure",
    "payout_cancellation": "payout_failure",
}

DISPUTE_KIND = {"inquiry": "inquiry", "chargeback": "chargeback"}
DISPUTE_STATE = {
    "needs_response": "needs_response",
    "under_review": "under_review",
    "charge_refunded": "lost",
    "accepted": "lost",
    "won": "won",
    "lost": "lost",
}


@lru_cache(maxsize=4096)
def percent(rate: Any) -> str | None:
    """A fraction as a percentage in text (0.08875 → "8.875", 0.04 → "4.0"); None where it is no usable number."""
    try:
        value = Decimal(str(rate)) * 100
    except InvalidOperation:
        return None
    if not value.is_finite() or not -12 <= value.adjusted() <= 6:
        return "0.0" if value == 0 else None
    text = format(round(value, 12).normalize(), "f")
    return text if "." in text else text + ".0"


@lru_cache(maxsize=4096)
def tax_place(title: str, country: str | None, region: str | None) -> str | None:
    """The place a tax belongs to, where its title says enough: "NY State Tax" in NY → "US-NY"; a city's tax stays None."""
    if country is None:
        return None
    words = title.casefold().replace("-", " ").split()
    if country == "US":
        local = {"city", "county", "district", "municipal", "special", "transit", "parish", "local"}
        return f"US-{region}" if region and local.isdisjoint(words) and {"state", "sales", "tax"} & set(words) else None
    if {"pst", "hst", "qst", "rst", "tvq"} & set(words):
        return f"{country}-{region}" if region else None
    return country if {"vat", "gst", "tva", "mwst", "ust", "iva", "moms", "btw", "tps"} & set(words) else None
