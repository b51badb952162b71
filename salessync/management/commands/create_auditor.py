"""A login to the database for an auditor."""

from datetime import date
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from salessync.core import access, auditors


class Command(BaseCommand):
    help = (
        "Make a login to the database that reads everything but secrets and changes nothing; its password is shown once. For the admin"
        " give a user the group Auditor."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the login will be auditor_NAME")
        parser.add_argument("--until", metavar="YYYY-MM-DD", help="the first day on which it no longer works (UTC)")
        parser.add_argument("--remove", action="store_true", help="end the login instead")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        try:
            if options["remove"]:
                auditors.remove(name=name, actor="command")
                self.stdout.write("removed")
                return
            password = auditors.create(name=name, until=_day(options["until"]), actor="command")
        except (auditors.UnableToMake, access.UnableToGrant) as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(f"login: auditor_{name.removeprefix('auditor_')}\npassword: {password}")


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise CommandError(f"--until {text!r} is no date: YYYY-MM-DD", returncode=2) from None
