"""Seals what the workers' beat would."""

import json
from typing import Any

from django.core.management import BaseCommand, CommandParser

from salessync import sealing
from salessync.core import seals


class Command(BaseCommand):
    help = "Seal the audit rows and journal entries that are not sealed yet, and anchor the new heads outside the database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        sealed = 0
        while rows := sealing.seal_due():
            sealed += rows
            self.stderr.write(f"{sealed} rows sealed")
        number, hash_ = seals.head()
        if options["json"]:
            self.stdout.write(json.dumps({"sealed": sealed, "head": {"number": number, "hash": hash_.hex()}}))
        else:
            self.stdout.write(f"{sealed} rows sealed; seal {number}, hash {hash_.hex()}")
