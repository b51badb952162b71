"""How Clover's REST API (v3) is asked. Pure: see channels/client.py.

Lists have neither a documented order nor a cursor, and pages by offset lose rows while the list changes. So a window of time
is halved until one answer holds all of it: that answer is whole by itself. Nested lists end at 100 and at most three fields
are expanded in one call, so an order is put together from several answers, and read again where it changed in between.
"""

import re
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

from channels.adapters.clover.reading import EPOCH
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
from salessync.core.problems import Problem, Refused

ROWS = 100  # orders of one page: each of them costs further requests
NESTED_ROWS = 1000
WIDEST = 89 * 86_400_000  # of 90 days, in milliseconds: Clover silently cuts what is longer
ATTEMPTS = 3
NOT_FOUND = 404

# stream → (its list, the field that a change moves, the field of its creation); refunds never change
LISTS = {
    "orders": ("orders", "modifiedTime", "createdTime"),
    "payments": ("payments", "modifiedTime", "createdTime"),
    "refunds": ("refunds", "createdTime", "createdTime"),
}
ID = re.compile("[A-Za-z0-9]{1,40}")
_CURSOR = re.compile("([0-9]{1,15}):([0-9]{1,15})")

Answers = Generator[Ask, Reply, Any]


def merchant_path(account: Account) -> str:
    """The root of everything that belongs to the merchant."""
    return f"/v3/merchants/{account.credentials['merchant_id']}"


def poll(
    stream: str, account: Account, *, since: datetime, until: datetime, cursor: str | None, created: bool
) -> Pages:
    """Whole orders, whatever the stream: a payment or refund brings the order it belongs to."""
    name, changed, made = LISTS[stream]
    start, last = _millis(since), _millis(until)
    width = WIDEST
    if cursor is not None:
        match = _CURSOR.fullmatch(cursor)
        if match is None:
            raise CursorExpired
        start, width = int(match[1]), max(int(match[2]), 1)
    while start <= last:
        end = min(start + width - 1, last)
        rows = yield from _window(account, name, made if created else changed, start, end)
        if rows is None:
            width = (end - start + 1) // 2
            continue
        found = []
        for identifier in _order_ids(stream, rows):
            order = yield from read_order(account, identifier)
            if order is not None:
                found.append(Found({"order": order}))
        start, width = end + 1, min(width * 2, WIDEST)
        yield Page(found=tuple(found), cursor=f"{start}:{width}" if start <= last else None)


def _millis(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def _window(
    account: Account, name: str, field: str, start: int, end: int
) -> Generator[Ask, Reply | None, list[Json] | None]:
    """Every row of the window, or None where there are more than one answer holds and the window can still be halved."""
    rows: list[Json] = []
    while True:
        reply = yield Ask(
            path=f"{merchant_path(account)}/{name}",
            params={
                "filter": [f"{field}>={start}", f"{field}<={end}"],
                "limit": ROWS,
                **({"offset": len(rows)} if rows else {}),
            },
        )
        page = elements_of(reply)
        if len(page) < ROWS:
            return rows + page
        if end > start:
            return None
        rows += page  # more than a page in one millisecond: only here the offset is left


def elements_of(reply: Reply | None) -> list[Json]:
    """The rows of a list's answer; Refused where it is no list."""
    body = reply.body if reply is not None else None
    rows = body.get("elements") if type(body) is dict else None
    if type(rows) is not list:
        raise Refused(Problem("BAD_ANSWER", "elements", "Clover's answer has no list of elements"))
    return [row for row in rows if type(row) is dict]


def _order_ids(stream: str, rows: list[Json]) -> list[str]:
    """The orders behind the rows, oldest change first, each once."""
    ids = []
    for row in sorted(rows, key=_age):
        order = row if stream == "orders" else _order_of(row)
        identifier = order.get("id")
        if type(identifier) is str and ID.fullmatch(identifier):
            ids.append(identifier)
    return list(dict.fromkeys(ids))


def _age(row: Json) -> tuple[int, str]:
    at = row.get("modifiedTime") or row.get("createdTime")
    return at if type(at) is int else 0, str(row.get("id"))


def _order_of(row: Json) -> Json:
    for key in ("order", "orderRef"):
        if type(row.get(key)) is dict:
            return row[key]  # type: ignore[no-any-return]
    return {}


def read_order(account: Account, identifier: str) -> Answers:
    """One order with all that belongs to it, as of one moment; None where there is no such order."""
    path = f"{merchant_path(account)}/orders/{identifier}"
    order: Json = {}
    for _ in range(ATTEMPTS):
        first = yield Ask(path=path, params={"expand": "discounts,serviceCharge,credits"}, accepts=(NOT_FOUND,))
        if first.status == NOT_FOUND:
            return None
        lines = yield from _all(f"{path}/line_items", "discounts,modifications,taxRates")
        payments = yield from _all(f"{path}/payments", "tender,cardTransaction,taxRates")
        last = yield Ask(path=path, params={"expand": "refunds,voids,customers"}, accepts=(NOT_FOUND,))
        if last.status == NOT_FOUND:
            return None
        before, after = _object(first), _object(last)
        order = before | after | {"lineItems": {"elements": lines}, "payments": {"elements": payments}}
        if before.get("modifiedTime") == after.get("modifiedTime"):
            break
    return order


def _all(path: str, expand: str) -> Generator[Ask, Reply, list[Json]]:
    """Every element of one order's list, each once."""
    found: dict[str, Json] = {}
    offset = 0
    while True:
        params = {"expand": expand, "limit": NESTED_ROWS} | ({"offset": offset} if offset else {})
        rows = elements_of((yield Ask(path=path, params=params)))
        for row in rows:
            found[str(row.get("id"))] = row
        offset += len(rows)
        if len(rows) < NESTED_ROWS:
            return list(found.values())


def _object(reply: Reply) -> Json:
    if type(reply.body) is not dict:
        raise Refused(Problem("BAD_ANSWER", "$", "Clover's answer is not a JSON object"))
    return reply.body


def fetch(pointer: Pointer, account: Account) -> Calls:
    """The orders behind an event, or one order, by its own id or that of a payment or refund of it."""
    if pointer.kind != "events":
        order = yield from _pointed(pointer.kind, pointer.id, account)
        return None if order is None else Found({"order": order})
    orders: dict[str, Json] = {}
    for kind, identifier in _of_merchant(pointer.id, account):
        if identifier in orders:
            continue
        order = yield from _pointed(kind, identifier, account)
        if order is not None:
            orders[str(order.get("id"))] = order
    if not orders:
        return None
    found = list(orders.values())
    return Found({"order": found[0]} if len(found) == 1 else {"orders": found})


def _pointed(kind: str, identifier: str, account: Account) -> Answers:
    if ID.fullmatch(identifier) is None:
        return None
    if kind == "order":
        return (yield from read_order(account, identifier))
    reply = yield Ask(path=f"{merchant_path(account)}/{kind}s/{identifier}", accepts=(NOT_FOUND,))
    order = _order_of(reply.body).get("id") if reply.status != NOT_FOUND and type(reply.body) is dict else None
    if type(order) is not str or ID.fullmatch(order) is None:
        return None
    return (yield from read_order(account, order))


def _of_merchant(identifiers: str, account: Account) -> list[tuple[str, str]]:
    """An app has one address for all its merchants: what belongs to another one is not ours to ask for."""
    kinds = {"O": "order", "P": "payment"}
    found = []
    for one in identifiers.split():
        merchant, _, rest = one.partition("/")
        letter, _, identifier = rest.partition(":")
        if merchant == account.credentials["merchant_id"] and letter in kinds:
            found.append((kinds[letter], identifier))
    return sorted(found)  # orders first: a payment's order is mostly among them
