"""Everything that a running system needs, looked at."""

import json
from typing import Any

from django.core.management import BaseCommand, CommandParser

from salessync import doctor


class Command(BaseCommand):
    help = "Say how settings, database, broker, workers, channels and keys are, and what to do. Exit 1 where anything fails."
    requires_system_checks = []  # they are among the findings

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for one in doctor.examine():
            findings.append(one)
            if not options["json"]:
                self.stdout.write(f"{one.state:<5} {one.check:<11} {one.says}")
                if one.do:
                    self.stdout.write(f"{'':<18}→ {one.do}")
        failed = any(one.state == doctor.State.FAIL for one in findings)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not failed, "findings": [one._asdict() for one in findings]}))
        if failed:
            raise SystemExit(1)
