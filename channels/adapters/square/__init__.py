"""Square: orders, returns, payments, refunds, payouts and disputes, by webhook, as REST answers or polled. Pure.

words.py holds the vendor's words; sale.py, refund.py, payment.py and payout.py read one kind of object each, client.py asks for them,
stock.py for counts and the catalogue.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from channels.adapter import STOCK_CHANGED, Adapter, Context, Envelope, Headers, Ignored, SignatureRefused, Trust
from channels.adapters.square import client, stock
from channels.adapters.square.payment import payment_record
from channels.adapters.square.payout import dispute_record, payout_record
from channels.adapters.square.refund import refund_record
from channels.adapters.square.sale import order_records
from channels.adapters.square.scrub import scrub
from channels.canonical import AnyRecord
from channels.charge import Charge
from channels.client import Account, Ask, Calls, Limits, Pages, Pointer, Reply, StockLevel, StockPlace
from channels.dispute import Dispute
from channels.reading import Json, word
from channels.refund import Refund
from salessync.core.problems import Problem, Refused

ORDER_TOPICS = frozenset({"order.created", "order.updated", "order.fulfillment.updated"})  # ids only
OBJECT_TOPICS = frozenset({
    "payment.created", "payment.updated", "refund.created", "refund.updated", "dispute.created", "dispute.state.updated",
    "payout.sent", "payout.paid", "payout.failed",
})  # fmt: skip
KINDS = frozenset(
    {"payment", "refund", "dispute", "payout"}
)  # what a topic begins with, where the event holds the object

# a field that only objects of this kind have, for an object that comes without a wrapper
TELLTALE = (
    ("disputed_payment", "dispute"), ("source_type", "payment"), ("approved_money", "payment"), ("arrival_date", "payout"),
    ("payment_id", "refund"), ("line_items", "order"), ("returns", "order"), ("net_amounts", "order"), ("tenders", "order"),
)  # fmt: skip


class Square(Adapter):
    """One Square seller.

    Credentials: `token`, a personal or OAuth access token; for OAuth also `refresh_token`, `client_id` and, outside of PKCE,
    `client_secret`. `application_token`, where webhooks are subscribed: they belong to the application and not to the seller.
    `locations`, a list of location ids, where not all of the seller's are wanted.
    """

    name = "square"
    label = "Square"
    settles = True
    is_processor = True
    topics = ORDER_TOPICS | OBJECT_TOPICS | {stock.TOPIC}
    stock_topics = frozenset({stock.TOPIC})
    stock_batch = stock.BATCH
    kept_headers = frozenset({
        "square-environment", "square-initial-delivery-timestamp", "square-retry-number", "square-retry-reason",
        "square-version",
    })  # fmt: skip
    streams = client.STREAMS
    limits = Limits(per_second=5.0, burst=10)  # Square publishes none

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """Base64 of HMAC-SHA256 over the notification URL and the body.

        The URL is the one that Square was told, to the byte. There is no timestamp in the signature, so `now` plays no part: a
        replay is caught by the event's id.
        """
        given = headers.get("x-square-hmacsha256-signature")
        if not given or not given.isascii():
            raise SignatureRefused("no signature" if not given else "the signature is not base64")
        signature, matched = given.encode("ascii"), False
        for secret in trust.secrets:
            for url in trust.urls if secret else ():  # an HMAC under an empty key proves nothing
                digest = hmac.digest(secret.encode(), url.encode() + body, hashlib.sha256)
                matched |= hmac.compare_digest(base64.b64encode(digest), signature)
        if not matched:
            raise SignatureRefused("the signature fits none of the live secrets and addresses")

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """Both stand in the body; the event's id is the same with every retry."""
        event = payload if type(payload) is dict and "event_id" in payload else {}  # a payout has a type as well
        return Envelope(word(event.get("event_id"))[:255] or None, word(event.get("type")))

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The sale or refund of an order, the charge of a payment, a refund, a payout with its entries, a dispute."""
        if type(payload) is not dict:
            raise Refused(Problem("NOT_AN_OBJECT", "$", "a Square payload is a JSON object"))
        if "data" in payload or "event_id" in payload:
            return _by_topic(payload, word(topic) or word(payload.get("type")), context)
        if topic and not any(key in payload for key in (*_BY_WRAPPER, *_BY_LIST, *(field for field, _ in TELLTALE))):
            return _by_topic(payload, topic, context)
        return _by_wrapper(payload, context)

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """The order that an order event names by its id."""
        if topic not in ORDER_TOPICS or type(payload) is not dict:
            return None
        identifier = _named_order(payload)
        return Pointer("order", identifier) if identifier else None

    def parent(self, record: AnyRecord) -> Pointer | None:
        """The order of a payment or of returned goods; the payment of a refund or dispute."""
        if isinstance(record, Charge) and record.order_reference:
            return Pointer("order", record.order_reference)
        if isinstance(record, Refund) and record.sale:
            return Pointer("order", record.sale)
        charge = record.charge if isinstance(record, Refund) else None
        charge = record.tender_reference if isinstance(record, Dispute) else charge
        return Pointer("payment", charge) if charge else None

    def base_url(self, account: Account) -> str:
        """Square's own hosts only."""
        return "https://connect.squareupsandbox.com" if account.test else "https://connect.squareup.com"

    def authorization(self, account: Account) -> Mapping[str, str]:
        """The token, and the version of the API whose answers are read here."""
        return client.authorization(account)

    def refresh(self, account: Account) -> Ask | None:
        """Only tokens of OAuth expire."""
        return client.refresh(account)

    def renewed(self, reply: Reply, account: Account, now: datetime) -> dict[str, Any]:
        """The new access token; the refresh token is single-use where PKCE is."""
        return client.renewed(reply, account, now)

    def pause(self, reply: Reply) -> float:
        """What Retry-After says; Square publishes no pace."""
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
        """Orders, payments and refunds by their time of change, payouts by their beginning, disputes all over again."""
        return client.poll(stream, account, since=since, until=until, cursor=cursor, created=created)

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """One order, payment, refund, payout or dispute."""
        return client.fetch(pointer)

    def subscribe(self, account: Account, url: str) -> Calls:
        """One subscription of the application for `url`, with every topic."""
        return client.subscribe(account, url, self.topics)

    def push_stock(self, account: Account, level: StockLevel) -> Calls:
        """A physical count of the item variation at the location."""
        return stock.push_stock(level)

    def read_stock(self, account: Account, places: Sequence[StockPlace]) -> Calls:
        """The counts IN_STOCK of item variations."""
        return stock.read_stock(places)

    def items(self, account: Account, cursor: str | None) -> Pages:
        """Every item variation of the catalogue."""
        return stock.items(cursor)

    def stock_locations(self, account: Account) -> Calls:
        """The seller's open locations."""
        return stock.stock_locations(account)

    def stock_hint(self, payload: Any, topic: str) -> tuple[StockPlace, ...]:
        """Inventory counts."""
        return stock.stock_hint(payload, topic)


def _by_topic(payload: Json, topic: str, context: Context) -> list[AnyRecord]:
    topic = topic.strip().casefold()
    kind = topic.partition(".")[0]
    if topic in ORDER_TOPICS:
        if _named_order(payload):
            return []  # ids only: the order is fetched
        raise Refused(Problem("MISSING_ID", "data.id", "the event does not say which order it is about"))
    if topic == stock.TOPIC:
        raise Ignored(STOCK_CHANGED)
    if kind not in KINDS:
        raise Ignored(
            f"the topic {topic[:60]!r} moves no money or goods here"
            if topic
            else "the event does not say what happened"
        )
    held = _held(payload)
    if kind in held:
        return _BY_WRAPPER[kind](held[kind], {}, context)
    if topic not in OBJECT_TOPICS:
        raise Ignored(f"the event {topic[:60]!r} does not hold the {kind} it is about")
    raise Refused(Problem("NOT_AN_OBJECT", f"data.object.{kind}", f"the event does not hold the {kind} it is about"))


def _held(payload: Json) -> Json:
    """What an event holds under the name of its kind."""
    data = payload.get("data")
    held = data.get("object") if type(data) is dict else None
    return held if type(held) is dict else {}


def _named_order(payload: Json) -> str | None:
    """The id of the order that an event names: inside of the event, else the data's own."""
    data = payload.get("data")
    candidates = [one.get("order_id") for one in _held(payload).values() if type(one) is dict]
    candidates.append(data.get("id") if type(data) is dict else None)
    return next((one for one in candidates if type(one) is str and 0 < len(one) <= 255 and one.strip()), None)


def _by_wrapper(payload: Json, context: Context) -> list[AnyRecord]:
    for key, read in _BY_WRAPPER.items():
        if key in payload:
            return read(payload[key], payload, context)
    for key, one in _BY_LIST.items():
        if key in payload and "id" not in payload:
            return _several(payload[key], key, one, context)
    for field, kind in TELLTALE:
        if field in payload:
            return _BY_WRAPPER[kind](payload, {}, context)
    raise Refused(Problem("UNKNOWN_PAYLOAD", "$", "nothing that Square is known to send about money or goods"))


def _several(rows: Any, key: str, kind: str, context: Context) -> list[AnyRecord]:
    """The objects of a list; what is ignored alone is ignored among others too."""
    if type(rows) is not list:
        raise Refused(Problem("NOT_A_LIST", key, f"{key} should be a list"))
    found: list[AnyRecord] = []
    reason: Ignored | None = None
    for row in rows:
        try:
            found += _BY_WRAPPER[kind](row, {}, context)
        except Ignored as ignored:
            reason = ignored
    if reason is not None and not found:
        raise reason
    return found


def _order(raw: Any, beside: Json, context: Context) -> list[AnyRecord]:
    return order_records(raw, context, beside.get("location"), beside.get("refunds"))


def _payment(raw: Any, beside: Json, context: Context) -> list[AnyRecord]:
    return [payment_record(raw, context)]


def _refund(raw: Any, beside: Json, context: Context) -> list[AnyRecord]:
    return [refund_record(raw, context)]


def _payout(raw: Any, beside: Json, context: Context) -> list[AnyRecord]:
    return [payout_record(raw, beside.get("payout_entries"), context)]


def _dispute(raw: Any, beside: Json, context: Context) -> list[AnyRecord]:
    return [dispute_record(raw, context)]


_BY_WRAPPER = {"order": _order, "payment": _payment, "refund": _refund, "payout": _payout, "dispute": _dispute}
_BY_LIST = {"orders": "order", "payments": "payment", "refunds": "refund", "payouts": "payout", "disputes": "dispute"}

adapter = Square()
