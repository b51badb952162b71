"""Stock and catalogue of a BigCommerce store: what a location has on hand, less its safety stock. Pure.

An item is `variant:77` where the store counts by variant, `product:111` where it counts by product, or a SKU as sales name it.
BigCommerce sets what is on hand and keeps the safety stock back from it: so the safety stock is added to what is set, and taken
from what is read.
"""

from collections.abc import Generator, Sequence
from decimal import Decimal
from typing import Any

from channels import counting
from channels.adapters.bigcommerce.client import ROWS, all_rows, rows_of, store
from channels.adapters.bigcommerce.reading import decimal
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
from salessync.core.problems import Problem, Refused

TOPICS = frozenset({"store/product/inventory/updated", "store/sku/inventory/updated"})
BATCH = 50  # of one address, with SKUs of any length
PRODUCTS = 100  # of one page, each with all of its variants

_KEYS = {"variant_id": "variant_id:in", "product_id": "product_id:in", "sku": "sku:in"}


def push_stock(account: Account, level: StockLevel) -> Calls:
    """Set what is on hand at one location, so that beside the safety stock the wanted number can be sold."""
    key, value = _item(level.item_id)
    wanted = decimal(level.available)
    if wanted is None or wanted != int(wanted):
        raise Refused(Problem("BAD_QUANTITY", "available", "BigCommerce counts stock in whole units"))
    held = yield from _held(account, level.location, [level.item_id])
    row = held.get(level.item_id, {})
    if level.expected is not None:
        actual = _available(row)
        if decimal(actual) != decimal(level.expected):
            raise StaleStock(actual)
    item = {"location_id": _location(level.location), key: value, "quantity": int(wanted + _safety(row))}
    yield Ask(
        method="PUT",
        path=f"{store(account)}/v3/inventory/adjustments/absolute",
        json={"reason": f"Sales Sync {level.key}"[:255], "items": [item]},
    )
    return None


def _item(item_id: str) -> tuple[str, str | int]:
    kind, _, number = item_id.partition(":")
    if kind in ("variant", "product") and number.isascii() and number.isdigit():
        return kind + "_id", int(number)
    return "sku", item_id


def _location(location: str) -> int:
    """Every store has the location 1, which is meant where none is named."""
    if location and not (location.isascii() and location.isdigit()):
        raise Refused(Problem("BAD_ID", "location", f"{location[:40]!r} is no location of BigCommerce's"))
    return int(location or 1)


def read_stock(account: Account, places: Sequence[StockPlace]) -> Calls:
    """What is on hand less the safety stock."""
    found: dict[tuple[str, str], str | None] = {}
    for location, wanted in counting.by_location(places).items():
        rows = yield from _held(account, location, wanted)
        found |= {(one, location): _available(row) for one, row in rows.items()}
    return counting.answers(places, found)


def _held(account: Account, location: str, wanted: Sequence[str]) -> Generator[Ask, Reply, dict[str, Json]]:
    """By item what one location says of it: each kind of name is asked for by itself, since filters narrow each other."""
    found: dict[str, Json] = {}
    path = f"{store(account)}/v3/inventory/locations/{_location(location)}/items"
    for key, parameter in _KEYS.items():
        of_kind = [one for one in wanted if _item(one)[0] == key]
        for portion in counting.portions(of_kind, BATCH):
            asked = {parameter: ",".join(str(_item(one)[1]) for one in portion)}
            rows = yield from all_rows(path, asked)
            for one in portion:
                fits = [row for row in rows if _is_of(row, key, _item(one)[1])]
                if len(fits) == 1:  # of a product that is counted by variant there are several
                    found[one] = fits[0]
    return found


def _is_of(row: Json, key: str, value: str | int) -> bool:
    identity = row.get("identity")
    told = identity.get(key) if type(identity) is dict else None
    return str(told).casefold() == str(value).casefold()


def _safety(row: Json) -> Decimal:
    settings = row.get("settings")
    kept = decimal(settings.get("safety_stock")) if type(settings) is dict else None
    return Decimal(int(kept or 0))


def _available(row: Json) -> str | None:
    """Not `available_to_sell`, which ends at zero, and holds what may be ordered back where a store allows that."""
    return counting.minus(row.get("total_inventory_onhand"), _safety(row), "total_inventory_onhand")


def items(account: Account, cursor: str | None) -> Pages:
    """Every variant of every product (one without options has one variant too), read on from the last product's id."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit()):
        raise CursorExpired
    last = int(cursor or 0)
    while True:
        params = {"id:greater": last, "sort": "id", "direction": "asc", "limit": PRODUCTS, "include": "variants"}
        reply = yield Ask(path=f"{store(account)}/v3/catalog/products", params=params)
        assert reply is not None
        rows = [row for row in rows_of(reply.body) if type(row.get("id")) is int]
        categories = yield from _categories(account, rows)
        found = [one for row in rows for one in _variants(row, categories)]
        ids = [last, *(row["id"] for row in rows)]
        more = max(ids) > last  # to an empty page: what is included may make pages shorter than asked for
        last = max(ids)
        yield ItemPage(items=tuple(found), cursor=str(last) if more else None)
        if not more:
            return


def _categories(account: Account, products: list[Json]) -> Generator[Ask, Reply, dict[int, str]]:
    """The names of the first category of each product."""
    ids = [str(one) for one in map(_category_id, products) if one is not None]
    names: dict[int, str] = {}
    for portion in counting.portions(ids, ROWS):
        path = f"{store(account)}/v3/catalog/trees/categories"
        for row in (yield from all_rows(path, {"category_id:in": ",".join(portion)})):
            identifier = row.get("category_id")
            if type(identifier) is int:
                names[identifier] = word(row.get("name"))
    return names


def _category_id(product: Json) -> int | None:
    ids = product.get("categories")
    return ids[0] if type(ids) is list and ids and type(ids[0]) is int else None


def _variants(product: Json, categories: dict[int, str]) -> list[CatalogItem]:
    variants = [one for one in _objects(product.get("variants")) if type(one.get("id")) is int]
    several = len(variants) > 1
    counts = product.get("inventory_tracking")
    category = categories.get(_category_id(product) or 0, "")
    found = []
    for variant in variants:
        sku = word(variant.get("sku")) or ("" if several else word(product.get("sku")))
        options = ", ".join(word(one.get("label")) for one in _objects(variant.get("option_values")))
        codes = [word(row.get(key)) for row in (variant, {} if several else product) for key in ("upc", "gtin")]
        found.append(
            CatalogItem(
                item_id=sku or None,
                stock_id=f"variant:{variant['id']}" if counts == "variant" else f"product:{product['id']}",
                sku=sku,
                barcode=next((code for code in codes if code), ""),
                name=" - ".join(part for part in (word(product.get("name")), options) if part),
                category=category,
                variant_of=str(product["id"]) if several else None,
                # several variants that the store counts together have no level each
                tracked=counts == "variant" or (counts == "product" and not several),
            )
        )
    return found


def _objects(rows: Any) -> list[Json]:
    return [row for row in rows if type(row) is dict] if type(rows) is list else []


def stock_locations(account: Account) -> Calls:
    """Every location that is in use."""
    rows = yield from all_rows(f"{store(account)}/v3/inventory/locations", {"is_active": "true"})
    return [(str(row["id"]), word(row.get("label"))) for row in rows if type(row.get("id")) is int]


def stock_hint(payload: Any, topic: str) -> tuple[StockPlace, ...]:
    """The product or variant; not its level, since `value` may be the change, and of no location."""
    if type(payload) is not dict or (payload.get("scope") or topic) not in TOPICS:
        return ()
    data = payload.get("data")
    told = data.get("inventory") if type(data) is dict else None
    inventory: Json = told if type(told) is dict else {}
    if inventory.get("variant_id"):
        return counting.hint(inventory["variant_id"], inventory.get("location_id"), prefix="variant:")
    return counting.hint(inventory.get("product_id"), inventory.get("location_id"), prefix="product:")
