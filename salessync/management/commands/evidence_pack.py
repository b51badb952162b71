"""What an auditor takes away for a period."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from salessync import sealing
from salessync.evidence import pack
from salessync.management.arguments import required_day
from salessync.management.company import add_company, company_of


class Command(BaseCommand):
    help = (
        "Write one archive with the journal entries booked in a period, what they were made of, the seals that fix it, and a program"
        " that checks it all without us."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from",
            dest="first",
            required=True,
            type=partial(required_day, ""),
            metavar="YYYY-MM-DD",
            help="the first day",
        )
        parser.add_argument(
            "--to",
            dest="last",
            required=True,
            type=partial(required_day, ""),
            metavar="YYYY-MM-DD",
            help="the last day, with it",
        )
        parser.add_argument("--output", required=True, type=Path, metavar="FILE.zip")
        parser.add_argument("--with-payloads", action="store_true", help="the messages as they were stored too")
        parser.add_argument("--json", action="store_true", help="one JSON object")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        company = company_of(options)
        if options["first"] > options["last"]:
            raise CommandError(
                f"the period ends before it begins: {options['first']} to {options['last']}", returncode=2
            )
        while sealing.seal_due():  # the archive holds sealed rows only
            pass
        try:
            made = pack.write(
                company=company, first=options["first"], last=options["last"], path=options["output"], actor="command",
                with_payloads=options["with_payloads"],
                progress=lambda name, lines: self.stderr.write(f"{name}: {lines} lines"),
            )  # fmt: skip
        except (pack.UnableToPack, OSError) as error:
            raise CommandError(str(error), returncode=2) from None
        if options["json"]:
            self.stdout.write(json.dumps({"file": str(options["output"]), "sha256": made.sha256, "lines": made.lines}))
        else:
            self.stdout.write(f"{options['output']}: {made.lines['entries.jsonl']} entries; SHA-256 {made.sha256}")
