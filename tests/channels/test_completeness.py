"""Control totals: a day of the vendor's own lists against ours, the ids that are lacking named and brought."""

import json
import os
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from channels import adapter as adapters
from channels import completeness, inbox
from channels.adapters.shopify import Shopify
from channels.client import CursorExpired, Limits, Stream
from channels.models import Channel, ControlDay, ControlRecord, ControlTotal, Event, Transaction
from ledger.models import JournalEntry, Rate
from salessync import setup, verify
from salessync.core import nudge
from tests.admin.scenes import people
from tests.records import line, sale
from tests.vendor import START, FakeShop, stamp
from tests.worlds import World

pytestmark = pytest.mark.django_db

DAY = START.date()
SEEDS = [1, 2, int.from_bytes(os.urandom(4))]


@pytest.fixture(autouse=True)
def _faster_and_local(monkeypatch, settings):
    monkeypatch.setattr(Shopify, "limits", Limits(per_second=200.0, burst=40))
    settings.OUTBOUND_ALLOWED_CIDRS = ["127.0.0.0/8"]
    monkeypatch.setattr(nudge, "nudge", lambda task: False)


def connect(world, shop):
    world.shop.credentials = shop.credentials()
    world.shop.save()
    return world.shop


def deliver(world, shop, *, besides=()):
    """Each order of the shop by webhook, but for some that are lost on the way."""
    for id_, order in shop.orders.items():
        if id_ not in besides:
            body = json.dumps(order).encode()
            world.capture(body, channel=world.shop, topic="orders/create", delivery_id=f"d-{id_}-{order['updated_at']}")


def compare(channel, day=DAY):
    """The day compared anew; its row and the totals by type and currency."""
    control = completeness.day_of(channel, day)
    assert completeness.check(control, anew=True)
    return control, totals(control)


def totals(control):
    return {(t.type, t.currency): t for t in control.totals.all()}


def lost(shop, count, seed):
    return set(random.Random(seed).sample(sorted(shop.orders), count))


def names(ids):
    return sorted(str(id_) for id_ in ids)


def gross(shop, currency="USD"):
    """Minor units, as the shop itself adds them up."""
    return sum(int(Decimal(o["total_price"]) * 100) for o in shop.orders.values() if o["currency"] == currency)


def refund_of(order, number, amount="5.00", at=None):
    """Money given back without goods, as it lies in its order."""
    when = at or order["created_at"]
    return {
        "id": number, "order_id": order["id"], "created_at": when, "processed_at": when, "refund_line_items": [],
        "order_adjustments": [{"id": number, "amount": f"-{amount}", "tax_amount": "0.00", "kind": "refund_discrepancy"}],
        "transactions": [{
            "id": number + 1, "kind": "refund", "status": "success", "amount": amount, "currency": order["currency"],
            "gateway": "shopify_payments", "created_at": when, "processed_at": when, "parent_id": order["id"] * 10,
        }],
    }  # fmt: skip


# --- what the issue asks to be shown


@pytest.mark.parametrize("seed", SEEDS)
def test_seven_events_deleted_at_random_on_the_way_in_are_named_and_recovered(seed):
    world = World()
    with FakeShop(60, page=25, seed=seed % 1000, paid=1.1) as shop:
        channel = connect(world, shop)
        deliver(world, shop)
        chosen = lost(shop, 7, seed)
        for id_ in chosen:
            Event.objects.get(channel=channel, dedupe_key__startswith=f"d-{id_}-").delete()
        world.process()
        assert Transaction.objects.filter(channel=channel).count() == 53

        control, found = compare(channel)
        sales = found["sale", "USD"]
        assert control.state == "open", f"seed {seed}"
        assert sales.missing == names(chosen)
        assert (sales.vendor_count, sales.our_count, sales.vendor_gross) == (60, 53, gross(shop))
        assert sales.our_gross < sales.vendor_gross and sales.extra == sales.in_inbox == sales.recovered == []
        brought = Event.objects.filter(channel=channel, mode="fetch")
        assert (brought.count(), set(brought.values_list("state", flat=True))) == (7, {"new"})

        world.process()
        control, found = compare(channel)
        sales = found["sale", "USD"]
        assert (control.state, sales.missing, sales.recovered) == ("closed", [], names(chosen))
        assert (sales.our_count, sales.our_gross, sales.vendor_gross) == (60, gross(shop), gross(shop))
        assert sales.recovered_at is not None and control.next_at is None
        held = Transaction.objects.filter(channel=channel, type="sale").values_list("source_id", flat=True)
        assert sorted(held) == names(shop.orders)
        entries = JournalEntry.objects.filter(transaction__channel=channel)
        assert entries.count() == entries.values("transaction").distinct().count() == 60
        assert sum(law.violations for law in verify.verify_books()) == 0
        assert Event.objects.filter(channel=channel, mode="fetch").count() == 7  # the second look brought nothing


def test_books_after_a_recovery_are_those_of_a_channel_that_lost_nothing():
    told = []
    for missing in (0, 5):
        world = World()
        with FakeShop(20, paid=1.1) as shop:
            channel = connect(world, shop)
            deliver(world, shop, besides=lost(shop, missing, 3))
            world.process()
            compare(channel)
            world.process()
            books, stock = world.facts()
            told.append(({key: amount for key, amount in books.items() if key[1].startswith("Income:")}, stock))
    assert told[0] == told[1] and len(told[0][0]) > 20


# --- what a day is made of


def test_refunds_of_the_day_are_counted_though_they_lie_in_older_orders():
    world = World()
    with FakeShop(12, paid=1.1) as shop:
        channel = connect(world, shop)
        one, two, later = list(shop.orders.values())[:3]
        deliver(world, shop)
        world.process()
        next_day = stamp(START + timedelta(days=1, hours=5))
        for order, number in ((one, 901), (two, 903)):
            order["refunds"] = [refund_of(order, number, at=next_day)]
            order |= {"updated_at": next_day, "financial_status": "partially_refunded"}
        # what was given back on this day, in an order that changed again on the next one
        later["refunds"] = [refund_of(later, 905, at=next_day)]
        later |= {"updated_at": stamp(START + timedelta(days=2, hours=5)), "financial_status": "partially_refunded"}
        body = json.dumps(one["refunds"][0]).encode()
        world.capture(body, channel=channel, topic="refunds/create")
        world.process()

        control, found = compare(channel, DAY + timedelta(days=1))
        refunds = found["refund", "USD"]
        assert (control.state, refunds.missing) == ("open", ["903", "905"])
        assert (refunds.vendor_count, refunds.our_count) == (3, 1)
        assert (refunds.vendor_gross, refunds.our_gross) == (1500, 500)
        assert ("sale", "USD") not in found  # none came into being on that day
        world.process()
        control, found = compare(channel, DAY + timedelta(days=1))
        assert (control.state, found["refund", "USD"].our_gross) == ("closed", 1500)
        # of the first one the refund came, and not that the order was paid back in part
        assert compare(channel)[1]["sale", "USD"].differing == [str(one["id"])]
        world.process()
        assert compare(channel)[0].state == "closed"


def test_each_currency_has_its_own_totals():
    world = World()
    Rate.objects.create(date="2020-01-01", from_currency="EUR", to_currency="USD", rate="1.1")
    with FakeShop(10, paid=1.1) as shop:
        channel = connect(world, shop)
        euros = sorted(shop.orders)[:4]
        for id_ in euros:
            text = json.dumps(shop.orders[id_]).replace('"USD"', '"EUR"')
            shop.orders[id_] = json.loads(text)
        deliver(world, shop, besides=euros[:1])
        world.process()
        _, found = compare(channel)
        assert found["sale", "EUR"].missing == names(euros[:1]) and found["sale", "USD"].missing == []
        assert [(t.vendor_count, t.our_count) for t in (found["sale", "EUR"], found["sale", "USD"])] == [(4, 3), (6, 6)]
        assert found["sale", "EUR"].vendor_gross == gross(shop, "EUR")
        assert found["sale", "USD"].our_gross == found["sale", "USD"].vendor_gross == gross(shop)


def test_a_test_order_counts_on_neither_side():
    world = World()
    with FakeShop(6, paid=1.1) as shop:
        channel = connect(world, shop)
        trial = next(iter(shop.orders.values()))
        trial["test"] = True
        deliver(world, shop, besides=[trial["id"]])
        world.process()
        control, found = compare(channel)
        assert (control.state, found["sale", "USD"].vendor_count, found["sale", "USD"].our_count) == ("closed", 5, 5)
        assert not Event.objects.filter(channel=channel, mode="fetch").exists()


def test_a_day_has_the_channels_zone_and_its_cut():
    world = World()
    with FakeShop(6, paid=1.1) as shop:
        channel = connect(world, shop)
        channel.timezone, channel.day_cut_hour = "America/New_York", 3
        channel.save()
        # 06:59 UTC is 02:59 in New York, which still belongs to the day before
        for order, at in zip(shop.orders.values(), (6, 6, 6, 7, 7, 30), strict=True):
            when = stamp(START + timedelta(hours=at, minutes=59 if at == 6 else 0))
            order |= {"created_at": when, "processed_at": when, "updated_at": when}
        assert completeness.bounds(channel, DAY) == (START + timedelta(hours=7), START + timedelta(hours=31))
        assert completeness.today_of(channel, START + timedelta(hours=6, minutes=59)) == DAY - timedelta(days=1)
        control, found = compare(channel)
        assert (control.state, found["sale", "USD"].vendor_count) == ("open", 3)
        world.process()
        control, found = compare(channel)
        assert (control.state, found["sale", "USD"].our_count) == ("closed", 3)
        _, found = compare(channel, DAY - timedelta(days=1))
        assert found["sale", "USD"].vendor_count == 3


def test_a_day_without_sales_is_complete():
    world = World()
    with FakeShop(3) as shop:
        control, found = compare(connect(world, shop), DAY - timedelta(days=30))
        assert (control.state, found) == ("closed", {}) and control.checked_at is not None


# --- what is no gap, and what is one though the id is there


def test_what_waits_in_the_inbox_or_in_quarantine_is_no_gap():
    world = World()
    with FakeShop(8, paid=1.1) as shop:
        channel = connect(world, shop)
        waiting, refused, broken, *_ = shop.orders.values()
        deliver(world, shop, besides=[waiting["id"], refused["id"], broken["id"]])
        wrong = json.loads(json.dumps(refused)) | {"total_price": "1.00", "current_total_price": "1.00"}
        unreadable = {k: v for k, v in broken.items() if k not in ("currency", "line_items")}
        for body in (wrong, unreadable):
            world.capture(json.dumps(body).encode(), channel=channel, topic="orders/create")
        world.process()
        assert world.states()["quarantined"] == 2
        world.capture(json.dumps(waiting).encode(), channel=channel, topic="orders/create")
        control, found = compare(channel)
        sales = found["sale", "USD"]
        assert (control.state, sales.missing) == ("closed", [])
        assert sales.in_inbox == names([waiting["id"], refused["id"], broken["id"]])
        assert (sales.vendor_count, sales.our_count) == (8, 5)
        assert not Event.objects.filter(channel=channel, mode="fetch").exists()
        world.process()
        assert compare(channel)[1]["sale", "USD"].in_inbox == names([refused["id"], broken["id"]])


def test_what_only_names_its_order_waits_as_well():
    world = World()
    with FakeShop(3, paid=1.1) as shop:
        channel = connect(world, shop)
        one = next(iter(shop.orders))
        deliver(world, shop, besides=[one])
        world.capture(b'{"order_edit": {"id": 5, "order_id": %d}}' % one, channel=channel, topic="orders/edited")
        world.process()
        assert world.states()["waiting"] == 1
        assert compare(channel)[1]["sale", "USD"].in_inbox == [str(one)]


def test_what_a_person_set_aside_stays_set_aside():
    world = World()
    with FakeShop(3, paid=1.1) as shop:
        channel = connect(world, shop)
        one = next(iter(shop.orders.values()))
        one["total_price"] = one["current_total_price"] = "1.00"  # it does not add up, whoever brings it
        deliver(world, shop)
        world.process()
        inbox.ignore(
            event_ids=Event.objects.filter(state="quarantined").values_list("id", flat=True), reason="x", actor="t"
        )
        control, found = compare(channel)
        assert found["sale", "USD"].missing == [str(one["id"])]  # the vendor's own copy was never seen
        world.process()
        inbox.ignore(
            event_ids=Event.objects.filter(state="quarantined").values_list("id", flat=True), reason="x", actor="t"
        )
        control, found = compare(channel)
        assert (control.state, found["sale", "USD"].in_inbox) == ("closed", [str(one["id"])])


def test_a_lost_edit_is_a_gap_too():
    world = World()
    with FakeShop(5, paid=-1) as shop:  # all of them are pending
        channel = connect(world, shop)
        deliver(world, shop)
        world.process()
        one, two = list(shop.orders)[:2]
        shop.change(one, financial_status="paid", updated_at=stamp(START + timedelta(hours=3)))
        shop.change(
            two, note="touched", updated_at=stamp(START + timedelta(hours=4))
        )  # a newer state that says the same
        control, found = compare(channel)
        assert (control.state, found["sale", "USD"].missing, found["sale", "USD"].differing) == ("open", [], [str(one)])
        world.process()
        control, found = compare(channel)
        assert (control.state, found["sale", "USD"].recovered) == ("closed", [str(one)])
        assert Transaction.objects.get(channel=channel, source_id=str(one)).payment_status == "paid"


def test_what_we_hold_and_the_vendor_does_not_is_named_and_no_gap():
    world = World()
    with FakeShop(5, paid=1.1) as shop:
        channel = connect(world, shop)
        deliver(world, shop)
        world.process()
        gone = next(iter(shop.orders))
        del shop.orders[gone]
        control, found = compare(channel)
        assert (control.state, found["sale", "USD"].extra) == ("closed", [str(gone)])
        assert (found["sale", "USD"].vendor_count, found["sale", "USD"].our_count) == (4, 5)


def test_what_none_of_the_vendors_lists_brings_is_not_extra():
    world = World()
    with FakeShop(3, paid=1.1) as shop:
        channel = connect(world, shop)
        deliver(world, shop)
        one = next(iter(shop.orders))
        charge = json.dumps(shop.transactions(one)[2]["transactions"][0]).encode()
        world.capture(charge, channel=channel, topic="order_transactions/create")
        world.process()
        assert Transaction.objects.filter(channel=channel, type="charge").exists()
        assert set(compare(channel)[1]) == {("sale", "USD")}


def test_a_gap_that_the_vendor_took_back_is_not_called_recovered():
    world = World()
    with FakeShop(4, paid=1.1) as shop:
        channel = connect(world, shop)
        one = next(iter(shop.orders))
        deliver(world, shop, besides=[one])
        world.process()
        assert compare(channel)[1]["sale", "USD"].missing == [str(one)]
        Event.objects.filter(mode="fetch").delete()
        del shop.orders[one]
        control, found = compare(channel)
        assert (control.state, found["sale", "USD"].recovered) == ("closed", [])


def test_an_object_that_cannot_be_read_goes_to_quarantine_and_is_counted():
    world = World()
    with FakeShop(4, paid=1.1) as shop:
        channel = connect(world, shop)
        one = next(iter(shop.orders.values()))
        one["currency"] = "nonsense"
        deliver(world, shop, besides=[one["id"]])
        world.process()
        control, _ = compare(channel)
        assert control.unreadable == 1
        world.process()
        assert Event.objects.get(mode="fetch").state == "quarantined"
        assert compare(channel)[0].unreadable == 1 and Event.objects.filter(mode="fetch").count() == 1


# --- a vendor in trouble


def test_a_day_is_read_through_faults():
    world = World()
    with FakeShop(60, page=6) as shop:
        shop.faults = {"429", "500", "cursor", "token"}
        shop.retry_after = "0"
        channel = connect(world, shop)
        missing = lost(shop, 7, 5)
        deliver(world, shop, besides=missing)
        world.process()
        control, found = compare(channel)
        assert shop.seen_faults >= {"429", "500", "cursor"} and shop.too_fast == 0
        assert (control.state, found["sale", "USD"].missing) == ("open", names(missing))
        world.process()
        assert compare(channel)[0].state == "closed"


def test_a_comparison_without_time_goes_on_after_its_last_page():
    world = World()
    with FakeShop(60, page=25) as shop:
        channel = connect(world, shop)
        deliver(world, shop, besides=lost(shop, 7, 6))
        world.process()
        control = completeness.day_of(channel, DAY)
        rounds = 0
        while control.checked_at is None:
            assert completeness.check(control, until=timezone.now())
            rounds += 1
        assert rounds == 6  # three pages by creation, three by change
        assert shop.served == 120
        assert totals(control)["sale", "USD"].missing == names(lost(shop, 7, 6))
        assert not ControlRecord.objects.exists()


def test_a_page_is_noted_and_stored_together_or_not_at_all(monkeypatch):
    world = World()
    with FakeShop(20, page=10) as shop:
        control = completeness.day_of(connect(world, shop), DAY)
        note = completeness._Comparison._note

        def dies(self, records, fates):
            note(self, records, fates)
            if ControlRecord.objects.count() > 10:
                raise RuntimeError("killed")

        monkeypatch.setattr(completeness._Comparison, "_note", dies)
        completeness.check(control)
        assert (control.state, ControlRecord.objects.count(), Event.objects.count()) == ("failed", 10, 10)
        assert "killed" in control.error
        monkeypatch.undo()
        monkeypatch.setattr(nudge, "nudge", lambda task: False)
        completeness.check(control)
        assert (control.state, len(totals(control)["sale", "USD"].missing), control.error) == ("open", 20, "")


def test_a_vendor_that_refuses_us_leaves_the_day_failed_with_the_reason():
    world = World()
    with FakeShop(4) as shop:
        channel = connect(world, shop)
        channel.credentials = {"base_url": shop.url, "token": "wrong"}
        channel.save()
        control = completeness.day_of(channel, DAY)
        completeness.check(control)
        assert (
            control.state == "failed"
            and control.error.startswith("ACCESS_REFUSED")
            and control.next_at > timezone.now()
        )
        channel.credentials = shop.credentials()
        channel.save()
        assert compare(Channel.objects.get(pk=channel.pk))[0].error == ""


def test_a_cursor_that_always_expires_ends_the_try(monkeypatch):
    world = World()
    with FakeShop(4) as shop:
        control = completeness.day_of(connect(world, shop), DAY)

        def expires(self, *args, **more):
            raise CursorExpired
            yield

        monkeypatch.setattr(Shopify, "poll", expires)
        completeness.check(control)
        assert control.state == "failed" and "cursors" in control.error


def test_two_do_not_compare_the_same_day_at_once():
    world = World()
    control = ControlDay.objects.create(channel=world.shop, day=DAY)
    other = connections["default"].copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [completeness.LOCK, control.pk])
            assert completeness.check(control) is False
    finally:
        other.close()


# --- who can be compared, and when


def test_a_vendor_that_cannot_list_by_creation_is_not_checked_and_says_so(monkeypatch):
    world = World()
    adyen = world.channel("adyen-1", "adyen")
    adyen.credentials = {"token": "t"}
    adyen.save()
    for channel, said in ((adyen, "no list"), (world.shop, "no API credentials")):
        assert said in completeness.why_not(channel)
        with pytest.raises(completeness.NotCheckable, match=said):
            completeness.day_of(channel, DAY)
        with pytest.raises(CommandError, match=f"not checked: .*{said}") as error:
            call_command("control_totals", channel.slug)
        assert error.value.returncode == 2
    assert completeness.plan(timezone.now()) == 0

    monkeypatch.setattr(adapters.get("adyen").__class__, "streams", (Stream(name="orders"),))
    control = completeness.day_of(adyen, DAY)  # it has a list, and cannot ask it by creation
    completeness.check(control)
    assert (control.state, control.next_at) == ("failed", None) and control.error.startswith("NO_LIST")


def test_streams_that_bring_no_sales_are_not_asked():
    assert completeness.steps(adapters.get("shopify")) == [("orders", True), ("orders", False)]
    assert completeness.steps(adapters.get("stripe")) == [("charges", True), ("refunds", True)]
    known = {
        name: {stream for stream, _ in completeness.steps(adapters.get(name))} for name in adapters.adapter_names()
    }
    assert not any(streams & {"payouts", "disputes"} for streams in known.values())
    assert {name for name, streams in known.items() if not streams} == {"adyen", "books", "csv", "standard"}


def test_days_are_planned_once_from_the_channels_first_on():
    world = World()
    now = timezone.now()
    with FakeShop(2) as shop:
        channel = connect(world, shop)
        Channel.objects.filter(pk=channel.pk).update(created_at=now - timedelta(days=3))
        assert completeness.plan(now) == 4
        assert completeness.plan(now) == 0
        days = list(ControlDay.objects.order_by("day"))
        assert [d.day for d in days] == [now.date() - timedelta(days=n) for n in (3, 2, 1, 0)]
        assert days[0].next_at == now and days[3].next_at >= datetime.combine(now.date(), datetime.min.time(), UTC)
        Channel.objects.filter(pk=channel.pk).update(created_at=now - timedelta(days=300))
        assert completeness.plan(now) == completeness.LOOK_BACK + 1 - 4
        Channel.objects.filter(pk=channel.pk).update(status="paused")
        assert completeness.plan(now + timedelta(days=1)) == 0


@pytest.mark.parametrize(
    ("now", "gap", "attempts", "then"),
    [
        (timedelta(hours=10), False, 0, timedelta(hours=11)),  # today, every hour
        (timedelta(hours=10), True, 1, timedelta(hours=10, minutes=10)),
        (timedelta(hours=10), True, 40, timedelta(hours=11)),
        (timedelta(hours=25), False, 0, timedelta(hours=28)),  # over, and not settled
        (timedelta(hours=25), True, 9, timedelta(hours=28)),
        (timedelta(hours=29), False, 0, None),
        (timedelta(hours=29), True, 2, timedelta(hours=29, minutes=20)),
        (timedelta(hours=29), True, 11, timedelta(hours=53)),
        (timedelta(hours=29), True, completeness.MOST_ATTEMPTS, None),
    ],
)
def test_when_a_day_is_compared_again(now, gap, attempts, then):
    world = World()
    control = ControlDay(channel=world.shop, day=DAY)
    again = completeness._next_look(control, START + now, gap=gap, attempts=attempts)
    assert again == (None if then is None else START + then)


def test_due_days_are_compared_and_a_gap_again_until_it_is_closed():
    world = World()
    with FakeShop(10, paid=1.1) as shop:
        channel = connect(world, shop)
        deliver(world, shop, besides=lost(shop, 2, 1))
        world.process()
        completeness.plan(timezone.now())
        ControlDay.objects.all().delete()  # today's, which is not the test's matter
        ControlDay.objects.create(channel=channel, day=DAY, next_at=timezone.now())
        done = lambda: ControlDay.objects.get(channel=channel, day=DAY)  # noqa: E731
        completeness.check_due()
        assert done().state == "open" and done().next_at > timezone.now()
        world.process()
        completeness.check_due()
        assert done().state == "open"  # not due yet
        ControlDay.objects.filter(day=DAY).update(next_at=timezone.now())
        completeness.check_due()
        assert (done().state, done().next_at) == ("closed", None)


def test_of_today_the_last_minutes_are_left_out():
    world = World()
    now = timezone.now()
    with FakeShop(2, paid=1.1) as shop:
        channel = connect(world, shop)
        old, young = shop.orders.values()
        channel.timezone = next(  # where it is about noon, so that the test is the same at every hour
            name for name in (f"Etc/GMT{n:+d}" for n in range(-12, 13)) if completeness.dates.zone(name).utcoffset(now) is not None
            and 11 <= now.astimezone(completeness.dates.zone(name)).hour <= 12
        )  # fmt: skip
        channel.save()
        for order, age in ((old, timedelta(hours=1)), (young, timedelta(minutes=5))):
            order |= dict.fromkeys(("created_at", "processed_at", "updated_at"), stamp(now - age))
        deliver(world, shop, besides=[old["id"]])
        world.process()
        control, found = compare(channel, completeness.today_of(channel, now))
        sales = found["sale", "USD"]
        assert (sales.missing, sales.extra, sales.vendor_count, sales.our_count) == ([str(old["id"])], [], 1, 0)
        assert control.next_at < timezone.now() + timedelta(hours=1)


def test_a_day_that_has_not_begun_cannot_be_compared():
    world = World()
    with FakeShop(1) as shop, pytest.raises(completeness.NotCheckable, match="not begun"):
        completeness.day_of(connect(world, shop), date(2099, 1, 1))


def test_a_store_in_another_zone_stretches_the_day():
    world = World()
    with FakeShop(4, paid=1.1) as shop:
        channel = connect(world, shop)
        deliver(world, shop)
        world.process()
        late = Transaction.objects.filter(channel=channel).first()
        Transaction.objects.filter(pk=late.pk).update(occurred_at=START + timedelta(hours=27))
        control = completeness.day_of(channel, DAY)
        completeness._begin(control)
        assert (control.since, control.until) == (START, START + timedelta(hours=27))
        Transaction.objects.filter(pk=late.pk).update(occurred_at=START + timedelta(days=9))
        completeness._begin(control)
        assert control.until == START + timedelta(days=1) + completeness.ZONES


# --- the command


def run(*arguments):
    out = StringIO()
    try:
        call_command("control_totals", *arguments, stdout=out, stderr=StringIO())
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


def test_the_command_prints_the_gap_and_ends_with_1_until_it_is_closed():
    world = World()
    with FakeShop(12, paid=1.1) as shop:
        channel = connect(world, shop)
        missing = names(lost(shop, 2, 4))
        deliver(world, shop, besides=lost(shop, 2, 4))
        world.process()
        code, told = run(channel.slug, "--day", DAY.isoformat())
        assert code == 1
        for text in (*missing, "Gap", "12", "10", f"{gross(shop) / 100:,.2f} USD"):
            assert text in told
        world.process()
        code, told = run(channel.slug, "--day", DAY.isoformat(), "--json")
        answer = json.loads(told)
        assert (code, answer["ok"]) == (0, True)
        [day] = answer["days"]
        assert (day["day"], day["state"]) == (DAY.isoformat(), "closed")
        [sales] = day["totals"]
        assert sales | {"recovered_at": None} == {
            "type": "sale", "currency": "USD", "vendor_count": 12, "our_count": 12, "vendor_gross": gross(shop),
            "our_gross": gross(shop), "missing": [], "differing": [], "in_inbox": [], "extra": [], "recovered": missing,
            "recovered_at": None,
        }  # fmt: skip


def test_the_command_takes_a_span_of_days():
    world = World()
    with FakeShop(3, paid=1.1) as shop:
        channel = connect(world, shop)
        deliver(world, shop)
        world.process()
        until = (DAY + timedelta(days=2)).isoformat()
        code, told = run(channel.slug, "--since", DAY.isoformat(), "--until", until, "--json")
        assert code == 0 and [d["day"] for d in json.loads(told)["days"]] == ["2026-09-01", "2026-09-02", "2026-09-03"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nobody"],
        ["shop", "--day", "yesterday"],
        ["shop", "--until", "2026-09-01"],
        ["shop", "--day", "2026-09-01", "--since", "2026-09-01"],
        ["shop", "--since", "2026-09-03", "--until", "2026-09-01"],
        ["shop", "--since", "2000-01-01", "--until", "2026-09-01"],
        ["shop", "--day", "2099-01-01"],
    ],
)
def test_wrong_usage_ends_with_2(arguments):
    world = World()
    with FakeShop(1) as shop:
        channel = connect(world, shop)
        assert run(*(channel.slug if a == "shop" else a for a in arguments))[0] == 2


def test_a_vendor_that_cannot_be_asked_ends_with_1():
    world = World()
    with FakeShop(1) as shop:
        channel = connect(world, shop)
        channel.credentials = {"base_url": shop.url, "token": "wrong"}
        channel.save()
        code, told = run(channel.slug, "--day", DAY.isoformat())
        assert code == 1 and "ACCESS_REFUSED" in told


# --- the admin's pages


@pytest.fixture
def scene():
    """A day with a gap of one, and one person of each role."""
    setup.bootstrap()
    world = World()
    with FakeShop(4, paid=1.1) as shop:
        channel = connect(world, shop)
        deliver(world, shop, besides=[next(iter(shop.orders))])
        world.process()
        control, _ = compare(channel)
        people()
        yield control


def log_in(client, name):
    client.force_login(User.objects.get(username=name))
    return client


@pytest.mark.parametrize(("name", "may"), [("auditor", False), ("reviewer", True), ("administrator", True)])
def test_who_may_ask_for_a_comparison(client, scene, monkeypatch, name, may):
    asked = []
    monkeypatch.setattr(nudge, "nudge", asked.append)
    ControlDay.objects.update(next_at=None, attempts=5)
    log_in(client, name)
    listing = reverse("admin:channels_controlday_changelist")
    assert client.get(listing).status_code == 200
    detail = client.get(reverse("admin:channels_controlday_change", args=[scene.pk]))
    assert detail.status_code == 200 and ("Check now" in detail.content.decode()) is may
    button = client.post(reverse("admin:channels_controlday_check", args=[scene.pk]))
    assert button.status_code == (302 if may else 403)
    assert (ControlDay.objects.get().next_at is not None) is may
    ControlDay.objects.update(next_at=None)
    client.post(listing, {"action": "check_selected", "_selected_action": [scene.pk], "index": "0"})
    assert (ControlDay.objects.get().next_at is not None) is may
    assert asked == [nudge.CHECK_TOTALS] * (2 if may else 0)


def test_who_has_no_role_sees_nothing(client, scene):
    client.force_login(User.objects.create_user("guest", is_staff=True))
    assert client.get(reverse("admin:channels_controlday_changelist")).status_code == 403
    assert client.get(reverse("admin:channels_controlday_change", args=[scene.pk])).status_code == 403


def test_the_pages_name_what_is_missing_and_link_what_is_here(client, scene):
    world_total = ControlTotal.objects.get(control=scene)
    missing = world_total.missing[0]
    log_in(client, "auditor")
    listing = client.get(reverse("admin:channels_controlday_changelist")).content.decode()
    assert "Gap" in listing and scene.channel.slug in listing and "1 missing" in listing
    assert "has no list of sales" in listing  # the till, which is not compared
    detail = client.get(reverse("admin:channels_controlday_change", args=[scene.pk])).content.decode()
    assert missing in detail and "USD" in detail
    ControlTotal.objects.update(missing=[], recovered=[Transaction.objects.first().source_id, "not here"])
    detail = client.get(reverse("admin:channels_controlday_change", args=[scene.pk])).content.decode()
    assert reverse("admin:channels_transaction_change", args=[Transaction.objects.first().pk]) in detail
    assert "not here" in detail


def test_nobody_writes_a_control_day_by_hand(client, scene):
    log_in(client, "administrator")
    for name, args in (("add", []), ("delete", [scene.pk])):
        assert client.get(reverse(f"admin:channels_controlday_{name}", args=args)).status_code == 403
    assert client.post(reverse("admin:channels_controlday_change", args=[scene.pk]), {}).status_code == 403


def test_the_till_is_a_channel_without_control_totals():
    world = World()
    world.send(sale([line()], id_="S1"))
    assert "no list" in completeness.why_not(world.till)
