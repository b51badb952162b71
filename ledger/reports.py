"""What the books say. Reads only."""

from datetime import date
from typing import NamedTuple

from django.db import connection

from salessync.core.models import Company


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
    """Sums over all rows. `base` is zero in every sound journal; a currency's sum is, as long as no entry mixes currencies."""

    base: int
    by_currency: dict[str, int]


def trial_balance(*, company: Company, as_of: date | None = None) -> list[BalanceRow]:
    """Every account with postings up to the end of `as_of` (None: all), by account and currency."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.code, s.currency, s.debit, s.credit, s.debit - s.credit, s.base FROM ("
            "  SELECT p.account_id, p.currency, coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0) AS debit,"
            "    coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0) AS credit, sum(p.base_amount) AS base"
            "  FROM ledger_posting p JOIN ledger_journalentry e ON e.id = p.entry_id"
            "  WHERE p.company_id = %s AND (%s::date IS NULL OR e.date <= %s::date)"
            "  GROUP BY p.account_id, p.currency"
            ') s JOIN ledger_account a ON a.id = s.account_id ORDER BY a.code COLLATE "C", s.currency',
            [company.pk, as_of, as_of],
        )
        return [BalanceRow(row[0], row[1], *map(int, row[2:])) for row in cursor.fetchall()]


def totals(rows: list[BalanceRow]) -> Totals:
    """The sums that show whether the books are sound."""
    by_currency: dict[str, int] = {}
    for row in rows:
        by_currency[row.currency] = by_currency.get(row.currency, 0) + row.balance
    return Totals(sum(row.base_balance for row in rows), by_currency)
