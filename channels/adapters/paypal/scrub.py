"""What is kept of a PayPal payload: an allow-list by key. Pure.

Payers, payees, addresses, notes, messages and items go. Of the merchant's references stays what can be an id, of a link
the address without its query, of a card brand and last four digits.
"""

import re
from typing import Any

from channels.adapters.paypal.reading import ADDRESS, SANDBOX, code_word, reference
from channels.scrubbing import Keep, a_list, an_object, last_digits, scalar, text, words

_NAME = re.compile("[a-z0-9_]{1,40}")


def _link(value: Any) -> Any:
    """An address of the API up to the object's id; of any other only whether it lies in the sandbox."""
    if type(value) is not str:
        return scalar(value)
    match = ADDRESS.match(value)
    if match:
        return match[0]
    sandbox = SANDBOX.match(value)
    return sandbox[0] if sandbox else None


def _reference(value: Any) -> Any:
    return reference(value)


def _code(value: Any) -> Any:
    return code_word(value)


def _there(value: Any) -> Any:
    """Only that there was something: a note goes, but it still tells a refund from a payment."""
    return None


def _named(value: Any) -> Any:
    """A payment source keeps the name of each of its kinds and the card."""
    if type(value) is not dict:
        return None
    return {
        key if _NAME.fullmatch(key) else "?": _SOURCE(one) if type(one) is dict else {} for key, one in value.items()
    }


_LINKS = a_list(an_object({"rel": scalar, "href": _link}))
_MONEY = an_object(words("currency_code value currency total"))
_CARD = an_object({"brand": text, "last_digits": last_digits})
_SOURCE = an_object({"brand": text, "last_digits": last_digits, "card": _CARD})
_RATE: Keep = an_object(words("source_currency target_currency value"))


def _rate(value: Any) -> Any:
    return _RATE(value) if type(value) is dict else scalar(value)


_RECEIVABLE = an_object(
    words("gross_amount paypal_fee paypal_fee_in_receivable_currency net_amount receivable_amount", _MONEY)
    | {"exchange_rate": _rate, "platform_fees": a_list(an_object({"amount": _MONEY}))}
)
_PAYABLE = an_object(words("gross_amount paypal_fee net_amount total_refunded_amount", _MONEY))
_RELATED = an_object({"related_ids": an_object(words("order_id authorization_id capture_id"))})
_REFERENCES = words("custom_id custom invoice_id invoice_number", _reference)
_PAYMENT = (
    words("id status state create_time update_time sale_id capture_id parent_payment final_capture is_final_capture")
    | words("expiration_time valid_until acquirer_reference_number")
    | words("seller_protection disbursement_mode note_to_payer", _there)
    | words("reason_code", _code)
    | words("amount refund_to_payer refund_from_transaction_fee transaction_fee receivable_amount", _MONEY)
    | words("transaction_fee_in_receivable_currency", _MONEY)
    | _REFERENCES
    | {
        "exchange_rate": _rate,
        "status_details": an_object({"reason": _code}),
        "seller_receivable_breakdown": _RECEIVABLE,
        "seller_payable_breakdown": _PAYABLE,
        "supplementary_data": _RELATED,
        "network_transaction_reference": an_object({"network": text}),
        "processor_response": an_object(words("response_code")),
        "links": _LINKS,
    }
)
_PAYMENTS = a_list(an_object(_PAYMENT))
_UNIT = words("custom_id invoice_id", _reference) | {
    "payments": an_object({"captures": _PAYMENTS, "authorizations": _PAYMENTS, "refunds": _PAYMENTS})
}
_DISPUTE = (
    words("dispute_id status create_time update_time dispute_life_cycle_stage seller_response_due_date")
    | words("reason", _code)
    | {
        "dispute_amount": _MONEY,
        "dispute_outcome": an_object(words("outcome_code")),
        "disputed_transactions": a_list(
            an_object({"seller_transaction_id": scalar} | words("invoice_number custom", _reference))
        ),
        "money_movements": a_list(an_object(words("affected_party type reason") | {"amount": _MONEY})),
        "links": _LINKS,
    }
)
_OBJECT = _PAYMENT | _DISPUTE | {"purchase_units": a_list(an_object(_UNIT)), "payment_source": _named}
_ROW = an_object({
    "transaction_info": an_object(
        words("transaction_id paypal_reference_id paypal_reference_id_type transaction_event_code transaction_status")
        | words("transaction_initiation_date transaction_updated_date bank_reference_id")
        | words("instrument_type instrument_sub_type", text)
        | words("transaction_amount fee_amount tip_amount ending_balance", _MONEY)
        | words("invoice_id custom_field", _reference)
    ),
    "store_info": an_object(words("store_id terminal_id", text)),
})  # fmt: skip
# an event has its object inside; an answer of the API is the object
_ROOT = an_object(
    _OBJECT
    | words("event_type event_version resource_type resource_version")
    | {"resource": an_object(_OBJECT), "transaction_details": a_list(_ROW), "items": a_list(an_object(_DISPUTE))}
)


def scrub(payload: Any) -> Any:
    """The payload with only what is allowed to be kept."""
    return _ROOT(payload)
