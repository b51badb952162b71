"""How far a list that is sorted by time was read, for vendors that page by offset: rows that move meanwhile are not lost. Pure."""

import json
from collections.abc import Callable
from datetime import datetime

import msgspec

from channels.reading import Json
from salessync.core.dates import DateError, format_instant, parse_instant
from salessync.core.problems import Problem, Refused


class Position(msgspec.Struct, frozen=True):
    """The time to go on from, and which rows of that very time are done."""

    at: str
    seen: tuple[str, ...] = ()
    offset: int = 0  # only where one moment fills whole pages

    @classmethod
    def start(cls, cursor: str | None, since: datetime) -> "Position":
        """The beginning of the window, or the place that an earlier page told."""
        if cursor is None:
            return cls(format_instant(since))
        try:
            at, offset, *seen = json.loads(cursor)
            return cls(format_instant(parse_instant(at)), tuple(map(str, seen)), int(offset))
        except (ValueError, TypeError, DateError):
            raise Refused(Problem("BAD_CURSOR", "cursor", "the cursor is not one of this adapter")) from None

    def cursor(self) -> str:
        """As text."""
        return json.dumps([self.at, self.offset, *self.seen])

    def after(self, rows: list[Json], instant: Callable[[Json], str], full: int) -> "Position | None":
        """Where the next page begins; None after a page with fewer than `full` rows. `instant`: a row's time, as `at` is written."""
        if len(rows) < full:
            return None
        last = instant(rows[-1])
        ids = tuple(str(row.get("id")) for row in rows if instant(row) == last)
        if last == instant(rows[0]) and last == self.at:
            return Position(last, tuple(dict.fromkeys((*self.seen, *ids))), self.offset + len(rows))
        return Position(last, ids)
