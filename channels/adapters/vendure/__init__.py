"""Vendure (v3): orders with their payments and refunds, by a plugin's events or as answers of the Admin API (GraphQL). Pure.

Vendure's core posts no webhooks. A plugin in the shop listens to its EventBus and posts `{"type": "order.placed", "data": {"id": "42"}}`,
signed as the Standard Webhooks specification says; it names ids only, and the pipeline asks for the order.
words.py holds the vendor's words; amounts.py its numbers; one module each reads lines, payments, refunds and totals.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from channels import standard_webhooks
from channels.adapter import Adapter, Context, Envelope, Headers, Ignored, Trust
from channels.adapters.vendure import client, stock
from channels.adapters.vendure.sale import Shop, order_records
from channels.adapters.vendure.scrub import scrub
from channels.adapters.vendure.words import TOPICS
from channels.canonical import AnyRecord
from channels.client import Account, Ask, Calls, Limits, Pages, Pointer, Reply, StockLevel, StockPlace, Stream
from channels.reading import Json
from channels.refund import Refund
from salessync.core.problems import Problem, Refused


class Vendure(Adapter):
    """One Vendure shop at the merchant's own address.

    Credentials: `api_key`, or `username` and `password` of an administrator, whose session's `token` is kept and renewed; and for a
    shop of several channels `channel_token`. The address is the server's, without `/admin-api`.
    """

    name = "vendure"
    label = "Vendure"
    topics = frozenset(TOPICS)
    stock_batch = stock.BATCH
    kept_headers = frozenset({"webhook-id", "webhook-timestamp"})
    missing = {
        "charges": "a payment stands inside its order and is read as that sale's tender",
        "disputes": "Vendure knows none: they come from the payment processor",
        "payouts": "Vendure knows none: they come from the payment processor",
    }
    streams = (
        Stream(name="orders", overlap=120, every=300),
        Stream(name="refunds", overlap=300, every=1800, totals="created"),
    )
    limits = Limits(per_second=5.0, burst=10)  # the merchant's own server: Vendure publishes no limit

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """Standard Webhooks v1, as the shop's plugin signs."""
        standard_webhooks.verify(headers, body, trust.secrets, now)

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """The plugin's webhook-id, the same on every attempt; the topic is the event's name."""
        kind = payload.get("type") if type(payload) is dict else None
        return Envelope(headers.get("webhook-id") or None, kind[:100] if type(kind) is str else "")

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The sale with its refunds; nothing for an event, which only names what is to be fetched."""
        if type(payload) is not dict:
            raise Refused(Problem("NOT_AN_OBJECT", "$", "a Vendure payload is a JSON object"))
        data = payload.get("data")
        answer = data if type(data) is dict and ("order" in data or "orders" in data) else payload
        if "order" in answer:
            return order_records(answer["order"], _shop(answer, answer["order"]), context)
        if "orders" in answer:
            return _many(answer, context)
        if payload.get("errors"):
            raise Refused(Problem("GRAPHQL_ERROR", "errors", "Vendure answered with an error instead of an order"))
        if topic or "data" in payload:
            return _event(payload, topic or payload.get("type"))
        if "lines" in payload and "code" in payload:
            return order_records(payload, _shop(payload, payload), context)
        raise Refused(Problem("UNKNOWN_PAYLOAD", "$", "nothing that Vendure is known to say about money or goods"))

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """The order that an event names."""
        if type(payload) is not dict or "order" in payload:
            return None
        return _pointer(payload.get("data"), topic or payload.get("type"))

    def parent(self, record: AnyRecord) -> Pointer | None:
        """A refund comes with its sale; where it was stored alone, the order can be asked for."""
        return Pointer("order", record.sale) if isinstance(record, Refund) and record.sale else None

    def base_url(self, account: Account) -> str:
        """The merchant's own host."""
        return account.base_url.rstrip("/").removesuffix(client.PATH)

    def authorization(self, account: Account) -> Mapping[str, str]:
        """An API key has a header of its own; a session's token is a bearer token."""
        known = account.credentials
        headers = {}
        if known.get("api_key"):
            headers["vendure-api-key"] = str(known["api_key"])
        elif known.get("token"):
            headers["Authorization"] = f"Bearer {known['token']}"
        if known.get("channel_token"):
            headers["vendure-token"] = str(known["channel_token"])
        return headers

    def refresh(self, account: Account) -> Ask | None:
        """A new session where a name and password are known."""
        return client.login(account)

    def renewed(self, reply: Reply, account: Account, now: datetime) -> dict[str, Any]:
        """The session's token comes in a header."""
        return client.session(reply, account, now)

    def denies(self, reply: Reply) -> bool:
        """Without a session, or after its end, Vendure answers 200 and FORBIDDEN."""
        return client.error_of(reply) == "FORBIDDEN"

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
        """Orders by their last change; and recent orders with a new refund, which does not change its order."""
        if stream == "orders":
            return client.poll_orders(since, until, cursor, created)
        if stream == "refunds":
            return client.poll_refunds(since, until, cursor)
        raise KeyError(stream)

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """One order with its payments and refunds."""
        return client.fetch(pointer)

    def subscribe(self, account: Account, url: str) -> Calls:
        """Nothing can be asked for: the plugin is a part of the merchant's server."""
        yield from ()
        return {"made": [], "secret": None}

    def push_stock(self, account: Account, level: StockLevel) -> Calls:
        """Set the stock on hand of a variant (`item_id`) at a stock location."""
        return stock.push_stock(level)

    def read_stock(self, account: Account, places: Sequence[StockPlace]) -> Calls:
        """What is on hand less what is allocated."""
        return stock.read_stock(places)

    def items(self, account: Account, cursor: str | None) -> Pages:
        """Every variant."""
        return stock.items(cursor)

    def stock_locations(self, account: Account) -> Calls:
        """The shop's stock locations."""
        return stock.stock_locations()


def _shop(answer: Json, order: Any) -> Shop:
    """The precision of the server's money and the price mode of the channel, where the query asked for them."""
    settings = answer.get("globalSettings")
    config = settings.get("serverConfig") if type(settings) is dict else None
    precision = config.get("moneyStrategyPrecision") if type(config) is dict else None
    channel = answer.get("activeChannel")
    flag = order.get("pricesIncludeTax") if type(order) is dict else None
    if type(flag) is not bool and type(channel) is dict:
        flag = channel.get("pricesIncludeTax")
    return Shop(
        precision if type(precision) is int and 0 <= precision <= 6 else None, flag if type(flag) is bool else None
    )


def _many(answer: Json, context: Context) -> list[AnyRecord]:
    rows = answer["orders"]
    if type(rows) is dict:
        rows = rows.get("items")
    if type(rows) is not list:
        raise Refused(Problem("NOT_A_LIST", "orders.items", "orders.items should be a list"))
    found: list[AnyRecord] = []
    problems: list[Problem] = []
    for index, order in enumerate(rows):
        try:
            found.extend(order_records(order, _shop(answer, order), context))
        except Ignored:  # a cart between orders
            continue
        except Refused as refused:
            problems.extend(Problem(p.code, f"orders.items[{index}].{p.path}", p.message) for p in refused.problems)
    if problems:
        raise Refused(*problems)
    return found


def _event(payload: Json, topic: Any) -> list[AnyRecord]:
    if type(topic) is not str or topic not in TOPICS:
        raise Ignored(f"the event {str(topic)[:60]!r} moves no money or goods here")
    if _pointer(payload.get("data"), topic) is None:
        raise Refused(Problem("MISSING_ID", "data.orderId", "the event does not name the order that it is about"))
    return []


def _pointer(data: Any, topic: Any) -> Pointer | None:
    if type(data) is not dict or type(topic) is not str:
        return None
    for key in TOPICS.get(topic, ()):
        identifier = data.get(key)
        if type(identifier) is int and 0 <= identifier < 10**30:
            return Pointer("order", str(identifier))
        if type(identifier) is str and 0 < len(identifier) <= 255 and identifier.strip():
            return Pointer("order", identifier)
    return None


adapter = Vendure()
