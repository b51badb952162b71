"""Exchange rates from a CSV."""

import csv
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from ledger.models import Rate
from salessync.core.money import MINOR_DIGITS
from salessync.management.arguments import text_of

RATE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


class Command(BaseCommand):
    help = "Import dated exchange rates: a CSV with the columns date,from,to,rate. All or nothing; the same file twice changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        text = text_of(options["file"])
        reader = csv.DictReader(text.splitlines())
        if not {"date", "from", "to", "rate"} <= set(reader.fieldnames or ()):
            raise CommandError("the file needs the columns date,from,to,rate", returncode=2)
        rates = [self._rate(row, reader.line_num) for row in reader]
        unique = {(r.from_currency, r.to_currency, r.date): r for r in rates}
        Rate.objects.bulk_create(
            unique.values(), update_conflicts=True, unique_fields=["from_currency", "to_currency", "date"],
            update_fields=["rate"],
        )  # fmt: skip
        self.stdout.write(f"{len(unique)} rates")

    def _rate(self, row: dict[str, str], line: int) -> Rate:
        try:
            day = date.fromisoformat(row["date"].strip())
        except (ValueError, AttributeError):
            raise CommandError(f"BAD_DATE line {line} {row['date']!r} is not a date", returncode=1) from None
        pair = (row["from"] or "").strip(), (row["to"] or "").strip()
        for currency in pair:
            if currency not in MINOR_DIGITS:
                raise CommandError(f"UNKNOWN_CURRENCY line {line} {currency!r} is no ISO 4217 currency", returncode=1)
        text = (row["rate"] or "").strip()
        if not RATE.fullmatch(text) or not Decimal(text):
            raise CommandError(f"BAD_RATE line {line} {text!r} is not a rate", returncode=1)
        return Rate(date=day, from_currency=pair[0], to_currency=pair[1], rate=Decimal(text))
