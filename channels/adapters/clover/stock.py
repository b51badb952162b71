"""Stock and catalogue of a Clover merchant: the quantity of an item, without locations: a merchant is one place. Pure.

A sale's line names its item by the product code, where the item has one, and by the item's id where not; a quantity is set by the id.
One request tells the quantity of one item: to look at many, `items` is quicker, whose list tells them too.
"""

import re
from collections.abc import Sequence
from typing import Any

from channels import counting
from channels.adapters.clover.client import ID, NESTED_ROWS, NOT_FOUND, elements_of, merchant_path
from channels.client import (
    Account,
    Ask,
    Calls,
    CatalogItem,
    CursorExpired,
    ItemPage,
    Pages,
    StaleStock,
    StockLevel,
    StockPlace,
    StockRead,
)
from channels.reading import Json, word
from salessync.core.problems import Problem, Refused

KINDS = ("I", "IS")  # of an event's object: an item, and since 2026 its stock alone
PAGE = NESTED_ROWS // 2  # each item with its stock and categories

_DECIMAL = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?")


def push_stock(account: Account, level: StockLevel) -> Calls:
    """Set an item's quantity; Clover has one stock for each merchant and no way to set it only if it is still the old one."""
    path = f"{merchant_path(account)}/item_stocks/{level.item_id}"
    if ID.fullmatch(level.item_id) is None or _DECIMAL.fullmatch(level.available) is None:
        raise Refused(Problem("BAD_LEVEL", "available", "the item or its level is nothing that Clover could know"))
    if level.expected is not None:
        reply = yield Ask(path=path)
        actual = reply.body.get("quantity") if type(reply.body) is dict else None
        if actual is None or _number(str(actual)) != _number(level.expected):
            raise StaleStock(None if actual is None else str(actual))
    yield Ask(method="POST", path=path, json={"quantity": _number(level.available)})
    return None


def _number(value: str) -> int | float | None:
    """A level as JSON writes it: Clover knows thousandths at most, which a float holds exactly enough."""
    if _DECIMAL.fullmatch(value) is None:
        return None
    number = float(value)
    return int(number) if number.is_integer() else number


def read_stock(account: Account, places: Sequence[StockPlace]) -> Calls:
    """The quantities, item by item."""
    found: dict[str, str | None] = {}
    for identifier in dict.fromkeys(place.item_id for place in places):
        if ID.fullmatch(identifier) is not None:
            path = f"{merchant_path(account)}/item_stocks/{identifier}"
            reply = yield Ask(path=path, accepts=(NOT_FOUND,))
            found[identifier] = None if reply.status == NOT_FOUND else _quantity(reply.body)
    return [StockRead(place.item_id, place.location, found.get(place.item_id)) for place in places]


def _quantity(stock: Any) -> str | None:
    """`quantity` has fractions; `stockCount` is what it is rounded to, and old."""
    return counting.count(stock.get("quantity"), "quantity") if type(stock) is dict else None


def items(account: Account, cursor: str | None) -> Pages:
    """Every item with its quantity; the list has no order and no cursor but an offset."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise CursorExpired
    offset = int(cursor or 0)
    while True:
        params: Json = {"expand": "categories,itemStock", "limit": PAGE} | ({"offset": offset} if offset else {})
        rows = elements_of((yield Ask(path=f"{merchant_path(account)}/items", params=params)))
        offset += len(rows)
        more = len(rows) >= PAGE
        found = tuple(_item(row) for row in rows if ID.fullmatch(word(row.get("id"))) is not None)
        yield ItemPage(items=found, cursor=str(offset) if more else None)
        if not more:
            return


def _item(row: Json) -> CatalogItem:
    identifier, code = word(row["id"]), word(row.get("code"))
    quantity = _quantity(row.get("itemStock"))
    group = row.get("itemGroup")
    return CatalogItem(
        item_id=code or identifier,
        stock_id=identifier,
        sku=word(row.get("sku")),
        barcode=code,
        name=word(row.get("name")),
        category=next((word(one.get("name")) for one in _elements(row.get("categories"))), ""),
        variant_of=(word(group.get("id")) or None) if type(group) is dict else None,
        tracked=quantity is not None,
        levels=() if quantity is None else (StockRead(identifier, "", quantity),),
    )


def _elements(nested: Any) -> list[Json]:
    rows = nested.get("elements") if type(nested) is dict else None
    return [row for row in rows if type(row) is dict] if type(rows) is list else []


def stock_locations() -> Calls:
    """A merchant is one place."""
    yield from ()
    return []


def hints(events: Sequence[Json]) -> tuple[StockPlace, ...]:
    """The items that events are about: until Clover has split its events, any change of an item may be one of its stock."""
    found: dict[str, None] = {}
    for event in events:
        kind, _, identifier = word(event.get("objectId")).partition(":")
        if kind in KINDS and ID.fullmatch(identifier) is not None and event.get("type") != "DELETE":
            found[identifier] = None
    return tuple(StockPlace(identifier) for identifier in found)
