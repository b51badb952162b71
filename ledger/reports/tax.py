"""Tax liability: what was owed before, what was collected and given back, what is owed after; by jurisdiction and tax code.

The rows are all postings with a tax code, and whatever else is on the accounts that tax is owed on. What a marketplace collects and
remits itself is never owed by us, and stands apart; so does input tax.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from channels.models import Channel
from ledger import accounts, balances
from ledger.balances import Period
from ledger.models import Account
from ledger.reports.report import Column, Kind, Report, tie, within
from salessync.core.models import Company

BY = ("jurisdiction", "tax_code", "channel", "location")
OURS, MARKETPLACE, OTHER = "owed by us", "collected and owed by the marketplace", "input tax and other accounts"
AMOUNTS = ("opening", "collected", "given_back", "other", "closing")

# How tax/codes.py begins a code: ISO 3166, then the vendor's parts of it.
_JURISDICTION = re.compile(r"[A-Z]{2}(?:-[A-Za-z0-9]+)*(?= |$)")


class TaxRow(NamedTuple):
    """Credit positive: owed. Minor units of the currency, `base_closing` of the base currency; what was not asked for is None."""

    section: str
    jurisdiction: str | None
    tax_code: str | None
    channel: str | None
    location: str | None
    account: str | None
    currency: str | None
    opening: int | None
    collected: int | None
    given_back: int | None
    other: int | None
    closing: int | None
    base_closing: int


_NAMED = (
    Column("section", "Whose"),
    Column("jurisdiction", "Jurisdiction"),
    Column("tax_code", "Tax code"),
    Column("channel", "Channel"),
    Column("location", "Location"),
)
_COLUMNS = (
    Column("account", "Account", leads_to="general-ledger"),
    Column("currency", "Currency"),
    Column("opening", "Opening", Kind.MONEY),
    Column("collected", "Collected", Kind.MONEY),
    Column("given_back", "Given back", Kind.MONEY),
    Column("other", "Paid and other", Kind.MONEY),
    Column("closing", "Closing", Kind.MONEY),
    Column("base_closing", "Closing in base currency", Kind.BASE),
)


def jurisdiction_of(tax_code: str | None) -> str | None:
    """US-NY of "US-NY NY State 4%"; None for a code that names none."""
    found = _JURISDICTION.match(tax_code or "")
    return found.group() if found else None


def tax(
    *, company: Company, period: Period, by: Sequence[str] = ("jurisdiction", "tax_code"), through: int | None = None
) -> list[TaxRow]:
    """One row for each section, combination, account and currency, as of entry number `through`; what is owed by us first."""
    codes = dict(Account.objects.filter(company=company).values_list("pk", "code"))
    owed = _owed(company, codes, period, through)
    channels = dict(Channel.objects.filter(company=company).values_list("pk", "slug"))
    stored = ["account_id", "origin", "tax_code", *(s for name, s in _STORED if name in by)]
    sums: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys((*AMOUNTS, "base"), 0))
    for span, opening in _spans(period):
        found = balances.by_dimensions(
            company=company, by=stored, period=span, through=through, accounts=owed, taxed=True
        )
        for total in found:
            values = dict(zip(stored, total.by, strict=True))
            account = codes[values["account_id"]]
            named = {
                "jurisdiction": jurisdiction_of(values["tax_code"]), "tax_code": values["tax_code"],
                "channel": channels.get(values.get("channel_id", 0)), "location": values.get("location"),
            }  # fmt: skip
            section = OURS if values["account_id"] in owed else _section(account)
            amounts = sums[(section, *(named[name] for name in BY if name in by), account, total.currency)]
            _add(amounts, values["origin"], total, opening=opening)
    return [
        _row([name for name in BY if name in by], key, amounts) for key, amounts in sorted(sums.items(), key=_order)
    ]


_STORED = (("channel", "channel_id"), ("location", "location"))


def _owed(company: Company, codes: dict[int, str], period: Period, through: int | None) -> list[int]:
    """The accounts that tax is owed on: the chart's, and liabilities that bear a tax code wherever it was led."""
    taxed = balances.by_dimensions(
        company=company, by=["account_id"], period=Period(last=period.last), through=through, accounts=[], taxed=True
    )
    liabilities = set(Account.objects.filter(company=company, kind=Account.Kind.LIABILITY).values_list("pk", flat=True))
    led = {account for total in taxed for account in total.by} & liabilities
    return sorted(led | {pk for pk, code in codes.items() if within(code, [accounts.TAX_PAYABLE])})


def _spans(period: Period) -> list[tuple[Period, bool]]:
    """The days before, where there are any, and the period."""
    return [*([(period.before, True)] if period.before else []), (period, False)]


def _section(account: str) -> str:
    marketplace = account.startswith("Assets:Clearing:") and account.endswith("-marketplace-tax")
    return MARKETPLACE if marketplace else OTHER


def _add(amounts: dict[str, int], origin: str, total: balances.DimensionTotal, *, opening: bool) -> None:
    if opening:
        amounts["opening"] += total.credit - total.debit
    elif origin.startswith(("sale/", "refund/")):
        amounts["collected"] += total.credit
        amounts["given_back"] -= total.debit
    else:
        amounts["other"] += total.credit - total.debit
    amounts["closing"] += total.credit - total.debit
    amounts["base"] -= total.base


def _order(item: tuple[tuple[Any, ...], Any]) -> tuple[Any, ...]:
    section, *rest = item[0]
    return ((OURS, MARKETPLACE, OTHER).index(section), *((part is not None, part) for part in rest))


def _row(asked: Sequence[str], key: tuple[Any, ...], amounts: dict[str, int]) -> TaxRow:
    section, *values, account, currency = key
    named = dict(zip(asked, values, strict=True))
    return TaxRow(
        section,
        *(named.get(name) for name in BY),
        account,
        currency,
        *(amounts[name] for name in AMOUNTS),
        amounts["base"],
    )


def report(*, company: Company, period: Period, by: Sequence[str] = ("jurisdiction", "tax_code")) -> Report:
    """The same, to be shown; what is owed by us is tied to its accounts in the trial balance."""
    through = balances.last_entry(company)
    rows = tax(company=company, period=period, by=by, through=through)
    codes = dict(Account.objects.filter(company=company).values_list("pk", "code"))
    owed = _owed(company, codes, period, through)
    in_ledger = balances.by_account(company=company, period=Period(last=period.last), through=through, accounts=owed)
    here = sum(row.base_closing for row in rows if row.section == OURS)
    there = -sum(total.base for total in in_ledger)
    return Report(
        "tax", "Tax liability", company.slug, company.base_currency, *period,
        [*(column for column in _NAMED if column.name in ("section", *by)), *_COLUMNS],
        rows, _totals(rows), lambda: tie("owed on the tax accounts", here, there, company.base_currency), tuple(by),
    )  # fmt: skip


def _totals(rows: Sequence[TaxRow]) -> list[TaxRow]:
    """One line a section and currency."""
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys((*AMOUNTS, "base"), 0))
    for row in rows:
        amounts = sums[row.section, row.currency or ""]
        for name in AMOUNTS:
            amounts[name] += getattr(row, name)
        amounts["base"] += row.base_closing
    return [
        _row([], (section, None, currency), amounts)
        for (section, currency), amounts in sorted(sums.items(), key=_order)
    ]
