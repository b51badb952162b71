"""What a report is, however it is shown: columns, rows, sums, and whether it ties to the ledger. Pure.

Screen, CSV and JSON are made of the same object, so that they cannot say different things.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from salessync.core.money import to_major


class Kind(StrEnum):
    """How a column's values are to be read."""

    TEXT = "text"
    DATE = "date"
    NUMBER = "number"
    MONEY = "money"  # minor units of the row's `currency`
    BASE = "base"  # minor units of the company's base currency


class Column(NamedTuple):
    """`name` is the row's attribute and the key in JSON. A hidden one is for programs and links; `leads_to` says to which page."""

    name: str
    title: str
    kind: Kind = Kind.TEXT
    hidden: bool = False
    leads_to: str = ""


class Tie(NamedTuple):
    """The report's sum beside the ledger's, both in minor units of the base currency, and what that says in a sentence."""

    report: int
    ledger: int
    sentence: str

    @property
    def holds(self) -> bool:
        """Whether they are the same."""
        return self.report == self.ledger


class Report(NamedTuple):
    """`rows` may be read once only, and `tie` is to be asked after them. A row's attributes are the columns' names."""

    name: str
    title: str
    company: str
    base_currency: str
    first: date | None
    last: date | None
    columns: Sequence[Column]
    rows: Iterable[Any]
    totals: Sequence[Any]
    tie: Callable[[], Tie]
    by: Sequence[str] = ()

    @property
    def days(self) -> str:
        """From when to when, in words."""
        if self.first is None:
            return f"up to {self.last}" if self.last else "all days"
        return f"{self.first} to {self.last}" if self.last else f"from {self.first} on"


def tie(what: str, report: int, ledger: int, currency: str) -> Tie:
    """`what` finishes "… and the ledger has": the sentence says the amount, and where they differ the difference."""
    here, there = f"{to_major(report, currency)} {currency}", f"{to_major(ledger, currency)} {currency}"
    if report == ledger:
        return Tie(report, ledger, f"Ties to the ledger: {here} here and {what}.")
    difference = f"{to_major(report - ledger, currency)} {currency}"
    return Tie(
        report, ledger, f"DOES NOT TIE to the ledger: {here} here, {there} {what}; the difference is {difference}."
    )


def within(code: str, parents: Iterable[str]) -> bool:
    """Whether the account is one of these or below one."""
    return any(code == parent or code.startswith(f"{parent}:") for parent in parents)
