"""What all formats write: the entries of a period with their legs, and the worth of each leg where an entry has several currencies."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from ledger import bookkeeper, reports
from ledger.models import Posting
from salessync.core.models import Company

_ROWS = 2000  # fetched at a time from the server's cursor
_ROOTS = frozenset({"Assets", "Liabilities", "Income", "Expenses", "Equity"})

# A leg's worth may have another sign than its amount (an edit and a new rate at once), and a price cannot say that: the amount is
# written without its worth then, and what the entry lacks in base currency stands here. The trial balance knows no such account.
CONVERSION = "Equity:Conversion-differences"


class Leg(NamedTuple):
    """One posting: debit positive, credit negative, in minor units of `currency` and of the company's base currency."""

    account: str
    amount: int
    currency: str
    base_amount: int
    path: str
    location: str | None = None
    tax_code: str | None = None
    category: str | None = None


class Entry(NamedTuple):
    """One balanced entry; without `id` and `seq` it is what the accounts bring forward. `channel` is a slug."""

    day: date
    business_date: date
    channel: str
    kind: str
    source_id: str
    number: str | None
    legs: list[Leg]
    id: str = ""
    seq: int | None = None

    @property
    def title(self) -> str:
        """What it is about, in a few words."""
        return f"{self.kind} {self.number or self.source_id}" if self.seq else "Opening balances"

    @property
    def source(self) -> str:
        """The object that it comes from."""
        return f"{self.channel}/{self.kind}/{self.source_id}" if self.seq else ""


def read(*, company: Company, since: date | None = None, until: date | None = None) -> Iterator[Entry]:
    """The period's entries, in the order of date and feed; before them what is brought forward, if anything.

    What is posted meanwhile is left out, so that both are of one moment.
    """
    through = Company.objects.values_list("feed_seq", flat=True).get(pk=company.pk)
    if since and (legs := _brought_forward(company, since - timedelta(days=1), through)):
        yield Entry(since, since, "", "opening", "", None, legs)
    postings = Posting.objects.filter(company_id=company.pk, entry__seq__lte=through)
    if since:
        postings = postings.filter(entry__date__gte=since)
    if until:
        postings = postings.filter(entry__date__lte=until)
    rows = (
        postings.order_by("entry__date", "entry__seq", "leg")
        .values_list(
            "entry_id", "entry__seq", "entry__date", "entry__business_date", "transaction__channel__slug",
            "transaction__type", "transaction__source_id", "transaction__number", "account__code", "amount", "currency",
            "base_amount", "path", "location", "tax_code", "category",
        )
        .iterator(_ROWS)
    )  # fmt: skip
    for entry_id, group in groupby(rows, key=lambda row: row[0]):
        found = list(group)
        seq, day, business_date, channel, kind, source_id, number = found[0][1:8]
        name = bookkeeper.entry_id(company=company.slug, entry=entry_id)
        legs = [Leg(*row[8:]) for row in found]
        yield Entry(day, business_date, channel, kind, source_id, number, legs, name, seq)


def _brought_forward(company: Company, as_of: date, through: int) -> list[Leg]:
    return [
        Leg(row.account, row.balance, row.currency, row.base_balance, "")
        for row in reports.trial_balance(company=company, as_of=as_of, through=through)
        if row.balance or row.base_balance
    ]


class Written(NamedTuple):
    """A leg as plain-text accounting writes it: `worth` is the price of the whole amount in base currency, never negative."""

    leg: Leg
    worth: int | None


def priced(legs: Sequence[Leg], base: str) -> list[Written]:
    """The legs, each with its worth where they have several currencies, and what they then still lack."""
    currencies = {leg.currency for leg in legs}
    if len(currencies) == 1 and not sum(leg.amount for leg in legs):
        return [Written(leg, None) for leg in legs]
    found = [Written(leg, None if leg.currency == base else _price(leg)) for leg in legs]
    lacking = -sum(_weight(written) for written in found)
    if lacking:
        found.append(Written(Leg(CONVERSION, lacking, base, lacking, ""), None))
    return found


def _price(leg: Leg) -> int:
    return abs(leg.base_amount) if leg.amount * leg.base_amount > 0 else 0


def _weight(written: Written) -> int:
    if written.worth is None:
        return written.leg.amount
    return written.worth if written.leg.amount > 0 else -written.worth


def account_name(code: str) -> str:
    """The code as beancount and hledger can read it: itself, unless somebody made an account whose name they would not."""
    root, *parts = code.split(":")
    if root in _ROOTS and parts and all(re.fullmatch(r"[A-Z0-9][A-Za-z0-9-]*", part) for part in parts):
        return code
    cleaned = [re.sub(r"[^A-Za-z0-9-]+", "-", part).strip("-") or "Unnamed" for part in parts]
    cleaned = [part[0].upper() + part[1:] for part in cleaned]
    mark = (
        hashlib.sha256(code.encode()).hexdigest()[:8].upper()
    )  # two codes that differ only in what was cleaned stay two
    return ":".join([root if root in _ROOTS else "Equity", *cleaned, mark])


class Declared:
    """Which accounts and currencies a file has named so far; both have to be declared before they are used."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def new(self, names: Sequence[Any]) -> list[Any]:
        """Those that were not named before, sorted."""
        found = sorted(set(names) - self._known)
        self._known.update(found)
        return found
