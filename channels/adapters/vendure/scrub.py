"""What is kept of a Vendure payload: an allow-list by key. Pure.

Names, e-mails, telephones, streets, notes, history and what a payment handler stored go; of the customer stays a hash.
"""

from typing import Any

from channels.adapter import customer_ref
from channels.adapters.vendure.words import REFERENCED, method_type
from channels.reading import word
from channels.scrubbing import a_list, an_object, scalar, text, words


def _customer_id(value: Any) -> Any:
    if (type(value) is int and 0 <= value < 10**30) or (type(value) is str and 0 < len(value) <= 255 and value.strip()):
        return customer_ref(value)
    return scalar(value) if type(value) is not str else value[:1] and " "  # what is no id is refused as before


_ADDRESS = an_object(words("countryCode province postalCode city"))
_DISCOUNTS = a_list(an_object(words("adjustmentSource type amount amountWithTax") | words("description", text)))
_TAXES = a_list(an_object(words("taxRate") | words("description", text)))
_LINE = an_object(
    words(
        "id quantity orderPlacedQuantity unitPrice unitPriceWithTax linePrice linePriceWithTax proratedLinePrice"
        " proratedLinePriceWithTax taxRate"
    )
    | {
        "taxLines": _TAXES,
        "discounts": _DISCOUNTS,
        "productVariant": an_object(words("id sku") | words("name", text)),
    }
)
_SHIPPING = an_object(
    words("id price priceWithTax discountedPrice discountedPriceWithTax")
    | {"discounts": _DISCOUNTS, "shippingMethod": an_object(words("id code") | words("name", text))}
)
_SURCHARGE = an_object(words("id sku price priceWithTax taxRate") | words("description", text) | {"taxLines": _TAXES})
_REFUND = an_object(
    words("id createdAt updatedAt items shipping adjustment total method state transactionId paymentId")
    | words("reason", text)
    | {"lines": a_list(an_object(words("orderLineId quantity")))}
)
_PAYMENT = an_object(words("id createdAt updatedAt method amount state transactionId") | {"refunds": a_list(_REFUND)})


def _payment(value: Any) -> Any:
    """The transaction's id stays where it is a processor's: of a gift card it may be the code."""
    kept = _PAYMENT(value)
    if type(value) is not dict or method_type(word(value.get("method")))[0] in REFERENCED:
        return kept
    kept.pop("transactionId", None)
    refunds = kept.get("refunds")
    for back in refunds if type(refunds) is list else []:
        if type(back) is dict:
            back.pop("transactionId", None)
    return kept


_SUMMARY = a_list(an_object(words("taxRate taxBase taxTotal") | words("description", text)))
_ORDER_KEYS = words(
    "id code state active type orderPlacedAt createdAt updatedAt currencyCode subTotal subTotalWithTax shipping"
    " shippingWithTax total totalWithTax pricesIncludeTax aggregateOrderId"
) | {
    "couponCodes": a_list(scalar),
    "taxSummary": _SUMMARY,
    "lines": a_list(_LINE),
    "shippingLines": a_list(_SHIPPING),
    "surcharges": a_list(_SURCHARGE),
    "discounts": _DISCOUNTS,
    "payments": a_list(_payment),
    "shippingAddress": _ADDRESS,
    "billingAddress": _ADDRESS,
    "customer": an_object({"id": _customer_id}),
    "channels": a_list(an_object(words("id code pricesIncludeTax"))),
}
_ORDER = an_object(_ORDER_KEYS)
_ORDER_LIST = an_object(words("totalItems") | {"items": a_list(_ORDER)})


def _orders(value: Any) -> Any:
    return a_list(_ORDER)(value) if type(value) is list else _ORDER_LIST(value)


_SETTINGS = an_object({"serverConfig": an_object(words("moneyStrategyPrecision"))})
_CHANNEL = an_object(words("code pricesIncludeTax"))
_ANSWER = {"order": _ORDER, "orders": _orders, "globalSettings": _SETTINGS, "activeChannel": _CHANNEL}
_DATA = an_object(words("id orderId order_id paymentId refundId") | _ANSWER)
_WHOLE = an_object(_ORDER_KEYS | words("type") | _ANSWER | {"data": _DATA, "errors": a_list(an_object({}))})


def scrub(payload: Any) -> Any:
    """A copy without personal data; what is no object at all is kept as its kind."""
    return _WHOLE(payload)
