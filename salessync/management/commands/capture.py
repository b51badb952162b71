"""File capture into the inbox."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import transaction

from channels import files
from channels.capture import capture
from channels.models import Channel, Event, Mapping
from salessync.core.problems import Refused


class Command(BaseCommand):
    help = (
        "Store raw vendor payloads from files in the inbox: one a file, or one a line of a .jsonl."
        " With --mapping: the CSV file of a channel of the adapter csv, as a whole or not at all."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("files", nargs="+", type=Path)
        parser.add_argument("--topic", help="the vendor's event name, where it is not in the body")
        parser.add_argument("--mapping", metavar="NAME", help="the saved mapping of the columns of CSV files")
        parser.add_argument(
            "--quarantine",
            action="store_true",
            help="store a CSV file although transactions in it cannot be read or do not add up: those go to quarantine",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        channel = Channel.objects.filter(slug=options["slug"]).first()
        if channel is None:
            raise CommandError(f"there is no channel {options['slug']!r}", returncode=2)
        if options["mapping"] or any(_is_csv(channel, path) for path in options["files"]):
            self._capture_csv(channel, _mapping(channel, options["mapping"]), options)
            return
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
            raise _unreadable(path, error) from None

    def _capture_csv(self, channel: Channel, mapping: Mapping, options: dict[str, Any]) -> None:
        for path in options["files"]:
            try:
                done = files.capture_csv(
                    channel, path.read_bytes(), mapping.body, quarantine=options["quarantine"], progress=self._show
                )
            except OSError as error:
                raise _unreadable(path, error) from None
            except Refused as refused:
                for problem in refused.problems:
                    self.stderr.write(str(problem))
                raise CommandError(
                    f"nothing of {path} was stored: {len(refused.problems)} problems", returncode=1
                ) from None
            waiting = f", {done.quarantined} for the quarantine" if done.quarantined else ""
            self.stdout.write(f"{path}: {done.new} stored, {done.known} known before{waiting}")

    def _show(self, what: str, count: int) -> None:
        if count % 1000 == 0:
            self.stderr.write(f"{count} {what}")


def _is_csv(channel: Channel, path: Path) -> bool:
    return channel.adapter == files.ADAPTER and path.suffix.lower() in (".csv", ".tsv", ".txt")


def _mapping(channel: Channel, name: str | None) -> Mapping:
    """The channel's company's mapping of that name; CommandError that says which there are."""
    if channel.adapter != files.ADAPTER:
        raise CommandError(
            f"{channel.slug} is a channel of the adapter {channel.adapter}: a mapping is for those of csv", returncode=2
        )
    saved = {mapping.name: mapping for mapping in Mapping.objects.filter(company=channel.company_id).order_by("name")}
    if name in saved:
        return saved[name]
    there_are = f"there are {', '.join(saved)}" if saved else "there is none yet: it is made in the admin"
    asked = f"no mapping is called {name!r}" if name else "a CSV file needs --mapping NAME"
    raise CommandError(f"{asked}; {there_are}", returncode=2)


def _unreadable(path: Path, error: OSError) -> CommandError:
    return CommandError(f"{path} cannot be read: {error}", returncode=2)
