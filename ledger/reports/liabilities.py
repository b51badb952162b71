"""Roll-forward of what customers are owed: gift cards, store credit, deposits. Opening, what came and went by its reason, closing."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from ledger import accounts, balances
from ledger.balances import Period
from ledger.models import Account
from ledger.reports.report import Column, Kind, Report, tie, within
from salessync.core.models import Company

AMOUNTS = ("opening", "sold", "redeemed", "refunded", "taken_back", "other", "closing")

# Report name → title, and the accounts with whatever is below them.
SUBJECTS = {
    "gift-cards": ("Gift cards", (accounts.GIFT_CARDS,)),
    "store-credit": ("Store credit", (accounts.STORE_CREDIT,)),
    "deposits": ("Customer deposits", (accounts.DEPOSITS,)),
}


class LiabilityRow(NamedTuple):
    """Credit positive: owed. Minor units of the currency, `base_closing` of the base currency.

    `sold`: on lines of sales. `redeemed`: paid with. `refunded`: given as a refund. `taken_back`: lines of refunds. `other`: what
    has no sale or refund, such as what expired.
    """

    account: str
    currency: str | None
    opening: int | None
    sold: int | None
    redeemed: int | None
    refunded: int | None
    taken_back: int | None
    other: int | None
    closing: int | None
    base_closing: int


COLUMNS = (
    Column("account", "Account", leads_to="general-ledger"),
    Column("currency", "Currency"),
    Column("opening", "Opening", Kind.MONEY),
    Column("sold", "Sold", Kind.MONEY),
    Column("redeemed", "Redeemed", Kind.MONEY),
    Column("refunded", "Refunded to it", Kind.MONEY),
    Column("taken_back", "Taken back", Kind.MONEY),
    Column("other", "Expired and other", Kind.MONEY),
    Column("closing", "Closing", Kind.MONEY),
    Column("base_closing", "Closing in base currency", Kind.BASE),
)


def reason_of(origin: str) -> str:
    """One of AMOUNTS, for the type of a transaction and the part of its record."""
    kind, _, part = origin.partition("/")
    if kind == "sale":
        return "redeemed" if part == "tender" else "sold"
    if kind == "refund":
        return "refunded" if part == "tender" else "taken_back"
    return "other"


WHOLE_REFUND = "refund/other"  # its record does not say by what it was paid, or the last refund gives back what is left


def roll_forward(
    *, company: Company, period: Period, codes: Sequence[str] = (accounts.GIFT_CARDS,), through: int | None = None
) -> list[LiabilityRow]:
    """One row for each of these accounts, or below them, and currency; as of entry number `through`."""
    found = _accounts(company, codes)
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys((*AMOUNTS, "base"), 0))
    if period.before:
        before = balances.by_account(company=company, period=period.before, through=through, accounts=list(found))
        for total in before:
            _add(sums[found[total.account_id], total.currency], "opening", total)
    moved = balances.by_dimensions(
        company=company, by=["account_id", "origin"], period=period, through=through, accounts=list(found)
    )
    for change in moved:
        account_id, origin = change.by
        amounts = sums[found[account_id], change.currency]
        _add(amounts, reason_of(origin), change)
        if origin == WHOLE_REFUND:  # then what was credited went to the customer
            amounts["refunded"] += change.credit
            amounts["taken_back"] -= change.credit
    return [_row(account, currency, amounts) for (account, currency), amounts in sorted(sums.items())]


def _accounts(company: Company, codes: Sequence[str]) -> dict[int, str]:
    every = Account.objects.filter(company=company).values_list("pk", "code")
    return {pk: code for pk, code in every if within(code, codes)}


def _add(amounts: dict[str, int], reason: str, total: balances.AccountTotal | balances.DimensionTotal) -> None:
    amounts[reason] += total.credit - total.debit
    amounts["closing"] += total.credit - total.debit
    amounts["base"] -= total.base


def _row(account: str, currency: str, amounts: dict[str, int]) -> LiabilityRow:
    return LiabilityRow(account, currency, *(amounts[name] for name in AMOUNTS), amounts["base"])


def report(*, company: Company, period: Period, name: str = "gift-cards", codes: Sequence[str] | None = None) -> Report:
    """The same, to be shown; tied to the accounts' balance in the trial balance. `codes`: other accounts than the subject's."""
    title, usual = SUBJECTS[name]
    codes = codes or usual
    through = balances.last_entry(company)
    rows = roll_forward(company=company, period=period, codes=codes, through=through)
    own = list(_accounts(company, codes))
    in_ledger = balances.by_account(company=company, period=Period(last=period.last), through=through, accounts=own)
    here, there = sum(row.base_closing for row in rows), -sum(total.base for total in in_ledger)
    return Report(
        name, title, company.slug, company.base_currency, *period, COLUMNS, rows, _totals(rows),
        lambda: tie(f"owed on {', '.join(codes)}", here, there, company.base_currency),
    )  # fmt: skip


def _totals(rows: Sequence[LiabilityRow]) -> list[LiabilityRow]:
    """One line a currency."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys((*AMOUNTS, "base"), 0))
    for row in rows:
        amounts = sums[row.currency or ""]
        for name in AMOUNTS:
            amounts[name] += getattr(row, name)
        amounts["base"] += row.base_closing
    return [_row("Sum", currency, amounts) for currency, amounts in sorted(sums.items())]
