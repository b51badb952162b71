"""Sums of any stretch of days, as of any entry: what is kept, and what is not rolled yet, in one statement."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import connection

from ledger.balances import statements
from ledger.spans import Run, cover, days
from salessync.core.models import Company

# What sums may be told apart by, besides the currency.
BY = ("account_id", "channel_id", "location", "tax_code", "category", "origin", "day")


class Period(NamedTuple):
    """Days booked on, both among them; None: without end."""

    first: date | None = None
    last: date | None = None

    @property
    def before(self) -> "Period | None":
        """All days before it; None where there are none."""
        if self.first is None or self.first == date.min:
            return None
        return Period(last=self.first - timedelta(days=1))


class AccountTotal(NamedTuple):
    """One account in one currency. `debit` and `credit` are positive minor units of it, `base` of the company's, debit positive."""

    account_id: int
    currency: str
    postings: int
    debit: int
    credit: int
    base: int


class DimensionTotal(NamedTuple):
    """The same for one combination of what was asked for; `by` has its values, in the order asked."""

    by: tuple[Any, ...]
    currency: str
    postings: int
    debit: int
    credit: int
    base: int


def last_entry(company: Company) -> int:
    """The number of the company's newest entry: what a report names, so that all its parts speak of the same journal."""
    return int(Company.objects.values_list("feed_seq", flat=True).get(pk=company.pk))


def by_account(
    *, company: Company, period: Period, through: int | None = None, accounts: Sequence[int] | None = None
) -> list[AccountTotal]:
    """Every account (or these, by id) with postings in the period, as of the entry with the number `through` (None: the newest)."""
    parameters = _parameters(company, period, cover(*period), through)
    parameters["accounts"] = None if accounts is None else list(accounts)
    with connection.cursor() as cursor:
        cursor.execute(statements.BY_ACCOUNT, parameters)
        return [AccountTotal(*row) for row in cursor.fetchall()]


def by_dimensions(
    *,
    company: Company,
    by: Sequence[str],
    period: Period,
    through: int | None = None,
    accounts: Sequence[int] | None = None,
    taxed: bool = False,
) -> list[DimensionTotal]:
    """Sums by any of BY and by currency, as of the entry with the number `through`; a day is a date.

    Of these accounts only, where they are given, and with `taxed` of whatever else bears a tax code. By the day it takes time for
    each day, otherwise as long for a century as for a month.
    """
    if set(by) - set(BY):
        raise ValueError(f"sums are kept by {', '.join(BY)}")
    parameters = _parameters(company, period, days(*period) if "day" in by else cover(*period), through)
    parameters["accounts"], parameters["taxed"] = None if accounts is None else list(accounts), taxed
    with connection.cursor() as cursor:
        cursor.execute(statements.by_dimensions(tuple(by)), parameters)
        rows = cursor.fetchall()
    day = by.index("day") if "day" in by else None
    return [DimensionTotal(_dated(row[: len(by)], day), *row[len(by) :]) for row in rows]


def days_of(*, company: Company, account: int, period: Period, through: int | None = None) -> list[tuple[date, int]]:
    """The days of the period on which the account (by id) has postings, and how many, in their order."""
    parameters = _parameters(company, period, [], through) | {"account": account}
    with connection.cursor() as cursor:
        cursor.execute(statements.DAYS, parameters)
        return [(date.fromordinal(day), count) for day, count in cursor.fetchall()]


def _dated(values: tuple[Any, ...], day: int | None) -> tuple[Any, ...]:
    if day is None:
        return values
    return (*values[:day], date.fromordinal(values[day]), *values[day + 1 :])


def _parameters(company: Company, period: Period, runs: Sequence[Run], through: int | None) -> dict[str, Any]:
    return {
        "company": company.pk,
        "first": (period.first or date.min).toordinal(),
        "last": (period.last or date.max).toordinal(),
        "through": through,
        "levels": [run.level for run in runs],
        "firsts": [run.first for run in runs],
        "lasts": [run.last for run in runs],
    }
