"""What Bookkeeper holds: in SQLite before anybody is told, and in a beancount file."""

import datetime
import hashlib
import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

from salessync.sandbox.bookkeeper.beancount_text import BeancountFile
from salessync.sandbox.bookkeeper.judging import BadRequest, Refused, check_entry, check_id, need

PAGE = 500

TABLES = (
    "CREATE TABLE IF NOT EXISTS entries (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL,"
    " digest TEXT NOT NULL, acknowledgement TEXT NOT NULL, accepted_at TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS entries_seq ON entries (seq, id)",
    "CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, digest TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS deleted (id TEXT PRIMARY KEY)",  # still told of, marked
    "CREATE TABLE IF NOT EXISTS accounts (code TEXT PRIMARY KEY, name TEXT NOT NULL, active INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS lock (through TEXT NOT NULL)",
)
KINDS = {
    "Assets": "asset",
    "Liabilities": "liability",
    "Income": "income",
    "Expenses": "expense",
    "Equity": "equity",
}


class Books:
    """Entries, accounts and how far they are closed; what people change here by hand is their own business, and told to nobody."""

    def __init__(self, db: Path, file: Path, base_currency: str | None) -> None:
        self._lock = threading.Lock()
        self._base = base_currency
        self._file = BeancountFile(file, base_currency)
        self._db = sqlite3.connect(db, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        for table in TABLES:
            self._db.execute(table)
        self._rewrite()

    # --- what is sent

    def take(self, entries: list[Any], *, key: str, body: bytes) -> list[dict[str, Any]]:
        """Judge and keep a batch; one result for each entry."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._check_key(key, hashlib.sha256(body).hexdigest())
                accepted: list[dict[str, Any]] = []
                results = [self._take_one(entry, accepted) for entry in entries]
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            if accepted:
                self._file.append(accepted)
            return results

    def _check_key(self, key: str, digest: str) -> None:
        found = self._db.execute("SELECT digest FROM keys WHERE key = ?", [key]).fetchone()
        if found is None:
            self._db.execute("INSERT INTO keys VALUES (?, ?)", [key, digest])
        elif found[0] != digest:
            raise BadRequest(422, "this Idempotency-Key was used with another body")

    def _take_one(self, entry: Any, accepted: list[dict[str, Any]]) -> dict[str, Any]:
        name = check_id(entry)
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        found = self._db.execute("SELECT digest, acknowledgement FROM entries WHERE id = ?", [name]).fetchone()
        if found and found[0] == digest:
            return {"id": name, "status": "duplicate", "acknowledgement": found[1], "error": None}
        try:
            need(not found, "another entry was accepted under this id")
            check_entry(entry, self._base)
            self._check_open(entry)
        except Refused as error:
            return {"id": name, "status": "refused", "acknowledgement": None, "error": str(error)}
        number = self._db.execute("SELECT coalesce(max(n), 0) + 1 FROM entries").fetchone()[0]
        receipt = f"BK-{number:08d}-{digest[:8]}"
        now = datetime.datetime.now(datetime.UTC).isoformat()
        self._db.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
            [number, name, entry["seq"], digest, receipt, now, text],
        )
        accepted.append(entry)
        return {"id": name, "status": "accepted", "acknowledgement": receipt, "error": None}

    def _check_open(self, entry: dict[str, Any]) -> None:
        """Neither its day nor one of its accounts is closed."""
        through = self._closed_through()
        need(through is None or entry["date"] > through, f"the books are closed through {through}")
        closed = {code for (code,) in self._db.execute("SELECT code FROM accounts WHERE NOT active")}
        for posting in entry["postings"]:
            need(posting["account"] not in closed, f"the account {posting['account']} is closed")

    # --- what is asked

    def one(self, name: str) -> list[dict[str, Any]]:
        """The entry of that id, or none."""
        with self._lock:
            return self._told("id = ?", [name])

    def after(self, seq: int, limit: int = PAGE) -> list[dict[str, Any]]:
        """The next page in the order of seq; entries of one seq (several companies) are never torn apart."""
        with self._lock:
            last = self._db.execute(
                "SELECT max(seq) FROM (SELECT seq FROM entries WHERE seq > ? ORDER BY seq LIMIT ?)",
                [seq, max(1, min(limit, PAGE))],
            ).fetchone()[0]
            return self._told("seq > ? AND seq <= ?", [seq, last or 0])

    def _told(self, which: str, values: list[Any]) -> list[dict[str, Any]]:
        rows = self._db.execute(
            f"SELECT body, acknowledgement, id IN (SELECT id FROM deleted) FROM entries WHERE {which} ORDER BY seq, id",
            values,
        ).fetchall()
        marks = ({"deleted": True} if deleted else {} for _, _, deleted in rows)
        return [
            {**json.loads(body), "acknowledgement": receipt, **mark}
            for (body, receipt, _), mark in zip(rows, marks, strict=True)
        ]

    def count(self) -> int:
        """How many entries were accepted."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM entries").fetchone()[0])

    def accounts(self) -> list[dict[str, Any]]:
        """The chart: every account that was ever posted to, and those that were made by hand."""
        with self._lock:
            bodies = [json.loads(body) for (body,) in self._db.execute("SELECT body FROM entries")]
            found = {p["account"]: (p["account"].rsplit(":", 1)[-1], 1) for body in bodies for p in body["postings"]}
            found |= {code: (name, active) for code, name, active in self._db.execute("SELECT * FROM accounts")}
        return [
            {"code": code, "name": name, "kind": KINDS.get(code.split(":")[0], "asset"), "active": bool(active)}
            for code, (name, active) in sorted(found.items())
        ]

    def closed_through(self) -> str | None:
        """The last closed day."""
        with self._lock:
            return self._closed_through()

    def _closed_through(self) -> str | None:
        row = self._db.execute("SELECT max(through) FROM lock").fetchone()
        return row[0] if row else None

    # --- what people do in Bookkeeper by hand

    def edit(self, name: str, changes: dict[str, Any]) -> None:
        """Fields of an entry are something else now; sent again it is still the entry that was accepted."""
        with self._lock:
            entry = self._body(name) | changes
            self._db.execute(
                "UPDATE entries SET body = ?, seq = ? WHERE id = ?", [json.dumps(entry), entry["seq"], name]
            )
            self._rewrite()

    def delete(self, name: str, *, mark: bool) -> None:
        """Gone without a trace, or still told of and marked."""
        with self._lock:
            self._body(name)
            if mark:
                self._db.execute("INSERT OR IGNORE INTO deleted VALUES (?)", [name])
            else:
                self._db.execute("DELETE FROM entries WHERE id = ?", [name])
            self._rewrite()

    def restore(self, name: str) -> None:
        """No longer marked as deleted."""
        with self._lock:
            self._body(name)
            self._db.execute("DELETE FROM deleted WHERE id = ?", [name])
            self._rewrite()

    def _body(self, name: str) -> dict[str, Any]:
        row = self._db.execute("SELECT body FROM entries WHERE id = ?", [name]).fetchone()
        if row is None:
            raise BadRequest(404, f"there is no entry {name!r}")
        found: dict[str, Any] = json.loads(row[0])
        return found

    def set_account(self, code: str, name: str, *, active: bool) -> None:
        """Make, rename, close or open an account."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?)", [code, name, int(active)])

    def lock(self, through: str | None) -> None:
        """Nothing is booked on that day or before; None: everything is open."""
        with self._lock:
            self._db.execute("DELETE FROM lock")
            if through is not None:
                self._db.execute("INSERT INTO lock VALUES (?)", [through])

    def _rewrite(self) -> None:
        rows = self._db.execute("SELECT body FROM entries WHERE id NOT IN (SELECT id FROM deleted) ORDER BY n")
        self._file.write(json.loads(body) for (body,) in rows)

    def close(self) -> None:
        """Leave the file whole."""
        with self._lock:
            self._db.close()
