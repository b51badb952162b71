"""Closed days: nothing is booked on them, what is late goes to the first open day, and the database holds it."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from ledger import periods
from ledger.models import JournalEntry, PeriodChange
from salessync.core.models import AuditRow, Company
from salessync.core.problems import Refused
from tests.ledger import journal_rows
from tests.records import back, line, refund, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return World()


def close(world, day, reason="month end"):
    return periods.close(company=world.company, through=day, actor="ada", reason=reason)


def days(world):
    """(booked on, belongs to) of every entry, in the order of the feed."""
    rows = JournalEntry.objects.filter(company=world.company).order_by("seq")
    return list(rows.values_list("date", "business_date"))


def test_what_comes_late_is_booked_on_the_first_open_day_and_keeps_its_own(world):
    world.send(sale([line()], id_="S1"))
    close(world, date(2026, 9, 30))
    world.send(sale([line()], id_="S2"), refund([back(line(), units=1, net=1000, tax=40)], of="S1"))
    assert days(world) == [
        (date(2026, 9, 1), date(2026, 9, 1)),
        (date(2026, 10, 1), date(2026, 9, 1)),
        (date(2026, 10, 1), date(2026, 9, 2)),
    ]


def test_an_edit_of_a_closed_day_leaves_it_as_it_was(world):
    world.send(sale([line()]))
    close(world, date(2026, 9, 30))
    world.send(sale([line(price=1500)], version="2"))
    assert days(world) == [(date(2026, 9, 1), date(2026, 9, 1)), (date(2026, 10, 1), date(2026, 9, 1))]
    assert world.balances()["Income:Sales"] == -1500


def test_opened_again_with_a_reason_and_closed_again(world):
    close(world, date(2026, 9, 30))
    periods.reopen(company=world.company, through=date(2026, 8, 31), actor="ada", reason="a forgotten till")
    world.send(sale([line()]))
    assert days(world) == [(date(2026, 9, 1), date(2026, 9, 1))]
    close(world, date(2026, 9, 30), "again")
    told = (
        PeriodChange.objects.filter(company=world.company)
        .order_by("id")
        .values_list("action", "before", "closed_through")
    )
    assert list(told) == [
        ("closed", None, date(2026, 9, 30)),
        ("reopened", date(2026, 9, 30), date(2026, 8, 31)),
        ("closed", date(2026, 8, 31), date(2026, 9, 30)),
    ]
    assert AuditRow.objects.filter(company_id=world.company.pk, object_type="period").count() == 3


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda c: periods.close(company=c, through=date(2026, 9, 30), actor="ada", reason="x"), "PERIOD_CLOSED"),
        (lambda c: periods.close(company=c, through=date(2026, 9, 1), actor="ada", reason="x"), "PERIOD_CLOSED"),
        (lambda c: periods.close(company=c, through=date(2026, 10, 31), actor="ada", reason=" "), "MISSING_REASON"),
        (lambda c: periods.reopen(company=c, through=date(2026, 10, 31), actor="ada", reason="x"), "PERIOD_OPEN"),
        (lambda c: periods.reopen(company=c, through=None, actor="ada", reason=""), "MISSING_REASON"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_code(world, act, code):
    close(world, date(2026, 9, 30))
    with pytest.raises(Refused) as refused:
        act(world.company)
    assert [p.code for p in refused.value.problems] == [code]


def test_the_database_refuses_an_entry_on_a_closed_day():
    company = journal_rows.company()
    Company.objects.filter(pk=company.pk).update(closed_through=date(2026, 9, 1))
    with pytest.raises(IntegrityError, match="closed through 2026-09-01"), transaction.atomic():
        journal_rows.entry(day=date(2026, 9, 1))
    journal_rows.entry(day=date(2026, 9, 2))
