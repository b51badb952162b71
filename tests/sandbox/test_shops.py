"""The sandbox's shops tell what their vendors would, and it adds up."""

import csv
import io
import json
from collections import Counter, defaultdict
from datetime import date

import pytest

from channels import adapter as adapters
from channels import checks
from channels import payload as payloads
from channels.adapter import Context
from channels.charge import Charge
from channels.refund import Refund
from channels.sale import Sale
from salessync.core.problems import Refused
from salessync.sandbox import shops

DAY = date(2026, 9, 1)
CHANNELS = {channel.slug: channel for channel in shops.CHANNELS}


@pytest.fixture(scope="module")
def day():
    return shops.business_day(sales=240, seed=7, run=1, day=DAY)


def distinct(day):
    return list({(d.channel, d.delivery_id): d for d in day.play.deliveries}.values())


def scrubbed(delivery):
    adapter = adapters.get(CHANNELS[delivery.channel].adapter)
    return payloads.dump(adapter.scrub(payloads.parse(delivery.body)))


def records(delivery):
    """What the pipeline would see: scrubbed, stored, parsed again."""
    channel = CHANNELS[delivery.channel]
    context = Context(channel=channel.slug, timezone=channel.timezone)
    return adapters.get(channel.adapter).normalize(payloads.parse_stored(scrubbed(delivery)), delivery.topic, context)


def codes(delivery):
    try:
        found = [p for r in records(delivery) if not r.source.test for p in checks.check(r)]
    except Refused as refused:
        found = refused.problems
    return [p.code for p in found]


def test_every_payload_is_sound_but_for_the_bad_ones(day):
    found = [codes(delivery) for delivery in distinct(day)]
    assert Counter(one[0] for one in found if one) == day.truth.quarantined
    assert all(len(one) == 1 for one in found if one)
    assert set(day.truth.quarantined) == {"MISSING_JURISDICTION", "TOTAL_MISMATCH", "MISSING_CURRENCY"}


def test_same_seed_same_bytes():
    first, second = (shops.business_day(sales=100, seed=3, run=2, day=DAY) for _ in range(2))
    assert first.play == second.play
    assert first.truth == second.truth


def test_another_run_has_other_ids():
    first, second = (shops.business_day(sales=100, seed=3, run=run, day=DAY) for run in (1, 2))
    subjects = [{(d.channel, d.subject) for d in day.play.deliveries} for day in (first, second)]
    deliveries = [{(d.channel, d.delivery_id) for d in day.play.deliveries} for day in (first, second)]
    assert not subjects[0] & subjects[1]
    assert not deliveries[0] & deliveries[1]


def test_payloads_give_people_away_and_scrubbing_takes_them_out(day):
    bodies = b"".join(d.body for d in day.play.deliveries).decode()
    stored = b"".join(scrubbed(d) for d in day.play.deliveries).decode()
    told = {text for text in day.personal if text in bodies}
    assert len(told) > 100
    assert [text for text in told if text in stored] == []


def test_everything_happens_that_can_happen():
    day = shops.business_day(sales=shops.LEAST_SALES, seed=1, run=1, day=DAY)
    topics = {delivery.topic for delivery in day.play.deliveries}
    assert topics == {
        "orders/create", "orders/paid", "orders/updated", "orders/cancelled", "order_transactions/create", "refunds/create",
        "sale", "refund",
    }  # fmt: skip
    accounts = {account for _, _, account in day.truth.nonzero()}
    assert {"Income:Allowances", "Income:Discounts", "Liabilities:Gift-cards", "Liabilities:Tips"} < accounts
    assert {"Liabilities:Refunds-in-transit", "Assets:Till:Till-1", "Assets:Clearing:Klarna"} < accounts
    assert day.truth.test_orders == day.truth.orphans == 1
    assert day.truth.stock["ETHIOPIA-250"] < -2


@pytest.mark.parametrize("seed", range(5))
def test_the_truth_balances(seed):
    assert shops.business_day(sales=150, seed=seed, run=1, day=DAY).truth.unbalanced() == {}


def test_truth_counts_what_is_told(day):
    sales, refunds = defaultdict(set), defaultdict(set)
    for delivery in distinct(day):
        if codes(delivery):
            continue
        for record in records(delivery):
            if isinstance(record, Sale) and not record.source.test:
                sales[delivery.channel].add(record.source.id)
            elif isinstance(record, Refund):
                refunds[delivery.channel].add(record.source.id)
    assert {slug: len(ids) for slug, ids in sales.items()} == day.truth.sales
    assert {slug: len(ids) for slug, ids in refunds.items()} == day.truth.refunds


def test_an_order_moves_forward(day):
    """Each body of one order is newer than the one before, and an embedded refund is the refund as it was told."""
    orders, refunds = defaultdict(list), {}
    for delivery in sorted(distinct(day), key=lambda d: d.at):
        if delivery.topic.startswith("orders/"):
            orders[delivery.subject].append(json.loads(delivery.body))
        elif delivery.topic == "refunds/create":
            body = json.loads(delivery.body)
            refunds[body["id"]] = body
    embedded = 0
    for bodies in orders.values():
        times = [body["updated_at"] for body in bodies]
        assert times == sorted(set(times))
        for refund in bodies[-1]["refunds"]:
            told = refunds[refund["id"]]
            assert [r["line_item_id"] for r in refund["refund_line_items"]] == [
                r["line_item_id"] for r in told["refund_line_items"]
            ]
            assert [t["amount"] for t in refund["transactions"]] == [t["amount"] for t in told["transactions"]]
            embedded += 1
    assert embedded > 5


def test_money_told_and_money_taken_agree(day):
    """Captured charges of an order add up to what its last body says was paid."""
    taken, last = Counter(), {}
    for delivery in sorted(distinct(day), key=lambda d: d.at):
        if codes(delivery):
            continue
        for record in records(delivery):
            if isinstance(record, Charge) and record.currency == record_currency(delivery):
                taken[delivery.subject] += record.captured
            elif isinstance(record, Sale) and delivery.topic.startswith("orders/"):
                last[delivery.subject] = record
    paid = {
        subject: sale
        for subject, sale in last.items()
        if sale.payment_status in ("paid", "partially_refunded", "refunded")
        and not sale.presentment
        and not sale.source.test
    }
    assert len(paid) > 100
    assert {s: taken[s] for s in paid} == {s: sale.totals.total for s, sale in paid.items()}


def record_currency(delivery):
    return CHANNELS[delivery.channel].currency


def test_the_network_repeats_and_disorders(day):
    sent = Counter((d.channel, d.delivery_id) for d in day.play.deliveries)
    assert sum(sent.values()) - len(sent) == day.play.duplicates
    assert 0.05 < day.play.duplicates / len(sent) < 0.15
    assert 0.02 < day.play.early / len(sent) < 0.25


def test_bodies_have_a_size_as_the_vendor_has_them(day):
    sizes = [len(d.body) for d in day.play.deliveries if d.topic == "orders/create"]
    assert min(sizes) > 2_500
    assert max(sizes) < 8_000


def test_catalogue_names_every_product_in_every_channel():
    rows = list(csv.DictReader(io.StringIO(shops.catalog_file())))
    assert len(rows) == 25
    assert all(row[channel.slug] for row in rows for channel in shops.CHANNELS)
    assert rows[0]["roastery-us"] == rows[0]["sku"]
    assert rows[0]["cafe-till"] == "101"
    assert "HOODIE-XL" not in {row["sku"] for row in rows}


def test_bulk_orders_are_distinct_and_sound():
    bodies = list(shops.orders(300, seed=4))
    assert len(set(bodies)) == 300
    assert 3_000 < sum(map(len, bodies)) / len(bodies) < 4_000
    ids = set()
    for body in bodies:
        payload = payloads.parse_stored(payloads.dump(adapters.get("shopify").scrub(payloads.parse(body))))
        (sale,) = adapters.get("shopify").normalize(payload, "orders/create", Context(channel="bulk"))
        assert checks.check(sale) == []
        assert sale.payment_status == "paid"
        assert len(sale.lines) in (3, 4)  # with the shipping
        assert all(len(line.taxes) == (2 if line.type == "item" else 0) for line in sale.lines)
        ids.add(sale.source.id)
    assert len(ids) == 300
    assert bodies == list(shops.orders(300, seed=4))
