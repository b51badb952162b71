"""Clearing accounts as a control: Σ items is the balance, whatever happened in whatever order, and each item says why it is open."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import open_items, reports
from tests.ledger.test_settling import a_week, charge, dispute, later, paid_line, payout, send
from tests.records import back, card, line, refund, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db
TODAY = date(2026, 9, 30)
CLEARING = "Assets:Clearing:Stripe"


@pytest.fixture
def world(db):
    return World()


def found(world):
    return open_items.items(world.company, today=TODAY)


def ties(world):
    balances = {
        (row.account, row.currency): row.balance
        for row in reports.trial_balance(company=world.company)
        if row.account.startswith("Assets:Clearing:") and row.balance
    }
    sums = {key: amount for key, amount in open_items.by_account(found(world)).items() if amount}
    assert sums == balances
    assert not open_items.differing()


def test_what_no_payout_has_paid_is_open_with_its_age(world):
    world.send(sale([line()], [card(1040, reference="ch_1")]), refund([back(line(), units=1, net=500, tax=20)]))
    rows = [(r.account, r.amount, r.opened_on, r.age, r.why, r.type) for r in found(world)]
    assert rows == [
        (CLEARING, 1040, date(2026, 9, 1), 29, "paid by the customer, and in no payout yet", "sale"),
        (CLEARING, -520, date(2026, 9, 2), 28, "given back, and in no payout yet", "refund"),
    ]
    ties(world)


def test_a_payout_closes_the_items_of_what_it_pays(world):
    clearing = send(world, a_week(world))
    assert [r for r in found(world) if r.account == clearing] == []
    ties(world)


def test_what_a_payout_pays_and_nobody_knows_is_open_until_it_is_known(world):
    world.send(payout(paid_line("1", 1040, 60, "ch_9")))
    (row,) = found(world)
    assert (row.amount, row.type, row.source) == (-1040, "payout", "po_1")
    assert row.why == "the charge ch_9 is paid, and nothing in the books answers to it"
    world.send(sale([line()], [card(1040, reference="ch_9")]))
    assert found(world) == []
    ties(world)


def test_all_are_rolled_and_then_there_is_nothing_to_do(world, django_assert_num_queries):
    world.send(sale([line()], [card(1040, reference="ch_1")]))
    assert open_items.roll_all() == 1
    with django_assert_num_queries(1):
        assert open_items.roll_all() == 0


def test_a_residual_says_so(world):
    world.send(sale([line()], [card(1040, reference="ch_1")]), payout(paid_line("1", 1040, 60, "ch_1"), residual=-100))
    (row,) = found(world)
    assert (row.amount, row.why) == (100, "the payout is not the sum of its lines")


def test_a_payout_that_failed_and_came_back_leaves_nothing_open(world):
    first = payout(paid_line("1", 1040, 60, "ch_1"))
    world.send(sale([line()], [card(1040, reference="ch_1")]), first)
    world.send(later(first, "2", status="failed", lines=None, residual=None))
    assert [r.amount for r in found(world)] == [1040]
    world.send(payout(paid_line("2", 980, 0, "po_1", "payout_failure"), id_="po_2"))
    assert found(world) == []
    ties(world)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.permutations(range(9)), st.integers(1, 4))
def test_the_items_are_the_balance_after_every_step_in_every_order(db, order, step):
    world = World()
    messages = [*a_week(world), (dispute(state="won"), "pay"), (charge("ch_3"), "pay")]
    messages[7] = (later(messages[7][0], "2"), "pay")
    pay = world.channel(f"pay-{world.company.slug}", "standard")
    for n, index in enumerate(order):
        record, where = messages[index]
        world.send(record, channel=pay if where else None)
        if n % step == 0:
            ties(world)
    ties(world)
