"""A channel from a script."""

from datetime import date
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from salessync import setup


class Command(BaseCommand):
    help = "Create a channel (or give it another secret); running it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("adapter")
        parser.add_argument("--secret", help="webhook secret; made and printed where none is given")
        parser.add_argument("--currency", default="")
        parser.add_argument("--timezone", default="UTC")
        parser.add_argument("--live-from", type=date.fromisoformat, metavar="YYYY-MM-DD")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            channel, secret = setup.create_channel(
                slug=options["slug"], adapter=options["adapter"], secret=options["secret"], currency=options["currency"],
                timezone=options["timezone"], live_from=options["live_from"],
            )  # fmt: skip
        except setup.UnableToSetUp as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(f"channel {channel.slug} ({channel.adapter}): POST /webhooks/{channel.slug}")
        if options["secret"] is None:
            self.stdout.write(f"webhook secret: {secret}")
