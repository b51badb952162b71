"""Adyen's words as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure."""

# digits after the decimal separator where Adyen counts otherwise than ISO 4217 does
DIGITS = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}

# eventCode → how its item is read (items.py)
EVENT = {
    "AUTHORISATION": "authorisation",
    "AUTHORISATION_ADJUSTMENT": "adjustment",
    "CAPTURE": "capture",
    "CAPTURE_FAILED": "capture_failed",
    "CANCELLATION": "release",
    "TECHNICAL_CANCEL": "release",
    "EXPIRE": "release",
    "CANCEL_OR_REFUND": "cancel_or_refund",
    "REFUND": "refund",
    "REFUND_WITH_DATA": "refund",
    "POSTPONED_REFUND": "postponed_refund",
    "REFUND_FAILED": "refund_failed",
    "REFUNDED_REVERSED": "refund_failed",
    "REQUEST_FOR_INFORMATION": "dispute",
    "NOTIFICATION_OF_CHARGEBACK": "dispute",
    "CHARGEBACK": "dispute",
    "CHARGEBACK_REVERSED": "dispute",
    "SECOND_CHARGEBACK": "dispute",
    "PREARBITRATION_WON": "dispute",
    "PREARBITRATION_LOST": "dispute",
    "DISPUTE_DEFENSE_PERIOD_ENDED": "dispute",
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": "dispute",
    "INFORMATION_SUPPLIED": "dispute",
}

# eventCode → why it moves nothing here
NOTHING = {
    "REPORT_AVAILABLE": "a report lies ready at Adyen: its rows are read once they are handed in",
    "ORDER_OPENED": "each payment of a split order comes by its own authorisation",
    "ORDER_CLOSED": "each payment of a split order comes by its own authorisation",
    "PENDING": "the payment is not decided yet",
    "AUTHENTICATION": "a check of who pays, which moves no money",
    "AUTORESCUE": "a retry of a refused payment, whose authorisation comes by itself",
    "CANCEL_AUTORESCUE": "a retry of a refused payment was given up",
    "PROCESS_RETRY": "a retry of a refused payment, whose authorisation comes by itself",
    "MANUAL_REVIEW_ACCEPT": "a decision on risk, which moves no money",
    "MANUAL_REVIEW_REJECT": "a decision on risk; the cancellation or refund comes by itself",
    "NOTIFICATION_OF_FRAUD": "a warning, which moves no money",
    "ISSUER_COMMENTS": "comments of the issuer, which move no money",
    "RECURRING_CONTRACT": "payment details were stored",
    "DISABLE_RECURRING": "payment details were removed",
    "RECURRING_DETAILS_DISABLED": "payment details were removed",
    "OFFER_CLOSED": "an offer to pay ran out",
    "HANDLED_EXTERNALLY": "paid outside of Adyen",
    "DONATION": "a gift to a charity, which is not the merchant's money",
    "PAYOUT_EXPIRE": "a payout to a shopper was not made",
    "PAYOUT_DECLINE": "a payout to a shopper was not made",
    "PAYOUT_THIRDPARTY": "a payout to a shopper: it is booked from the settlement report",
    "PAIDOUT_REVERSED": "a payout to a shopper came back: it is booked from the settlement report",
    "VOID_PENDING_REFUND": "a refund that was still waiting was taken back before it was made",
    "ACH_NOTIFICATION_OF_CHANGE": "bank details changed",
}

# the outcome that a code states by itself, whatever stage the dispute is said to be in: money moved, or can move no more
DISPUTE_OUTCOME = {
    "CHARGEBACK_REVERSED": "won",
    "PREARBITRATION_WON": "won",
    "SECOND_CHARGEBACK": "lost",
    "PREARBITRATION_LOST": "lost",
}
DISPUTE_STATUS = {
    "Undefended": "needs_response",
    "Unresponded": "needs_response",
    "Pending": "under_review",
    "Responded": "under_review",
    "Won": "won",
    "Lost": "lost",
    "Accepted": "lost",
    "Expired": "lost",
}
# where an event says no status: it is not told for payments in Brazil
DISPUTE_DEFAULT = {
    "REQUEST_FOR_INFORMATION": "needs_response",
    "NOTIFICATION_OF_CHARGEBACK": "needs_response",
    "CHARGEBACK": "needs_response",
    "INFORMATION_SUPPLIED": "under_review",
    "DISPUTE_DEFENSE_PERIOD_ENDED": "lost",
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": "won",
}

_TYPES = {
    "card": (
        "visa mc amex discover diners jcb cup maestro maestrouk bcmc cartebancaire electron visadankort dankort elo hiper"
        " hipercard interac_card interac eftpos_australia girocard vpay bijcard uatp laser solo argencard cabal naranja"
        " nativa tarjetashopping cencosud codensa troy karenmillen oasis warehouse card scheme"
    ),
    "wallet": (
        "paypal applepay googlepay paywithgoogle samsungpay amazonpay alipay alipay_hk alipay_plus wechatpayQR wechatpaySDK"
        " wechatpayWeb wechatpay wechatpay_pos mobilepay vipps swish twint venmo cashapp clicktopay gcash kakaopay"
        " dana grabpay_SG grabpay_MY grabpay_PH momo_wallet paytm payme paypay touchngo upi_collect upi_qr upi_intent"
        " mbway bizum zip_pay_anytime"
    ),
    "bank": (
        "ideal sepadirectdebit ach directdebit_GB directEbanking sofort trustly trustlyGB giropay eps multibanco blik"
        " dotpay onlineBanking_PL onlineBanking_CZ onlineBanking_SK openbanking_UK paybybank paybybank_plaid pix paynow"
        " promptpay duitnow interac_online bankTransfer_IBAN bankTransfer_NL bankTransfer_DE bankTransfer_BE bankTransfer"
        " molpay_ebanking_fpx_MY molpay_ebanking_TH molpay_ebanking_VN payto eft_directdebit_CA ebanking_FI wero payshap"
    ),
    "bnpl": (
        "klarna klarna_account klarna_paynow klarna_b2b afterpaytouch afterpay_default clearpay affirm affirm_pos atome"
        " ratepay ratepay_directdebit riverty facilypay_3x facilypay_4x facilypay_6x facilypay_10x facilypay_12x zip sezzle"
        " scalapay_3x scalapay_4x alma walley walley_b2b billie pledg"
    ),
    "gift_card": (
        "giftcard svs givex valuelink vvvgiftcard genericgiftcard fashioncheque webshopgiftcard primeracadeaukaart"
        " rituals decadeaukaart gezondheidsbon nationalebioscoopbon edenred mealVoucher_FR_natixis mealVoucher_FR_sodexo"
        " mealVoucher_FR_groupeup blackhawk resursgiftcard illicado auriga babygiftcard bloemengiftcard kadowereld"
    ),
    "voucher": (
        "paysafecard boletobancario boletobancario_santander boleto primeiropay_boleto econtext_seven_eleven econtext_stores"
        " econtext_atm econtext_online oxxo doku_alfamart doku_indomaret molpay_cash cashticket payu_IN_cashcard"
    ),
}
TENDER_TYPE = {method: kind for kind, methods in _TYPES.items() for method in methods.split()}

CARD_BRAND = {"mc": "mastercard", "cup": "unionpay", "bcmc": "bancontact", "card": None, "scheme": None}

# Type of a row of the settlement report → what it is; the payout's own row is left out
ROW = {
    "Settled": "charge",
    "SettledReversed": "adjustment",
    "Refunded": "refund",
    "RefundedReversed": "refund_failure",
    "Chargeback": "dispute",
    "SecondChargeback": "dispute",
    "ChargebackReversed": "dispute_reversal",
    "Fee": "fee",
    "PaymentCost": "fee",
    "InvoiceDeduction": "fee",
    "DepositCorrection": "reserve_hold",
    "ReserveAdjustment": "reserve_hold",
    "ManualCorrected": "adjustment",
    "MatchedStatement": "adjustment",
    "BankInstructionReturned": "payout_failure",
    "Balancetransfer": "other",
    "InternalCompanyPayout": "other",
    "PaidOut": "other",
    "PaidOutReversed": "other",
    "BulkSettlement": "other",
}
PAYOUT_ROW = "MerchantPayout"

# status of a transfer from a balance account to a bank → status of the payout
TRANSFER_STATUS = {
    "received": "pending",
    "pendingApproval": "pending",
    "pendingExecution": "pending",
    "authorised": "in_transit",
    "bookingPending": "in_transit",
    "booked": "paid",
    "tracked": "paid",
    "credited": "paid",
    "refused": "failed",
    "error": "failed",
    "failed": "failed",
    "rejected": "failed",
    "cancelled": "cancelled",
    "expired": "cancelled",
    "returned": "returned",
}

# time zones as the report abbreviates them: hours ahead of UTC
ZONE = {
    "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "BRT": -3, "AST": -4, "EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8,
    "SGT": 8, "HKT": 8, "AWST": 8, "JST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
