"""Stock and catalogue of a WooCommerce shop: the `stock_quantity` of products and variations that manage their stock. Pure.

An item is `PRODUCT:VARIATION` (their ids; variation 0 is the product itself), or a SKU as sales name it, or a product's id where no
SKU is that number. A shop has one stock, without locations. A variation without a SKU of its own is sold under its product's, and
one whose stock the product manages is not counted by itself.
"""

import math
from collections.abc import Generator, Sequence
from decimal import Decimal
from typing import Any

from channels import counting
from channels.adapters.woocommerce.calls import API, PER_PAGE, id_of, rows_of
from channels.adapters.woocommerce.reading import number, plain, short
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
    StockRead,
)
from channels.reading import Json, word
from salessync.core.problems import Problem, Refused

BATCH = 50  # of one address, with SKUs of any length
PRODUCTS = 20  # of one page of the list: a product with variations costs a request more before the page is stored
ITSELF = "0"  # in place of a variation's id

_Rows = Generator[Ask, Reply, list[Json]]


def set_stock(level: StockLevel) -> Calls:
    """Set a product's or variation's level; WooCommerce compares nothing, so it is read just before it is written."""
    path = yield from _stock_path(level.item_id)
    reply = yield Ask(path=path)
    actual = plain(reply.body.get("stock_quantity")) if type(reply.body) is dict else None
    # the shop takes whole pieces only, and none may be promised that is not there
    wanted = math.floor(Decimal(level.available))
    managed = type(reply.body) is dict and reply.body.get("manage_stock") is True
    if managed and actual is not None:
        if actual == wanted:
            return None
        if level.expected is not None and actual != math.floor(Decimal(level.expected)):
            raise StaleStock(str(actual))
    yield Ask(method="PUT", path=path, json={"manage_stock": True, "stock_quantity": wanted})
    return None


def _stock_path(item: str) -> Calls:
    ids = _ids(item)
    if ids is not None:
        product, variation = ids
        return f"{API}/products/{product}" + ("" if variation == ITSELF else f"/variations/{variation}")
    reply = yield Ask(path=f"{API}/products", params={"sku": item, "per_page": 2})
    rows = [row for row in rows_of(reply) if id_of(row)]
    if len(rows) == 1:
        parent = id_of({"id": rows[0].get("parent_id")})
        if rows[0].get("type") == "variation" and parent not in ("", "0"):
            return f"{API}/products/{parent}/variations/{id_of(rows[0])}"
        return f"{API}/products/{id_of(rows[0])}"
    if not rows and item.isascii() and item.isdigit():
        return f"{API}/products/{item}"
    raise Refused(
        Problem(
            "UNKNOWN_ITEM" if not rows else "AMBIGUOUS_ITEM", "item_id",
            f"{'no product' if not rows else 'more than one product'} of the shop has the SKU {item[:60]!r}",
        )
    )  # fmt: skip


def _ids(item: str) -> tuple[str, str] | None:
    product, _, variation = item.partition(":")
    digits = product.isascii() and variation.isascii() and product.isdigit() and variation.isdigit()
    return (product, variation) if digits else None


def read_stock(places: Sequence[StockPlace]) -> Calls:
    """`stock_quantity` of what manages its stock itself."""
    wanted = list(dict.fromkeys(place.item_id for place in places))
    rows: dict[str, Json] = {}
    named = [one for one in wanted if one and _ids(one) is None]
    rows |= yield from _by_sku(named)
    ids = {one: _ids(one) or (one, ITSELF) for one in wanted if one not in rows and (one not in named or _is_id(one))}
    rows |= yield from _by_ids(ids)
    return [StockRead(p.item_id, p.location, _available(rows.get(p.item_id, {}))) for p in places]


def _is_id(item: str) -> bool:
    return item.isascii() and item.isdigit()


def _available(row: Json) -> str | None:
    value = plain(row.get("stock_quantity")) if row.get("manage_stock") is True else None
    return None if value is None else number(value)


def _by_sku(skus: list[str]) -> Generator[Ask, Reply, dict[str, Json]]:
    """Rows by the SKU that was asked for; of one that several products have nothing can be said."""
    found: dict[str, list[Json]] = {}
    alone = [[one] for one in skus if "," in one]  # the shop reads a comma as the end of a SKU as well
    for portion in (*counting.portions([one for one in skus if "," not in one], BATCH), *alone):
        reply = yield Ask(path=f"{API}/products", params={"sku": ",".join(portion), "per_page": PER_PAGE})
        for row in _objects(rows_of(reply)):
            found.setdefault((short(row.get("sku")) or "").casefold(), []).append(row)  # as databases compare SKUs
    known = {one: found[one.casefold()] for one in skus if one.casefold() in found}
    return {one: rows[0] if len(rows) == 1 else {} for one, rows in known.items()}


def _by_ids(ids: dict[str, tuple[str, str]]) -> Generator[Ask, Reply, dict[str, Json]]:
    """Rows by item: products in one list, variations in one of each product."""
    rows: dict[tuple[str, str], Json] = {}
    for portion in counting.portions([product for product, variation in ids.values() if variation == ITSELF], BATCH):
        for row in (yield from _included(f"{API}/products", portion)):
            rows[id_of(row), ITSELF] = row
    parents = list(dict.fromkeys(product for product, variation in ids.values() if variation != ITSELF))
    for parent in parents:
        variations = [variation for product, variation in ids.values() if product == parent and variation != ITSELF]
        for portion in counting.portions(variations, BATCH):
            for row in (yield from _included(f"{API}/products/{parent}/variations", portion)):
                rows[parent, id_of(row)] = row
    return {item: rows[pair] for item, pair in ids.items() if pair in rows}


def _included(path: str, ids: list[str]) -> _Rows:
    reply = yield Ask(path=path, params={"include": ",".join(ids), "per_page": PER_PAGE}, accepts=(404,))
    return [] if reply.status == 404 else _objects(rows_of(reply))


def _objects(rows: Any) -> list[Json]:
    return [row for row in rows if type(row) is dict] if type(rows) is list else []


def items(cursor: str | None) -> Pages:
    """Every product in the order of ids, those with variations as these; what only groups or links to others is left out."""
    if cursor is not None and not (_is_id(cursor) and len(cursor) < 9):
        raise CursorExpired
    page = int(cursor or 1)
    while True:
        params = {"orderby": "id", "order": "asc", "per_page": PRODUCTS, "page": page}
        reply = yield Ask(path=f"{API}/products", params=params)
        assert reply is not None
        rows = rows_of(reply)
        found: list[CatalogItem] = []
        for product in _objects(rows):
            found += yield from _items(product)
        page += 1
        more = len(rows) >= PRODUCTS
        yield ItemPage(items=tuple(found), cursor=str(page) if more else None)
        if not more:
            return


def _items(product: Json) -> Generator[Ask, Reply, list[CatalogItem]]:
    identifier = id_of(product)
    if not identifier or product.get("type") in ("grouped", "external"):
        return []
    if product.get("type") not in ("variable", "variable-subscription"):
        return [_item(product, product, f"{identifier}:{ITSELF}", None)]
    found = [_item(product, product, f"{identifier}:{ITSELF}", None)] if product.get("manage_stock") is True else []
    page = 1
    while True:
        params = {"orderby": "id", "order": "asc", "per_page": PER_PAGE, "page": page}
        reply = yield Ask(path=f"{API}/products/{identifier}/variations", params=params, accepts=(404,))
        rows = [] if reply.status == 404 else rows_of(reply)  # removed since the list was read
        named = [row for row in _objects(rows) if id_of(row)]
        found += [_item(row, product, f"{identifier}:{id_of(row)}", identifier) for row in named]
        page += 1
        if len(rows) < PER_PAGE:
            return found


def _item(row: Json, product: Json, stock_id: str, variant_of: str | None) -> CatalogItem:
    sku = short(row.get("sku")) or ""
    own = variant_of is None or sku != (short(product.get("sku")) or "")
    options = [word(one.get("option")) for one in _objects(row.get("attributes"))] if variant_of else []
    categories = _objects(product.get("categories"))
    available = _available(row)
    return CatalogItem(
        item_id=(sku or None) if own else None,
        stock_id=stock_id,
        sku=sku if own else "",
        barcode=short(row.get("global_unique_id")) or "",
        name=" - ".join(part for part in (word(product.get("name")), ", ".join(filter(None, options))) if part),
        category=word(categories[0].get("name")) if categories else "",
        variant_of=variant_of,
        tracked=row.get("manage_stock") is True,
        levels=() if available is None else (StockRead(stock_id, "", available),),
    )


def stock_locations() -> Calls:
    """There is one stock."""
    yield from ()
    return []
