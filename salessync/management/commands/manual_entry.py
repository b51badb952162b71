"""Entries by hand from a program or a shell."""

import getpass
import json
import sys
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger import by_hand
from salessync.core.problems import Refused
from salessync.management.by_hand import answer
from salessync.management.company import add_company, company_of
from salessync.management.refusing import refuse

EXAMPLE = (
    '{"date": "2026-09-30", "reason": "July\'s fee, booked twice", "kind": "correction", "postings":'
    ' [{"account": "Assets:Bank:Main", "amount": 1250}, {"account": "Expenses:Processing-fees", "amount": -1250}]}'
)


class Command(BaseCommand):
    help = (
        "Book an entry by hand, read from stdin as JSON with amounts in minor units, debit positive, such as "
        f"{EXAMPLE}. With an id the same entry is booked once, without one whatever says the same is. --undo takes one back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--undo", metavar="ID", help="in place of an entry on stdin: take that one back")
        parser.add_argument("--reason", default="", help="why it is taken back")
        parser.add_argument("--actor", default="", help="who asks for it; the system's user where not given")
        parser.add_argument("--json", action="store_true")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        who = {
            "company": company_of(options),
            "actor": options["actor"] or f"command:{getpass.getuser()}",
            "now": datetime.now(UTC),
        }
        try:
            if options["undo"]:
                done = by_hand.undo(id=options["undo"], reason=options["reason"], **who)
            else:
                done = by_hand.submit(draft=by_hand.read(_read()), **who)
        except Refused as refused:
            refuse(self, refused, as_json=options["json"])
        answer(self, done, as_json=options["json"])


def _read() -> Any:
    try:
        return json.loads(sys.stdin.buffer.read())
    except ValueError as error:
        raise CommandError(f"stdin holds no JSON: {error}", returncode=2) from None
