"""The trial balance: every account with its balance at the end of a day."""

from datetime import date
from typing import NamedTuple

from ledger import balances
from ledger.balances import Period
from ledger.models import Account
from ledger.reports.report import Column, Kind, Report, Tie
from salessync.core.models import Company
from salessync.core.money import to_major


class BalanceRow(NamedTuple):
    """One account in one currency: minor units of the currency, `base_balance` of the company's base currency.

    Debits and credits are both positive; the balance is debit less credit.
    """

    account: str
    currency: str
    debit: int
    credit: int
    balance: int
    base_balance: int


class Totals(NamedTuple):
    """Sums over all rows. `base` is zero in every sound journal; a currency's sum is, but for what was exchanged for another."""

    base: int
    by_currency: dict[str, int]


class TotalRow(NamedTuple):
    """A line below the rows."""

    account: str
    currency: str | None
    debit: int | None
    credit: int | None
    balance: int | None
    base_balance: int | None


COLUMNS = (
    Column("account", "Account", leads_to="general-ledger"),
    Column("currency", "Currency"),
    Column("debit", "Debit", Kind.MONEY),
    Column("credit", "Credit", Kind.MONEY),
    Column("balance", "Balance", Kind.MONEY),
    Column("base_balance", "Balance in base currency", Kind.BASE),
)


def trial_balance(*, company: Company, as_of: date | None = None, through: int | None = None) -> list[BalanceRow]:
    """Every account with postings up to the end of `as_of` (None: all), by account and currency; as of entry number `through`."""
    codes = dict(Account.objects.filter(company=company).values_list("pk", "code"))
    found = balances.by_account(company=company, period=Period(last=as_of), through=through)
    rows = [BalanceRow(codes[s.account_id], s.currency, s.debit, s.credit, s.debit - s.credit, s.base) for s in found]
    return sorted(rows)


def totals(rows: list[BalanceRow]) -> Totals:
    """The sums that show whether the books are sound."""
    by_currency: dict[str, int] = {}
    for row in rows:
        by_currency[row.currency] = by_currency.get(row.currency, 0) + row.balance
    return Totals(sum(row.base_balance for row in rows), by_currency)


def report(*, company: Company, as_of: date | None = None) -> Report:
    """The same, to be shown."""
    rows = trial_balance(company=company, as_of=as_of)
    summed = totals(rows)
    base = company.base_currency
    return Report(
        "trial-balance", "Trial balance", company.slug, base, None, as_of, COLUMNS, rows,
        [*(_currency_total(rows, currency, of) for currency, of in sorted(summed.by_currency.items())),
         TotalRow("Sum", None, None, None, None, summed.base)],
        lambda: _tie(summed, base),
    )  # fmt: skip


def _currency_total(rows: list[BalanceRow], currency: str, balance: int) -> TotalRow:
    own = [row for row in rows if row.currency == currency]
    return TotalRow(
        total_label(balance), currency, sum(r.debit for r in own), sum(r.credit for r in own), balance, None
    )


def total_label(balance: int) -> str:
    """What a currency's sum is called: not zero, where some of it was exchanged for another currency."""
    return "Sum" if balance == 0 else "Sum, exchanged for another currency"


def _tie(summed: Totals, base: str) -> Tie:
    if summed.base:
        return Tie(
            summed.base,
            0,
            f"THE BOOKS DO NOT BALANCE: the sum in base currency is {to_major(summed.base, base)} {base}.",
        )
    return Tie(0, 0, f"The books balance: debits and credits are equal in {base}.")
