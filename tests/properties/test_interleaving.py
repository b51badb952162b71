"""Whoever brings a shop's sales, refunds and edits, in whatever order: webhooks without payments, polls with them, or both."""

import copy
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.capture import capture
from channels.models import Event
from salessync.core.money import to_major, to_minor
from salessync.sandbox import bulk_orders
from tests.worlds import World


def lives(count, seed):
    """The messages of so many orders: (webhooks, polls) by time, each (topic, payload). A poll shows the state of its moment."""
    chance = random.Random(seed)
    webhooks, polls = [], []
    for number, body in enumerate(bulk_orders.orders(count, seed)):
        order = json.loads(body) | {"financial_status": "pending", "refunds": []}
        transactions = []

        def show(order=order, transactions=transactions):
            webhooks.append(("orders/updated", copy.deepcopy(order)))
            polls.append(("", {"order": copy.deepcopy(order) | {"transactions": copy.deepcopy(transactions)}}))

        clock = iter(f"2026-09-02T{hour:02d}:00:00Z" for hour in range(1, 24))
        show()
        for _ in range(chance.randrange(4)):
            at = next(clock)
            if order["financial_status"] == "pending":
                _pay(order, transactions, at, number, split=chance.random() < 0.3)
                webhooks.extend(("order_transactions/create", copy.deepcopy(row)) for row in transactions)
            elif chance.random() < 0.6 and len(order["refunds"]) < len(order["line_items"]):
                webhooks.append(("refunds/create", _refund(order, transactions, at)))
            elif not order["refunds"]:
                order["cancelled_at"] = at
            order["updated_at"] = at
            show()
    return webhooks, polls


def _pay(order, transactions, at, number, *, split):
    total = to_minor(order["total_price"], "USD")
    amounts = [total // 3, total - total // 3] if split else [total]
    for part, amount in enumerate(amounts):
        gateway = "gift_card" if split and part == 0 else "shopify_payments"
        transactions.append(
            {"id": order["id"] * 10 + part, "order_id": order["id"], "kind": "sale", "status": "success",
             "gateway": gateway, "amount": to_major(amount, "USD"), "currency": "USD", "created_at": at, "processed_at": at,
             "test": False}
        )  # fmt: skip
    order["financial_status"] = "paid"


def _refund(order, transactions, at):
    position = len(order["refunds"])
    line = order["line_items"][position]
    price, tax = to_minor(line["price"], "USD"), sum(to_minor(t["price"], "USD") for t in line["tax_lines"])
    tax //= line["quantity"]
    payment = transactions[-1]
    identifier = order["id"] * 100 + position
    refund = {
        "id": identifier, "order_id": order["id"], "created_at": at, "processed_at": at, "order_adjustments": [],
        "refund_line_items": [
            {"id": identifier, "line_item_id": line["id"], "quantity": 1, "restock_type": "return",
             "subtotal": float(to_major(price, "USD")), "total_tax": float(to_major(tax, "USD")), "line_item": line},
        ],
        "transactions": [
            {"id": identifier, "order_id": order["id"], "kind": "refund", "status": "success", "parent_id": payment["id"],
             "gateway": payment["gateway"], "amount": to_major(price + tax, "USD"), "currency": "USD", "created_at": at,
             "processed_at": at, "test": False},
        ],
    }  # fmt: skip
    order["refunds"].append(refund)
    order["financial_status"] = "partially_refunded"
    line["current_quantity"] -= 1
    return copy.deepcopy(refund)


def send(world, messages, *, process):
    for number, (topic, payload) in enumerate(messages):
        capture(
            channel=world.shop, headers={}, body=json.dumps(payload).encode(), mode="webhook" if topic else "poll",
            received_at="2026-09-03T00:00:00Z", topic=topic or None,
        )  # fmt: skip
        if process(number):
            world.process()
    world.process()
    assert set(world.states()) <= {"posted", "ignored"}


def all_ways_agree(count, seed, chance):
    webhooks, polls = lives(count, seed)
    polled = World()
    send(polled, polls, process=lambda n: False)
    books, stock = polled.facts()
    assert books or count < 7
    for messages in (webhooks + polls, polls + webhooks):
        if chance.random() < 0.5:
            chance.shuffle(messages)
        messages = messages + chance.sample(messages, len(messages) // 5)
        world = World()
        send(world, messages, process=lambda n: chance.random() < 0.05)
        found, shelf = world.facts()
        assert found == books
        assert shelf == stock
        assert Event.objects.filter(company_id=world.company.pk, state="quarantined").count() == 0


@pytest.mark.django_db
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 6), st.integers(0, 2**32))
def test_webhooks_and_polls_in_any_order_leave_the_same_books_small(count, seed):
    all_ways_agree(count, seed, random.Random(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_webhooks_and_polls_of_a_thousand_sales_leave_the_same_books(committed_db, seed):
    all_ways_agree(1000, seed, random.Random(seed))
