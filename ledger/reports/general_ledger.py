"""The general ledger of one account: what it opened with, every posting with where it comes from, what it closed with.

The kept sums say on which days the account has postings, so that a page of lines reads those days only, however long the period is.
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from django.db import connection

from ledger import balances
from ledger.balances import Period
from ledger.models import Account
from ledger.reports.report import Column, Kind, Report, Tie, tie
from salessync.core.models import Company

PAGE = 200  # lines on a screen
READ = 5_000  # lines read at once when all are wanted
LAST_LEG = 2**15 - 1


class Place(NamedTuple):
    """Where a page ends: the next one begins after it. Sorts as the lines do."""

    day: date
    entry: int  # the entry's number
    leg: int


class LedgerRow(NamedTuple):
    """One posting: minor units of the currency, `base_…` of the base currency, debit positive; the balances are those after it.

    The opening and the closing balance are rows too, one a currency, without an entry; their `text` says so.
    """

    date: date | None
    business_date: date | None
    entry: int | None
    text: str
    channel: str | None
    path: str
    location: str | None
    category: str | None
    tax_code: str | None
    currency: str
    debit: int | None
    credit: int | None
    balance: int
    base_amount: int | None
    base_balance: int
    leg: int | None = None
    entry_id: int | None = None
    transaction_id: int | None = None


COLUMNS = (
    Column("date", "Date", Kind.DATE),
    Column("business_date", "Business date", Kind.DATE),
    Column("entry", "Entry", Kind.NUMBER, leads_to="entry"),
    Column("text", "Source", leads_to="transaction"),
    Column("channel", "Channel"),
    Column("path", "From"),
    Column("location", "Location"),
    Column("category", "Category"),
    Column("tax_code", "Tax code"),
    Column("currency", "Currency"),
    Column("debit", "Debit", Kind.MONEY),
    Column("credit", "Credit", Kind.MONEY),
    Column("balance", "Balance", Kind.MONEY),
    Column("base_amount", "Amount in base currency", Kind.BASE),
    Column("base_balance", "Balance in base currency", Kind.BASE),
    Column("leg", "Leg", Kind.NUMBER, hidden=True),
    Column("entry_id", "Entry id", Kind.NUMBER, hidden=True),
    Column("transaction_id", "Transaction id", Kind.NUMBER, hidden=True),
)

Balances = dict[str, tuple[int, int]]  # currency → (balance in it, its worth in base currency)


class Page(NamedTuple):
    """Some lines; `before` is what stood before the first of them, `after` the place where they end, None where they are the last."""

    before: Balances
    rows: list[LedgerRow]
    after: Place | None


def page(
    *,
    company: Company,
    account: Account,
    period: Period,
    after: Place | None = None,
    limit: int = PAGE,
    through: int | None = None,
) -> Page:
    """The lines after a place (None: from the beginning), as of entry number `through`."""
    through = balances.last_entry(company) if through is None else through
    running = before = _balances_at(company, account, period, after, through)
    days = balances.days_of(
        company=company,
        account=account.pk,
        period=Period(after.day if after else period.first, period.last),
        through=through,
    )
    rows: list[LedgerRow] = []
    while days and len(rows) <= limit:
        chosen, days = _enough(days, limit + 1 - len(rows))
        for row in _lines(company, account, chosen, after, through, limit + 1 - len(rows)):
            running = _moved(running, row)
            balance, base = running[row.currency][0], sum(worth for _, worth in running.values())
            rows.append(row._replace(balance=balance, base_balance=base))
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(before, rows, _place(rows[-1]) if more else None)


def lines(*, company: Company, account: Account, period: Period, through: int | None = None) -> Iterator[LedgerRow]:
    """All of them, with the opening and the closing balances, read some at a time."""
    through = balances.last_entry(company) if through is None else through
    place, first = None, True
    running: Balances = {}
    while place is not None or first:
        found = page(company=company, account=account, period=period, after=place, limit=READ, through=through)
        if first:
            running = found.before
            yield from _standing(running, "Opening balance", period.first)
        for row in found.rows:
            running = _moved(running, row)
            yield row
        place, first = found.after, False
    yield from _standing(running, "Closing balance", period.last)


def opening(found: Page, period: Period) -> list[LedgerRow]:
    """What a page begins with, as rows."""
    return list(_standing(found.before, "Opening balance", period.first))


def closing(*, company: Company, account: Account, period: Period, through: int) -> list[LedgerRow]:
    """What the account closes with, by the kept sums, as rows."""
    return list(_standing(_at(company, account, Period(last=period.last), through), "Closing balance", period.last))


def _standing(found: Balances, text: str, day: date | None) -> Iterator[LedgerRow]:
    base = sum(worth for _, worth in found.values())
    for currency, (balance, _) in sorted(found.items()):
        yield LedgerRow(day, None, None, text, None, "", None, None, None, currency, None, None, balance, None, base)


def _moved(running: Balances, row: LedgerRow) -> Balances:
    balance, worth = running.get(row.currency, (0, 0))
    amount = (row.debit or 0) - (row.credit or 0)
    return {**running, row.currency: (balance + amount, worth + (row.base_amount or 0))}


def _place(row: LedgerRow) -> Place:
    assert row.date and row.entry is not None and row.leg is not None
    return Place(row.date, row.entry, row.leg)


def _at(company: Company, account: Account, period: Period | None, through: int) -> Balances:
    """What stands at the end of these days."""
    if period is None:
        return {}
    found = balances.by_account(company=company, period=period, through=through, accounts=[account.pk])
    return {total.currency: (total.debit - total.credit, total.base) for total in found}


def _balances_at(company: Company, account: Account, period: Period, after: Place | None, through: int) -> Balances:
    if after is None:
        return _at(company, account, period.before, through)
    running = _at(company, account, Period(first=after.day).before, through)
    for row in _lines(company, account, [after.day], None, through, None, until=after):
        running = _moved(running, row)
    return running


def _enough(days: list[tuple[date, int]], lines: int) -> tuple[list[date], list[tuple[date, int]]]:
    """The first days that have so many lines together, and the rest."""
    count = 0
    for index, (_, postings) in enumerate(days):
        count += postings
        if count >= lines:
            return [day for day, _ in days[: index + 1]], days[index + 1 :]
    return [day for day, _ in days], []


def _lines(
    company: Company,
    account: Account,
    days: list[date],
    after: Place | None,
    through: int,
    limit: int | None,
    until: Place | None = None,
) -> list[LedgerRow]:
    """The postings on these days, their balances left at zero."""
    after, until = after or Place(date.min, 0, 0), until or Place(date.max, through, LAST_LEG)
    parameters = {
        "company": company.pk, "account": account.pk, "days": days, "through": through, "limit": limit,
        "after_day": after.day, "after_entry": after.entry, "after_leg": after.leg,
        "until_day": until.day, "until_entry": until.entry, "until_leg": until.leg,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_LINES, parameters)
        return [LedgerRow(*row[:12], 0, row[12], 0, *row[13:]) for row in cursor.fetchall()]


# The days are compared as they are stored, so that the index on them serves.
_LINES = """
    SELECT e.date, e.business_date, e.seq, coalesce(t.type || ' ' || coalesce(t.number, t.source_id), ''), c.slug, p.path,
           p.location, p.category, p.tax_code, p.currency, greatest(p.amount, 0), greatest(-p.amount, 0), p.base_amount, p.leg, e.id,
           e.transaction_id
      FROM ledger_journalentry e, LATERAL (SELECT * FROM ledger_posting p WHERE p.entry_id = e.id OFFSET 0) p
      LEFT JOIN channels_channel c ON c.id = p.channel_id LEFT JOIN channels_transaction t ON t.id = p.transaction_id
     WHERE e.company_id = %(company)s AND e.date = ANY(%(days)s::date[]) AND e.seq <= %(through)s AND p.account_id = %(account)s
       AND (e.date, e.seq, p.leg) > (%(after_day)s::date, %(after_entry)s::bigint, %(after_leg)s::int)
       AND (e.date, e.seq, p.leg) <= (%(until_day)s::date, %(until_entry)s::bigint, %(until_leg)s::int)
     ORDER BY e.date, e.seq, p.leg LIMIT %(limit)s
"""


def tied(running: int, kept: int, currency: str) -> Tie:
    """The last line's balance beside that of the trial balance."""
    return tie("on the account in the trial balance", running, kept, currency)


def report(*, company: Company, account: Account, period: Period) -> Report:
    """The same, to be shown; its closing balance is tied to the trial balance."""
    through = balances.last_entry(company)
    summed = [0]

    def rows() -> Iterator[LedgerRow]:
        for row in lines(company=company, account=account, period=period, through=through):
            if row.entry is None:
                summed[0] = row.base_balance
            yield row

    def closes() -> Tie:
        in_ledger = sum(worth for _, worth in _at(company, account, Period(last=period.last), through).values())
        return tied(summed[0], in_ledger, company.base_currency)

    return Report(
        "general-ledger",
        f"General ledger of {account.code}",
        company.slug,
        company.base_currency,
        *period,
        COLUMNS,
        rows(),
        [],
        closes,
    )
