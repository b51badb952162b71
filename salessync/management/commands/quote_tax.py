"""`quote_tax < request.json`: the tax of a sale. Touches neither database nor network, unless it is told to use stored rates."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from django.core.management.base import BaseCommand, CommandError

from channels import payload
from salessync.core.problems import Problem, Refused
from tax import formats
from tax.formats.overlay import laid_over
from tax.law.ratebook import RateBook
from tax.law.seed import seed
from tax.quoting import quote

LIMIT = 10 * 1024 * 1024


class Command(BaseCommand):
    """Prints one answer a request, or `{"problems": […]}` where it is refused; exit 1 where any was."""

    help = "Print the tax of the request on standard input: net, tax, gross, by line and by rate, and why."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One request, or many; by the seed's rates, or others."""
        parser.add_argument("--lines", action="store_true", help="one request a line, one answer a line")
        parser.add_argument(
            "--rates", action="append", type=Path, default=[], metavar="FILE",
            help="a file of rates or boundaries over the seed's, for this call; may be given again",
        )  # fmt: skip
        parser.add_argument("--stored", action="store_true", help="by the active rates of the database")

    def handle(self, *args: Any, **options: Any) -> None:
        """An answer for every request, whatever is in it."""
        book = _book(options["rates"], options["stored"])
        all_fine = True
        for body in _lines(sys.stdin.buffer) if options["lines"] else [sys.stdin.buffer.read(LIMIT + 1)]:
            try:
                found = quote.answer(_parse(body), book)
            except Refused as refused:
                all_fine = False
                found = {"problems": refused.problems}
            self.stdout.write(msgspec.json.encode(found).decode())
        if not all_fine:
            sys.exit(1)


def _book(files: list[Path], stored: bool) -> RateBook | None:
    """None: the seed's."""
    if stored and files:
        raise CommandError("--rates and --stored cannot be used together", returncode=2)
    if stored:
        from tax.rates import books  # the only way by which this command comes to need a database

        return books.current().book
    try:
        return laid_over(seed(), [formats.read(file) for file in files]) if files else None
    except Refused as refused:
        raise CommandError("\n".join(str(problem) for problem in refused.problems), returncode=2) from None


def _lines(stream: BinaryIO) -> Any:
    """Each line that holds something; of an endless one only as much as is needed to refuse it."""
    while line := stream.readline(LIMIT + 2):
        rest = line
        while len(rest) == LIMIT + 2 and not rest.endswith(b"\n"):
            rest = stream.readline(LIMIT + 2)
        if line.strip():
            yield line.rstrip(b"\r\n")


def _parse(body: bytes) -> Any:
    if len(body) > LIMIT:
        raise Refused(Problem("BODY_TOO_LARGE", "$", "the request is larger than 10 MB"))
    return payload.parse(body)
