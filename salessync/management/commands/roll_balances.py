"""The kept sums of the journal: rolled forward, made anew, or compared with the journal."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger import balances
from ledger.balances import proof
from salessync.core.models import Company


class Command(BaseCommand):
    help = (
        "Roll the balances that reports read forward to the newest entry of every company, as the worker does by and by."
        " Exit 1 where --prove finds a sum that is not the journal's; --anew makes them all again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--anew", action="store_true", help="forget what is kept and start at the first entry")
        parser.add_argument("--prove", action="store_true", help="compare every kept sum with the journal")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["anew"]:
            for company in Company.objects.order_by("pk"):
                balances.forget(company)
        found: dict[str, Any] = {"rolled": balances.roll_all()}
        told = f"{found['rolled']:,} entries rolled"
        if options["prove"]:
            proven = proof.prove_all()
            found |= {"checked": proven.checked, "wrong": proven.wrong, "examples": list(proven.examples)}
            told += f"; {proven.checked:,} sums checked, {proven.wrong} wrong"
        self.stdout.write(json.dumps(found) if options["json"] else told)
        if found.get("wrong"):
            examples = "; ".join(found["examples"])
            raise CommandError(
                f"{found['wrong']} sums are not the journal's ({examples}): --anew makes them again", returncode=1
            )
