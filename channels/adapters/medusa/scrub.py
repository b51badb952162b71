"""What is kept of a Medusa payload: an allow-list by key. Pure.

Names, e-mails, telephones, streets, notes, metadata and what the payment provider stored go; of the customer stays a hash.
"""

from typing import Any

from channels.adapter import customer_ref
from channels.scrubbing import Keep, Spare, a_list, an_object, scalar, text, words


def _customer_id(value: Any) -> Any:
    if (type(value) is int and 0 <= value < 10**30) or (type(value) is str and 0 < len(value) <= 255 and value.strip()):
        return customer_ref(value)
    return scalar(value) if type(value) is not str else value[:1] and " "  # what is no id is refused as before


_ADDRESS = an_object(words("country_code province postal_code city"))
_TAXES = a_list(an_object(words("id rate code") | words("description", text)))
_ADJUSTMENTS = a_list(an_object(words("id amount code is_tax_inclusive promotion_id")))
_DETAIL = an_object(
    words(
        "quantity fulfilled_quantity return_requested_quantity return_received_quantity return_dismissed_quantity"
        " written_off_quantity version"
    )
)
_ITEM = an_object(
    words("id quantity unit_price is_giftcard is_tax_inclusive variant_sku variant_id product_id")
    | words("title subtitle", text)
    | {"tax_lines": _TAXES, "adjustments": _ADJUSTMENTS, "detail": _DETAIL}
)
_SHIPPING = an_object(
    words("id amount is_tax_inclusive shipping_option_id")
    | words("name", text)
    | {"tax_lines": _TAXES, "adjustments": _ADJUSTMENTS}
)
_CREDIT = an_object(
    words("id amount reference_id version")
    | words("reference", text)
    | {"metadata": an_object(words("created_in_version"))}
)
_REASON = an_object(words("id code") | words("label", text))
_CHARGE = an_object(words("id"))


def _charge(value: Any) -> Any:
    return _CHARGE(value) if type(value) is dict else scalar(value)


_PROVIDER_DATA = an_object(words("id livemode") | {"latest_charge": _charge})
_CAPTURE = words("id amount created_at updated_at payment_id")
_PAYMENT = an_object(
    words(
        "id amount currency_code provider_id captured_at canceled_at created_at updated_at payment_collection_id"
        " payment_session_id"
    )
    | {
        "data": _PROVIDER_DATA,
        "captures": a_list(an_object(_CAPTURE)),
        "refunds": a_list(an_object(_CAPTURE | words("refund_reason_id") | {"refund_reason": _REASON})),
    }
)
_COLLECTION = an_object(
    words(
        "id currency_code status amount authorized_amount captured_amount refunded_amount created_at updated_at completed_at"
    )
    | {"payments": a_list(_PAYMENT)}
)
_RETURN = an_object(
    words(
        "id order_id display_id location_id order_version status exchange_id claim_id refund_amount created_at updated_at"
        " canceled_at requested_at received_at"
    )
    | {"items": a_list(an_object(words("id item_id quantity received_quantity damaged_quantity reason_id")))}
)
_TOTALS = words(
    "total subtotal tax_total discount_total discount_tax_total original_total original_subtotal original_tax_total item_total"
    " item_subtotal item_tax_total shipping_total shipping_subtotal shipping_tax_total credit_line_total"
)
_ORDER: dict[str, Keep | Spare] = (
    words(
        "id display_id custom_display_id status version currency_code region_id sales_channel_id is_draft_order created_at"
        " updated_at canceled_at payment_status fulfillment_status"
    )
    | _TOTALS
    | {
        "customer_id": _customer_id,
        "items": a_list(_ITEM),
        "shipping_methods": a_list(_SHIPPING),
        "credit_lines": a_list(_CREDIT),
        "shipping_address": _ADDRESS,
        "billing_address": _ADDRESS,
        "payment_collections": a_list(_COLLECTION),
        "returns": a_list(_RETURN),
    }
)
_EVENT_DATA = an_object(
    words("id order_id payment_id return_id fulfillment_id exchange_id claim_id inventory_item_id location_id")
)
_ONE: dict[str, Keep | Spare] = {
    "order": an_object(_ORDER),
    "orders": a_list(an_object(_ORDER)),
    "payment": _PAYMENT,
    "payments": a_list(_PAYMENT),
    "return": _RETURN,
    "returns": a_list(_RETURN),
    "data": _EVENT_DATA,
}
_scrub = an_object(_ORDER | _ONE | words("type count offset limit"))


def scrub(payload: Any) -> Any:
    """A copy without personal data; what is no object at all is kept as its kind."""
    return _scrub(payload)
