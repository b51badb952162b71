"""Close the books up to a day, or open them again."""

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger import periods
from salessync.core.problems import Refused
from salessync.management.arguments import required_day
from salessync.management.company import add_company, company_of


class Command(BaseCommand):
    help = "Close the books: nothing is booked up to and on that day any more; what is late goes to the first open day."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--through", metavar="YYYY-MM-DD", help="the last day to close")
        which.add_argument(
            "--reopen-after", metavar="YYYY-MM-DD", help="the last day that stays closed; 'all' opens every day"
        )
        parser.add_argument("--reason", required=True, help="kept for the auditor")
        parser.add_argument("--actor", default="", help="who asks for it; the system's user where not given")
        parser.add_argument("--json", action="store_true")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        company = company_of(options)
        who = {
            "company": company,
            "actor": options["actor"] or f"command:{getpass.getuser()}",
            "reason": options["reason"],
        }
        try:
            if options["through"]:
                change = periods.close(through=required_day("", options["through"]), **who)
            else:
                after = options["reopen_after"]
                change = periods.reopen(through=None if after == "all" else required_day("", after), **who)
        except Refused as refused:
            raise CommandError("; ".join(p.message for p in refused.problems), returncode=2) from None
        through = change.closed_through.isoformat() if change.closed_through else None
        if options["json"]:
            self.stdout.write(json.dumps({"company": company.slug, "action": change.action, "closed_through": through}))
        else:
            self.stdout.write(f"{company}: closed through {through}" if through else f"{company}: every day is open")
