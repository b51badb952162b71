"""BigCommerce: orders of the V2 API with their V3 transactions and refunds, by polling or after a webhook named one. Pure.

words.py holds the vendor's words; one module each reads the order, its lines, taxes, payments and refunds.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from channels import standard_webhooks
from channels.adapter import STOCK_CHANGED, Adapter, Context, Envelope, Headers, Ignored, Trust
from channels.adapters.bigcommerce import client, stock
from channels.adapters.bigcommerce.order import order_records
from channels.adapters.bigcommerce.scrub import scrub
from channels.canonical import AnyRecord
from channels.client import Account, Calls, Limits, Pages, Pointer, Reply, StockLevel, StockPlace, Stream
from channels.refund import Refund
from salessync.core.problems import Problem, Refused

ORDER_SCOPES = frozenset({
    "store/order/created", "store/order/updated", "store/order/statusUpdated", "store/order/refund/created",
    "store/order/transaction/created", "store/order/transaction/updated", "store/order/archived",
})  # fmt: skip
ARCHIVED = "store/order/archived"
SUBSCRIBED = ORDER_SCOPES | stock.TOPICS

_ID = re.compile("[0-9]{1,30}")


class BigCommerce(Adapter):
    """One BigCommerce store. Credentials: `store_hash`, `token` (X-Auth-Token), `client_secret` (it signs the webhooks)."""

    name = "bigcommerce"
    label = "BigCommerce"
    topics = SUBSCRIBED
    stock_topics = stock.TOPICS
    stock_batch = stock.BATCH
    kept_headers = frozenset({"webhook-id", "webhook-timestamp"})
    missing = {
        "charges": "BigCommerce knows payments only as transactions of an order, which are the sale's tenders.",
        "disputes": "BigCommerce has no dispute object: the payment processor tells of a chargeback.",
        "payouts": "BigCommerce pays nothing out: the payment processor does.",
    }
    streams = (Stream(name="orders", overlap=120, every=300),)
    limits = Limits(per_second=4.0, burst=30)  # the smallest plan has 150 requests in 30 seconds, for all apps together

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """Standard Webhooks v1: HMAC-SHA256 over id, timestamp and body; the key is the app's client secret as it stands."""
        standard_webhooks.verify(headers, body, trust.secrets, now, key=str.encode)

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """The webhook's id, the same over retries; the body's own hash is shared by two events of one kind."""
        scope = payload.get("scope") if type(payload) is dict else None
        return Envelope(headers.get("webhook-id") or None, scope[:100] if type(scope) is str else "")

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The sale and its refunds of an order that was joined with what belongs to it; events carry ids only."""
        if type(payload) is not dict:
            raise Refused(Problem("NOT_AN_OBJECT", "$", "a BigCommerce payload is a JSON object"))
        if "order" in payload:
            return order_records(payload["order"], payload, context)
        scope = payload.get("scope") or topic
        if type(scope) is str and scope:
            return _event(payload, scope.strip())
        if "status_id" in payload or "total_inc_tax" in payload:
            return order_records(payload, payload, context)
        if "total_amount" in payload or "refunds" in payload or _wraps(payload, "total_amount"):
            raise Refused(
                Problem("MISSING_CURRENCY", "currency", "a refund alone has no currency: it is read with its order")
            )
        raise Refused(Problem("UNKNOWN_PAYLOAD", "$", "nothing that BigCommerce is known to send about money or goods"))

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """The order that an event is about, whatever part of it changed."""
        if type(payload) is not dict or "order" in payload:
            return None
        scope = payload.get("scope") or topic
        if type(scope) is not str or scope not in ORDER_SCOPES or scope == ARCHIVED:
            return None
        identifier = _order_id(payload.get("data"))
        return Pointer("order", identifier) if identifier else None

    def parent(self, record: AnyRecord) -> Pointer | None:
        """A refund comes with its order; one that does not can ask for it."""
        return Pointer("order", record.sale) if isinstance(record, Refund) and record.sale else None

    def base_url(self, account: Account) -> str:
        """One host for every store; the store's hash is in the path."""
        return "https://api.bigcommerce.com"

    def authorization(self, account: Account) -> Mapping[str, str]:
        """The store-level or app-level API account's token, which does not expire."""
        return {"X-Auth-Token": str(account.credentials.get("token", "")), "Accept": "application/json"}

    def pause(self, reply: Reply) -> float:
        """As the rate headers tell."""
        return client.pause(reply)

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
        """Orders by the time of their last change (or of their creation), each joined."""
        if stream != "orders":
            raise ValueError(f"BigCommerce has no stream {stream!r}")
        return client.orders(account, since=since, until=until, cursor=cursor, created=created)

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """One order, joined."""
        if pointer.kind != "order":
            raise ValueError(f"BigCommerce has nothing called {pointer.kind!r} to fetch")
        return client.order(account, pointer.id)

    def subscribe(self, account: Account, url: str) -> Calls:
        """One hook a scope; those that were deactivated are made active again."""
        return client.subscribe(account, url, SUBSCRIBED)

    def push_stock(self, account: Account, level: StockLevel) -> Calls:
        """An absolute adjustment at one location."""
        return stock.push_stock(account, level)

    def read_stock(self, account: Account, places: Sequence[StockPlace]) -> Calls:
        """What locations have on hand, less the safety stock."""
        return stock.read_stock(account, places)

    def items(self, account: Account, cursor: str | None) -> Pages:
        """Every variant of the catalogue."""
        return stock.items(account, cursor)

    def stock_locations(self, account: Account) -> Calls:
        """The store's inventory locations."""
        return stock.stock_locations(account)

    def stock_hint(self, payload: Any, topic: str) -> tuple[StockPlace, ...]:
        """A product or variant."""
        return stock.stock_hint(payload, topic)


def _event(payload: dict[str, Any], scope: str) -> list[AnyRecord]:
    if scope == ARCHIVED:
        raise Ignored(
            "an order archived in the shop stays in the books: only a cancellation or a refund takes a sale back"
        )
    if scope in stock.TOPICS:
        raise Ignored(STOCK_CHANGED)
    if scope not in ORDER_SCOPES:
        raise Ignored(f"the event {scope[:60]!r} moves no money or goods here")
    if not _order_id(payload.get("data")):
        raise Refused(Problem("MISSING_ID", "data.id", "the event does not say which order it is about"))
    return []


def _order_id(data: Any) -> str | None:
    """`id` of an order's event, `order_id` of a transaction's, a number or digits."""
    if type(data) is not dict:
        return None
    value = data.get("order_id") if data.get("order_id") is not None else data.get("id")
    text = str(value) if type(value) is int or type(value) is str else ""
    return text if _ID.fullmatch(text) else None


def _wraps(payload: dict[str, Any], key: str) -> bool:
    data = payload.get("data")
    rows = data if type(data) is list else [data]
    return any(type(row) is dict and key in row for row in rows)


adapter = BigCommerce()
