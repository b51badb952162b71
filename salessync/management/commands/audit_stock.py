"""Read the channels' stock levels back, without a broker."""

import json
from datetime import UTC, datetime
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from channels.models import Channel
from inventory import drift
from inventory.drift import Audited
from inventory.models import StockDrift


class Command(BaseCommand):
    help = "Read a channel's levels back (without SLUG: what is due, of every channel) and settle what differs as its policy says."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?")
        parser.add_argument("--seconds", type=float, default=3600.0, help="nothing is asked after so long")
        parser.add_argument("--json", action="store_true", help="one JSON object a channel")

    def handle(self, *args: Any, **options: Any) -> None:
        now = datetime.now(UTC)
        if options["slug"] is None:
            audited = drift.run_due(now=now, seconds=options["seconds"])
        else:
            channel = Channel.objects.filter(slug=options["slug"]).first()
            if channel is None:
                raise CommandError(f"there is no channel {options['slug']!r}", returncode=2)
            if not drift.can_be_audited(channel):
                raise CommandError(f"{channel.slug} is not told levels, or cannot be asked for them", returncode=2)
            audited = {channel.slug: drift.audit(channel, now=now, seconds=options["seconds"], everything=True)}
        for slug, done in audited.items():
            self._tell(slug, done, as_json=options["json"])
        unfinished = [slug for slug, done in audited.items() if not done.finished]
        left = sum(done.compared.open for done in audited.values())
        if unfinished or left:
            said = [f"not read to the end: {', '.join(unfinished)}"] if unfinished else []
            said += [f"{left} levels are apart and open"] if left else []
            raise CommandError("; ".join(said), returncode=1)

    def _tell(self, slug: str, done: Audited, *, as_json: bool) -> None:
        counts = {**done.compared._asdict(), "moving": len(done.compared.moving)}
        if as_json:
            self.stdout.write(
                json.dumps(
                    {"channel": slug, "read": done.read, **counts, "finished": done.finished, "problem": done.problem}
                )
            )
            return
        said = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        self.stdout.write(f"{slug}: {done.read} levels read{': ' + said if said else ''}")
        if done.problem:
            self.stdout.write(f"  {done.problem}")
        for one in StockDrift.objects.filter(listing__channel__slug=slug, state="open").select_related("listing")[:20]:
            self.stdout.write(f"  {one.listing.item_id} {one.remote_id}: {one.message}")
