"""Bookkeeper's books beside ours."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger import bookkeeper, differences, readback
from ledger.models import BookkeeperDifference

SHOWN = 100


class Command(BaseCommand):
    help = "Compare what Bookkeeper holds with what it was sent; exit 1 while anything differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--full", action="store_true", help="all there is, not only what was never compared and what differs"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        why = bookkeeper.why_not_configured()
        if why:
            raise CommandError(why, returncode=2)
        report = readback.check(full=options["full"], progress=self._progress)
        if report.error:
            raise CommandError(f"Bookkeeper cannot be read back: {report.error}", returncode=1)
        counts = differences.open_counts()
        rows = list(BookkeeperDifference.objects.filter(resolved_at=None).order_by("pk")[:SHOWN])
        if options["json"]:
            told = {"compared": report.compared, "opened": report.opened, "closed": report.closed, "open": counts}
            self.stdout.write(
                json.dumps({"ok": not any(counts.values()), **told, "differences": [_told(r) for r in rows]})
            )
        else:
            self._tell(report, counts, rows)
        if any(counts.values()):
            raise SystemExit(1)

    def _progress(self, compared: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{compared} compared", ending="")

    def _tell(self, report: readback.Report, counts: dict[str, int], rows: list[BookkeeperDifference]) -> None:
        for row in rows:
            self.stdout.write(
                f"{row.kind:<13} {row.known_as}  since {row.first_seen:%Y-%m-%d %H:%M} UTC  {_summary(row)}"
            )
        open_ = sum(counts.values())
        if open_ > len(rows):
            self.stdout.write(f"… and {open_ - len(rows)} more")
        self.stdout.write(
            f"compared {report.compared}, opened {report.opened}, closed {report.closed}; open: "
            + ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in counts.items())
        )


def _told(row: BookkeeperDifference) -> dict[str, Any]:
    return {
        "id": row.pk, "kind": row.kind, "entry": row.known_as, "first_seen": row.first_seen.isoformat(), "details": row.details,
    }  # fmt: skip


def _summary(row: BookkeeperDifference) -> str:
    """What of an entry was edited."""
    fields = [field["field"] for field in row.details.get("fields", ())]
    postings = len(row.details.get("postings", ())) + row.details.get("more", 0)
    return ", ".join(fields + ([f"{postings} postings"] if postings else []))
