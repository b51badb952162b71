"""The journal as hledger text; `hledger check --strict` accepts it.

Amounts are in major units. Where an entry has several currencies, a leg also bears its worth in the company's base currency (`@@`).
What is known of an entry stands in comments as tags, whose values hledger would read on: its special signs are written as in an
address (%3A for a colon).
"""

import re
from collections.abc import Iterator
from datetime import date

from ledger.exports.entries import Declared, Entry, account_name, priced, read
from salessync.core.models import Company
from salessync.core.money import minor_digits, to_major

# in a value of a tag: the next tag, a date in brackets, another comment, and what the escape itself is made of
_SPECIAL = re.compile(r"[%:,;\[\]]|[^\S ]")


def hledger(*, company: Company, since: date | None = None, until: date | None = None) -> Iterator[str]:
    """Line by line."""
    base = company.base_currency
    yield f"; {_plain(company.name)}\n"
    yield "decimal-mark .\n"
    accounts, currencies = Declared(), Declared()
    for entry in read(company=company, since=since, until=until):
        postings = priced(entry.legs, base)
        yield "\n"
        for currency in currencies.new([base, *(leg.currency for leg, _ in postings)]):
            yield f"commodity {_style(currency)}\n"
        for code in accounts.new([leg.account for leg, _ in postings]):
            renamed = f"  ; code: {_value(code)}" if account_name(code) != code else ""
            yield f"account {account_name(code)}{renamed}\n"
        yield from _head(entry)
        for leg, worth in postings:
            price = "" if worth is None else f" @@ {to_major(worth, base)} {base}"
            path = f"  ; path: {_value(leg.path)}" if leg.path else ""
            amount = to_major(leg.amount, leg.currency)
            yield f"    {account_name(leg.account)}  {amount} {leg.currency}{price}{path}\n"


def _head(entry: Entry) -> Iterator[str]:
    code = f"({entry.seq}) " if entry.seq else ""
    payee = f"{_plain(entry.channel)} | " if entry.channel else ""
    yield f"\n{entry.day} * {code}{payee}{_plain(entry.title)}\n"
    if entry.seq:
        yield f"    ; id: {_value(entry.id)}\n"
        yield f"    ; seq: {entry.seq}\n"
        yield f"    ; source: {_value(entry.source)}\n"
    if entry.business_date != entry.day:
        yield f"    ; business-date: {entry.business_date}\n"


def _style(currency: str) -> str:
    """How hledger is told of a currency's digits: 1000.00 USD, 1000. JPY."""
    return f"1000.{'0' * minor_digits(currency)} {currency}"


def _plain(text: str) -> str:
    """For a description: in one line, without the signs that end it."""
    return " ".join("".join(c if c.isprintable() and c not in ";|" else " " for c in text).split())


def _value(text: str) -> str:
    """For a tag."""
    escaped = _SPECIAL.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)
    return "".join(c if c.isprintable() else " " for c in escaped)
