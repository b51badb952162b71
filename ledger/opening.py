"""Opening balances from a CSV: one entry by hand for the whole file, balanced against equity. A corrected file takes its place."""

import csv
import io
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

from channels.manual import ACCOUNT, ManualPosting
from channels.models import Transaction
from ledger import by_hand
from ledger.accounts import OPENING_BALANCES
from ledger.by_hand import Draft, Preview, Submitted
from salessync.core.models import Company
from salessync.core.money import MoneyError, to_minor
from salessync.core.problems import Problem, Refused

ID = "opening-balances"  # a company has one
COLUMNS = ("account", "currency", "amount", "base_amount")
REQUIRED = COLUMNS[:3]
MOST_ROWS = 5_000


class Former(NamedTuple):
    """The opening balances that stand; `undone`: for nothing, by now."""

    transaction_id: int
    day: date
    undone: bool


def former(company: Company) -> Former | None:
    """The opening balances that stand in the company's books."""
    entry = Transaction.objects.filter(
        channel__company=company, channel__slug=by_hand.books_slug(company), type="manual", source_id=by_hand.named(ID)
    ).first()
    return Former(entry.pk, entry.business_date, by_hand.record_of(entry).void) if entry else None


def preview(*, company: Company, text: str, day: date) -> Preview:
    """What would be booked; Refused with every bad line."""
    return by_hand.preview(company=company, draft=draft(company, text, day), origin="import")


def bring_in(*, company: Company, text: str, day: date, actor: str, now: datetime) -> Submitted:
    """Book the balances as of the end of `day`; the same file twice changes nothing, another one posts what differs from the former.

    Refused with every bad line. `now` is UTC.
    """
    made = draft(company, text, day)
    return by_hand.submit(company=company, draft=made, actor=actor, now=now, origin="import", replaces=True)


def draft(company: Company, text: str, day: date) -> Draft:
    """The file as an entry: its rows, and what they lack to nothing on the equity account, in base currency."""
    rows = read(text, base_currency=company.base_currency)
    postings, lacking = by_hand.priced(company, day, [posting for _, posting in rows])
    if lacking:
        raise Refused(*(Problem(p.code, f"line {rows[index][0]}", p.message) for index, p in lacking))
    base = company.base_currency
    rest = -sum(posting.base_amount or 0 for posting in postings)
    if rest:
        postings.append(ManualPosting(account=OPENING_BALANCES, amount=rest, currency=base, base_amount=rest))
    if all(posting.currency == base for posting in postings):
        for posting in postings:
            posting.base_amount = None
    return Draft(
        date=day, reason=f"Opening balances at the end of {day}", postings=postings, kind="opening", id=ID
    )  # fmt: skip


def read(text: str, *, base_currency: str) -> list[tuple[int, ManualPosting]]:
    """(line, posting) of every row that has an amount: debit positive, in major units. Refused with every bad line."""
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    problems: list[Problem] = []
    rows: list[tuple[int, ManualPosting]] = []
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
        _check_heading(reader.fieldnames)
        rows += (
            (reader.line_num, _posting(row, reader.line_num, base_currency, problems))
            for row in reader
            if any((value or "").strip() for value in row.values() if not isinstance(value, list))
        )
    except csv.Error as error:
        problems.append(
            Problem("NOT_CSV", f"line {reader.reader.line_num}", f"the file cannot be read as CSV: {error}")
        )
    if len(rows) > MOST_ROWS:
        problems.append(
            Problem("TOO_MANY_ROWS", "$", f"the file has {len(rows)} rows; at most {MOST_ROWS} make one entry")
        )
    problems += _twice(rows)
    found = [(line, posting) for line, posting in rows if posting.amount or posting.base_amount]
    if not found and not problems:
        problems.append(Problem("NO_BALANCES", "$", "the file has no balance in it"))
    if problems:
        raise Refused(*problems)
    return found


def _check_heading(names: Any) -> None:
    problems = [
        Problem("MISSING_COLUMN", "line 1", f"the file has no column called {name}")
        for name in REQUIRED
        if name not in names
    ]
    problems += [
        Problem("UNKNOWN_COLUMN", "line 1", f"the column {name[:60]!r} is none of {', '.join(COLUMNS)}")
        for name in names
        if name not in COLUMNS
    ]
    if len(set(names)) != len(names):
        problems.append(Problem("DUPLICATE_COLUMN", "line 1", "two columns have the same name"))
    if problems:
        raise Refused(*problems)


def _posting(row: dict[str, Any], line: int, base_currency: str, problems: list[Problem]) -> ManualPosting:
    where = f"line {line}"
    if None in row or any(value is None for value in row.values()):
        problems.append(Problem("BAD_ROW", where, "the row has more or fewer cells than the heading"))
        return ManualPosting(account="", amount=0)
    cells = {name: value.strip() for name, value in row.items()}
    if not ACCOUNT.fullmatch(cells["account"]):
        message = (
            f"{cells['account'][:60]!r} is no account's name: Assets, Liabilities, Income, Expenses or Equity, then parts with"
            " a capital or digit first, as in Assets:Bank:Main"
        )
        problems.append(Problem("BAD_ACCOUNT", where, message))
    currency = cells["currency"].upper() or base_currency
    amount = _minor(lambda: to_minor(cells["amount"], currency), where, problems)
    worth = None
    if cells.get("base_amount"):
        worth = _minor(lambda: to_minor(cells["base_amount"], base_currency), where, problems)
        if currency == base_currency and worth != amount:
            message = f"{cells['amount']} {currency} cannot be worth {cells['base_amount']} {base_currency}"
            problems.append(Problem("BASE_AMOUNT", where, message))
        elif amount * worth < 0:
            problems.append(Problem("OPPOSITE_SIGNS", where, "a debit is worth a debit, and a credit a credit"))
    return ManualPosting(account=cells["account"], amount=amount, currency=currency, base_amount=worth)


def _minor(parse: Callable[[], int], where: str, problems: list[Problem]) -> int:
    try:
        return parse()
    except MoneyError as error:
        how = ": write 1234.50, a credit with a minus before it" if error.code == "BAD_AMOUNT" else ""
        problems.append(Problem(error.code, where, f"{error}{how}"))
        return 0


def _twice(rows: list[tuple[int, ManualPosting]]) -> list[Problem]:
    seen: dict[tuple[str, str | None], int] = {}
    problems = []
    for line, posting in rows:
        before = seen.setdefault((posting.account, posting.currency), line)
        if before != line and posting.account:
            message = f"{posting.account} has a balance in {posting.currency} on line {before} already"
            problems.append(Problem("DUPLICATE_ACCOUNT", f"line {line}", message))
    return problems
