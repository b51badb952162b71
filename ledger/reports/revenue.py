"""Revenue: what was sold, less discounts, returns and allowances, by any of channel, location, category, day and account.

The rows are all postings on accounts of the kind income, wherever an administrator led them. Which column an amount belongs to says
the account, where it is one of the chart's contra accounts, and otherwise the part of the record that the amount comes from.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from channels.models import Channel
from ledger import accounts, balances
from ledger.balances import Period
from ledger.models import Account
from ledger.reports.report import Column, Kind, Report, tie
from salessync.core.models import Company

BY = ("channel", "location", "category", "day", "account")
AMOUNTS = ("gross", "discounts", "returns", "allowances", "other")
_STORED = {"channel": "channel_id", "account": "account_id"}  # others are stored under their own name


class RevenueRow(NamedTuple):
    """Credit positive, so that what is taken off is negative: minor units of the currency, `base_net` of the base currency.

    What was not asked for is None, as is what a posting does not say.
    """

    channel: str | None
    location: str | None
    category: str | None
    day: date | None
    account: str | None
    currency: str | None
    gross: int | None
    discounts: int | None
    returns: int | None
    allowances: int | None
    other: int | None
    net: int | None
    base_net: int


_BY_COLUMNS = (
    Column("channel", "Channel"),
    Column("location", "Location"),
    Column("category", "Category"),
    Column("day", "Day", Kind.DATE),
    Column("account", "Account", leads_to="general-ledger"),
)
_AMOUNT_COLUMNS = (
    Column("currency", "Currency"),
    Column("gross", "Gross", Kind.MONEY),
    Column("discounts", "Discounts", Kind.MONEY),
    Column("returns", "Returns", Kind.MONEY),
    Column("allowances", "Allowances", Kind.MONEY),
    Column("other", "Other", Kind.MONEY),
    Column("net", "Net", Kind.MONEY),
    Column("base_net", "Net in base currency", Kind.BASE),
)

_CONTRA = {accounts.DISCOUNTS: "discounts", accounts.RETURNS: "returns", accounts.ALLOWANCES: "allowances"}
_ORIGINS = {
    "sale/gross": "gross", "sale/line": "gross", "sale/discount": "discounts",
    "refund/net": "returns", "refund/line": "returns", "refund/discount": "returns",
    "refund/adjustment": "allowances", "refund/other": "allowances",
}  # fmt: skip


def column_of(account: str, origin: str) -> str:
    """One of AMOUNTS."""
    for contra, column in _CONTRA.items():
        if account == contra or account.startswith(f"{contra}:"):
            return column
    return _ORIGINS.get(origin, "other")


def revenue(
    *, company: Company, period: Period, by: Sequence[str] = ("channel",), through: int | None = None
) -> list[RevenueRow]:
    """One row for each combination and currency that has postings, as of entry number `through`; sorted."""
    income = _income(company)
    channels = dict(Channel.objects.filter(company=company).values_list("pk", "slug"))
    asked = [name for name in BY if name in by]
    stored = ["account_id", "origin", *(_STORED.get(name, name) for name in asked if name != "account")]
    found = balances.by_dimensions(company=company, by=stored, period=period, through=through, accounts=list(income))
    sums: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys((*AMOUNTS, "base"), 0))
    for total in found:
        values = dict(zip(stored, total.by, strict=True))
        account = income[values["account_id"]]
        named = {**values, "account": account, "channel": channels.get(values.get("channel_id", 0))}
        amounts = sums[(*(named[name] for name in asked), total.currency)]
        amounts[column_of(account, values["origin"])] += total.credit - total.debit
        amounts["base"] -= total.base
    return [
        _row(dict(zip(asked, key, strict=False)), key[-1], sums[key])
        for key in sorted(sums, key=lambda key: tuple((part is not None, part) for part in key))
    ]


def _row(named: dict[str, Any], currency: str | None, amounts: dict[str, int]) -> RevenueRow:
    columns = [amounts[name] for name in AMOUNTS]
    return RevenueRow(*(named.get(name) for name in BY), currency, *columns, sum(columns), amounts["base"])


def _income(company: Company) -> dict[int, str]:
    of_kind = Account.objects.filter(company=company, kind=Account.Kind.INCOME)
    return dict(of_kind.values_list("pk", "code"))


def report(*, company: Company, period: Period, by: Sequence[str] = ("channel",)) -> Report:
    """The same, to be shown; tied to the income accounts of the trial balance."""
    through = balances.last_entry(company)
    rows = revenue(company=company, period=period, by=by, through=through)
    in_ledger = balances.by_account(company=company, period=period, through=through, accounts=list(_income(company)))
    here, there = sum(row.base_net for row in rows), -sum(total.base for total in in_ledger)
    return Report(
        "revenue", "Revenue", company.slug, company.base_currency, *period,
        [*(column for column in _BY_COLUMNS if column.name in by), *_AMOUNT_COLUMNS],
        rows, _totals(rows), lambda: tie("on the income accounts", here, there, company.base_currency), tuple(by),
    )  # fmt: skip


def _totals(rows: Sequence[RevenueRow]) -> list[RevenueRow]:
    """One line a currency."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys((*AMOUNTS, "base"), 0))
    for row in rows:
        assert row.currency is not None
        for name in AMOUNTS:
            sums[row.currency][name] += getattr(row, name)
        sums[row.currency]["base"] += row.base_net
    return [_row({}, currency, amounts) for currency, amounts in sorted(sums.items())]
