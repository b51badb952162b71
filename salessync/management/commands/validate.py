"""`validate < records.jsonl`: one verdict a line on canonical records. Touches no database."""

import sys
from typing import Any, BinaryIO

import msgspec
from django.core.management.base import BaseCommand

from channels import canonical, checks, payload
from salessync.core.problems import Problem, Refused

LIMIT = 10 * 1024 * 1024
NO_RECORD = frozenset({"NOT_A_RECORD", "MISSING_TYPE", "UNKNOWN_TYPE"})  # then no shape can be held against it


class Command(BaseCommand):
    """Prints `{"id", "ok", "codes"}` a line; exit 1 where any record is not ok."""

    help = "Check canonical records on standard input, one a line: required fields, shape, arithmetic proof."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """A verdict for every line, whatever is in it."""
        all_ok = True
        while (line := _line(sys.stdin.buffer)) is not None:
            identifier, problems = verdict(line)
            all_ok &= not problems
            self.stdout.write(msgspec.json.encode({"id": identifier, "ok": not problems, "codes": problems}).decode())
        if not all_ok:
            sys.exit(1)


def _line(stream: BinaryIO) -> bytes | None:
    """The next line without its end; None after the last. Of an endless one only as much as is needed to refuse it."""
    line = stream.readline(LIMIT + 2)
    if not line:
        return None
    rest = line
    while len(rest) == LIMIT + 2 and not rest.endswith(b"\n"):
        rest = stream.readline(LIMIT + 2)
    return line.rstrip(b"\r\n")


def verdict(line: bytes) -> tuple[str | None, list[Problem]]:
    """The record's id, where it has one, and everything that is wrong with it."""
    if len(line) > LIMIT:
        return None, [Problem("BODY_TOO_LARGE", "$", "the line is longer than 10 MB")]
    try:
        data = payload.parse(line)
    except Refused as refused:
        return None, refused.problems
    problems = checks.gate(data)
    if any(p.code in NO_RECORD for p in problems):
        return _identifier(data), problems
    missing = {p.path for p in problems} | {p.path.split(".")[0] for p in problems if p.code == "MISSING_JURISDICTION"}
    try:
        further = checks.check(canonical.from_dict(data))
    except Refused as refused:
        further = refused.problems
    return _identifier(data), problems + [p for p in further if p.path not in missing]


def _identifier(data: Any) -> str | None:
    source = data.get("source") if isinstance(data, dict) else None
    identifier = source.get("id") if isinstance(source, dict) else None
    return identifier if isinstance(identifier, str) else None
