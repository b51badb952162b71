"""Proves that the kept sums are the journal's, to the minor unit. Reads only.

Day by day against the postings, in blocks of 32 days, and every block of a higher level against the 32 it is made of. Nothing is
rolled meanwhile, so that both sides speak of the same entries.
"""

import time
from typing import Any, NamedTuple

from django.db import connection, transaction

from ledger.balances import rolling, statements
from ledger.models import BalancePosition
from ledger.spans import LEVELS, WIDTH
from salessync.core import locks
from salessync.core.models import Company

WAIT_SECONDS = 60.0  # for who rolls just now
EXAMPLES = 5


class Proof(NamedTuple):
    """How many sums were compared, how many are not what they should be, and some of those."""

    checked: int = 0
    wrong: int = 0
    examples: tuple[str, ...] = ()

    def plus(self, other: "Proof") -> "Proof":
        """Both together."""
        examples = (*self.examples, *other.examples)[:EXAMPLES]
        return Proof(self.checked + other.checked, self.wrong + other.wrong, examples)


def prove_all() -> Proof:
    """The sums of every company."""
    found = Proof()
    for company in Company.objects.order_by("pk"):
        found = found.plus(prove(company))
    return found


def prove(company: Company) -> Proof:
    """Compare every sum that is kept for the company; TimeoutError where somebody rolls all the while."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        with locks.alone(rolling.LOCK, company.pk) as alone:
            if alone:
                return _prove(company)
        time.sleep(rolling.WAIT_SECONDS)
    raise TimeoutError(f"the balances of {company} are being rolled all the while")


def _prove(company: Company) -> Proof:
    kept = BalancePosition.objects.filter(pk=company.pk).values_list("seq", flat=True).first() or 0
    parameters = {"company": company.pk, "kept": kept}
    found = Proof()
    first, last = _row(statements.BLOCKS, parameters)
    for block in range(first, last + 1) if first is not None else ():
        days = parameters | {"first": block * WIDTH, "last": block * WIDTH + WIDTH - 1}
        found = found.plus(_compared(statements.ACCOUNT_DAYS, days)).plus(_compared(statements.DIMENSION_DAYS, days))
    for level in range(1, LEVELS):
        for statement in (statements.ACCOUNT_LEVELS, statements.DIMENSION_LEVELS):
            found = found.plus(_compared(statement, parameters | {"level": level}))
    return found


def _compared(statement: str, parameters: dict[str, int]) -> Proof:
    checked, wrong, examples = _row(statement, parameters)
    return Proof(checked, wrong, tuple(examples or ()))


def _row(statement: str, parameters: dict[str, int]) -> tuple[Any, ...]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '5min'")
        cursor.execute(statement, parameters)
        return cursor.fetchone()
