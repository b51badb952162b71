"""Sums of the journal over any stretch of days, exact at any moment, in a time that does not grow with the age of the books.

They are kept in two trees of spans of days (ledger/spans.py): one by account and currency, one by all dimensions.

- Rolling forward, off the hot path: entries are taken in the order of their numbers, which are gap-free and in commit order, so that
  whatever has a number up to the company's last is there to be read. A chunk's sums and the position behind it are written in one
  database transaction: an entry is counted once, whatever is killed when.
- Reading: the kept sums, and the postings of the entries that were not rolled yet, in one statement and so in one snapshot. A reader
  who names the number of an entry gets the sums as of that entry, however far the roller has come since: several questions about
  the same number are answered from the same journal.
"""

from ledger.balances.reading import (
    AccountTotal,
    DimensionTotal,
    Period,
    by_account,
    by_dimensions,
    days_of,
    last_entry,
)
from ledger.balances.rolling import StillRolling, catch_up, catch_up_all, forget, roll, roll_all

__all__ = [
    "AccountTotal", "DimensionTotal", "Period", "StillRolling", "by_account", "by_dimensions", "catch_up", "catch_up_all",
    "days_of", "forget", "last_entry", "roll", "roll_all",
]  # fmt: skip
