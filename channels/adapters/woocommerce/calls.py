"""How a WooCommerce shop is asked: REST wc/v3 on the merchant's own host. Without any network: see channels/client.py. Pure.

Nobody delivers a failed webhook again, so what is polled here is the primary way in, and webhooks only make it quick.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.adapters.woocommerce.reading import short
from channels.client import (
    Account,
    Ask,
    Calls,
    CursorExpired,
    Found,
    Page,
    Pages,
    Pointer,
    Reply,
)
from channels.reading import Json
from salessync.core.dates import DateError, parse_instant
from salessync.core.problems import Problem, Refused

API = "/wp-json/wc/v3"
PER_PAGE = 100  # the most that WooCommerce gives
MOST_EXCLUDED = 500  # ids in one address: web servers take about 8,000 characters
SECOND = timedelta(seconds=1)

STREAM_STATUS = {"orders": "any", "trash": "trash"}  # "any" leaves out what lies in the trash

TOPICS = ("order.created", "order.updated", "order.deleted", "order.restored")


def poll_orders(stream: str, since: datetime, until: datetime, cursor: str | None, created: bool) -> Pages:
    """Orders in the order of their change, each with its refunds.

    Offsets would skip rows while orders change, so each page begins at the last one's last second and leaves out what was seen of it.
    """
    position, seen = _from_cursor(cursor) if cursor else (since.replace(microsecond=0), [])
    while True:
        ask = _orders(stream, position, until, seen, created)
        reply = yield ask
        assert reply is not None
        rows = rows_of(reply)
        known = set(seen)
        fresh = [row for row in rows if id_of(row) not in known]
        found = []
        for order in fresh:
            payload = yield from _joined(order)
            found.append(Found(payload))
        before = position, seen
        position, seen = _advance(position, seen, fresh, created)
        skipped = ask.params.get("offset", 0)  # the shop's count includes them
        more = _matching(reply, len(rows), skipped) > len(rows) + skipped
        if more and (position, seen) == before:
            raise _unreadable()  # the same page for ever, or the rest of the window lost: neither
        yield Page(found=tuple(found), cursor=_cursor(position, seen) if more else None)
        if not more:
            return


def _orders(stream: str, position: datetime, until: datetime, seen: list[str], created: bool) -> Ask:
    """`after` and `before` are exclusive and times whole seconds, hence one second on both sides."""
    after, before = ("after", "before") if created else ("modified_after", "modified_before")
    params: dict[str, Any] = {
        "status": STREAM_STATUS[stream],
        after: _naive(position - SECOND),
        before: _naive(until + SECOND),
        "dates_are_gmt": "true",
        "orderby": "date" if created else "modified",
        "order": "asc",
        "per_page": PER_PAGE,
    }
    if seen:
        params["exclude"] = ",".join(seen[:MOST_EXCLUDED])
    if len(seen) > MOST_EXCLUDED:
        params["offset"] = len(seen) - MOST_EXCLUDED
    return Ask(path=f"{API}/orders", params=params)


def _matching(reply: Reply, given: int, offset: int) -> int:
    """How many orders the question fits; where a proxy has dropped the header, a full page may not be the last."""
    told = reply.headers.get("x-wp-total") or ""
    return int(told) if told.isascii() and told.isdigit() and len(told) < 12 else given + offset + (given >= PER_PAGE)


def _advance(position: datetime, seen: list[str], rows: list[Any], created: bool) -> tuple[datetime, list[str]]:
    """The last second of the page, and the ids that were seen of it."""
    times = [_time(row, created) for row in rows]
    last = max([position, *(at for at in times if at is not None)])
    kept = seen if last == position else []
    # an order without a readable time is left out as well: it would come with every page
    return last, kept + [
        i for row, at in zip(rows, times, strict=True) if (i := id_of(row)) and (at is None or at == last)
    ]


def _time(row: Any, created: bool) -> datetime | None:
    value = row.get("date_created_gmt" if created else "date_modified_gmt") if type(row) is dict else None
    try:
        return parse_instant(f"{value}Z" if type(value) is str and not value.endswith("Z") else value)
    except DateError:
        return None


def id_of(row: Any) -> str:
    """The row's id in digits; "" where it has none."""
    identifier = short(row.get("id")) if type(row) is dict else None
    return identifier if identifier and identifier.isascii() and identifier.isdigit() else ""


def _naive(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()


def _cursor(position: datetime, seen: list[str]) -> str:
    return f"{_naive(position)}|{','.join(seen)}"


def _from_cursor(cursor: str) -> tuple[datetime, list[str]]:
    at, _, ids = cursor.partition("|")
    seen = ids.split(",") if ids else []
    try:
        if not all(one.isascii() and one.isdigit() for one in seen):
            raise ValueError(cursor)
        return parse_instant(at + "Z"), seen
    except ValueError:  # DateError is one
        raise CursorExpired from None


def _joined(order: Any) -> Calls:
    """The order with the detail of its refunds, of which it lists only ids and amounts."""
    if type(order) is not dict or not id_of(order):
        return order
    if order.get("refunds") in ([], {}, "", None) and "refunds" in order:
        return {"order": order, "refunds": []}
    refunds = yield from _refunds(id_of(order))
    return {"order": order} if refunds is None else {"order": order, "refunds": refunds}


def _refunds(order_id: str) -> Calls:
    """Every refund of an order; None where the order is gone."""
    found: dict[str, Any] = {}
    page = 1
    while True:
        reply = yield Ask(
            path=f"{API}/orders/{order_id}/refunds", params={"per_page": PER_PAGE, "page": page}, accepts=(404,)
        )
        if reply.status == 404:
            return None
        rows = rows_of(reply)
        fresh = {
            id_of(row): row for row in rows if id_of(row) not in found
        }  # a refund made meanwhile pushes the others on
        found |= fresh
        if len(rows) < PER_PAGE or not fresh:
            return list(found.values())
        page += 1


def fetch_order(pointer: Pointer) -> Calls:
    """One order as polling would find it; None where the shop has no such order."""
    if pointer.kind != "order" or not (pointer.id.isascii() and pointer.id.isdigit()):
        return None
    reply = yield Ask(path=f"{API}/orders/{pointer.id}", accepts=(404,))
    if reply.status == 404:
        return None
    if type(reply.body) is not dict:
        raise _unreadable()
    return Found((yield from _joined(reply.body)))


def rows_of(reply: Reply) -> list[Any]:
    """The list that an answer is; Refused where it is none."""
    if type(reply.body) is not list:
        raise _unreadable()
    return reply.body


def _unreadable() -> Refused:
    return Refused(
        Problem(
            "UNREADABLE_ANSWER",
            "$",
            "the shop did not answer with the list or object that was asked for; is its REST API on?",
        )
    )


def webhook_secret(account: Account, url: str) -> str:
    """The shop never shows a webhook's secret, so ours is set: the administrator's, or one that only the key's owner can derive."""
    chosen = account.credentials.get("webhook_secret")
    if chosen:
        return str(chosen)
    key = str(account.credentials.get("consumer_secret") or "").encode()
    return hmac.digest(key, b"webhook " + url.encode(), hashlib.sha256).hex()


def subscribe_orders(account: Account, url: str) -> Calls:
    """Make the missing webhooks, and switch on again what the shop switched off after five failures in a row."""
    mine: dict[str, Json] = {}
    page = 1
    while True:
        reply = yield Ask(
            path=f"{API}/webhooks", params={"per_page": PER_PAGE, "page": page, "orderby": "id", "order": "asc"}
        )
        rows = rows_of(reply)
        for row in rows:
            topic = row.get("topic") if type(row) is dict and row.get("delivery_url") == url else None
            if topic in TOPICS and mine.get(topic, {}).get("status") != "active":
                mine[topic] = row
        if len(rows) < PER_PAGE:
            break
        page += 1
    made = []
    for topic in TOPICS:
        row = mine.get(topic, {})
        if not row:
            yield Ask(method="POST", path=f"{API}/webhooks", json=_webhook(account, url, topic))
            made.append(topic)
        elif row.get("status") == "disabled" and id_of(row):
            yield Ask(method="PUT", path=f"{API}/webhooks/{id_of(row)}", json={"status": "active"})
    return {"made": made, "secret": webhook_secret(account, url) if made else None}


def _webhook(account: Account, url: str, topic: str) -> Mapping[str, Any]:
    return {
        "name": f"Sales Sync {topic}",
        "topic": topic,
        "delivery_url": url,
        "secret": webhook_secret(account, url),
        "status": "active",
    }
