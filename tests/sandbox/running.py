"""The sandbox Bookkeeper as a process of its own."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import requests

ROOT = Path(__file__).parents[2]
SECRET = "whsec_c2FuZGJveC1zZWNyZXQ="


class RunningBookkeeper:
    """Its address, its files and its faults; `restart` keeps the files."""

    def __init__(self, folder: Path, *, base_currency: str | None = "USD") -> None:
        self.file, self.db = folder / "books.beancount", folder / "books.sqlite"
        self.base_currency = base_currency
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "salessync.sandbox.bookkeeper", "--port", "0", "--secret", SECRET]
        command += ["--file", str(self.file), "--db", str(self.db)]
        command += ["--base-currency", self.base_currency] if self.base_currency else []
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[-1] + "entries"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()

    def fail(self, mode, times=1, **more) -> None:
        self.by_hand("faults", mode=mode, times=times, **more)

    def by_hand(self, what, **order) -> None:
        """What a person does in Bookkeeper: edit, delete, restore, account, lock."""
        answer = requests.post(self.url.replace("entries", f"_{what}"), json=order, timeout=5)
        assert answer.status_code == 200, answer.text

    def told(self, page) -> dict:
        """accounts or lock."""
        return requests.get(self.url.replace("entries", page), timeout=5).json()

    def accepted(self) -> dict[str, str]:
        """id → acknowledgement, read from its own file."""
        with sqlite3.connect(self.db) as db:
            rows = db.execute("SELECT id, acknowledgement FROM entries ORDER BY n").fetchall()
        assert len(rows) == len({id_ for id_, _ in rows})
        return dict(rows)
