"""How near a company's sales come to the thresholds from which on it must register."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from salessync.core.money import to_major
from salessync.management.arguments import day_of
from salessync.management.company import add_company, company_of
from tax.models import NexusWatch
from tax.seller import nexus_watch

_HEADING = f"{'':<8}{'sales':>16}{'':<5}{'number':>9}{'share':>9}  {'state':<12}{'passed on':<12}days counted"


class Command(BaseCommand):
    help = "Count sales by state against its threshold, and print the nearest first. Exit 1 where one is passed without a registration."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--on", metavar="YYYY-MM-DD", help="up to the end of this day instead of today")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        on = day_of("--on", options["on"]) or timezone.localdate()
        company = company_of(options)
        nexus_watch.count(company, on)
        rows = list(NexusWatch.objects.filter(company=company).order_by("-share", "jurisdiction"))
        if not options["json"]:
            self.stdout.write(_HEADING if rows else "no sales to a state with a threshold")
        for row in rows:
            self.stdout.write(json.dumps(_as_json(row)) if options["json"] else _as_text(row))
        if any(row.state == NexusWatch.State.PASSED for row in rows):
            raise SystemExit(1)


def _as_json(row: NexusWatch) -> dict[str, Any]:
    return {
        "jurisdiction": row.jurisdiction, "period": row.period, "sales": row.sales, "currency": row.currency,
        "transactions": row.transactions, "share": str(row.share), "state": row.state,
        "passed_on": row.passed_on.isoformat() if row.passed_on else None,
    }  # fmt: skip


def _as_text(row: NexusWatch) -> str:
    passed = row.passed_on.isoformat() if row.passed_on else ""
    return (
        f"{row.jurisdiction:<8}{to_major(row.sales, row.currency):>16} {row.currency:<4}{row.transactions:>9,}"
        f"{row.share:>9.1%}  {row.state:<12}{passed:<12}{row.period}"
    )
