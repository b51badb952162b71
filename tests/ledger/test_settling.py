"""Payouts, disputes and manual entries in the pipeline: by exact reference, in any order of arrival, to the cent."""

import itertools
from datetime import date

import msgspec
import pytest

from channels.charge import Charge
from channels.dispute import Dispute
from channels.payout import Payout, PayoutLine
from channels.record import Fee
from channels.refund import RefundTender
from ledger import accounts
from ledger.models import JournalEntry, Rate
from tests.records import START, back, card, line, refund, sale, source
from tests.worlds import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("laws_hold")]

FX = accounts.FX
CLEARING, BANK, FEES = "Assets:Clearing:Stripe", "Assets:Bank-in-transit", "Expenses:Processing-fees"


@pytest.fixture
def world(db):
    return World()


def later(record, version, **fields):
    return msgspec.structs.replace(record, source=msgspec.structs.replace(record.source, version=version), **fields)


def paid_line(id_, gross, fee, reference, category="charge"):
    return PayoutLine(id=id_, category=category, gross=gross, fee=fee, net=gross - fee, reference=reference)


def payout(*lines, id_="po_1", status="paid", day=date(2026, 9, 3), residual=0, **more):
    return Payout(**{
        "source": source(id_), "occurred_at": START, "timezone": "UTC", "business_date": day, "currency": "USD",
        "processor": "stripe", "status": status, "amount": sum(x.net for x in lines) + residual, "lines": list(lines),
        "residual": residual, **more,
    })  # fmt: skip


def charge(id_, amount=1040, **more):
    return Charge(**{
        "source": source(id_), "occurred_at": START, "timezone": "UTC", "business_date": date(2026, 9, 1), "currency": "USD",
        "tender_type": "card", "status": "captured", "amount": amount, "captured": amount,
        "fees": [Fee(type="processing", amount=60)], **more,
    })  # fmt: skip


def given_back(amount, reference):
    return RefundTender(id="g1", parent="t1", type="card", amount=amount, processor="stripe", reference=reference)


def a_week(world):
    """A sale with a partial refund, its charge, a dispute of a second sale, and the payout of all."""
    return [
        (sale([line()], [card(1040, reference="ch_1")], id_="S1"), None),
        (sale([line()], [card(1040, reference="ch_2")], id_="S2"), None),
        (refund([back(line(), units=1, net=500, tax=20)], [given_back(520, "re_1")], of="S1"), None),
        (dispute(), "pay"),
        (charge("ch_1"), "pay"),
        (charge("ch_2"), "pay"),
        (payout(paid_line("1", 1040, 60, "ch_1"), paid_line("2", 1040, 60, "ch_2"), paid_line("3", -520, 0, "re_1", "refund"),
                paid_line("4", -1040, 1500, "dp_1", "dispute"), processor="pay"), "pay"),
    ]  # fmt: skip


def dispute(**more):
    return Dispute(**{
        "source": source("dp_1"), "occurred_at": START, "timezone": "UTC", "business_date": date(2026, 9, 2), "currency": "USD",
        "tender_reference": "ch_2", "kind": "chargeback", "state": "needs_response", "amount": 1040, "fee": 1500, **more,
    })  # fmt: skip


def send(world, messages):
    pay = world.channel(f"pay-{world.company.slug}", "standard")
    for record, where in messages:
        if isinstance(record, Payout) and record.processor == "pay":
            record = msgspec.structs.replace(record, processor=pay.slug)
        world.send(record, channel=pay if where else None)
    return f"Assets:Clearing:{pay.slug.capitalize()}"


def test_a_payout_takes_everything_off_the_clearing_account(world):
    clearing = send(world, a_week(world))
    assert world.balances() == {
        BANK: 1040 - 60 + 1040 - 60 - 520 - 1040 - 1500, FEES: 120, "Expenses:Dispute-fees": 1500,
        "Assets:Disputed-funds": 1040, "Income:Sales": -2000, "Income:Returns": 500, "Liabilities:Tax-payable": -60,
    }, clearing  # fmt: skip


def test_the_order_of_arrival_does_not_matter(db):
    expected = None
    for order in itertools.islice(itertools.permutations(range(7)), 0, None, 331):
        world = World()
        week = a_week(world)
        clearing = send(world, [week[n] for n in order])
        found = {k.replace(clearing, "C"): v for k, v in world.balances().items()}
        expected = expected or found
        assert found == expected


def test_a_payout_that_fails_is_taken_back_and_the_next_one_pays(world):
    world.send(sale([line()], [card(1040, reference="ch_1")]))
    before = world.balances()
    first = payout(paid_line("1", 1040, 60, "ch_1"))
    world.send(first)
    assert world.balances()[BANK] == 980
    world.send(later(first, "2", status="failed", lines=None, residual=None))  # its webhook does not repeat the lines
    assert world.balances() == before
    world.send(payout(paid_line("2", 980, 0, "po_1", "payout_failure"), id_="po_2"))
    assert world.balances() == {BANK: 980, FEES: 60, "Income:Sales": -1000, "Liabilities:Tax-payable": -40}


def test_a_header_without_lines_keeps_those_that_were_told(world):
    world.send(sale([line()], [card(1040, reference="ch_1")]))
    first = payout(paid_line("1", 1040, 60, "ch_1"), status="in_transit")
    world.send(first, later(first, "2", status="paid", lines=None, residual=None))
    assert world.balances()[FEES] == 60
    assert JournalEntry.objects.filter(company=world.company).count() == 2


def test_a_residual_stays_open_on_the_clearing_account(world):
    world.send(sale([line()], [card(1040, reference="ch_1")]), payout(paid_line("1", 1040, 60, "ch_1"), residual=-100))
    assert (world.balances()[BANK], world.balances()[CLEARING]) == (880, 100)


def test_reserves_loans_and_fees_of_their_own(world):
    lines = [
        paid_line("1", 1040, 60, "ch_1"),
        paid_line("2", -200, 0, None, "reserve_hold"),
        paid_line("3", -100, 0, None, "loan_repayment"),
        paid_line("4", -50, 0, None, "fee"),
    ]
    world.send(sale([line()], [card(1040, reference="ch_1")]), payout(*lines))
    found = world.balances()
    assert (found[BANK], found[FEES]) == (630, 110)
    assert (found["Assets:Reserve:Stripe"], found["Liabilities:Loan:Stripe"]) == (200, 100)
    assert CLEARING not in found
    world.send(payout(paid_line("9", 200, 0, None, "reserve_release"), id_="po_2"))
    assert "Assets:Reserve:Stripe" not in world.balances()


def test_settled_in_another_currency_the_difference_is_gain_or_loss(world):
    Rate.objects.create(date="2026-08-01", from_currency="EUR", to_currency="USD", rate="1.10")
    world.send(sale([line()], [card(1040, reference="ch_1")], currency="EUR"))  # worth 11.44 USD
    world.send(payout(paid_line("1", 1170, 35, "ch_1")))
    rows = {key: value for key, value in world._sums("a.code, p.currency").items() if value}
    assert (CLEARING, "EUR") not in rows and (CLEARING, "USD") not in rows
    assert rows[BANK, "USD"] == 1135 and rows[FEES, "USD"] == 35
    assert rows[FX, "USD"] == -26


def test_a_payout_in_a_foreign_currency_clears_at_the_rate_of_the_sale(world):
    Rate.objects.create(date="2026-08-01", from_currency="EUR", to_currency="USD", rate="1.10")
    Rate.objects.create(date="2026-09-03", from_currency="EUR", to_currency="USD", rate="1.20")
    world.send(sale([line()], [card(1040, reference="ch_1")], currency="EUR"))
    world.send(payout(paid_line("1", 1040, 40, "ch_1"), currency="EUR"))
    rows = {key: value for key, value in world._sums("a.code, p.currency").items() if value}
    assert (CLEARING, "EUR") not in rows
    assert rows[FX, "USD"] == -(1248 - 1144)


def test_a_payout_without_a_rate_is_quarantined(world):
    world.send(payout(paid_line("1", 1040, 40, "ch_1"), currency="EUR"))
    assert world.codes() == ["MISSING_RATE"]
