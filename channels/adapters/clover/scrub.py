"""What is kept of a Clover payload: an allow-list by key. Pure.

Customers leave a hash, employees nothing; titles, notes, names on cards, authorisation codes and first digits go.
"""

from typing import Any

from channels.adapter import customer_ref
from channels.scrubbing import Keep, a_list, an_object, last_digits, scalar, text, words

_REFERENCE = an_object(words("id"))
_EVENT = an_object(words("objectId type ts"))


def _elements(of: Keep) -> Keep:
    """A nested list, wrapped as REST does or bare as the devices do."""
    wrapped, bare = an_object({"elements": a_list(of)}), a_list(of)
    return lambda value: wrapped(value) if type(value) is dict else bare(value)


def _customer(value: Any) -> Any:
    """Of a customer a hash of the id; what is no id stays none, however often it is scrubbed."""
    if type(value) is not dict:
        return scalar(value)
    identifier = value.get("id")
    if type(identifier) is str and identifier:
        return {"id": customer_ref(identifier) if identifier.strip() and len(identifier) <= 255 else " "}
    if type(identifier) is int and 0 <= identifier < 10**30:
        return {"id": customer_ref(identifier)}
    return {"id": scalar(identifier)} if "id" in value else {}


def _merchants(value: Any) -> Any:
    """Merchant id → events; the ids are keys."""
    if type(value) is not dict:
        return scalar(value)
    return {key[:40]: a_list(_EVENT)(events) for key, events in value.items()}


_TENDER = an_object(words("id labelKey editable"))
_CARD = an_object(words("cardType type state") | {"last4": last_digits})
_RATE = an_object(words("id rate taxAmount") | words("name", text))
_DISCOUNT = an_object(words("id amount percentage percentageDecimal") | words("name", text))
_CHARGE = an_object(words("id type amount percentageDecimal percentage"))
_AMOUNT = an_object(words("id amount"))
_LINE = an_object(
    words("id price unitQty itemCode exchanged refunded isRevenue isOrderFee orderFeeType")
    | words("name", text)
    | {"item": _REFERENCE, "exchangedLineItem": _REFERENCE, "refund": _REFERENCE}
    | {"taxRates": _elements(_RATE), "discounts": _elements(_DISCOUNT), "modifications": _elements(_AMOUNT)}
)
_PAYMENT = an_object(
    words("id amount tipAmount taxAmount cashbackAmount cashTendered result offline createdTime modifiedTime")
    | {"tender": _TENDER, "cardTransaction": _CARD, "order": _REFERENCE, "authorization": _REFERENCE}
    | {"voidPaymentRef": _REFERENCE, "serviceCharge": _AMOUNT, "additionalCharges": _elements(_CHARGE)}
)
_REFUND = an_object(
    words("id amount taxAmount tipAmount status voided createdTime clientCreatedTime")
    | {"payment": _REFERENCE, "lineItems": _elements(_REFERENCE), "serviceChargeAmount": _AMOUNT}
    | {"overrideMerchantTender": _TENDER}
)
_CREDIT = an_object(
    words("id amount taxAmount result voided createdTime clientCreatedTime")
    | {"tender": _TENDER, "cardTransaction": _CARD, "creditRefunds": _elements(_REFERENCE)}
)
_KEPT = (
    words(
        "id href currency total state paymentState isVat taxRemoved testMode createdTime clientCreatedTime modifiedTime"
        " deletedTime deletedTimestamp"
    )
    | {"device": _REFERENCE, "customers": _elements(_customer)}
    | {"serviceCharge": an_object(words("id enabled percentage percentageDecimal"))}
    | {"additionalCharges": _elements(_CHARGE), "discounts": _elements(_DISCOUNT), "lineItems": _elements(_LINE)}
    | {"payments": _elements(_PAYMENT), "voids": _elements(_PAYMENT)}
    | {"refunds": _elements(_REFUND), "credits": _elements(_CREDIT)}
)
_ORDER = an_object(_KEPT)
_ROOT = an_object(
    _KEPT
    | words("appId")
    | {"merchants": _merchants, "order": _ORDER, "orders": a_list(_ORDER), "elements": a_list(_ORDER)}
)


def scrub(payload: Any) -> Any:
    """The payload with only what is allowed to be kept."""
    return _ROOT(payload)
