"""Somebody to tell of what happens in the books, from a script."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger import subscribing
from ledger.topics import TOPICS
from salessync.core.problems import Refused
from salessync.management.company import add_company, company_of


class Command(BaseCommand):
    help = "Create a webhook subscriber; its secret is printed once and never again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url")
        parser.add_argument("--topics", nargs="+", required=True, metavar="TOPIC", help=", ".join(TOPICS))
        parser.add_argument(
            "--after",
            type=int,
            metavar="SEQ",
            help="tell of journal entries after this number; without it, of new ones",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        topics = [topic for words in options["topics"] for topic in words.split(",") if topic]
        try:
            subscriber, secret = subscribing.create(
                company=company_of(options), url=options["url"], topics=topics, actor="command", after=options["after"]
            )
        except Refused as refused:
            raise CommandError("; ".join(problem.message for problem in refused.problems), returncode=2) from None
        if options["json"]:
            told = {
                "id": subscriber.pk,
                "url": subscriber.url,
                "topics": subscriber.topics,
                "secret": secret,
                "after": subscriber.cursor,
            }
            self.stdout.write(json.dumps(told))  # fmt: skip
            return
        self.stdout.write(f"subscriber {subscriber.pk}: {subscriber.url} is told of {', '.join(subscriber.topics)}")
        self.stdout.write(f"secret (told once): {secret}")
