"""Bookkeeper's books as a beancount file."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# A worth that its amount cannot carry as a price: an edit may move a cent of worth, and nothing else, to a leg.
CONVERSION = "Equity:Conversion-differences"

DIGITS = dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0)
DIGITS |= dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3) | dict.fromkeys(["CLF", "UYW"], 4)


class BeancountFile:
    """Grows with each batch; written anew at start, and when something in it is changed."""

    def __init__(self, file: Path, base_currency: str | None) -> None:
        self._file = file
        self._base = base_currency
        self._opened: set[str] = set()

    def write(self, entries: Iterable[dict[str, Any]]) -> None:
        """All of it, in place of what is there."""
        self._opened.clear()
        fresh = self._file.with_name(self._file.name + ".new")
        with fresh.open("w", encoding="utf-8") as out:
            out.write('option "title" "Books of the sandbox Bookkeeper"\n')
            out.write('option "inferred_tolerance_default" "*:0.00000001"\n')
            if self._base:
                out.write(f'option "operating_currency" "{self._base}"\n')
            for entry in entries:
                out.writelines(self._text_of(entry))
        os.replace(fresh, self._file)

    def append(self, entries: Iterable[dict[str, Any]]) -> None:
        """What was just accepted."""
        with self._file.open("a", encoding="utf-8") as out:
            for entry in entries:
                out.writelines(self._text_of(entry))

    def _text_of(self, entry: dict[str, Any]) -> Iterator[str]:
        """Directives of one entry. An account is opened where it first occurs, at a date before every entry."""
        accounts = {p["account"] for p in entry["postings"]} | {CONVERSION}
        for account in sorted(accounts - self._opened):
            self._opened.add(account)
            yield f"1970-01-01 open {account}\n"
        source = entry["source"]
        yield f"\n{entry['date']} * {_quote(source['channel'])} {_quote(source['type'] + ' ' + source['id'])}\n"
        yield f"  id: {_quote(entry['id'])}\n"
        yield f"  source: {_quote('/'.join(source[name] for name in ('channel', 'type', 'id', 'version')))}\n"
        mixed = len({p["currency"] for p in entry["postings"]}) > 1
        lacking = 0
        for posting in entry["postings"]:
            amount, without = self._amount(posting, mixed=mixed)
            lacking += without
            yield f"  {posting['account']}  {amount}\n"
            yield f"    path: {_quote(posting['path'])}\n"
        if lacking:
            assert self._base is not None
            yield f"  {CONVERSION}  {_major(lacking, self._base)} {self._base}\n"

    def _amount(self, posting: dict[str, Any], *, mixed: bool) -> tuple[str, int]:
        """In its own currency; among several currencies with its worth in the base currency, by which the entry balances. And the
        worth that could not be written so.
        """
        own, base = posting["amount"], posting["base_amount"]
        amount = f"{_major(own, posting['currency'])} {posting['currency']}"
        if not mixed or posting["currency"] == self._base:
            return amount, 0
        assert self._base is not None
        fits = own * base > 0
        return f"{amount} @@ {_major(abs(base) if fits else 0, self._base)} {self._base}", 0 if fits else base


def _major(minor: int, currency: str) -> str:
    digits = DIGITS.get(currency, 2)
    whole, part = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}{f'.{part:0{digits}d}' if digits else ''}"


def _quote(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
