"""A whole day through the pipeline leaves what the shops know by construction."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from channels.capture import capture
from channels.models import Channel
from inventory import catalog
from ledger.models import Rate
from salessync import pipeline, setup, verify
from salessync.core import nudge
from salessync.sandbox import findings, shops

DAY = date(2026, 9, 1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_to_wake(monkeypatch):
    monkeypatch.setattr(nudge, "nudge", lambda task: False)


@pytest.fixture
def channels():
    company = setup.bootstrap(currency="USD")
    for channel in shops.CHANNELS:
        setup.create_channel(
            slug=channel.slug, adapter=channel.adapter, secret="x", currency=channel.currency,
            timezone=channel.timezone, live_from=None,
        )  # fmt: skip
    catalog.import_catalog(company=company, text=shops.catalog_file())
    Rate.objects.create(date="2020-01-01", from_currency="EUR", to_currency="USD", rate="1.1684")
    return {channel.slug: channel for channel in Channel.objects.all()}


def work_through(day, channels, *, batch):
    for number, delivery in enumerate(day.play.deliveries, 1):
        headers = {
            "webhook-id": delivery.delivery_id,
            "x-shopify-webhook-id": delivery.delivery_id,
            "x-shopify-topic": delivery.topic,
        }
        capture(
            channel=channels[delivery.channel], headers=headers, body=delivery.body, mode="webhook",
            received_at=datetime.now(UTC),
        )  # fmt: skip
        if number % batch == 0:
            pipeline.run_batch()
    while pipeline.run_batch():
        pass


@pytest.mark.parametrize(("seed", "batch"), [(1, 4), (2, 25), (3, 200), (4, 10_000)])
def test_books_and_shelves_are_what_the_shops_know(channels, seed, batch):
    day = shops.business_day(sales=120, seed=seed, run=1, day=DAY)
    slugs, since = list(channels), datetime.now(UTC) - timedelta(minutes=1)
    before = findings.state(slugs)
    work_through(day, channels, batch=batch)
    after = findings.state(slugs)
    assert findings.quarantined(since) == day.truth.quarantined
    assert findings.change(before.balances, after.balances) == day.truth.nonzero()
    assert findings.change(before.stock, after.stock) == {k: v for k, v in day.truth.stock.items() if v}
    assert (after.sales, after.refunds) == (day.truth.sales, day.truth.refunds)
    assert after.waiting == day.truth.orphans
    assert findings.copies(since)[1] == day.play.duplicates
    assert dict(findings.oversold())["ETHIOPIA-250"] == 2 + day.truth.stock["ETHIOPIA-250"]
    assert findings.unmapped() == ["HOODIE-XL"]
    assert [law for law in verify.verify_books() if law.violations] == []


def test_the_run_number_is_found_again(channels):
    assert findings.highest_run() == 0
    work_through(shops.business_day(sales=100, seed=1, run=41, day=DAY), channels, batch=10_000)
    assert findings.highest_run() == 41


def test_change_leaves_out_what_stayed():
    assert findings.change(Counter(a=1, b=2), Counter(a=1, b=5, c=1)) == {"b": 3, "c": 1}


def test_differences_name_both_sides():
    ours, theirs = {("Income:Sales", "USD"): -5}, {("Income:Sales", "USD"): -4, ("Assets:Till", "USD"): 4}
    assert findings.differences(ours, theirs) == [
        "Assets:Till USD: 0 here, 4 there",
        "Income:Sales USD: -5 here, -4 there",
    ]
    assert findings.differences(ours, ours) == []
