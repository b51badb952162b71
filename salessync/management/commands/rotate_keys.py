"""Secrets at rest under the newest key."""

import json
from typing import Any

from django.core.management import BaseCommand, CommandParser

from salessync.core import rotation


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the first key of FIELD_ENCRYPTION_KEYS. Afterwards the others may be dropped, but for backups."
        " --check only counts. Exit 1 while an older key is needed, or where a value opens with none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; say how many still need an older key")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        rotated = 0 if options["check"] else rotation.rotate(actor="command")
        counts = rotation.counts()
        old, unreadable = sum(one.old for one in counts), sum(len(one.unreadable) for one in counts)
        if options["json"]:
            told = {"rotated": rotated, "old": old, "unreadable": unreadable}
            self.stdout.write(json.dumps(told | {"columns": [one._asdict() for one in counts]}))
        else:
            self._tell(rotated, counts, checked=options["check"])
        if old or unreadable:
            raise SystemExit(1)

    def _tell(self, rotated: int, counts: list[rotation.Count], *, checked: bool) -> None:
        if not checked:
            self.stdout.write(f"{rotated} values sealed anew")
        for one in counts:
            by_key = ", ".join(f"{count} by key {number}" for number, count in enumerate(one.by_key, 1))
            self.stdout.write(f"{one.column}: {by_key}")
            for name in one.unreadable:
                self.stdout.write(f"  no key opens {name}: bring the key back, or enter the credentials anew")
        if not any(one.old or one.unreadable for one in counts):
            self.stdout.write("key 1 opens everything: the others are needed for older backups only")
