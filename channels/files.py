"""CSV files into the inbox, by a saved mapping of their columns: proven as a whole first, then stored as a whole or not at all.

A captured row keeps the mapping that it was read with, so a mistake that the mapping makes could not be mended by a replay. Hence a
file is read to its end before anything of it is stored, and refused with everything that is wrong with it.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from django.db import transaction

from channels import adapter as adapters
from channels import checks
from channels import payload as payloads
from channels.adapter import Context, Ignored
from channels.adapters.csv import events
from channels.canonical import AnyRecord
from channels.capture import capture
from channels.models import Channel, Event
from salessync.core import nudge
from salessync.core.problems import Problem, Refused

ADAPTER = "csv"
MOST_PROBLEMS = 100  # a person reads them

Progress = Callable[[str, int], None]


class Proven(NamedTuple):
    """One transaction of a file: its payload as the inbox keeps it, where it stands, and what it becomes or why not."""

    body: bytes
    lines: list[int]
    records: list[AnyRecord]
    problems: list[Problem]


class Stored(NamedTuple):
    """How many transactions were new, how many known, and how many of the new ones do not add up."""

    new: int
    known: int
    quarantined: int


def proven(content: bytes, mapping: Any, context: Context, most: int | None = None) -> Iterator[Proven]:
    """The file's transactions (at most so many), read as the pipeline will read them. Refused where it cannot be split with certainty."""
    for payload in islice(events(content, mapping), most):
        yield _prove(payload, context)


def capture_csv(
    channel: Channel,
    content: bytes,
    mapping: Any,
    *,
    quarantine: bool = False,
    progress: Progress = lambda what, count: None,
) -> Stored:
    """Store every transaction of the file, or none: Refused with everything that is wrong, by line.

    With `quarantine` only what cannot be split is refused; a transaction that does not add up goes to quarantine alone.
    """
    found: list[bytes] = []
    problems: list[Problem] = []
    wrong = 0
    for count, one in enumerate(proven(content, mapping, channel.context()), 1):
        found.append(one.body)
        problems += one.problems[: max(MOST_PROBLEMS + 1 - len(problems), 0)]
        wrong += bool(one.problems)
        progress("read", count)
    if problems and not quarantine:
        raise Refused(*_most(problems, wrong))
    with transaction.atomic():
        new = 0
        for count, body in enumerate(found, 1):
            new += not capture(
                channel=channel, headers={}, body=body, mode=Event.Mode.FILE, received_at=datetime.now(UTC)
            ).duplicate
            progress("stored", count)
    if new:
        nudge.nudge(nudge.DRAIN_INBOX)
    return Stored(new, len(found) - new, wrong)


def _prove(payload: Any, context: Context) -> Proven:
    adapter, body = adapters.get(ADAPTER), payloads.dump(payload)
    records: list[AnyRecord] = []
    try:
        kept = payloads.parse_stored(payloads.dump(adapter.scrub(payloads.parse(body))))
        records = adapter.normalize(kept, None, context)
        problems = [_at_line(p, payload) for record in records for p in checks.check(record)]
    except Refused as refused:
        problems = refused.problems
    except Ignored:
        problems = []
    return Proven(body, payload["lines"], records, problems)


def _at_line(problem: Problem, payload: Any) -> Problem:
    """A proof's problem has a place in the record; people look for it in the file."""
    first, last = payload["lines"][0], payload["lines"][-1]
    where = f"line {first}" if first == last else f"lines {first} to {last}"
    return Problem(problem.code, problem.path, f"{where}: {problem.message}")


def _most(problems: list[Problem], wrong: int) -> list[Problem]:
    if len(problems) <= MOST_PROBLEMS:
        return problems
    more = Problem(
        "MORE_PROBLEMS", "file", f"{wrong} transactions have problems; the first {MOST_PROBLEMS} problems are named"
    )
    return [*problems[:MOST_PROBLEMS], more]
