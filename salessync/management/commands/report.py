"""What the books say: any report, as a table, as CSV or as JSON."""

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger import balances
from ledger.balances import Period
from ledger.reports import catalog, writing
from ledger.reports.catalog import CATALOG, Asked, CannotReport
from ledger.reports.report import Report
from salessync.management.company import add_company, company_of


class Command(BaseCommand):
    help = (
        "A report from the ledger. On screen and with --csv in major units, with --json in minor units."
        " Exit 1 where it does not tie to the ledger. Reports: "
        + "; ".join(f"{d.name}: {d.about}" for d in CATALOG.values())
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help=", ".join(CATALOG))
        parser.add_argument(
            "--from", dest="first", metavar="YYYY-MM-DD", help="the first day; all before it is the opening balance"
        )
        parser.add_argument(
            "--to", "--as-of", dest="last", metavar="YYYY-MM-DD", help="the last day; all days where it is left out"
        )
        parser.add_argument("--by", metavar="WORD,WORD", default="", help="what to tell apart by: " + _words())
        parser.add_argument("--account", metavar="CODE", action="append", default=[], help="may be given several times")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--csv", action="store_true")
        form.add_argument("--json", action="store_true")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = self._made(options)
        except CannotReport as error:
            raise CommandError(str(error), returncode=2) from None
        for line in _written(report, options):
            self.stdout.write(line, ending="")
        tie = report.tie()
        if not tie.holds:
            raise CommandError(tie.sentence, returncode=1)

    def _made(self, options: dict[str, Any]) -> Report:
        period = Period(catalog.day(options["first"], "from"), catalog.day(options["last"], "to"))
        by = [word for word in options["by"].replace(" ", "").split(",") if word]
        asked = Asked(company_of(options), period, by, options["account"])
        balances.catch_up(
            asked.company, progress=lambda done, of: self.stderr.write(f"{done:,} of {of:,} entries added up")
        )
        return catalog.make(options["name"], asked)


def _words() -> str:
    return "; ".join(f"{d.name} by {', '.join(d.by)}" for d in CATALOG.values() if d.by)


def _written(report: Report, options: dict[str, Any]) -> Iterable[str]:
    if options["csv"]:
        return writing.as_csv(report)
    if options["json"]:
        return (*writing.as_json(report), "\n")
    return (f"{line}\n" for line in writing.as_table(report))
