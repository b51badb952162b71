"""The report of open items: tied to the trial balance on every day, sums by age, and what it said of a day it says for ever."""

import json
from datetime import date, timedelta

import pytest

from ledger import open_items
from ledger.balances import Period
from ledger.reports import catalog, writing
from ledger.reports import open_items as report
from ledger.reports.catalog import Asked
from tests.ledger.test_settling import a_week, paid_line, payout, send
from tests.records import card, line, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db
CLEARING = "Assets:Clearing:Stripe"
DAYS = [date(2026, 8, 31) + timedelta(days=n) for n in range(6)]


@pytest.fixture
def world(db):
    return World()


def made(world, last=None, today=date(2026, 12, 1), **more):
    return report.report(company=world.company, last=last, today=today, **more)


def told(found):
    return sorted((r.account, r.source, r.amount, r.base_amount) for r in found.rows)


def sold(world, day, id_, amount=1040):
    made = sale([line()], [card(amount, reference=id_)], id_=id_)
    made.business_date = day
    world.send(made)


def test_every_day_ties_to_the_trial_balance(world):
    send(world, a_week(world))
    for day in [*DAYS, None]:
        found = made(world, day)
        assert found.tie().holds, (day, found.tie().sentence)
    assert [len(made(world, day).rows) for day in DAYS] == [0, 2, 4, 0, 0, 0]


def test_what_was_open_on_a_day_stays_so_whatever_comes_later(world):
    week = sorted(a_week(world), key=lambda message: message[0].business_date)
    then = {}
    pay = world.channel(f"pay-{world.company.slug}", "standard")
    for record, where in week:
        world.send(record, channel=pay if where else None)
        then[record.business_date] = told(made(world))
    assert len(then) == 3
    for day, said in then.items():
        assert told(made(world, day)) == said
    assert all(row.opened_on <= date(2026, 9, 2) for row in made(world, date(2026, 9, 2)).rows)


def test_ages_are_counted_in_spans_with_a_sum_for_each(world):
    today = date(2026, 12, 1)
    for n, days in enumerate((0, 7, 8, 30, 31, 60, 61)):
        sold(world, today - timedelta(days=days), f"ch_{n}")
    world.send(payout(paid_line("1", 1040, 60, "ch_9"), day=today))
    sums = [(r.account, r.bucket, r.amount, r.items) for r in made(world).totals]
    assert sums == [
        (CLEARING, "0-7 days", 1040, 3),
        (CLEARING, "8-30 days", 2080, 2),
        (CLEARING, "31-60 days", 2080, 2),
        (CLEARING, "over 60 days", 1040, 1),
        (CLEARING, "all ages", 6240, 8),
        ("Sum", "", None, 8),
    ]
    assert made(world).tie().report == 6240
    assert [r.age for r in made(world, today - timedelta(days=30)).rows] == [31, 30, 1, 0]


def test_only_the_accounts_that_are_asked_for(world):
    sold(world, date(2026, 9, 1), "ch_1")
    assert made(world, accounts=[CLEARING]).tie() == made(world).tie()
    other = made(world, accounts=["Assets:Clearing:Paypal"])
    assert (list(other.rows), other.tie().holds, other.tie().report) == ([], True, 0)


def test_it_is_in_the_catalog_with_all_its_forms(world):
    sold(world, date(2026, 9, 1), "ch_1")
    asked = Asked(world.company, Period(last=date(2026, 9, 30)))
    found = json.loads("".join(writing.as_json(catalog.make("open-items", asked))))
    assert found["tie_out"]["ties"] and found["rows"][0]["transaction_id"] and found["rows"][0]["age"] == 29
    lines = list(writing.as_csv(catalog.make("open-items", asked)))
    assert lines[1].startswith("Assets:Clearing:Stripe,USD,10.40,10.40,2026-09-01,29,8-30 days,,")
    assert "Ties to the ledger" in list(writing.as_table(catalog.make("open-items", asked)))[-1]


def test_an_alarm_counts_only_what_is_too_old(world):
    sold(world, date(2026, 9, 1), "ch_1")
    sold(world, date(2026, 9, 2), "ch_2")
    open_items.roll_all()
    day, slug = date(2026, 9, 16), world.company.slug
    assert open_items.alarming(day - timedelta(days=1)) == []
    assert open_items.alarming(day) == [(slug, open_items.ClearingState(CLEARING, "USD", 1, 1040, 1040, 15))]
    assert open_items.alarming(day, days=13)[0][1].items == 2
    assert open_items.alarming(day, days=15) == []
    assert open_items.older(world.company, today=day, days=14) == [open_items.alarming(day)[0][1]]
    assert open_items.older(World().company, today=day, days=14) == []
