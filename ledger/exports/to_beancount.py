"""The journal as beancount text; `bean-check` accepts it.

Amounts are in major units. Where an entry has several currencies, a leg also bears its worth in the company's base currency (`@@`),
by which beancount sees that the entry balances.
"""

from collections.abc import Iterator
from datetime import date

from ledger.exports.entries import Declared, Entry, account_name, priced, read
from salessync.core.models import Company
from salessync.core.money import to_major

# Worth over amount is a price with 28 digits, so that a product with it may miss by the 20th: no cent is as small as this.
_TOLERANCE = "*:0.00000001"


def beancount(*, company: Company, since: date | None = None, until: date | None = None) -> Iterator[str]:
    """Line by line."""
    base = company.base_currency
    yield f'option "title" {_quoted(company.name)}\n'
    yield f'option "operating_currency" "{base}"\n'
    yield f'option "inferred_tolerance_default" "{_TOLERANCE}"\n'
    accounts = Declared()
    for entry in read(company=company, since=since, until=until):
        postings = priced(entry.legs, base)
        for code in accounts.new([leg.account for leg, _ in postings]):
            yield f"\n{entry.day} open {account_name(code)}\n"
            if account_name(code) != code:
                yield f"  code: {_quoted(code)}\n"
        yield from _head(entry)
        for leg, worth in postings:
            price = "" if worth is None else f" @@ {to_major(worth, base)} {base}"
            yield f"  {account_name(leg.account)}  {to_major(leg.amount, leg.currency)} {leg.currency}{price}\n"
            if leg.path:
                yield f"    path: {_quoted(leg.path)}\n"


def _head(entry: Entry) -> Iterator[str]:
    payee = f"{_quoted(entry.channel)} " if entry.channel else ""
    yield f"\n{entry.day} * {payee}{_quoted(entry.title)}\n"
    if entry.seq:
        yield f"  id: {_quoted(entry.id)}\n"
        yield f"  seq: {entry.seq}\n"
        yield f"  source: {_quoted(entry.source)}\n"
    if entry.business_date != entry.day:
        yield f"  business-date: {entry.business_date}\n"


def _quoted(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
