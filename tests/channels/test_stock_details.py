"""Stock and catalogue, vendor by vendor: what each of them does in a way of its own."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from channels import adapter, counting
from channels.adapters.lightspeed import stock as lightspeed
from channels.client import Account, StockLevel, StockPlace, StockRead
from salessync.core.problems import Refused
from tests.calls import converse, reply
from tests.channels.stock_vendors import VENDORS, BigCommerce, Lightspeed, Medusa, Shopify, Square, Vendure, WooCommerce

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


def account(name):
    return VENDORS[name](0).account


def read(name, answer, *places):
    """What is read where every request gets the same answer, or a function's."""
    calls = adapter.get(name).read_stock(account(name), [StockPlace(*place) for place in places])
    talk = converse(calls, answer if callable(answer) else lambda ask: reply(answer))
    return [one.available for one in talk.result]


def items(name, answer):
    pages = converse(adapter.get(name).items(account(name), None), answer).pages
    return [item for page in pages for item in page.items]


def push(name, vendor, available, **more):
    level = {"location": "", "expected": None, "key": "k", "at": NOW} | more
    converse(adapter.get(name).push_stock(vendor.account, StockLevel(available=available, **level)), vendor)
    return vendor.asks[-1]


# --- counts


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "5"), ("5", "5"), ("5.50", "5.5"), (Decimal("-2.0"), "-2"), ("-0.00", "0"), (0, "0"), (Decimal("1E+2"), "100"),
     (Decimal("0.125"), "0.125"), (None, None), ("", None)],
)  # fmt: skip
def test_a_count_is_written_in_one_way(value, text):
    assert counting.count(value, "quantity") == text


@pytest.mark.parametrize("value", ["five", "1e3", " 5", True, [], {}, Decimal("NaN"), Decimal("1E+30"), 10**16, "٥"])
def test_what_is_no_number_is_no_count(value):
    with pytest.raises(Refused, match="BAD_QUANTITY"):
        counting.count(value, "quantity")


def test_what_is_held_is_taken_from_what_is_there():
    assert counting.minus(10, 3, "x") == "7"
    assert counting.minus(2, Decimal("2.5"), "x") == "-0.5"
    assert counting.minus(4, None, "x") == "4"
    assert counting.minus(None, 3, "x") is None


# --- Shopify


def nodes(**changed):
    item = {
        "id": "gid://shopify/InventoryItem/11",
        "tracked": True,
        "inventoryLevel": {"quantities": [{"quantity": 4}]},
    }
    return {"data": {"nodes": [None, item | changed]}}


def variants(*changed):
    variant = {
        "sku": "MUG", "barcode": "401", "title": "Blue", "inventoryItem": {"id": "gid://shopify/InventoryItem/11", "tracked": True},
        "product": {"id": "gid://shopify/Product/7", "title": "Mug", "productType": "Mugs", "hasOnlyDefaultVariant": False,
                    "category": {"fullName": "Home > Mugs"}},
    }  # fmt: skip
    rows = [variant | one for one in changed]
    return {"data": {"productVariants": {"nodes": rows, "pageInfo": {"hasNextPage": False, "endCursor": "x"}}}}


def test_shopify_tells_no_level_of_what_it_does_not_track_or_stock_there():
    assert read("shopify", nodes(), ("11", "22")) == ["4"]
    assert read("shopify", nodes(), ("gid://shopify/InventoryItem/11", "22")) == ["4"]
    assert read("shopify", nodes(tracked=False), ("11", "22")) == [None]
    assert read("shopify", nodes(inventoryLevel=None), ("11", "22")) == [None]
    assert read("shopify", nodes(inventoryLevel={"quantities": [{"quantity": None}]}), ("11", "22")) == [None]
    assert read("shopify", nodes(inventoryLevel={"quantities": [{"quantity": -3}]}), ("11", "22")) == ["-3"]


DENIED = {"errors": [{"message": "Access denied", "extensions": {"code": "ACCESS_DENIED"}}]}
THROTTLED = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}


@pytest.mark.parametrize("body", [DENIED, {"data": {}}, {"data": {"nodes": None}}, {}, None])
def test_shopify_s_refusal_is_never_taken_for_no_level(body):
    with pytest.raises(Refused) as refused:
        read("shopify", body, ("11", "22"))
    assert all(p.code.isupper() and p.message for p in refused.value.problems)


def test_shopify_is_asked_again_where_it_only_wants_a_pause():
    answers = [THROTTLED, THROTTLED, nodes()]
    assert read("shopify", lambda ask: reply(answers.pop(0)), ("11", "22")) == ["4"]
    with pytest.raises(Refused, match="THROTTLED"):
        read("shopify", THROTTLED, ("11", "22"))


def test_shopify_s_variants():
    blue, bare, bundle = items("shopify", lambda ask: reply(variants({}, {"sku": None}, {"requiresComponents": True})))
    assert (blue.item_id, blue.stock_id, blue.barcode, blue.name) == ("MUG", "11", "401", "Mug - Blue")
    assert (blue.category, blue.variant_of, blue.tracked) == ("Home > Mugs", "7", True)
    assert bare.item_id is None  # a line of it says nothing that could be looked up
    assert bundle.tracked is False


def test_a_page_of_shopify_s_that_does_not_say_what_follows_is_refused():
    body = variants({})
    body["data"]["productVariants"]["pageInfo"] = {"hasNextPage": True, "endCursor": None}
    with pytest.raises(Refused, match="BAD_ANSWER"):
        items("shopify", lambda ask: reply(body))
    with pytest.raises(Refused, match="ACCESS_DENIED"):
        items("shopify", lambda ask: reply(DENIED))


# --- Square


def test_square_s_other_states_are_not_for_sale():
    waste = {"catalog_object_id": "V", "location_id": "L", "state": "WASTE", "quantity": "9"}
    assert read("square", {"counts": [waste]}, ("V", "L")) == [None]
    assert read("square", {"counts": [waste, waste | {"state": "IN_STOCK", "quantity": "0.125"}]}, ("V", "L")) == [
        "0.125"
    ]
    assert read("square", {}, ("V", "L")) == [None]


def test_square_s_variations():
    def variation(identifier, **data):
        return {"id": identifier, "item_variation_data": {"name": identifier.lower(), "track_inventory": False} | data}

    override = [{"location_id": "L1", "track_inventory": True}]
    mug = [
        variation("SMALL", sku="S", upc="401", location_overrides=override),
        variation("LARGE", track_inventory=True, stockable=False),
        variation("GONE") | {"is_deleted": True},
    ]

    def answer(ask):
        if ask.params["types"] == "CATEGORY":
            return reply({"objects": [{"id": "C", "category_data": {"name": "Mugs"}}]})
        data = {"name": "Mug", "reporting_category": {"id": "C"}, "variations": mug}
        rows = [{"id": "I", "item_data": data}, {"id": "A", "item_data": data | {"is_archived": True}}]
        return reply({"objects": [*rows, {"id": "D", "is_deleted": True, "item_data": data}]})

    small, large = items("square", answer)
    assert (small.item_id, small.stock_id, small.sku, small.barcode) == ("SMALL", "SMALL", "S", "401")
    assert (small.name, small.category, small.variant_of, small.tracked) == ("Mug - small", "Mugs", "I", True)
    assert large.tracked is False  # sold out of the other one's stock


def test_square_s_locations_are_those_of_the_channel():
    mine = Account(channel="c", credentials={"token": "t", "locations": ["L2"]})
    assert converse(adapter.get("square").stock_locations(mine), Square()).result == [("L2", "Place L2")]


# --- WooCommerce


def woo(rows_of_sku, rows_of_ids=()):
    return lambda ask: reply(list(rows_of_sku) if "sku" in ask.params else list(rows_of_ids))


def counted(identifier, sku, number, **more):
    return {"id": identifier, "sku": sku, "manage_stock": True, "stock_quantity": number} | more


def test_woocommerce_is_asked_by_sku_and_by_id():
    vendor = WooCommerce()
    calls = adapter.get("woocommerce").read_stock(
        vendor.account, [StockPlace(one) for one in ("sku-1", "SKU-2", "3", "9")]
    )
    assert [one.available for one in converse(calls, vendor).result] == ["10", "20", "30", None]


def test_a_sku_of_woocommerce_s_that_two_products_have_is_nobody_s():
    twice = [counted(1, "12", 5), counted(2, "12", 6)]
    assert read("woocommerce", woo(twice, [counted(12, "X", 7)]), ("12",)) == [None]
    assert read("woocommerce", woo([], [counted(12, "X", 7)]), ("12",)) == ["7"]
    assert read("woocommerce", woo([counted(1, "A,B", 5)]), ("A,B",)) == ["5"]


@pytest.mark.parametrize(
    ("row", "available"),
    [({}, "5"), ({"stock_quantity": "5.00"}, "5"), ({"stock_quantity": -1}, "-1"), ({"stock_quantity": None}, None),
     ({"manage_stock": False}, None), ({"manage_stock": "parent"}, None)],
)  # fmt: skip
def test_woocommerce_counts_what_manages_its_stock_itself(row, available):
    assert read("woocommerce", woo([counted(1, "M", 5, **row)]), ("M",)) == [available]


def test_woocommerce_s_products_and_variations():
    def answer(ask):
        if ask.path.endswith("/7/variations"):
            blue = {"option": "Blue"}
            return reply([
                counted(71, "MUG-B", 5, attributes=[blue, {"option": "Large"}], global_unique_id="401"),
                {"id": 72, "sku": "MUG", "manage_stock": "parent", "stock_quantity": 9, "attributes": []},
            ])  # fmt: skip
        if ask.path.endswith("/8/variations"):
            return reply({"code": "woocommerce_rest_product_invalid_id"}, 404)
        mug = counted(7, "MUG", 9, type="variable", name="Mug", categories=[{"id": 1, "name": "Mugs"}])
        gone = {"id": 8, "type": "variable", "name": "Gone", "sku": "", "manage_stock": False}
        return reply([mug, gone, {"id": 9, "type": "grouped"}, {"id": 10, "type": "simple", "sku": "", "name": "Bare"}])

    mug, blue, plain, bare = items("woocommerce", answer)
    assert (mug.item_id, mug.stock_id, mug.tracked) == ("MUG", "7:0", True)  # it counts for those that do not
    assert (blue.item_id, blue.stock_id, blue.name, blue.barcode) == ("MUG-B", "7:71", "Mug - Blue, Large", "401")
    assert (blue.category, blue.variant_of, blue.levels) == ("Mugs", "7", (StockRead("7:71", "", "5"),))
    assert (plain.item_id, plain.tracked, plain.levels) == (None, False, ())  # sold under its product's SKU
    assert (bare.item_id, bare.stock_id, bare.tracked, bare.variant_of) == (None, "10:0", False, None)


def test_a_product_of_woocommerce_s_is_pushed_by_its_own_id():
    vendor = WooCommerce()
    assert push("woocommerce", vendor, "4", item_id="1:0").path == "/wp-json/wc/v3/products/1"
    assert vendor.levels["1:0", ""] == 4


# --- BigCommerce


def test_bigcommerce_s_safety_stock_is_kept_back_beside_the_level():
    vendor = BigCommerce()
    assert push("bigcommerce", vendor, "7", item_id="product:1", location="2").json["items"] == [
        {"location_id": 2, "product_id": 1, "quantity": 10}
    ]
    assert push("bigcommerce", vendor, "-1", item_id="SKU-2", location="").json["items"] == [
        {"location_id": 1, "sku": "SKU-2", "quantity": 2}
    ]


def test_bigcommerce_by_sku_and_where_none_is_named():
    vendor = BigCommerce()
    asked = [("SKU-1", "2"), ("product:1", "2"), ("variant:702", ""), ("SKU-9", "2"), ("product:1", "7")]
    assert read("bigcommerce", vendor, *asked) == ["10", "10", "20", None, None]
    with pytest.raises(Refused, match="BAD_ID"):
        read("bigcommerce", vendor, ("SKU-1", "../hooks"))


def test_a_product_of_bigcommerce_s_that_is_counted_by_variant_has_no_level_of_its_own():
    rows = [
        {"identity": {"product_id": 5, "variant_id": v, "sku": f"S{v}"}, "total_inventory_onhand": 4, "settings": {}}
        for v in (1, 2)
    ]
    assert read("bigcommerce", {"data": rows}, ("product:5", "1"), ("variant:2", "1"), ("S1", "1")) == [None, "4", "4"]


@pytest.mark.parametrize(
    ("counts", "variants", "stock_id", "tracked"),
    [("product", 1, "product:5", True), ("product", 2, "product:5", False), ("variant", 2, "variant:1", True),
     ("none", 1, "product:5", False)],
)  # fmt: skip
def test_how_bigcommerce_counts_a_product(counts, variants, stock_id, tracked):
    rows = [
        {"id": v, "sku": f"S{v}", "option_values": [{"label": "Blue"}], "upc": "401"} for v in range(1, variants + 1)
    ]
    product = {"id": 5, "name": "Mug", "inventory_tracking": counts, "categories": [], "variants": rows}
    item, *others = items("bigcommerce", lambda ask: reply({"data": [product] if not ask.params["id:greater"] else []}))
    assert (item.item_id, item.stock_id, item.tracked, item.barcode) == ("S1", stock_id, tracked, "401")
    assert (item.name, item.variant_of, len(others)) == ("Mug - Blue", "5" if variants > 1 else None, variants - 1)


# --- Clover


def test_clover_s_items_are_sold_by_code_or_by_id():
    rows = [
        {
            "id": "A1",
            "name": "Mug",
            "code": "401",
            "sku": "M",
            "itemStock": {"stockCount": 3, "quantity": Decimal("2.5")},
        },
        {"id": "B2", "name": "Tea", "itemGroup": {"id": "G"}, "itemStock": None, "categories": {"elements": []}},
        {"id": "../C", "name": "Odd"},
    ]
    mug, tea = items("clover", lambda ask: reply({"elements": rows}))
    assert (mug.item_id, mug.stock_id, mug.sku, mug.barcode, mug.tracked) == ("401", "A1", "M", "401", True)
    assert mug.levels == (StockRead("A1", "", "2.5"),)
    assert (tea.item_id, tea.stock_id, tea.variant_of, tea.tracked, tea.levels) == ("B2", "B2", "G", False, ())


def test_clover_s_item_without_a_quantity_is_not_counted_and_an_odd_id_is_not_asked_for():
    assert read("clover", {"item": {"id": "A1"}, "stockCount": 3}, ("A1", "")) == [None]

    def nobody(ask):
        raise AssertionError(ask.path)

    assert read("clover", nobody, ("a/../b", "")) == [None]


# --- Lightspeed


def test_lightspeed_s_products():
    row = {"id": "p-1", "sku": "M", "name": "Mug", "variant_name": "Mug / Blue", "version": 3, "has_inventory": True}
    more = {"variant_parent_id": "p-0", "product_codes": [{"code": "M"}, {"code": "401"}], "type": {"name": "Mugs"}}
    rows = [
        row | more,
        row | {"is_composite": True},
        row | {"has_inventory": False, "sku": None},
        row | {"deleted_at": "2026"},
    ]
    blue, composite, service = items("lightspeed", lambda ask: reply({"data": rows if ask.params["after"] < 3 else []}))
    assert (blue.item_id, blue.stock_id, blue.barcode, blue.name) == ("M", "p-1", "401", "Mug / Blue")
    assert (blue.category, blue.variant_of, blue.tracked) == ("Mugs", "p-0", True)
    assert (composite.tracked, service.tracked, service.item_id) == (False, False, None)


def test_lightspeed_is_not_asked_for_what_is_no_id_of_its():
    assert read("lightspeed", lambda ask: pytest.fail(ask.path), ("a b", "o-1"), ("p-1", "")) == [None, None]
    assert read("lightspeed", [{"product_id": "p-1", "location_id": "o-1", "current_inventory_level": None}],
                ("p-1", "o-1")) == [None]  # fmt: skip


def test_lightspeed_s_levels_that_fill_more_than_a_page_are_all_read(monkeypatch):
    monkeypatch.setattr(lightspeed, "LEVELS", 2)
    vendor = Lightspeed()
    asked = [(vendor.stock_id(n), place) for n in vendor.numbers for place in vendor.locations]
    assert read("lightspeed", vendor, *asked) == ["10", "10", "20", "20", "30", "30"]
    assert [ask.json["offset"] for ask in vendor.asks] == [0, 2, 4, 6]


# --- Medusa


def test_medusa_s_reserved_units_are_not_for_sale():
    level = {"location_id": "s", "stocked_quantity": 2, "reserved_quantity": 5}
    body = {
        "inventory_items": [{"id": "i", "location_levels": [level, {"location_id": "t", "stocked_quantity": None}]}]
    }
    assert read("medusa", body, ("i", "s"), ("i", "t"), ("i", "u"), ("../x", "s")) == ["-3", None, None, None]
    with pytest.raises(Refused, match="UNEXPECTED_ANSWER"):
        read("medusa", {"message": "no"}, ("i", "s"))


def test_medusa_s_kits_and_what_it_does_not_manage():
    part = {"inventory_item_id": "i", "required_quantity": 1, "inventory": {"location_levels": []}}
    variant = {
        "id": "v",
        "sku": "M",
        "title": "Blue",
        "manage_inventory": True,
        "ean": "401",
        "inventory_items": [part],
    }
    rows = [
        variant | {"product": {"id": "p", "title": "Mug"}},
        variant | {"inventory_items": [part, part]},
        variant | {"inventory_items": [part | {"required_quantity": 6}]},
        variant | {"manage_inventory": False},
        variant | {"inventory_items": None},
    ]
    plain, *others = items("medusa", lambda ask: reply({"variants": rows}))
    assert (plain.name, plain.barcode, plain.variant_of, plain.stock_id, plain.tracked) == (
        "Mug - Blue",
        "401",
        "p",
        "i",
        True,
    )
    assert [(item.stock_id, item.tracked) for item in others] == [("", False), ("", False), ("i", False), ("", False)]


# --- Vendure


@pytest.mark.parametrize(
    ("flag", "everywhere", "available"),
    [("TRUE", False, "7"), ("INHERIT", True, "7"), ("INHERIT", False, None), ("FALSE", True, None)],
)
def test_vendure_counts_what_it_tracks(flag, everywhere, available):
    levels = [{"stockLocationId": "2", "stockOnHand": 10, "stockAllocated": 3}]
    rows = {"items": [{"id": "5", "trackInventory": flag, "stockLevels": levels}]}
    body = {"data": {"productVariants": rows, "globalSettings": {"trackInventory": everywhere}}}
    assert read("vendure", body, ("5", "2"), ("5", "1")) == [available, None]


@pytest.mark.parametrize("body", [{"errors": [{}]}, {"data": {}}, {"data": {"productVariants": {"items": [5]}}}])
def test_vendure_s_refusal_is_never_taken_for_no_level(body):
    with pytest.raises(Refused):
        read("vendure", body, ("5", "2"))


# --- nothing reaches an address that was not meant


@pytest.mark.parametrize("vendor", [Medusa(), Vendure(), Shopify(), Square()])
def test_an_id_that_would_lead_elsewhere_is_only_ever_a_value(vendor):
    name = next(name for name, kind in VENDORS.items() if type(vendor) is kind)
    assert read(name, vendor, ("../../orders", vendor.locations[0])) == [None]
    assert all("orders" not in ask.path for ask in vendor.asks)
