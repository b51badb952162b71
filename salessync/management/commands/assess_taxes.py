"""Sales assessed again by what is known of rates, registrations and products now."""

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from salessync.core.money import to_major
from salessync.management.arguments import day_of, required_day
from salessync.management.company import add_company, company_of
from tax.assessment import reassessing
from tax.assessment.reassessing import Tally
from tax.rates import books


class Command(BaseCommand):
    help = (
        "Compute the tax of the sales of some days again, after registrations, categories or rates were put right. What was computed "
        "before stays beside it. On screen in major units, with --json in minor units."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", dest="first", metavar="YYYY-MM-DD", required=True, help="this business day and later"
        )
        parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", default="", help="up to this business day")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, write nothing")
        parser.add_argument("--json", action="store_true", help="one JSON object")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        company = company_of(options)
        first, last = required_day("--from", options["first"]), day_of("--to", options["last"]) or date.max
        if first > last:
            raise CommandError(f"--from {first} is after --to {last}", returncode=2)
        tally = reassessing.reassess(
            company.pk,
            first=first,
            last=last,
            book=books.current(),
            post=not options["dry_run"],
            progress=self._progress,
        )
        self.stdout.write(
            json.dumps(_as_json(tally)) if options["json"] else _as_text(tally, dry_run=options["dry_run"])
        )

    def _progress(self, tally: Tally) -> None:
        self.stderr.write(f"{tally.looked_at} sales looked at, {tally.changed} computed otherwise")


def _as_json(tally: Tally) -> dict[str, Any]:
    return {
        "looked_at": tally.looked_at, "changed": tally.changed, "more_tax": tally.more,
        "samples": [change._asdict() for change in tally.samples],
    }  # fmt: skip


def _as_text(tally: Tally, *, dry_run: bool) -> str:
    would = "would be computed" if dry_run else "are computed"
    said = [f"{tally.looked_at} sales looked at; {tally.changed} {would} otherwise."]
    said += [
        f"Tax by law in {currency}: {to_major(more, currency)} more than before."
        for currency, more in sorted(tally.more.items())
    ]
    return "\n".join(said)
