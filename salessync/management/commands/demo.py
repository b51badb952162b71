"""A day in the shops, from signed webhooks to acknowledged books, on this machine."""

import os
import secrets
import sys
import time
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import connections

from salessync.management.processes import Process, Supervisor, bind_address, processes
from salessync.sandbox import demo, shops, summary


class Command(BaseCommand):
    help = "Play a day of sales from several channels through the real endpoints, check the outcome, and keep serving."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="stop after the summary; exit 0 only if every check holds"
        )
        parser.add_argument("--sales", type=_sales, default=330, help="how many (default 330; bad ones among them)")
        parser.add_argument("--seed", type=int, help="the same day again; another day each time without it")
        parser.add_argument("--rate", type=float, default=demo.RATE, help="webhooks a second")
        parser.add_argument(
            "--port", type=int, help="the web's; the next free one where it is taken (default PORT or 8000)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.folder = settings.DATA_DIR / "demo"
        self.last = 0.0
        self.serving = False
        self.known = demo.keys(self.folder)
        try:
            holds = self.run(options)
        except demo.DemoFailed as error:
            raise CommandError(f"{error}\n{self.last_words()}") from None
        except KeyboardInterrupt:
            self.say("stopped")
            holds = not options["once"]
        if not holds:
            sys.exit(1)

    def run(self, options: dict[str, Any]) -> bool:
        """Start everything, play, check; returns whether everything held."""
        self.show("setting up: company, channels, catalogue, rates")
        demo.prepare(self.known, self.folder)
        password = demo.ensure_login(self.known.password)
        connections.close_all()
        env, ports = self.environment(options["port"])
        with (self.folder / "processes.log").open("w") as self.log:
            self.supervisor = Supervisor(self.processes(env, ports["bookkeeper"]), env, self.write_log)
            try:
                self.supervisor.start()
                outcome = self.play(options, f"http://{self.address(env)}", env["BOOKKEEPER_URL"])
                holds = self.report(outcome)
                if not options["once"]:
                    holds = self.keep_serving(self.address(env), password) and holds
            finally:
                connections.close_all()
                self.supervisor.stop()
        return holds

    # --- starting

    def environment(self, port: int | None) -> tuple[dict[str, str], dict[str, int]]:
        """What the processes are told: where to listen, and where Bookkeeper is."""
        wanted = port or int(os.environ.get("PORT") or 8000)
        web = demo.free_port(wanted, os.environ.get("HOST") or "127.0.0.1")
        if web != wanted:
            self.say(f"port {wanted} is taken; using {web}")
        bookkeeper = demo.free_port(web + 1)
        env = dict(os.environ) | {
            "PORT": str(web),
            "BOOKKEEPER_URL": f"http://127.0.0.1:{bookkeeper}/entries",
            "BOOKKEEPER_SECRET": self.known.bookkeeper,
        }
        return env, {"web": web, "bookkeeper": bookkeeper}

    def address(self, env: dict[str, str]) -> str:
        """Where this machine reaches the web."""
        host, _, port = bind_address(env).rpartition(":")
        return f"{'127.0.0.1' if host in ('0.0.0.0', '[::]') else host}:{port}"  # noqa: S104 -- where others may come from

    def processes(self, env: dict[str, str], port: int) -> list[Process]:
        """Those of `serve`, and the sandbox's Bookkeeper."""
        command = [
            sys.executable,
            "-m",
            "salessync.sandbox.bookkeeper",
            "--port",
            str(port),
            "--base-currency",
            "USD",
        ]
        command += ["--file", str(self.books), "--db", str(self.folder / "books.sqlite")]
        return [*processes(env, data_dir=str(settings.DATA_DIR)), Process("bookkeeper", command)]

    @property
    def books(self) -> Path:
        """Bookkeeper's own file."""
        return self.folder / "books.beancount"

    # --- the day

    def play(self, options: dict[str, Any], base_url: str, bookkeeper_url: str) -> demo.Outcome:
        self.show("starting web, workers, beat and Bookkeeper")
        demo.wait_until_ready({"web": f"{base_url}/health/ready", "Bookkeeper": bookkeeper_url}, self.check_alive)
        seed = options["seed"] if options["seed"] is not None else secrets.randbelow(10**6)
        self.say(f"playing {options['sales']} sales (--seed {seed})")
        return demo.play_day(
            sales=options["sales"], seed=seed, rate=options["rate"], base_url=base_url, known=self.known, folder=self.folder,
            alive=self.check_alive, show=self.show,
        )  # fmt: skip

    def report(self, outcome: demo.Outcome) -> bool:
        """Print the figures and every check."""
        self.say("")
        for line in summary.figures(outcome):
            self.say(line)
        self.say("")
        holds = True
        for check in summary.checks(outcome, self.books):
            holds = holds and not check.wrong
            self.say(f"  {'FAILED' if check.wrong else 'ok':<8}{check.claim}")
            for wrong in check.wrong[:20]:
                self.say(f"          {wrong}")
        self.say("")
        self.say("everything holds" if holds else f"something does not hold; the processes' log is {self.log.name}")
        return holds

    def keep_serving(self, address: str, password: str) -> bool:
        """Until Ctrl-C, or until a process ends; whether it was the former."""
        self.say(f"admin: http://{address}/admin/  login: admin  password: {password}")
        self.say(f"Bookkeeper's books: {self.books}")
        self.say("serving; Ctrl-C stops everything")
        self.serving = True
        return self.supervisor.wait() == 0

    # --- talking

    def say(self, text: str) -> None:
        """A line to keep."""
        self.end_progress()
        self.stdout.write(text)
        self.stdout.flush()

    def show(self, text: str) -> None:
        """Progress: one line that changes on a terminal, now and then a line elsewhere."""
        terminal = self.stdout.isatty()
        if time.monotonic() - self.last < (0.1 if terminal else 3.0):
            return
        self.last = time.monotonic()
        self.stdout.write(f"\r\x1b[K{text}" if terminal else text, ending="" if terminal else "\n")
        self.stdout.flush()

    def end_progress(self) -> None:
        if self.last and self.stdout.isatty():
            self.stdout.write("\r\x1b[K", ending="")
        self.last = 0.0

    def write_log(self, line: str) -> None:
        """What the processes say; on the screen only while nothing else is there."""
        if self.serving:
            self.stdout.write(line)
        if not self.log.closed:
            self.log.write(f"{line}\n")
            self.log.flush()

    def check_alive(self) -> None:
        """DemoFailed where one of the processes has ended."""
        for name, child in self.supervisor.running.items():
            if child.poll() is not None:
                raise demo.DemoFailed(f"{name} has ended with {child.returncode}")

    def last_words(self) -> str:
        """The end of the processes' log."""
        path = self.folder / "processes.log"
        return "\n".join(path.read_text().splitlines()[-15:]) if path.exists() else ""


def _sales(text: str) -> int:
    if not text.isdigit() or int(text) < shops.LEAST_SALES:
        raise ArgumentTypeError(f"at least {shops.LEAST_SALES}, so that everything happens that can happen")
    return int(text)
