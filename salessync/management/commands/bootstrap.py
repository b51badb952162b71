"""Migrations, the company with its base currency, the chart of accounts, roles."""

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser, call_command

from salessync import setup


class Command(BaseCommand):
    help = "Set up the database, the company, its chart of accounts and the roles; running it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--currency", default="USD", help="the company's base currency (ISO 4217)")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        try:
            company = setup.bootstrap(currency=options["currency"])
        except setup.UnableToSetUp as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(f"{company.name}: base currency {company.base_currency}")
