"""Levels read back from channels that sell, are edited and lose calls: each cause gets its right name, and no sale counts twice."""

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from hypothesis import given
from hypothesis import strategies as st

from channels.adapters.standard import Standard
from channels.client import CatalogItem, ItemPage, StaleStock, StockPlace, StockRead, Stream
from channels.models import Channel, Event, Reading
from inventory import availability, drift, levels, telling
from inventory.differences import Difference
from inventory.drift_causes import Cause, Evidence, judge
from inventory.levels import Delta
from inventory.models import (
    Component,
    Level,
    Listing,
    ListingLevel,
    Movement,
    Product,
    StockChange,
    StockDocument,
    StockDrift,
    StockPolicy,
)
from salessync.core import nudge
from salessync.core.models import AuditRow
from salessync.core.problems import Refused
from tests.records import line, sale
from tests.worlds import World

NOW = datetime.now(UTC) - timedelta(days=1)
LATER = NOW + timedelta(minutes=11)


class Shop:
    """What a channel's customers see; `lose`: so many of the next calls are confirmed and not carried out."""

    def __init__(self):
        self.levels, self.lose, self.broken, self.reads, self.amid = {}, 0, False, [], lambda: None

    def set(self, level):
        if level.expected is not None and Decimal(level.expected) != self.levels[level.item_id]:
            raise StaleStock(str(self.levels[level.item_id]))
        if self.lose:
            self.lose -= 1
        else:
            self.levels[level.item_id] = Decimal(level.available)

    def read(self, place):
        self.reads.append(place.item_id)
        level = self.levels.get(place.item_id)
        return StockRead(place.item_id, place.location, None if level is None else str(level))


class Mall:
    """A world of which each till keeps its own stock levels, as a shop does; `wait` is time that passes."""

    def __init__(self, shops, edits="ask"):
        self.world = World(stock="MUG,100\nCAP,30")
        self.company, self.shops, self.number, self.settled = self.world.company, shops, 0, 0
        self.a, self.b = self.open("a", edits), self.open("b", edits)
        self.push()

    def open(self, name, edits):
        channel = self.world.channel(f"{name}-{self.company.pk}", "standard")
        channel.credentials = {"token": "t"}
        channel.save()
        StockPolicy.objects.create(channel=channel, edits=edits)
        self.shops[channel.slug] = shop = Shop()
        for product in Product.objects.filter(company=self.company):
            Listing.objects.create(channel=channel, product=product, item_id=product.sku)
            shop.levels[product.sku] = Decimal(0)
        availability.look_again(channel_id=channel.pk)
        return channel

    def sell(self, channel, units=1, sku="MUG", *, capture=True):
        """Its shop deducts at once; the event is stored now or later, and processed when `process` is called."""
        self.shops[channel.slug].levels[sku] -= units
        self.number += 1
        record = sale([line(sku=sku, units=units)], id_=f"S{self.number}")
        return self.world.capture(record, channel=channel) if capture else (channel, record)

    def push(self):
        for _ in range(30):
            telling._resting.clear()
            while availability.look().marks:
                pass
            for channel in (self.a, self.b):
                telling.push(channel, found=drift.found)
            if not (StockChange.objects.exists() or ListingLevel.objects.filter(state="due").exists()):
                return
        raise AssertionError(list(ListingLevel.objects.filter(state="due").values()))

    def audit(self, channel, now=NOW):
        return drift.audit(channel, now=now, everything=True)

    def level(self, sku="MUG"):
        return Level.objects.get(product__sku=sku, company=self.company).on_hand

    def row(self, channel, sku="MUG"):
        return ListingLevel.objects.get(channel_id=channel.pk, listing__item_id=sku)

    def shows(self, channel, sku="MUG"):
        return self.shops[channel.slug].levels[sku]


@pytest.fixture(autouse=True)
def shops(monkeypatch, settings):
    """Makes the standard adapter one that counts: its calls end in the Mall's shops."""
    settings.STOCK_PUSH_WINDOW = 0.0
    monkeypatch.setattr(telling, "FIRST_DELAY", 0.0)
    monkeypatch.setattr(nudge, "nudge", lambda task: True)
    open_shops = {}

    def push_stock(self, account, level):
        yield from ()
        open_shops[account.channel].set(level)

    def read_stock(self, account, places):
        yield from ()
        shop = open_shops[account.channel]
        if shop.broken:
            raise ValueError("no such field")
        found = [shop.read(place) for place in places]
        shop.amid()
        return found

    def items(self, account, cursor):
        yield from ()
        shop = open_shops[account.channel]
        for sku in sorted(shop.levels):
            read = shop.read(StockPlace(sku))
            yield ItemPage(items=(CatalogItem(item_id=sku, stock_id=sku, levels=(read,)),), cursor=sku)

    for method in (push_stock, read_stock, items):
        monkeypatch.setattr(Standard, method.__name__, method)
    monkeypatch.setattr(Standard, "stock_batch", 2)
    return open_shops


@pytest.fixture
def mall(db, shops):
    return Mall(shops)


def only():
    return StockDrift.objects.get()


@pytest.mark.django_db
class TestCauses:
    def test_what_agrees_is_nothing(self, mall):
        done = mall.audit(mall.a)
        assert (done.read, done.compared.equal, done.finished) == (2, 2, True)
        assert mall.row(mall.a).read_at == NOW
        assert StockPolicy.objects.get(channel=mall.a).audited_at == NOW
        assert not StockDrift.objects.exists()

    def test_a_sale_that_is_stored_and_not_processed(self, mall):
        mall.sell(mall.a, 2)
        mall.audit(mall.a)
        mall.audit(mall.a, LATER)
        assert (only().cause, only().state) == ("unsynced_sale", "open")
        assert "1 event" not in only().message and "an event of the channel is not processed yet" in only().message
        mall.world.process()
        mall.audit(mall.a, LATER)  # its mark is not looked at yet: nothing is concluded
        assert (only().state, mall.level()) == ("open", 98)
        mall.push()
        assert (only().cause, only().state) == ("unsynced_sale", "gone")  # the push has compared
        assert (mall.shows(mall.a), mall.shows(mall.b), mall.level()) == (98, 98, 98)
        assert Movement.objects.filter(kind__in=["adjustment", "sale"]).count() == 1

    @pytest.mark.parametrize("edits", ["ask", "adopt", "overwrite"])
    def test_a_sale_that_no_webhook_has_brought_yet(self, mall, edits):
        StockPolicy.objects.update(edits=edits)
        channel, record = mall.sell(mall.a, 2, capture=False)
        mall.audit(mall.a)
        assert (only().cause, only().state) == ("unknown", "open")
        mall.world.capture(record, channel=channel)
        mall.world.process()
        while availability.look().marks:
            pass
        mall.audit(mall.a, LATER)
        assert (only().cause, only().state) == ("unsynced_sale", "gone")
        mall.push()
        assert (mall.shows(mall.a), mall.shows(mall.b), mall.level()) == (98, 98, 98)

    def test_an_edit_is_one_after_the_grace_time(self, mall):
        mall.shops[mall.a.slug].levels["MUG"] = Decimal(90)
        assert mall.audit(mall.a).compared.open == 1
        assert (only().expected, only().found, only().cause) == (100, 90, "unknown")
        mall.audit(mall.a, NOW + timedelta(minutes=9))
        assert only().cause == "unknown"
        mall.audit(mall.a, LATER)
        assert (only().cause, only().state, only().found_at) == ("manual_edit", "open", NOW)
        mall.shops[mall.a.slug].levels["MUG"] = Decimal(100)
        assert mall.audit(mall.a, LATER).compared.gone == 1
        assert (only().cause, only().state) == ("manual_edit", "gone")

    def test_a_difference_that_changes_begins_anew(self, mall):
        mall.shops[mall.a.slug].levels["MUG"] = Decimal(90)
        mall.audit(mall.a)
        mall.sell(mall.a, 1, capture=False)
        mall.audit(mall.a, LATER)
        assert (only().cause, only().found, only().found_at) == ("unknown", 89, LATER)

    def test_a_list_of_sales_that_is_behind_may_hold_the_sale(self, mall, monkeypatch):
        monkeypatch.setattr(
            Standard, "streams", (Stream(name="orders", overlap=60), Stream(name="payouts", totals="none"))
        )
        for stream in ("orders", "payouts"):
            Reading.objects.create(channel=mall.a, stream=stream, purpose="live", reached=NOW + timedelta(seconds=30))
        StockPolicy.objects.update(edits="adopt")
        mall.shops[mall.a.slug].levels["MUG"] = Decimal(90)
        mall.audit(mall.a)
        mall.audit(mall.a, LATER)
        assert (only().cause, only().state) == (
            "unsynced_sale",
            "open",
        ) and "orders have not been read" in only().message
        Reading.objects.filter(stream="orders").update(reached=NOW + timedelta(seconds=61))
        mall.audit(mall.a, LATER)
        assert only().state == "adopted"

    @pytest.mark.parametrize("state", ["waiting", "quarantined", "dead"])
    def test_a_stuck_event_holds_up_the_items_that_it_names(self, mall, state):
        StockPolicy.objects.update(edits="adopt")
        event = mall.sell(mall.a, 2, capture=True)
        Event.objects.filter(pk=event).update(state=state, problems=[])
        mall.shops[mall.a.slug].levels["CAP"] = Decimal(25)
        mall.audit(mall.a)
        mall.audit(mall.a, LATER)
        found = dict(StockDrift.objects.values_list("listing__item_id", "state"))
        assert found == {"MUG": "open", "CAP": "adopted"}
        assert mall.level("CAP") == 25

    def test_nothing_is_concluded_of_a_row_that_moves_while_it_is_read(self, mall):
        shop = mall.shops[mall.a.slug]
        shop.levels["MUG"] = Decimal(90)

        def amid():
            ListingLevel.objects.filter(channel_id=mall.a.pk, listing__item_id="MUG").update(turn=F("turn") + 1)

        shop.amid = amid
        done = mall.audit(mall.a)
        assert (len(done.compared.moving), done.compared.equal) == (1, 1)
        assert not StockDrift.objects.exists() and mall.row(mall.a).read_at is None
        shop.amid = lambda: None
        assert mall.audit(mall.a).compared.open == 1

    def test_a_call_under_way_is_not_disturbed(self, mall):
        mall.shops[mall.a.slug].levels["MUG"] = Decimal(90)
        ListingLevel.objects.filter(channel_id=mall.a.pk, listing__item_id="MUG").update(attempts=1)
        assert mall.audit(mall.a).read == 1

    def test_an_item_that_is_not_counted_there_is_no_difference(self, mall):
        del mall.shops[mall.a.slug].levels["CAP"]
        done = mall.audit(mall.a)
        assert (done.compared.uncounted, done.compared.equal, done.finished) == (1, 1, True)

    def test_what_a_push_meets(self, mall):
        row = mall.row(mall.a)
        met = Difference(row.listing_id, "", Decimal(100), Decimal(97))
        drift.found([met])
        drift.found([met._replace(expected=Decimal(99), found=Decimal(96))])
        first = only()
        assert (first.cause, first.expected, first.found) == ("unknown", 99, 96)
        assert first.message == "When its level was to be set, it showed 96 instead of 99."
        StockDrift.objects.update(found_at=NOW)
        drift.found([met._replace(expected=Decimal(99), found=Decimal(96))])
        assert only().found_at == NOW
        drift.found([met])
        assert only().found_at == NOW  # as much apart as before
        drift.found([met._replace(found=Decimal(96))])
        assert only().found_at > NOW
        drift.found([met._replace(found=Decimal(100))])
        assert only().state == "gone"


@pytest.mark.django_db
class TestSettling:
    def edit(self, mall, level, sku="MUG"):
        mall.shops[mall.a.slug].levels[sku] = Decimal(level)
        mall.audit(mall.a)
        return mall.audit(mall.a, LATER).compared

    def test_adopted_by_policy(self, mall):
        StockPolicy.objects.update(edits="adopt")
        assert self.edit(mall, 93).adopted == 1
        assert (only().state, only().closed_by, only().closed_at) == ("adopted", "policy", LATER)
        assert self.edit(mall, 93).adopted == 0  # not before its mark was looked at, and never again
        mall.push()
        assert (mall.level(), mall.shows(mall.a), mall.shows(mall.b)) == (93, 93, 93)
        mall.audit(mall.a, LATER)
        document = StockDocument.objects.get()
        assert (document.kind, document.reference, document.actor) == ("adjustment", f"drift {only().pk}", "policy")
        assert AuditRow.objects.filter(object_type="stock_drift", action="adopted").count() == 1

    def test_overwritten_by_policy(self, mall):
        StockPolicy.objects.update(edits="overwrite")
        assert self.edit(mall, 93).overwritten == 1
        mall.push()
        assert (mall.level(), mall.shows(mall.a), only().state) == (100, 100, "overwritten")

    def test_asked_and_adopted_by_a_person(self, mall):
        assert self.edit(mall, 107).open == 1
        assert (only().cause, only().state) == ("manual_edit", "open")
        sold = mall.sell(mall.a, 1)
        with pytest.raises(Refused) as refused:
            drift.adopt(only(), actor="anna", now=LATER)
        assert refused.value.problems[0].code == "SALES_PENDING"
        mall.world.process()
        with pytest.raises(Refused) as refused:
            drift.adopt(only(), actor="anna", now=LATER)
        assert refused.value.problems[0].code == "LEVEL_MOVES"
        mall.push()
        drift.adopt(only(), actor="anna", now=LATER, note="found in the back")
        assert (only().state, only().closed_by, only().note) == ("adopted", "anna", "found in the back")
        mall.push()
        assert sold and (mall.level(), mall.shows(mall.a), mall.shows(mall.b)) == (106, 106, 106)
        with pytest.raises(Refused) as refused:
            drift.adopt(only(), actor="anna", now=LATER)
        assert refused.value.problems[0].code == "NOT_OPEN"
        assert mall.level() == 106

    def test_overwritten_by_a_person_after_later_sales(self, mall):
        self.edit(mall, 107)
        mall.sell(mall.a, 2)
        mall.sell(mall.b, 1)
        mall.world.process()
        mall.push()
        assert mall.shows(mall.a) == 104  # the edit is kept until somebody decides
        drift.overwrite(only(), actor="anna", now=LATER)
        mall.push()
        assert (mall.level(), mall.shows(mall.a), mall.shows(mall.b)) == (97, 97, 97)

    def test_one_that_is_gone_when_somebody_decides(self, mall):
        self.edit(mall, 107)
        mall.shops[mall.a.slug].levels["MUG"] = Decimal(100)
        drift.adopt(only(), actor="anna", now=LATER)
        assert (only().state, mall.level()) == ("gone", 100)

    def test_a_person_is_told_when_it_cannot_be_read(self, mall):
        self.edit(mall, 107)
        mall.shops[mall.a.slug].broken = True
        with pytest.raises(Refused) as refused:
            drift.overwrite(only(), actor="anna", now=LATER)
        assert refused.value.problems[0].code == "CANNOT_BE_READ" and only().state == "open"

    def test_more_missing_than_we_have_is_left_to_a_person(self, mall):
        StockPolicy.objects.update(edits="adopt")
        ListingLevel.objects.filter(channel_id=mall.a.pk, listing__item_id="MUG").update(shown=150)
        assert self.edit(mall, 40).open == 1
        assert "cannot be taken over: only 100 of MUG can be taken from main, and not 110" in only().message
        assert mall.level() == 100
        with pytest.raises(Refused):
            drift.adopt(only(), actor="anna", now=LATER)

    def test_missing_units_are_missed_where_there_are_any(self, mall):
        StockPolicy.objects.update(edits="adopt")
        product = Product.objects.get(company=mall.company, sku="CAP")
        levels.write([Delta(mall.company.pk, product.pk, "far", "opening", None, "", 1, Decimal(5), Decimal(2))])
        mall.push()
        assert self.edit(mall, 1, "CAP").adopted == 1
        by_place = dict(Level.objects.filter(product=product).values_list("location", "on_hand"))
        assert by_place == {"main": 0, "far": 3}  # what is held stays

    def test_a_bundle_follows_its_parts(self, mall):
        part = Product.objects.get(company=mall.company, sku="MUG")
        kit = Product.objects.create(company=mall.company, sku="KIT")
        Component.objects.create(bundle=kit, part=part, quantity=10)
        Listing.objects.create(channel=mall.a, product=kit, item_id="KIT")
        mall.shops[mall.a.slug].levels["KIT"] = Decimal(0)
        availability.look_again(channel_id=mall.a.pk)
        mall.push()
        assert self.edit(mall, 7, "KIT").overwritten == 1
        mall.push()
        assert (mall.shows(mall.a, "KIT"), mall.level()) == (10, 100)


@pytest.mark.django_db
class TestWhatIsRead:
    def test_a_hint_has_a_level_read_back_and_an_echo_has_not(self, mall):
        mall.audit(mall.a)
        echo = StockRead("MUG", "", "100")
        assert drift.heed([(mall.a.pk, echo), (mall.a.pk, StockPlace("NOPE"))]) == 0
        assert drift.heed([(mall.a.pk, StockRead("MUG", "", "90")), (mall.a.pk, StockPlace("CAP"))]) == 2
        assert drift.heed([]) == 0
        mall.audit(mall.b)
        mall.shops[mall.a.slug].reads.clear()
        done = drift.run_due(now=NOW)
        assert (list(done), done[mall.a.slug].compared.equal) == ([mall.a.slug], 2)
        assert drift.run_due(now=NOW) == {}
        assert mall.shops[mall.a.slug].reads == ["MUG", "CAP"] and not StockDrift.objects.exists()

    def test_what_is_not_explained_is_read_again_after_the_grace_time(self, mall):
        mall.audit(mall.a)
        mall.audit(mall.b)
        mall.shops[mall.a.slug].levels["MUG"] = Decimal(90)
        drift.read_back(mall.a, [StockPlace("MUG")], now=NOW)
        assert drift.run_due(now=NOW + timedelta(minutes=5)) == {}
        drift.run_due(now=LATER)
        assert only().cause == "manual_edit"
        assert drift.run_due(now=LATER + timedelta(hours=1)) == {}  # it waits for a person

    def test_each_level_once_in_so_many_hours(self, mall):
        StockPolicy.objects.filter(channel=mall.b).update(audit_hours=0)
        assert [channel.pk for channel in drift.due(NOW)] == [mall.a.pk]
        drift.run_due(now=NOW)
        assert drift.due(NOW + timedelta(hours=23)) == []
        assert [channel.pk for channel in drift.due(NOW + timedelta(hours=24))] == [mall.a.pk]
        Channel.objects.filter(pk=mall.a.pk).update(status="paused")
        assert drift.due(NOW + timedelta(hours=24)) == []

    def test_who_runs_out_of_time_goes_on_the_next_time(self, mall, monkeypatch):
        monkeypatch.setattr(Standard, "stock_batch", 3)
        done = drift.audit(mall.a, now=NOW, seconds=-1)
        assert (done.read, done.finished) == (0, False)
        assert StockPolicy.objects.get(channel=mall.a).audited_at is None
        assert drift.audit(mall.a, now=NOW).finished

    def test_by_the_list_where_a_request_answers_one_level(self, mall, monkeypatch):
        monkeypatch.setattr(Standard, "stock_batch", 1)
        monkeypatch.setattr(drift, "LIST_FROM", 1)
        shop = mall.shops[mall.a.slug]
        shop.levels["CAP"] = Decimal(1)
        shop.levels["FOREIGN"] = Decimal(1)
        done = mall.audit(mall.a)
        assert (done.compared.open, done.compared.equal, done.finished) == (1, 1, True)
        assert sorted(shop.reads) == ["CAP", "FOREIGN", "MUG"]

    def test_one_channel_s_trouble_is_not_the_others(self, mall):
        mall.shops[mall.a.slug].broken = True
        done = drift.run_due(now=NOW)
        assert "cannot be understood (ValueError)" in done[mall.a.slug].problem
        assert done[mall.b.slug].compared.equal == 2

    def test_the_command(self, mall, capsys):
        call_command("audit_stock", mall.a.slug)
        assert "2 levels read" in capsys.readouterr().out
        mall.shops[mall.a.slug].levels["MUG"] = Decimal(90)
        with pytest.raises(CommandError) as error:
            call_command("audit_stock", mall.a.slug, "--json")
        assert error.value.returncode == 1
        assert json.loads(capsys.readouterr().out)["open"] == 1
        call_command("audit_stock")  # the other one is due
        assert mall.b.slug in capsys.readouterr().out
        for slug in ("nope", mall.world.shop.slug):
            with pytest.raises(CommandError) as error:
                call_command("audit_stock", slug)
            assert error.value.returncode == 2


UNITS = st.integers(-5, 5).map(Decimal)


@given(
    expected=UNITS, found=UNITS, before=st.none() | UNITS, minutes=st.integers(0, 20), pending=st.integers(0, 2),
    unread=st.sampled_from(["", "orders"]), lost=st.booleans(), bundle=st.booleans(),
)  # fmt: skip
def test_nothing_is_called_an_edit_that_may_be_a_sale(expected, found, before, minutes, pending, unread, lost, bundle):
    evidence = Evidence(expected, found, timedelta(minutes=minutes), pending, unread, before, lost, bundle)
    verdict = judge(evidence, timedelta(minutes=10))
    certain = not pending and not unread and minutes >= 10
    assert verdict.is_final == certain
    if verdict.cause == Cause.MANUAL_EDIT:
        assert certain and not lost and before != found and not bundle
    assert verdict.message.endswith(".")


# --- with real commits: lost pushes, and everything at once by chance


def pass_time():
    """All that is open has been so for longer than the grace time."""
    StockDrift.objects.filter(state="open").update(found_at=F("found_at") - timedelta(hours=1))
    ListingLevel.objects.update(read_at=F("read_at") - timedelta(hours=1))


def test_a_lost_push_is_told_from_an_edit(committed_db, django_db_blocker, shops):
    with django_db_blocker.unblock():
        mall = Mall(shops, edits="adopt")
        mall.shops[mall.a.slug].lose = 1
        mall.sell(mall.b, 3)
        mall.world.process()
        mall.push()
        assert (mall.shows(mall.a), mall.row(mall.a).shown) == (100, 97)
        drift.run_due(now=datetime.now(UTC))
        assert only().cause == "lost_push"
        mall.sell(mall.b, 1)  # meanwhile we sell on, and reckon with it
        mall.sell(mall.a, 1)
        mall.world.process()
        mall.push()
        pass_time()
        drift.run_due(now=datetime.now(UTC))
        assert (only().cause, only().state) == ("lost_push", "overwritten")
        mall.push()
        assert (mall.level(), mall.shows(mall.a), mall.shows(mall.b)) == (95, 95, 95)


@pytest.mark.parametrize("edits", ["adopt", "overwrite"])
def test_sales_edits_and_lost_pushes_by_chance(committed_db, django_db_blocker, shops, edits):
    with django_db_blocker.unblock():
        for seed in range(6):
            by_chance(Mall(shops, edits=edits), random.Random(f"{edits} {seed}"), edits)


def by_chance(mall, chance, edits):
    level, unsent, disturbed = Decimal(100), [], {}
    channels = (mall.a, mall.b)
    for _ in range(40):
        channel = chance.choice(channels)
        step = chance.choice(
            ["sell", "sell", "sell", "process", "process", "push", "push", "edit", "lose", "send", "settle", "read"]
        )
        if step == "sell":
            units = chance.randint(1, 2)
            level -= units
            sold = mall.sell(channel, units, capture=chance.random() < 0.6)
            unsent += [sold] if isinstance(sold, tuple) else []
        elif step == "send" and unsent:
            late, record = unsent.pop(0)
            mall.world.capture(record, channel=late)
        elif step == "process":
            mall.world.process()
        elif step == "push":
            mall.push()
        elif step == "edit" and channel.pk not in disturbed:
            units = chance.choice([-7, -5, 11, 13])  # no sale is as big
            mall.shops[channel.slug].levels["MUG"] += units
            level += units if edits == "adopt" else 0
            disturbed[channel.pk] = "manual_edit"
        elif step == "lose" and channel.pk not in disturbed:
            mall.shops[channel.slug].lose = 1
            before = mall.shows(channel)
            mall.push()
            lost = mall.shops[channel.slug].lose == 0
            mall.shops[channel.slug].lose = 0
            if lost and mall.row(channel).shown != before:
                disturbed[channel.pk] = "lost_push"
        elif step == "read":
            drift.run_due(now=datetime.now(UTC))
        elif step == "settle":
            settle(mall, unsent)
            check(mall, level, disturbed)
    settle(mall, unsent)
    check(mall, level, disturbed)


def settle(mall, unsent):
    """Every event arrives and is processed, and time passes."""
    for late, record in unsent:
        mall.world.capture(record, channel=late)
    unsent.clear()
    mall.world.process()
    for _ in range(4):
        mall.push()
        for channel in (mall.a, mall.b):
            drift.audit(channel, now=datetime.now(UTC), everything=True)
        pass_time()
    mall.push()


def check(mall, level, disturbed):
    open_ones = list(StockDrift.objects.filter(company=mall.company, state="open").values())
    assert not open_ones
    assert (mall.level(), mall.shows(mall.a), mall.shows(mall.b)) == (level, level, level)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(m.on_hand) FROM inventory_movement m JOIN inventory_product p ON p.id = m.product_id"
            " WHERE p.company_id = %s AND p.sku = 'MUG'",
            [mall.company.pk],
        )
        assert cursor.fetchone()[0] == level
    for channel_id, cause in disturbed.items():
        last = StockDrift.objects.filter(listing__channel_id=channel_id).exclude(state="gone").latest("id")
        assert (last.cause, last.state in ("adopted", "overwritten")) == (cause, True)
    assert not StockDrift.objects.filter(company=mall.company, cause="unknown").exclude(state="gone").exists()
    settled = StockDrift.objects.filter(company=mall.company).exclude(state="gone").count()
    assert settled == mall.settled + len(disturbed)
    mall.settled = settled
    disturbed.clear()
