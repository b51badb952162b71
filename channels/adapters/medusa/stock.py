"""Stock and catalogue of a Medusa shop: an inventory item at a stock location. Pure.

Medusa stores what is stocked and what is reserved for orders, and sells the difference. So what is reserved is added to the level
that is set, and taken from the one that is read. Sales name a variant by its SKU; its inventory item has another id.
"""

import re
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

from channels import counting
from channels.adapters.medusa.client import ID, PAGE, Asking, listed, rows_of, unexpected
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

TOPIC = "inventory-level.updated"
BATCH = PAGE
VARIANTS = 100  # of one page
VARIANT_FIELDS = ",".join(
    "id title sku barcode ean upc manage_inventory product.id product.title product.categories.name"
    " inventory_items.inventory_item_id inventory_items.required_quantity"
    " inventory_items.inventory.location_levels.location_id inventory_items.inventory.location_levels.stocked_quantity"
    " inventory_items.inventory.location_levels.reserved_quantity".split()
)

_OFFSET = re.compile("[0-9]{1,9}")


def push_stock(account: Account, level: StockLevel) -> Asking:
    """Set what a location stocks so that, beside what is reserved for orders, the wanted number is available."""
    for identifier in (level.item_id, level.location):
        if ID.fullmatch(identifier) is None:
            raise Refused(Problem("BAD_ID", "item_id", f"{identifier[:40]!r} is no id of Medusa's"))
    path = f"/admin/inventory-items/{level.item_id}/location-levels"
    reply = yield Ask(path=path, params={"location_id": level.location, "limit": 1})
    rows = rows_of(reply, "inventory_levels")
    held = rows[0] if rows else {}
    reserved = number(held.get("reserved_quantity"))
    shown = number(held.get("available_quantity")) if held else None
    if level.expected is not None and shown is not None and shown != number(level.expected):
        raise StaleStock(format(shown, "f"))
    stocked = max(number(level.available) + reserved, Decimal(0))
    body = {"stocked_quantity": _json_number(stocked)}
    if rows:
        yield Ask(method="POST", path=f"{path}/{level.location}", json=body)
    else:
        yield Ask(method="POST", path=path, json={"location_id": level.location, **body})
    return None


def number(value: Any) -> Decimal:
    """A quantity as Medusa or the inventory tells it."""
    try:
        found = Decimal(str(0 if value is None else value))
    except InvalidOperation:
        raise unexpected("a quantity is no number") from None
    if not found.is_finite() or found.adjusted() > 12:
        raise unexpected("a quantity is no number")
    return found


def _json_number(value: Decimal) -> int | float:
    """Medusa takes numbers only, no texts."""
    return int(value) if value == value.to_integral_value(ROUND_FLOOR) else float(value)


def read_stock(places: Sequence[StockPlace]) -> Calls:
    """What is stocked less what is reserved."""
    found: dict[tuple[str, str], str | None] = {}
    known = [place.item_id for place in places if ID.fullmatch(place.item_id) is not None]
    for portion in counting.portions(known, BATCH):
        params = {"fields": "id,*location_levels", "limit": BATCH, "offset": 0, **listed("id", portion)}
        for row in rows_of((yield Ask(path="/admin/inventory-items", params=params)), "inventory_items"):
            found |= {
                (word(row.get("id")), read.location): read.available for read in _levels(word(row.get("id")), row)
            }
    return counting.answers(places, found)


def _levels(item_id: str, inventory: Any) -> list[StockRead]:
    levels = inventory.get("location_levels") if type(inventory) is dict else None
    found = []
    for level in levels if type(levels) is list else ():
        if type(level) is dict and word(level.get("location_id")):
            left = counting.minus(level.get("stocked_quantity"), level.get("reserved_quantity"), "stocked_quantity")
            found.append(StockRead(item_id, word(level.get("location_id")), left))
    return found


def items(cursor: str | None) -> Pages:
    """Every variant of every product, in the order of their ids, which is that of their making."""
    if cursor is not None and _OFFSET.fullmatch(cursor) is None:
        raise CursorExpired
    offset = int(cursor or 0)
    while True:
        params = {"fields": VARIANT_FIELDS, "order": "id", "limit": VARIANTS, "offset": offset}
        reply = yield Ask(path="/admin/product-variants", params=params)
        assert reply is not None
        rows = rows_of(reply, "variants")
        offset += len(rows)
        more = len(rows) >= VARIANTS
        found = tuple(_item(row) for row in rows)
        yield ItemPage(items=found, cursor=str(offset) if more else None)
        if not more:
            return


def _item(variant: Json) -> CatalogItem:
    raw = variant.get("inventory_items")
    parts = [one for one in raw if type(one) is dict] if type(raw) is list else []
    # one that is made of several inventory items, or of several units of one, has no level of its own
    single = len(parts) == 1 and counting.count(parts[0].get("required_quantity") or 1, "required_quantity") == "1"
    tracked = variant.get("manage_inventory") is True and single
    stock_id = word(parts[0].get("inventory_item_id")) if single else ""
    told = variant.get("product")
    product: Json = told if type(told) is dict else {}
    categories = product.get("categories")
    names = [word(one.get("name")) for one in categories if type(one) is dict] if type(categories) is list else []
    sku = word(variant.get("sku"))
    return CatalogItem(
        item_id=sku or None,
        stock_id=stock_id,
        sku=sku,
        barcode=next((word(variant[key]) for key in ("barcode", "ean", "upc") if word(variant.get(key))), ""),
        name=" - ".join(part for part in (word(product.get("title")), word(variant.get("title"))) if part),
        category=names[0] if names else "",
        variant_of=word(product.get("id")) or None,
        tracked=tracked,
        levels=tuple(_levels(stock_id, parts[0].get("inventory"))) if tracked else (),
    )


def stock_locations() -> Calls:
    """Every stock location."""
    found: list[tuple[str, str]] = []
    while True:
        params = {"fields": "id,name", "order": "id", "limit": VARIANTS, "offset": len(found)}
        rows = rows_of((yield Ask(path="/admin/stock-locations", params=params)), "stock_locations")
        found += [(word(row.get("id")), word(row.get("name"))) for row in rows]
        if len(rows) < VARIANTS:
            return found


def stock_hint(payload: Any, topic: str) -> tuple[StockPlace, ...]:
    """Medusa's event names the level only; the shop's subscriber adds whose it is, or the event cannot be followed."""
    data = payload.get("data") if type(payload) is dict else None
    if topic != TOPIC or type(data) is not dict:
        return ()
    return counting.hint(data.get("inventory_item_id"), data.get("location_id"))
