"""Stock and catalogue at Square: counts of item variations by location, IN_STOCK, which is what can be sold. Pure.

A sale's line names the variation by its id, and so does a count: one id for both.
"""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from channels import counting
from channels.adapters.square.client import ID, body_of, is_refused, locations_of, rows_of
from channels.client import (
    Account,
    Ask,
    Calls,
    CatalogItem,
    CursorExpired,
    ItemPage,
    Pages,
    Reply,
    StaleStock,
    StockLevel,
    StockPlace,
)
from channels.reading import Json, word
from salessync.core import dates

TOPIC = "inventory.count.updated"
BATCH = 250  # variations of one request, which may name 1000; each has a count for every location
MOST_COUNTS = 1000  # of one page


def push_stock(level: StockLevel) -> Calls:
    """Count the variation anew. Square compares nothing itself, so its level is read before, and in the answer."""
    if level.expected is not None and ID.fullmatch(level.item_id):
        reply = yield Ask(
            path=f"/v2/inventory/{level.item_id}", params={"location_ids": level.location}, accepts=(404,)
        )
        actual = _in_stock(body_of(reply), level) or "0"
        if _same(actual, level.available):
            return None
        if not _same(actual, level.expected):
            raise StaleStock(actual)
    count = {
        "catalog_object_id": level.item_id,
        "state": "IN_STOCK",
        "location_id": level.location,
        "quantity": level.available,
        "occurred_at": dates.format_instant(level.at),
    }
    key = level.key if 0 < len(level.key) <= 45 else hashlib.sha256(level.key.encode()).hexdigest()[:45]
    asked = {
        "idempotency_key": key,
        "changes": [{"type": "PHYSICAL_COUNT", "physical_count": count}],
        "ignore_unchanged_counts": True,
    }
    reply = yield Ask(method="POST", path="/v2/inventory/changes/batch-create", json=asked)
    counted = _in_stock(body_of(reply), level)
    if counted is not None and not _same(counted, level.available):  # a count that is newer than ours has stood
        raise StaleStock(counted)
    return None


def _in_stock(body: Json, level: StockLevel) -> str | None:
    """What the answer says is in stock of the item at the location; None where it does not say."""
    for row in rows_of(body, "counts"):
        same = row.get("catalog_object_id") == level.item_id and row.get("location_id") == level.location
        if same and row.get("state") == "IN_STOCK":
            return word(row.get("quantity")) or None
    return None


def read_stock(places: Sequence[StockPlace]) -> Calls:
    """IN_STOCK; a variation that was never counted at a location has no count there."""
    found: dict[tuple[str, str], str | None] = {}
    locations = list(dict.fromkeys(place.location for place in places))
    for portion in counting.portions([place.item_id for place in places], BATCH):
        asked = {"catalog_object_ids": portion, "location_ids": locations, "states": ["IN_STOCK"], "limit": MOST_COUNTS}
        token: Any = None
        while True:
            body = asked | ({"cursor": token} if token else {})
            answer = body_of((yield Ask(method="POST", path="/v2/inventory/counts/batch-retrieve", json=body)))
            for row in rows_of(answer, "counts"):
                if row.get("state") == "IN_STOCK":
                    key = word(row.get("catalog_object_id")), word(row.get("location_id"))
                    found[key] = counting.count(row.get("quantity"), "quantity")
            token = answer.get("cursor")
            if not token:
                break
    return counting.answers(places, found)


def items(cursor: str | None) -> Pages:
    """Every variation of every item, with the name of its category."""
    categories = yield from _categories()
    while True:
        params: Json = {"types": "ITEM"} | ({"cursor": cursor} if cursor else {})
        reply = yield Ask(path="/v2/catalog/list", params=params, accepts=(400,) if cursor else ())
        if is_refused(reply):
            raise CursorExpired
        body = body_of(reply)
        cursor = word(body.get("cursor")) or None
        found = [one for row in rows_of(body, "objects") for one in _variations(row, categories)]
        yield ItemPage(items=tuple(found), cursor=cursor)
        if cursor is None:
            return


def _categories() -> Generator[Ask, Reply | None, dict[str, str]]:
    """The names by id: an item names its category by the id only."""
    found: dict[str, str] = {}
    token: Any = None
    while True:
        params: Json = {"types": "CATEGORY"} | ({"cursor": token} if token else {})
        body = body_of((yield Ask(path="/v2/catalog/list", params=params)))
        found |= {
            word(row.get("id")): word(_data(row, "category_data").get("name")) for row in rows_of(body, "objects")
        }
        token = body.get("cursor")
        if not token:
            return found


def _variations(item: Json, categories: Mapping[str, str]) -> list[CatalogItem]:
    data = _data(item, "item_data")
    variations = [
        one for one in rows_of(data, "variations") if word(one.get("id")) and one.get("is_deleted") is not True
    ]
    if item.get("is_deleted") is True or data.get("is_archived") is True:
        return []
    category = next((categories[one] for one in _category_ids(data) if one in categories), "")
    several = len(variations) > 1
    return [_variation(one, item, category, several=several) for one in variations]


def _category_ids(data: Json) -> list[str]:
    reporting = [word(_data(data, "reporting_category").get("id"))]
    return reporting + [word(one.get("id")) for one in rows_of(data, "categories")] + [word(data.get("category_id"))]


def _variation(variation: Json, item: Json, category: str, *, several: bool) -> CatalogItem:
    data, identifier = _data(variation, "item_variation_data"), word(variation.get("id"))
    names = [word(_data(item, "item_data").get("name")), word(data.get("name")) if several else ""]
    counted = [data, *rows_of(data, "location_overrides")]
    return CatalogItem(
        item_id=identifier,
        stock_id=identifier,
        sku=word(data.get("sku")),
        barcode=word(data.get("upc")),
        name=" - ".join(name for name in names if name),
        category=category,
        variant_of=word(item.get("id")) or None if several else None,
        # one that is not stockable is sold out of another variation's stock
        tracked=any(one.get("track_inventory") is True for one in counted) and data.get("stockable") is not False,
    )


def _data(row: Json, key: str) -> Json:
    value = row.get(key)
    return value if type(value) is dict else {}


def stock_locations(account: Account) -> Calls:
    """The seller's locations that are open, of those that the channel is for."""
    rows = yield from locations_of(account)
    return [(key, word(row.get("name"))) for key, row in rows.items() if row.get("status") != "INACTIVE"]


def stock_hint(payload: Any, topic: str) -> tuple[StockPlace, ...]:
    """The counts that changed; of other states than IN_STOCK only that something changed."""
    if topic != TOPIC or type(payload) is not dict:
        return ()
    counts = rows_of(_data(_data(payload, "data"), "object"), "inventory_counts")
    return tuple(place for row in counts for place in _hint(row))


def _hint(row: Json) -> tuple[StockPlace, ...]:
    value = row.get("quantity") if row.get("state") == "IN_STOCK" else None
    return counting.hint(row.get("catalog_object_id"), row.get("location_id"), value)


def _same(one: str, other: str) -> bool:
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False
