"""Stock and catalogue at Shopify, by GraphQL: an inventory item's `available` at a location. Pure.

Ids are those of inventory items and locations, in digits as REST and the webhooks have them. Sales name a variant by its SKU.
"""

from collections.abc import Generator, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from channels import counting
from channels.adapters.shopify.asking import AGAIN, ATTEMPTS, answered, gid, graphql, inside, objects, refuse
from channels.client import (
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
from salessync.core.problems import Problem, Refused

TOPIC = "inventory_levels/update"
BATCH = 100  # a level costs four of the 1,000 points that one query may, a variant of the list five
STALE = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})

SET_QUANTITY = """
mutation ($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) { userErrors { code message } }
}
"""
GET_QUANTITY = """
query ($item: ID!, $location: ID!) {
  inventoryItem(id: $item) { inventoryLevel(locationId: $location) { quantities(names: ["available"]) { quantity } } }
}
"""
LEVELS = """
query ($items: [ID!]!, $location: ID!) {
  nodes(ids: $items) {
    ... on InventoryItem {
      id tracked inventoryLevel(locationId: $location) { quantities(names: ["available"]) { quantity } }
    }
  }
}
"""
VARIANTS = """
query ($first: Int!, $after: String) {
  productVariants(first: $first, after: $after, sortKey: ID) {
    nodes {
      sku barcode title requiresComponents inventoryItem { id tracked }
      product { id title productType hasOnlyDefaultVariant category { fullName } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
LOCATIONS = """
query ($after: String) {
  locations(first: 250, after: $after) { nodes { id name } pageInfo { hasNextPage endCursor } }
}
"""


def push_stock(level: StockLevel) -> Calls:
    """Set `available`, if it is still what we expected. Shopify counts whole units: what is left of one is not for sale."""
    item, location = gid("InventoryItem", level.item_id), gid("Location", level.location)
    quantity = {
        "inventoryItemId": item,
        "locationId": location,
        "quantity": _whole(level.available),
        "changeFromQuantity": None if level.expected is None else _whole(level.expected),
    }
    given = {"name": "available", "reason": "correction", "quantities": [quantity]}
    key, errors = level.key, list[Json]()
    for _ in range(ATTEMPTS):
        data, errors = yield from graphql(SET_QUANTITY, {"input": given, "key": key})
        errors = errors or objects(inside(data, "inventorySetQuantities", "userErrors"))
        codes = {inside(one, "code") for one in errors}
        if codes & STALE:
            raise StaleStock((yield from _level(item, location)))
        if "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED" in codes:
            key += "-again"  # Shopify wants a new key; the comparison keeps the second try from counting twice
        elif not codes & AGAIN:
            break
    refuse(errors)
    if inside(data, "inventorySetQuantities") is None:
        raise Refused(Problem("BAD_ANSWER", "inventorySetQuantities", "Shopify did not say that the level was set"))


def _level(item: str, location: str) -> Generator[Ask, Reply, str | None]:
    """What the listing shows now; None where that is not told."""
    data, _ = yield from graphql(GET_QUANTITY, {"item": item, "location": location})
    rows = inside(data, "inventoryItem", "inventoryLevel", "quantities")
    shown = inside(rows[0], "quantity") if type(rows) is list and rows else None
    return str(shown) if type(shown) is int else None


def read_stock(places: Sequence[StockPlace]) -> Calls:
    """`available`; of an item that is not tracked, or not stocked at the location, Shopify tells none that counts."""
    found: dict[tuple[str, str], str | None] = {}
    for location, items in counting.by_location(places).items():
        for portion in counting.portions(items, BATCH):
            asked = {"items": [gid("InventoryItem", one) for one in portion], "location": gid("Location", location)}
            data = yield from answered(LEVELS, asked)
            shown = {word(row.get("id")): _available(row) for row in objects(_listed(data, "nodes"))}
            found |= {(one, location): shown.get(gid("InventoryItem", one)) for one in portion}
    return counting.answers(places, found)


def _available(item: Json) -> str | None:
    rows = objects(inside(item, "inventoryLevel", "quantities"))
    return counting.count(rows[0].get("quantity"), "quantity") if rows and item.get("tracked") is True else None


def items(cursor: str | None) -> Pages:
    """Every variant, in the order of their ids."""
    while True:
        data = yield from _variants(cursor)
        rows = _listed(data, "productVariants", "nodes")
        cursor = _next(data, "productVariants")
        yield ItemPage(items=tuple(_item(row) for row in objects(rows)), cursor=cursor)
        if cursor is None:
            return


def _variants(cursor: str | None) -> Generator[Ask, Reply, Json]:
    try:
        return (yield from answered(VARIANTS, {"first": BATCH, "after": cursor}))
    except Refused as refused:
        if cursor is not None and any("cursor" in problem.message.lower() for problem in refused.problems):
            raise CursorExpired from None
        raise


def _item(variant: Json) -> CatalogItem:
    product, stock = variant.get("product"), variant.get("inventoryItem")
    sku, alone = word(variant.get("sku")), inside(product, "hasOnlyDefaultVariant") is True
    names = [word(inside(product, "title")), "" if alone else word(variant.get("title"))]
    return CatalogItem(
        item_id=sku or None,
        stock_id=_number(inside(stock, "id")),
        sku=sku,
        barcode=word(variant.get("barcode")),
        name=" - ".join(name for name in names if name),
        category=word(inside(product, "category", "fullName")) or word(inside(product, "productType")),
        variant_of=None if alone else _number(inside(product, "id")) or None,
        # a bundle has what its components have
        tracked=inside(stock, "tracked") is True and variant.get("requiresComponents") is not True,
    )


def stock_locations() -> Calls:
    """The shop's active locations."""
    found: list[tuple[str, str]] = []
    after: str | None = None
    while True:
        data = yield from answered(LOCATIONS, {"after": after})
        rows = objects(_listed(data, "locations", "nodes"))
        found += [(_number(row.get("id")), word(row.get("name"))) for row in rows]
        after = _next(data, "locations")
        if after is None:
            return found


def stock_hint(payload: Any, topic: str) -> tuple[StockPlace, ...]:
    """An inventory level with its `available`, which is null where the item is not tracked."""
    if topic.strip().casefold() != TOPIC or type(payload) is not dict:
        return ()
    return counting.hint(payload.get("inventory_item_id"), payload.get("location_id"), payload.get("available"))


def _listed(data: Json, *keys: str) -> list[Any]:
    rows = inside(data, *keys)
    if type(rows) is not list:  # to take it for an empty list would lose a page
        raise Refused(Problem("BAD_ANSWER", ".".join(keys), f"Shopify answered without the list of {keys[0]}"))
    return rows


def _next(data: Json, key: str) -> str | None:
    page = inside(data, key, "pageInfo")
    if inside(page, "hasNextPage") is not True:
        return None
    cursor = word(inside(page, "endCursor"))
    if not cursor:
        raise Refused(
            Problem("BAD_ANSWER", f"{key}.pageInfo", "Shopify has more pages and does not say where they begin")
        )
    return cursor


def _number(identifier: Any) -> str:
    """gid://shopify/InventoryItem/11 → 11."""
    return word(identifier).rpartition("/")[2]


def _whole(quantity: str) -> int:
    return int(Decimal(quantity).to_integral_value(ROUND_FLOOR))
