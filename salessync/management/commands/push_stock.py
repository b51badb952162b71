"""Tell the channels their stock levels, without a broker."""

import json
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, close_old_connections

from inventory import drift, push

AFTER_FAILURE_SECONDS = 5.0
TELL_SECONDS = 10.0  # of a loop


class Command(BaseCommand):
    help = "Tell the channels the levels that changed: until nothing is due (--once), or for ever (--loop)."

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--once", action="store_true", help="until nothing is due (the default)")
        how.add_argument("--loop", action="store_true", help="until stopped")
        parser.add_argument("--json", action="store_true", help="one JSON object a drain")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["loop"]:
            self._loop(as_json=options["json"])
            return
        result = push.run(found=drift.found)
        self._tell(result, as_json=options["json"])
        if result.halted or result.refused:
            raise CommandError(result.halted or f"{result.refused} levels were refused", returncode=1)

    def _loop(self, *, as_json: bool) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            try:
                close_old_connections()
                result = push.run(stop=stop, seconds=TELL_SECONDS, found=drift.found)
                if any(result):
                    self._tell(result, as_json=as_json)
            except (OperationalError, InterfaceError) as error:
                self.stderr.write(f"the database does not answer ({type(error).__name__}); trying again")
                stop.wait(AFTER_FAILURE_SECONDS)

    def _tell(self, result: push.Pushed, *, as_json: bool) -> None:
        lags = push.lags()
        due, failed = sum(lag.due for lag in lags), sum(lag.failed for lag in lags)
        if as_json:
            self.stdout.write(json.dumps({**result._asdict(), "due": due, "failed": failed}))
            return
        self.stdout.write(
            f"told {result.told}, unanswered {result.unanswered}, refused {result.refused}; due {due}, failed {failed}"
        )
        if result.halted:
            self.stdout.write(result.halted)
