"""`quote_tax < request.json`: the tax of a sale. Touches neither database nor network."""

import sys
from argparse import ArgumentParser
from typing import Any, BinaryIO

import msgspec
from django.core.management.base import BaseCommand

from channels import payload
from salessync.core.problems import Problem, Refused
from tax import quote

LIMIT = 10 * 1024 * 1024


class Command(BaseCommand):
    """Prints one answer a request, or `{"problems": […]}` where it is refused; exit 1 where any was."""

    help = "Print the tax of the request on standard input: net, tax, gross, by line and by rate, and why."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One request, or many."""
        parser.add_argument("--lines", action="store_true", help="one request a line, one answer a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """An answer for every request, whatever is in it."""
        all_fine = True
        for body in _lines(sys.stdin.buffer) if options["lines"] else [sys.stdin.buffer.read(LIMIT + 1)]:
            try:
                found = quote.answer(_parse(body))
            except Refused as refused:
                all_fine = False
                found = {"problems": refused.problems}
            self.stdout.write(msgspec.json.encode(found).decode())
        if not all_fine:
            sys.exit(1)


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
