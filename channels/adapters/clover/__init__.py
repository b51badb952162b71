"""Clover: orders with their payments, refunds and credits. Webhooks name ids only; the REST API is asked for the order. Pure.

words.py holds the vendor's words; one module each reads an order, its lines, taxes, payments and refunds; client.py asks,
stock.py for quantities and items.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from channels.adapter import STOCK_CHANGED, Adapter, Context, Envelope, Headers, Ignored, SignatureRefused, Trust
from channels.adapters.clover import client, stock
from channels.adapters.clover.sale import order_records
from channels.adapters.clover.scrub import scrub
from channels.adapters.clover.words import EVENT_KIND, EVENT_TYPES
from channels.canonical import AnyRecord
from channels.client import Account, Ask, Calls, Limits, Pages, Pointer, Reply, StockLevel, StockPlace, Stream
from channels.payload import parse
from channels.reading import Json
from channels.refund import Refund
from salessync.core.problems import Problem, Refused

HEADER = "x-clover-auth"
HOSTS = {"na": "https://api.clover.com", "eu": "https://api.eu.clover.com", "la": "https://api.la.clover.com"}
SANDBOX = "https://apisandbox.dev.clover.com"
_CODE = re.compile("[0-9A-Za-z-]{4,100}")


class Clover(Adapter):
    """One Clover merchant.

    Credentials: "merchant_id", "token" (an access token or a merchant's API token); "region" ("na", "eu" or "la"; "na" where
    it is absent); for tokens that expire "client_id" and "refresh_token". A webhook's secret is the app's Clover Auth Code.
    An app has one webhook address for all its merchants, set by hand in its settings: events of other merchants than the
    channel's own are passed over, and those merchants' channels live by polling.
    """

    name = "clover"
    label = "Clover"
    stock_topics = frozenset({"I:CREATE", "I:UPDATE"})
    topics = frozenset(f"{kind}:{change}" for kind in EVENT_KIND for change in EVENT_TYPES) | stock_topics
    missing = {
        "charges": "Clover's payments arrive inside their order, as its tenders; there are no charges beside it.",
        "disputes": "Clover's API tells nothing of chargebacks; they are on the merchant's statements only.",
        "payouts": "Clover's API has no deposits; they are settled from the lines of the bank.",
    }
    streams = (
        Stream(name="orders"),
        Stream(name="payments", every=3600, totals="created"),
        Stream(name="refunds", every=3600, totals="created"),
    )
    limits = Limits(per_second=10.0, burst=10)

    # --- what comes in

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """A static code in a header and no signature: it tells who speaks, nothing of what is said. So events are only hints."""
        given = headers.get(HEADER) or ""
        if not given or not given.isascii():
            raise SignatureRefused("no Clover Auth Code" if not given else "the Clover Auth Code is not ASCII")
        matched = False
        for secret in trust.secrets:
            if secret:
                matched |= hmac.compare_digest(secret.encode(), given.encode("ascii"))
        if not matched:
            raise SignatureRefused("the Clover Auth Code is none of the live ones")

    def greeting(self, headers: Headers, body: bytes) -> str | None:
        """The code that has to be typed into the app's settings before any event is sent."""
        if len(body) > 1000:
            return None
        try:
            parsed = parse(body)
        except Refused:
            return None
        code = parsed.get("verificationCode") if type(parsed) is dict and len(parsed) == 1 else None
        if type(code) is not str or _CODE.fullmatch(code) is None:
            return None
        return f"Clover's verification code for this address is {code}"

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """Object, change and time of every event in it; one message can carry several."""
        events = [event for _, event in _events(payload)]
        if not events:
            return Envelope(None, "")
        named = sorted(":".join(str(event.get(key))[:60] for key in ("objectId", "type", "ts")) for event in events)
        whole = " ".join(named)
        identifier = (
            whole if len(whole) <= 200 else "sha256:" + hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()
        )
        topics = {f"{str(event.get('objectId'))[:1]}:{str(event.get('type'))[:20]}" for event in events}
        return Envelope(identifier, topics.pop() if len(topics) == 1 else "several")

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """The orders and payments that an event names, each with its merchant."""
        ids = {f"{merchant}/{event['objectId']}" for merchant, event in _events(payload) if _moves_money(event)}
        return Pointer("events", " ".join(sorted(ids))) if ids else None

    def stock_hint(self, payload: Any, topic: str) -> tuple[StockPlace, ...]:
        """The items that a message names, whatever else it names; of any merchant of the app."""
        return stock.hints([event for _, event in _events(payload)])

    def parent(self, record: AnyRecord) -> Pointer | None:
        """The order of a refund, which mostly came with it."""
        return Pointer("order", record.sale) if isinstance(record, Refund) and record.sale else None

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The sale of an order with its refunds and credits; an event has ids only."""
        if type(payload) is not dict:
            raise Refused(Problem("NOT_AN_OBJECT", "$", "a Clover payload is a JSON object"))
        if "merchants" in payload:
            return _ids_only(payload)
        if "order" in payload:
            return order_records(payload["order"], context)
        for key in ("orders", "elements"):
            if key in payload and "id" not in payload:
                return _several(payload[key], key, context)
        if "lineItems" in payload or "paymentState" in payload:
            return order_records(payload, context)
        raise Refused(Problem("UNKNOWN_PAYLOAD", "$", "nothing that Clover is known to send about money or goods"))

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)

    # --- what goes out

    def base_url(self, account: Account) -> str:
        """By region; every sandbox merchant is in one place."""
        if account.base_url:
            return account.base_url
        return SANDBOX if account.test else HOSTS[account.credentials.get("region") or "na"]

    def authorization(self, account: Account) -> dict[str, str]:
        """A bearer token."""
        return {"Authorization": f"Bearer {account.credentials['token']}"}

    def refresh(self, account: Account) -> Ask | None:
        """A refresh token works once: the answer brings the next one."""
        token, app = account.credentials.get("refresh_token"), account.credentials.get("client_id")
        if not token or not app:
            return None
        return Ask(method="POST", path="/oauth/v2/refresh", json={"client_id": app, "refresh_token": token})

    def renewed(self, reply: Reply, account: Account, now: datetime) -> dict[str, Any]:
        """Both tokens are new; Clover says when they end in Unix seconds."""
        body = reply.body if type(reply.body) is dict else {}
        token, ends, following = (body.get(k) for k in ("access_token", "access_token_expiration", "refresh_token"))
        if type(token) is not str or type(following) is not str or type(ends) is not int:
            raise Refused(Problem("BAD_ANSWER", "access_token", "Clover's answer to the refresh has no tokens"))
        return {**account.credentials, "token": token, "refresh_token": following, "expires_at": ends}

    def pause(self, reply: Reply) -> float:
        """Clover's headers state limits, not what is left of them; only a refusal says how long to wait."""
        wait = reply.headers.get("retry-after") or ""
        return float(wait) if wait.isascii() and wait.isdigit() and len(wait) <= 6 else 0.0

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
        """Orders, changed themselves or by their payments or refunds, in windows of less than 90 days."""
        return client.poll(stream, account, since=since, until=until, cursor=cursor, created=created)

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """The orders behind an event, or one order by its id."""
        return client.fetch(pointer, account)

    def push_stock(self, account: Account, level: StockLevel) -> Calls:
        """Set an item's quantity."""
        return stock.push_stock(account, level)

    def read_stock(self, account: Account, places: Sequence[StockPlace]) -> Calls:
        """The quantities of items."""
        return stock.read_stock(account, places)

    def items(self, account: Account, cursor: str | None) -> Pages:
        """Every item of the merchant."""
        return stock.items(account, cursor)

    def stock_locations(self, account: Account) -> Calls:
        """None: a merchant is one place."""
        return stock.stock_locations()


def _events(payload: Any) -> list[tuple[str, Json]]:
    """(merchant, event) of everything that looks like one."""
    merchants = payload.get("merchants") if type(payload) is dict else None
    if type(merchants) is not dict:
        return []
    return [
        (merchant, event)
        for merchant, events in merchants.items()
        if type(events) is list
        for event in events
        if type(event) is dict
    ]


_OBJECT = re.compile("[OP]:[A-Za-z0-9]{1,40}")


def _moves_money(event: Json) -> bool:
    named = event.get("objectId")
    return type(named) is str and _OBJECT.fullmatch(named) is not None


def _ids_only(payload: Json) -> list[AnyRecord]:
    events = [event for _, event in _events(payload)]
    if not events:
        raise Refused(Problem("NO_EVENTS", "merchants", "the message names no event of any merchant"))
    if not any(_moves_money(event) for event in events):
        if stock.hints(events):
            raise Ignored(STOCK_CHANGED)
        raise Ignored("events of items, customers or employees move no money or goods here")
    return []


def _several(rows: Any, key: str, context: Context) -> list[AnyRecord]:
    """Several orders; those in which nothing has happened yet are passed over."""
    if type(rows) is not list:
        raise Refused(Problem("NOT_A_LIST", key, f"{key} should be a list"))
    records: list[AnyRecord] = []
    problems: list[Problem] = []
    reasons: list[str] = []
    for row in rows:
        try:
            records += order_records(row, context)
        except Ignored as ignored:
            reasons.append(str(ignored))
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(*problems)
    if not records:
        raise Ignored(reasons[0] if reasons else "a list without orders")
    return records


adapter = Clover()
