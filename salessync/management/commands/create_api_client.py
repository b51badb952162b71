"""A program that may use the API, and its token."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from salessync.api import clients
from salessync.core.dates import format_instant
from salessync.core.models import ApiClient, Company
from salessync.management.company import add_company, company_of

LONGEST = 3650  # days


class Command(BaseCommand):
    help = "Create a client of the API and print its token, once; --rotate gives a client that is there another one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--scopes", metavar="A,B", help=f"of {', '.join(ApiClient.Scope)}")
        parser.add_argument("--expires-in", type=int, metavar="DAYS", help="after which no token of it counts")
        parser.add_argument(
            "--rotate", action="store_true", help="another token; the one before stays valid until the next --rotate"
        )
        parser.add_argument("--json", action="store_true")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        company = company_of(options)
        scopes = [scope for scope in (options["scopes"] or "").split(",") if scope.strip()]
        expires_at = _expiry(options["expires_in"])
        try:
            if options["rotate"]:
                client = _known(company, options["name"])
                token = clients.rotate(
                    client=client, actor="command", scopes=[s.strip() for s in scopes], expires_at=expires_at
                )
                client.refresh_from_db()
            else:
                client, token = clients.create(
                    company=company, name=options["name"], scopes=[s.strip() for s in scopes], actor="command",
                    expires_at=expires_at,
                )  # fmt: skip
        except clients.UnableToIssue as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(_as_json(client, token) if options["json"] else _as_text(client, token))


def _known(company: Company, name: str) -> ApiClient:
    client = ApiClient.objects.filter(company=company, name=name.strip()).first()
    if client is None:
        raise clients.UnableToIssue(f"there is no client called {name!r}")
    return client


def _expiry(days: int | None) -> datetime | None:
    if days is None:
        return None
    if not 1 <= days <= LONGEST:
        raise CommandError(f"--expires-in is 1 to {LONGEST} days", returncode=2)
    return timezone.now() + timedelta(days=days)


def _as_json(client: ApiClient, token: str) -> str:
    expires = format_instant(client.expires_at) if client.expires_at else None
    return json.dumps(
        {
            "name": client.name,
            "company": client.company.slug,
            "scopes": client.scopes,
            "expires_at": expires,
            "token": token,
        }
    )


def _as_text(client: ApiClient, token: str) -> str:
    expires = f"expires {format_instant(client.expires_at)}" if client.expires_at else "does not expire"
    return f"client {client.name} of {client.company.slug}: {', '.join(client.scopes)}; {expires}\ntoken, shown this once: {token}"
