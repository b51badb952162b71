"""Every law of the books, counted."""

import json
from typing import Any

from django.core.management import BaseCommand, CommandParser

from salessync import verify


class Command(BaseCommand):
    help = "Check every law of the books against what is stored; exit 1 on any violation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        laws = verify.verify_books(progress=lambda what, done: self.stderr.write(f"{done} {what} checked"))
        violations = sum(law.violations for law in laws)
        if options["json"]:
            counted = [{"law": w.law, "checked": w.checked, "violations": w.violations} for w in laws]
            self.stdout.write(json.dumps({"ok": not violations, "violations": violations, "laws": counted}))
        else:
            for law in laws:
                self.stdout.write(f"{law.checked:>9} checked {law.violations:>5} violations  {law.law}")
                for example in law.examples:
                    self.stdout.write(f"{'':>9} {example}")
            self.stdout.write(f"{violations} violations")
        if violations:
            raise SystemExit(1)
