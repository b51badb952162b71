"""Which company a command is about."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from salessync.core.models import Company


def add_company(parser: CommandParser) -> None:
    """The option --company."""
    parser.add_argument("--company", metavar="SLUG", help="needed where there are several")


def company_of(options: dict[str, Any]) -> Company:
    """The company of --company, or the only one; CommandError (wrong usage) where that says nothing."""
    slug = options["company"]
    found = list(Company.objects.filter(slug=slug) if slug else Company.objects.order_by("slug")[:2])
    if len(found) == 1:
        return found[0]
    if slug:
        raise CommandError(f"no company is called {slug!r}", returncode=2)
    raise CommandError("which --company?" if found else "there is no company yet: bootstrap makes one", returncode=2)
