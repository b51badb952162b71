"""Opening balances from a CSV."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ledger import opening
from salessync.core.problems import Refused
from salessync.management.arguments import required_day, text_of
from salessync.management.by_hand import answer
from salessync.management.company import add_company, company_of
from salessync.management.refusing import refuse


class Command(BaseCommand):
    help = (
        "Book the balances that the books begin with: a CSV with the columns account,currency,amount and, where it is not in base"
        " currency, base_amount; in major units, a credit negative. What they lack to nothing goes to Equity:Opening-balances."
        " All or nothing; the same file twice changes nothing, another one takes the place of the former."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--date", required=True, metavar="YYYY-MM-DD", help="they are the balances at the end of it"
        )
        parser.add_argument("--dry-run", action="store_true", help="look at the file, book nothing")
        parser.add_argument("--actor", default="", help="who asks for it; the system's user where not given")
        parser.add_argument("--json", action="store_true")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        company, day = company_of(options), required_day("", options["date"])
        text = text_of(options["file"])
        try:
            if options["dry_run"]:
                found = opening.preview(company=company, text=text, day=day)
                told = {"postings": len(found.record.postings), "booked_on": found.booked_on.isoformat()}
                told |= {"new_accounts": found.new_accounts}
                said = f"{told['postings']} postings would be booked on {found.booked_on}"
                new = f"; new accounts: {', '.join(found.new_accounts)}" if found.new_accounts else ""
                self.stdout.write(json.dumps(told) if options["json"] else said + new)
                return
            actor = options["actor"] or f"command:{getpass.getuser()}"
            done = opening.bring_in(company=company, text=text, day=day, actor=actor, now=datetime.now(UTC))
        except Refused as refused:
            refuse(self, refused, as_json=options["json"])
        answer(self, done, as_json=options["json"])
