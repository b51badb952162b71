"""What is kept of a Shopify payload: an allow-list by key. Pure.

Names, e-mails, telephones, streets, notes, properties, IP addresses, tokens, addresses of pages and receipts go; of a card
stay brand and last four digits, of a customer a hash. A key that is not listed goes with all it holds.
"""

from typing import Any

from channels.scrubbing import Spare, a_list, an_object, customer, last_digits, scalar, text, words

_MONEY = an_object(words("amount currency_code currency"))
_SET = an_object({"shop_money": _MONEY, "presentment_money": _MONEY})
_TAXES = a_list(
    an_object(words("price rate channel_liable") | words("title", text) | {"price_set": Spare("price", _SET)})
)
_ALLOCATIONS = a_list(an_object(words("amount discount_application_index") | {"amount_set": Spare("amount", _SET)}))
_ADDRESS = an_object(words("country_code province_code zip city"))
_DUTY = words("id duty_id country_code_of_origin") | {
    "shop_money": _MONEY, "presentment_money": _MONEY, "amount_set": _SET, "price_set": _SET, "tax_lines": _TAXES,
}  # fmt: skip
_FEE = words("id price") | words("name", text) | {"price_set": _SET, "amount_set": _SET, "tax_lines": _TAXES}
_ITEM = (
    words("id quantity current_quantity price total_discount sku gift_card taxable product_id variant_id")
    | words("name title", text)
    | {"price_set": Spare("price", _SET), "total_discount_set": Spare("total_discount", _SET), "tax_lines": _TAXES}
    | {"discount_allocations": _ALLOCATIONS, "duties": a_list(an_object(_DUTY))}
)
_SHIPPING = (
    words("id price discounted_price is_removed")
    | words("title code", text)
    | {
        "price_set": Spare("price", _SET),
        "discounted_price_set": Spare("discounted_price", _SET),
        "tax_lines": _TAXES,
        "discount_allocations": _ALLOCATIONS,
    }
)
_CARD = an_object(
    words("credit_card_company credit_card_wallet payment_method_name") | {"credit_card_number": last_digits}
)
_TRANSACTION = words(
    "id order_id kind status gateway amount currency parent_id created_at processed_at test location_id device_id"
    " authorization manual_payment_gateway payment_id source_name"
) | {"payment_details": _CARD, "amount_rounding": scalar}
_REFUND_ITEM = words("id line_item_id quantity restock_type subtotal total_tax location_id") | {
    "subtotal_set": _SET, "total_tax_set": _SET, "line_item": an_object(_ITEM),
}  # fmt: skip
_REFUND_SHIPPING = words("id shipping_line_id") | {
    "subtotal_amount_set": _SET, "tax_amount_set": _SET, "shipping_line": an_object(_SHIPPING),
}  # fmt: skip
_ADJUSTMENT = words("id order_id refund_id amount tax_amount kind") | words("reason", text) | {
    "amount_set": _SET, "tax_amount_set": _SET,
}  # fmt: skip
_REFUND = words("id order_id created_at processed_at restock") | {
    "refund_line_items": a_list(an_object(_REFUND_ITEM)),
    "refund_shipping_lines": a_list(an_object(_REFUND_SHIPPING)),
    "order_adjustments": a_list(an_object(_ADJUSTMENT)),
    "transactions": a_list(an_object(_TRANSACTION)),
    "duties": a_list(an_object(_DUTY)),
    "additional_fees": a_list(an_object(_FEE)),
    "total_duties_set": _SET,
    "total_additional_fees_set": _SET,
}
_ORDER = (
    words(
        "id name currency presentment_currency created_at processed_at updated_at closed_at cancelled_at cancel_reason"
        " financial_status fulfillment_status total_price current_total_price subtotal_price total_discounts total_tax"
        " current_total_tax total_line_items_price total_tip_received taxes_included tax_exempt test source_name location_id"
        " device_id app_id merchant_of_record_app_id estimated_taxes duties_included order_number"
    )
    | {
        key + "_set": Spare(key, _SET)
        for key in "current_total_price subtotal_price total_discounts total_tax current_total_tax total_line_items_price"
        " total_tip_received".split()
    }
    | dict.fromkeys(
        (
            "total_price_set", "total_shipping_price_set", "original_total_duties_set", "original_total_additional_fees_set",
            "total_cash_rounding_payment_adjustment_set",
        ),
        _SET,
    )
    | {
        "customer": customer,
        "shipping_address": _ADDRESS,
        "billing_address": _ADDRESS,
        "line_items": a_list(an_object(_ITEM)),
        "shipping_lines": a_list(an_object(_SHIPPING)),
        "tax_lines": _TAXES,
        "discount_applications": a_list(
            an_object(words("code title", text) | words("type value value_type target_type allocation_method target_selection"))
        ),
        "refunds": a_list(an_object(_REFUND)),
        "transactions": a_list(an_object(_TRANSACTION)),
        "additional_fees": a_list(an_object(_FEE)),
    }
)  # fmt: skip
_PAYOUT = an_object(words("id status date currency amount"))
_BALANCE = words(
    "type payout_id payout_status fee net source_id source_type source_order_id source_order_transaction_id"
)
_DISPUTE = words(
    "id order_id type amount currency reason network_reason_code status evidence_due_by evidence_sent_on finalized_on"
    " initiated_at"
)
_EDIT = an_object(words("id order_id created_at committed_at"))
_LEVEL = words("inventory_item_id location_id available updated_at")
_PRIVACY = words("shop_id shop_domain") | {
    "customer": customer,
    "orders_requested": a_list(scalar),
    "orders_to_redact": a_list(scalar),
    "data_request": an_object(words("id")),
}

# Without its topic a bare object does not say what it is, so the root keeps what any of them may have.
_ROOT = an_object(
    _PRIVACY | _LEVEL | _DISPUTE | _TRANSACTION | _REFUND | _ORDER
    | {"order": an_object(_ORDER), "orders": a_list(an_object(_ORDER)), "refund": an_object(_REFUND)}
    | {"transaction": an_object(_TRANSACTION), "transactions": a_list(an_object(_TRANSACTION | _BALANCE)), "order_edit": _EDIT}
    | {"payout": _PAYOUT, "payouts": a_list(_PAYOUT), "dispute": an_object(_DISPUTE), "disputes": a_list(an_object(_DISPUTE))}
)  # fmt: skip


def scrub(payload: Any) -> Any:
    """The payload with only what is allowed to be kept."""
    return _ROOT(payload)
