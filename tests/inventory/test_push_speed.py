"""From the commit of a sale to its level at every other storefront: 50 sales a second, 10,000 products, five channels."""

import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.db import connection

from channels.models import Channel
from inventory import push
from inventory.models import ChannelLocation, StockDrift
from salessync.core.models import Company
from tests.inventory.storefront import LOCATION

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
from channels.adapters.shopify import Shopify
from channels.client import Limits
Shopify.limits = Limits(per_second=1000.0, burst=1000)  # the vendor's pace is not what is measured
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "push_stock", "--loop", "--json"])
"""
PRODUCTS, CHANNELS, PER_SECOND, SECONDS = 10_000, 5, 50, 20
LEVEL = 1000
P50, P95 = 0.3, 1.0  # seconds


@pytest.mark.slow
def test_a_sale_is_at_every_other_storefront_within_a_second(committed_db, django_db_blocker):
    with django_db_blocker.unblock(), ExitStack() as stack:
        shops = [stack.enter_context(Storefront()) for _ in range(CHANNELS)]
        channels = connect(shops)
        shops[0].sell(PRODUCTS)
        stack.enter_context(worker(committed_db))
        wait_for(shops, take({}, PRODUCTS, channels[0])[0])  # it has started
        sold = sell(channels, shops)
        time.sleep(2)
        waits = [
            shop.reached(product, level, at) - at
            for channel, shop in zip(channels, shops, strict=True)
            for product, seller, level, at in sold
            if seller is not channel
        ]
        part = statistics.quantiles(waits, n=100)
        calls = sum(len(told) for shop in shops for told in shop.told.values())
        print(
            f"\n{len(sold)} sales, {calls} levels told: p50 {part[49] * 1000:.0f} ms, p95 {part[94] * 1000:.0f} ms,"
            f" p99 {part[98] * 1000:.0f} ms, most {max(waits) * 1000:.0f} ms"
        )
        assert push.lags() == []
        assert not StockDrift.objects.filter(state="open").exists()
        assert part[49] <= P50 and part[94] <= P95


def wait_for(shops, product):
    """Until all but the first have been told of it."""
    for _ in range(300):
        if all(str(product) in shop.told for shop in shops[1:]):
            return
        time.sleep(0.1)
    raise AssertionError("the worker tells nothing")


class Storefront:
    """A fake in a process of its own; `told`: item → [(time, level)]."""

    def __enter__(self):
        program = [sys.executable, "-m", "tests.inventory.storefront", str(LEVEL), str(PRODUCTS)]
        self.process = subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.told = {}
        threading.Thread(target=self.listen, daemon=True).start()
        return self

    def listen(self):
        for line in self.process.stdout:
            item, level, at = line.split()
            self.told.setdefault(item, []).append((float(at), int(level)))

    def sell(self, product):
        self.process.stdin.write(f"{product} 1\n")
        self.process.stdin.flush()

    def reached(self, product, level, since):
        """When it showed that level or less, which only falls."""
        return next((at for at, told in self.told.get(str(product), ()) if at >= since and told <= level), since + 60)

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)


@contextmanager
def worker(url):
    """The loop that a deployment runs, in a process of its own."""
    environment = {
        **os.environ, "DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1", "DJANGO_SETTINGS_MODULE": "salessync.settings",
        "OUTBOUND_ALLOWED_CIDRS": "127.0.0.0/8",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def connect(shops):
    """Every product listed on every channel, which shows its level already."""
    company = Company.objects.create(slug="c", name="C", base_currency="USD")
    channels = []
    for number, shop in enumerate(shops):
        channel = Channel(company=company, slug=f"shop-{number}", adapter="shopify")
        channel.credentials = {"secrets": ["s"], "base_url": shop.url, "token": "t"}
        channel.save()
        ChannelLocation.objects.create(channel=channel, remote_id=LOCATION)
        channels.append(channel)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO inventory_product (id, company_id, sku, name, barcode, category, tax_category, currency)
            SELECT n, %(company)s, 'P' || n, '', '', '', '', '' FROM generate_series(1, %(products)s) n;
            INSERT INTO inventory_level (company_id, product_id, location, on_hand, reserved)
            SELECT company_id, id, 'main', %(level)s, 0 FROM inventory_product;
            INSERT INTO inventory_listing (channel_id, product_id, item_id, stock_id, name, is_pushed)
            SELECT c.id, p.id, p.sku, p.id, '', true FROM inventory_product p, channels_channel c;
            INSERT INTO inventory_listinglevel (listing_id, channel_id, remote_id, wanted, shown, state)
            SELECT id, channel_id, %(place)s, %(level)s, %(level)s, 'idle' FROM inventory_listing;
            ANALYZE
            """,
            {"company": company.pk, "products": PRODUCTS, "level": LEVEL, "place": LOCATION},
        )
    return channels


def sell(channels, shops):
    """At an even pace, every fifth one of ten products that everybody wants → (product, channel, level after it, time)."""
    chance, levels, sold = random.Random(7), {}, []
    began = time.monotonic()
    coming = deque()
    for number in range(PER_SECOND * SECONDS):
        time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
        product = chance.randrange(1, 11) if number % 5 == 0 else chance.randrange(11, PRODUCTS)
        seller = chance.randrange(len(channels))
        shops[seller].sell(product)
        coming.append((product, channels[seller]))
        if len(coming) > 2:  # the event of a sale comes 40 ms after it
            sold.append(take(levels, *coming.popleft()))
    return sold + [take(levels, *one) for one in coming]


def take(levels, product, channel):
    """What a sale's transaction writes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH x AS (UPDATE inventory_level SET on_hand = on_hand - 1 WHERE product_id = %s)"
            " INSERT INTO inventory_stockchange (product_id, channel_id, units) VALUES (%s, %s, -1)",
            [product, product, channel.pk],
        )
    levels[product] = levels.get(product, LEVEL) - 1
    return product, channel, levels[product], time.time()
