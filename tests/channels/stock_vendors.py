"""Vendors that count stock, one class each, in the shapes that they document: they answer an adapter's asks and keep what they are told.

Each has `count` items with the SKUs SKU-1, SKU-2 …, counted at `locations`; `held` units of each are kept back for orders where the
vendor keeps such a number. A request beyond a documented limit fails.
"""

import json
from decimal import Decimal

from channels import payload
from channels.client import Account
from tests.calls import reply

HELD = 3


class Vendor:
    """`levels`: what can be sold, by (stock id, location); an item that is not in it is not counted."""

    locations = ("",)
    held = 0
    credentials = {"token": "t"}
    base_url = ""
    whole = True  # it counts whole pieces only

    def __init__(self, count=3):
        self.numbers = list(range(1, count + 1))
        self.levels = {(self.stock_id(n), place): Decimal(10 * n) for n in self.numbers for place in self.locations}
        self.asks = []

    @property
    def account(self):
        return Account(channel="shop", credentials=self.credentials, base_url=self.base_url)

    def __call__(self, ask):
        self.asks.append(ask)
        answer = self.answer(ask)
        if isinstance(answer, tuple):
            body, status = answer
            assert status < 400 or status in ask.accepts, (ask.path, status)
            return reply(body, status)
        return reply(payload.parse(json.dumps(answer, default=number).encode()))  # fractions as the caller parses them

    def stock_id(self, number):
        raise NotImplementedError

    def level(self, identifier, place):
        return self.levels.get((identifier, place))

    def number_of(self, identifier):
        return next((n for n in self.numbers if self.stock_id(n) == identifier), None)


def number(value):
    """A level as JSON numbers are written."""
    return int(value) if value == value.to_integral_value() else float(value)


class Shopify(Vendor):
    locations = ("11", "12")
    credentials = {"shop": "mugs", "token": "t"}

    def stock_id(self, number):
        return str(1000 + number)

    def answer(self, ask):
        query, given = ask.json["query"], ask.json["variables"]
        if "inventorySetQuantities" in query:
            return self.set(given["input"]["quantities"][0])
        if "nodes(ids" in query:
            assert len(given["items"]) <= 100
            return {"data": {"nodes": [self.node(gid, given["location"]) for gid in given["items"]]}}
        if "inventoryItem(id" in query:
            return {"data": {"inventoryItem": self.node(given["item"], given["location"])}}
        if "productVariants" in query:
            return self.variants(given["first"], given["after"])
        after = int(given["after"] or 0)  # one location a page
        nodes = [{"id": f"gid://shopify/Location/{place}", "name": f"Place {place}"} for place in self.locations]
        info = {"hasNextPage": after + 1 < len(nodes), "endCursor": str(after + 1)}
        return {"data": {"locations": {"nodes": nodes[after : after + 1], "pageInfo": info}}}

    def set(self, quantity):
        key = tuple(quantity[name].rpartition("/")[2] for name in ("inventoryItemId", "locationId"))
        wrong = quantity["changeFromQuantity"] not in (None, self.levels[key])
        told = [{"code": "CHANGE_FROM_QUANTITY_STALE", "message": "stale"}] if wrong else []
        if not wrong:
            self.levels[key] = Decimal(quantity["quantity"])
        return {"data": {"inventorySetQuantities": {"userErrors": told}}}

    def node(self, gid, location):
        item = gid.rpartition("/")[2]
        if self.number_of(item) is None:
            return None
        level = self.level(item, location.rpartition("/")[2])
        shown = None if level is None else {"quantities": [{"quantity": level}]}
        return {"id": gid, "tracked": any(one == item for one, _ in self.levels), "inventoryLevel": shown}

    def variants(self, first, after):
        if after is not None and not after.isdigit():
            return {"errors": [{"message": "Invalid cursor for current pagination sort."}]}
        rows = [n for n in self.numbers if n > int(after or 0)]
        nodes = [
            {
                "sku": f"SKU-{n}", "barcode": None, "title": "Default Title", "requiresComponents": False,
                "inventoryItem": {"id": f"gid://shopify/InventoryItem/{self.stock_id(n)}", "tracked": True},
                "product": {"id": f"gid://shopify/Product/{n}", "title": f"Mug {n}", "productType": "Mugs",
                            "hasOnlyDefaultVariant": True, "category": None},
            }
            for n in rows[:first]
        ]  # fmt: skip
        info = {"hasNextPage": len(rows) > first, "endCursor": str(rows[:first][-1]) if rows else None}
        return {"data": {"productVariants": {"nodes": nodes, "pageInfo": info}}}


class Square(Vendor):
    locations = ("L1", "L2")
    whole = False
    page = 40

    def stock_id(self, number):
        return f"VAR{number}"

    def answer(self, ask):
        if ask.path == "/v2/inventory/changes/batch-create":
            count = ask.json["changes"][0]["physical_count"]
            self.levels[count["catalog_object_id"], count["location_id"]] = Decimal(count["quantity"])
            return {"counts": self.counts([count["catalog_object_id"]], [count["location_id"]])}
        if ask.path == "/v2/inventory/counts/batch-retrieve":
            assert len(ask.json["catalog_object_ids"]) <= 1000 and ask.json["limit"] <= 1000
            return self.paged(self.counts(ask.json["catalog_object_ids"], ask.json["location_ids"]), ask.json, "counts")
        if ask.path.startswith("/v2/inventory/"):
            return {"counts": self.counts([ask.path.rpartition("/")[2]], [ask.params["location_ids"]])}
        if ask.path == "/v2/locations":
            rows = [{"id": place, "name": f"Place {place}", "status": "ACTIVE"} for place in self.locations]
            return {"locations": [*rows, {"id": "L9", "name": "Closed", "status": "INACTIVE"}]}
        assert ask.path == "/v2/catalog/list"
        if not str(ask.params.get("cursor", "0")).isdigit():
            return {"errors": [{"code": "INVALID_CURSOR"}]}, 400
        kind = ask.params["types"]
        return self.paged([self.item(n) for n in self.numbers] if kind == "ITEM" else CATEGORIES, ask.params, "objects")

    def counts(self, identifiers, places):
        return [
            {"catalog_object_id": one, "catalog_object_type": "ITEM_VARIATION", "location_id": place, "state": "IN_STOCK",
             "quantity": str(self.level(one, place)), "calculated_at": "2026-09-01T00:00:00Z"}
            for one in identifiers for place in places if self.level(one, place) is not None
        ]  # fmt: skip

    def paged(self, rows, given, key):
        start = int(given.get("cursor") or 0)
        more = {"cursor": str(start + self.page)} if start + self.page < len(rows) else {}
        return ({key: rows[start : start + self.page]} if rows[start : start + self.page] else {}) | more

    def item(self, number):
        variation = {"item_id": f"ITEM{number}", "name": "Regular", "sku": f"SKU-{number}", "track_inventory": True}
        data = {"name": f"Mug {number}", "categories": [{"id": "CAT"}]}
        one = {"id": self.stock_id(number), "type": "ITEM_VARIATION", "item_variation_data": variation}
        return {"type": "ITEM", "id": f"ITEM{number}", "item_data": data | {"variations": [one]}}


CATEGORIES = [{"type": "CATEGORY", "id": "CAT", "category_data": {"name": "Mugs"}}]


class WooCommerce(Vendor):
    base_url = "https://shop.example"
    credentials = {"consumer_key": "k", "consumer_secret": "s"}

    def stock_id(self, number):
        return f"{number}:0" if number % 2 else f"{number}:{5000 + number}"

    def row(self, number):
        level = self.level(self.stock_id(number), "")
        own = {"manage_stock": level is not None, "stock_quantity": level}
        if number % 2:
            more = {"type": "simple", "name": f"Mug {number}", "categories": [{"name": "Mugs"}], "parent_id": 0}
            return {"id": number, "sku": f"SKU-{number}"} | more | own
        return {"id": 5000 + number, "sku": f"SKU-{number}", "attributes": [{"option": "Blue"}]} | own

    def product(self, number):
        if number % 2:
            return self.row(number)
        return {"id": number, "type": "variable", "sku": "", "name": f"Mug {number}", "manage_stock": False} | {
            "categories": [{"name": "Mugs"}]
        }

    def answer(self, ask):
        parts = ask.path.removeprefix("/wp-json/wc/v3/products").strip("/").split("/")
        if ask.method == "PUT":
            key = f"{parts[0]}:{parts[2] if len(parts) == 3 else 0}", ""
            self.levels[key] = Decimal(ask.json["stock_quantity"])
            return {}
        assert ask.params.get("per_page", 10) <= 100
        if parts == [""]:
            return self.page(self.listed(ask.params), ask.params)
        if int(parts[0]) not in self.numbers:
            return {"code": "woocommerce_rest_product_invalid_id"}, 404
        if len(parts) == 1 or (len(parts) == 3 and parts[1] == "variations"):
            return self.row(int(parts[0]))
        rows = [self.row(int(parts[0]))]
        wanted = ask.params.get("include")
        return self.page([r for r in rows if not wanted or str(r["id"]) in wanted.split(",")], ask.params)

    def listed(self, params):
        if "sku" in params:
            skus = {one.casefold() for one in params["sku"].split(",")}
            rows = [self.row(n) for n in self.numbers if f"sku-{n}" in skus]
            return [
                row | ({} if "type" in row else {"type": "variation", "parent_id": row["id"] - 5000}) for row in rows
            ]
        wanted = params.get("include")
        return [self.product(n) for n in self.numbers if not wanted or str(n) in wanted.split(",")]

    def page(self, rows, params):
        start = (params.get("page", 1) - 1) * params["per_page"]
        return rows[start : start + params["per_page"]]


class BigCommerce(Vendor):
    locations = ("1", "2")
    credentials = {"store_hash": "abc", "token": "t"}
    held = HELD  # the safety stock

    def stock_id(self, number):
        return f"product:{number}" if number % 2 else f"variant:{700 + number}"

    def answer(self, ask):
        path = ask.path.removeprefix("/stores/abc/v3")
        if path == "/inventory/adjustments/absolute":
            item = ask.json["items"][0]
            if "sku" in item:
                identifier = self.stock_id(int(item["sku"].removeprefix("SKU-")))
            else:
                (identifier,) = {f"{key}:{item[key + '_id']}" for key in ("product", "variant") if key + "_id" in item}
            self.levels[identifier, str(item["location_id"])] = Decimal(item["quantity"] - self.held)
            return {"transaction_id": "x"}
        if path == "/inventory/locations":
            return self.page([{"id": int(place), "label": f"Place {place}"} for place in self.locations], ask.params)
        if path == "/catalog/trees/categories":
            return self.page([{"category_id": 5, "name": "Mugs"}], ask.params)
        if path == "/catalog/products":
            rows = [self.product(n) for n in self.numbers if n > ask.params["id:greater"]]
            return {"data": rows[: min(ask.params["limit"], 250)]}
        place = path.split("/")[3]
        if place not in self.locations:
            return {"status": 404}, 404
        rows = [self.row(n, place) for n in self.numbers if self.level(self.stock_id(n), place) is not None]
        (name,) = set(ask.params) - {"page", "limit"}
        wanted = ask.params[name].split(",")
        return self.page([r for r in rows if str(r["identity"][name.removesuffix(":in")]) in wanted], ask.params)

    def row(self, number, place):
        level = self.level(self.stock_id(number), place)
        return {
            "identity": {"sku": f"SKU-{number}", "variant_id": 700 + number, "product_id": number},
            "available_to_sell": max(level, 0), "total_inventory_onhand": level + self.held,
            "settings": {"safety_stock": self.held, "is_in_stock": True, "warning_level": 0, "bin_picking_number": ""},
        }  # fmt: skip

    def product(self, number):
        variant = {"id": 700 + number, "sku": f"SKU-{number}", "option_values": [], "upc": ""}
        counts = "product" if number % 2 else "variant"
        more = {"categories": [5], "inventory_tracking": counts, "sku": f"SKU-{number}", "variants": [variant]}
        return {"id": number, "name": f"Mug {number}"} | more

    def page(self, rows, params):
        assert params["limit"] <= 1000
        start = (params["page"] - 1) * params["limit"]
        return {"data": rows[start : start + params["limit"]]}


class Clover(Vendor):
    credentials = {"merchant_id": "M1", "token": "t"}
    whole = False

    def stock_id(self, number):
        return f"ITEM{number}"

    def answer(self, ask):
        path = ask.path.removeprefix("/v3/merchants/M1/")
        if path == "items":
            assert ask.params["limit"] <= 1000 and len(ask.params["expand"].split(",")) <= 3
            start = ask.params.get("offset", 0)
            return {"elements": [self.item(n) for n in self.numbers[start : start + ask.params["limit"]]]}
        identifier = path.partition("/")[2]
        if ask.method == "POST":
            self.levels[identifier, ""] = Decimal(str(ask.json["quantity"]))
        if self.number_of(identifier) is None:
            return {"message": "Not Found"}, 404
        return self.stock(identifier) or {"item": {"id": identifier}}

    def stock(self, identifier):
        level = self.level(identifier, "")
        known = level is not None
        return {"item": {"id": identifier}, "stockCount": round(level), "quantity": level} if known else None

    def item(self, number):
        identifier = self.stock_id(number)
        row = {"id": identifier, "name": f"Mug {number}", "code": f"SKU-{number}", "sku": "S", "hidden": False}
        return row | {"categories": {"elements": [{"name": "Mugs"}]}, "itemStock": self.stock(identifier)}


class Lightspeed(Vendor):
    locations = ("outlet-1", "outlet-2")
    credentials = {"domain_prefix": "mugs", "token": "t"}
    whole = False

    def stock_id(self, number):
        return f"product-{number}"

    def answer(self, ask):
        path = ask.path.removeprefix("/api/2026-07")
        if ask.method == "PUT":
            (row,) = ask.json["details"]["inventory"]
            self.levels[path.rpartition("/")[2], row["outlet_id"]] = Decimal(str(row["current_amount"]))
            return {}
        if path == "/inventory_levels":
            asked = ask.json
            assert len(asked["product_ids"]) <= 1000 and len(asked["location_ids"]) <= 1000 and asked["size"] <= 10_000
            rows = self.rows(asked["product_ids"], asked["location_ids"])
            return rows[asked["offset"] : asked["offset"] + asked["size"]]
        if path.startswith("/inventory/"):
            rows = self.rows([path.rpartition("/")[2]], self.locations)
            return [{"outlet_id": row["location_id"], **row} for row in rows]
        after = ask.params["after"]
        if path == "/outlets":
            rows = [{"id": p, "name": f"Place {p}", "version": v} for v, p in enumerate(self.locations, 1)]
        else:
            rows = [self.product(n) for n in self.numbers]
        rows = [row for row in rows if row["version"] > after][: ask.params["page_size"]]
        versions = [row["version"] for row in rows]
        return {"data": rows, "version": {"min": min(versions, default=None), "max": max(versions, default=None)}}

    def rows(self, products, outlets):
        return [
            {"product_id": one, "location_id": place, "current_inventory_level": self.level(one, place)}
            for one in products for place in outlets if self.level(one, place) is not None
        ]  # fmt: skip

    def product(self, number):
        return {
            "id": self.stock_id(number), "sku": f"SKU-{number}", "name": "Mug", "variant_name": f"Mug {number}",
            "has_inventory": True, "is_composite": False, "has_variants": False, "variant_parent_id": None,
            "product_codes": [], "product_category": {"name": "Mugs"}, "version": number, "deleted_at": None,
        }  # fmt: skip


class Medusa(Vendor):
    locations = ("sloc_1", "sloc_2")
    base_url = "https://shop.example"
    held = HELD
    whole = False

    def stock_id(self, number):
        return f"iitem_{number}"

    def answer(self, ask):
        path, params = ask.path.removeprefix("/admin/"), ask.params
        if ask.method == "POST":
            item = path.split("/")[1]
            place = ask.json.get("location_id") or path.rpartition("/")[2]
            assert ask.json["stocked_quantity"] >= 0
            self.levels[item, place] = Decimal(str(ask.json["stocked_quantity"])) - self.held
            return {}
        if path.endswith("/location-levels"):
            return {"inventory_levels": self.location_levels(path.split("/")[1], [params["location_id"]])}
        start, end = params["offset"], params["offset"] + params["limit"]
        if path == "inventory-items":
            asked = [params[key] for key in params if key.startswith("id[")]
            assert len(asked) <= 20
            rows = [{"id": one, "location_levels": self.location_levels(one, self.locations)} for one in asked]
            return {"inventory_items": [row for row in rows if self.number_of(row["id"]) is not None][start:end]}
        if path == "stock-locations":
            rows = [{"id": place, "name": f"Place {place}"} for place in self.locations]
            return {"stock_locations": rows[start:end]}
        return {"variants": [self.variant(n) for n in self.numbers[start:end]]}

    def location_levels(self, item, places):
        return [
            {"location_id": place, "stocked_quantity": self.level(item, place) + self.held, "reserved_quantity": self.held,
             "available_quantity": self.level(item, place)}
            for place in places if self.level(item, place) is not None
        ]  # fmt: skip

    def variant(self, number):
        item = self.stock_id(number)
        inventory = {"location_levels": self.location_levels(item, self.locations)}
        part = {"inventory_item_id": item, "required_quantity": 1, "inventory": inventory}
        product = {"id": f"prod_{number}", "title": f"Mug {number}", "categories": [{"name": "Mugs"}]}
        more = {"manage_inventory": True, "product": product, "inventory_items": [part], "barcode": None}
        return {"id": f"variant_{number}", "title": "", "sku": f"SKU-{number}"} | more


class Vendure(Vendor):
    locations = ("1", "2")
    base_url = "https://shop.example"
    credentials = {"api_key": "k"}
    held = HELD

    def stock_id(self, number):
        return str(number)

    def answer(self, ask):
        query, given = ask.json["query"], ask.json["variables"]
        if "updateProductVariants(" in query:
            (one,) = given["input"]
            for level in one["stockLevels"]:
                self.levels[one["id"], level["stockLocationId"]] = Decimal(level["stockOnHand"] - self.held)
            return {"data": {"updateProductVariants": [{"id": one["id"]}]}}
        if "productVariant(" in query:
            return {"data": {"productVariant": self.variant(self.number_of(given["id"]))}}
        options = given["options"]
        assert options["take"] <= 1000
        if "stockLocations(" in query:
            rows = [{"id": place, "name": f"Place {place}"} for place in self.locations]
            return {"data": {"stockLocations": {"items": rows[options["skip"] : options["skip"] + options["take"]]}}}
        wanted = options.get("filter", {}).get("id", {}).get("in")
        numbers = [n for n in self.numbers if wanted is None or str(n) in wanted]
        rows = [self.variant(n) for n in numbers[options["skip"] : options["skip"] + options["take"]]]
        settings = {"globalSettings": {"trackInventory": True}}
        return {"data": {"productVariants": {"items": rows}} | settings}

    def variant(self, number):
        if number is None:
            return None
        levels = [
            {"stockLocationId": place, "stockOnHand": self.level(str(number), place) + self.held, "stockAllocated": self.held}
            for place in self.locations if self.level(str(number), place) is not None
        ]  # fmt: skip
        row = {"id": str(number), "sku": f"SKU-{number}", "name": f"Mug {number}", "productId": str(100 + number)}
        return row | {"trackInventory": "INHERIT", "stockLevels": levels}


VENDORS = {
    "bigcommerce": BigCommerce, "clover": Clover, "lightspeed": Lightspeed, "medusa": Medusa, "shopify": Shopify,
    "square": Square, "vendure": Vendure, "woocommerce": WooCommerce,
}  # fmt: skip
