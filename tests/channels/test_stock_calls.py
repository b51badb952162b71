"""What every channel keeps that can be told a stock level: it can be asked for it, and lists what it sells."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from channels import adapter, payload
from channels.adapter import STOCK_CHANGED, Adapter, Context, Ignored
from channels.capabilities import as_markdown, capabilities, overrides
from channels.client import CursorExpired, ItemPage, StaleStock, StockLevel, StockPlace, StockRead
from salessync.core.problems import Refused
from tests.calls import converse, reply
from tests.channels.stock_vendors import VENDORS
from tests.golden import cases

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
PUSHING = [name for name in adapter.adapter_names() if overrides(adapter.get(name), "push_stock")]
ODD = [
    None,
    {},
    [],
    "x",
    5,
    True,
    [[]],
    {"data": None},
    {"data": []},
    {"data": {"object": 5}},
    {"merchants": {"M": [5]}},
]

each = pytest.mark.parametrize("name", PUSHING)


def push(name, vendor, place, available, expected=None):
    level = StockLevel(
        item_id=place.item_id, location=place.location, available=available, expected=expected, key="k", at=NOW
    )
    return converse(adapter.get(name).push_stock(vendor.account, level), vendor).result


def read(name, vendor, places):
    return converse(adapter.get(name).read_stock(vendor.account, places), vendor).result


def listed(name, vendor, cursor=None):
    pages = converse(adapter.get(name).items(vendor.account, cursor), vendor).pages
    assert all(isinstance(page, ItemPage) and page.found == () for page in pages)
    assert [page.cursor is None for page in pages] == [False] * (len(pages) - 1) + [True]
    return pages


def items(pages):
    return [item for page in pages for item in page.items]


# --- over all of them


def test_every_adapter_that_is_told_levels_has_a_vendor_here():
    assert sorted(VENDORS) == PUSHING


@pytest.mark.parametrize("name", adapter.adapter_names())
def test_who_sets_a_level_reads_it_and_lists_items(name):
    vendor = adapter.get(name)
    for method in ("read_stock", "items", "stock_locations"):
        assert overrides(vendor, method) == overrides(vendor, "push_stock")
    assert vendor.stock_topics <= vendor.topics
    assert bool(vendor.stock_topics) == overrides(vendor, "stock_hint")
    assert vendor.stock_batch >= 1
    row = capabilities(vendor)
    assert (row.stock is not None) == row.abilities["stock"].has == ("**Stock**" in as_markdown([row]))


@pytest.mark.parametrize("name", adapter.adapter_names())
@pytest.mark.parametrize("parsed", ODD)
def test_what_says_nothing_of_stock_is_no_hint(name, parsed):
    vendor = adapter.get(name)
    for topic in ("", "no/such/topic", *sorted(vendor.topics)):
        assert vendor.stock_hint(parsed, topic) == ()


def test_an_adapter_without_stock_says_so():
    with pytest.raises(NotImplementedError):
        Adapter().read_stock(None, [])
    with pytest.raises(NotImplementedError):
        Adapter().items(None, None)
    with pytest.raises(NotImplementedError):
        Adapter().stock_locations(None)


# --- read back


@each
@pytest.mark.parametrize("available", ["7", "0", "-2", "12.0"])
def test_what_was_pushed_is_what_is_read(name, available):
    vendor = VENDORS[name]()
    place = StockPlace(vendor.stock_id(2), vendor.locations[-1])
    push(name, vendor, place, available)
    (found,) = read(name, vendor, [place])
    assert found == StockRead(place.item_id, place.location, str(int(Decimal(available))))
    push(name, vendor, place, "4", expected=found.available)
    assert read(name, vendor, [place])[0].available == "4"
    others = [key for key in vendor.levels if key != (place.item_id, place.location)]
    assert {key: vendor.levels[key] for key in others} == {key: VENDORS[name]().levels[key] for key in others}


@pytest.mark.parametrize("name", [name for name in PUSHING if not VENDORS[name].whole])
def test_fractions_are_read_as_they_were_pushed(name):
    vendor = VENDORS[name]()
    place = StockPlace(vendor.stock_id(1), vendor.locations[0])
    push(name, vendor, place, "2.50")
    assert read(name, vendor, [place])[0].available == "2.5"


@each
def test_an_expectation_that_is_no_longer_true_is_refused_with_what_is_read(name):
    vendor = VENDORS[name]()
    place = StockPlace(vendor.stock_id(1), vendor.locations[0])
    vendor.levels[place.item_id, place.location] = Decimal(6)
    (found,) = read(name, vendor, [place])
    with pytest.raises(StaleStock) as stale:
        push(name, vendor, place, "4", expected="10")
    assert stale.value.actual == found.available == "6"
    assert read(name, vendor, [place])[0].available == "6"


@each
def test_answers_come_in_the_order_of_asking_and_what_is_unknown_is_none(name):
    vendor = VENDORS[name]()
    here = vendor.locations[0]
    known, nowhere = StockPlace(vendor.stock_id(1), here), StockPlace("99999", here)
    uncounted = StockPlace(vendor.stock_id(3), here)
    for place in vendor.locations:
        del vendor.levels[uncounted.item_id, place]
    asked = [nowhere, known, uncounted, known]
    found = read(name, vendor, asked)
    assert [(one.item_id, one.location) for one in found] == [(one.item_id, one.location) for one in asked]
    assert [one.available for one in found] == [None, "10", None, "10"]
    assert read(name, VENDORS[name](), []) == []


@each
def test_more_than_one_request_answers_is_asked_for_in_portions(name):
    batch = adapter.get(name).stock_batch
    vendor = VENDORS[name](count=2 * batch + 3)
    places = [StockPlace(vendor.stock_id(n), place) for n in vendor.numbers for place in vendor.locations]
    found = read(name, vendor, places)
    assert [one.available for one in found] == [str(10 * n) for n in vendor.numbers for _ in vendor.locations]
    assert len(vendor.asks) < len(places) or batch == 1


@each
def test_a_level_that_is_no_number_is_refused(name):
    vendor = VENDORS[name]()
    place = StockPlace(vendor.stock_id(1), vendor.locations[0])

    def spoilt(ask):
        answer = vendor(ask)
        return reply(re.sub('"?77"?', '"many"', payload.dump(answer.body).decode()).encode(), answer.status)

    vendor.levels[place.item_id, place.location] = Decimal(77 - vendor.held)
    if name == "woocommerce":  # plugins write numbers in many ways; what is none is no level
        assert converse(adapter.get(name).read_stock(vendor.account, [place]), spoilt).result[0].available is None
        return
    with pytest.raises(Refused, match="BAD_QUANTITY"):
        converse(adapter.get(name).read_stock(vendor.account, [place]), spoilt)


# --- the catalogue


@each
@pytest.mark.parametrize("count", [0, 1, 3, 401])
def test_the_list_is_read_to_its_end(name, count):
    vendor = VENDORS[name](count=count)
    found = items(listed(name, vendor))
    sold_as = [vendor.stock_id(n) if name == "square" else f"SKU-{n}" for n in vendor.numbers]
    assert [(item.item_id, item.stock_id) for item in found] == [
        (sold, vendor.stock_id(n)) for sold, n in zip(sold_as, vendor.numbers, strict=True)
    ]
    assert all(item.tracked and item.sku and item.name.startswith("Mug") for item in found)
    assert {item.category for item in found} <= ({"Mugs"} if name != "vendure" else {""})


@each
def test_reading_goes_on_after_any_page(name):
    vendor = VENDORS[name](count=1101 if name == "clover" else 401)
    pages = listed(name, vendor)
    assert len(pages) > 1
    for index, page in enumerate(pages[:-1]):
        assert items(listed(name, vendor, page.cursor)) == items(pages[index + 1 :])


@each
def test_a_cursor_that_the_vendor_does_not_know_begins_anew(name):
    with pytest.raises(CursorExpired):
        listed(name, VENDORS[name](), "no cursor")


@each
def test_an_item_of_the_list_is_read_and_pushed_by_its_stock_id(name):
    vendor = VENDORS[name]()
    for item in items(listed(name, vendor)):
        places = [StockPlace(item.stock_id, place) for place in vendor.locations]
        found = read(name, vendor, places)
        assert item.levels in ((), tuple(found))
        push(name, vendor, places[-1], "5", expected=found[-1].available)
        assert vendor.level(item.stock_id, vendor.locations[-1]) == 5


@each
def test_the_places_where_stock_is_counted(name):
    vendor = VENDORS[name]()
    found = converse(adapter.get(name).stock_locations(vendor.account), vendor).result
    assert found == [(place, f"Place {place}") for place in vendor.locations if place]


@each
def test_an_item_is_named_as_the_lines_of_sales_name_it(name):
    """Listings are found by `line.sku`: the list's `item_id` is that very word."""
    records = [
        json.loads(line) for case in cases(name) for line in case.expected().get("records.jsonl", "").splitlines()
    ]
    lines = [line for record in records if record["type"] == "sale" for line in record["lines"]]
    sku = next(line["sku"] for line in lines if line.get("sku") and line.get("type", "item") == "item")
    vendor = VENDORS[name](count=1)
    ours = vendor.stock_id(1) if name == "square" else "SKU-1"

    def renamed(ask):
        answer = vendor(ask)
        return reply(payload.dump(answer.body).decode().replace(f'"{ours}"', f'"{sku}"').encode())

    (page,) = (p for p in converse(adapter.get(name).items(vendor.account, None), renamed).pages if p.items)
    assert [item.item_id for item in page.items] == [sku]


# --- events


def square_event(**count):
    return {
        "merchant_id": "M", "type": "inventory.count.updated", "event_id": "e", "created_at": "2026-09-01T12:00:00Z",
        "data": {"type": "inventory_counts", "id": "x", "object": {"inventory_counts": [count]}},
    }  # fmt: skip


def bigcommerce_event(kind, **inventory):
    scope = f"store/{kind}/inventory/updated"
    data = {"type": kind, "id": 1, "inventory": inventory}
    return {"scope": scope, "store_id": "1", "data": data, "hash": "h", "created_at": 1, "producer": "stores/abc"}


def clover_event(**event):
    return {"appId": "A", "merchants": {"M1": [{"type": "UPDATE", "ts": 1, **event}]}}


LEVEL_OF_SHOPIFY = {
    "inventory_item_id": 1001, "location_id": 11, "available": 4, "updated_at": "2026-09-01T08:00:00-04:00",
    "admin_graphql_api_id": "gid://shopify/InventoryLevel/11?inventory_item_id=1001",
}  # fmt: skip
COUNT = {"catalog_object_id": "VAR1", "catalog_object_type": "ITEM_VARIATION", "location_id": "L1", "quantity": "4.50"}
RECORD = {
    "id": "inv-1", "product_id": "product-1", "outlet_id": "outlet-1", "count": "4.00000", "version": 9, "reorder_point": "1",
}  # fmt: skip
TOLD = [
    ("shopify", LEVEL_OF_SHOPIFY, (StockRead("1001", "11", "4"),)),
    ("shopify", LEVEL_OF_SHOPIFY | {"available": None}, (StockPlace("1001", "11"),)),
    ("shopify", LEVEL_OF_SHOPIFY | {"available": -2}, (StockRead("1001", "11", "-2"),)),
    ("shopify", LEVEL_OF_SHOPIFY | {"available": "many"}, (StockPlace("1001", "11"),)),
    ("shopify", {"available": 4}, ()),
    ("square", square_event(**COUNT, state="IN_STOCK"), (StockRead("VAR1", "L1", "4.5"),)),
    ("square", square_event(**COUNT, state="WASTE"), (StockPlace("VAR1", "L1"),)),
    ("square", square_event(state="IN_STOCK"), ()),
    ("bigcommerce", bigcommerce_event("product", product_id=1, method="absolute", value=4), (StockPlace("product:1"),)),
    ("bigcommerce", bigcommerce_event("sku", product_id=1, variant_id=7, method="relative", value=-1),
     (StockPlace("variant:7"),)),
    ("bigcommerce", bigcommerce_event("product"), ()),
    ("clover", clover_event(objectId="I:ITEM1"), (StockPlace("ITEM1"),)),
    ("clover", clover_event(objectId="IS:ITEM1"), (StockPlace("ITEM1"),)),
    ("lightspeed", RECORD, (StockRead("product-1", "outlet-1", "4"),)),
    ("lightspeed", RECORD | {"count": None}, (StockPlace("product-1", "outlet-1"),)),
    ("medusa", {"type": "inventory-level.updated", "data": {"id": "ilev_1", "inventory_item_id": "i", "location_id": "s"}},
     (StockPlace("i", "s"),)),
    ("medusa", {"type": "inventory-level.updated", "data": {"id": "ilev_1"}}, ()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "event", "told"), TOLD)
def test_an_event_says_which_levels_to_read_and_holds_no_sale(name, event, told):
    vendor = adapter.get(name)
    topic = vendor.envelope({"x-shopify-topic": "inventory_levels/update"}, event).topic
    assert topic in vendor.stock_topics
    assert vendor.stock_hint(event, topic) == told
    stored = payload.parse_stored(payload.dump(vendor.scrub(event)))
    assert vendor.stock_hint(stored, topic) == told
    assert vendor.pointer(event, topic) is None
    with pytest.raises(Ignored, match=STOCK_CHANGED):
        vendor.normalize(event, topic, Context(channel="c"))


def test_a_deleted_item_and_one_beside_an_order():
    clover = adapter.get("clover")
    deleted = clover_event(objectId="I:ITEM1", type="DELETE")
    assert clover.stock_hint(deleted, "I:DELETE") == ()
    both = clover_event(objectId="I:ITEM1")
    both["merchants"]["M1"].append({"objectId": "O:ORDER1", "type": "UPDATE", "ts": 2})
    topic = clover.envelope({}, both).topic
    assert clover.stock_hint(both, topic) == (StockPlace("ITEM1"),)
    assert clover.normalize(both, topic, Context(channel="c")) == []  # the order is fetched
