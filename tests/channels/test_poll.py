"""Polling a vendor that behaves badly: every object exactly once, at its pace, going on after every fall."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from channels import fetching, inbox, poll
from channels.adapters.shopify import Shopify
from channels.calls import Caller
from channels.client import Limits, Pointer
from channels.models import Channel, Event, Fetch, Pace, Reading, Transaction
from salessync import pipeline
from tests.vendor import START, FakeShop, stamp
from tests.worlds import World

ROOT = Path(__file__).resolve().parents[2]
SINCE, UNTIL = START - timedelta(days=1), START + timedelta(days=2)
SCRIPT = """
import sys
from channels.adapters.shopify import Shopify
from channels.client import Limits, Pointer
Shopify.limits = Limits(per_second=200.0, burst=40)
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


@pytest.fixture(autouse=True)
def _faster_and_local(monkeypatch, settings):
    monkeypatch.setattr(Shopify, "limits", Limits(per_second=200.0, burst=40))
    settings.OUTBOUND_ALLOWED_CIDRS = ["127.0.0.0/8"]


def connect(world, shop):
    world.shop.credentials = shop.credentials()
    world.shop.save()
    return world.shop


def backfill(channel):
    """The orders' reading; the other lists of this shop are empty."""
    return next(r for r in poll.begin_backfill(channel, SINCE, UNTIL) if r.stream == "orders")


def read_to_the_end(reading, **more):
    for _ in range(200):
        run = poll.read(reading, **more)
        reading.refresh_from_db()
        if run.finished:
            return
        Reading.objects.filter(pk=reading.pk).update(next_at=timezone.now())
    raise AssertionError(f"not finished: {reading.error}")


def books_agree(shop, channel):
    """Each order of the shop once, in its last state."""
    held = dict(Transaction.objects.filter(channel=channel, type="sale").values_list("source_id", "version"))
    assert held == {str(o["id"]): o["updated_at"] for o in shop.orders.values()}


def trouble(count, page):
    shop = FakeShop(count, page=page)
    shop.faults = {"429", "500", "cursor", "token", "shift"}
    return shop


@pytest.mark.django_db
def test_a_list_is_read_once_and_again_without_anything_new():
    world = World()
    with FakeShop(60, page=25) as shop:
        channel = connect(world, shop)
        reading = backfill(channel)
        assert poll.read(reading) == poll.Read(3, 60, 60, True)
        world.process()
        books_agree(shop, channel)
        again = Reading.objects.create(
            channel=channel, stream="orders", purpose="backfill", reached=SINCE, since=SINCE, until=UNTIL + timedelta(1)
        )
        assert poll.read(again) == poll.Read(3, 60, 0, True)


@pytest.mark.django_db
def test_live_windows_overlap_and_bring_what_changed():
    world = World()
    with FakeShop(30, page=25) as shop:
        channel = connect(world, shop)
        reading = next(r for r in poll.ensure_live(channel) if r.stream == "orders")
        Reading.objects.filter(pk=reading.pk).update(reached=SINCE)
        assert poll.read(reading).stored == 30
        first = Reading.objects.get(pk=reading.pk)
        assert first.until is None and first.cursor is None and first.reached > SINCE and first.next_at > timezone.now()
        one = next(iter(shop.orders))
        shop.orders[one] |= {"updated_at": stamp(first.reached - timedelta(seconds=60)), "financial_status": "paid"}
        assert poll.read(first).stored == 1  # it had been changed before the window's end, and shown late
        world.process()
        assert Transaction.objects.get(source_id=str(one)).payment_status == "paid"


@pytest.mark.django_db
def test_a_run_that_is_out_of_time_goes_on_after_its_last_page():
    world = World()
    with FakeShop(60, page=25) as shop:
        reading = backfill(connect(world, shop))
        assert poll.read(reading, until=timezone.now()) == poll.Read(1, 25, 25, False)
        assert poll.read(reading, until=timezone.now()) == poll.Read(1, 25, 25, False)
        assert poll.read(reading) == poll.Read(1, 10, 10, True)
        assert poll.read(reading) == poll.Read(0, 0, 0, True)
        assert shop.served == 60


@pytest.mark.django_db
def test_pause_and_resume():
    world = World()
    with FakeShop(60, page=25) as shop:
        reading = backfill(connect(world, shop))
        run = poll.read(reading, progress=lambda r: poll.pause(r))
        assert run == poll.Read(1, 25, 25, False)
        assert poll.read(reading) == poll.Read(0, 0, 0, False)
        poll.resume(reading)
        assert poll.read(reading) == poll.Read(2, 35, 35, True)


@pytest.mark.django_db
def test_live_lists_and_live_events_go_first():
    world = World()
    with FakeShop(30, page=25) as shop:
        channel = connect(world, shop)
        poll.begin_backfill(channel, SINCE, UNTIL)
        poll.ensure_live(channel)
        purposes = [r.purpose for r in poll._due()]
        assert purposes == sorted(purposes, reverse=True) and {"live", "backfill"} == set(purposes)
        read_to_the_end(backfill(channel))
        late = world.capture(b'{"id": 1}', channel=channel, topic="orders/create")
        assert Event.objects.filter(state="new", lane=1).count() == 30
        pipeline.run_batch(size=1)
        assert Event.objects.get(pk=late).state == "quarantined"
        assert Event.objects.filter(state="new").count() == 30


@pytest.mark.django_db
def test_a_vendor_in_trouble_small():
    world = World()
    with trouble(140, page=10) as shop:
        shop.retry_after = "0"
        channel = connect(world, shop)
        reading = backfill(channel)
        read_to_the_end(reading)
        world.process()
        books_agree(shop, channel)
        assert shop.seen_faults >= {"429", "500", "cursor", "shift"} and shop.too_fast == 0
        assert Event.objects.filter(channel=channel).exclude(state__in=["posted", "ignored"]).count() == 0


@pytest.mark.django_db
def test_a_token_that_dies_is_renewed_once_for_all():
    world = World()
    with FakeShop(30, page=10) as shop:
        channel = connect(world, shop)
        shop.token = "another"
        first, second = Caller(channel), Caller(Channel.objects.get(pk=channel.pk))
        for caller in (first, second, first):
            assert caller.result(caller.adapter.fetch(order(next(iter(shop.orders))), caller.account))
        assert shop.tokens_made == 1
        assert Channel.objects.get(pk=channel.pk).credentials["refresh_token"] == "r1"


@pytest.mark.django_db
def test_a_token_is_renewed_ahead_of_its_end():
    world = World()
    with FakeShop(3) as shop:
        channel = connect(world, shop)
        channel.credentials = channel.credentials | {"expires_at": int(datetime.now(UTC).timestamp()) + 60}
        channel.save()
        caller = Caller(channel)
        assert caller.result(caller.adapter.fetch(order(next(iter(shop.orders))), caller.account))
        assert shop.tokens_made == 1 and "token" not in shop.seen_faults


@pytest.mark.django_db
def test_refused_credentials_fail_visibly_and_keep_the_window():
    world = World()
    with FakeShop(30, page=10) as shop:
        channel = connect(world, shop)
        channel.credentials = {"secrets": ["s"], "base_url": shop.url, "token": "wrong"}
        channel.save()
        reading = backfill(channel)
        assert poll.read(reading) == poll.Read(0, 0, 0, False)
        reading.refresh_from_db()
        assert reading.state == "failed" and "401" in reading.error and reading.next_at > timezone.now()
        channel.credentials = shop.credentials()
        channel.save()
        poll.resume(reading)
        assert poll.read(Reading.objects.get(pk=reading.pk)).stored == 30


@pytest.mark.django_db
def test_the_bucket_makes_everybody_wait_and_a_pause_empties_it(monkeypatch):
    world = World()
    slept = []
    caller = Caller(world.shop, sleep=slept.append)
    monkeypatch.setattr(Shopify, "limits", Limits(per_second=2.0, burst=3))
    for _ in range(5):
        caller._wait_for_turn()
    assert len(slept) == 2 and 0.3 < slept[0] <= 0.5 and 0.8 < slept[1] <= 1.0
    caller._hold(10)
    caller._wait_for_turn()
    assert 9.5 < slept[-1] <= 10.0
    assert Pace.objects.get(channel=world.shop).tokens < 0


def order(order_id):
    return Pointer("order", str(order_id))


# --- single objects


@pytest.mark.django_db
def test_an_event_that_names_an_object_waits_until_that_is_fetched():
    world = World()
    with FakeShop(3) as shop:
        channel = connect(world, shop)
        wanted = next(iter(shop.orders))
        edited = b'{"order_edit": {"id": 5, "order_id": %d}}' % wanted
        event = world.capture(edited, channel=channel, topic="orders/edited")
        world.process()
        assert Event.objects.get(pk=event).state == "waiting"
        assert fetching.fetch_due() == 1
        assert Event.objects.get(pk=event).state == "posted"
        world.process()
        assert Transaction.objects.get(channel=channel).source_id == str(wanted)
        assert Fetch.objects.get().state == "done"


@pytest.mark.django_db
def test_an_object_that_the_vendor_does_not_have_lets_its_event_go_with_the_reason():
    world = World()
    with FakeShop(3) as shop:
        channel = connect(world, shop)
        event = world.capture(b'{"order_edit": {"id": 5, "order_id": 77}}', channel=channel, topic="orders/edited")
        world.process()
        fetching.fetch_due()
        kept = Event.objects.get(pk=event)
        assert (kept.state, bool(kept.reason), Fetch.objects.get().state) == ("ignored", True, "absent")


@pytest.mark.django_db
def test_an_object_that_cannot_be_asked_for_ends_dead_and_a_replay_asks_again():
    world = World()
    with FakeShop(3) as shop:
        channel = connect(world, shop)
        wanted = next(iter(shop.orders))
        channel.credentials = channel.credentials | {"base_url": "https://127.0.0.1:1"}
        channel.save()
        event = world.capture(
            b'{"order_edit": {"id": 5, "order_id": %d}}' % wanted, channel=channel, topic="orders/edited"
        )
        world.process()
        for _ in range(fetching.MAX_ATTEMPTS):
            Fetch.objects.update(next_at=timezone.now() - timedelta(seconds=1))
            fetching.fetch_due(sleep=lambda seconds: None)
        kept = Event.objects.get(pk=event)
        assert kept.state == "dead" and kept.problems[0]["code"] == "FETCH_FAILED"
        channel.credentials = shop.credentials()
        channel.save()
        inbox.replay(event_ids=[event], actor="t")
        world.process()
        Fetch.objects.update(next_at=timezone.now() - timedelta(seconds=1))
        assert fetching.fetch_due() == 1
        assert Event.objects.get(pk=event).state == "posted"


@pytest.mark.django_db
def test_a_refund_without_its_sale_has_the_sale_fetched():
    world = World()
    with FakeShop(3, paid=1.1) as shop:
        channel = connect(world, shop)
        wanted = next(iter(shop.orders))
        refund = (
            b'{"id": 9, "order_id": %d, "created_at": "2026-09-02T10:00:00Z", "processed_at": "2026-09-02T10:00:00Z",'
            b' "refund_line_items": [], "order_adjustments": [{"id": 1, "amount": "-5.00", "tax_amount": "0.00", "kind":'
            b' "refund_discrepancy"}], "transactions": [{"id": 3, "kind": "refund", "status": "success", "amount": "5.00",'
            b' "currency": "USD", "gateway": "shopify_payments"}]}' % wanted
        )
        event = world.capture(refund, channel=channel, topic="refunds/create")
        world.process()
        assert Event.objects.get(pk=event).state == "waiting"
        assert fetching.fetch_due() == 0  # it may still come by itself
        Fetch.objects.update(next_at=timezone.now() - timedelta(seconds=1))
        assert fetching.fetch_due() == 1
        world.process()
        assert Event.objects.get(pk=event).state == "posted"
        assert world.balances()


# --- the command, killed again and again


def kill_and_resume(url, shop, slug, each):
    """Run `sync_channel` until it ends well; kill -9 after each so many orders served. → how often it was killed."""
    environment = os.environ | {
        "DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1", "DJANGO_SETTINGS_MODULE": "salessync.settings",
        "PYTHONPATH": str(ROOT), "OUTBOUND_ALLOWED_CIDRS": "127.0.0.0/8", "LOG_LEVEL": "ERROR",
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, "sync_channel", slug]
    command += ["--since", SINCE.isoformat(), "--until", UNTIL.isoformat()]
    kills, deaths = [each], 0
    running: list[subprocess.Popen[bytes]] = []
    lock = threading.Lock()

    def served(count):
        with lock:
            if count >= kills[0] and running:
                kills[0] += each
                running[0].send_signal(signal.SIGKILL)

    shop.on_served = served
    for _ in range(60):
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running[:] = [process]
        out, errors = process.communicate(timeout=600)
        if process.returncode == 0:
            return deaths, out.decode(), errors.decode()
        if process.returncode == -signal.SIGKILL:
            deaths += 1
        elif process.returncode != 1:
            raise AssertionError(errors.decode())
    raise AssertionError(f"it never came to the end: {errors.decode()[-2000:]}")


def killed_reader(url, count, page, each, faults=frozenset({"429", "500", "cursor", "token", "shift"})):
    world = World()
    with trouble(count, page) as shop:
        shop.faults = set(faults)
        channel = connect(world, shop)
        deaths, out, errors = kill_and_resume(url, shop, channel.slug, each)
        while pipeline.run_batch():
            pass
        books_agree(shop, channel)
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(n) FROM (SELECT count(*) n FROM ledger_journalentry GROUP BY transaction_id) x")
            assert cursor.fetchone()[0] == 1
        assert deaths >= count // each - 1 and shop.too_fast == 0
        assert "found in" in errors and "orders:" in out
        return shop


def test_a_reader_that_is_killed_again_and_again_misses_and_doubles_nothing_small(committed_db):
    killed_reader(committed_db, 150, 20, 60, {"cursor", "shift"})


@pytest.mark.slow
def test_ten_thousand_orders_of_a_vendor_in_trouble_killed_every_thousand(committed_db):
    shop = killed_reader(committed_db, 10_000, 250, 1000)
    assert shop.seen_faults >= {"429", "500", "shift"}
