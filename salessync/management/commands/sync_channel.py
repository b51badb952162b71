"""Read a vendor's lists from a script: what changed, or what was before."""

from datetime import UTC, datetime
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from channels import fetching, poll
from channels.models import Channel, Reading
from salessync.core.dates import DateError, parse_instant


def instant(text: str) -> datetime:
    """A day (its beginning, UTC) or an instant with its zone."""
    try:
        return parse_instant(text if "T" in text else f"{text}T00:00:00Z")
    except DateError as error:
        raise ValueError(str(error)) from None


class Command(BaseCommand):
    help = (
        "Read a channel's lists into the inbox: what changed since the last time, or with --since the past. Resumable."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--since", type=instant, metavar="T", help="a backfill from this day or instant")
        parser.add_argument("--until", type=instant, metavar="T", help="to this one; now where it is left out")

    def handle(self, *args: Any, **options: Any) -> None:
        channel = Channel.objects.filter(slug=options["slug"]).first()
        if channel is None:
            raise CommandError(f"there is no channel {options['slug']!r}", returncode=2)
        if options["until"] and not options["since"]:
            raise CommandError("--until needs --since", returncode=2)
        try:
            readings = self._readings(channel, options["since"], options["until"])
        except poll.NotReadable as error:
            raise CommandError(str(error), returncode=2) from None
        unfinished = 0
        for reading in readings:
            while True:
                run = poll.read(reading, progress=self._show)
                reading.refresh_from_db()
                if run is None or run.finished or reading.error or not run.pages:
                    break
            finished = run is not None and run.finished
            unfinished += not finished
            said = "" if finished else f"; not finished: {reading.error or 'somebody else reads it'}"
            self.stdout.write(f"{reading.stream}: {reading.found} found, {reading.stored} new{said}")
        fetching.fetch_due(seconds=300)
        if unfinished:
            raise CommandError("not every list was read to its end; run it again to go on", returncode=1)

    def _readings(self, channel: Channel, since: datetime | None, until: datetime | None) -> list[Reading]:
        if since is None:
            found = poll.ensure_live(channel)
            if not found:
                raise poll.NotReadable(f"{channel.adapter} has no list that could be read")
            return found
        running = channel.readings.filter(purpose=Reading.Purpose.BACKFILL, reached=since).exclude(
            state=Reading.State.DONE
        )
        if until is None and running:  # the same command again goes on with the same backfill
            return [r for r in running if r.until]
        return poll.begin_backfill(channel, since, until or datetime.now(UTC))

    def _show(self, reading: Reading) -> None:
        self.stderr.write(
            f"{reading.stream}: {reading.found} found in {reading.pages} pages",
            ending="\r" if self.stderr.isatty() else "\n",
        )
