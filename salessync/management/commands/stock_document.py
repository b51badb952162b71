"""Stock moved by hand, from a file."""

import json
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from inventory import document_files, documents
from salessync.core.models import Company
from salessync.core.problems import Refused
from salessync.management.arguments import text_of
from salessync.management.refusing import refuse
from salessync.setup import COMPANY


class Command(BaseCommand):
    help = "Record a transfer, a delivery (receipt), a count or an adjustment: a CSV with sku, quantity and, for a receipt, unit_cost."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=["transfer", "receive", "count", "adjust"])
        parser.add_argument("file", type=Path)
        parser.add_argument("--from", dest="from_location", metavar="PLACE", help="of a transfer")
        parser.add_argument("--to", dest="to_location", metavar="PLACE", help="of a transfer")
        parser.add_argument("--location", metavar="PLACE", help="of the others")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--reference", default="", help="a document with it is recorded once")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = ("from_location", "to_location") if options["kind"] == "transfer" else ("location",)
        for name in ("from_location", "to_location", "location"):
            if (options[name] is not None) != (name in wanted):
                needs = " and ".join(f"--{one.removesuffix('_location')}" for one in wanted)
                raise CommandError(f"{options['kind']} wants {needs}", returncode=2)
        company = Company.objects.filter(slug=COMPANY).first()
        if company is None:
            raise CommandError("there is no company yet: run `manage.py bootstrap` first", returncode=2)
        text = text_of(options["file"])
        try:
            done = getattr(documents, options["kind"])(
                company=company, lines=document_files.lines_of(text, company), actor="command", reason=options["reason"],
                reference=options["reference"], **{name: options[name] for name in wanted},
            )  # fmt: skip
        except Refused as refused:
            refuse(self, refused, as_json=False, done="recorded")
        self._tell(done, options["reference"], as_json=options["json"])

    def _tell(self, done: documents.Recorded, reference: str, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({**done._asdict(), "at": done.at.isoformat()}))
        elif done.is_new:
            self.stdout.write(f"document {done.document_id}: {done.movements} stock movements")
        else:
            self.stdout.write(
                f"{reference} was recorded by {done.actor} at {done.at:%Y-%m-%d %H:%M} UTC already: nothing was changed"
            )
