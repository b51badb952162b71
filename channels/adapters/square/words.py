"""Square's words as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure."""

ORDER_STATUS = {"OPEN": "open", "COMPLETED": "completed", "CANCELED": "cancelled"}

LINE_TYPE = {None: "item", "ITEM": "item", "CUSTOM_AMOUNT": "item", "GIFT_CARD": "gift_card_sale"}

TAX_INSIDE = {None: False, "ADDITIVE": False, "INCLUSIVE": True}  # type of a tax → whether the price holds it

# what a charge for carrying the goods is called; only on an order that is sent somewhere
SHIPPING_NAMES = frozenset({
    "shipping", "shipping fee", "shipping charge", "shipping & handling", "shipping and handling", "postage", "delivery",
    "delivery fee", "delivery charge",
})  # fmt: skip
SENT = {"SHIPMENT": "shipment_details", "DELIVERY": "delivery_details"}  # fulfillments with an address of the buyer's

# type of an order's tender, or source of a payment, or destination of a refund → tender type
TENDER_TYPE = {
    "CARD": "card",
    "CASH": "cash",
    "THIRD_PARTY_CARD": "card",
    "SQUARE_GIFT_CARD": "gift_card",
    "BANK_ACCOUNT": "bank",
    "WALLET": "wallet",
    "ELECTRONIC_MONEY": "wallet",
    "BUY_NOW_PAY_LATER": "bnpl",
    "SQUARE_ACCOUNT": "on_account",  # a house account: the customer is sent an invoice later
    "EXTERNAL": "external",
    "OTHER": "external",
}

# what the merchant took outside of Square and noted there
EXTERNAL_TYPE = {
    "CHECK": "cheque",
    "BANK_TRANSFER": "bank",
    "OTHER_GIFT_CARD": "gift_card",
    "CRYPTO": "external",
    "SQUARE_CASH": "wallet",
    "SOCIAL": "wallet",
    "EXTERNAL": "external",
    "EMONEY": "wallet",
    "CARD": "card",
    "STORED_BALANCE": "store_credit",
    "FOOD_VOUCHER": "voucher",
    "OTHER": "external",
}

# nothing of these will ever come in a payout
WITHOUT_PROCESSOR = frozenset({"cash", "gift_card", "store_credit", "on_account", "cheque", "voucher", "external"})
OUTSIDE = frozenset({"EXTERNAL", "OTHER", "THIRD_PARTY_CARD"})  # money that somebody else than Square moved

# the state of an order's tender stands in the details of its kind; tenders without such a state are paid
TENDER_DETAILS = ("card_details", "bank_account_details", "buy_now_pay_later_details", "square_account_details")
TENDER_STATUS = {
    None: "captured",
    "AUTHORIZED": "authorized",
    "CAPTURED": "captured",
    "COMPLETED": "captured",
    "PENDING": "pending",
    "VOIDED": "voided",
    "FAILED": "failed",
}
TENDER_ACTION = {"authorized": "authorize", "voided": "void"}

PAYMENT_STATUS = {
    "APPROVED": "authorized",
    "PENDING": "pending",
    "COMPLETED": "captured",
    "CANCELED": "voided",
    "FAILED": "failed",
}

FEE_TYPE = {"INITIAL": "processing", "ADJUSTMENT": "adjustment"}

# of a refund's own object and, in older words, of the refunds that an order lists
REFUND_STATUS = {
    "PENDING": "pending",
    "APPROVED": "succeeded",
    "COMPLETED": "succeeded",
    "REJECTED": "failed",
    "FAILED": "failed",
}
RETURN_STATUS = {"OPEN": "pending", "COMPLETED": "succeeded", "CANCELED": "cancelled"}  # by the return order's state

CARD_BRAND = {"american_express": "amex", "discover_diners": "diners", "china_unionpay": "unionpay"}

PAYOUT_STATUS = {"SENT": "in_transit", "PAID": "paid", "FAILED": "failed"}
PAYOUT_METHOD = {None: "automatic", "BATCH": "automatic", "SIMPLE": "manual"}

PAYOUT_LINE = {
    "CHARGE": "charge",
    "REFUND": "refund",
    "DISPUTE": "dispute",
    "OPEN_DISPUTE": "dispute",
    "FEE": "fee",
    "TAX_ON_FEE": "fee",
    "DEPOSIT_FEE": "fee",
    "DEPOSIT_FEE_REVERSED": "fee",
    "FREE_PROCESSING": "fee",
    "PAID_SERVICE_FEE": "fee",
    "PAID_SERVICE_FEE_REFUND": "fee",
    "PROCESSING_FEE": "fee",
    "PROCESSING_FEE_REFUND": "fee",
    "UNDO_PROCESSING_FEE_REFUND": "fee",
    "SUBSCRIPTION_FEE": "fee",
    "SUBSCRIPTION_FEE_REFUND": "fee",
    "SUBSCRIPTION_FEE_PAID_REFUND": "fee",
    "THIRD_PARTY_FEE": "fee",
    "THIRD_PARTY_FEE_REFUND": "fee",
    "GIFT_CARD_LOAD_FEE": "fee",
    "GIFT_CARD_LOAD_FEE_REFUND": "fee",
    "UNDO_GIFT_CARD_LOAD_FEE_REFUND": "fee",
    "LOCAL_OFFERS_FEE": "fee",
    "HOLD_ADJUSTMENT": "reserve_hold",
    "RESERVE_HOLD": "reserve_hold",
    "RELEASE_ADJUSTMENT": "reserve_release",
    "RESERVE_RELEASE": "reserve_release",
    "ADJUSTMENT": "adjustment",
    "OTHER_ADJUSTMENT": "adjustment",
    "INITIAL_BALANCE_CHANGE": "adjustment",
    "SQUARE_CAPITAL_PAYMENT": "loan_repayment",
    "SQUARE_CAPITAL_REVERSED_PAYMENT": "loan_repayment",
    "CREDIT_CARD_REPAYMENT": "loan_repayment",
    "CREDIT_CARD_REPAYMENT_REVERSED": "loan_repayment",
    "PERCENTAGE_PROCESSING_REPAYMENT": "loan_repayment",
    "PERCENTAGE_PROCESSING_REPAYMENT_REVERSED": "loan_repayment",
    "RETURNED_PAYOUT": "payout_failure",
    "PAYOUT": "other",  # an instant transfer made earlier, which this payout no longer brings
    "OTHER": "other",
    "APP_FEE_REVENUE": "other",
    "APP_FEE_REFUND": "other",
    "AUTOMATIC_SAVINGS": "other",
    "AUTOMATIC_SAVINGS_REVERSED": "other",
    "AUTOMATIC_BITCOIN_CONVERSIONS": "other",
    "AUTOMATIC_BITCOIN_CONVERSIONS_REVERSED": "other",
    "BALANCE_FOLDERS_TRANSFER": "other",
    "BALANCE_FOLDERS_TRANSFER_REVERSED": "other",
    "ESCHEATMENT": "other",
    "GIFT_CARD_POOL_TRANSFER": "other",
    "GIFT_CARD_POOL_TRANSFER_REVERSED": "other",
    "LOCAL_OFFERS_CASHBACK": "other",
    "MONEY_TRANSFER": "other",
    "MONEY_TRANSFER_REVERSAL": "other",
    "PERCENTAGE_PROCESSING_ENROLLMENT": "other",
    "PERCENTAGE_PROCESSING_DEACTIVATION": "other",
    "REDEMPTION_CODE": "other",
    "SQUARE_PAYROLL_TRANSFER": "other",
    "SQUARE_PAYROLL_TRANSFER_REVERSED": "other",
}

# money that comes back where money was taken before
PAYOUT_LINE_BACK = {"dispute": "dispute_reversal", "reserve_hold": "reserve_release"}

DISPUTE_STATE = {
    "EVIDENCE_REQUIRED": "needs_response",
    "PROCESSING": "under_review",
    "WAITING_THIRD_PARTY": "under_review",
    "WON": "won",
    "LOST": "lost",
    "ACCEPTED": "lost",
    "CLOSED": "closed",
}
INQUIRY = "INQUIRY_"  # before the state of a dispute that is only asked about yet
