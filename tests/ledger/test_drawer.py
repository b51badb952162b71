"""A drawer's session in plain figures."""

from collections import defaultdict
from datetime import timedelta

import pytest

from channels.cash_session import CashMovement
from ledger import drawer
from ledger.legs import Policy
from tests.records import START, cash_session

TILL, BANK, PETTY, OVER = (
    "Assets:Till:Front", "Assets:Bank-in-transit", "Assets:Petty-cash", "Expenses:Cash-over-short",
)  # fmt: skip


def book(session):
    legs = drawer.cash_session_legs(session, Policy("till"))
    assert sum(leg.amount for leg in legs) == 0
    sums = defaultdict(int)
    for leg in legs:
        sums[leg.account] += leg.amount
    return {account: amount for account, amount in sums.items() if amount}


def test_a_count_that_falls_short_or_finds_more():
    assert book(cash_session(expected=15000, counted=14950)) == {TILL: -50, OVER: 50}
    assert book(cash_session(expected=15000, counted=15007)) == {TILL: 7, OVER: -7}
    assert book(cash_session(expected=15000, counted=15000)) == {}


def test_what_should_be_there_is_reckoned_where_the_till_does_not_say():
    moves = [("paid_in", 500), ("paid_out", 200), ("deposit", 3000)]
    session = cash_session(opening_float=10000, takings=4200, counted=11480, movements=moves)
    assert session.reckoned == 11500
    assert book(session) == {TILL: -20 + 500 - 200 - 3000, OVER: 20, PETTY: -300, BANK: 3000}


@pytest.mark.parametrize("status", ["open", "closed"])
def test_without_a_count_there_is_no_difference(status):
    session = cash_session(expected=15000, status=status, movements=[("deposit", 3000)])
    assert book(session) == {BANK: 3000, TILL: -3000}
    assert drawer.over_or_short(session) is None


def test_what_nobody_reckoned_cannot_be_over_or_short():
    assert book(cash_session(counted=14950)) == {}


def test_a_deposit_after_the_close_was_still_there_at_the_count():
    session = cash_session(takings=5000, counted=15000, closed_at=START + timedelta(hours=8))
    session.movements = [
        CashMovement(id="a", type="deposit", amount=5000, at=START + timedelta(hours=9)),
        CashMovement(id="b", type="paid_out", amount=100, at=START + timedelta(hours=7)),
    ]
    assert session.reckoned == 14900
    assert book(session) == {TILL: -5100 + 100, OVER: -100, BANK: 5000, PETTY: 100}


def test_each_movement_has_its_place_and_petty_cash_its_kind():
    legs = drawer.cash_session_legs(
        cash_session(movements=[("paid_in", 500), ("unknown", 9), ("paid_out", 0)]), Policy("till")
    )
    assert [(leg.account, leg.path, leg.kind) for leg in legs] == [
        (TILL, "movements/m1", None), (PETTY, "movements/m1", "paid_in"),
    ]  # fmt: skip


def test_a_drawer_without_a_name_is_its_locations():
    session = cash_session(expected=1, counted=0, register=None)
    session.source.location = "L1"
    assert book(session) == {"Assets:Till:L1": -1, OVER: 1}


def test_the_headline_for_lists():
    assert cash_session(expected=15000, counted=14950).amount == 14950
    assert cash_session(expected=15000).amount == 15000
    assert cash_session().amount == 10000
