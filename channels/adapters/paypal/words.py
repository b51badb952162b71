"""PayPal's words as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure.

The old API (v1) says `state` in small letters where the present one (v2) says `status` in capitals: both are looked up in capitals.
"""

# a capture, or a sale of the old API; money that went back later does not undo that it was taken
CAPTURE_STATUS = {
    "COMPLETED": "captured",
    "PARTIALLY_REFUNDED": "captured",
    "REFUNDED": "captured",
    "PENDING": "pending",
    "DECLINED": "failed",
    "DENIED": "failed",
    "FAILED": "failed",
}

AUTHORIZATION_STATUS = {
    "CREATED": "authorized",
    "AUTHORIZED": "authorized",
    "PENDING": "pending",
    "DENIED": "failed",
    "VOIDED": "voided",
    "EXPIRED": "voided",
}
# no capture and no refund is ever in one of these states
AUTHORIZATION_ONLY = frozenset({"CREATED", "CAPTURED", "PARTIALLY_CAPTURED", "VOIDED"})
# from here on its captures are the payments, each under an id of its own
AUTHORIZATION_TAKEN = frozenset({"CAPTURED", "PARTIALLY_CAPTURED"})

REFUND_STATUS = {"COMPLETED": "succeeded", "PENDING": "pending", "FAILED": "failed", "CANCELLED": "cancelled"}

# how an order was paid (`payment_source`) → tender type
PAYMENT_SOURCE = {
    "paypal": "wallet",
    "venmo": "wallet",
    "apple_pay": "wallet",
    "google_pay": "wallet",
    "satispay": "wallet",
    "card": "card",
    "pay_upon_invoice": "bnpl",
    "bancontact": "bank",
    "blik": "bank",
    "boletobancario": "bank",
    "eps": "bank",
    "giropay": "bank",
    "ideal": "bank",
    "multibanco": "bank",
    "mybank": "bank",
    "p24": "bank",
    "sofort": "bank",
    "trustly": "bank",
}

# the same in Transaction Search (`instrument_type`)
INSTRUMENT = {
    "PAYPAL": "wallet",
    "VENMO": "wallet",
    "APPLE_PAY": "wallet",
    "GOOGLE_PAY": "wallet",
    "CREDIT_CARD": "card",
    "CREDITCARD": "card",
    "DEBIT_CARD": "card",
    "DEBITCARD": "card",
    "BANK": "bank",
    "PAY_UPON_INVOICE": "bnpl",
    "PAY_LATER": "bnpl",
} | {name.upper(): kind for name, kind in PAYMENT_SOURCE.items() if kind == "bank"}

DISPUTE_KIND = {
    "INQUIRY": "inquiry",
    "CHARGEBACK": "chargeback",
    "PRE_ARBITRATION": "chargeback",
    "ARBITRATION": "chargeback",
}
DISPUTE_STATE = {
    "OPEN": "needs_response",
    "WAITING_FOR_SELLER_RESPONSE": "needs_response",
    "WAITING_FOR_BUYER_RESPONSE": "under_review",
    "UNDER_REVIEW": "under_review",
}
# of a dispute that is RESOLVED the outcome says for whom
DISPUTE_OUTCOME = {
    "RESOLVED_BUYER_FAVOUR": "lost",
    "RESOLVED_SELLER_FAVOUR": "won",
    "RESOLVED_WITH_PAYOUT": "won",  # PayPal paid out of its own pocket: the merchant keeps the money
    "CANCELED_BY_BUYER": "closed",
    "ACCEPTED": "lost",
    "DENIED": "won",
    "NONE": "closed",  # another dispute on the same payment took its place
}
DISPUTE_FEES = frozenset({"DISPUTE_FEE", "CHARGEBACK_FEE"})  # reasons of a money movement

# letter of a row of Transaction Search → status, by what the row is; V: it worked, and was undone by a row of its own
ROW_PAYMENT = {"S": "captured", "V": "captured", "P": "pending", "D": "failed"}
ROW_REFUND = {"S": "succeeded", "P": "pending", "D": "failed", "V": "cancelled"}
ROW_PAYOUT = {"S": "paid", "P": "pending", "D": "failed", "V": "returned"}

# transaction event codes (T-codes)
PAYMENTS = "T00"  # from one PayPal account to another: positive where the merchant was paid
BANK = ("T03", "T04")  # from and to the merchant's bank: payouts, and what PayPal took from the bank
SWEEP = "T0401"  # the balance goes to the bank by itself
REFUND_CODES = {"T1107": None, "T1106": "reversal"}  # → the refund's reason
# what moves nothing to or from a buyer or the bank: fees, conversions, holds, adjustments, authorizations, chargebacks (the
# disputes tell of them), … A group that is not here is new and is refused.
OTHER_GROUPS = frozenset(
    "T01 T02 T05 T06 T07 T08 T09 T10 T11 T12 T13 T14 T15 T16 T17 T18 T19 T20 T21 T22 T30 T50 T97 T98 T99".split()
)

# events whose resource is read for what it is; all others move nothing here
READ_EVENTS = (
    "PAYMENT.CAPTURE.",
    "PAYMENT.SALE.",
    "PAYMENT.AUTHORIZATION.",
    "PAYMENT.REFUND.",
    "CUSTOMER.DISPUTE.",
    "CHECKOUT.ORDER.",
)
# of these it is known why they move nothing
NOTHING_MOVED = {
    "CHECKOUT.ORDER.APPROVED": "the buyer approved the order, and nothing has been paid yet: its captures will tell",
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED": "the approval ran out before anything was captured: no money moved",
}

TOPICS = frozenset({
    "CHECKOUT.ORDER.COMPLETED", "CUSTOMER.DISPUTE.CREATED", "CUSTOMER.DISPUTE.RESOLVED", "CUSTOMER.DISPUTE.UPDATED",
    "PAYMENT.AUTHORIZATION.CREATED", "PAYMENT.AUTHORIZATION.VOIDED", "PAYMENT.CAPTURE.COMPLETED",
    "PAYMENT.CAPTURE.DECLINED", "PAYMENT.CAPTURE.DENIED", "PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.REFUNDED",
    "PAYMENT.CAPTURE.REVERSED", "PAYMENT.SALE.COMPLETED", "PAYMENT.SALE.DENIED", "PAYMENT.SALE.PENDING",
    "PAYMENT.SALE.REFUNDED", "PAYMENT.SALE.REVERSED",
})  # fmt: skip

# what an object is: by the path of its own address, by a field that only its kind has, by the event's word for it
KIND_OF_PATH = {
    "checkout/orders": "order",
    "customer/disputes": "dispute",
    "payments/authorization": "authorization",
    "payments/authorizations": "authorization",
    "payments/capture": "capture",
    "payments/captures": "capture",
    "payments/refund": "refund",
    "payments/refunds": "refund",
    "payments/sale": "capture",
}
KIND_OF_FIELD = {
    "seller_payable_breakdown": "refund",
    "refund_to_payer": "refund",
    "sale_id": "refund",
    "capture_id": "refund",
    "seller_receivable_breakdown": "capture",
    "final_capture": "capture",
    "is_final_capture": "capture",
    "transaction_fee": "capture",
    "expiration_time": "authorization",
    "valid_until": "authorization",
    "seller_protection": "capture",  # authorizations have it too, but they end, which the two before tell
    "disbursement_mode": "capture",
    "note_to_payer": "refund",
}
KIND_OF_RESOURCE = {
    "authorization": "authorization",
    "capture": "capture",
    "refund": "refund",
    "sale": "capture",
    "dispute": "dispute",
    "checkout-order": "order",
}
