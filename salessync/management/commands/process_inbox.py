"""The work of the inbox's workers, without a broker."""

import time
from typing import Any

from django.core.management import BaseCommand, CommandParser
from django.db import InterfaceError, OperationalError

from salessync import pipeline


class Command(BaseCommand):
    help = "Process the inbox: --once until nothing is due (the default), --loop until it is stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--once", action="store_true", help="until nothing is due")
        how.add_argument("--loop", action="store_true", help="go on, looking again every second")

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        while True:
            try:
                done = pipeline.run_batch()
            except (OperationalError, InterfaceError) as error:
                if not options["loop"]:
                    raise
                self.stderr.write(f"the database does not answer ({type(error).__name__}); trying again")
                time.sleep(1)
                continue
            total += done
            if done and total // 5000 != (total - done) // 5000:
                self.stderr.write(f"{total} events processed")
            if not done and not options["loop"]:
                break
            if not done:
                time.sleep(0.2)
        self.stdout.write(f"{total} events processed")
