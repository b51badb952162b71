"""The whole chain of a sale, payout or entry, to the cent."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from salessync.explain import chain, find
from salessync.explain.as_json import as_json
from salessync.explain.as_text import clean, text
from salessync.management.company import add_company, company_of


class Command(BaseCommand):
    help = (
        "Print how a sale, refund, charge, dispute, payout, drawer or entry by hand came to be what it is: the bytes, the record, its"
        " checks, taxes, stock, entries with the place that each amount came from, Bookkeeper's receipts, payouts. ID is a number"
        " (#1001), a source id, channel:source id, our own id (transaction:12), an entry (entry:123) or Bookkeeper's receipt."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", metavar="ID")
        parser.add_argument("--json", action="store_true", help="one object, amounts in minor units")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        company = company_of(options) if options["company"] else None
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")  # a number or a receipt is looked for in the whole table
            try:
                found = find.one(options["id"], company=company)
            except find.NotFound as error:
                near = "".join(f"\n  {clean(name)}" for name in error.near)
                like = f"; it looks like{near}" if near else "; nothing looks like it"
                raise CommandError(f"{error}{like}", returncode=2) from None
            except find.Ambiguous as error:
                names = "".join(f"\n  {clean(name)}" for name in error.candidates)
                raise CommandError(f"{error}, ask for one of them:{names}", returncode=2) from None
            told = chain.of(found)
            if options["json"]:
                self.stdout.write(json.dumps(as_json(told), ensure_ascii=False))
            else:
                self.stdout.writelines(f"{line}\n" for line in text(told))
