"""What is kept of a Square payload: an allow-list by key. Pure.

Names, e-mails, telephones, streets, notes, ticket names, devices' names, receipts' addresses and card fingerprints go; of a card
stay brand and last four digits, of a customer a hash. A key that is not listed goes with all it holds.
"""

from typing import Any

from channels.adapters.square.reading import customer
from channels.scrubbing import Keep, Spare, a_list, an_object, last_digits, scalar, text, words

_Keys = dict[str, Keep | Spare]


def _money(names: str) -> _Keys:
    return words(names, an_object(words("amount currency currency_code")))


_TAXES = a_list(an_object(words("uid tax_uid type percentage scope") | words("name", text) | _money("applied_money")))
_APPLIED = a_list(an_object(words("uid tax_uid discount_uid") | _money("applied_money")))
_MODIFIERS = a_list(an_object(_money("base_price_money total_price_money") | words("uid quantity")))
_LINE = an_object(
    words("uid quantity item_type catalog_object_id source_line_item_uid")
    | words("name variation_name", text)
    | _money(
        "base_price_money variation_total_price_money gross_sales_money gross_return_money total_tax_money"
        " total_discount_money total_money total_service_charge_money"
    )
    | {
        "applied_taxes": _APPLIED,
        "applied_discounts": _APPLIED,
        "modifiers": _MODIFIERS,
        "return_modifiers": _MODIFIERS,
    }
)
_CHARGE = an_object(
    words("uid source_service_charge_uid percentage type treatment_type calculation_phase taxable")
    | words("name", text)
    | _money("amount_money applied_money total_money total_tax_money")
    | {"applied_taxes": _APPLIED}
)
_ROUNDING = an_object(_money("amount_money"))
_ROLLED_UP = an_object(_money("total_money tax_money discount_money tip_money service_charge_money"))
_RETURN = an_object(
    words("uid source_order_id")
    | {
        "return_line_items": a_list(_LINE),
        "return_service_charges": a_list(_CHARGE),
        "return_taxes": _TAXES,
        "return_tips": a_list(an_object(words("uid source_tender_id") | _money("applied_money"))),
        "rounding_adjustment": _ROUNDING,
        "return_amounts": _ROLLED_UP,
    }
)
_ADDRESS = an_object(words("country administrative_district_level_1 postal_code locality"))
_SENT = an_object({"recipient": an_object({"address": _ADDRESS})})
_CARD = an_object(words("status") | {"card": an_object(words("card_brand") | {"last_4": last_digits})})
_STATE = an_object(words("status"))
_TENDER = an_object(
    words("id type created_at payment_id location_id")
    | _money("amount_money tip_money processing_fee_money")
    | {
        "card_details": _CARD,
        "bank_account_details": _STATE,
        "buy_now_pay_later_details": _STATE,
        "square_account_details": _STATE,
        "cash_details": an_object(_money("buyer_tendered_money change_back_money")),
    }
)
_EXTERNAL = an_object(words("type") | _money("source_fee_money"))
_FEES = a_list(an_object(words("type effective_at") | _money("amount_money")))
_DESTINATION = an_object({"card_details": _CARD, "external_details": _EXTERNAL})

# an order's own list of refunds and a refund itself share a name at the root
_REFUND: _Keys = (
    words("id status location_id tender_id payment_id order_id transaction_id created_at updated_at version unlinked")
    | words("destination_type")
    | words("reason", text)
    | _money("amount_money processing_fee_money app_fee_money")
    | {"processing_fee": _FEES, "destination_details": _DESTINATION}
)
_ORDER: _Keys = (
    words("id location_id state version created_at updated_at closed_at")
    | words("reference_id", text)
    | _money("total_money total_tax_money total_discount_money total_tip_money total_service_charge_money")
    | _money("net_amount_due_money")
    | {
        "customer_id": customer,
        "source": an_object(words("name", text)),
        "line_items": a_list(_LINE),
        "service_charges": a_list(_CHARGE),
        "taxes": _TAXES,
        "discounts": a_list(
            an_object(words("uid type percentage scope") | words("name", text) | _money("applied_money"))
        ),
        "returns": a_list(_RETURN),
        "return_amounts": _ROLLED_UP,
        "net_amounts": _ROLLED_UP,
        "rounding_adjustment": _ROUNDING,
        "fulfillments": a_list(
            an_object(words("uid type state") | {"shipment_details": _SENT, "delivery_details": _SENT})
        ),
        "tenders": a_list(_TENDER),
        "refunds": a_list(an_object(_REFUND)),
    }
)
_PAYMENT: _Keys = (
    words("id status source_type location_id order_id receipt_number created_at updated_at version_token")
    | words("is_offline_payment")
    | words("reference_id", text)
    | _money("amount_money tip_money total_money approved_money app_fee_money refunded_money")
    | {
        "processing_fee": _FEES,
        "card_details": _CARD,
        "external_details": _EXTERNAL,
        "device_details": an_object(words("device_id")),
        "offline_payment_details": an_object(words("client_created_at")),
    }
)
_PAYOUT: _Keys = (
    words("id status type version location_id created_at updated_at arrival_date end_to_end_id")
    | _money("amount_money")
    | {"destination": an_object(words("type")), "payout_fee": _FEES}
)
_DISPUTE: _Keys = (
    words("id dispute_id state card_brand location_id created_at updated_at due_at reported_at version")
    | words("reason", text)
    | _money("amount_money")
    | {"disputed_payment": an_object(words("payment_id"))}
)
_LOCATION = an_object(words("id timezone country currency") | {"address": _ADDRESS})
_CHANGED = an_object(words("order_id location_id state version created_at updated_at"))
_ENTRY_DETAILS = an_object(words("payment_id refund_id dispute_id payout_id"))
_ENTRY = words("id payout_id type effective_at") | _money("gross_amount_money fee_amount_money net_amount_money")


def _entry(value: Any) -> Any:
    """An entry has its details under a key that its type names."""
    if type(value) is not dict:
        return scalar(value)
    details = {key: _ENTRY_DETAILS for key in value if key.startswith("type_") and key.endswith("_details")}
    return an_object(_ENTRY | details)(value)


_HELD: _Keys = {
    "order": an_object(_ORDER),
    "payment": an_object(_PAYMENT),
    "refund": an_object(_REFUND),
    "dispute": an_object(_DISPUTE),
    "payout": an_object(_PAYOUT),
}
_COUNT = an_object(words("catalog_object_id catalog_object_type location_id quantity state calculated_at"))
_DATA = an_object(
    words("type id")
    | {
        "object": an_object(
            _HELD
            | dict.fromkeys(("order_created", "order_updated", "order_fulfillment_updated"), _CHANGED)
            | {"inventory_counts": a_list(_COUNT)}
        )
    }
)

# Without a wrapper an object does not say what it is, so the root keeps what any of them may have.
_ROOT = an_object(
    _DISPUTE | _PAYOUT | _REFUND | _PAYMENT | _ORDER | _HELD
    | words("merchant_id type event_id created_at location_id") | {"data": _DATA, "location": _LOCATION}
    | {"payout_entries": a_list(_entry), "orders": a_list(an_object(_ORDER)), "payments": a_list(an_object(_PAYMENT))}
    | {"disputes": a_list(an_object(_DISPUTE)), "payouts": a_list(an_object(_PAYOUT))}
)  # fmt: skip


def scrub(payload: Any) -> Any:
    """The payload with only what is allowed to be kept."""
    return _ROOT(payload)
