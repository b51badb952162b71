"""Send journal entries to Bookkeeper, without a broker."""

import json
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, close_old_connections

from ledger import bookkeeper, outbox

IDLE_SECONDS = 1.0
AFTER_FAILURE_SECONDS = 5.0


class Command(BaseCommand):
    help = "Push what is due to Bookkeeper: until nothing is due (--once), or for ever (--loop)."

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--once", action="store_true", help="until nothing is due (the default)")
        how.add_argument("--loop", action="store_true", help="until stopped")
        parser.add_argument("--json", action="store_true", help="one JSON object a drain")

    def handle(self, *args: Any, **options: Any) -> None:
        why = bookkeeper.why_not_configured()
        if options["loop"]:
            if why:
                raise CommandError(why, returncode=2)
            self._loop(as_json=options["json"])
            return
        result = outbox.PushResult(halted=why) if why else self._drain(as_json=options["json"])
        self._tell(result, as_json=options["json"])
        if result.halted and not why:
            raise CommandError(result.halted, returncode=1)

    def _drain(self, *, as_json: bool) -> outbox.PushResult:
        total = outbox.PushResult()
        for result in outbox.batches():
            total = total.plus(result)
            if result.sent and not as_json and self.stdout.isatty():
                self.stdout.write(f"\r{total.acknowledged + total.duplicate} acknowledged", ending="")
                self.stdout.flush()
        return total

    def _loop(self, *, as_json: bool) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            pause = IDLE_SECONDS
            try:
                close_old_connections()
                result = self._drain(as_json=as_json)
                if result.sent or result.halted:
                    self._tell(result, as_json=as_json)
                if result.halted:
                    pause = AFTER_FAILURE_SECONDS
            except (OperationalError, InterfaceError) as error:
                self.stderr.write(f"the database does not answer ({type(error).__name__}); trying again")
                pause = AFTER_FAILURE_SECONDS
            stop.wait(pause)

    def _tell(self, result: outbox.PushResult, *, as_json: bool) -> None:
        backlog = outbox.backlog()
        if as_json:
            self.stdout.write(json.dumps({**result._asdict(), "due": backlog.due, "waiting": backlog.waiting}))
            return
        start = "\r" if self.stdout.isatty() else ""
        self.stdout.write(
            f"{start}acknowledged {result.acknowledged}, duplicates {result.duplicate},"
            f" refused {result.refused}, failed {result.failed}; due {backlog.due}, waiting {backlog.waiting}"
        )
        if result.halted:
            self.stdout.write(result.halted)
