"""What PayPal's objects have in common: money, times, links, and what the merchant's system called a payment. Pure."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from channels.adapter import Context
from channels.adapters.paypal.words import (
    AUTHORIZATION_ONLY,
    KIND_OF_FIELD,
    KIND_OF_PATH,
    KIND_OF_RESOURCE,
    PAYMENT_SOURCE,
)
from channels.payload import mask_cards
from channels.reading import Json, Reader, last4, text, word
from channels.record import Card

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# an address of the API; what follows the object's id (a query, a verb) plays no part
ADDRESS = re.compile(r"(https?://[A-Za-z0-9.:-]{1,100})/v[0-9]/([a-z-]{1,40}/[a-z-]{1,40})(?:/([A-Za-z0-9_-]{1,64}))?")
SANDBOX = re.compile(r"https?://[a-z0-9.-]*\.sandbox\.paypal\.com")
_REFERENCE = re.compile(r"[^\s@{}\"'<>]{1,127}")
_RATE = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,20})?")


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an object from whatever it came in."""

    context: Context
    at: datetime | None = None  # when the event was made
    test: bool = False
    reversal: bool = False  # PayPal took the money back, not the merchant
    order_id: str | None = None
    unit: Json = {}  # the purchase unit, which bears the merchant's references where the payment does not
    tender: tuple[str, Card | None] | None = None


def links(raw: Json) -> list[tuple[str, str]]:
    """(relation, address) of an object's links."""
    found = raw.get("links")
    if type(found) is not list:
        return []
    return [(word(one.get("rel")), word(one.get("href"))) for one in found if type(one) is dict]


def linked(raw: Json, relation: str) -> list[tuple[str, str]]:
    """(kind, id) of what a link with this relation leads to."""
    matches = [ADDRESS.match(href) for rel, href in links(raw) if rel == relation]
    return [(KIND_OF_PATH[m[2]], m[3]) for m in matches if m and m[2] in KIND_OF_PATH and m[3]]


def parent(raw: Json, kind: str) -> str | None:
    """The id of the capture, authorization or order that an object belongs to, by its link upwards."""
    relations = (
        ("up", "capture", "sale") if kind == "capture" else ("up",)
    )  # an authorization's `capture` link is a verb
    upwards = (found for relation in relations for found in linked(raw, relation))
    return next((identifier for of, identifier in upwards if of == kind), None)


def related(raw: Json, name: str) -> str | None:
    """One of `supplementary_data.related_ids`."""
    data = raw.get("supplementary_data")
    ids = data.get("related_ids") if type(data) is dict else None
    value = ids.get(name) if type(ids) is dict else None
    return value if type(value) is str and 0 < len(value) <= 64 else None


def in_sandbox(raw: Any) -> bool:
    """Whether an object's own addresses lie in the sandbox: nothing else in a payload tells."""
    return type(raw) is dict and any(SANDBOX.match(href) for _, href in links(raw))


def kind_of(raw: Json, resource_type: Any, event: str) -> str:
    """order, capture, authorization, refund or dispute; "" where nothing tells.

    What the object shows counts more than the event's word for it: a refund comes as a `sale` in PAYMENT.SALE.REFUNDED.
    """
    if "purchase_units" in raw:
        return "order"
    if "dispute_id" in raw:
        return "dispute"
    for kind, _ in linked(raw, "self"):
        return kind
    for field, kind in KIND_OF_FIELD.items():
        if field in raw:
            return kind
    if event.endswith((".REFUNDED", ".REVERSED")):
        return "refund"
    told = KIND_OF_RESOURCE.get(word(resource_type)) or KIND_OF_RESOURCE.get(_subject(event), "")
    return told or ("authorization" if word(raw.get("status")) in AUTHORIZATION_ONLY else "")


def _subject(event: str) -> str:
    """PAYMENT.CAPTURE.COMPLETED → capture; CHECKOUT.ORDER.COMPLETED → checkout-order."""
    parts = event.lower().split(".")
    return "checkout-order" if parts[0] == "checkout" else parts[1] if len(parts) > 1 else ""


def money(reader: Reader, value: Any, path: str) -> tuple[int, str] | None:
    """(minor units, currency) of {"currency_code", "value"}, or {"currency", "total" or "value"} of the old API.

    PayPal writes HUF, JPY and TWD without decimals: it is a number of whole units like any other.
    """
    if type(value) is not dict:
        if value is None:
            reader.refuse("MISSING_AMOUNT", path, f"{path}, an amount, is missing")
        else:
            reader.object(value, path)
        return None
    code = "currency_code" if "currency" not in value else "currency"
    number = "total" if "total" in value and "value" not in value else "value"
    currency = reader.read_currency(value.get(code), f"{path}.{code}")
    amount = value.get(number)
    if currency:
        return reader.minor(amount, f"{path}.{number}", currency), currency
    if amount is None:
        reader.refuse("MISSING_AMOUNT", f"{path}.{number}", f"{path}.{number}, an amount, is missing")
    return None


def maybe_money(reader: Reader, raw: Json, key: str, where: str) -> tuple[int, str] | None:
    """The same where it may be absent."""
    value = raw.get(key)
    return None if value is None else money(reader, value, where + key)


def times(reader: Reader, raw: Json, where: str, around: Around) -> tuple[datetime, datetime]:
    """When it happened, and when it changed last; the event's own time where the object has none."""
    created = reader.maybe_instant(raw, "create_time", where)
    updated = reader.maybe_instant(raw, "update_time", where)
    at = created or updated or around.at
    if at is None:
        reader.refuse("MISSING_TIME", where + "create_time", f"{where}create_time, the time of the payment, is missing")
        return EPOCH, EPOCH
    return at, updated or at


def status_word(reader: Reader, raw: Json, where: str) -> str:
    """`status`, or `state` of the old API, in capitals."""
    key = "state" if "state" in raw and "status" not in raw else "status"
    value = raw.get(key)
    if value is None or value == "":
        reader.refuse("MISSING_PAYMENT_STATUS", where + key, f"{where}{key}, the state of the payment, is missing")
    return word(value).upper()


def reference(value: Any) -> str | None:
    """What the merchant's system passed, where it can be an id; free text and e-mail addresses are none."""
    return mask_cards(value) if type(value) is str and _REFERENCE.fullmatch(value) else None


def code_word(value: Any) -> str | None:
    """A word of PayPal's own (ECHECK, PENDING_REVIEW); never free text."""
    given = word(value)
    return given if 0 < len(given) <= 100 and given.isascii() and given.replace("_", "").isalnum() else None


def why(raw: Json) -> str | None:
    """Why a payment or refund waits or was refused."""
    details = raw.get("status_details")
    return code_word(details.get("reason")) if type(details) is dict else code_word(raw.get("reason_code"))


def merchant_references(raw: Json, around: Around) -> tuple[str | None, str | None]:
    """(custom id, invoice number) of a payment, else those of the purchase unit it pays."""
    custom = reference(raw.get("custom_id")) or reference(raw.get("custom")) or reference(around.unit.get("custom_id"))
    invoice = (
        reference(raw.get("invoice_id"))
        or reference(raw.get("invoice_number"))
        or reference(around.unit.get("invoice_id"))
    )
    return custom, invoice


def rate_text(value: Any) -> str | None:
    """An exchange rate as a decimal text that a record can carry; None where it is no usable number."""
    written = str(value) if type(value) in (str, int, Decimal) else ""
    if len(written) > 40 or _RATE.fullmatch(written) is None:
        return None
    return decimal_text(Decimal(written))


def decimal_text(value: Decimal) -> str | None:
    """A positive number with at most twelve digits after the point."""
    rounded = round(value, 12)
    if not 0 < rounded < 10**15:
        return None
    return format(rounded.normalize(), "f")


def paid_with(source: Any) -> tuple[str, Card | None] | None:
    """Tender type and card of an order's `payment_source`; None where it does not tell."""
    if type(source) is not dict or not source:
        return None
    name = next((n for n in source if n in PAYMENT_SOURCE), next(iter(source)))
    details = source[name]
    if type(details) is not dict:
        details = {}
    card = details if name == "card" else details.get("card")
    return PAYMENT_SOURCE.get(name, "unknown"), _card(card) if type(card) is dict else None


def _card(raw: Json) -> Card | None:
    brand, digits = text(raw.get("brand")), last4(raw.get("last_digits"))
    return Card(brand=brand.lower() if brand else None, last4=digits) if brand or digits else None
