"""API credentials from a script. Never prints a value."""

import sys
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from channels import credentials
from channels.models import Channel
from salessync.core.crypto import UnableToDecrypt


class Command(BaseCommand):
    help = (
        "Set what a channel needs to ask its vendor. Given keys replace, an empty value removes its key, the others stay; "
        "prints the names of the keys that are stored. --json - keeps values out of the process list."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="repeatable")
        parser.add_argument("--json", choices=["-"], help="a JSON object from standard input")
        parser.add_argument("--base-url", metavar="URL", help="the vendor's API, or the merchant's own")
        parser.add_argument(
            "--notification-url", metavar="URL", help="where the vendor delivers, as it knows the address"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        channel = Channel.objects.filter(slug=options["slug"]).first()
        if channel is None:
            raise CommandError(f"there is no channel {options['slug']!r}", returncode=2)
        try:
            changed = credentials.change(channel=channel, changes=_changes(options), actor="command")
        except credentials.NotCredentials as error:
            raise CommandError(str(error), returncode=2) from None
        except UnableToDecrypt as error:
            raise CommandError(str(error), returncode=1) from None
        stored = ", ".join(credentials.names(channel) or ["no key"])
        self.stdout.write(f"{channel.slug}: {', '.join(changed) or 'nothing'} changed; stored: {stored}")


def _changes(options: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options["json"]:
        text = sys.stdin.read()
        if not text.lstrip().startswith("{"):
            raise credentials.NotCredentials("standard input is no JSON object")
        found |= credentials.parse(text)
    for pair in options["set"]:
        found |= credentials.parse(pair.lstrip("{"))  # one pair, whatever its value begins with
    for name in credentials.ADDRESSES:
        if options[name] is not None:
            found[name] = options[name] and credentials.check_address(options[name])
    return found
