"""Lightspeed Retail X-Series (once Vend): sales and returns of a retailer's tills, by polling or after a webhook. Pure.

words.py holds the vendor's words; till.py reads the three shapes of a sale into one; lines.py rounds; records.py makes ours.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from channels.adapter import STOCK_CHANGED, Adapter, Context, Envelope, Headers, Ignored, SignatureRefused, Trust
from channels.adapters.lightspeed import client, stock
from channels.adapters.lightspeed.records import sale_records
from channels.adapters.lightspeed.scrub import scrub
from channels.canonical import AnyRecord
from channels.client import Account, Ask, Calls, Limits, Pages, Pointer, Reply, StockLevel, StockPlace, Stream
from channels.refund import Refund
from salessync.core.problems import Problem, Refused

SALE_UPDATE = "sale.update"

_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_SIGNATURE = re.compile("signature=([0-9a-f]{64}), ?algorithm=HMAC-SHA256")


class Lightspeed(Adapter):
    """One retailer.

    Credentials: `domain_prefix` (of https://<prefix>.retail.lightspeed.app) and `token`; of an OAuth app also `refresh_token`,
    `client_id`, `client_secret` (it signs the webhooks) and `expires_at`. A personal token does not expire.
    """

    name = "lightspeed"
    label = "Lightspeed Retail (X-Series)"
    topics = frozenset({SALE_UPDATE, stock.TOPIC})
    stock_topics = frozenset({stock.TOPIC})
    stock_batch = stock.BATCH
    missing = {
        "charges": "Lightspeed lists payments inside the sale, as its tenders.",
        "disputes": "Lightspeed Retail has no dispute object: the payment processor tells of a chargeback.",
        "payouts": "Lightspeed Retail pays nothing out: Lightspeed Payments or the terminal's processor does.",
    }
    streams = (Stream(name="sales", overlap=120, every=300),)
    limits = Limits(per_second=1.0, burst=50)  # 300 for each register and 50 in five minutes

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """Hex of HMAC-SHA256 with the app's client secret, over the form as sent or over its field `payload`.

        The documentation leaves open which of the two, and either proves the payload; there is no timestamp in it.
        """
        match = _SIGNATURE.fullmatch(headers.get("x-signature") or "")
        if match is None:
            raise SignatureRefused("X-Signature is missing or malformed")
        field = _payload(body)
        signed = [body] if field is None else [body, field]
        given, matched = match[1].encode("ascii"), False
        for secret in trust.secrets:
            if secret:  # an HMAC under an empty key proves nothing
                for text in signed:
                    expected = hmac.digest(secret.encode(), text, hashlib.sha256).hex().encode("ascii")
                    matched |= hmac.compare_digest(expected, given)
        if not matched:
            raise SignatureRefused("the signature fits none of the live secrets")

    def body(self, headers: Headers, body: bytes) -> bytes:
        """The JSON of the form's field `payload`."""
        field = _payload(body)
        return body if field is None else field

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """A sale or inventory record and its version; deliveries have no id of their own, and only the form names the event."""
        if type(payload) is not dict:
            return Envelope(None, "")
        sale = "register_sale_products" in payload or "line_items" in payload
        identifier, version = payload.get("id"), payload.get("version") or payload.get("updated_at")
        known = type(identifier) is str and identifier and (type(version) is int or type(version) is str)
        topic = SALE_UPDATE if sale else stock.TOPIC if stock.is_inventory(payload) else ""
        return Envelope(f"{identifier}:{version}"[:300] if known else None, topic)

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """A sale, or a refund where it is a return; a webhook's sale alone has no currency and is fetched."""
        if type(payload) is not dict:
            raise Refused(Problem("NOT_AN_OBJECT", "$", "a Lightspeed payload is a JSON object"))
        if "sale" in payload:
            return sale_records(_unwrapped(payload["sale"]), payload, context)
        if topic and topic.strip() == stock.TOPIC:
            raise Ignored(STOCK_CHANGED)
        if topic and topic.strip() != SALE_UPDATE:
            raise Ignored(f"the event {topic.strip()[:60]!r} moves no money or goods here")
        if topic:
            if _sale_id(payload) is None:
                raise Refused(Problem("MISSING_ID", "id", "the event does not say which sale it is about"))
            return []
        if "data" in payload and "id" not in payload:
            return _many(payload["data"], "data", payload, context)
        if "register_sales" in payload:
            return _many(payload["register_sales"], "register_sales", payload, context)
        if "line_items" in payload or "register_sale_products" in payload:
            return sale_records(payload, {k: v for k, v in payload.items() if k not in ("taxes", "products")}, context)
        raise Refused(Problem("UNKNOWN_PAYLOAD", "$", "nothing that Lightspeed is known to send about money or goods"))

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """The sale of an event: what the event holds of it has no currency."""
        if type(payload) is not dict or topic != SALE_UPDATE or "sale" in payload:
            return None
        identifier = _sale_id(payload)
        return None if identifier is None else Pointer("sale", identifier)

    def parent(self, record: AnyRecord) -> Pointer | None:
        """The sale that a return takes back from."""
        return Pointer("sale", record.sale) if isinstance(record, Refund) and record.sale else None

    def base_url(self, account: Account) -> str:
        """The retailer's own host."""
        return account.base_url or f"https://{account.credentials.get('domain_prefix', '')}.retail.lightspeed.app"

    def authorization(self, account: Account) -> Mapping[str, str]:
        """A bearer token."""
        return {"Authorization": f"Bearer {account.credentials.get('token', '')}", "Accept": "application/json"}

    def refresh(self, account: Account) -> Ask | None:
        """Renews an app's token; the old one is revoked at once, so nobody else may be using it meanwhile."""
        known = account.credentials
        if not known.get("refresh_token"):
            return None
        return Ask(
            method="POST",
            path="/api/1.0/token",
            form={
                "grant_type": "refresh_token",
                "refresh_token": str(known["refresh_token"]),
                "client_id": str(known.get("client_id", "")),
                "client_secret": str(known.get("client_secret", "")),
            },
        )

    def renewed(self, reply: Reply, account: Account, now: datetime) -> dict[str, Any]:
        """Both tokens are new; an answer that brings no new refresh token leaves the one there is."""
        body = reply.body if type(reply.body) is dict else {}
        if type(body.get("access_token")) is not str or not body["access_token"]:
            raise Refused(Problem("MISSING_TOKEN", "access_token", "Lightspeed's answer holds no access token"))
        expires, lasts = body.get("expires"), body.get("expires_in")
        if type(expires) is not int:
            expires = int(now.timestamp()) + (lasts if type(lasts) is int else 86_400)
        refresh = body.get("refresh_token") or account.credentials.get("refresh_token")
        return {**account.credentials, "token": body["access_token"], "refresh_token": refresh, "expires_at": expires}

    def pause(self, reply: Reply) -> float:
        """Retry-After is a date here, not seconds."""
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
        """Sales and returns in the order of their version numbers, each joined."""
        if stream != "sales":
            raise ValueError(f"Lightspeed has no stream {stream!r}")
        return client.sales(since=since, until=until, cursor=cursor, created=created)

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """One sale, joined."""
        if pointer.kind != "sale":
            raise ValueError(f"Lightspeed has nothing called {pointer.kind!r} to fetch")
        return client.sale(pointer.id)

    def subscribe(self, account: Account, url: str) -> Calls:
        """One webhook for each event."""
        return client.subscribe(account, url, self.topics)

    def push_stock(self, account: Account, level: StockLevel) -> Calls:
        """Set a product's level at one outlet."""
        return stock.push_stock(level)

    def read_stock(self, account: Account, places: Sequence[StockPlace]) -> Calls:
        """The levels of products at outlets."""
        return stock.read_stock(places)

    def items(self, account: Account, cursor: str | None) -> Pages:
        """Every product and variant."""
        return stock.items(cursor)

    def stock_locations(self, account: Account) -> Calls:
        """The retailer's outlets."""
        return stock.stock_locations()

    def stock_hint(self, payload: Any, topic: str) -> tuple[StockPlace, ...]:
        """An inventory record."""
        return stock.stock_hint(payload, topic)


def _payload(body: bytes) -> bytes | None:
    """The form's field `payload`; None where the body is no such form."""
    if not body or body.lstrip()[:1] in (b"{", b"["):
        return None
    fields = [value for key, _, value in (pair.partition(b"=") for pair in body.split(b"&")) if key == b"payload"]
    if len(fields) != 1:
        return None
    return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), fields[0].replace(b"+", b" "))


def _sale_id(payload: dict[str, Any]) -> str | None:
    identifier = payload.get("id")
    return identifier if client.is_id(identifier) else None


def _unwrapped(value: Any) -> Any:
    """The sale itself, where the answer's wrapper was kept around it."""
    return value["data"] if type(value) is dict and set(value) == {"data"} else value


def _many(value: Any, key: str, payload: dict[str, Any], context: Context) -> list[AnyRecord]:
    joined = {k: v for k, v in payload.items() if k != key}
    if type(value) is dict:
        return sale_records(value, joined, context)
    if type(value) is not list or not value:
        raise Refused(Problem("NOT_A_LIST", key, f"{key} should be a sale or a list of sales"))
    return [record for one in value for record in sale_records(one, joined, context)]


adapter = Lightspeed()
