"""The journal for another program."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction

from ledger import exports
from salessync.management.company import add_company, company_of

FORMATS = {"beancount": exports.beancount}


class Command(BaseCommand):
    help = "Write the journal so that another program can check it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", required=True, choices=sorted(FORMATS))
        parser.add_argument("--output", type=Path, help="a file; without it, standard output")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        lines = FORMATS[options["format"]](company=company_of(options))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")  # a long journal takes long to sort
            if options["output"] is None:
                for line in lines:
                    self.stdout.write(line, ending="")
                return
            unfinished = options["output"].with_name(options["output"].name + ".part")
            with unfinished.open("w", encoding="utf-8") as out:
                out.writelines(lines)
            unfinished.replace(options["output"])
