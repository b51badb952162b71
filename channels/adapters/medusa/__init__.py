"""Medusa (v2): orders with their payments, refunds and returns, by the shop's own events or as Admin API answers. Pure.

Medusa's core posts no webhooks. A subscriber in the shop posts `{"type": "order.placed", "data": {"id": "order_…"}}`, signed as the
Standard Webhooks specification says; it names ids only, and the pipeline asks for the object. Of an event inventory-level.updated it
adds to `data` the level's own `inventory_item_id` and `location_id`.
words.py holds the vendor's words; amounts.py its unrounded numbers; one module each reads lines, payments, returns, refunds, totals.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from channels import standard_webhooks
from channels.adapter import STOCK_CHANGED, Adapter, Context, Envelope, Headers, Ignored, Trust
from channels.adapters.medusa import client, stock
from channels.adapters.medusa.sale import order_records
from channels.adapters.medusa.scrub import scrub
from channels.adapters.medusa.words import TOPICS
from channels.canonical import AnyRecord
from channels.client import Account, Calls, Limits, Pages, Pointer, Reply, StockLevel, StockPlace, Stream
from channels.reading import Json
from channels.refund import Refund
from salessync.core.problems import Problem, Refused


class Medusa(Adapter):
    """One Medusa shop at the merchant's own address. Credentials: `token`, a secret API key of the Admin (`sk_…`)."""

    name = "medusa"
    label = "Medusa"
    topics = frozenset(TOPICS) | {stock.TOPIC}
    stock_topics = frozenset({stock.TOPIC})
    stock_batch = stock.BATCH
    kept_headers = frozenset({"webhook-id", "webhook-timestamp"})
    missing = {
        "charges": "a payment stands inside its order and is read as that sale's tender",
        "disputes": "Medusa knows none: they come from the payment processor",
        "payouts": "Medusa knows none: they come from the payment processor",
    }
    streams = (Stream(name="orders", overlap=120, every=300), Stream(name="payments", overlap=120, every=300))
    limits = Limits(per_second=5.0, burst=10)  # the merchant's own server: Medusa publishes no limit

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """Standard Webhooks v1, as the shop's subscriber signs."""
        standard_webhooks.verify(headers, body, trust.secrets, now)

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """The subscriber's webhook-id, the same on every attempt; the topic is the event's name."""
        kind = payload.get("type") if type(payload) is dict else None
        return Envelope(headers.get("webhook-id") or None, kind[:100] if type(kind) is str else "")

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The sale with its refunds; nothing for an event, which only names what is to be fetched."""
        if type(payload) is not dict:
            raise Refused(Problem("NOT_AN_OBJECT", "$", "a Medusa payload is a JSON object"))
        if "order" in payload:
            return order_records(payload["order"], payload.get("payments"), payload.get("returns"), context)
        if "orders" in payload:
            return _many(payload, context)
        if topic or "data" in payload:
            return _event(payload, topic or payload.get("type"))
        if "items" in payload and ("display_id" in payload or "currency_code" in payload):
            return order_records(payload, None, None, context)
        if {"payments", "payment", "returns", "return"} & payload.keys():
            raise Ignored("payments and returns are read with their order, which alone tells what was sold")
        raise Refused(Problem("UNKNOWN_PAYLOAD", "$", "nothing that Medusa is known to say about money or goods"))

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """The order that an event names, or the payment whose order is asked for."""
        if type(payload) is not dict or "order" in payload:
            return None
        return _pointer(payload.get("data"), topic or payload.get("type"))

    def parent(self, record: AnyRecord) -> Pointer | None:
        """A refund comes with its sale; where it was stored alone, the order can be asked for."""
        return Pointer("order", record.sale) if isinstance(record, Refund) and record.sale else None

    def base_url(self, account: Account) -> str:
        """The merchant's own host."""
        return account.base_url.rstrip("/")

    def authorization(self, account: Account) -> Mapping[str, str]:
        """A secret API key is the user name of HTTP Basic, without a password."""
        token = str(account.credentials.get("token", ""))
        return {"Authorization": "Basic " + base64.b64encode(f"{token}:".encode()).decode("ascii")}

    def pause(self, reply: Reply) -> float:
        """What a proxy before the shop may ask for."""
        told = reply.headers.get("retry-after", "")
        return float(told) if re.fullmatch("[0-9]{1,5}", told) else 0.0

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
        """Orders by their last change; and the orders of payments that changed, since a capture does not touch the order."""
        if stream == "orders":
            return client.poll_orders(since, until, cursor, created)
        if stream == "payments":
            return client.poll_payments(since, until, cursor, created)
        raise KeyError(stream)

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """One order with its returns, by its own id or by that of a payment."""
        return client.fetch(pointer)

    def subscribe(self, account: Account, url: str) -> Calls:
        """Nothing can be asked for: the subscriber is a file in the merchant's shop."""
        yield from ()
        return {"made": [], "secret": None}

    def push_stock(self, account: Account, level: StockLevel) -> Calls:
        """Set the stocked quantity of an inventory item (`item_id`) at a stock location."""
        return stock.push_stock(account, level)

    def read_stock(self, account: Account, places: Sequence[StockPlace]) -> Calls:
        """What is stocked less what is reserved."""
        return stock.read_stock(places)

    def items(self, account: Account, cursor: str | None) -> Pages:
        """Every variant."""
        return stock.items(cursor)

    def stock_locations(self, account: Account) -> Calls:
        """The shop's stock locations."""
        return stock.stock_locations()

    def stock_hint(self, payload: Any, topic: str) -> tuple[StockPlace, ...]:
        """An inventory level."""
        return stock.stock_hint(payload, topic)


def _many(payload: Json, context: Context) -> list[AnyRecord]:
    rows = payload["orders"]
    if type(rows) is not list:
        raise Refused(Problem("NOT_A_LIST", "orders", "orders should be a list"))
    found: list[AnyRecord] = []
    problems: list[Problem] = []
    for index, order in enumerate(rows):
        try:
            found.extend(order_records(order, None, payload.get("returns"), context))
        except Ignored:  # a draft between orders
            continue
        except Refused as refused:
            problems.extend(Problem(p.code, f"orders[{index}].{p.path}", p.message) for p in refused.problems)
    if problems:
        raise Refused(*problems)
    return found


def _event(payload: Json, topic: Any) -> list[AnyRecord]:
    if topic == stock.TOPIC:
        raise Ignored(STOCK_CHANGED)
    if type(topic) is not str or topic not in TOPICS:
        raise Ignored(f"the event {str(topic)[:60]!r} moves no money or goods here")
    if _pointer(payload.get("data"), topic) is None:
        raise Refused(Problem("MISSING_ID", "data.id", "the event does not name the object that it is about"))
    return []


def _pointer(data: Any, topic: Any) -> Pointer | None:
    if type(data) is not dict or type(topic) is not str:
        return None
    for kind, key in TOPICS.get(topic, ()):
        identifier = data.get(key)
        if type(identifier) is str and 0 < len(identifier) <= 255 and identifier.strip():
            return Pointer(kind, identifier)
    return None


adapter = Medusa()
