"""A processor's channel that sells by itself: a charge without an order is a sale, until an order claims it."""

from datetime import date

import msgspec
import pytest

from channels.models import Channel
from channels.refund import RefundLine
from tests.ledger.test_settling import charge
from tests.records import START, card, line, sale, source
from tests.records import refund as a_refund
from tests.worlds import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("laws_hold")]
SALES = "Income:Sales"


@pytest.fixture
def world(db):
    return World()


@pytest.fixture
def pay(world):
    return world.channel(f"pay-{world.company.slug}", "standard", sells=True, country="US", region="NY")


def clearing(pay):
    return f"Assets:Clearing:{pay.slug.capitalize()}"


def refund(amount=1040, id_="re_1"):
    made = a_refund([RefundLine(type="adjustment", net=amount)], [], id_=id_, of=None)
    return msgspec.structs.replace(made, charge="ch_1")


def test_a_charge_without_an_order_is_a_sale(world, pay):
    world.send(charge("ch_1", amount=1240, tip=200), channel=pay)
    assert (world.states(), world.codes()) == ({"posted": 1}, [])
    assert world.balances() == {clearing(pay): 1240, SALES: -1040, "Liabilities:Tips": -200}


def test_a_channel_that_does_not_sell_waits_for_the_order(world):
    pay = world.channel(f"pay-{world.company.slug}", "standard")
    world.send(charge("ch_1"), channel=pay)
    assert (world.states(), world.balances()) == ({"waiting": 1}, {})


def test_its_refunds_are_refunds_of_the_sale_whichever_comes_first(world, pay):
    world.send(refund(300), channel=pay)
    assert world.states() == {"waiting": 1}
    world.send(charge("ch_1"), channel=pay)
    assert world.states() == {"posted": 2}
    assert world.balances() == {clearing(pay): 740, SALES: -1040, "Income:Allowances": 300}
    world.send(refund(740, "re_2"), channel=pay)
    assert world.balances() == {SALES: -1040, "Income:Allowances": 1040}


def test_authorized_only_is_nothing_yet(world, pay):
    held = charge("ch_1", captured=0, status="authorized", fees=[])
    world.send(held, channel=pay)
    assert world.balances() == {}
    taken = msgspec.structs.replace(held, status="captured", captured=1040)
    world.send(msgspec.structs.replace(taken, source=source("ch_1", "2")), channel=pay)
    assert world.balances() == {clearing(pay): 1040, SALES: -1040}


@pytest.mark.parametrize("order_first", [True, False])
def test_an_order_that_names_the_charge_is_the_sale_and_the_only_revenue(world, pay, order_first):
    order = sale([line()], [card(1040, reference="ch_1")])
    messages = [(order, None), (charge("ch_1"), pay), (refund(300), pay)]
    for body, channel in messages if order_first else [*messages[1:], messages[0]]:
        world.send(body, channel=channel)
    assert world.balances() == {clearing(pay): 1040, SALES: -1000, "Liabilities:Tax-payable": -40}


def test_a_charge_with_an_order_is_no_sale(world, pay):
    world.send(charge("ch_1", order_reference="S1"), channel=pay)
    assert (world.states(), world.balances()) == ({"waiting": 1}, {})
    world.send(sale([line()], None))
    assert world.balances()[SALES] == -1000
    assert Channel.objects.get(pk=pay.pk).sells and START.date() == date(2026, 9, 1)
