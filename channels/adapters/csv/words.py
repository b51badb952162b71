"""What a column can be mapped to, and the usual words of such files as ours. Tables only; another word is "unknown". Pure."""

# --- the canonical fields, with what the person who maps columns reads

TRANSACTION = {
    "id": "the transaction's own number: rows with the same one are its lines",
    "number": "the number that is printed, where it differs",
    "version": "a whole number or time that grows with every correction of the transaction; without it its date",
    "date": "when it was sold or refunded",
    "currency": "ISO 4217 code",
    "status": "what became of it: completed, paid, open, cancelled …",
    "total": "what the customer paid in all, or was given back",
    "tax": "tax of the whole transaction",
    "shipping": "delivery charged, where it is no row of its own",
    "tip": "tip, where it is no row of its own",
    "discount": "discount on the whole transaction, where no row has its part",
    "rounding": "cash rounding",
    "country": "where it is taxed: ISO 3166 code of two letters",
    "region": "state or province",
    "postcode": "postcode",
    "city": "city",
    "refund_of": "the number of the sale that is given back: the row is a refund",
    "location": "store",
    "register": "till",
}
LINE = {
    "line_id": "the row's own number within the transaction",
    "line_type": "item, shipping, fee, tip …",
    "line_sku": "article number",
    "line_name": "article name",
    "line_quantity": "how many",
    "line_unit_price": "price of one, before the discount",
    "line_discount": "discount on the row",
    "line_tax": "tax of the row",
    "tax_rate": "tax rate in percent",
    "tax_name": "name of the tax",
    "restock": "of a refund: return, cancel or none",
}
TENDER = {
    "tender_type": "how it was paid",
    "tender_amount": "how much was paid so",
    "tender_reference": "the processor's number of the payment",
    "tender_processor": "the channel that brings the processor's records",
}
FIELDS = TRANSACTION | LINE | TENDER

# A row with any of these holds a line; with any of those, a payment.
LINE_CELLS = ("line_sku", "line_name", "line_quantity", "line_unit_price", "line_discount", "line_tax")
TENDER_CELLS = ("tender_type", "tender_amount", "tender_reference")

# --- words, in lower case with underscores

# status → (status, payment status)
STATUS = {
    "completed": ("completed", "paid"),
    "complete": ("completed", "paid"),
    "closed": ("completed", "paid"),
    "done": ("completed", "paid"),
    "finished": ("completed", "paid"),
    "fulfilled": ("completed", "paid"),
    "paid": ("open", "paid"),  # paid and not said to be finished
    "open": ("open", "pending"),
    "new": ("open", "pending"),
    "pending": ("open", "pending"),
    "unpaid": ("open", "pending"),
    "on_hold": ("open", "pending"),
    "authorized": ("open", "authorized"),
    "authorised": ("open", "authorized"),
    "partially_paid": ("open", "partially_paid"),
    "partially_refunded": ("completed", "partially_refunded"),
    "refunded": ("completed", "refunded"),
    "cancelled": ("cancelled", "voided"),
    "canceled": ("cancelled", "voided"),
    "void": ("voided", "voided"),
    "voided": ("voided", "voided"),
    "failed": ("open", "failed"),
    "declined": ("open", "failed"),
}

REFUND_STATUS = {
    "completed": "succeeded",
    "complete": "succeeded",
    "closed": "succeeded",
    "done": "succeeded",
    "finished": "succeeded",
    "paid": "succeeded",
    "refunded": "succeeded",
    "partially_refunded": "succeeded",
    "succeeded": "succeeded",
    "success": "succeeded",
    "open": "pending",
    "new": "pending",
    "pending": "pending",
    "failed": "failed",
    "declined": "failed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "void": "cancelled",
    "voided": "cancelled",
}

LINE_TYPE = {
    "item": "item",
    "product": "item",
    "article": "item",
    "goods": "item",
    "service": "item",
    "shipping": "shipping",
    "delivery": "shipping",
    "postage": "shipping",
    "freight": "shipping",
    "fee": "fee",
    "surcharge": "fee",
    "tip": "tip",
    "gratuity": "tip",
    "service_charge": "service_charge",
    "gift_card": "gift_card_sale",
    "gift_card_sale": "gift_card_sale",
    "donation": "donation",
    "deposit": "deposit",
    "duty": "duty",
    "customs": "duty",
}

REFUND_LINE_TYPE = {
    "item": "item",
    "gift_card_sale": "item",
    "donation": "item",
    "deposit": "item",
    "shipping": "shipping",
    "tip": "tip",
    "fee": "fee",
    "service_charge": "fee",
    "duty": "fee",
    "unknown": "unknown",
}

TENDER_TYPE = {
    "card": "card",
    "credit_card": "card",
    "debit_card": "card",
    "visa": "card",
    "mastercard": "card",
    "maestro": "card",
    "amex": "card",
    "american_express": "card",
    "discover": "card",
    "girocard": "card",
    "cash": "cash",
    "gift_card": "gift_card",
    "store_credit": "store_credit",
    "wallet": "wallet",
    "paypal": "wallet",
    "apple_pay": "wallet",
    "google_pay": "wallet",
    "bnpl": "bnpl",
    "klarna": "bnpl",
    "affirm": "bnpl",
    "afterpay": "bnpl",
    "bank": "bank",
    "bank_transfer": "bank",
    "wire": "bank",
    "direct_debit": "bank",
    "sepa": "bank",
    "ach": "bank",
    "cheque": "cheque",
    "check": "cheque",
    "voucher": "voucher",
    "external": "external",
    "other": "external",
    "on_account": "on_account",
    "house_account": "on_account",
    "invoice": "on_account",
}

RESTOCK = {
    "return": "return",
    "returned": "return",
    "restocked": "return",
    "yes": "return",
    "cancel": "cancel",
    "none": "none",
    "no": "none",
}

# the fields whose words a mapping may add to, with the words that it may name
WORDS: dict[str, frozenset[str]] = {
    "status": frozenset(STATUS | REFUND_STATUS),
    "line_type": frozenset(LINE_TYPE),
    "tender_type": frozenset(TENDER_TYPE),
    "restock": frozenset(RESTOCK),
}

# payment status of the sale → (action, status) of its tenders
TENDER_STATE = {
    "paid": ("capture", "captured"),
    "partially_paid": ("capture", "captured"),
    "partially_refunded": ("capture", "captured"),
    "refunded": ("capture", "captured"),
    "pending": ("capture", "pending"),
    "authorized": ("authorize", "authorized"),
    "voided": ("void", "voided"),
    "failed": ("capture", "failed"),
    "unknown": ("unknown", "unknown"),
}
PAID = frozenset({"paid", "partially_refunded", "refunded"})  # the whole total was taken

# lines that an allocated tax or discount lies on: gift cards, donations, deposits and tips bear neither
TAXED = frozenset({"item", "shipping", "fee", "service_charge", "duty"})


def key(word: str) -> str:
    """A word as the tables have it: "Gift card" → "gift_card"."""
    return "_".join(word.casefold().replace("-", " ").replace("_", " ").split())
