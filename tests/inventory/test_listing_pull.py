"""A channel's list of items becomes listings: matched by SKU, never guessed, and the same list again changes nothing."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from channels import adapter as adapters
from channels.calls import Caller, NotNow
from channels.client import CatalogItem, CursorExpired, ItemPage
from channels.models import Event
from inventory import availability, catalog, listing_pull, listings, telling
from inventory.listing_pull import Listed
from inventory.models import ChannelLocation, Level, Listing, ListingLevel, Movement, Product, StockChange, UnmappedItem
from salessync.core.models import AuditRow
from tests.channels.stock_vendors import VENDORS
from tests.records import line, sale
from tests.worlds import World

NOW = datetime(2026, 9, 1, tzinfo=UTC)


class Shop:
    """A vendor of the stock tests behind a channel; `items` in place of its own list, page by page."""

    def __init__(self, world, monkeypatch, name, *, count=3, items=None, **more):
        self.vendor = VENDORS[name](count)
        self.channel = world.channel(f"{name}-{world.company.pk}", name, **more)
        given = dict(self.vendor.credentials) | ({"base_url": self.vendor.base_url} if self.vendor.base_url else {})
        self.channel.credentials = given
        self.channel.save()
        self.cursors = []
        monkeypatch.setattr(Caller, "_reply", lambda caller, ask: self.vendor(ask))
        if items is not None:
            monkeypatch.setattr(type(adapters.get(name)), "items", self.listing(items))

    def listing(self, pages):
        def items(adapter, account, cursor):
            yield from ()
            self.cursors.append(cursor)
            for number in range(int(cursor or 0), len(pages)):
                if isinstance(pages[number], Exception):
                    error, pages[number] = pages[number], ()
                    raise error
                after = str(number + 1) if number + 1 < len(pages) else None
                yield ItemPage(items=tuple(pages[number]), cursor=after)

        return items

    def pull(self, **how):
        return listing_pull.pull(self.channel, actor="anna", now=NOW, **how)


def item(id_, stock=None, **more):
    return CatalogItem(item_id=id_, stock_id=stock or f"stock-{id_}", **{"sku": id_ or "", **more})


@pytest.fixture
def world(db):
    return World(stock="SKU-1,40\nSKU-2,7\nOTHER,1")


def rows():
    """All that a pull writes."""
    tables = {}
    for model in (Listing, Product, Movement, UnmappedItem, ChannelLocation, Level, AuditRow, StockChange):
        tables[model.__name__] = list(model.objects.order_by("pk").values_list())
    return tables


@pytest.mark.parametrize("creates", [False, True])
@pytest.mark.parametrize("name", VENDORS)
def test_every_vendor_s_list_becomes_listings_once(world, monkeypatch, name, creates):
    shop = Shop(world, monkeypatch, name)
    for place in shop.vendor.locations:  # ours are called as theirs
        Level.objects.create(company=world.company, product=Product.objects.get(sku="OTHER"), location=place or "x")
    done = shop.pull(creates=creates)
    made = {
        one.item_id: one.product.sku for one in Listing.objects.filter(channel=shop.channel).select_related("product")
    }
    assert sorted(made.values()) == ["SKU-1", "SKU-2", "SKU-3"][: 3 if creates else 2]
    assert (done.items, done.matched, done.created, len(done.unmapped)) == (3, 2, int(creates), int(not creates))
    assert UnmappedItem.objects.filter(channel=shop.channel).count() == int(not creates)
    codes = {problem.code for problem in done.problems}
    assert codes <= ({"DUPLICATE_SKU"} if name == "clover" else set())  # its fake has one SKU for all
    if creates:
        there = Level.objects.filter(product__sku="SKU-3", company=world.company)
        places = {place: Decimal(30) for place in shop.vendor.locations}
        assert {level.location: level.on_hand for level in there} == ({"main": 30} if places.keys() == {""} else places)
    assert world.stock()["SKU-1"] == (40, 0)  # what has stock keeps it
    StockChange.objects.all().delete()
    before = rows()
    again = shop.pull(creates=creates)
    assert (again.known, again.matched, again.created, again.renewed, again.opened) == (len(made), 0, 0, 0, 0)
    assert rows() == before


@pytest.mark.django_db
class TestMatching:
    def test_a_listing_keeps_its_product(self, world, monkeypatch):
        shop = Shop(world, monkeypatch, "clover", items=[[item("SKU-1", name="Mug")]])
        other = Product.objects.get(company=world.company, sku="OTHER")
        Listing.objects.create(channel=shop.channel, item_id="SKU-1", product=other)
        done = shop.pull(creates=True)
        listing = Listing.objects.get(channel=shop.channel)
        assert (done.known, done.renewed, done.matched) == (1, 1, 0)
        assert (listing.product, listing.stock_id, listing.name) == (other, "stock-SKU-1", "Mug")

    def test_one_that_is_counted_by_another_id_now_is_told_anew(self, world, monkeypatch):
        shop = Shop(world, monkeypatch, "clover", items=[[item("SKU-1", "new"), item("SKU-2", "SKU-2")]])
        for sku, stock_id in (("SKU-1", "old"), ("SKU-2", "")):
            listing = Listing.objects.create(
                channel=shop.channel, item_id=sku, stock_id=stock_id, product=Product.objects.get(sku=sku)
            )
            ListingLevel.objects.create(listing=listing, channel_id=shop.channel.pk, wanted=5, shown=5, state="idle")
        done = shop.pull()
        assert (done.known, done.renewed) == (2, 1)
        assert list(ListingLevel.objects.order_by("id").values_list("shown", flat=True)) == [None, 5]

    def test_exactly_the_same_sku_or_the_word_of_its_sales(self, world, monkeypatch):
        items = [item("V1", sku="SKU-1"), item("SKU-2", sku=""), item("V3", sku="sku-1"), item("V4", sku="")]
        shop = Shop(world, monkeypatch, "clover", items=[items])
        done = shop.pull()
        made = dict(Listing.objects.filter(channel=shop.channel).values_list("item_id", "product__sku"))
        assert made == {"V1": "SKU-1", "SKU-2": "SKU-2"}
        assert [one.item_id for one in done.unmapped] == ["V3", "V4"]

    def test_a_word_that_stands_for_two_items_is_reported_wherever_the_second_is(self, world, monkeypatch):
        pages = [[item("SKU-1", "a"), item("SKU-2")], [item("SKU-1", "b"), item("SKU-2")]]  # SKU-2 is met twice
        shop = Shop(world, monkeypatch, "clover", items=pages)
        done = shop.pull(creates=True)
        assert list(Listing.objects.filter(channel=shop.channel).values_list("item_id", flat=True)) == ["SKU-2"]
        assert UnmappedItem.objects.get(channel=shop.channel).item_id == "SKU-1"
        (problem,) = done.problems
        assert (problem.code, problem.path) == ("DUPLICATE_SKU", "SKU-1") and "(a, b)" in problem.message

    def test_a_sku_of_two_items_matches_neither(self, world, monkeypatch):
        items = [item("V1", sku="SKU-1"), item("V2", sku="SKU-1"), item("V3", sku="SKU-2")]
        shop = Shop(world, monkeypatch, "clover", items=[items])
        done = shop.pull(creates=True)
        made = dict(Listing.objects.filter(channel=shop.channel).values_list("item_id", "product__sku"))
        assert made == {"V1": "V1", "V2": "V2", "V3": "SKU-2"}
        assert [problem.code for problem in done.problems] == ["DUPLICATE_SKU"]

    def test_what_sales_do_not_name_is_counted(self, world, monkeypatch):
        items = [item(None, "a", name="Gift wrap"), item(None, "b"), item("SKU-1", tracked=False), item("X" * 300)]
        done = Shop(world, monkeypatch, "clover", items=[items]).pull(creates=True)
        assert (done.items, done.unnamed, done.matched, len(done.unmapped)) == (4, 2, 1, 1)
        assert [problem.code for problem in done.problems] == ["NO_ITEM_ID", "BAD_ITEM_ID"]
        assert not Listing.objects.get(item_id="SKU-1").is_pushed  # the channel does not count it

    def test_earlier_sales_of_what_is_matched_now_go_again(self, world, monkeypatch):
        shop = Shop(world, monkeypatch, "clover", items=[[item("V1", sku="SKU-1"), item("V9", "ITEM3", sku="NINE")]])
        for id_, sku in (("S1", "V1"), ("S2", "V9")):
            event = world.capture(sale([line(sku=sku, units=2)], id_=id_))
            world.process()
            assert UnmappedItem.objects.filter(item_id=sku).update(channel=shop.channel) and event
        with connection.cursor() as cursor:
            cursor.execute("UPDATE channels_transaction SET channel_id = %s", [shop.channel.pk])
        done = shop.pull(creates=True)
        assert done.replayed == 1  # what NINE is opened with has its sales in it
        assert list(Event.objects.filter(state="new").values_list("pk", flat=True)) == [event - 1]
        assert not UnmappedItem.objects.exists()

    def test_suggestions(self, world):
        company = world.company
        Product.objects.create(company=company, sku="mug-9", name="Blue mug, large", barcode="4006381333931")
        Product.objects.create(company=company, sku="X", name="Blue mug")

        def skus(**of):
            return [p.sku for p in listings.suggested(company_id=company.pk, **{"item_id": "V", **of})]

        assert skus(sku=" MUG-9 ") == skus(barcode="4006381333931") == skus(item_id="4006381333931") == ["mug-9"]
        assert skus(name="blue mug") == ["X", "mug-9"]
        assert skus(name="up") == skus() == []


@pytest.mark.django_db
class TestCreating:
    def test_products_variants_and_opening_levels(self, world, monkeypatch):
        shop = Shop(world, monkeypatch, "square", count=1)
        shop.vendor.levels = {("a", "L1"): Decimal(4), ("a", "L2"): Decimal("2.5"), ("b", "L1"): Decimal(-1)}
        shop.vendor.number_of = lambda identifier: 1
        items = [
            item("A", "a", name="Mug - red", barcode="123", category="Mugs", variant_of="7"),
            item("B", "b", name="Mug - blue", variant_of="7"),
            item("C", "c", name="Card", variant_of="8", tracked=False),
        ]
        monkeypatch.setattr(type(adapters.get("square")), "items", shop.listing([items]))
        done = shop.pull(creates=True)
        red = Product.objects.get(company=world.company, sku="A")
        assert (red.name, red.barcode, red.category, red.variant_of.name) == ("Mug - red", "123", "Mugs", "Mug")
        assert (
            red.variant_of == Product.objects.get(sku="B").variant_of
            and Product.objects.get(sku="C").variant_of is None
        )
        found = set(Level.objects.filter(product__in=Product.objects.filter(sku__in="ABC")).values_list(
            "product__sku", "location", "on_hand"
        ))  # fmt: skip
        assert found == {("A", "L1", 4), ("A", "L2", Decimal("2.5")), ("B", "L1", 0)}
        assert (done.created, done.opened) == (3, 2)
        assert dict(ChannelLocation.objects.values_list("remote_id", "locations")) == {"L1": ["L1"], "L2": ["L2"]}

    def test_what_was_opened_so_is_not_told_again(self, world, monkeypatch):
        shop = Shop(world, monkeypatch, "shopify", count=5)
        shop.pull(creates=True)
        while availability.look().marks:
            pass
        created = ListingLevel.objects.filter(listing__product__sku__in=["SKU-3", "SKU-4", "SKU-5"])
        assert created.count() == 6 and set(created.values_list("state", flat=True)) == {"idle"}
        telling.push(shop.channel)
        assert [
            ask for ask in shop.vendor.asks if "inventorySetQuantities" in ask.json["query"] and "1003" in str(ask)
        ] == []

    def test_no_stock_is_opened_while_sales_are_on_their_way(self, world, monkeypatch):
        shop = Shop(world, monkeypatch, "clover")
        event = world.capture(sale([line(sku="SKU-3")]))
        Event.objects.filter(pk=event).update(channel=shop.channel)
        with pytest.raises(NotNow):
            shop.pull(creates=True)
        assert not Product.objects.filter(sku="SKU-3").exists() and not Listing.objects.exists()
        Event.objects.filter(pk=event).update(state="ignored", reason="a test")
        assert shop.pull(creates=True).opened == 1

    def test_a_level_that_the_list_tells_is_compared_with_by_the_first_push(self, world, monkeypatch):
        shop = Shop(world, monkeypatch, "clover")
        shop.pull()
        row = ListingLevel.objects.get(listing__item_id="SKU-1")
        assert row.shown == 10
        while availability.look().marks:
            pass
        row.refresh_from_db()
        assert (row.wanted, row.state) == (40, "due")
        telling.push(shop.channel)
        assert shop.vendor.levels["ITEM1", ""] == 40


@pytest.mark.django_db
class TestPlaces:
    def test_the_only_place_sells_all_or_what_the_channel_s_location_has(self, world, monkeypatch):
        monkeypatch.setattr(VENDORS["shopify"], "locations", ("11",))
        Shop(world, monkeypatch, "shopify").pull()
        assert ChannelLocation.objects.get().locations == []
        Shop(World(), monkeypatch, "shopify", stock_location="front").pull()
        assert ChannelLocation.objects.order_by("id").last().locations == ["front"]

    def test_of_several_each_needs_one_of_ours(self, world, monkeypatch):
        Level.objects.create(company=world.company, product=Product.objects.get(sku="OTHER"), location="place 12")
        shop = Shop(world, monkeypatch, "shopify")
        done = shop.pull()
        assert dict(ChannelLocation.objects.values_list("remote_id", "locations")) == {"12": ["place 12"]}
        (problem,) = done.problems
        assert problem.code == "UNKNOWN_LOCATION" and "'Place 11'" in problem.message
        ChannelLocation.objects.create(channel=shop.channel, remote_id="11", locations=["main"])
        assert shop.pull().problems == ()
        assert ChannelLocation.objects.get(remote_id="11").locations == ["main"]


@pytest.mark.django_db
class TestReading:
    def test_it_goes_on_after_the_last_page(self, world, monkeypatch):
        pages = [[item("SKU-1")], NotNow("too fast", 5.0), [item("SKU-2")]]
        shop = Shop(world, monkeypatch, "clover", items=pages)
        listed, seen, caller = Listed(), [], Caller(shop.channel)
        with pytest.raises(NotNow):
            listing_pull.read(caller, listed, progress=lambda one: seen.append((len(one.items), one.cursor)))
        assert not Listing.objects.filter(channel=shop.channel).exists()
        listing_pull.read(caller, listed)
        assert (seen, shop.cursors, len(listed.items), listed.is_complete) == ([(1, "1")], [None, "1"], 2, True)
        assert listing_pull.take_over(caller, listed, creates=False, actor="anna", now=NOW).matched == 2

    def test_a_list_whose_cursor_expires_begins_anew(self, world, monkeypatch):
        shop = Shop(world, monkeypatch, "clover", items=[[item("SKU-1")], CursorExpired(), [item("SKU-2")]])
        assert shop.pull().matched == 2
        assert shop.cursors == [None, None]

    def test_one_that_never_lasts_is_left_for_later(self, world, monkeypatch):
        shop = Shop(world, monkeypatch, "clover", items=[*[CursorExpired() for _ in range(1)]])
        monkeypatch.setattr(listing_pull, "RESTARTS", 0)
        with pytest.raises(NotNow):
            shop.pull()

    def test_the_command(self, world, monkeypatch, capsys):
        items = [[item("SKU-1"), item("v9", sku="sku-2", name="Mug 2")], NotNow("too fast", 0.0), [item("SKU-2")]]
        shop = Shop(world, monkeypatch, "clover", items=items)
        call_command("pull_listings", shop.channel.slug, "--json")
        said = json.loads(capsys.readouterr().out)
        assert (said["matched"], said["unmapped"], said["problems"]) == (2, 1, [])
        assert said["unmapped_items"] == [{"item": "v9", "name": "Mug 2", "suggestions": ["SKU-2"]}]
        call_command("pull_listings", shop.channel.slug)
        assert "2 known" in capsys.readouterr().out
        monkeypatch.setattr(type(shop.channel), "asks", False)
        for slug in ("nope", world.till.slug, shop.channel.slug):
            with pytest.raises(CommandError) as error:
                call_command("pull_listings", slug)
            assert error.value.returncode == 2

    def test_the_command_says_what_is_wrong(self, world, monkeypatch, capsys):
        shop = Shop(world, monkeypatch, "clover", items=[[item("A", "1"), item("A", "2")]])
        with pytest.raises(CommandError) as error:
            call_command("pull_listings", shop.channel.slug)
        assert error.value.returncode == 1 and "DUPLICATE_SKU A" in capsys.readouterr().err


def test_the_file_and_the_list_agree(world, monkeypatch):
    """What import_catalog mapped, a pull keeps."""
    shop = Shop(world, monkeypatch, "clover")
    catalog.import_catalog(company=world.company, text=f"sku,{shop.channel.slug}\nSKU-1,SKU-1\nSKU-3,SKU-3\n")
    done = shop.pull()
    assert (done.known, done.matched, len(done.unmapped)) == (2, 1, 0)
    assert Listing.objects.get(item_id="SKU-1").stock_id == "ITEM1"
