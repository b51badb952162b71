"""Stored payloads end after a while; what they became stays."""

import json
from datetime import timedelta
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from channels import retention
from channels.models import Channel


class Command(BaseCommand):
    help = (
        "Empty the stored bodies of posted and ignored events received more than DAYS days ago. Their hash, length, ids and times stay,"
        " and so do records and books; the events can no longer be replayed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=int, required=True, metavar="DAYS", help="at least 1")
        parser.add_argument("--channel", metavar="SLUG", help="of this channel only")
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        days, slug, dry_run = options["older_than"], options["channel"], options["dry_run"]
        if not 1 <= days <= 36_500:
            raise CommandError(f"--older-than is a number of days from 1 on, not {days}", returncode=2)
        channel = Channel.objects.filter(slug=slug).first() if slug else None
        if slug and channel is None:
            raise CommandError(f"there is no channel {slug!r}", returncode=2)
        before = timezone.now() - timedelta(days=days)
        done = retention.purge(
            before=before,
            channel=channel,
            actor="command",
            dry_run=dry_run,
            progress=lambda events: self.stderr.write(f"{events} events", ending="\r"),
        )
        if options["json"]:
            told = {"before": before.isoformat(), "channel": slug, "dry_run": dry_run, **done._asdict()}
            self.stdout.write(json.dumps(told))
            return
        would = "would be purged" if dry_run else "are purged"
        self.stdout.write(
            f"{done.events} payloads with {done.bytes} bytes from before {before:%Y-%m-%d %H:%M} UTC {would}"
        )
        for state, count in done.kept.items():
            self.stdout.write(f"{count} as old are kept, since they are {state}")
