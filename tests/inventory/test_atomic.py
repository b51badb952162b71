"""Many at once: the last units over three channels, and carts in opposite order. Nothing is sold twice, nothing is lost, no deadlock."""

import contextlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from channels.models import Event
from inventory import catalog, levels, reservations
from inventory.levels import Delta
from inventory.models import Level, Oversell, Product, Reservation, ReservationLine, StockDocument
from inventory.reservations import Asked, Closed, Short
from salessync import pipeline, verify
from salessync.core import nudge
from tests.records import back, line, refund, sale
from tests.threads import at_once
from tests.worlds import World

UNITS = 10
BUYERS = 64
FORGOTTEN = 10  # seconds after which the sweeper comes for those who left
PLACES = ("back", "front")
LAWS = ("every stock level is the sum of its movements", "no level is below zero without its oversell")


@pytest.fixture(autouse=True)
def quiet(committed_db, monkeypatch):
    monkeypatch.setattr(nudge, "nudge", lambda task: True)


class Market:
    """Three channels that sell the same few mugs from two places, and what the buyers say they did."""

    def __init__(self, seed, *, reserved_only):
        self.seed, self.reserved_only = seed, reserved_only
        self.world = World(stock="OTHER,1")
        catalog.import_catalog(
            company=self.world.company,
            text=f"sku,quantity,location\nMUG,{UNITS // 2},front\nMUG,{UNITS - UNITS // 2},back",
        )
        self.mug = Product.objects.get(company=self.world.company, sku="MUG").pk
        self.channels = [
            self.world.till,
            self.world.channel(f"{self.world.till.slug}-b", "standard"),
            self.world.channel(f"{self.world.till.slug}-c", "standard"),
        ]
        for channel, place in zip(self.channels, ("front", "", "back"), strict=True):
            channel.stock_location = place
            channel.save()
        self.sold = self.returned = 0  # units
        self.lock, self.over = threading.Lock(), threading.Event()
        self.numbers = iter(range(BUYERS))

    # --- who comes

    def run(self):
        with ThreadPoolExecutor(4) as pool:
            helpers = [pool.submit(self.alone, work) for work in (self.works, self.works, self.sweeps, self.moves)]
            try:
                at_once(BUYERS, self.buys)
            finally:
                self.over.set()
            for helper in helpers:
                helper.result(60)
        self.world.process()

    def alone(self, work):
        try:
            work()
        finally:
            connection.close()

    def works(self):
        while not self.over.is_set():
            if not pipeline.run_batch(size=5):
                time.sleep(0.002)

    def sweeps(self):
        while not self.over.is_set():
            reservations.expire(limit=2, now=datetime.now(UTC) + timedelta(seconds=FORGOTTEN))
            time.sleep(0.005)

    def moves(self):
        """Carries what nobody has reserved to and fro."""
        chance = random.Random(self.seed)
        while not self.over.is_set():
            source, target = chance.sample(PLACES, 2)
            transfer(self.world.company, self.mug, source, target, chance.randint(1, 3))
            time.sleep(0.003)

    def buys(self):
        with self.lock:
            number = next(self.numbers)
        chance = random.Random(f"{self.seed} {number}")
        channel, units = chance.choice(self.channels), chance.randint(1, 2)
        time.sleep(chance.random() * 0.05)
        if not self.reserved_only and chance.random() < 0.1:
            return self.sells(chance, channel, number, units, None)
        fate = chance.choice(["buys", "buys", "orders", "leaves", "forgets"])
        try:
            held = reservations.reserve(
                channel=channel, reference=f"cart-{number}", lines=[Asked("MUG", Decimal(units))],
                expires_in=FORGOTTEN if fate == "forgets" else 900, partial=chance.random() < 0.5, now=datetime.now(UTC),
            )  # fmt: skip
        except Short:
            return None
        where = {"company_id": self.world.company.pk, "id": held.id, "now": datetime.now(UTC)}
        if fate == "leaves":
            reservations.release(**where)
        elif fate == "forgets":
            if not self.reserved_only and chance.random() < 0.5:  # and comes back, too late or just in time
                time.sleep(0.02)
                self.sells(chance, channel, number, int(held.lines[0].held), held)
        else:
            with contextlib.suppress(Closed):
                reservations.extend(expires_in=1000, **where)
                self.sells(chance, channel, number, int(held.lines[0].held), held, ordered=fate == "orders")
        return None

    def sells(self, chance, channel, number, units, held, *, ordered=False):
        more = {"reservation": str(held.id)} if held else {}
        sold, id_, version = line(units=units), f"S{number}", 1
        if ordered:  # paid later, by another message
            unpaid = {"status": "open", "payment_status": "pending", "tenders": []}
            self.world.capture(sale([sold], id_=id_, **unpaid, **more), channel=channel)
            time.sleep(chance.random() * 0.02)
            version = 2
        self.world.capture(sale([sold], id_=id_, version=str(version), **more), channel=channel)
        returned = chance.random() < 0.2
        if returned:
            self.world.capture(
                refund([back(sold, units=1, net=1000, tax=0)], id_=f"R{number}", of=id_), channel=channel
            )
        with self.lock:
            self.returned += returned
            self.sold += units

    # --- what must be so

    def check(self):
        company = self.world.company
        assert self.world.states().keys() <= {"posted", "ignored"}  # an order that its payment overtook
        on_hand, reserved = self.world.stock()["MUG"]
        left = Reservation.objects.filter(company=company, state__in=reservations.OPEN)
        assert reserved == sum(one.held for one in ReservationLine.objects.filter(reservation__in=left))
        committed = Reservation.objects.filter(company=company, state="committed")
        taken = sum(one.held for one in ReservationLine.objects.filter(reservation__in=committed))
        assert 0 < taken <= UNITS + self.returned
        assert on_hand == UNITS + self.returned - self.sold
        oversold = Oversell.objects.filter(company=company)
        if self.reserved_only:
            assert taken == self.sold
            assert not oversold.exists()
            assert not Level.objects.filter(company=company, on_hand__lt=0).exists()
        for level in Level.objects.filter(company=company, on_hand__lt=0):
            assert oversold.filter(level=level, resolved_at=None).exists()
        reservations.expire(now=datetime.now(UTC) + timedelta(days=2))
        assert self.world.stock()["MUG"] == (on_hand, 0)
        return taken, on_hand


def transfer(company, product, source, target, units):
    """As much of it as is there and nobody's."""
    with transaction.atomic():
        rows = Level.objects.select_for_update().filter(product=product).order_by("product_id", "location")
        there = {level.location: level.available for level in rows}[source]
        moved = min(Decimal(units), there)
        if moved > 0:
            document = StockDocument.objects.create(company=company, kind="transfer", reason="test", actor="test")
            levels.write(
                [
                    Delta(company.pk, product, place, "transfer", None, "1", 1, change, levels.ZERO, document_id=document.pk)
                    for place, change in ((source, -moved), (target, moved))
                ]
            )  # fmt: skip


def laws_hold():
    found = {law.law: law.violations for law in verify.verify_books()}
    assert set(LAWS) <= found.keys() and not any(found.values())
    assert reservations.violations() == []


def storms(seeds):
    for seed in seeds:
        for reserved_only in (True, False):
            market = Market(seed, reserved_only=reserved_only)
            market.run()
            taken, on_hand = market.check()
            print(
                f"seed {seed}: {taken} taken by reservations, {on_hand} left",
                "" if reserved_only else "(with walk-ins)",
            )
    laws_hold()


def test_the_last_ten_units_small():
    storms(range(5))


@pytest.mark.slow
def test_the_last_ten_units():
    storms(range(100))


# --- one reservation, and all that can end it


@pytest.mark.parametrize("seed", range(3))
def test_of_sale_release_and_sweeper_one_gives_the_units_back(seed):
    world = World(stock=f"MUG,{UNITS}")
    chance = random.Random(seed)
    for number in range(8):
        held = reservations.reserve(
            channel=world.till, reference="cart", lines=[Asked("MUG", Decimal(1))], expires_in=900, partial=False,
            now=datetime.now(UTC),
        )  # fmt: skip
        world.capture(sale([line()], id_=f"S{number}", reservation=str(held.id)))
        later = datetime.now(UTC) + timedelta(seconds=901)
        enders = [
            lambda: pipeline.run_batch(),
            lambda held=held: reservations.release(company_id=world.company.pk, id=held.id, now=datetime.now(UTC)),
            lambda later=later: reservations.expire(now=later),
            lambda later=later: reservations.expire(now=later),
        ]
        chance.shuffle(enders)
        waiting, barrier = iter(enders), threading.Barrier(len(enders))

        def end(waiting=waiting, barrier=barrier):
            work = next(waiting)
            barrier.wait()
            work()

        at_once(len(enders), end)
        world.process()
        assert world.stock()["MUG"] == (UNITS - number - 1, 0)
    assert set(Reservation.objects.values_list("state", flat=True)) <= {"committed", "released", "expired"}
    laws_hold()


# --- carts in opposite order


SKUS = ["A", "B", "C", "D"]


def in_opposite_orders(seconds, *, threads):
    """Carts are held and let go, and sold without being held, while two workers post the sales; → what was done."""
    world = World(stock="\n".join(f"{sku},1000000" for sku in SKUS))
    until, done, lock = time.monotonic() + seconds, {"held": 0, "sold": 0, "waited": 0}, threading.Lock()
    turns = iter(range(threads + 2))

    def note(what):
        with lock:
            done[what] += 1

    def shop(number):
        skus, count = SKUS[:: -1 if number % 2 else 1], 0
        while time.monotonic() < until:
            count += 1
            held = reservations.reserve(
                channel=world.till, reference="cart", lines=[Asked(sku, Decimal(1)) for sku in skus], expires_in=900,
                partial=False, now=datetime.now(UTC),
            )  # fmt: skip
            note("held")
            if count % 3 != 1:
                reservations.release(company_id=world.company.pk, id=held.id, now=datetime.now(UTC))
            else:
                lines = [line(str(i), sku=sku) for i, sku in enumerate(skus)]
                named = {"reservation": str(held.id)} if count % 2 else {}
                world.capture(sale(lines, id_=f"S{number}-{count}", **named))
                note("sold")

    def work():
        while time.monotonic() < until:
            try:
                if not pipeline.run_batch(size=20):
                    time.sleep(0.001)
            except OperationalError as error:  # the workers take it up again; a deadlock is another error
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
                note("waited")

    def one():
        with lock:
            number = next(turns)
        return shop(number) if number < threads else work()

    started = time.monotonic()
    with ThreadPoolExecutor(threads + 2) as pool:
        for finished in [pool.submit(_closing, one) for _ in range(threads + 2)]:
            finished.result(seconds + 60)
    took = time.monotonic() - started
    world.process()
    assert not Event.objects.exclude(state="posted").exists()
    assert {hand for hand, _ in world.stock().values()} == {1_000_000 - done["sold"]}
    laws_hold()
    print(
        f"{done['held'] / took:.0f} carts held and {done['sold'] / took:.0f} sold a second, {done['waited']} waits given up"
    )
    return done


def _closing(work):
    try:
        return work()
    finally:
        connection.close()


def test_carts_in_opposite_orders_small():
    assert in_opposite_orders(2, threads=4)["sold"]


@pytest.mark.slow
def test_carts_in_opposite_orders():
    assert in_opposite_orders(60, threads=8)["sold"]
