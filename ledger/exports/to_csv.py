"""The journal as CSV: one row a posting, amounts in major and in minor units.

Safe to open in a spreadsheet: a text that it would take for a formula gets an apostrophe before it.
"""

import csv as files
from collections.abc import Iterator
from datetime import date

from ledger.exports.entries import read
from ledger.reports.writing import spreadsheet_text
from salessync.core.models import Company
from salessync.core.money import to_major

COLUMNS = (
    "seq", "entry", "date", "business_date", "channel", "type", "source_id", "number", "leg", "account", "amount", "currency",
    "amount_minor", "base_amount", "base_currency", "base_amount_minor", "location", "tax_code", "category", "path",
)  # fmt: skip


def csv(*, company: Company, since: date | None = None, until: date | None = None) -> Iterator[str]:
    """A heading, then row by row. What the accounts bring forward has the type `opening` and no seq."""
    base = company.base_currency
    writer = files.writer(_Line())
    yield writer.writerow(COLUMNS)
    for entry in read(company=company, since=since, until=until):
        head = [
            entry.seq or "", entry.id, entry.day, entry.business_date, entry.channel, entry.kind, entry.source_id, entry.number,
        ]  # fmt: skip
        for number, leg in enumerate(entry.legs, 1):
            row = [
                *head, number, leg.account, to_major(leg.amount, leg.currency), leg.currency, leg.amount,
                to_major(leg.base_amount, base), base, leg.base_amount, leg.location, leg.tax_code, leg.category, leg.path,
            ]  # fmt: skip
            yield writer.writerow([spreadsheet_text(str(value)) if value is not None else "" for value in row])


class _Line:
    """What csv.writer writes to: it gives back the line."""

    def write(self, line: str) -> str:
        return line
