"""The journal in formats that other programs check. Reads only, and streams: the journal may be longer than the memory.

Amounts are written in major units. Where an entry has several currencies, a leg also bears its worth in the company's base
currency (`@@`), by which beancount sees that the entry balances.
"""

import hashlib
import re
from collections.abc import Iterator
from itertools import groupby

from ledger import bookkeeper
from ledger.models import Posting
from salessync.core.models import Company
from salessync.core.money import to_major

_ROWS = 2000  # fetched at a time from the server's cursor
_ROOTS = frozenset({"Assets", "Liabilities", "Income", "Expenses", "Equity"})

# Worth over amount is a price with 28 digits, so that a product with it may miss by the 20th: no cent is as small as this.
_TOLERANCE = "*:0.00000001"


def beancount(*, company: Company) -> Iterator[str]:
    """The journal as beancount text, line by line, in the order of date and feed; `bean-check` accepts it."""
    yield f'option "title" {_quoted(company.name)}\n'
    yield f'option "operating_currency" "{company.base_currency}"\n'
    yield f'option "inferred_tolerance_default" "{_TOLERANCE}"\n'
    rows = (
        Posting.objects.filter(company_id=company.pk)
        .order_by("entry__date", "entry__seq", "leg")
        .values_list(
            "entry_id", "entry__date", "entry__seq", "transaction__channel__slug", "transaction__type",
            "transaction__source_id", "transaction__number", "account__code", "amount", "currency", "base_amount", "path",
        )
        .iterator(_ROWS)
    )  # fmt: skip
    opened: set[str] = set()
    for entry_id, postings in groupby(rows, key=lambda row: row[0]):
        legs = list(postings)
        _, day, seq, channel, kind, source_id, number = legs[0][:7]
        for code in sorted({leg[7] for leg in legs} - opened):
            opened.add(code)
            yield f"\n{day.isoformat()} open {account_name(code)}\n"
            if account_name(code) != code:
                yield f"  code: {_quoted(code)}\n"
        yield f"\n{day.isoformat()} * {_quoted(channel)} {_quoted(f'{kind} {number or source_id}')}\n"
        yield f"  id: {_quoted(bookkeeper.entry_id(company=company.slug, entry=entry_id))}\n"
        yield f"  seq: {seq}\n"
        yield f"  source: {_quoted(f'{channel}/{kind}/{source_id}')}\n"
        mixed = len({leg[9] for leg in legs}) > 1
        for *_, code, amount, currency, base_amount, path in legs:
            for text in _amounts(amount, currency, base_amount, company.base_currency, mixed=mixed):
                yield f"  {account_name(code)}  {text}\n"
            yield f"    path: {_quoted(path)}\n"


def account_name(code: str) -> str:
    """The code as beancount can read it: itself, unless somebody made an account whose name beancount would not."""
    root, *parts = code.split(":")
    if root in _ROOTS and parts and all(re.fullmatch(r"[A-Z0-9][A-Za-z0-9-]*", part) for part in parts):
        return code
    cleaned = [re.sub(r"[^A-Za-z0-9-]+", "-", part).strip("-") or "Unnamed" for part in parts]
    cleaned = [part[0].upper() + part[1:] for part in cleaned]
    mark = (
        hashlib.sha256(code.encode()).hexdigest()[:8].upper()
    )  # two codes that differ only in what was cleaned stay two
    return ":".join([root if root in _ROOTS else "Equity", *cleaned, mark])


def _amounts(amount: int, currency: str, base_amount: int, base: str, *, mixed: bool) -> Iterator[str]:
    own = f"{to_major(amount, currency)} {currency}"
    if not mixed or currency == base:
        yield own
        return
    fits = amount * base_amount > 0
    yield f"{own} @@ {to_major(abs(base_amount) if fits else 0, base)} {base}"
    if not fits and base_amount:
        yield f"{to_major(base_amount, base)} {base}"


def _quoted(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
