"""What stands open on the clearing accounts at the end of a day, item by item, with its age and the reason."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from ledger import balances, open_items
from ledger.balances import Period
from ledger.models import Account
from ledger.reports.report import Column, Kind, Report, tie
from salessync.core.models import Company

BUCKETS = ((7, "0-7 days"), (30, "8-30 days"), (60, "31-60 days"))
OLDER = "over 60 days"


class ItemRow(NamedTuple):
    """Debit positive: the processor owes it. Minor units of `currency`, `base_amount` of the base currency; `age` in days.

    In a line of sums `items` says how many it sums.
    """

    account: str
    currency: str | None
    amount: int | None
    base_amount: int
    opened_on: date | None = None
    age: int | None = None
    bucket: str = ""
    items: int | None = None
    why: str = ""
    channel: str = ""
    type: str = ""
    source: str = ""
    transaction_id: int | None = None


COLUMNS = (
    Column("account", "Account", leads_to="general-ledger"),
    Column("currency", "Currency"),
    Column("amount", "Open", Kind.MONEY),
    Column("base_amount", "Open in base currency", Kind.BASE),
    Column("opened_on", "Opened on", Kind.DATE),
    Column("age", "Days", Kind.NUMBER),
    Column("bucket", "Age"),
    Column("items", "Items", Kind.NUMBER),
    Column("why", "Why it is open"),
    Column("channel", "Channel"),
    Column("type", "Type"),
    Column("source", "Source", leads_to="transaction"),
    Column("transaction_id", "Transaction", hidden=True),
)


def bucket(age: int | None) -> str:
    """The span of days that an age is in."""
    return next((name for most, name in BUCKETS if (age or 0) <= most), OLDER)


def report(*, company: Company, last: date | None, today: date, accounts: Sequence[str] = ()) -> Report:
    """Items of all clearing accounts, or of these, at the end of `last` (None: after all there is); tied to the trial balance."""
    seen = min(last, today) if last else today
    found, through = open_items.standing(company, today=seen, as_of=last, accounts=accounts)
    rows = [_row(item) for item in found]
    own = _clearing(company, accounts)
    in_ledger = balances.by_account(company=company, period=Period(last=last), through=through, accounts=own)
    here, there = sum(row.base_amount for row in rows), sum(total.base for total in in_ledger)
    return Report(
        "open-items", "Open items", company.slug, company.base_currency, None, last, COLUMNS, rows, totals(rows),
        lambda: tie("on the clearing accounts", here, there, company.base_currency),
    )  # fmt: skip


def _row(item: open_items.OpenItemRow) -> ItemRow:
    return ItemRow(
        item.account, item.currency, item.amount, item.base_amount, item.opened_on, item.age, bucket(item.age), None,
        item.why, item.channel, item.type, item.source, item.transaction_id,
    )  # fmt: skip


def totals(rows: Iterable[ItemRow]) -> list[ItemRow]:
    """One line for each account, currency and span of ages, one for all ages, and one for everything in base currency."""
    spans = [*(name for _, name in BUCKETS), OLDER]
    sums: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: {name: [0, 0, 0] for name in spans})
    for row in rows:
        one = sums[row.account, row.currency or ""][row.bucket]
        one[:] = one[0] + (row.amount or 0), one[1] + row.base_amount, one[2] + 1
    found = []
    for (account, currency), by_age in sorted(sums.items()):
        lines = [(name, *one) for name, one in by_age.items() if one[2]]
        if len(lines) > 1:
            lines.append(("all ages", *(sum(column) for column in zip(*by_age.values(), strict=True))))
        found += [
            ItemRow(account, currency, amount, base, bucket=name, items=count) for name, amount, base, count in lines
        ]
    if found:
        base, count = (sum(one[i] for by_age in sums.values() for one in by_age.values()) for i in (1, 2))
        found.append(ItemRow("Sum", None, None, base, items=count))
    return found


def _clearing(company: Company, codes: Sequence[str]) -> list[int]:
    found = Account.objects.filter(company=company, code__startswith=open_items.CLEARING.rstrip("%"))
    return list((found.filter(code__in=codes) if codes else found).values_list("pk", flat=True))
