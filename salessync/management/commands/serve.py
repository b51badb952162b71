"""Everything in one terminal: migrations, web, workers and beat; manage.py has started the embedded servers before."""

import os
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser, call_command
from django.db import connections

from salessync.management.processes import Supervisor, bind_address, processes


class Command(BaseCommand):
    help = "Migrate, then run web, workers and beat until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--flower", action="store_true", help="also run Flower on http://127.0.0.1:5555")

    def handle(self, *args: Any, flower: bool, **options: Any) -> None:
        env = dict(os.environ)
        check_port(bind_address(env))
        call_command("migrate", interactive=False, verbosity=0)
        connections.close_all()
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        supervisor = Supervisor(processes(env, data_dir=str(settings.DATA_DIR), flower=flower), env, self.stdout.write)
        self.stdout.write(f"Sales Sync listens on http://{bind_address(env)} (admin: /admin/); Ctrl-C stops it")
        if code := supervisor.run():
            sys.exit(code)


def check_port(address: str) -> None:
    """Say so before anything starts, rather than let gunicorn retry."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise CommandError(f"PORT must be a number from 1 to 65535, not {port!r}", returncode=2)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            raise CommandError(
                f"cannot listen on {address} ({error.strerror}): another program may use the port; set PORT to a free one",
                returncode=2,
            ) from None
