"""BigCommerce's words as ours. Tables only; a word that is not here becomes "unknown", never a default. Pure."""

from decimal import Decimal

INCOMPLETE = 0  # the buyer reached the payment page and never came back: nothing was ordered

# status_id → what the order is; BY_SHIPMENT: the word of a refund or dispute hides whether the goods have left
BY_SHIPMENT = "by shipment"
STATUS = {
    1: "open",  # Pending
    2: "completed",  # Shipped
    3: "open",  # Partially Shipped
    4: BY_SHIPMENT,  # Refunded
    5: "cancelled",  # Cancelled
    6: "cancelled",  # Declined
    7: "open",  # Awaiting Payment
    8: "open",  # Awaiting Pickup
    9: "open",  # Awaiting Shipment
    10: "completed",  # Completed
    11: "open",  # Awaiting Fulfillment
    12: "open",  # Manual Verification Required
    13: BY_SHIPMENT,  # Disputed
    14: BY_SHIPMENT,  # Partially Refunded
}

PAYMENT_STATUS = {
    "authorized": "authorized",
    "captured": "paid",
    "capture pending": "authorized",
    "declined": "failed",
    "held for review": "pending",
    "paid": "paid",
    "partially refunded": "partially_refunded",
    "pending": "pending",
    "refunded": "refunded",
    "void": "voided",
    "void pending": "authorized",
}

# Payments that BigCommerce does not process have no payment_status; the merchant moves the order on once they are there
OFFLINE_STATUS = {
    1: "pending", 2: "paid", 3: "paid", 4: "refunded", 5: "pending", 6: "failed", 7: "pending", 8: "paid", 9: "paid",
    10: "paid", 11: "paid", 12: "pending", 13: "paid", 14: "partially_refunded",
}  # fmt: skip

# payment_status of the sale → state of a tender that no transaction tells of
TENDER_STATE = {
    "paid": "captured",
    "partially_refunded": "captured",
    "refunded": "captured",
    "authorized": "authorized",
    "voided": "voided",
    "failed": "failed",
}

# event of a transaction → (action, state where it went well); `refund` rows are no payments
EVENT = {
    "purchase": ("capture", "captured"),
    "capture": ("capture", "captured"),
    "settled": ("capture", "settled"),
    "authorization": ("authorize", "authorized"),
    "void": ("void", "voided"),
    "pending": ("capture", "pending"),
}

# gateway or provider (lower case) decides before the method: PayPal is a wallet whatever stood behind it
GATEWAY_TYPE = {
    "storecredit": "store_credit",
    "giftcertificate": "gift_card",
    "bankdeposit": "bank",
    "cheque": "cheque",
    "moneyorder": "cheque",
    "cod": "cash",
    "instore": "external",
    "custom": "external",
    "klarna": "bnpl",
    "affirm": "bnpl",
    "afterpay": "bnpl",
    "zip": "bnpl",
    "amazon": "wallet",
    "amazonpay": "wallet",
    "paypalexpress": "wallet",
    "checkout_paypalexpress": "wallet",
    "paypalcommerce": "wallet",
    "2checkout": "card",
    "adyen": "card",
    "adyenv3": "card",
    "authorizenet": "card",
    "bigcommerce_payments": "card",
    "braintree": "card",
    "checkoutcom": "card",
    "cybersourcev2": "card",
    "firstdatagge4": "card",
    "hps": "card",
    "migs": "card",
    "nmi": "card",
    "paypalpaymentsprous": "card",
    "paypalpaymentsprouk": "card",
    "plugnpay": "card",
    "qbmsv2": "card",
    "securenet": "card",
    "square": "card",
    "squarev2": "card",
    "stripe": "card",
    "stripev3": "card",
    "stripeupe": "card",
    "testgateway": "card",
    "bigpaypay": "card",
    "usaepay": "card",
    "worldpayaccess": "card",
}
METHOD_TYPE = {
    "credit_card": "card",
    "bigpay_token": "card",
    "token": "card",
    "nonce": "card",
    "apple_pay_card": "wallet",
    "apple_pay_token": "wallet",
    "electronic_wallet": "wallet",
    "gift_certificate": "gift_card",
    "store_credit": "store_credit",
    "custom": "external",
    "offline": "external",
    "offsite": "external",
}
# payment_method of an order (lower case), as the control panel and the usual English shops call it
NAMED_TYPE = {
    "credit card": "card",
    "manual credit card": "card",
    "test payment gateway": "card",
    "cash": "cash",
    "cash on delivery": "cash",
    "bank deposit": "bank",
    "bank transfer": "bank",
    "check": "cheque",
    "cheque": "cheque",
    "money order": "cheque",
    "pay in store": "external",
    "manual": "external",
    "manual payment": "external",
    "custom": "external",
    "gift certificate": "gift_card",
    "store credit": "store_credit",
    "paypal": "wallet",
    "paypal express checkout": "wallet",
    "amazon pay": "wallet",
    "klarna": "bnpl",
    "afterpay": "bnpl",
    "affirm": "bnpl",
}
OFFLINE_METHODS = frozenset({"custom", "offline"})  # a merchant's own hand moves these on, not a gateway
WITHOUT_PROCESSOR = frozenset({"cash", "gift_card", "store_credit", "bank", "cheque", "external", "unknown"})
CARD_BRAND = {"american_express": "amex", "diners_club": "diners", "master": "mastercard"}

LINE_TYPE = {"physical": "item", "digital": "item", "giftcertificate": "gift_card_sale"}
SHIPPING_COUPONS = frozenset({3, 4})  # shipping_discount, free_shipping

# line_item_type of a detailed tax row → the lines it belongs to
TAXED = {"item": "product", "shipping": "shipping", "handling": "handling", "gift-wrapping": "wrapping", "fee": "fee"}

# item_type of a refund → (type of our line, prefix of the id of the sale's line); None: the item is no line of the sale
REFUND_ITEM: dict[str, tuple[str, str | None]] = {
    "PRODUCT": ("item", ""),
    "GIFT_WRAPPING": ("fee", "wrapping"),
    "SHIPPING": ("shipping", "shipping"),
    "HANDLING": ("fee", "handling"),
    "FEE": ("fee", "fee"),
    "ORDER": ("adjustment", None),
    "TAX": ("adjustment", None),
}

# where a state is written out and the postal code for it is certain
REGIONS = {
    "US": "Alabama AL|Alaska AK|Arizona AZ|Arkansas AR|California CA|Colorado CO|Connecticut CT|Delaware DE"
    "|District of Columbia DC|Florida FL|Georgia GA|Hawaii HI|Idaho ID|Illinois IL|Indiana IN|Iowa IA|Kansas KS|Kentucky KY"
    "|Louisiana LA|Maine ME|Maryland MD|Massachusetts MA|Michigan MI|Minnesota MN|Mississippi MS|Missouri MO|Montana MT"
    "|Nebraska NE|Nevada NV|New Hampshire NH|New Jersey NJ|New Mexico NM|New York NY|North Carolina NC|North Dakota ND|Ohio OH"
    "|Oklahoma OK|Oregon OR|Pennsylvania PA|Puerto Rico PR|Rhode Island RI|South Carolina SC|South Dakota SD|Tennessee TN"
    "|Texas TX|Utah UT|Vermont VT|Virginia VA|Washington WA|West Virginia WV|Wisconsin WI|Wyoming WY",
    "CA": "Alberta AB|British Columbia BC|Manitoba MB|New Brunswick NB|Newfoundland and Labrador NL|Northwest Territories NT"
    "|Nova Scotia NS|Nunavut NU|Ontario ON|Prince Edward Island PE|Quebec QC|Saskatchewan SK|Yukon YT",
    "AU": "Australian Capital Territory ACT|New South Wales NSW|Northern Territory NT|Queensland QLD|South Australia SA"
    "|Tasmania TAS|Victoria VIC|Western Australia WA",
}  # fmt: skip
REGION_CODE = {
    (country, name.rsplit(" ", 1)[0].casefold()): name.rsplit(" ", 1)[1]
    for country, names in REGIONS.items()
    for name in names.split("|")
}

ONE_COUNTRY_TAXES = frozenset({"vat", "gst", "mwst", "ust", "tva", "iva", "moms", "btw"})


def percent(rate: Decimal) -> str | None:
    """A percentage in text ("8.0000" → "8.0"); None for a number that no rate has."""
    if not rate.is_finite() or abs(rate) >= 10**6:
        return None
    text = format(round(rate, 10).normalize(), "f")
    return text if "." in text else text + ".0"
