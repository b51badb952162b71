"""WooCommerce's words, and its plugins', as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure."""

# An order's own status; shops and plugins add more, which a person has to explain first.
STATUS = {
    "pending": "open",
    "on-hold": "open",
    "processing": "open",
    "failed": "open",  # the buyer may try again on the same order
    "completed": "completed",
    "refunded": "completed",
    "cancelled": "cancelled",
    "trash": "cancelled",  # the merchant took the order out of the shop
}

# Of an order that is not paid (`date_paid_gmt` is null): what its status says of the payment.
UNPAID = {
    "pending": "pending",
    "on-hold": "pending",
    "processing": "pending",  # cash on delivery is packed before it is paid
    "completed": "pending",
    "refunded": "refunded",
    "cancelled": "voided",
    "trash": "voided",
}

# A basket that the checkout has saved, and an order that an administrator is still typing.
NOT_YET_ORDERS = frozenset({"checkout-draft", "auto-draft", "draft"})

# payment_method (lower case) → tender type; the ids are those of the gateways' plugins
TENDER_TYPE = {
    "": "external",  # marked as paid by hand, no method chosen
    "other": "external",
    "manual": "external",
    "bacs": "bank",
    "cheque": "cheque",
    "cod": "cash",
    "pos_cash": "cash",
    "pos_card": "card",
    "stripe": "card",
    "stripe_cc": "card",
    "stripe_link": "wallet",
    "stripe_applepay": "wallet",
    "stripe_googlepay": "wallet",
    "stripe_alipay": "wallet",
    "stripe_wechat_pay": "wallet",
    "stripe_cashapp": "wallet",
    "stripe_amazon_pay": "wallet",
    "stripe_klarna": "bnpl",
    "stripe_affirm": "bnpl",
    "stripe_afterpay": "bnpl",
    "stripe_afterpay_clearpay": "bnpl",
    "stripe_sepa": "bank",
    "stripe_sepa_debit": "bank",
    "stripe_bacs_debit": "bank",
    "stripe_us_bank_account": "bank",
    "stripe_ach": "bank",
    "stripe_acss_debit": "bank",
    "stripe_becs_debit": "bank",
    "stripe_ideal": "bank",
    "stripe_bancontact": "bank",
    "stripe_eps": "bank",
    "stripe_giropay": "bank",
    "stripe_sofort": "bank",
    "stripe_p24": "bank",
    "stripe_blik": "bank",
    "stripe_multibanco": "bank",
    "stripe_boleto": "voucher",
    "stripe_oxxo": "voucher",
    "woocommerce_payments": "card",
    "woocommerce_payments_apple_pay": "wallet",
    "woocommerce_payments_google_pay": "wallet",
    "woocommerce_payments_link": "wallet",
    "woocommerce_payments_alipay": "wallet",
    "woocommerce_payments_wechat_pay": "wallet",
    "woocommerce_payments_klarna": "bnpl",
    "woocommerce_payments_affirm": "bnpl",
    "woocommerce_payments_afterpay_clearpay": "bnpl",
    "woocommerce_payments_ideal": "bank",
    "woocommerce_payments_bancontact": "bank",
    "woocommerce_payments_eps": "bank",
    "woocommerce_payments_p24": "bank",
    "woocommerce_payments_sepa_debit": "bank",
    "woocommerce_payments_au_becs_debit": "bank",
    "woocommerce_payments_multibanco": "bank",
    "paypal": "wallet",
    "ppec_paypal": "wallet",
    "paypal_express": "wallet",
    "paypal_pro": "card",
    "paypal_pro_payflow": "card",
    "ppcp-gateway": "wallet",
    "ppcp-applepay": "wallet",
    "ppcp-googlepay": "wallet",
    "ppcp-credit-card-gateway": "card",
    "ppcp-card-button-gateway": "card",
    "ppcp-axo-gateway": "card",
    "ppcp-ideal": "bank",
    "ppcp-bancontact": "bank",
    "ppcp-eps": "bank",
    "ppcp-p24": "bank",
    "ppcp-blik": "bank",
    "ppcp-mybank": "bank",
    "ppcp-trustly": "bank",
    "ppcp-multibanco": "bank",
    "ppcp-pay-upon-invoice-gateway": "bnpl",
    "square_credit_card": "card",
    "square_cash_app_pay": "wallet",
    "gift_cards_pay": "gift_card",
    "braintree_credit_card": "card",
    "braintree_cc": "card",
    "braintree_paypal": "wallet",
    "authorize_net_cim_credit_card": "card",
    "authorize_net_cim_echeck": "bank",
    "authorize_net_aim": "card",
    "amazon_payments_advanced": "wallet",
    "kco": "bnpl",
    "klarna_payments": "bnpl",
    "afterpay": "bnpl",
    "clearpay": "bnpl",
    "affirm": "bnpl",
    "sezzlepay": "bnpl",
    "zipmoney": "bnpl",
    "mollie_wc_gateway_creditcard": "card",
    "mollie_wc_gateway_applepay": "wallet",
    "mollie_wc_gateway_paypal": "wallet",
    "mollie_wc_gateway_klarna": "bnpl",
    "mollie_wc_gateway_klarnapaylater": "bnpl",
    "mollie_wc_gateway_in3": "bnpl",
    "mollie_wc_gateway_riverty": "bnpl",
    "mollie_wc_gateway_ideal": "bank",
    "mollie_wc_gateway_bancontact": "bank",
    "mollie_wc_gateway_banktransfer": "bank",
    "mollie_wc_gateway_directdebit": "bank",
    "mollie_wc_gateway_eps": "bank",
    "mollie_wc_gateway_przelewy24": "bank",
    "mollie_wc_gateway_belfius": "bank",
    "mollie_wc_gateway_kbc": "bank",
    "mollie_wc_gateway_giftcard": "gift_card",
    "razorpay": "card",
    "payfast": "card",
    "eway": "card",
    "worldpay": "card",
    "sagepaydirect": "card",
    "opayo": "card",
    "cybersource": "card",
    "adyen": "card",
    "checkout_com": "card",
    "wc_checkout_com_cards": "card",
    "accountfunds": "store_credit",
    "wallet": "store_credit",
    "wc_invoice": "on_account",
    "invoice": "on_account",
    "igfw_invoice_gateway": "on_account",
    "woocommerce_gateway_purchase_order": "on_account",
    "woocommerce-gateway-purchase-order": "on_account",
}

# The start of a payment_method → whose records complete the payment; any other gateway settles under its own id.
PROCESSOR = {
    "stripe": "stripe",
    "woocommerce_payments": "woocommerce_payments",
    "ppcp-": "paypal",
    "ppec_paypal": "paypal",
    "paypal": "paypal",
    "square_": "square",
    "mollie_wc_gateway_": "mollie",
    "braintree_": "braintree",
    "authorize_net_": "authorize_net",
}

# Methods behind which no processor stands: nothing of them will ever come in a payout.
BY_HAND = frozenset({
    "", "other", "manual", "bacs", "cheque", "cod", "pos_cash", "pos_card", "accountfunds", "wallet", "gift_cards_pay",
    "wc_invoice", "invoice", "igfw_invoice_gateway", "woocommerce_gateway_purchase_order",
    "woocommerce-gateway-purchase-order",
})  # fmt: skip

# The gateway's own fee in an order's meta → the meta that tells its currency.
FEE_META = {"_stripe_fee": "_stripe_currency", "_wcpay_transaction_fee": "_wcpay_intent_currency"}

# What a refund's meta calls the gateway's own refund.
REFUND_REFERENCE = ("_wcpay_refund_id", "_stripe_refund_id")

# Gateways that note their sandbox on the order: meta and the words it says then.
TEST_META = {"_wcpay_mode": frozenset({"test", "dev"}), "_ppcp_paypal_payment_mode": frozenset({"sandbox"})}

CARD_BRAND_META, CARD_LAST4_META = "_card_brand", "last4"  # WooPayments

# Meta of a line that only a sold gift card has (Gift Cards, PW Gift Cards).
GIFT_CARD_SOLD = frozenset({"wc_gc_giftcard_amount", "pw_gift_card_amount"})

REFUNDED_LINE_META = "_refunded_item_id"
RESTOCKED_META = "_restock_refunded_items"
EXEMPT_META = "is_vat_exempt"

# Shipping methods by which the buyer comes to the store: WooCommerce taxes these where the store is.
PICKUP = frozenset({"local_pickup", "legacy_local_pickup", "pickup_location", "local_pickup_plus"})

# Values of the meta that is read, besides the bare presence of GIFT_CARD_SOLD.
META_READ = frozenset({
    *FEE_META, *FEE_META.values(), *REFUND_REFERENCE, *TEST_META, CARD_BRAND_META, REFUNDED_LINE_META, RESTOCKED_META,
    EXEMPT_META,
})  # fmt: skip
