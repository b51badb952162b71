"""How Shopify is asked: lists and single objects by the REST Admin API, whose shapes `normalize` reads; stock.py by GraphQL. Pure.

An order comes with its transactions joined as `order.transactions`, a payout with the balance transactions it pays.
Lists are paged by the `page_info` of the Link header: it is a keyset of Shopify's own, so that a list which changes while it
is being read loses no row, and it expires, after which Shopify answers 400.
"""

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from channels.adapters.shopify import stock
from channels.adapters.shopify.asking import ROOT, gid, graphql, ident, inside, refuse
from channels.canonical import AnyRecord
from channels.charge import Charge
from channels.client import (
    Account,
    Ask,
    Calls,
    CursorExpired,
    Found,
    Limits,
    Page,
    Pages,
    Pointer,
    Reply,
    StockLevel,
    StockPlace,
    Stream,
)
from channels.reading import Json, stamp
from channels.refund import Refund
from salessync.core import dates
from salessync.core.problems import Problem, Refused

PAYMENTS = "shopify_payments/"
PER_PAGE = 250
FEW_PER_PAGE = (
    50  # of what costs another request for each row, before its page can be stored: half a minute at 2 a second
)

STREAMS = (
    Stream(name="orders"),
    Stream(name="disputes", every=3600, totals="none"),
    Stream(name="payouts", every=3600, totals="none"),
)

# Neither payouts nor disputes tell when they changed, so that every window looks back as far as a change can reach.
PAYOUT_CHANGES = timedelta(days=14)  # a bank sends a payout back within days
PAYOUT_AHEAD = timedelta(days=7)  # one that is scheduled bears the date of its arrival
DISPUTE_CHANGES = timedelta(days=366)

SPARE = 0.1  # of the bucket that is left to the merchant's other apps
LEAK = 20  # seconds in which a bucket empties: 40 at 2 a second, 80 at 4, 400 at 20

ORDER_OF_REFUND = "query ($id: ID!) { refund(id: $id) { order { legacyResourceId } } }"

_LINK = re.compile(r'<[^>]*[?&]page_info=([^&>]+)[^>]*>\s*;\s*rel="?([a-z]+)"?')
_ESCAPED = re.compile("%([0-9A-Fa-f]{2})")
_BUCKET = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
_HANDLE = re.compile("[a-z0-9][a-z0-9-]*")


class Client:
    """Mixed into the adapter.

    Credentials: `shop` (its handle or myshopify.com host, where the account has no base URL) and `token`, an Admin API access
    token. Where it expires: `client_id` and `client_secret` of the app and, of an app with OAuth, `refresh_token`.
    """

    topics: ClassVar[frozenset[str]] = frozenset()
    streams: ClassVar[tuple[Stream, ...]] = STREAMS
    limits: ClassVar[Limits] = Limits(per_second=2.0, burst=40)
    stock_topics: ClassVar[frozenset[str]] = frozenset({stock.TOPIC})
    stock_batch: ClassVar[int] = stock.BATCH
    stock_compares: ClassVar[bool] = True

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """An edited order comes as its ids only."""
        return pointer(payload, topic)

    def parent(self, record: AnyRecord) -> Pointer | None:
        """The order of a refund or of a transaction."""
        return parent(record)

    def base_url(self, account: Account) -> str:
        """The shop's own host."""
        return base_url(account)

    def authorization(self, account: Account) -> Mapping[str, str]:
        """The Admin API access token."""
        return {"X-Shopify-Access-Token": str(account.credentials.get("token") or "")}

    def refresh(self, account: Account) -> Ask | None:
        """A new token for a refresh token, or for the credentials of an app of the merchant's own."""
        return refresh(account)

    def renewed(self, reply: Reply, account: Account, now: datetime) -> dict[str, Any]:
        """The new token, and the refresh token that takes the old one's place."""
        return renewed(reply, account, now)

    def pause(self, reply: Reply) -> float:
        """As long as the bucket needs to have room again."""
        return pause(reply)

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
        """Orders with their transactions (refunds lie inside), disputes, payouts with their lines."""
        if stream == "orders":
            return poll_orders(since, until, cursor, created=created)
        if stream == "disputes":
            return poll_disputes(since, until, cursor, created=created)
        if stream == "payouts":
            return poll_payouts(since, until, cursor, created=created)
        raise ValueError(f"Shopify has no stream {stream!r}")

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """An order, refund ("id", or "order/id"), payout or dispute."""
        return fetch(pointer)

    def subscribe(self, account: Account, url: str) -> Calls:
        """Every topic; the secret is the app's client secret and is not told. `refused` tells what Shopify would not make."""
        return subscribe(self.topics, url)

    def push_stock(self, account: Account, level: StockLevel) -> Calls:
        """Compare and set of `available`."""
        return stock.push_stock(level)

    def read_stock(self, account: Account, places: Sequence[StockPlace]) -> Calls:
        """`available` of inventory items."""
        return stock.read_stock(places)

    def items(self, account: Account, cursor: str | None) -> Pages:
        """Every variant of every product."""
        return stock.items(cursor)

    def stock_locations(self, account: Account) -> Calls:
        """The shop's active locations."""
        return stock.stock_locations()

    def stock_hint(self, payload: Any, topic: str) -> tuple[StockPlace, ...]:
        """An inventory level."""
        return stock.stock_hint(payload, topic)


# --- whom to ask, and how often


def base_url(account: Account) -> str:
    """`base_url` as it is, or the host of the shop whose handle or domain the credentials name."""
    if account.base_url:
        return account.base_url.rstrip("/")
    shop = str(account.credentials.get("shop") or "").strip().lower().removeprefix("https://").rstrip("/")
    handle = shop.removesuffix(".myshopify.com")
    if _HANDLE.fullmatch(handle) is None:  # the token is for Shopify's hosts only
        raise Refused(Problem("BAD_SHOP", "shop", f"{shop[:60]!r} is not the name of a shop at myshopify.com"))
    return f"https://{handle}.myshopify.com"


def refresh(account: Account) -> Ask | None:
    """The request for a new token; None where the token is for good."""
    known = account.credentials
    app = {"client_id": known.get("client_id"), "client_secret": known.get("client_secret")}
    if not all(app.values()):
        return None
    if known.get("refresh_token"):
        grant = {"grant_type": "refresh_token", "refresh_token": known["refresh_token"]}
    elif known.get("expires_at") or not known.get("token"):
        grant = {"grant_type": "client_credentials"}
    else:
        return None
    return Ask(method="POST", path="/admin/oauth/access_token", json=app | grant)


def renewed(reply: Reply, account: Account, now: datetime) -> dict[str, Any]:
    """The credentials with what the answer brought."""
    body = reply.body if type(reply.body) is dict else {}
    token, lasts = body.get("access_token"), body.get("expires_in")
    if type(token) is not str or not token or type(lasts) is not int:
        raise Refused(Problem("NO_TOKEN", "access_token", "Shopify answered without an access token that expires"))
    credentials = {**account.credentials, "token": token, "expires_at": int(now.timestamp()) + lasts}
    if body.get("refresh_token"):
        credentials["refresh_token"] = body["refresh_token"]
    return credentials


def pause(reply: Reply) -> float:
    """Seconds until the REST bucket has its spare room again, GraphQL has the points for another call, or Shopify says so."""
    return max(_told(reply), _rest_pause(reply), _graphql_pause(reply))


def _told(reply: Reply) -> float:
    told = reply.headers.get("retry-after", "")
    return float(told) if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", told) else 0.0


def _rest_pause(reply: Reply) -> float:
    match = _BUCKET.fullmatch(reply.headers.get("x-shopify-shop-api-call-limit", "").strip())
    if match is None or not int(match[2]):
        return 0.0
    used, size = int(match[1]), int(match[2])
    return max(0.0, (used - size * (1 - SPARE)) * LEAK / size)


def _graphql_pause(reply: Reply) -> float:
    cost = inside(reply.body, "extensions", "cost")
    wanted = inside(cost, "requestedQueryCost")
    left, restored = (inside(cost, "throttleStatus", key) for key in ("currentlyAvailable", "restoreRate"))
    numbers = [wanted, left, restored]
    if any(type(one) not in (int, Decimal) for one in numbers) or restored <= 0:
        return 0.0
    return float(max(0, (wanted - left) / restored))


# --- single requests


def _get(path: str, params: Mapping[str, Any], accepts: tuple[int, ...] = ()) -> Generator[Ask, Reply, Reply]:
    return (yield Ask(path=ROOT + path, params=params, accepts=accepts))


def _rows(reply: Reply, key: str) -> list[Any]:
    rows = inside(reply.body, key)
    if type(rows) is not list:  # to take it for an empty list would lose a page
        raise Refused(Problem("BAD_ANSWER", key, f"Shopify answered without the list of {key}"))
    return rows


def next_page(reply: Reply) -> str | None:
    """The `page_info` of the page after this one."""
    for match in _LINK.finditer(reply.headers.get("link", "")):
        if match[2] == "next":
            return _ESCAPED.sub(lambda hexed: chr(int(hexed[1], 16)), match[1])
    return None


def _listed(
    path: str, params: Mapping[str, Any], limit: int, cursor: str | None, accepts: tuple[int, ...] = ()
) -> Generator[Ask, Reply, Reply]:
    """One page of a list. With a cursor nothing but the limit may be asked: it holds the filter."""
    if cursor is None:
        return (yield from _get(path, {**params, "limit": limit}, accepts))
    reply = yield from _get(path, {"page_info": cursor, "limit": limit}, (*accepts, 400, 422))
    if reply.status in (400, 422):
        raise CursorExpired
    return reply


def _all(path: str, key: str, params: Mapping[str, Any]) -> Generator[Ask, Reply, list[Any] | None]:
    """Every row of a list; None where what it hangs on is gone."""
    found: list[Any] = []
    cursor: str | None = None
    while True:
        reply = yield from _listed(path, params, PER_PAGE, cursor, accepts=(404,))
        if reply.status == 404:
            return None
        found.extend(_rows(reply, key))
        cursor = next_page(reply)
        if cursor is None:
            return found


# --- lists


def poll_orders(since: datetime, until: datetime, cursor: str | None, *, created: bool = False) -> Pages:
    """By time of change, oldest first: an order that changes meanwhile moves to the end, into this window or the next one."""
    word = "created_at" if created else "updated_at"
    first, last = (
        stamp(at.astimezone(UTC).replace(microsecond=0)) for at in (since, until)
    )  # as exact as its times are
    params = {"status": "any", f"{word}_min": first, f"{word}_max": last, "order": f"{word} asc"}
    while True:
        reply = yield from _listed("orders.json", params, FEW_PER_PAGE, cursor)
        cursor = next_page(reply)
        yield (yield from _page(_rows(reply, "orders"), _joined_order, cursor))
        if cursor is None:
            return


def _page(rows: list[Any], joined: Callable[[Any], Calls], cursor: str | None) -> Generator[Ask, Reply, Page]:
    """The rows of one answer, each with what is joined to it."""
    found = []
    for row in rows:
        payload = yield from joined(row)
        found.append(Found(payload))
    return Page(found=tuple(found), cursor=cursor)


def _joined_order(order: Any) -> Calls:
    """The order with its transactions; without them where Shopify has none to give, for then nothing is known of them."""
    identifier = ident(inside(order, "id"))
    if identifier is None:
        return {"order": order}
    rows: list[Any] | None = []
    if _may_have_payments(order):
        rows = yield from _all(f"orders/{identifier}/transactions.json", "transactions", {})
    return {"order": order if rows is None else order | {"transactions": rows}}


def _may_have_payments(order: Json) -> bool:
    """No gateway was ever tried and nothing is said to be paid: the list of transactions is empty without asking for it."""
    return order.get("payment_gateway_names") != [] or order.get("financial_status") not in (None, "pending")


def poll_payouts(since: datetime, until: datetime, cursor: str | None, *, created: bool = False) -> Pages:
    """By date, with the lines of all that are on their way."""
    first, last = (since, until) if created else (since - PAYOUT_CHANGES, until + PAYOUT_AHEAD)
    params = {"date_min": first.date().isoformat(), "date_max": last.date().isoformat()}
    while True:
        reply = yield from _listed(PAYMENTS + "payouts.json", params, FEW_PER_PAGE, cursor, accepts=(404,))
        cursor = next_page(reply)
        yield (yield from _page(_payments_rows(reply, "payouts"), _joined_payout, cursor))
        if cursor is None:
            return


def _payments_rows(reply: Reply, key: str) -> list[Any]:
    """Of a shop that is paid by others than Shopify Payments there is nothing: 404."""
    return [] if reply.status == 404 else _rows(reply, key)


def _joined_payout(payout: Any) -> Calls:
    """The payout with its lines; a scheduled one can still get more of them, so that it comes alone."""
    identifier = ident(inside(payout, "id"))
    if identifier is None or payout.get("status") == "scheduled":
        return {"payout": payout}
    rows = yield from _all(PAYMENTS + "balance/transactions.json", "transactions", {"payout_id": identifier})
    return {"payout": payout} if rows is None else {"payout": payout, "transactions": rows}


def poll_disputes(since: datetime, until: datetime, cursor: str | None, *, created: bool = False) -> Pages:
    """The list has no filter by change and is newest first: what is open or moved in the window, as far back as one can be."""
    oldest = since if created else since - DISPUTE_CHANGES
    while True:
        reply = yield from _listed(PAYMENTS + "disputes.json", {}, PER_PAGE, cursor, accepts=(404,))
        rows = _payments_rows(reply, "disputes")
        wanted = [one for one in rows if _moved(one, since, until, created=created)]
        began = _time(rows[-1], "initiated_at") if rows else None
        cursor = None if began is not None and began < oldest else next_page(reply)
        yield Page(found=tuple(Found({"dispute": one}) for one in wanted), cursor=cursor)
        if cursor is None:
            return


def _moved(dispute: Any, since: datetime, until: datetime, *, created: bool) -> bool:
    """Whether the dispute belongs to the window; one whose times cannot be read does, for `normalize` to say so."""
    began = _time(dispute, "initiated_at")
    if began is None:
        return True
    if created or began > until:
        return since <= began <= until
    moves = [_time(dispute, key) for key in ("evidence_sent_on", "finalized_on")]
    return moves[-1] is None or any(at is not None and at >= since for at in (began, *moves))


def _time(value: Any, key: str) -> datetime | None:
    try:
        return dates.parse_instant(inside(value, key))
    except dates.DateError:
        return None


# --- single objects


def pointer(payload: Any, topic: str) -> Pointer | None:
    """The order that an orders/edited event names."""
    if topic.strip().casefold() != "orders/edited":
        return None
    edit = inside(payload, "order_edit")
    identifier = ident(inside(edit if edit is not None else payload, "order_id"))
    return Pointer("order", identifier) if identifier else None


def parent(record: AnyRecord) -> Pointer | None:
    """The order that a refund gives back, or that a transaction pays."""
    if isinstance(record, Refund):
        order = record.sale
    elif isinstance(record, Charge):
        order = record.order_reference
    else:
        return None
    identifier = ident(order)
    return Pointer("order", identifier) if identifier else None


def fetch(pointer: Pointer) -> Calls:
    """The object as `poll` would bring it; None where Shopify has none of that kind and id."""
    if pointer.kind == "order":
        order = yield from _object(f"orders/{ident(pointer.id)}.json", "order", pointer.id)
        return None if order is None else Found((yield from _joined_order(order)))
    if pointer.kind == "refund":
        return (yield from _refund(pointer.id))
    if pointer.kind == "payout":
        payout = yield from _object(f"{PAYMENTS}payouts/{ident(pointer.id)}.json", "payout", pointer.id)
        return None if payout is None else Found((yield from _joined_payout(payout)))
    if pointer.kind == "dispute":
        dispute = yield from _object(f"{PAYMENTS}disputes/{ident(pointer.id)}.json", "dispute", pointer.id)
        return None if dispute is None else Found({"dispute": dispute})
    return None


def _object(path: str, key: str, *identifiers: str) -> Generator[Ask, Reply, Any]:
    if any(ident(one) is None for one in identifiers):
        return None
    reply = yield from _get(path, {}, accepts=(404,))
    if reply.status == 404:
        return None
    found = inside(reply.body, key)
    if found is None:
        raise Refused(Problem("BAD_ANSWER", key, f"Shopify answered without the {key}"))
    return found


def _refund(identifier: str) -> Calls:
    """REST knows a refund beneath its order only; GraphQL tells which one that is."""
    order, _, refund = identifier.rpartition("/")
    if not order and ident(refund):
        data, errors = yield from graphql(ORDER_OF_REFUND, {"id": gid("Refund", refund)})
        refuse(errors)
        order = str(inside(data, "refund", "order", "legacyResourceId") or "")
    found = yield from _object(f"orders/{order}/refunds/{refund}.json", "refund", order, refund)
    return None if found is None else Found({"refund": found})


# --- subscriptions


def subscribe(topics: frozenset[str], url: str) -> Calls:
    """Shopify deletes a subscription after failures, so this is repeated; what exists already stays."""
    there = yield from _all("webhooks.json", "webhooks", {"address": url})
    known = {inside(one, "topic") for one in there or [] if inside(one, "address") == url}
    made: list[str] = []
    refused: dict[str, str] = {}
    for topic in sorted(topics - known):
        webhook = {"topic": topic, "address": url, "format": "json"}
        reply = yield Ask(method="POST", path=ROOT + "webhooks.json", json={"webhook": webhook}, accepts=(403, 422))
        if reply.status < 400:
            made.append(topic)
        elif "already been taken" not in str(reply.body):  # another process has just made it
            refused[topic] = str(inside(reply.body, "errors") or reply.status)[:300]
    return {"made": made, "secret": None, "refused": refused}
