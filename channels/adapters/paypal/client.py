"""How PayPal is asked: Transaction Search and disputes by poll, single objects by id, the webhook's subscriptions. Pure.

Transaction Search is up to three hours late and filters by the time a transaction began, not changed: so its stream overlaps
by days. A window is at most 31 days; its pages are numbered, and where more rows turn up while they are read the window
begins anew, since every row may have moved.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from channels.adapters.paypal.search import matters
from channels.adapters.paypal.words import TOPICS
from channels.client import Account, Ask, Calls, CursorExpired, Found, Page, Pages, Pointer, Reply, Stream
from channels.reading import word
from salessync.core.dates import DateError, parse_instant

STREAMS = (
    Stream(name="transactions", overlap=10 * 86_400, every=3600, totals="created"),
    Stream(name="disputes", overlap=3600, every=1800, totals="none"),
)
LIVE, SANDBOX = "https://api-m.paypal.com", "https://api-m.sandbox.paypal.com"
LONGEST = timedelta(days=31)
OLDEST_DISPUTE = timedelta(days=180)
ROWS, DISPUTES = 500, 50  # the most that one page holds
RESTARTS = 3

PATHS = {
    "authorization": ("/v2/payments/authorizations/",),
    "capture": ("/v2/payments/captures/", "/v1/payments/sale/"),
    "charge": ("/v2/payments/captures/", "/v1/payments/sale/", "/v2/payments/authorizations/"),
    "dispute": ("/v1/customer/disputes/",),
    "order": ("/v2/checkout/orders/",),
    "refund": ("/v2/payments/refunds/", "/v1/payments/refund/"),
    "sale": ("/v1/payments/sale/",),
}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[?&]next_page_token=([^&#]{1,600})")
_WEBHOOKS = "/v1/notifications/webhooks"


def base_url(account: Account) -> str:
    """The live or sandbox API, unless the account names another."""
    return account.base_url or (SANDBOX if account.test else LIVE)


def token_request(account: Account) -> Ask | None:
    """A new access token; they last about nine hours."""
    client, secret = account.credentials.get("client_id"), account.credentials.get("client_secret")
    if not client or not secret:
        return None
    basic = base64.b64encode(f"{client}:{secret}".encode()).decode()
    return Ask(
        method="POST",
        path="/v1/oauth2/token",
        form={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {basic}"},
    )


def with_token(reply: Reply, credentials: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The credentials with the new token; ValueError where the answer holds none."""
    body = reply.body if type(reply.body) is dict else {}
    token, lasts = body.get("access_token"), body.get("expires_in")
    if type(token) is not str or not token:
        raise ValueError("PayPal answered without an access token")
    seconds = lasts if type(lasts) is int and lasts > 0 else 3600
    return {**credentials, "token": token, "expires_at": int(now.timestamp()) + seconds}


# --- Transaction Search


class Window(NamedTuple):
    """Where reading goes on: the page of a window, how many rows it had, and how often it was begun."""

    start: datetime
    end: datetime
    page: int = 1
    rows: int = 0
    begun: int = 0

    def cursor(self) -> str:
        return f"{_text(self.start)} {_text(self.end)} {self.page} {self.rows} {self.begun}"


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _window_of(cursor: str) -> Window:
    try:
        start, end, *numbers = cursor.split(" ")
        page, rows, begun = (int(n) for n in numbers)
        return Window(parse_instant(start), parse_instant(end), page, rows, begun)
    except (ValueError, DateError):
        raise CursorExpired from None


def _window(start: datetime, until: datetime) -> Window | None:
    """The next window: what is left in equal parts, so that none is so short and recent that PayPal has no data for it."""
    if start >= until:
        return None
    parts = -((start - until) // LONGEST)
    length = (until - start) / parts
    return Window(start, until if parts == 1 else min(start + _up(length), until))


def _up(length: timedelta) -> timedelta:
    return timedelta(seconds=int(length.total_seconds()) + 1) if length.microseconds else length


def transactions(account: Account, since: datetime, until: datetime, cursor: str | None) -> Pages:
    """The rows that matter, one payload each: so an unchanged row is known again by its bytes."""
    start, end = since.replace(microsecond=0), (until + timedelta(microseconds=999_999)).replace(microsecond=0)
    window = _window(start, end) if cursor is None else _window_of(cursor)
    if window is None:
        yield Page()
    while window is not None:
        reply = yield _search(window)
        assert reply is not None
        body = reply.body if type(reply.body) is dict else {}
        if reply.status >= 400:
            if word(body.get("name")) == "RESULTSET_TOO_LARGE" and window.end - window.start > timedelta(seconds=1):
                half = timedelta(seconds=int((window.end - window.start).total_seconds()) // 2)
                window = Window(window.start, window.start + half)
                continue
            reply = yield msgspec.structs.replace(_search(window), accepts=())  # the caller knows what to make of it
            assert reply is not None
            body = reply.body if type(reply.body) is dict else {}
        window = _after(window, body, end)
        yield Page(found=_rows(account, body), cursor=None if window is None else window.cursor())


def _search(window: Window) -> Ask:
    return Ask(
        path="/v1/reporting/transactions",
        params={
            "start_date": _text(window.start),
            "end_date": _text(window.end),
            "fields": "transaction_info,store_info",  # nothing personal is even asked for
            "page_size": ROWS,
            "page": window.page,
        },
        accepts=(400, 422),
    )


def _after(window: Window, body: Any, until: datetime) -> Window | None:
    rows, pages = _number(body.get("total_items")), _number(body.get("total_pages"))
    if window.page > 1 and rows > window.rows and window.begun < RESTARTS:
        return window._replace(page=1, rows=rows, begun=window.begun + 1)
    if window.page < pages:
        return window._replace(page=window.page + 1, rows=rows)
    return _window(window.end, until)


def _number(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 10**9 else 0


def _rows(account: Account, body: Any) -> tuple[Found, ...]:
    rows = body.get("transaction_details")
    # the answer's own link names the window it was read in; a row must look the same whenever it is read
    link = {"rel": "self", "href": f"{SANDBOX if account.test else LIVE}/v1/reporting/transactions"}
    return tuple(
        Found({"transaction_details": [row], "links": [link]})
        for row in (rows if type(rows) is list else [])
        if matters(row)
    )


# --- disputes


def disputes(since: datetime, until: datetime, cursor: str | None, *, created: bool) -> Pages:
    """Every dispute that changed, in full: the list has neither the payment nor the outcome."""
    after = max(since, until - OLDEST_DISPUTE)
    filters = (
        {"start_time": _text(after)}
        if created
        else {"update_time_after": _text(after), "update_time_before": _text(until + timedelta(seconds=1))}
    )
    while True:
        params: dict[str, Any] = {**filters, "page_size": DISPUTES}
        if cursor is not None:
            params["next_page_token"] = cursor
        reply = yield Ask(path="/v1/customer/disputes", params=params, accepts=() if cursor is None else (400, 422))
        assert reply is not None
        if reply.status >= 400:
            raise CursorExpired
        body = reply.body if type(reply.body) is dict else {}
        items = body.get("items")
        found: list[Found] = []
        for item in items if type(items) is list else []:
            identifier = item.get("dispute_id") if type(item) is dict else None
            if type(identifier) is not str or not _ID.fullmatch(identifier):
                continue
            one = yield Ask(path=f"/v1/customer/disputes/{identifier}", accepts=(404,))
            assert one is not None
            if one.status < 400:
                found.append(Found(one.body))
        cursor = _next_token(body)
        yield Page(found=tuple(found), cursor=cursor)
        if cursor is None:
            return


def _next_token(body: Any) -> str | None:
    listed = body.get("links")
    for link in listed if type(listed) is list else []:
        if type(link) is dict and link.get("rel") == "next":
            match = _TOKEN.search(word(link.get("href")))
            if match:
                return re.sub("%([0-9A-Fa-f]{2})", lambda code: chr(int(code[1], 16)), match[1])
    return None


# --- single objects and the webhook


def fetch(pointer: Pointer) -> Calls:
    """The object under whichever of the two APIs made it; None where neither knows it."""
    if _ID.fullmatch(pointer.id):
        for path in PATHS.get(pointer.kind, ()):
            reply = yield Ask(path=path + pointer.id, accepts=(404,))
            if reply.status < 400:
                return Found(reply.body)
    return None


def subscribe(url: str) -> Calls:
    """The webhook of this address with every topic that this account is offered; its id is what signatures are proven with."""
    offered = yield Ask(path="/v1/notifications/webhooks-event-types", accepts=(403, 404))
    names = _names(offered.body)
    wanted = sorted(TOPICS & names if names else TOPICS)
    listed = yield Ask(path=_WEBHOOKS)
    hooks = listed.body.get("webhooks") if type(listed.body) is dict else None
    for hook in hooks if type(hooks) is list else []:
        if type(hook) is dict and hook.get("url") == url and _ID.fullmatch(word(hook.get("id"))):
            have = _names(hook)
            missing = [] if "*" in have else [topic for topic in wanted if topic not in have]
            if missing:
                events = [{"name": name} for name in sorted(have | set(wanted))]
                change = [{"op": "replace", "path": "/event_types", "value": events}]
                yield Ask(method="PATCH", path=f"{_WEBHOOKS}/{hook['id']}", json=change)
            return {"made": missing, "secret": hook["id"]}
    made = yield Ask(
        method="POST", path=_WEBHOOKS, json={"url": url, "event_types": [{"name": name} for name in wanted]}
    )
    identifier = made.body.get("id") if type(made.body) is dict else None
    return {"made": wanted, "secret": identifier if type(identifier) is str else None}


def _names(body: Any) -> set[str]:
    types = body.get("event_types") if type(body) is dict else None
    return {word(one.get("name")) for one in types if type(one) is dict} - {""} if type(types) is list else set()
