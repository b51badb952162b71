"""Law 1: the same messages duplicated, shuffled, delayed, batched and replayed leave the same books and stock."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import inbox
from channels.models import Event
from tests.records import back, line, refund, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db


@st.composite
def histories(draw):
    """A few sales, each with versions, refunds with versions, and ends."""
    messages = []
    for number in range(draw(st.integers(1, 3))):
        name = f"S{number}"
        sold = [
            line(str(i + 1), units=draw(st.integers(1, 3)), price=draw(st.integers(100, 3000)), sku=draw(st.sampled_from(["MUG", "CAP"])),
                 taxes=[("US-NY", "State", "4", draw(st.integers(0, 50))), ("US-NYC", "City", "3", draw(st.integers(0, 50)))])
            for i in range(draw(st.integers(1, 3)))
        ]  # fmt: skip
        for version in range(draw(st.integers(1, 3))):
            keep = sold if version == 0 else sold[: draw(st.integers(1, len(sold)))]
            status, paid = draw(
                st.sampled_from([("open", "paid"), ("completed", "paid"), ("open", "pending"), ("voided", "voided")])
            )
            tenders = "card" if paid == "paid" else []
            messages.append(sale(keep, tenders, id_=name, version=str(version + 1), status=status, payment_status=paid))
        for r in range(draw(st.integers(0, 3))):
            target = draw(st.sampled_from(sold))
            given_back = back(
                target, units=1, net=target.net // int(target.quantity), tax=target.tax // int(target.quantity)
            )
            for version, status in enumerate(
                draw(st.lists(st.sampled_from(["pending", "succeeded", "failed"]), min_size=1, max_size=2))
            ):
                messages.append(
                    refund(
                        [given_back], id_=f"{name}-R{r}", of=name, status=status, version=str(version + 1), minutes=r
                    )
                )
    return messages


def _straight(messages):
    world = World()
    for message in messages:
        world.send(message)
    return world.facts()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.integers(0, 2**32))
def test_order_duplication_delay_and_replay_change_nothing(messages, seed):
    expected = _straight(messages)
    chance = random.Random(seed)
    deliveries = [m for m in messages for _ in range(chance.choice([1, 1, 2, 3]))]
    chance.shuffle(deliveries)
    world = World()
    for number, message in enumerate(deliveries):
        world.capture(message, delivery_id=chance.choice([None, f"d{number}"]))
        if chance.random() < 0.4:
            world.process(size=chance.choice([1, 2, 500]))
        if chance.random() < 0.1:
            ids = list(Event.objects.filter(company_id=world.company.pk).values_list("pk", flat=True))
            inbox.replay(event_ids=chance.sample(ids, len(ids) // 2), actor="test")
    world.process()
    assert world.facts() == expected
