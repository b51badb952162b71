"""Shopify: orders, refunds, transactions, payouts and disputes, by webhook or as REST answers. Pure.

words.py holds the vendor's words; one module each reads an order, its lines, its totals, a refund, transactions and payouts;
privacy.py reads what is asked on behalf of persons.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Any

from channels.adapter import (
    STOCK_CHANGED,
    Adapter,
    Context,
    Envelope,
    Headers,
    Ignored,
    Person,
    PrivacyRequest,
    SignatureRefused,
    Trust,
)
from channels.adapters.shopify import privacy, stock
from channels.adapters.shopify.client import Client
from channels.adapters.shopify.payout import dispute_record, payout_record
from channels.adapters.shopify.refund import refund_record
from channels.adapters.shopify.sale import order_records
from channels.adapters.shopify.scrub import scrub
from channels.adapters.shopify.transactions import charges
from channels.canonical import AnyRecord
from channels.client import Account
from channels.reading import Json
from salessync.core.problems import Problem, Refused

ORDER_TOPICS = frozenset({
    "orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/fulfilled", "orders/partially_fulfilled",
})  # fmt: skip
DISPUTE_TOPICS = frozenset({"disputes/create", "disputes/update"})
TOPICS = ORDER_TOPICS | {
    "orders/edited",
    "orders/delete",
    "refunds/create",
    "order_transactions/create",
    *DISPUTE_TOPICS,
    stock.TOPIC,
}


class Shopify(Client, Adapter):
    """One Shopify shop."""

    name = "shopify"
    label = "Shopify"
    is_processor = True  # Shopify Payments
    topics = TOPICS
    privacy_topics = frozenset(privacy.KINDS)  # set up with the app, not by subscription
    kept_headers = frozenset({
        "x-shopify-topic", "x-shopify-webhook-id", "x-shopify-event-id", "x-shopify-triggered-at", "x-shopify-api-version",
        "x-shopify-shop-domain", "shopify-topic", "shopify-webhook-id", "shopify-event-id", "shopify-triggered-at",
        "shopify-api-version", "shopify-shop-domain",
    })  # fmt: skip

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """Base64 of HMAC-SHA256 over the body; for an hour after a rotation Shopify signs with the old secret.

        There is no timestamp in the signature, so `now` plays no part: a replay is caught by the delivery's id.
        """
        given = _header(headers, "hmac-sha256")
        if not given or not given.isascii():
            raise SignatureRefused("no signature" if not given else "the signature is not base64")
        signature, matched = given.encode("ascii"), False
        for secret in trust.secrets:
            if secret:  # an HMAC under an empty key proves nothing
                digest = hmac.digest(secret.encode(), body, hashlib.sha256)
                matched |= hmac.compare_digest(base64.b64encode(digest), signature)
        if not matched:
            raise SignatureRefused("the signature fits none of the live secrets")

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """The same webhook id comes with every retry of one delivery."""
        return Envelope(_header(headers, "webhook-id") or None, _header(headers, "topic") or "")

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The sale with its refunds, a refund, the charges of transactions, a payout with its lines, a dispute."""
        if topic:
            return _by_topic(payload, topic.strip().casefold(), context)
        return _by_wrapper(payload, context)

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)

    def privacy(self, payload: Any, topic: str) -> PrivacyRequest | None:
        """What one of the three compliance topics asks."""
        return privacy.privacy(payload, topic)

    def concerns(self, request: PrivacyRequest, account: Account) -> bool:
        """By the shop's myshopify.com host: Shopify has one address for all shops of an app."""
        return privacy.concerns(request, account)

    def persons(self, payload: Any) -> list[Person]:
        """Of each order the customer and the order."""
        return privacy.persons(payload)

    def forget(self, payload: Any, whom: Callable[[Person], bool]) -> Any:
        """Orders without the customer's hash, postcode and city."""
        return privacy.forget(payload, whom)


def _header(headers: Headers, name: str) -> str | None:
    """A header of the newer deliveries, which have no X- prefix, or of the usual ones."""
    return headers.get("shopify-" + name) or headers.get("x-shopify-" + name)


def _by_topic(payload: Any, topic: str, context: Context) -> list[AnyRecord]:
    if topic in ORDER_TOPICS:
        return order_records(_unwrapped(payload, "order"), context)
    if topic == "refunds/create":
        return _refund(_unwrapped(payload, "refund"), context)
    if topic == "order_transactions/create":
        return _charges([_unwrapped(payload, "transaction")], "", context)
    if topic in DISPUTE_TOPICS:
        return [dispute_record(_unwrapped(payload, "dispute"), context)]
    if topic == "orders/edited":
        return []  # ids only: the order is fetched, or comes by its own orders/updated
    if topic == stock.TOPIC:
        raise Ignored(STOCK_CHANGED)
    if topic == "orders/delete":
        raise Ignored(
            "an order deleted in the shop stays in the books: only a cancellation or a refund takes a sale back"
        )
    if privacy.privacy(payload, topic) is not None:
        raise Ignored("a privacy request moves no money or goods")
    raise Ignored(f"the topic {topic[:60]!r} moves no money or goods here")


def _unwrapped(payload: Any, key: str) -> Any:
    """The object itself, where a REST answer's wrapper was kept around it."""
    return payload[key] if type(payload) is dict and len(payload) == 1 and key in payload else payload


def _by_wrapper(payload: Any, context: Context) -> list[AnyRecord]:
    if type(payload) is not dict:
        raise Refused(Problem("NOT_AN_OBJECT", "$", "a Shopify payload is a JSON object"))
    if "order" in payload:
        return order_records(payload["order"], context)
    if "orders" in payload:
        return [record for order in _list(payload, "orders") for record in order_records(order, context)]
    if "refund" in payload:
        return _refund(payload["refund"], context)
    if "transaction" in payload:
        return _charges([payload["transaction"]], "", context)
    if "payout" in payload:
        return [payout_record(payload["payout"], payload.get("transactions"), context)]
    if "payouts" in payload:
        return [payout_record(one, None, context) for one in _list(payload, "payouts")]
    if "dispute" in payload:
        return [dispute_record(payload["dispute"], context)]
    if "disputes" in payload:
        return [dispute_record(one, context) for one in _list(payload, "disputes")]
    if "transactions" in payload and "id" not in payload:
        return _charges(_list(payload, "transactions"), "transactions", context)
    return _bare(payload, context)


def _bare(payload: Json, context: Context) -> list[AnyRecord]:
    """An object without wrapper or topic, told by a field that only its kind has."""
    if "line_items" in payload:
        return order_records(payload, context)
    if "refund_line_items" in payload:
        return _refund(payload, context)
    if "kind" in payload and "gateway" in payload:
        return _charges([payload], "", context)
    if "order_edit" in payload:
        return []
    raise Refused(Problem("UNKNOWN_PAYLOAD", "$", "nothing that Shopify is known to send about money or goods"))


def _list(payload: Json, key: str) -> list[Any]:
    value = payload[key]
    if type(value) is not list:
        raise Refused(Problem("NOT_A_LIST", key, f"{key} should be a list"))
    return value


def _refund(raw: Any, context: Context) -> list[AnyRecord]:
    problems: list[Problem] = []
    record = refund_record(raw, context, problems)
    if record is None or problems:
        raise Refused(*problems)
    return [record]


def _charges(rows: list[Any], where: str, context: Context) -> list[AnyRecord]:
    for index, row in enumerate(rows):
        if type(row) is not dict:
            place = f"{where}[{index}]" if where else "$"
            raise Refused(Problem("NOT_AN_OBJECT", place, "a transaction should be a JSON object"))
    return list(charges(rows, where, context))


adapter = Shopify()
