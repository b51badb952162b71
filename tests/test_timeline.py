"""The story of a sale, as its page tells it."""

import pytest

from channels.charge import Charge
from channels.models import Transaction
from channels.record import Card
from salessync import timeline
from tests.records import START, line, sale, source
from tests.worlds import World


@pytest.mark.django_db
def test_a_shops_own_charge_is_shown_with_the_processor_that_the_books_clear_it_with():
    world = World()
    charge = Charge(
        source=source("c1"), occurred_at=START, timezone="UTC", business_date=START.date(), currency="USD",
        order_reference="S1", tender_type="card", status="captured", amount=1040, captured=1040,
        card=Card(brand="visa", last4="4242"), extensions={"standard": {"processor": "stripe"}},
    )  # fmt: skip
    world.send(sale([line()], None), charge)
    story = timeline.of(Transaction.objects.get(channel=world.till, type="sale"))
    [tender] = [tender for member in story.members for tender in member.tenders]
    assert (tender["processor"], tender["card"]) == ("stripe", "visa 4242")
    assert world.balances()["Assets:Clearing:Stripe"] == 1040
