"""Stripe's words as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure."""

# Stripe's smallest unit has the digits of ISO 4217, but for these: króna and Ugandan shilling lost their cents and are sent
# with two digits that must be 00; the ariary has fifths in ISO 4217 and is sent whole. (HUF and TWD have two digits in every
# amount; that payouts in them are whole only means that those end in 00.)
DIGITS = {"ISK": 2, "UGX": 2, "MGA": 0}

# `metadata` is the merchant's own: under these keys shops and plugins pass the order, an id before a display number
ORDER_KEYS = (
    "order_id", "orderId", "order_reference", "merchant_order_id", "merchant_reference", "order", "order_number",
)  # fmt: skip

CHARGE_STATUS = {"succeeded": "captured", "pending": "pending", "failed": "failed"}

# payment_method_details.type and, of a refund, destination_details.type
TENDER_TYPE = {
    **dict.fromkeys(("card", "card_present", "interac_present", "kr_card"), "card"),
    **dict.fromkeys(
        (
            "alipay", "amazon_pay", "bizum", "cashapp", "crypto", "gopay", "grabpay", "kakao_pay", "link", "mb_way",
            "mobilepay", "naver_pay", "payco", "paypal", "paypay", "revolut", "revolut_pay", "samsung_pay", "satispay",
            "shopeepay", "swish", "twint", "vipps", "wechat", "wechat_pay",
        ),
        "wallet",
    ),
    **dict.fromkeys(
        ("affirm", "afterpay_clearpay", "alma", "billie", "klarna", "scalapay", "sunbit", "zip"), "bnpl",
    ),
    **dict.fromkeys(
        (
            "ach_credit_transfer", "ach_debit", "acss_debit", "au_bank_transfer", "au_becs_debit", "bacs_debit",
            "bancontact", "bank_account", "blik", "br_bank_transfer", "customer_balance", "customer_cash_balance", "eps",
            "eu_bank_transfer", "fpx", "gb_bank_transfer", "giropay", "ideal", "jp_bank_transfer", "multibanco",
            "mx_bank_transfer", "nz_bank_account", "nz_bank_transfer", "p24", "pay_by_bank", "paynow", "payto", "pix",
            "promptpay", "sepa_credit_transfer", "sepa_debit", "sofort", "stripe_account", "th_bank_transfer", "upi",
            "us_bank_account", "us_bank_transfer",
        ),
        "bank",
    ),
    **dict.fromkeys(("boleto", "konbini", "oxxo"), "voucher"),
}  # fmt: skip

CARD_BRAND = {"american express": "amex", "diners club": "diners"}  # as charges of before 2019 spell them

# fee_details.type → the kind of a fee; another word stays as Stripe spells it
FEE_TYPE = {
    "stripe_fee": "processing",
    "application_fee": "application",
    "payment_method_passthrough_fee": "passthrough",
}

REFUND_STATUS = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
}

PAYOUT_STATUS = {
    "pending": "pending",
    "in_transit": "in_transit",
    "paid": "paid",
    "failed": "failed",
    "canceled": "cancelled",
}

DISPUTE_STATE = {
    "needs_response": "needs_response",
    "under_review": "under_review",
    "won": "won",
    "lost": "lost",
    "charge_refunded": "lost",  # as older API versions say it
    "prevented": "closed",  # settled with the issuer before it became a chargeback
}
INQUIRY_STATE = {
    "warning_needs_response": "needs_response",
    "warning_under_review": "under_review",
    "warning_closed": "closed",
}

# reporting_category of a balance transaction, which Stripe keeps for accounting
CATEGORY = {
    "charge": "charge",
    "charge_failure": "charge",  # takes back a charge that had been counted already
    "partial_capture_reversal": "charge",  # takes back what was authorized and not captured
    "refund": "refund",
    "refund_failure": "refund_failure",
    "dispute": "dispute",
    "dispute_reversal": "dispute_reversal",
    "fee": "fee",
    "network_cost": "fee",
    "tax": "fee",  # on Stripe's own fees
    "connect_reserved_funds": "reserve",
    "risk_reserved_funds": "reserve",
    "other_adjustment": "adjustment",
    "advance": "other",
    "advance_funding": "other",
    "anticipation_repayment": "loan_repayment",
    "financing_paydown": "loan_repayment",
    "financing_paydown_reversal": "loan_repayment",
    "financing_payout": "other",
    "financing_payout_reversal": "other",
    "payout": "other",  # another payout's: its own is left out
    "payout_reversal": "payout_failure",
    **dict.fromkeys(
        (
            "climate_order_purchase", "climate_order_refund", "connect_collection_transfer", "contribution",
            "issuing_authorization_hold", "issuing_authorization_release", "issuing_dispute", "issuing_transaction",
            "platform_earning", "platform_earning_refund", "topup", "topup_reversal", "transfer", "transfer_reversal",
            "unreconciled_customer_funds",
        ),
        "other",
    ),
}  # fmt: skip

# type of a balance transaction, where the category is missing: API versions before 2019-12 have none
TYPE = {
    "charge": "charge",
    "payment": "charge",
    "payment_failure_refund": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "payment_reversal": "refund",
    "adjustment": "adjustment",
    "stripe_fee": "fee",
    "stripe_fx_fee": "fee",
    "tax_fee": "fee",
    "application_fee": "other",
    "application_fee_refund": "other",
    "anticipation_repayment": "loan_repayment",
    "payout_cancel": "payout_failure",
    "payout_failure": "payout_failure",
    "payout": "other",
    **dict.fromkeys(
        (
            "payment_network_reserve_hold", "payment_network_reserve_release", "payout_minimum_balance_hold",
            "payout_minimum_balance_release", "reserve_hold", "reserve_release", "reserve_transaction", "reserved_funds",
        ),
        "reserve",
    ),
    **dict.fromkeys(
        (
            "advance", "advance_funding", "climate_order_purchase", "climate_order_refund", "connect_collection_transfer",
            "contribution", "fee_credit_funding", "inbound_transfer", "inbound_transfer_reversal",
            "issuing_authorization_hold", "issuing_authorization_release", "issuing_dispute", "issuing_transaction",
            "obligation_outbound", "obligation_reversal_inbound", "payment_unreconciled", "stripe_balance_payment_debit",
            "stripe_balance_payment_debit_reversal", "tax_fund", "topup", "topup_reversal", "transfer", "transfer_cancel",
            "transfer_failure", "transfer_refund",
        ),
        "other",
    ),
}  # fmt: skip

# How far an object has come: two states that Stripe gives one time are ordered by it.
CHARGE_RANK = {"pending": 0, "authorized": 1, "captured": 2, "failed": 3, "voided": 3, "unknown": 4}
REFUND_RANK = {"pending": 0, "succeeded": 1, "failed": 2, "cancelled": 2, "unknown": 3}
PAYOUT_RANK = {"pending": 0, "in_transit": 1, "paid": 2, "failed": 3, "cancelled": 3, "unknown": 4}
DISPUTE_RANK = {"needs_response": 0, "under_review": 1, "won": 2, "lost": 2, "closed": 2, "unknown": 3}
