"""The journal for another program."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from ledger import exports
from salessync.management.arguments import day_of
from salessync.management.company import add_company, company_of


class Command(BaseCommand):
    help = (
        "Write the journal so that another program can check it; a period begins with what the accounts bring forward."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", required=True, choices=sorted(exports.FORMATS))
        parser.add_argument("--from", dest="since", metavar="YYYY-MM-DD", help="the first booked day")
        parser.add_argument("--to", dest="until", metavar="YYYY-MM-DD", help="the last booked day")
        parser.add_argument("--output", type=Path, help="a file; without it, standard output")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        since, until = day_of("--from", options["since"]), day_of("--to", options["until"])
        if since and until and since > until:
            raise CommandError(f"--from {since} is after --to {until}", returncode=2)
        lines = exports.FORMATS[options["format"]](company=company_of(options), since=since, until=until)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")  # a long journal takes long to sort
            if options["output"] is None:
                for line in lines:
                    self.stdout.write(line, ending="")
                return
            unfinished = options["output"].with_name(options["output"].name + ".part")
            try:
                with unfinished.open("w", encoding="utf-8", newline="") as out:
                    out.writelines(lines)
                unfinished.replace(options["output"])
            except OSError as error:
                raise CommandError(f"{options['output']} cannot be written: {error.strerror}", returncode=2) from None
