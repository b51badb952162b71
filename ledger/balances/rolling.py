"""Takes the journal's entries into the sums, in the order of their numbers, each once."""

import time
from collections.abc import Callable

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from ledger.balances import statements
from ledger.balances.reading import last_entry
from ledger.models import BalancePosition
from salessync.core import locks
from salessync.core.models import Company

LOCK = 7240  # class of the advisory locks: one roller a company
CHUNK = 20_000  # entries in one database transaction
TAIL = 2_000  # so many entries that are not rolled yet are read in no time
WAIT_SECONDS = 0.2  # between two looks at how far another roller is

Progress = Callable[[int, int], None]  # entries rolled, of how many


class StillRolling(Exception):
    """A long journal is being added up for the first time: `done` of its `of` entries."""

    def __init__(self, done: int, of: int) -> None:
        super().__init__(f"The books are being added up: {done:,} of {of:,} entries are done. Look again in a moment.")
        self.done, self.of = done, of


def catch_up(company: Company, *, seconds: float | None = None, progress: Progress = lambda done, of: None) -> None:
    """Before reading. Nothing to do where little is left to roll; otherwise roll, or wait for who does, until little is left.

    StillRolling, when that takes longer than `seconds` (None: it may take as long as it takes).
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        done, of = _behind(company)
        if of - done <= TAIL:
            return
        progress(done, of)
        if deadline is not None and time.monotonic() >= deadline:
            raise StillRolling(done, of)
        if not roll(company, chunks=1):
            time.sleep(WAIT_SECONDS)


def catch_up_all(*, seconds: float | None = None) -> list[Company]:
    """The companies that have books, each caught up."""
    companies = _with_position().filter(feed_seq__gt=0)
    for company in companies:
        if company.feed_seq - company.rolled > TAIL:
            catch_up(company, seconds=seconds)
    return list(companies)


def _with_position() -> QuerySet[Company]:
    return Company.objects.order_by("pk").annotate(rolled=Coalesce("balanceposition__seq", 0))


def roll_all(*, at_least: int = 1, seconds: float | None = None) -> int:
    """Every company's sums up to its newest entry, as far as that goes in `seconds`; how many entries were rolled.

    Companies with fewer than `at_least` new entries are left alone: together they cost less than one by one.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    return sum(roll(c, deadline=deadline) for c in _with_position() if c.feed_seq - c.rolled >= at_least)


def roll(company: Company, *, chunks: int | None = None, deadline: float | None = None) -> int:
    """Entries rolled; none, where another process rolls this company's. `deadline`: of the monotonic clock."""
    rolled = 0
    done, of = _behind(company)
    if done == of:
        return rolled
    with locks.alone(LOCK, company.pk) as alone:
        while alone and chunks != 0 and (deadline is None or time.monotonic() < deadline):
            count = _roll_chunk(company)
            if not count:
                break
            rolled += count
            chunks = None if chunks is None else chunks - 1
    return rolled


def _behind(company: Company) -> tuple[int, int]:
    rolled, last = Company.objects.values_list("balanceposition__seq", "feed_seq").get(pk=company.pk)
    return rolled or 0, last


def _roll_chunk(company: Company) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        since = _held_position(company)
        until = min(since + CHUNK, last_entry(company))
        if until <= since:
            return 0
        parameters = {"company": company.pk, "since": since, "until": until}
        cursor.execute("SET LOCAL work_mem = '64MB'")  # a chunk is sorted and summed in memory
        cursor.execute("SET LOCAL statement_timeout = '5min'")  # nobody waits for it
        cursor.execute(statements.ROLL_ACCOUNTS, parameters)
        cursor.execute(statements.ROLL_DIMENSIONS, parameters)
        BalancePosition.objects.filter(pk=company.pk).update(seq=until)
    return until - since


def _held_position(company: Company) -> int:
    BalancePosition.objects.bulk_create([BalancePosition(company=company)], ignore_conflicts=True)
    return BalancePosition.objects.select_for_update().get(pk=company.pk).seq


def forget(company: Company) -> None:
    """The next roller starts anew: where `proof` finds something wrong, or what is summed by has changed."""
    with transaction.atomic(), connection.cursor() as cursor:
        _held_position(company)
        for table in ("ledger_dimensionsums", "ledger_dimensions", "ledger_balance"):
            cursor.execute(f"DELETE FROM {table} WHERE company_id = %s", [company.pk])  # noqa: S608 -- our own names
        BalancePosition.objects.filter(pk=company.pk).update(seq=0)
