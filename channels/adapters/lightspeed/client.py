"""How Lightspeed is asked: sales by their version number, a feed of changes that needs no clock. Pure.

Every change of any sale takes the retailer's next number, so reading on `after` the last one misses nothing and repeats
nothing. Dates cannot be asked for: where a window begins is found by halving the numbers.
"""

import re
from collections.abc import Generator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from channels.adapters.lightspeed.reading import Reader, first
from channels.client import Account, Ask, Calls, CursorExpired, Found, Page, Pages, Reply
from channels.reading import Json

API = "/api/2026-07"
PAGE_SIZE = 100
PROBES = 80

_ID = re.compile("[0-9A-Za-z-]{1,64}")

_Asked = Generator[Ask, Reply, Any]


class Joiner:
    """Adds to each sale what it only names; what was fetched once in a run is not fetched again."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def join(self, sale: Json) -> _Asked:
        """The sale with its retailer, outlet, tax rates, products and the sale it takes back from."""
        joined: Json = {"sale": sale}
        joined["retailer"] = yield from self._once("/retailer")
        outlet = first(sale, "source.outlet_id", "outlet_id")
        if is_id(outlet):
            joined["outlet"] = yield from self._once(f"/outlets/{outlet}")
        joined["taxes"] = yield from self._once("/taxes", page_size=PAGE_SIZE * 10)
        products: list[Json] = []
        for identifier in _products(sale):
            product = yield from self._once(f"/products/{identifier}")
            rows = product if type(product) is list else [product]
            products.extend(row for row in rows if type(row) is dict)
        joined["products"] = [{key: row.get(key) for key in ("id", "sku", "name")} for row in products]
        original = first(sale, "return.original_sale_id", "return_for")
        if is_id(original):
            reply = yield Ask(path=f"{API}/sales/{original}", accepts=(404,))
            if reply.status != 404:
                joined["original"] = _data(reply)
        return joined

    def _once(self, path: str, **params: Any) -> _Asked:
        if path not in self.known:
            reply = yield Ask(path=API + path, params=params, accepts=(404,))
            self.known[path] = None if reply.status == 404 else _data(reply)
        return self.known[path]


def _products(sale: Json) -> list[str]:
    rows = first(sale, "line_items", "register_sale_products")
    found = (
        [first(row, "product.id", "product_id") for row in rows or [] if type(row) is dict]
        if type(rows) is list
        else []
    )
    return list(dict.fromkeys(one for one in found if is_id(one)))


def is_id(value: Any) -> bool:
    """An id of Lightspeed's, in the letters that an address can hold."""
    return type(value) is str and _ID.fullmatch(value) is not None


def sales(*, since: datetime, until: datetime, cursor: str | None, created: bool) -> Pages:
    """Every sale whose number was given in [since, until]; the cursor is the last number read."""
    joiner = Joiner()
    after = resume(cursor) if cursor else (yield from _begin(since))
    while True:
        reply = yield from _ask(f"{API}/sales", after=after, page_size=PAGE_SIZE)
        rows = rows_of(reply)
        versions = [
            v for v in (version_of(first(row, "_metadata.version", "version")) for row in rows) if v is not None
        ]
        newest = max(
            [v for v in (version_of(first(reply.body, "version.max")),) if v is not None] + versions, default=after
        )
        found = []
        for row in rows:
            if not created or since <= _created(row) <= until:
                joined = yield from joiner.join(row)
                found.append(Found(joined))
        done = not rows or newest <= after or (not created and _changed(rows[-1]) > until)
        yield Page(found=tuple(found), cursor=None if done else str(newest))
        if done:
            return
        after = newest


def _ask(path: str, **params: Any) -> _Asked:
    return (yield Ask(path=path, params=params))


def _begin(since: datetime) -> _Asked:
    """The highest number that is certainly older than `since`: numbers are given in the order of time."""
    low, high = 0, 1 << 20
    row = yield from _next(0)
    if row is None or _changed(row) >= since:
        return 0
    while True:  # the first power of two with nothing old behind it
        row = yield from _next(high)
        if row is None or _changed(row) >= since:
            break
        low, high = max(high, version_of(first(row, "_metadata.version", "version")) or 0), high * 2
        high = max(high, low * 2)
    for _ in range(PROBES):
        if high - low <= 1:
            break
        middle = (low + high) // 2
        row = yield from _next(middle)
        if row is None or _changed(row) >= since:
            high = middle
        else:
            low = max(middle, min(version_of(first(row, "_metadata.version", "version")) or 0, high))
    return low


def _next(after: int) -> _Asked:
    reply = yield from _ask(f"{API}/sales", after=after, page_size=1)
    return next(iter(rows_of(reply)), None)


def sale(identifier: str) -> Calls:
    """One sale, joined; None where the retailer has none of that id."""
    if not is_id(identifier):
        return None
    reply = yield Ask(path=f"{API}/sales/{identifier}", accepts=(404,))
    body = None if reply.status == 404 else _data(reply)
    if type(body) is not dict or not body.get("id"):
        return None
    joined = yield from Joiner().join(body)
    return Found(joined)


def subscribe(account: Account, url: str, topics: frozenset[str]) -> Calls:
    """Make the webhooks that are missing, and wake those that were switched off."""
    reply = yield Ask(path=f"{API}/webhooks")
    ours = {hook.get("type"): hook for hook in rows_of(reply) if hook.get("url") == url}
    made = []
    for topic in sorted(topics):
        hook, body = ours.get(topic), {"active": True, "type": topic, "url": url}
        if hook is None:
            yield Ask(method="POST", path=f"{API}/webhooks", json=body, accepts=(409,))
        elif hook.get("active") is False:
            yield Ask(method="PUT", path=f"{API}/webhooks/{hook.get('id')}", json=body)
        else:
            continue
        made.append(topic)
    return {"made": made, "secret": account.credentials.get("client_secret") or None}


def pause(reply: Reply) -> float:
    """Too many requests are answered with the date from which more are welcome; the answer's own date is the clock."""
    if reply.status != 429:
        return 0.0
    value = reply.headers.get("retry-after", "")
    if value.isascii() and value.isdigit() and len(value) < 6:
        return float(min(int(value), 300))
    until, asked = _http_date(value), _http_date(reply.headers.get("date", ""))
    if until is None or asked is None:
        return 30.0
    return min(300.0, max(1.0, (until - asked).total_seconds()))


def _http_date(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _data(reply: Reply) -> Any:
    body = reply.body
    return body["data"] if type(body) is dict and "data" in body else body


def rows_of(reply: Reply) -> list[Json]:
    """The objects of a list's answer, wrapped in `data` or not."""
    data = _data(reply)
    return [row for row in data if type(row) is dict] if type(data) is list else []


def version_of(value: Any) -> int | None:
    """A version number; None for anything else."""
    return value if type(value) is int and value >= 0 else None


def _changed(row: Json) -> datetime:
    return _time(first(row, "updated_at", "date", "sale_date", "created_at"), "updated_at")


def _created(row: Json) -> datetime:
    return _time(first(row, "created_at", "date", "sale_date"), "created_at")


def _time(value: Any, path: str) -> datetime:
    reader = Reader()
    at = reader.time(value, path)
    reader.finish()
    assert at is not None
    return at


def resume(cursor: str) -> int:
    """The version number that a cursor is; CursorExpired where it is none."""
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 20):
        raise CursorExpired
    return int(cursor)
