"""What is kept of a Shopify payload: an allow-list by key. Pure.

Names, e-mails, telephones, streets, notes, properties, IP addresses, tokens, addresses of pages and receipts go; of a card
stay brand and last four digits, of a customer a hash. A key that is not listed goes with all it holds.
"""

from collections.abc import Callable, Mapping
from typing import Any

from channels.adapter import customer_ref
from channels.payload import mask_cards

Keep = Callable[[Any], Any]


def _scalar(value: Any) -> Any:
    """A number, a truth value or a short word."""
    return _blank(value) if type(value) is dict or type(value) is list else value


def _blank(value: Any) -> Any:
    """Of what has no place there only its kind, so that it is refused as before."""
    if type(value) is dict:
        return {"scrubbed": None} if value else value
    if type(value) is list:
        return [None] if value else value
    return "?" if type(value) is str and value else value


def _spare(value: Any) -> Any:
    """A `*_set` that is read only where the plain amount beside it is missing."""
    return _SET(value)


def _text(value: Any) -> Any:
    return mask_cards(value) if type(value) is str and len(value) > 12 else _scalar(value)


def _last4(value: Any) -> Any:
    return value[-4:] if type(value) is str and value[-4:].isascii() and value[-4:].isdigit() else None


def _object(keep: Mapping[str, Keep]) -> Keep:
    plain = tuple(key for key, how in keep.items() if how is _scalar)
    spare = tuple((key, key.removesuffix("_set")) for key, how in keep.items() if how is _spare)
    rest = tuple((key, how) for key, how in keep.items() if how is not _scalar and how is not _spare)

    def kept(value: Any) -> Any:
        if type(value) is not dict:
            return _blank(value)
        found = {}
        for key in plain:
            if key in value:
                one = value[key]
                found[key] = _blank(one) if type(one) is dict or type(one) is list else one
        for key, plain_key in spare:
            if key in value and value.get(plain_key) is None:
                found[key] = _SET(value[key])
        for key, how in rest:
            if key in value:
                found[key] = how(value[key])
        return found

    return kept


def _list(of: Keep) -> Keep:
    def kept(value: Any) -> Any:
        if type(value) is not list:
            return _blank(value)
        return [of(one) for one in value]

    return kept


def _words(names: str, how: Keep = _scalar) -> dict[str, Keep]:
    return dict.fromkeys(names.split(), how)


def _customer(value: Any) -> Any:
    if type(value) is not dict:
        return None
    identifier = value.get("id")
    if (type(identifier) is int and 0 <= identifier < 10**30) or (type(identifier) is str and len(identifier) <= 255):
        identifier = customer_ref(identifier)
    kept = {"id": " " if type(identifier) is str and not identifier.startswith("sha256:") else _scalar(identifier)}
    return kept | ({"tax_exempt": value["tax_exempt"]} if type(value.get("tax_exempt")) is bool else {})


_MONEY = _object(_words("amount currency_code currency"))
_SET = _object({"shop_money": _MONEY, "presentment_money": _MONEY})
_TAXES = _list(_object(_words("price rate channel_liable") | _words("title", _text) | {"price_set": _spare}))
_ALLOCATIONS = _list(_object(_words("amount discount_application_index") | {"amount_set": _spare}))
_ADDRESS = _object(_words("country_code province_code zip city"))
_DUTY = _words("id duty_id country_code_of_origin") | {
    "shop_money": _MONEY, "presentment_money": _MONEY, "amount_set": _SET, "price_set": _SET, "tax_lines": _TAXES,
}  # fmt: skip
_FEE = _words("id price") | _words("name", _text) | {"price_set": _SET, "amount_set": _SET, "tax_lines": _TAXES}
_ITEM = (
    _words("id quantity current_quantity price total_discount sku gift_card taxable product_id variant_id")
    | _words("name title", _text)
    | {"price_set": _spare, "total_discount_set": _spare, "tax_lines": _TAXES}
    | {"discount_allocations": _ALLOCATIONS, "duties": _list(_object(_DUTY))}
)
_SHIPPING = (
    _words("id price discounted_price is_removed")
    | _words("title code", _text)
    | {"price_set": _spare, "discounted_price_set": _spare, "tax_lines": _TAXES, "discount_allocations": _ALLOCATIONS}
)
_CARD = _object(_words("credit_card_company credit_card_wallet payment_method_name") | {"credit_card_number": _last4})
_TRANSACTION = _words(
    "id order_id kind status gateway amount currency parent_id created_at processed_at test location_id device_id"
    " authorization manual_payment_gateway payment_id source_name"
) | {"payment_details": _CARD, "amount_rounding": _scalar}
_REFUND_ITEM = _words("id line_item_id quantity restock_type subtotal total_tax location_id") | {
    "subtotal_set": _SET, "total_tax_set": _SET, "line_item": _object(_ITEM),
}  # fmt: skip
_REFUND_SHIPPING = _words("id shipping_line_id") | {
    "subtotal_amount_set": _SET, "tax_amount_set": _SET, "shipping_line": _object(_SHIPPING),
}  # fmt: skip
_ADJUSTMENT = _words("id order_id refund_id amount tax_amount kind") | _words("reason", _text) | {
    "amount_set": _SET, "tax_amount_set": _SET,
}  # fmt: skip
_REFUND = _words("id order_id created_at processed_at restock") | {
    "refund_line_items": _list(_object(_REFUND_ITEM)),
    "refund_shipping_lines": _list(_object(_REFUND_SHIPPING)),
    "order_adjustments": _list(_object(_ADJUSTMENT)),
    "transactions": _list(_object(_TRANSACTION)),
    "duties": _list(_object(_DUTY)),
    "additional_fees": _list(_object(_FEE)),
    "total_duties_set": _SET,
    "total_additional_fees_set": _SET,
}
_ORDER = (
    _words(
        "id name currency presentment_currency created_at processed_at updated_at closed_at cancelled_at cancel_reason"
        " financial_status fulfillment_status total_price current_total_price subtotal_price total_discounts total_tax"
        " current_total_tax total_line_items_price total_tip_received taxes_included tax_exempt test source_name location_id"
        " device_id app_id merchant_of_record_app_id estimated_taxes duties_included order_number"
    )
    | dict.fromkeys(
        (
            "current_total_price_set", "subtotal_price_set", "total_discounts_set", "total_tax_set", "current_total_tax_set",
            "total_line_items_price_set", "total_tip_received_set",
        ),
        _spare,
    )
    | dict.fromkeys(
        (
            "total_price_set", "total_shipping_price_set", "original_total_duties_set", "original_total_additional_fees_set",
            "total_cash_rounding_payment_adjustment_set",
        ),
        _SET,
    )
    | {
        "customer": _customer,
        "shipping_address": _ADDRESS,
        "billing_address": _ADDRESS,
        "line_items": _list(_object(_ITEM)),
        "shipping_lines": _list(_object(_SHIPPING)),
        "tax_lines": _TAXES,
        "discount_applications": _list(
            _object(_words("code title", _text) | _words("type value value_type target_type allocation_method target_selection"))
        ),
        "refunds": _list(_object(_REFUND)),
        "transactions": _list(_object(_TRANSACTION)),
        "additional_fees": _list(_object(_FEE)),
    }
)  # fmt: skip
_PAYOUT = _object(_words("id status date currency amount"))
_BALANCE = _words(
    "type payout_id payout_status fee net source_id source_type source_order_id source_order_transaction_id"
)
_DISPUTE = _words(
    "id order_id type amount currency reason network_reason_code status evidence_due_by evidence_sent_on finalized_on"
    " initiated_at"
)
_EDIT = _object(_words("id order_id created_at committed_at"))

# Without its topic a bare object does not say what it is, so the root keeps what any of them may have.
_ROOT = _object(
    _DISPUTE | _TRANSACTION | _REFUND | _ORDER
    | {"order": _object(_ORDER), "orders": _list(_object(_ORDER)), "refund": _object(_REFUND)}
    | {"transaction": _object(_TRANSACTION), "transactions": _list(_object(_TRANSACTION | _BALANCE)), "order_edit": _EDIT}
    | {"payout": _PAYOUT, "payouts": _list(_PAYOUT), "dispute": _object(_DISPUTE), "disputes": _list(_object(_DISPUTE))}
)  # fmt: skip


def scrub(payload: Any) -> Any:
    """The payload with only what is allowed to be kept."""
    return _ROOT(payload)
