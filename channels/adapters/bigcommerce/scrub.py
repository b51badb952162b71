"""What is kept of a BigCommerce payload: an allow-list by key. Pure.

Names, e-mails, telephones, streets, notes, messages, IP addresses and gift certificate codes go; of a card stay brand and
last four digits, of a customer a hash. A key that is not listed goes with all it holds.
"""

from typing import Any

from channels.adapter import customer_ref
from channels.scrubbing import a_list, an_object, last_digits, scalar, text, words


def _customer_id(value: Any) -> Any:
    """A hash; the 0 of a guest stays 0."""
    if (type(value) is int and 0 < value < 10**30) or (type(value) is str and 0 < len(value) <= 255 and value.strip()):
        return customer_ref(value)
    return scalar(value)


_PLACE = words("country_iso2 state zip city")
_COSTS = words("cost_ex_tax cost_inc_tax cost_tax handling_cost_ex_tax handling_cost_inc_tax handling_cost_tax")
_ADDRESS = an_object(words("id order_id items_total items_shipped") | words("shipping_method", text) | _PLACE | _COSTS)
_PICKUP = an_object(
    words("id pickup_method_id") | {"location": an_object(words("id code country_alpha2 state postal_code city"))}
)
_LINK = words("resource url")
_DISCOUNT = an_object(words("id amount target") | words("code name", text))
_PRODUCT = an_object(
    words(
        "id order_id product_id variant_id order_address_id type sku quantity price_ex_tax price_inc_tax total_ex_tax"
        " total_inc_tax total_tax is_refunded quantity_refunded discounted_total_inc_tax"
    )
    | words("name", text)
    | {"applied_discounts": a_list(_DISCOUNT)}
)
_TAX = an_object(
    words(
        "id order_id order_address_id sales_tax_id tax_class_id rate priority priority_amount line_amount order_product_id"
        " line_item_type"
    )
    | words("name class", text)
)
_FEE = an_object(
    words("id type source cost_ex_tax cost_exc_tax cost_inc_tax cost_tax tax_class_id")
    | words("display_name_customer display_name_merchant", text)
)
_COUPON = an_object(words("id coupon_id type amount discount") | words("code", text))
_TRANSACTION = an_object(
    words(
        "id order_id event method amount currency gateway gateway_transaction_id date_created test status fraud_review"
        " reference_transaction_id"
    )
    | {
        "offline": an_object(words("display_name", text)),
        "custom": an_object(words("payment_method", text)),
        "credit_card": an_object(words("card_type") | {"card_last4": last_digits}),
    }
)
_REFUND = an_object(
    words("id order_id created total_amount total_tax uses_merchant_override_values")
    | {
        "items": a_list(an_object(words("item_type item_id quantity requested_amount"))),
        "payments": a_list(an_object(words("id provider_id amount offline is_declined"))),
    }
)


def _rows(of: Any) -> Any:
    """A list, the link to one, or an answer that wraps one in `data`."""
    inner, wrapped = a_list(of), an_object(_LINK | {"data": a_list(of)})
    return lambda value: wrapped(value) if type(value) is dict else inner(value)


def _consignments(value: Any) -> Any:
    one = an_object(_LINK | {"shipping": a_list(_ADDRESS), "pickups": a_list(_PICKUP)})
    return [one(v) for v in value] if type(value) is list else one(value)


def _fees(value: Any) -> Any:
    return an_object(_LINK | {"fees": a_list(_FEE)})(value) if type(value) is dict else a_list(_FEE)(value)


_JOINED = {
    "products": _rows(_PRODUCT),
    "taxes": _rows(_TAX),
    "shipping_addresses": _rows(_ADDRESS),
    "consignments": _consignments,
    "coupons": _rows(_COUPON),
    "fees": _fees,
    "transactions": _rows(_TRANSACTION),
    "refunds": _rows(_REFUND),
}
_ORDER = (
    words(
        "id date_created date_modified status_id status subtotal_ex_tax subtotal_inc_tax total_ex_tax total_inc_tax total_tax"
        " shipping_cost_ex_tax shipping_cost_inc_tax shipping_cost_tax handling_cost_ex_tax handling_cost_inc_tax"
        " handling_cost_tax wrapping_cost_ex_tax wrapping_cost_inc_tax wrapping_cost_tax is_tax_inclusive_pricing items_total"
        " items_shipped payment_provider_id payment_status store_credit_amount gift_certificate_amount currency_code"
        " currency_exchange_rate default_currency_code store_default_currency_code"
        " store_default_to_transactional_exchange_rate discount_amount coupon_discount channel_id order_source external_source"
        " external_order_id tax_provider_id is_deleted"
    )
    | words("payment_method", text)
    | {"customer_id": _customer_id, "billing_address": an_object(_PLACE)}
    | {key: _JOINED[key] for key in ("products", "shipping_addresses", "consignments", "coupons", "fees")}
)
_EVENT = words("scope store_id producer hash created_at")

# A REST answer wraps a refund or a transaction in `data`; an event says there which object it is about.
_DATA = an_object(
    words("type id order_id transaction_id created total_amount total_tax")
    | {"refund": an_object(words("refund_id"))}
    | {"inventory": an_object(words("product_id variant_id location_id method value"))}
)


def _data(value: Any) -> Any:
    return a_list(_DATA)(value) if type(value) is list else _DATA(value)


_ROOT = an_object(_EVENT | _ORDER | _JOINED | {"order": an_object(_ORDER), "data": _data})


def scrub(payload: Any) -> Any:
    """The payload with only what is allowed to be kept."""
    if type(payload) is list:
        return [_ROOT(one) for one in payload]
    return _ROOT(payload)
