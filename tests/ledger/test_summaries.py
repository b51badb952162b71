"""Summary mode: one entry for many sales, the same trial balance, and every sale still found behind it."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.models import Channel
from channels.payout import Payout, PayoutLine
from ledger import periods, reports, summaries
from ledger.models import Detail, JournalEntry
from salessync import verify
from tests.records import START, back, card, line, refund, sale, sales, source
from tests.worlds import World

pytestmark = pytest.mark.django_db

LATER = datetime(2026, 12, 1, tzinfo=UTC)


def world_in(mode):
    world = World()
    set_mode(world, mode)
    return world


def set_mode(world, mode):
    Channel.objects.filter(pk=world.till.pk).update(posting_mode=mode)


def entries(world):
    return JournalEntry.objects.filter(company=world.company).order_by("seq")


def balances(world, day=None):
    return {
        (row.account, row.currency): (row.balance, row.base_balance)
        for row in reports.trial_balance(company=world.company, as_of=day)
        if row.balance or row.base_balance
    }


def laws_hold():
    broken = [law for law in verify.verify_books() if law.violations]
    assert not broken


def payout(id_, *references, amount=None, **more):
    lines = [
        PayoutLine(id=f"{id_}-{r}", category="charge", gross=g, fee=30, net=g - 30, reference=r) for r, g in references
    ]
    return Payout(
        source=source(id_), occurred_at=START, timezone="UTC", business_date=more.pop("day", START.date()), currency="USD",
        processor="stripe", status="paid", amount=sum(x.net for x in lines), lines=lines, residual=0, **more,
    )  # fmt: skip


def test_a_day_is_one_entry_that_leads_to_its_sales():
    world = world_in("day")
    world.send(*(sale([line()], [card(1040, reference=f"ch_{n}")], id_=f"S{n}") for n in range(5)))
    assert entries(world).count() == 0
    assert summaries.post_due(datetime(2026, 9, 1, 23, tzinfo=UTC)) == 0  # the day is not over
    assert summaries.post_due(LATER) == 1
    (entry,) = entries(world)
    assert entry.details.count() == 5
    assert world.balances() == {"Assets:Clearing:Stripe": 5200, "Income:Sales": -5000, "Liabilities:Tax-payable": -200}
    assert summaries.post_due(LATER) == 0
    laws_hold()


def test_what_comes_late_for_a_day_is_one_entry_more():
    world = world_in("day")
    world.send(sale([line()]))
    summaries.post_due(LATER)
    world.send(sale([line(price=1500)], version="2"), sale([line()], id_="S2"))
    assert summaries.post_due(LATER) == 1
    assert [e.details.count() for e in entries(world)] == [1, 2]
    assert world.balances()["Income:Sales"] == -2500
    laws_hold()


def test_a_day_that_cancels_itself_out_makes_no_entry():
    world = world_in("day")
    world.send(sale([line()]), sale([line()], version="2", status="voided", payment_status="voided"))
    assert summaries.post_due(LATER) == 0
    assert Detail.objects.filter(company_id=world.company.pk).count() == 2
    laws_hold()


def test_a_payout_is_one_entry_and_cash_goes_by_the_day():
    world = world_in("payout")
    world.send(
        sale([line()], [card(1040, reference="ch_1")], id_="S1"),
        sale([line()], [card(1040, reference="ch_2")], id_="S2"),
        sale([line()], [card(1040, reference="ch_3")], id_="S3"),
        sale([line()], [card(1040, "c", type="cash", processor=None)], id_="S4"),
    )
    assert summaries.post_due(datetime(2026, 9, 3, tzinfo=UTC)) == 1  # the cash
    world.send(payout("po_1", ("ch_1", 1040), ("ch_2", 1040)))
    assert summaries.post_due(datetime(2026, 9, 3, tzinfo=UTC)) == 1
    found = {e.transaction.source_id: e.details.count() for e in entries(world) if e.transaction.type == "summary"}
    assert found == {"2026-09-01 USD": 1, "payout po_1 2026-09 USD": 2}
    assert Detail.objects.filter(company_id=world.company.pk, entry=None).count() == 1
    assert summaries.post_due(LATER) == 1  # no payout has come for it in five weeks
    laws_hold()


def test_closing_a_period_takes_in_what_was_gathered():
    world = world_in("payout")
    world.send(sale([line()], [card(1040, reference="ch_1")]))
    periods.close(company=world.company, through=START.date(), actor="ada", reason="month end")
    (entry,) = entries(world)
    assert entry.date == START.date()
    laws_hold()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(sales(), min_size=1, max_size=4),
    st.lists(st.sampled_from(["sale", "day", "payout"]), min_size=8, max_size=8),
)
def test_any_way_of_posting_and_any_change_of_it_gives_the_same_trial_balance(db, sold, modes):
    plain, summed = world_in("sale"), World()
    for n, one in enumerate(sold):
        changed = sale([line(price=700)], version="2", id_=f"S{n}")
        first = sale(one.lines, one.tenders, inclusive=one.tax_inclusive, id_=f"S{n}")
        for step, body in enumerate((first, changed)):
            set_mode(summed, modes[(2 * n + step) % len(modes)])
            plain.send(body)
            summed.send(body)
            if modes[(n + step) % len(modes)] == "day":
                summaries.post_due(LATER)
    gives = refund([back(line(price=700), units=1, net=700, tax=40)], of="S0")
    plain.send(gives)
    summed.send(gives)
    summaries.post_due(LATER)
    assert balances(summed) == balances(plain)
    assert balances(summed, START.date()) == balances(plain, START.date())


def test_the_database_keeps_details_as_they_are():
    world = world_in("day")
    world.send(sale([line()]))
    for statement in (
        "UPDATE ledger_detail SET legs = 9",
        "DELETE FROM ledger_detail",
        "UPDATE ledger_detailposting SET amount = 1",
    ):
        with pytest.raises(IntegrityError, match=r"never changes|append-only"), transaction.atomic():
            connection.cursor().execute(statement)
