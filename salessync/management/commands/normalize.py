"""`normalize ADAPTER < payload`: the canonical records of one raw vendor payload. Touches no database."""

import sys
from argparse import ArgumentParser
from typing import Any, NoReturn

from django.core.management.base import BaseCommand

from channels import adapter, canonical, checks, payload
from salessync.core import dates
from salessync.core.problems import Problem, Refused

LIMIT = 10 * 1024 * 1024
NO_WORDS = frozenset({"UNKNOWN_CURRENCY", "UNKNOWN_TIMEZONE"})  # codes that begin so, and are no new word of a vendor


class Command(BaseCommand):
    """Prints one record a line; exit 1 with `CODE path message` lines on standard error where something is refused."""

    help = "Print the canonical records that one raw vendor payload on standard input holds."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """ADAPTER and what a payload may lack."""
        parser.add_argument("adapter", help="the vendor: " + ", ".join(adapter.adapter_names()))
        parser.add_argument("--topic", default=None, help="the vendor's event name, where it comes in a header")
        parser.add_argument("--channel", default="", help="the slug that the records bear")
        parser.add_argument("--timezone", default="UTC", help="the store's zone, where the payload names none")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, normalize, print, prove."""
        name = options["adapter"]
        try:
            vendor = adapter.get(name)
        except KeyError:
            self._stop(2, f"there is no adapter {name!r}; there are: {', '.join(adapter.adapter_names())}")
        try:
            dates.zone(options["timezone"])
        except dates.DateError as error:
            self._stop(2, str(error))
        # a standard record may name its channel itself; any other payload cannot
        slug = options["channel"] or ("" if name == "standard" else name)
        context = adapter.Context(channel=slug, timezone=options["timezone"])
        try:
            records = vendor.normalize(read_body(), options["topic"], context)
        except Refused as refused:
            self._refuse(refused.problems)
        except adapter.Ignored as ignored:
            if options["verbosity"] > 1:
                self.stderr.write(str(ignored))
            return
        for record in records:
            self.stdout.write(canonical.encode(record).decode())
        problems = [p for record in records for p in checks.check(record) if not _is_left_to_validate(p)]
        if problems:
            self._refuse(problems)

    def _refuse(self, problems: list[Problem]) -> NoReturn:
        for problem in problems:
            self.stderr.write(" ".join(str(problem).split()))
        sys.exit(1)

    def _stop(self, code: int, message: str) -> NoReturn:
        self.stderr.write(message)
        sys.exit(code)


def read_body() -> Any:
    """The JSON on standard input."""
    body = sys.stdin.buffer.read(LIMIT + 1)
    if len(body) > LIMIT:
        raise Refused(Problem("BODY_TOO_LARGE", "$", "the body is larger than 10 MB"))
    return payload.parse(body)


def _is_left_to_validate(problem: Problem) -> bool:
    """A sale without jurisdiction and a word that is new are records all the same; `validate` and the pipeline object."""
    new_word = problem.code.startswith("UNKNOWN_") and problem.code not in NO_WORDS
    return new_word or problem.code == "MISSING_JURISDICTION"
