"""Process events once more."""

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from channels import inbox


class Command(BaseCommand):
    help = "Put finished events back into the inbox, after a fix; what stands already is not posted twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="+", type=int, metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        refused = inbox.refusals(options["ids"])
        done = inbox.replay(event_ids=options["ids"], actor="command")
        self.stdout.write(f"{done} of {len(options['ids'])} events are due again")
        if refused:
            raise CommandError("\n".join(f"event {id_} {why}" for id_, why in refused.items()), returncode=1)
