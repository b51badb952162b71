"""One tax number of a customer."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from salessync.core.models import Company
from salessync.core.problems import Refused
from tax.models import TaxNumberCheck
from tax.seller import number_checks

_SAID = {
    "valid": "the register knows it",
    "invalid": "the register does not know it",
    "unreachable": "the register gave no answer: ask again later",
    "": "no register was asked",
}


class Command(BaseCommand):
    help = "Check a tax number's form and check digit, and ask the EU's register. Exit 1 where it is wrong or the register does not know it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number")
        parser.add_argument("--country", default="", help="ISO code, where the number does not begin with it")
        parser.add_argument(
            "--company", metavar="SLUG", help="in whose name the register is asked, for a consultation number"
        )
        parser.add_argument("--no-registry", action="store_true", help="form and check digit only")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        company = None
        if options["company"]:
            company = Company.objects.filter(slug=options["company"]).first()
            if company is None:
                raise CommandError(f"no company is called {options['company']!r}", returncode=2)
        try:
            found = number_checks.check(
                options["number"], options["country"], company=company, ask_register=not options["no_registry"]
            )
        except Refused as refused:
            raise CommandError(str(refused.problems[0].message), returncode=2) from None
        self.stdout.write(json.dumps(_as_json(found)) if options["json"] else _as_text(found))
        if not found.is_well_formed or found.registry == number_checks.INVALID:
            raise SystemExit(1)


def _as_json(found: TaxNumberCheck) -> dict[str, Any]:
    return {
        "number": found.number, "scheme": found.scheme, "well_formed": found.is_well_formed, "registry": found.registry or None,
        "consultation": found.consultation or None, "checked_at": found.checked_at.isoformat(),
    }  # fmt: skip


def _as_text(found: TaxNumberCheck) -> str:
    form = "form and check digit are right" if found.is_well_formed else "form or check digit is wrong"
    proof = f", consultation {found.consultation}" if found.consultation else ""
    return f"{found.number} ({found.scheme}): {form}; {_SAID[found.registry]}{proof} ({found.checked_at:%Y-%m-%d %H:%M} UTC)"
