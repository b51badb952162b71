"""The chain of seals, held against what is stored."""

import json
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from salessync import verify_audit
from salessync.verify_audit import Report


class Command(BaseCommand):
    help = (
        "Check every seal, every sealed row, every record's digest and every anchored head; exit 1 on any violation, which is"
        " named by its row."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.add_argument(
            "--since", type=int, default=0, metavar="N", help="only the seals after number N (a head that was verified)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = verify_audit.verify_audit(
                since=options["since"], progress=lambda what, done: self.stderr.write(f"{done} {what} checked")
            )
        except LookupError as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(json.dumps(_as_json(report)) if options["json"] else _as_text(report))
        if report.violated:
            raise SystemExit(1)


def _as_json(report: Report) -> dict[str, Any]:
    number, hash_ = report.head
    return {
        "ok": not report.violated,
        "violations": [violation._asdict() for violation in report.violations],
        "violated": report.violated,
        "sealed": report.sealed,
        "unsealed": report.unsealed,
        "waiting_details": report.waiting,
        "rewritten_bodies": report.rewritten,
        "anchored": report.anchored,
        "head": {"number": number, "hash": hash_.hex()},
    }


def _as_text(report: Report) -> str:
    number, hash_ = report.head
    lines = [f"{v.table}: {v.row} {v.what}" for v in report.violations]
    if report.violated > len(report.violations):
        lines.append(f"… and {report.violated - len(report.violations)} more")
    lines += [
        f"{report.sealed:>9} rows under {number} seals",
        f"{report.unsealed:>9} audit rows and entries not sealed yet",
        f"{report.waiting:>9} details that are sealed with their summary, when it comes",
        f"{report.anchored:>9} heads anchored outside the database",
    ]
    if report.rewritten:
        lines.append(f"{report.rewritten:>9} stored bodies purged, or without their person, since they were sealed")
    lines.append(f"{report.violated:>9} violations; head: seal {number}, hash {hash_.hex()}")
    return "\n".join(lines)
