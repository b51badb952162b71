"""Django's migrate as the tables' owner; what the application and auditors may do with them is granted along with it."""

from typing import Any

from django.core.management import CommandError
from django.core.management.commands import migrate

from salessync.core import access


class Command(migrate.Command):
    help = (
        f"{migrate.Command.help} Runs as the owner (DATABASE_OWNER_URL), then grants the other roles what they may do."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with access.as_owner(), access.said_plainly():
                super().handle(*args, **options)
                if not options["plan"] and not options["check_unapplied"]:
                    access.apply()
        except access.UnableToGrant as error:
            raise CommandError(str(error), returncode=2) from None
