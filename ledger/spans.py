"""Days in a tree of spans, so that any stretch of days is a bounded number of sums. Pure.

A span of level 0 is one day, of level 1 a block of 32 days, of level 2 of 1,024, of level 3 of 32,768. Blocks start where the day's
ordinal (1 is the first of January of the year 1) divides by their length, so that a span's number is the ordinal without its last
5 bits a level, and a block of one level is exactly 32 of the level below. What lies up to a day is then the digits of one number
to the base of 32: at most 31 spans a level, however old the books are.
"""

from datetime import date
from typing import NamedTuple

BITS = 5
WIDTH = 1 << BITS  # spans of one level in one of the next
LEVELS = 4


class Run(NamedTuple):
    """Neighbouring spans of one level, `first` and `last` among them."""

    level: int
    first: int
    last: int


def cover(first: date | None, last: date | None) -> list[Run]:
    """The fewest spans that hold exactly the days from `first` to `last`, both among them; None: without end.

    No day is in two of them; nothing, where `last` is before `first`.
    """
    start = first.toordinal() if first else 0
    end = (last or date.max).toordinal() + 1
    runs: list[Run] = []
    for level in range(LEVELS - 1):
        whole, rest = -(-start // WIDTH), end // WIDTH  # from which block on, and before which, blocks are whole
        if whole > rest or start >= end:
            return [*runs, Run(level, start, end - 1)] if start < end else runs
        if start < whole * WIDTH:
            runs.append(Run(level, start, whole * WIDTH - 1))
        if rest * WIDTH < end:
            runs.append(Run(level, rest * WIDTH, end - 1))
        start, end = whole, rest
    return [*runs, Run(LEVELS - 1, start, end - 1)] if start < end else runs


def days(first: date | None, last: date | None) -> list[Run]:
    """The same days, one by one."""
    start, end = first.toordinal() if first else 0, (last or date.max).toordinal()
    return [Run(0, start, end)] if start <= end else []
