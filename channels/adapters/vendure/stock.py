"""Stock and catalogue of a Vendure shop: a variant at a stock location. Pure.

Vendure stores what is on hand and what is allocated to orders, and sells the difference, less the out-of-stock threshold where one
is set: that is the shop's own buffer over all of its locations, and stays as it is. So what is allocated is added to the level that
is set, and taken from the one that is read. Sales name a variant by its SKU; levels are set by its id.
"""

import re
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

from channels import counting
from channels.adapters.vendure.client import Asking, answer, objects, unexpected
from channels.client import (
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

BATCH = 100
VARIANTS = 100  # of one page; Vendure's own most is 1000

STOCK_QUERY = (
    "query SalesSyncStock($id: ID!) { productVariant(id: $id) { id"
    " stockLevels { stockLocationId stockOnHand stockAllocated } } }"
)
STOCK_MUTATION = (
    "mutation SalesSyncSetStock($input: [UpdateProductVariantInput!]!) {"
    " updateProductVariants(input: $input) { id stockLevels { stockLocationId stockOnHand stockAllocated } } }"
)
_LEVELS = "stockLevels { stockLocationId stockOnHand stockAllocated }"
_GLOBAL = "globalSettings { trackInventory }"
LEVELS_QUERY = (
    "query SalesSyncLevels($options: ProductVariantListOptions) {"
    f" productVariants(options: $options) {{ items {{ id trackInventory {_LEVELS} }} }} {_GLOBAL} }}"
)
VARIANTS_QUERY = (
    "query SalesSyncVariants($options: ProductVariantListOptions) {"
    f" productVariants(options: $options) {{ items {{ id sku name productId trackInventory {_LEVELS} }} }} {_GLOBAL} }}"
)
LOCATIONS_QUERY = (
    "query SalesSyncLocations($options: StockLocationListOptions) {"
    " stockLocations(options: $options) { items { id name } } }"
)

_OFFSET = re.compile("[0-9]{1,9}")


def push_stock(level: StockLevel) -> Asking:
    """Set what a location has on hand so that, beside what is allocated to orders, the wanted number can be sold."""
    data = yield from answer(STOCK_QUERY, {"id": level.item_id})
    variant = data.get("productVariant")
    if type(variant) is not dict:
        raise Refused(Problem("UNKNOWN_ITEM", "item_id", f"Vendure has no variant {level.item_id[:60]!r}"))
    held = next(
        (one for one in objects(variant.get("stockLevels")) if str(one.get("stockLocationId")) == level.location), {}
    )
    allocated = _number(held.get("stockAllocated"))
    shown = _number(held.get("stockOnHand")) - allocated
    if level.expected is not None and held and shown != _number(level.expected):
        raise StaleStock(format(shown, "f"))
    # Vendure counts whole pieces: a part of one cannot be sold
    on_hand = int((_number(level.available) + allocated).to_integral_value(ROUND_FLOOR))
    levels = [{"stockLocationId": level.location, "stockOnHand": on_hand}]
    yield from answer(STOCK_MUTATION, {"input": [{"id": level.item_id, "stockLevels": levels}]})
    return None


def _number(value: Any) -> Decimal:
    try:
        found = Decimal(str(0 if value is None else value))
    except InvalidOperation:
        raise unexpected("a quantity is no number") from None
    if not found.is_finite() or found.adjusted() > 9:
        raise unexpected("a quantity is no number")
    return found


def read_stock(places: Sequence[StockPlace]) -> Calls:
    """What is on hand less what is allocated; of a variant whose stock is not tracked Vendure sells any number."""
    found: dict[tuple[str, str], str | None] = {}
    for portion in counting.portions([place.item_id for place in places], BATCH):
        options = {"filter": {"id": {"in": portion}}, "take": BATCH, "skip": 0}
        data = yield from answer(LEVELS_QUERY, {"options": options})
        for row in _rows(data, "productVariants"):
            if _is_tracked(row, data):
                found |= {(read.item_id, read.location): read.available for read in _levels(row)}
    return counting.answers(places, found)


def _levels(variant: Json) -> list[StockRead]:
    levels = objects(variant.get("stockLevels"))
    left = [counting.minus(one.get("stockOnHand"), one.get("stockAllocated"), "stockOnHand") for one in levels]
    places = [str(one.get("stockLocationId")) for one in levels]
    return [StockRead(str(variant.get("id")), place, one) for place, one in zip(places, left, strict=True)]


def _is_tracked(variant: Json, data: Json) -> bool:
    flag = variant.get("trackInventory")
    settings = data.get("globalSettings")
    inherited = settings.get("trackInventory") is not False if type(settings) is dict else True
    return inherited if flag == "INHERIT" else flag == "TRUE"


def _rows(data: Json, key: str) -> list[Json]:
    listed = data.get(key)
    rows = listed.get("items") if type(listed) is dict else None
    if type(rows) is not list or any(type(row) is not dict for row in rows):
        raise unexpected(f"it has no list of {key}")
    return rows


def items(cursor: str | None) -> Pages:
    """Every variant of every product, in the order of their ids."""
    if cursor is not None and _OFFSET.fullmatch(cursor) is None:
        raise CursorExpired
    skip = int(cursor or 0)
    while True:
        options = {"sort": {"id": "ASC"}, "take": VARIANTS, "skip": skip}
        data = yield from answer(VARIANTS_QUERY, {"options": options})
        rows = _rows(data, "productVariants")
        skip += len(rows)
        more = len(rows) >= VARIANTS
        yield ItemPage(items=tuple(_item(row, data) for row in rows), cursor=str(skip) if more else None)
        if not more:
            return


def _item(variant: Json, data: Json) -> CatalogItem:
    sku, product, tracked = word(variant.get("sku")), variant.get("productId"), _is_tracked(variant, data)
    return CatalogItem(
        item_id=sku or None,
        stock_id=str(variant.get("id")),
        sku=sku,
        name=word(variant.get("name")),
        variant_of=None if product is None else str(product),
        tracked=tracked,
        levels=tuple(_levels(variant)) if tracked else (),
    )


def stock_locations() -> Calls:
    """Every stock location."""
    found: list[tuple[str, str]] = []
    while True:
        options = {"sort": {"id": "ASC"}, "take": VARIANTS, "skip": len(found)}
        rows = _rows((yield from answer(LOCATIONS_QUERY, {"options": options})), "stockLocations")
        found += [(str(row.get("id")), word(row.get("name"))) for row in rows]
        if len(rows) < VARIANTS:
            return found
