"""What Bookkeeper tells us: its accounts, how far its books are closed, and entries that were made there. Pure.

Amounts are integers in minor units of their currency; debit positive, credit negative.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from channels.canonical import shape_problem
from channels.record import Currency, Signed, Text
from salessync.core.problems import Problem, Refused

Code = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
T = TypeVar("T")


class TheirAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account of Bookkeeper's chart; not `active`: closed."""

    code: Code
    name: Code
    kind: Literal["asset", "liability", "equity", "income", "expense"]
    active: bool = True


class AccountList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All accounts of Bookkeeper's chart: what is not in the list is not there."""

    accounts: Annotated[list[TheirAccount], Meta(max_length=20_000)]


class PeriodLock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bookkeeper's books are closed through this day."""

    through: date
    reason: Annotated[str, Meta(max_length=1000)] = ""


class CorrectionPosting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One leg, on an account of Bookkeeper's; `currency` null: the company's base currency."""

    account: Code
    amount: Signed
    currency: Currency | None = None
    base_amount: Signed | None = None
    location: Text | None = None
    tax_code: Annotated[str, Meta(max_length=200)] | None = None
    category: Text | None = None
    memo: Text | None = None


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry made in Bookkeeper, under its id there, for ever the same."""

    id: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
    date: date
    reason: Annotated[str, Meta(min_length=1, max_length=1000)]
    postings: Annotated[list[CorrectionPosting], Meta(min_length=2, max_length=1000)]


def read(kind: type[T], body: Any) -> T:
    """Parsed JSON as one of these; Refused with the place and a sentence where it is none."""
    try:
        notice = msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        problem = shape_problem(error)
        if "encoded date" in problem.message:
            problem = Problem("BAD_DATE", problem.path, "a day is written as 2026-08-31")
        raise Refused(problem) from None
    problems = list(_problems(notice))
    if problems:
        raise Refused(*problems)
    return notice


def _problems(notice: Any) -> Iterator[Problem]:
    if not isinstance(notice, AccountList):
        return
    if not notice.accounts:
        yield Problem("EMPTY_LIST", "accounts", "a chart without any account would close all of them: it was not taken")
    times = Counter(account.code for account in notice.accounts)
    for index, account in enumerate(notice.accounts):
        if times[account.code] > 1:
            yield Problem(
                "DUPLICATE_ACCOUNT", f"accounts[{index}].code", f"the account {account.code} is in the list twice"
            )


def source_id(reference: str) -> str:
    """The id, among our entries by hand, of what Bookkeeper knows by its own."""
    return f"bookkeeper:{reference}"


def as_manual(correction: Correction, *, accounts: list[str], base_currency: str) -> dict[str, Any]:
    """The canonical record of a correction (type `manual`); `accounts`: our code for each posting's account."""
    currencies = {posting.currency or base_currency for posting in correction.postings}
    return {
        "schema": "salessync/1",
        "type": "manual",
        "source": {"id": source_id(correction.id), "version": "1"},
        "occurred_at": f"{correction.date}T00:00:00Z",
        "business_date": correction.date.isoformat(),
        "currency": currencies.pop() if len(currencies) == 1 else base_currency,
        "kind": "correction",
        "origin": "bookkeeper",
        "reference": correction.id,
        "reason": correction.reason,
        "postings": [
            _filled(msgspec.to_builtins(posting) | {"account": account}, base_currency)
            for posting, account in zip(correction.postings, accounts, strict=True)
        ],
    }


def _filled(posting: dict[str, Any], base_currency: str) -> dict[str, Any]:
    """With its currency, without what it does not say."""
    posting["currency"] = posting["currency"] or base_currency
    return {name: value for name, value in posting.items() if value is not None}
