"""What is kept of a WooCommerce payload: an allow-list by key. Pure.

Names, companies, streets, e-mails, telephones, notes, reasons, IP addresses, browsers, order keys, codes of gift cards and all meta
that is not read go; of a customer stays a hash. A key that is not listed goes with all it holds.
"""

from typing import Any

from channels.adapter import customer_ref
from channels.adapters.woocommerce.words import CARD_LAST4_META, GIFT_CARD_SOLD, META_READ
from channels.reading import last4
from channels.scrubbing import Keep, an_object, scalar, text, words


def _rows(of: Keep) -> Keep:
    """A list of such, or what PHP makes of a list with gaps."""

    def kept(value: Any) -> Any:
        if type(value) is list:
            return [of(one) for one in value]
        if type(value) is dict and value and all(key.isdigit() for key in value):
            return {key: of(one) for key, one in value.items()}
        return scalar(value)

    return kept


def _meta(value: Any) -> Any:
    """Of meta only what is read; of a sold gift card only that it is one, since the values name who gets it."""
    rows = list(value.values()) if type(value) is dict else value
    found = []
    for row in rows if type(rows) is list else ():
        key = row.get("key") if type(row) is dict else None
        if type(key) is str and key in META_READ:
            found.append({"key": key, "value": scalar(row.get("value"))})
        elif type(key) is str and key in GIFT_CARD_SOLD:
            found.append({"key": key})
        elif key == CARD_LAST4_META:
            found.append({"key": key, "value": last4(row.get("value"))})
    return found


def _customer(value: Any) -> Any:
    """A hash of the customer's id; a guest's 0 and what is no id stay as they are, or are blanked."""
    if type(value) is int and 0 < value < 10**30:
        return customer_ref(value)
    if type(value) is str and value.strip() and value != "0":
        return customer_ref(value) if len(value) <= 255 else " "
    return scalar(value)


def _links(value: Any) -> Any:
    """Of a refund the address of its order, which is the only thing that names it."""
    up = value.get("up") if type(value) is dict else None
    return {"up": [an_object(words("href"))(one) for one in up if type(one) is dict]} if type(up) is list else {}


_TAXES = {"taxes": _rows(an_object(words("id total"))), "meta_data": _meta}
_ITEM = an_object(words("id quantity subtotal total total_tax sku") | words("name", text) | _TAXES)
_SHIPPING = an_object(words("id method_id total total_tax") | words("method_title", text) | _TAXES)
_FEE = an_object(words("id total total_tax") | words("name", text) | _TAXES)
_LINES = {"line_items": _rows(_ITEM), "shipping_lines": _rows(_SHIPPING), "fee_lines": _rows(_FEE), "meta_data": _meta}
_RATE = an_object(words("rate_id rate_percent") | words("label rate_code", text))
_ADDRESS = an_object(words("country state postcode city"))
_REFUND = words("id parent_id amount total refunded_payment date_created_gmt") | _LINES
_REFUNDS = {"refunds": _rows(an_object(_REFUND))}
_ORDER = (
    words(
        "id parent_id number status currency created_via prices_include_tax date_created_gmt date_modified_gmt date_paid_gmt"
        " date_paid discount_total shipping_total total total_tax payment_method transaction_id"
    )
    | _LINES
    | _REFUNDS
    | {
        "customer_id": _customer,
        "shipping": _ADDRESS,
        "billing": _ADDRESS,
        "tax_lines": _rows(_RATE),
        "coupon_lines": _rows(an_object(words("id discount") | words("code", text))),
        "gift_cards": _rows(an_object(words("id amount"))),
    }
)
_ERROR = {"code": scalar, "data": an_object(words("status"))}
_EVENT = words("action arg")

# A bare object does not say what it is, so the root keeps what any of them may have.
_ROOT = an_object(_EVENT | _ERROR | _REFUND | _ORDER | {"order": an_object(_ORDER), "_links": _links})


def scrub(payload: Any) -> Any:
    """The payload with only what is allowed to be kept."""
    return [_ROOT(one) for one in payload] if type(payload) is list else _ROOT(payload)
