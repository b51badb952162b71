"""File capture into the inbox."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import transaction

from channels.capture import capture
from channels.models import Channel, Event


class Command(BaseCommand):
    help = "Store raw vendor payloads from files in the inbox: one a file, or one a line of a .jsonl."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("files", nargs="+", type=Path)
        parser.add_argument("--topic", help="the vendor's event name, where it is not in the body")

    def handle(self, *args: Any, **options: Any) -> None:
        channel = Channel.objects.filter(slug=options["slug"]).first()
        if channel is None:
            raise CommandError(f"there is no channel {options['slug']!r}", returncode=2)
        stored = duplicates = 0
        for path in options["files"]:
            with transaction.atomic():
                for body in self._payloads(path):
                    captured = capture(
                        channel=channel, headers={}, body=body, mode=Event.Mode.FILE, received_at=datetime.now(UTC),
                        topic=options["topic"],
                    )  # fmt: skip
                    stored += not captured.duplicate
                    duplicates += captured.duplicate
                    if (stored + duplicates) % 1000 == 0:
                        self.stderr.write(f"{stored + duplicates} read")
        self.stdout.write(f"{stored} stored, {duplicates} known before")

    def _payloads(self, path: Path) -> Iterator[bytes]:
        try:
            if path.suffix == ".jsonl":
                with path.open("rb") as lines:
                    yield from (line for line in lines if line.strip())
            else:
                yield path.read_bytes()
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error}", returncode=2) from None
