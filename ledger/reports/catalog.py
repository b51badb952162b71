"""Which reports there are, what each can be asked, and how to make it. Command, screen and whatever else ask here."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

from django.utils import timezone

from ledger.balances import Period
from ledger.models import Account
from ledger.reports import general_ledger, liabilities, open_items, revenue, tax, trial
from ledger.reports.report import Report
from salessync.core.models import Company


class CannotReport(ValueError):
    """What was asked makes no report; `field` is what is wrong (name, from, to, by, account), the message says why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Asked(NamedTuple):
    """`by`: empty for the report's usual; `accounts`: codes, for reports that are about accounts."""

    company: Company
    period: Period = Period()
    by: Sequence[str] = ()
    accounts: Sequence[str] = ()


class Definition(NamedTuple):
    """`from_day`: it has a beginning, otherwise it is as of a day. `by`: what it can be told apart by, `usual` if nobody says.

    `accounts`: it can be asked for accounts by their codes; `one_account`: for exactly one.
    """

    name: str
    title: str
    about: str
    make: Callable[[Asked], Report]
    from_day: bool = True
    by: Sequence[str] = ()
    usual: Sequence[str] = ()
    accounts: bool = False
    one_account: bool = False


def account(asked: Asked) -> Account:
    """The one account that is asked for."""
    if len(asked.accounts) != 1:
        raise CannotReport("account", "a general ledger is of one account: name its code")
    found = Account.objects.filter(company=asked.company, code=asked.accounts[0]).first()
    if found is None:
        raise CannotReport("account", f"{asked.company.slug} has no account {asked.accounts[0]!r}")
    return found


def _trial(asked: Asked) -> Report:
    return trial.report(company=asked.company, as_of=asked.period.last)


def _general_ledger(asked: Asked) -> Report:
    return general_ledger.report(company=asked.company, account=account(asked), period=asked.period)


def _revenue(asked: Asked) -> Report:
    return revenue.report(company=asked.company, period=asked.period, by=asked.by)


def _tax(asked: Asked) -> Report:
    return tax.report(company=asked.company, period=asked.period, by=asked.by)


def _open_items(asked: Asked) -> Report:
    today = timezone.now().date()
    return open_items.report(company=asked.company, last=asked.period.last, today=today, accounts=asked.accounts)


def _liability(subject: str) -> Callable[[Asked], Report]:
    def roll_forward(asked: Asked) -> Report:
        codes = asked.accounts or None
        return liabilities.report(company=asked.company, period=asked.period, name=subject, codes=codes)

    return roll_forward


_DEFINITIONS = [
    Definition(
        "trial-balance",
        "Trial balance",
        "Every account with its balance at the end of a day.",
        _trial,
        from_day=False,
    ),
    Definition(
        "general-ledger",
        "General ledger",
        "One account: opening balance, every posting with its source, closing balance.",
        _general_ledger,
        accounts=True,
        one_account=True,
    ),
    Definition(
        "revenue",
        "Revenue",
        "Gross, discounts, returns, allowances and net, by channel, location, category, day or account.",
        _revenue,
        by=revenue.BY,
        usual=("channel",),
    ),
    Definition(
        "tax",
        "Tax liability",
        "What was owed, collected, given back and paid, by jurisdiction and code; what marketplaces collect apart.",
        _tax,
        by=tax.BY,
        usual=("jurisdiction", "tax_code"),
    ),
    *(
        Definition(
            name,
            title,
            "What customers were owed: opening, sold, redeemed, refunded, other, closing.",
            _liability(name),
            accounts=True,
        )
        for name, (title, _) in liabilities.SUBJECTS.items()
    ),
    Definition(
        "open-items",
        "Open items",
        "What each processor owes at the end of a day, item by item, with its age and why it is open.",
        _open_items,
        from_day=False,
        accounts=True,
    ),
]

CATALOG: dict[str, Definition] = {definition.name: definition for definition in _DEFINITIONS}


def make(name: str, asked: Asked) -> Report:
    """The report; CannotReport where it cannot be asked for so."""
    definition = CATALOG.get(name)
    if definition is None:
        raise CannotReport("name", f"there is no report {name!r}; there are {', '.join(CATALOG)}")
    check(definition, asked)
    return definition.make(asked._replace(by=tuple(asked.by) or tuple(definition.usual)))


def check(definition: Definition, asked: Asked) -> None:
    """CannotReport, where the report does not answer this."""
    if unknown := [word for word in asked.by if word not in definition.by]:
        known = f"by {', '.join(definition.by)}" if definition.by else "in one way only"
        raise CannotReport("by", f"{definition.title} cannot be told apart by {unknown[0]!r}; it is told apart {known}")
    if asked.accounts and not definition.accounts:
        raise CannotReport("account", f"{definition.title} is not about single accounts")
    first, last = asked.period
    if first and not definition.from_day:
        raise CannotReport("from", f"{definition.title} is as of a day and has no beginning")
    if first and last and last < first:
        raise CannotReport("to", f"the period ends on {last}, before it begins on {first}")


def day(text: str | None, field: str) -> date | None:
    """A day as people and programs write it (YYYY-MM-DD); None for nothing."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise CannotReport(field, f"{text!r} is not a day (YYYY-MM-DD)") from None
