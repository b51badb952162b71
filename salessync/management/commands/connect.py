"""Webhook subscriptions from a script."""

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from channels import adapter as adapters
from channels import subscriptions
from channels.calls import AccessRefused, NotNow
from channels.models import Channel
from channels.subscriptions import NotConnectable, Outcome
from salessync.core.http import UnableToReach
from salessync.core.problems import Refused


class Command(BaseCommand):
    help = (
        "Have the vendor deliver a channel's events to us, as far as it does not yet; it is looked at again every day."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--url", required=True, help="where we are reached: https://host/webhooks/SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        channel = Channel.objects.filter(slug=options["slug"]).first()
        if channel is None:
            raise CommandError(f"there is no channel {options['slug']!r}", returncode=2)
        try:
            outcome = subscriptions.connect(channel, options["url"], actor="command")
        except NotConnectable as error:
            raise CommandError(str(error), returncode=2) from None
        except (NotNow, AccessRefused, UnableToReach, Refused) as error:
            raise CommandError(f"the vendor could not be asked: {error}", returncode=1) from None
        for line in told(channel, options["url"], outcome):
            self.stdout.write(line)
        if outcome.refused:
            raise CommandError("the vendor refused some of it: those events come by polling only", returncode=1)


def told(channel: Channel, url: str, outcome: Outcome) -> list[str]:
    """What was done, and what a person has to do."""
    adapter = adapters.get(channel.adapter)
    if outcome.by_hand:
        return [*_by_hand(channel, url), *_secret(channel, outcome)]
    lines = [f"subscribed: {topic}" for topic in outcome.made]
    lines += [f"refused: {topic}: {why}" for topic, why in sorted(outcome.refused.items())]
    if not outcome.made:
        lines.append("switched on again" if outcome.changed else f"{adapter.label} delivers to {url} already")
    return [*lines, *_secret(channel, outcome)]


def _by_hand(channel: Channel, url: str) -> list[str]:
    adapter = adapters.get(channel.adapter)
    lines = [
        f"{adapter.label} has no call that makes subscriptions. Set it up by hand at the vendor's:",
        f"  deliver to: {url}",
    ]
    if adapter.topics:
        lines.append(f"  events: {', '.join(sorted(adapter.topics))}")
    if type(adapter).greeting is not adapters.Adapter.greeting:
        lines.append("  a code that the vendor sends to the address stands in the log and on the channel's page")
    return lines


def _secret(channel: Channel, outcome: Outcome) -> list[str]:
    if outcome.new_secret:
        return ["the vendor told its signing secret, and the channel keeps it"]
    if outcome.proven:
        return []
    return [
        "no signing secret is known, and so every delivery is refused: give the channel the one that the vendor shows, with"
        f" `manage.py create_channel {channel.slug} {channel.adapter} --secret …`"
    ]
