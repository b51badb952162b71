"""Every account with its balance, and the sums that show whether the books are sound."""

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger import balances, reports
from ledger.reports import BalanceRow, Totals, trial
from salessync.core.money import to_major
from salessync.management.arguments import day_of
from salessync.management.company import add_company, company_of

HEADINGS = ("Account", "", "Debit", "Credit", "Balance")


class Command(BaseCommand):
    help = "The trial balance: on screen in major units, with --json in minor units. Exit 1 where the base sum is not zero."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--as-of", metavar="YYYY-MM-DD", help="up to the end of this business day")
        parser.add_argument("--json", action="store_true")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = day_of("--as-of", options["as_of"])
        company = company_of(options)
        balances.catch_up(company, progress=lambda done, of: self.stderr.write(f"{done:,} of {of:,} entries added up"))
        rows = reports.trial_balance(company=company, as_of=as_of)
        totals = reports.totals(rows)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(rows, totals, company.base_currency, as_of)))
        else:
            self.stdout.write(_as_table(rows, totals, company.base_currency, as_of))
        if totals.base:
            raise CommandError(
                f"the books do not balance: {to_major(totals.base, company.base_currency)}", returncode=1
            )


def _as_json(rows: list[BalanceRow], totals: Totals, base: str, as_of: date | None) -> dict[str, Any]:
    return {
        "as_of": as_of.isoformat() if as_of else None,
        "base_currency": base,
        "accounts": [row._asdict() for row in rows],
        "totals": {"base_balance": totals.base, "by_currency": totals.by_currency},
    }


def _as_table(rows: list[BalanceRow], totals: Totals, base: str, as_of: date | None) -> str:
    cells = [(*HEADINGS, f"In {base}")]
    for row in rows:
        amounts = (to_major(amount, row.currency) for amount in (row.debit, row.credit, row.balance))
        cells.append((row.account, row.currency, *amounts, to_major(row.base_balance, base)))
    for currency, amount in sorted(totals.by_currency.items()):
        cells.append((trial.total_label(amount), currency, "", "", to_major(amount, currency), ""))
    cells.append(("Sum, must be zero", "", "", "", "", to_major(totals.base, base)))
    widths = [max(len(line[i]) for line in cells) for i in range(6)]
    aligned = (
        [cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(c, widths, strict=True))]
        for c in cells
    )
    table = ["  ".join(line).rstrip() for line in aligned]
    rule = "-" * max(map(len, table))
    table[1:1] = [rule]
    table[len(rows) + 2 : len(rows) + 2] = [rule]
    return "\n".join([f"Trial balance{f' at {as_of}' if as_of else ''}", "", *table])
