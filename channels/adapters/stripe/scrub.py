"""What is kept of a Stripe payload: an allow-list by kind of object. Pure.

Names, e-mails, telephones, streets, descriptions, evidence, receipts, IP addresses, fingerprints and secrets go, and of the
merchant's own metadata all but the order; of a card stay brand and last four digits, of a customer a hash.
"""

from typing import Any

from channels.adapter import customer_ref
from channels.adapters.stripe.words import ORDER_KEYS
from channels.scrubbing import Keep, a_list, an_object, last_digits, scalar, text, words


def _or_id(keep: Keep) -> Keep:
    """Another object, whole or as its id."""
    return lambda value: keep(value) if type(value) is dict else scalar(value)


def _customer(value: Any) -> Any:
    """A hash of the customer's id, which may stand in the whole customer."""
    held = value.get("id") if type(value) is dict else value
    if (type(held) is int and 0 <= held < 10**30) or (type(held) is str and len(held) <= 255 and held.strip()):
        held = customer_ref(held)
    elif type(held) is str and held:
        held = " "  # no id, before as after
    return {"id": scalar(held)} if type(value) is dict else scalar(held)


_ID = _or_id(an_object(words("id object")))
_METADATA = an_object(words(" ".join(ORDER_KEYS)))
_ADDRESS = an_object({"address": an_object(words("country state postal_code city", text))})
_CARD = words("brand") | {"last4": last_digits}
_WALLET = {"wallet": an_object(words("type", text))}
_TERMINAL = words("location reader") | {"offline": an_object(words("stored_at type"))}


def _details(value: Any) -> Any:
    """Of the payment method its type, and of the part that bears that name the card and the terminal."""
    if type(value) is not dict:
        return scalar(value)
    kept = {"type": scalar(value["type"])} if "type" in value else {}
    kind = value.get("type")
    if type(kind) is str and kind != "type" and kind in value:
        kept[kind] = an_object(_CARD | _WALLET | _TERMINAL)(value[kind])
    return kept


def _paid_with(value: Any) -> Any:
    """A payment method, or a source of older times: a card, or what holds one under its type's name."""
    if type(value) is not dict:
        return scalar(value)
    kept: dict[str, Any] = an_object(words("id object type") | _CARD)(value)
    kind = value.get("type") or value.get("object")
    if type(kind) is str and kind in value and kind not in kept:
        kept[kind] = an_object(_CARD)(value[kind])
    return kept


_BALANCE = an_object(
    words("id object amount available_on created currency exchange_rate fee net reporting_category status type")
    | {"fee_details": a_list(an_object(words("amount currency type"))), "source": _ID}
)
_LINES = an_object(words("object has_more total_count url") | {"data": a_list(_BALANCE)})


def _intent_words(charge: Keep | None) -> Keep:
    held = _or_id(charge) if charge else _ID
    return an_object(
        words("id object amount amount_received created currency livemode status")
        | {
            "latest_charge": held,
            "charges": an_object(words("object has_more") | {"data": a_list(held)}),
            "metadata": _METADATA,
            "customer": _customer,
            "amount_details": an_object({"tip": an_object(words("amount"))}),
            "payment_details": an_object(words("order_reference")),
        }
    )


def _charge_words(refund: Keep | None) -> Keep:
    return an_object(
        words(
            "id object amount amount_captured amount_refunded captured created currency failure_code livemode paid refunded status"
        )
        | {
            "balance_transaction": _or_id(_BALANCE),
            "payment_intent": _or_id(_intent_words(None)),
            "payment_method": _paid_with,
            "payment_method_details": _details,
            "source": _paid_with,
            "invoice": _ID,
            "customer": _customer,
            "metadata": _METADATA,
            "shipping": _ADDRESS,
            "billing_details": _ADDRESS,
            "presentment_details": an_object(words("presentment_amount presentment_currency")),
        }
        | ({"refunds": an_object(words("object has_more") | {"data": a_list(refund)})} if refund else {})
    )


_REFUND = an_object(
    words("id object amount created currency livemode reason failure_reason pending_reason status")
    | {
        "charge": _or_id(_charge_words(None)),
        "balance_transaction": _or_id(_BALANCE),
        "failure_balance_transaction": _or_id(_BALANCE),
        "payment_intent": _ID,
        "destination_details": an_object(words("type")),
    }
)
_CHARGE = _charge_words(_REFUND)
_INTENT = _intent_words(_CHARGE)
_SESSION = an_object(
    words("id object created currency livemode mode status payment_status client_reference_id amount_total")
    | {"payment_intent": _or_id(_INTENT), "metadata": _METADATA, "invoice": _ID, "customer": _customer}
)
_DISPUTE = an_object(
    words("id object amount created currency livemode reason status")
    | {
        "charge": _or_id(_charge_words(None)),
        "payment_intent": _ID,
        "balance_transactions": a_list(_BALANCE),
        "evidence_details": an_object(words("due_by has_evidence past_due submission_count")),
        "payment_method_details": an_object(
            words("type") | {"card": an_object(words("brand case_type network_reason_code"))}
        ),
    }
)
_PAYOUT = an_object(
    words(
        "id object amount arrival_date automatic created currency failure_code livemode method reconciliation_status status type"
    )
    | words("description statement_descriptor", text)
    | {
        "balance_transaction": _ID,
        "failure_balance_transaction": _ID,
        "original_payout": _ID,
        "reversed_by": _ID,
        "trace_id": an_object(words("status value", text)),
    }
)
_OTHER = an_object(words("id object type created livemode status"))


def scrub(payload: Any) -> Any:
    """The payload with only what is allowed to be kept."""
    if type(payload) is not dict:
        return scalar(payload)
    kind = payload.get("object")
    keep = KINDS.get(kind) if type(kind) is str else _JOINED
    return (keep or _OTHER)(payload)


_EVENT = an_object(
    words("id object type created livemode api_version account pending_webhooks")
    | {"data": an_object({"object": scrub}), "related_object": an_object(words("id type"))}
)
_LIST = an_object(words("object has_more total_count url") | {"data": a_list(scrub)})
# What the poller puts together has no kind of its own, only parts.
_JOINED = an_object(words("object as_of") | {"payout": _PAYOUT, "balance_transactions": _LINES, "read": scrub})
KINDS: dict[str, Keep] = {
    "balance_transaction": _BALANCE,
    "charge": _CHARGE,
    "checkout.session": _SESSION,
    "dispute": _DISPUTE,
    "event": _EVENT,
    "list": _LIST,
    "payment_intent": _INTENT,
    "payout": _PAYOUT,
    "refund": _REFUND,
    "v2.core.event": _EVENT,
}
