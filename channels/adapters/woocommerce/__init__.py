"""WooCommerce: orders and their refunds, by webhook or as REST answers (wc/v3). Pure.

words.py holds the vendor's words; one module each reads an order, its lines, taxes, payment and refunds; calls.py asks the shop,
stock.py for levels and products.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from channels.adapter import Adapter, Context, Envelope, Headers, Ignored, SignatureRefused, Trust
from channels.adapters.woocommerce import calls, stock
from channels.adapters.woocommerce.reading import short
from channels.adapters.woocommerce.sale import order_records
from channels.adapters.woocommerce.scrub import scrub
from channels.canonical import AnyRecord
from channels.client import Account, Calls, Limits, Pages, Pointer, Reply, StockLevel, StockPlace, Stream
from channels.reading import Json
from channels.refund import Refund
from salessync.core.problems import Problem, Refused

# Hooks of WordPress that a webhook can be bound to; their events carry the order's id and nothing else.
ORDER_ACTIONS = frozenset({
    "woocommerce_order_refunded", "woocommerce_order_partially_refunded", "woocommerce_order_fully_refunded",
    "woocommerce_order_status_changed", "woocommerce_payment_complete",
})  # fmt: skip

_PING = re.compile(rb"webhook_id=[0-9]{1,20}")
_ENTITY = re.compile("&(?:(amp)|(lt)|(gt)|(quot)|#0*(38|60|62|34|39)|#[xX]0*(26|22|27));")
_NAMED = ("&", "<", ">", '"')
_ORDER_PAGE = re.compile(r".*/orders/([0-9]{1,20})/?")


class WooCommerce(Adapter):
    """One WooCommerce shop on its merchant's own host (`Account.base_url`, https).

    Credentials: `consumer_key` and `consumer_secret` of a REST key that may read and write; `webhook_secret`, if the
    administrator wants to choose it.
    """

    name = "woocommerce"
    label = "WooCommerce"
    topics = frozenset(calls.TOPICS)
    kept_headers = frozenset({
        "x-wc-webhook-topic", "x-wc-webhook-resource", "x-wc-webhook-event", "x-wc-webhook-id", "x-wc-webhook-delivery-id",
        "x-wc-webhook-source",
    })  # fmt: skip
    missing = {
        "charges": "WooCommerce knows only that an order is paid; the gateway's own channel tells of the money.",
        "disputes": "WooCommerce has no disputes: the gateway's own channel tells of them.",
        "payouts": "WooCommerce pays nothing out: the gateway's own channel does.",
    }
    streams = (Stream(name="orders", every=300), Stream(name="trash", every=3600, totals="none"))
    limits = Limits(per_second=2.0, burst=4)  # there is no published pace: a shared host decides
    stock_batch = stock.BATCH

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """Base64 of HMAC-SHA256 over the body, under the secret as WordPress decodes it.

        There is no timestamp in the signature, so `now` plays no part: a replay is the same body and is caught as such.
        """
        given = headers.get("x-wc-webhook-signature")
        if not given or not given.isascii():
            raise SignatureRefused("no signature" if not given else "the signature is not base64")
        signature, matched = given.encode("ascii"), False
        for secret in trust.secrets:
            if secret:  # an HMAC under an empty key proves nothing
                digest = hmac.digest(decoded(secret).encode(), body, hashlib.sha256)
                matched |= hmac.compare_digest(base64.b64encode(digest), signature)
        if not matched:
            raise SignatureRefused("the signature fits none of the live secrets")

    def greeting(self, headers: Headers, body: bytes) -> str | None:
        """A webhook that is being saved is tried with its id as a form, unsigned, and stays pending unless that is answered."""
        if headers.get("x-wc-webhook-signature") or _PING.fullmatch(body) is None:
            return None
        return "the shop tries the address of a webhook that is being saved"

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """No delivery id: X-WC-Webhook-Delivery-ID is made of webhook and second, so that two orders of one second share it."""
        return Envelope(None, (headers.get("x-wc-webhook-topic") or "").strip().lower())

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The sale, with its refunds where they were fetched beside it."""
        topic = (topic or "").strip().lower()
        if topic and not topic.startswith("order."):
            return _other_topic(payload, topic)
        if type(payload) is list and payload and not topic:
            return _many(payload, context)
        return _order(payload, topic, context)

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """The order that an event only names, or whose refunds it lists without their detail; of a refund alone, its order."""
        if type(payload) is not dict:
            return None
        if "action" in payload or topic.startswith("action."):
            return _order_pointer(payload.get("arg")) if _is_order_action(payload, topic) else None
        if topic and not topic.startswith("order."):
            return None
        if _is_refund(payload):
            return _order_pointer(_parent_of(payload))
        if _is_id_only(payload):
            return _order_pointer(payload["id"])
        order = payload.get("order") if "refunds" not in payload and "id" not in payload else payload
        if type(order) is dict and "order" not in order and order.get("refunds"):
            return _order_pointer(order.get("id"))
        return None

    def parent(self, record: AnyRecord) -> Pointer | None:
        """A refund's order brings the sale with it."""
        return _order_pointer(record.sale) if isinstance(record, Refund) else None

    def base_url(self, account: Account) -> str:
        """The merchant's own host, and the folder of WordPress on it."""
        return account.base_url.rstrip("/")

    def authorization(self, account: Account) -> Mapping[str, str]:
        """HTTP Basic, which WooCommerce takes over https only."""
        pair = f"{account.credentials.get('consumer_key') or ''}:{account.credentials.get('consumer_secret') or ''}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode("ascii")}

    def pause(self, reply: Reply) -> float:
        """What a host's own limiter advises."""
        told = reply.headers.get("retry-after") or ""
        return float(told) if told.isascii() and told.isdigit() and len(told) < 6 else 0.0

    def poll(
        self,
        stream: str,
        account: Account,
        *,
        since: datetime,
        until: datetime,
        cursor: str | None,
        created: bool = False,
    ) -> Pages:
        """Orders by the time of their change, in the shop or in its trash, each joined with its refunds."""
        return calls.poll_orders(stream, since, until, cursor, created)

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """An order with its refunds."""
        return calls.fetch_order(pointer)

    def subscribe(self, account: Account, url: str) -> Calls:
        """The webhooks of orders; a refund comes as order.updated."""
        return calls.subscribe_orders(account, url)

    def push_stock(self, account: Account, level: StockLevel) -> Calls:
        """A product's or a variation's level."""
        return stock.set_stock(level)

    def read_stock(self, account: Account, places: Sequence[StockPlace]) -> Calls:
        """The quantities of products and variations."""
        return stock.read_stock(places)

    def items(self, account: Account, cursor: str | None) -> Pages:
        """Every product and variation."""
        return stock.items(cursor)

    def stock_locations(self, account: Account) -> Calls:
        """None: a shop has one stock."""
        return stock.stock_locations()


def decoded(secret: str) -> str:
    """What WordPress's wp_specialchars_decode(…, ENT_QUOTES) makes of a secret before it signs: a&amp;b counts as a&b."""

    def char(match: re.Match[str]) -> str:
        named = next((char for char, group in zip(_NAMED, match.groups(), strict=False) if group), None)
        return named or chr(int(match[5]) if match[5] else int(match[6], 16))

    return _ENTITY.sub(char, secret)


def _other_topic(payload: Any, topic: str) -> list[AnyRecord]:
    if topic.startswith("action.") and type(payload) is dict and _is_order_action(payload, topic):
        if _order_pointer(payload.get("arg")) is None:
            raise Refused(Problem("MISSING_ID", "arg", "the event does not say which order it is about"))
        return []  # the id only: the order is fetched
    raise Ignored(f"the topic {topic[:60]!r} moves no money or goods here")


def _many(rows: list[Any], context: Context) -> list[AnyRecord]:
    """A REST list of orders; a basket among them is passed over."""
    found: list[AnyRecord] = []
    ignored: Ignored | None = None
    for row in rows:
        try:
            found += _order(row, "", context)
        except Ignored as reason:
            ignored = reason
    if ignored is not None and not found:
        raise ignored
    return found


def _order(payload: Any, topic: str, context: Context) -> list[AnyRecord]:
    if type(payload) is not dict:
        raise Refused(Problem("NOT_AN_OBJECT", "$", "a WooCommerce order is a JSON object"))
    if "order" in payload and "line_items" not in payload:
        return order_records(payload["order"], payload.get("refunds"), context)
    if "action" in payload and not topic:
        return _other_topic(payload, "action.")
    if _is_error(payload):
        raise Refused(
            Problem(
                "SHOP_ERROR",
                "$",
                "the shop sent an error instead of the order: may the webhook's user still read orders?",
            )
        )
    if _is_id_only(payload):
        if _order_pointer(payload["id"]) is None:
            raise Refused(Problem("BAD_ID", "id", "the order's id should be a whole number"))
        return []  # what became of a deleted order is fetched
    if topic == "order.deleted" and "line_items" not in payload:
        raise Refused(Problem("MISSING_ID", "id", "the event does not say which order was deleted"))
    if _is_refund(payload):
        raise Refused(
            Problem("MISSING_CURRENCY", "currency", "a refund alone has no currency: it is read beside its order"),
            Problem(
                "MISSING_ORDER", "order", "a refund alone does not say what it gives back: it is read beside its order"
            ),
        )
    if not topic and not {"line_items", "total", "currency"} & payload.keys():
        raise Refused(Problem("UNKNOWN_PAYLOAD", "$", "nothing that WooCommerce is known to send about money or goods"))
    return order_records(payload, None, context)


def _is_error(payload: Json) -> bool:
    return "code" in payload and "id" not in payload and "line_items" not in payload


def _is_id_only(payload: Json) -> bool:
    return payload.keys() == {"id"}


def _is_refund(payload: Json) -> bool:
    return "amount" in payload and "currency" not in payload and "order" not in payload


def _is_order_action(payload: Json, topic: str) -> bool:
    action = payload.get("action")
    return (action if type(action) is str else topic.removeprefix("action.")) in ORDER_ACTIONS


def _parent_of(refund: Json) -> Any:
    """The order of a refund: its parent_id, or the address of it."""
    if short(refund.get("parent_id")) not in (None, "0"):
        return refund["parent_id"]
    links = refund.get("_links")
    up = links.get("up") if type(links) is dict else None
    href = up[0].get("href") if type(up) is list and up and type(up[0]) is dict else None
    match = _ORDER_PAGE.fullmatch(href) if type(href) is str else None
    return match[1] if match else None


def _order_pointer(identifier: Any) -> Pointer | None:
    text = short(identifier)
    return Pointer("order", text) if text and text.isascii() and text.isdigit() and len(text) <= 20 else None


adapter = WooCommerce()
