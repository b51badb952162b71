"""Take a channel's items over as listings."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from channels.calls import AccessRefused, Caller, NotNow
from channels.models import Channel
from inventory import listing_pull, listings
from inventory.listing_pull import Listed, NotListed, Pulled
from salessync.core.http import UnableToReach
from salessync.core.problems import Refused

TRIES = 5  # of what the vendor does not answer; each goes on where the last one ended
LONGEST = 300.0  # seconds between two
SUGGESTED = 50  # unmapped items that are named with what they may be


class Command(BaseCommand):
    help = "Read what a channel sells, and map it to products by SKU; what matches none waits for a person, or with --create becomes one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument(
            "--create", action="store_true", help="the channel is the master of the catalogue and of opening stock"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        channel = Channel.objects.select_related("company").filter(slug=options["slug"]).first()
        if channel is None:
            raise CommandError(f"there is no channel {options['slug']!r}", returncode=2)
        try:
            done = self._pull(Caller(channel), creates=options["create"])
        except NotListed as error:
            raise CommandError(str(error), returncode=2) from None
        except (NotNow, AccessRefused, UnableToReach, Refused) as error:
            raise CommandError(f"nothing was taken over: {error}", returncode=1) from None
        self._tell(channel, done, as_json=options["json"])
        if done.problems:
            raise CommandError(f"{len(done.problems)} problems; the rest was taken over", returncode=1)

    def _pull(self, caller: Caller, *, creates: bool) -> Pulled:
        listed = Listed()
        for left in reversed(range(TRIES)):
            try:
                listing_pull.read(caller, listed, progress=self._show)
                return listing_pull.take_over(caller, listed, creates=creates, actor="command", now=datetime.now(UTC))
            except NotNow as later:
                if not left:
                    raise
                self.stderr.write(f"{later}; going on in {later.seconds:.0f} s")
                time.sleep(min(later.seconds, LONGEST))
        raise AssertionError("the last try returns or raises")

    def _show(self, listed: Listed) -> None:
        self.stderr.write(
            f"{len(listed.items)} items in {listed.pages} pages", ending="\r" if self.stderr.isatty() else "\n"
        )

    def _tell(self, channel: Channel, done: Pulled, *, as_json: bool) -> None:
        unmapped = [
            {
                "item": item.item_id,
                "name": item.name,
                "suggestions": [
                    product.sku
                    for product in listings.suggested(
                        company_id=channel.company_id, item_id=item.item_id or "", sku=item.sku, barcode=item.barcode,
                        name=item.name,
                    )
                ],
            }
            for item in done.unmapped[:SUGGESTED]
        ]  # fmt: skip
        if as_json:
            problems = [{"code": p.code, "path": p.path, "message": p.message} for p in done.problems]
            counts = {
                **done._asdict(),
                "unmapped": len(done.unmapped),
                "unmapped_items": unmapped,
                "problems": problems,
            }
            self.stdout.write(json.dumps(counts, ensure_ascii=False))
            return
        self.stdout.write(
            f"{done.items} items: {done.known} known, {done.matched} matched, {done.created} new products, {done.opened} with opening"
            f" stock, {len(done.unmapped)} unmapped, {done.unnamed} without an id; {done.renewed} renewed,"
            f" {done.gone} no longer listed, {done.replayed} earlier messages go again"
        )
        for row in unmapped:
            maybe = f": perhaps {', '.join(row['suggestions'])}" if row["suggestions"] else ""
            self.stdout.write(f"  {row['item']} {row['name']}{maybe}")
        for problem in done.problems:
            self.stderr.write(str(problem))
