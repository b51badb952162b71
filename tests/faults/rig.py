"""A running system of real processes to break: web, worker, beat, PostgreSQL and Valkey of its own, and a sender that keeps count.

What the sender got a 2xx for is written down outside the database: that list is the truth the database is held to.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import requests

from salessync.core import addresses, embedded
from salessync.management.processes import processes
from salessync.sandbox import bulk_orders
from salessync.sandbox.delivery import Delivery
from salessync.sandbox.play import sign

ROOT = Path(__file__).resolve().parent.parent.parent


class Rig:
    """Start with `with`; everything is stopped at the end, whatever state it is in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.env = {
            **os.environ, "DATA_DIR": str(folder), "PORT": str(self.port), "LOG_LEVEL": "ERROR", "WEB_CONCURRENCY": "1",
            "DJANGO_SETTINGS_MODULE": "salessync.settings", "DEBUG": "on", "INBOX_LEASE_SECONDS": "3",
        }  # fmt: skip
        self.running: dict[str, subprocess.Popen] = {}
        self.accepted: set[str] = set()
        self.next_order = 7_000_000_000_000

    def __enter__(self) -> "Rig":
        embedded.start(self.folder)
        self.manage("bootstrap")
        self.manage("create_channel", "shop", "shopify", "--secret", "hush", "--timezone", "America/New_York")
        self.start("web", "worker", "beat")
        self.wait(lambda: requests.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=2).ok, "web is ready")
        return self

    def __exit__(self, *error) -> None:
        for name in list(self.running):
            self.kill(name)
        embedded.stop(self.folder)

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", *arguments],
            env=self.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def start(self, *names: str) -> None:
        for process in processes(self.env, data_dir=str(self.folder)):
            if process.name in names:
                self.running[process.name] = subprocess.Popen(
                    process.command, env=self.env, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )  # fmt: skip

    def kill(self, name: str) -> None:
        """-9, with its children: nobody gets to say goodbye."""
        process = self.running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def send(self, count: int, *, copies: int = 1) -> int:
        """Signed orders as fast as they go; only what was answered 2xx is in `accepted`. Unanswered ones are sent again."""
        bodies = list(bulk_orders.orders(count, first=self.next_order))
        self.next_order += count
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._post, [b for b in bodies for _ in range(copies)]))
        return count

    def _post(self, body: bytes) -> None:
        order = str(json.loads(body)["id"])
        delivery = Delivery("shop", "orders/create", body, f"d-{order}", datetime.now(UTC), subject=order)
        for _ in range(60):  # a vendor tries again for hours
            try:
                answer = requests.post(
                    f"http://127.0.0.1:{self.port}/webhooks/shop", data=body, timeout=10,
                    headers=sign("shopify", delivery, "hush", datetime.now(UTC)),
                )  # fmt: skip
                assert answer.status_code in (200, 503), answer.status_code
                if answer.ok:
                    self.accepted.add(order)
                    return
            except requests.RequestException:
                pass
            time.sleep(0.25)
        raise AssertionError("a webhook was not accepted within a quarter of a minute")

    def query(self, sql: str) -> list[tuple]:
        with psycopg.connect(addresses.database_url(self.folder), autocommit=True) as connection:
            return connection.execute(sql).fetchall()

    def wait(self, holds, what: str, seconds: float = 60) -> None:
        """Until it holds; a database or web that does not answer is a no."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except (psycopg.Error, requests.RequestException):
                pass
            time.sleep(0.02)
        raise AssertionError(
            f"not within {seconds:.0f} s: {what}; {self.query('SELECT state, count(*) FROM channels_event GROUP BY 1')}"
        )

    def in_work(self) -> bool:
        return bool(self.query("SELECT 1 FROM channels_lease LIMIT 1"))

    def check(self) -> None:
        """Every 2xx sale is posted, exactly once, and every law holds."""
        self.wait(
            lambda: not self.query("SELECT 1 FROM channels_event WHERE state IN ('new', 'claimed') LIMIT 1"),
            "inbox is empty",
            90,
        )
        posted = self.query(
            "SELECT t.source_id, count(*) FROM channels_transaction t JOIN ledger_journalentry e ON e.transaction_id = t.id GROUP BY 1"
        )
        assert {order for order, _ in posted} == self.accepted
        assert {count for _, count in posted} == {1}
        laws = json.loads(self.manage("verify_books", "--json").splitlines()[-1])
        assert laws["ok"], laws
