"""Everything in one unhappy state, once more."""

from typing import Any

from django.core.management import BaseCommand, CommandParser

from channels import inbox
from channels.models import Event
from ledger import outbox


class Command(BaseCommand):
    help = (
        "Make all events of a state due again (dead, quarantined, waiting), or all deliveries that Bookkeeper refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--state", required=True, choices=["dead", "quarantined", "waiting", "refused"])

    def handle(self, *args: Any, **options: Any) -> None:
        if options["state"] == "refused":
            self.stdout.write(f"{outbox.requeue_refused(actor='command')} deliveries are due again")
            return
        ids = list(Event.objects.filter(state=options["state"]).values_list("pk", flat=True))
        self.stdout.write(f"{inbox.replay(event_ids=ids, actor='command')} events are due again")
