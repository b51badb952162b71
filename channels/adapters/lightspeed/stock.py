"""Stock and catalogue of a Lightspeed retailer: a product's inventory level at an outlet. Pure.

Sales name a product by its SKU (its id is joined to the product when the sale is fetched); a level is set by the product's id.
"""

from collections.abc import Sequence
from typing import Any

from channels import counting
from channels.adapters.lightspeed.client import API, is_id, resume, rows_of, version_of
from channels.adapters.lightspeed.reading import decimal, first, plain
from channels.client import Ask, Calls, CatalogItem, ItemPage, Pages, StaleStock, StockLevel, StockPlace
from channels.reading import Json, word
from salessync.core.problems import Problem, Refused

TOPIC = "inventory.update"
BATCH = 200  # products of one request, which may name 1,000; each has a level for every outlet
LEVELS = 5000  # of one page, which may have 10,000
PRODUCTS = 200  # of one page

LEVEL_KEYS = ("current_inventory_level", "current_amount", "inventory_level", "count")  # as the APIs call it


def push_stock(level: StockLevel) -> Calls:
    """Set the level of one product at one outlet; `item_id` is the product's id, `location` the outlet's."""
    wanted = decimal(level.available)
    if wanted is None:
        raise Refused(Problem("BAD_QUANTITY", "available", "the level to set is no decimal number"))
    if level.expected is not None:
        reply = yield Ask(path=f"{API}/inventory/{level.item_id}")
        levels = [
            row.get("current_inventory_level") for row in rows_of(reply) if row.get("outlet_id") == level.location
        ]
        actual = decimal(levels[0]) if levels else None
        if actual != decimal(level.expected):
            raise StaleStock(None if actual is None else plain(actual))
    amount = int(wanted) if wanted == int(wanted) else float(wanted)
    inventory = [{"outlet_id": level.location, "current_amount": amount}]
    yield Ask(method="PUT", path=f"{API}/products/{level.item_id}", json={"details": {"inventory": inventory}})
    return None


def read_stock(places: Sequence[StockPlace]) -> Calls:
    """The levels of the products at the outlets, of inactive and composite products too."""
    found: dict[tuple[str, str], str | None] = {}
    known = [place for place in places if is_id(place.item_id) and is_id(place.location)]
    outlets = list(dict.fromkeys(place.location for place in known))
    for portion in counting.portions([place.item_id for place in known], BATCH):
        asked: Json = {
            "product_ids": portion,
            "location_ids": outlets,
            "include_inactive": True,
            "include_composites": True,
            "sort_type": "created_at",  # the default, by level, would move while it is read
            "sort_direction": "asc",
            "size": LEVELS,
        }
        offset = 0
        while True:
            rows = rows_of((yield Ask(method="POST", path=f"{API}/inventory_levels", json=asked | {"offset": offset})))
            for row in rows:
                key = word(row.get("product_id")), word(row.get("location_id"))
                found[key] = counting.count(row.get("current_inventory_level"), "current_inventory_level")
            offset += len(rows)
            if len(rows) < LEVELS:
                break
    return counting.answers(places, found)


def items(cursor: str | None) -> Pages:
    """Every product and variant, in the order of their version numbers: one that changes meanwhile comes again."""
    after = 0 if cursor is None else resume(cursor)
    while True:
        reply = yield Ask(path=f"{API}/products", params={"after": after, "page_size": PRODUCTS})
        assert reply is not None
        rows = rows_of(reply)
        versions = [version_of(first(reply.body, "version.max")), *(version_of(row.get("version")) for row in rows)]
        newest = max([after, *(one for one in versions if one is not None)])
        more = bool(rows) and newest > after
        found = tuple(_item(row) for row in rows if is_id(row.get("id")) and not row.get("deleted_at"))
        yield ItemPage(items=found, cursor=str(newest) if more else None)
        if not more:
            return
        after = newest


def _item(row: Json) -> CatalogItem:
    sku, parent = word(row.get("sku")), row.get("variant_parent_id")
    codes = row.get("product_codes")
    barcodes = [word(one.get("code")) for one in codes if type(one) is dict] if type(codes) is list else []
    return CatalogItem(
        item_id=sku or None,
        stock_id=row["id"],
        sku=sku,
        barcode=next((code for code in barcodes if code and code != sku), ""),
        name=word(row.get("variant_name")) or word(row.get("name")),
        category=word(first(row, "product_category.name", "type.name")),
        variant_of=parent if is_id(parent) else None,  # the first variant of a product is its parent, and sold itself
        # a composite has what its components have
        tracked=row.get("has_inventory") is True and row.get("is_composite") is not True,
    )


def stock_locations() -> Calls:
    """Every outlet."""
    found: dict[str, str] = {}
    after = 0
    while True:
        reply = yield Ask(path=f"{API}/outlets", params={"after": after, "page_size": PRODUCTS})
        rows = rows_of(reply)
        for row in rows:
            if is_id(row.get("id")) and not row.get("deleted_at"):
                found[row["id"]] = word(row.get("name"))
        versions = [version_of(first(reply.body, "version.max")), *(version_of(row.get("version")) for row in rows)]
        newest = max([after, *(one for one in versions if one is not None)])
        if not rows or newest <= after:
            return list(found.items())
        after = newest


def is_inventory(payload: Any) -> bool:
    """Whether a webhook's object is an inventory record: only the form around it says so in words."""
    return type(payload) is dict and "product_id" in payload and "outlet_id" in payload and "line_items" not in payload


def stock_hint(payload: Any, topic: str) -> tuple[StockPlace, ...]:
    """The product at the outlet, and its level where the record has one."""
    if topic != TOPIC or not is_inventory(payload):
        return ()
    return counting.hint(payload.get("product_id"), payload.get("outlet_id"), first(payload, *LEVEL_KEYS))
