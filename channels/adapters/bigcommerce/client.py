"""How BigCommerce is asked: orders by the second of their last change, each joined with what belongs to it. Pure.

`min_date_modified` is inclusive, times are whole seconds and a bulk update changes hundreds of orders in one: after a full
answer the last second is read to its end by id (`min_id`), and reading goes on with the second after. Nothing is counted in
pages, so an order that moves while it is read can only be read twice.
"""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.adapters.bigcommerce.reading import Reader, decimal
from channels.adapters.bigcommerce.words import INCOMPLETE
from channels.client import Account, Ask, Calls, CursorExpired, Found, Page, Pages, Reply
from channels.reading import Json

LIMIT = 50  # orders of one answer: each costs four requests more before its page is stored
ROWS = 250  # of a list that belongs to one order
EXTRA = {"include": "consignments,fees", "consignment_structure": "object"}

_Asked = Generator[Ask, Reply, Any]


def store(account: Account) -> str:
    """The path that every request of a store begins with."""
    return f"/stores/{account.credentials.get('store_hash', '')}"


def orders(account: Account, *, since: datetime, until: datetime, cursor: str | None, created: bool) -> Pages:
    """Every order that changed (or came into being) in [since, until]; a cursor is a second, and an id within it."""
    key = "date_created" if created else "date_modified"
    at, last_id = _resume(cursor) if cursor else (_second(since), None)
    while True:
        rows = yield from _list(account, key, at, until, last_id)
        full = len(rows) >= LIMIT
        if last_id is None:
            times = [_time_of(row, key) for row in rows]
            edge = max(times, default=at)
            rows = [row for row, time in zip(rows, times, strict=True) if not full or time < edge]
            following: tuple[datetime, int | None] = (edge, 0)
        else:
            newest = max((row["id"] for row in rows), default=last_id)
            following = (at, newest) if full else (at + timedelta(seconds=1), None)
            full = full or following[0] <= until
        found = []
        for row in rows:
            joined = yield from _joined(account, row)
            found.append(Found(joined))
        yield Page(found=tuple(found), cursor=_text(*following) if full else None)
        if not full:
            return
        at, last_id = following


def _list(account: Account, key: str, at: datetime, until: datetime, last_id: int | None) -> _Asked:
    window: Json = {"min_" + key: _iso(at), "max_" + key: _iso(until if last_id is None else at)}
    order: Json = {"sort": key + ":asc"} if last_id is None else {"sort": "id:asc", "min_id": last_id + 1}
    reply = yield Ask(path=f"{store(account)}/v2/orders", params=window | order | EXTRA | {"limit": LIMIT})
    return [row for row in rows_of(reply.body) if type(row.get("id")) is int]


def _joined(account: Account, order: Json) -> _Asked:
    """One order with its products, taxes, coupons, transactions and refunds."""
    if order.get("status_id") == INCOMPLETE:
        return {"order": order}
    path = f"{store(account)}/v2/orders/{order['id']}"
    joined: Json = {"order": order}
    joined["products"] = yield from all_rows(path + "/products", {})
    joined["taxes"] = yield from all_rows(path + "/taxes", {"details": "true"})
    joined["shipping_addresses"] = yield from all_rows(path + "/shipping_addresses", {})
    if decimal(order.get("coupon_discount")):
        joined["coupons"] = yield from all_rows(path + "/coupons", {})
    path = f"{store(account)}/v3/orders/{order['id']}"
    joined["transactions"] = yield from all_rows(path + "/transactions", {})
    reply = yield Ask(path=path + "/payment_actions/refunds", accepts=(404,))
    joined["refunds"] = [] if reply.status == 404 else rows_of(reply.body)
    return joined


def all_rows(path: str, params: Json) -> _Asked:
    """Every row of a list; an empty one is answered 204, and by some of the newer addresses 404."""
    found: list[Json] = []
    page = 1
    while True:
        reply = yield Ask(path=path, params=params | {"page": page, "limit": ROWS}, accepts=(404,))
        rows = [] if reply.status == 404 else rows_of(reply.body)
        found.extend(rows)
        if len(rows) < ROWS:
            return found
        page += 1


def order(account: Account, identifier: str) -> Calls:
    """One order, joined; None where the store has none of that id."""
    if not (identifier.isascii() and identifier.isdigit()):
        return None
    reply = yield Ask(path=f"{store(account)}/v2/orders/{identifier}", params=EXTRA, accepts=(404,))
    body = reply.body
    if reply.status == 404 or type(body) is not dict or type(body.get("id")) is not int:
        return None
    return Found((yield from _joined(account, body)))


def subscribe(account: Account, url: str, scopes: frozenset[str]) -> Calls:
    """Make the hooks that are missing, and wake those that BigCommerce has put to sleep."""
    path = f"{store(account)}/v3/hooks"
    hooks = yield from all_rows(path, {"destination": url})
    ours = {h.get("scope"): h for h in hooks if h.get("destination") == url}
    made = []
    for scope in sorted(scopes):
        hook = ours.get(scope)
        body = {"scope": scope, "destination": url, "is_active": True}
        if hook is None:
            yield Ask(method="POST", path=path, json=body)
        elif hook.get("is_active") is False:
            yield Ask(method="PUT", path=f"{path}/{hook.get('id')}", json=body)
        else:
            continue
        made.append(scope)
    return {"made": made, "secret": account.credentials.get("client_secret") or None}


def pause(reply: Reply) -> float:
    """The quota is the store's, shared with every other app: near its end wait until it is refilled."""
    left, reset = (_header(reply, name) for name in ("x-rate-limit-requests-left", "x-rate-limit-time-reset-ms"))
    if reply.status == 429 or (left is not None and left <= 2):
        return min(60.0, (reset if reset is not None else 1000) / 1000)
    return 0.0


def _header(reply: Reply, name: str) -> int | None:
    value = reply.headers.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else None


def rows_of(body: Any) -> list[Json]:
    """The objects of a list's answer, which version 3 wraps in `data`."""
    value = body.get("data") if type(body) is dict else body
    return [row for row in value if type(row) is dict] if type(value) is list else []


def _time_of(row: Json, key: str) -> datetime:
    """When the order changed; one that does not say so cannot be read on from."""
    reader = Reader()
    at = reader.date(row.get(key), key)
    reader.finish()
    assert at is not None
    return _second(at)


def _second(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _iso(at: datetime) -> str:
    return _second(at).isoformat()


def _text(at: datetime, last_id: int | None) -> str:
    return _iso(at) if last_id is None else f"{_iso(at)}|{last_id}"


def _resume(cursor: str) -> tuple[datetime, int | None]:
    at, _, last_id = cursor.partition("|")
    try:
        return datetime.fromisoformat(at).astimezone(UTC), int(last_id) if last_id else None
    except ValueError:
        raise CursorExpired from None
