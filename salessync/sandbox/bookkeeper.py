"""A Bookkeeper to try things against: a process of its own that judges what it is sent and keeps books of its own.

    python -m salessync.sandbox.bookkeeper --port 8800 --secret whsec_… --file books.beancount --db books.sqlite

It imports nothing of ours, so that it is a second opinion: signature, bounds, balance, duplicates and the beancount text are
its own work. What it accepted is in the SQLite file before it answers; the beancount file is written again from there at start.
`POST /_faults {"mode": "500", "times": 2}` makes the next answers fail; `GET /_faults` says which are left.
"""

import argparse
import base64
import datetime
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

MAX_BODY = 32 * 1024 * 1024
MAX_ENTRIES = 1000
MAX_POSTINGS = 10_000
MAX_AMOUNT = 2**53 - 1
TOLERANCE_SECONDS = 300
PAGE = 500

ENTRY_FIELDS = {"id", "seq", "date", "currency", "source", "record", "postings"}
SOURCE_FIELDS = {"type", "channel", "id", "version"}
POSTING_FIELDS = {
    "account",
    "amount",
    "currency",
    "base_amount",
    "channel",
    "location",
    "tax_code",
    "category",
    "path",
}
TYPES = {"sale", "refund", "charge", "payout", "dispute"}

ACCOUNT = re.compile(r"(Assets|Liabilities|Income|Expenses|Equity)(:[A-Z0-9][A-Za-z0-9-]*)+")
CURRENCY = re.compile(r"[A-Z]{3}")
DIGITS = dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0)
DIGITS |= dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3) | dict.fromkeys(["CLF", "UYW"], 4)


class Refused(Exception):
    """This entry is not taken; the message says why."""


class BadRequest(Exception):
    """The request as a whole is not taken."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


# --- judging --------------------------------------------------------------------------------------------------------


def check_signature(headers: Any, body: bytes, secret: bytes, *, now: float) -> None:
    """Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, the time within five minutes."""
    message_id, timestamp, signatures = (
        headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    )
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or not message_id or "." in message_id:
        raise BadRequest(401, "the signature's headers are missing or malformed")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise BadRequest(401, "the signature's time is more than five minutes off")
    wanted = b"v1," + base64.b64encode(
        hmac.digest(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    )
    if not any(hmac.compare_digest(wanted, given.encode("utf-8", "replace")) for given in signatures.split(" ")[:10]):
        raise BadRequest(401, "the signature does not fit")


def check_entry(entry: Any, base_currency: str | None) -> None:
    """Shape, bounds and balance of one entry; Refused with a sentence otherwise."""
    _need(
        isinstance(entry, dict) and set(entry) == ENTRY_FIELDS,
        "an entry has exactly the fields of the interface",
    )
    _need(_integer(entry["seq"]) and entry["seq"] > 0, "seq is a positive integer")
    _need(_day(entry["date"]), "date is a day that exists, from 1970 to 2200")
    _need(_currency(entry["currency"]), "currency is three capitals")
    source, record, postings = entry["source"], entry["record"], entry["postings"]
    _need(isinstance(source, dict) and set(source) == SOURCE_FIELDS, "source has type, channel, id and version")
    _need(all(_text(source[name], 255) for name in SOURCE_FIELDS), "source's fields are texts")
    _need(source["type"] in TYPES, "source's type is one of the record's")
    _need(isinstance(record, dict) and record.get("schema") == "salessync/1", "record is a canonical record")
    _need(record.get("type") == source["type"], "the record is of the source's type")
    _need(
        isinstance(record.get("source"), dict) and record["source"].get("id") == source["id"],
        "the record is the source's",
    )
    _need(isinstance(postings, list) and 2 <= len(postings) <= MAX_POSTINGS, "an entry has two postings or more")
    for posting in postings:
        _check_posting(posting, base_currency)
    _need(sum(p["base_amount"] for p in postings) == 0, "the postings do not sum to zero in base currency")
    currencies = {p["currency"] for p in postings}
    if len(currencies) == 1:
        _need(sum(p["amount"] for p in postings) == 0, "the postings do not sum to zero")
    else:
        _need(
            base_currency is not None,
            "several currencies, and this Bookkeeper was not told its base currency",
        )
    _need(entry["currency"] in currencies, "no posting is in the entry's currency")


def _check_posting(posting: Any, base_currency: str | None) -> None:
    _need(
        isinstance(posting, dict) and set(posting) == POSTING_FIELDS,
        "a posting has exactly the fields of the interface",
    )
    _need(
        isinstance(posting["account"], str) and ACCOUNT.fullmatch(posting["account"]),
        "account is a full name",
    )
    for name in ("amount", "base_amount"):
        _need(
            _integer(posting[name]) and abs(posting[name]) <= MAX_AMOUNT,
            f"{name} is an integer of a usable size",
        )
    _need(posting["amount"] or posting["base_amount"], "a posting of nothing")
    _need(_currency(posting["currency"]), "currency is three capitals")
    if posting["currency"] == base_currency:
        _need(posting["amount"] == posting["base_amount"], "amount and base_amount differ in the base currency")
    _need(_text(posting["channel"], 60) and _text(posting["path"], 3000), "channel and path are texts")
    for name in ("location", "tax_code", "category"):
        _need(posting[name] is None or _text(posting[name], 1000), f"{name} is a text or null")


def _need(holds: Any, sentence: str) -> None:
    if not holds:
        raise Refused(sentence)


def _integer(value: Any) -> bool:
    return type(value) is int


def _text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest


def _currency(value: Any) -> bool:
    return isinstance(value, str) and CURRENCY.fullmatch(value) is not None


def _day(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and 1970 <= datetime.date.fromisoformat(value).year <= 2200
    except ValueError:
        return False


# --- keeping --------------------------------------------------------------------------------------------------------


class Books:
    """What was accepted: in SQLite before anybody is told, and in a beancount file."""

    def __init__(self, db: Path, file: Path, base_currency: str | None) -> None:
        self._lock = threading.Lock()
        self._file = file
        self._base = base_currency
        self._opened: set[str] = set()
        self._db = sqlite3.connect(db, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS entries (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL,"
            " digest TEXT NOT NULL, acknowledgement TEXT NOT NULL, accepted_at TEXT NOT NULL, body TEXT NOT NULL)"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS entries_seq ON entries (seq, id)")
        self._db.execute("CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, digest TEXT NOT NULL)")
        self._rewrite()

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
                with self._file.open("a", encoding="utf-8") as out:
                    for entry in accepted:
                        out.writelines(self._text_of(entry))
            return results

    def _check_key(self, key: str, digest: str) -> None:
        found = self._db.execute("SELECT digest FROM keys WHERE key = ?", [key]).fetchone()
        if found is None:
            self._db.execute("INSERT INTO keys VALUES (?, ?)", [key, digest])
        elif found[0] != digest:
            raise BadRequest(422, "this Idempotency-Key was used with another body")

    def _take_one(self, entry: Any, accepted: list[dict[str, Any]]) -> dict[str, Any]:
        name = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not _text(name, 300) or not name.isprintable():
            raise BadRequest(400, "every entry has an id")
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        found = self._db.execute("SELECT digest, acknowledgement FROM entries WHERE id = ?", [name]).fetchone()
        if found and found[0] == digest:
            return {"id": name, "status": "duplicate", "acknowledgement": found[1], "error": None}
        try:
            _need(not found, "another entry was accepted under this id")
            check_entry(entry, self._base)
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

    def one(self, name: str) -> list[dict[str, Any]]:
        """The entry of that id, or none."""
        with self._lock:
            rows = self._db.execute("SELECT body, acknowledgement FROM entries WHERE id = ?", [name]).fetchall()
        return [{**json.loads(body), "acknowledgement": receipt} for body, receipt in rows]

    def after(self, seq: int) -> list[dict[str, Any]]:
        """The next page in the order of seq; entries of one seq (several companies) are never torn apart."""
        with self._lock:
            last = self._db.execute(
                "SELECT max(seq) FROM (SELECT seq FROM entries WHERE seq > ? ORDER BY seq LIMIT ?)",
                [seq, PAGE],
            ).fetchone()[0]
            rows = self._db.execute(
                "SELECT body, acknowledgement FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq, id",
                [seq, last or 0],
            ).fetchall()
        return [{**json.loads(body), "acknowledgement": receipt} for body, receipt in rows]

    def count(self) -> int:
        """How many entries were accepted."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM entries").fetchone()[0])

    def close(self) -> None:
        """Leave the file whole."""
        with self._lock:
            self._db.close()

    # --- the beancount file

    def _rewrite(self) -> None:
        fresh = self._file.with_name(self._file.name + ".new")
        with fresh.open("w", encoding="utf-8") as out:
            out.write('option "title" "Books of the sandbox Bookkeeper"\n')
            out.write('option "inferred_tolerance_default" "*:0.00000001"\n')
            if self._base:
                out.write(f'option "operating_currency" "{self._base}"\n')
            for (body,) in self._db.execute("SELECT body FROM entries ORDER BY n"):
                out.writelines(self._text_of(json.loads(body)))
        os.replace(fresh, self._file)

    def _text_of(self, entry: dict[str, Any]) -> Iterator[str]:
        """Directives of one entry. An account is opened where it first occurs, at a date before every entry."""
        for account in sorted({p["account"] for p in entry["postings"]} - self._opened):
            self._opened.add(account)
            yield f"1970-01-01 open {account}\n"
        source = entry["source"]
        yield f"\n{entry['date']} * {_quote(source['channel'])} {_quote(source['type'] + ' ' + source['id'])}\n"
        yield f"  id: {_quote(entry['id'])}\n"
        yield f"  source: {_quote('/'.join(source[name] for name in ('channel', 'type', 'id', 'version')))}\n"
        mixed = len({p["currency"] for p in entry["postings"]}) > 1
        for posting in entry["postings"]:
            for amount in self._amounts(posting, mixed=mixed):
                yield f"  {posting['account']}  {amount}\n"
            yield f"    path: {_quote(posting['path'])}\n"

    def _amounts(self, posting: dict[str, Any], *, mixed: bool) -> Iterator[str]:
        """In its own currency; among several currencies with its worth in the base currency, by which the entry balances."""
        own, base = posting["amount"], posting["base_amount"]
        amount = f"{_major(own, posting['currency'])} {posting['currency']}"
        if not mixed or posting["currency"] == self._base:
            yield amount
            return
        assert self._base is not None
        fits = own * base > 0
        yield f"{amount} @@ {_major(abs(base) if fits else 0, self._base)} {self._base}"
        if not fits and base:
            yield f"{_major(base, self._base)} {self._base}"


def _major(minor: int, currency: str) -> str:
    digits = DIGITS.get(currency, 2)
    whole, part = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}{f'.{part:0{digits}d}' if digits else ''}"


def _quote(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


# --- answering ------------------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """How the next answers fail: an HTTP status, or a name of `MODES`."""

    mode: str
    seconds: float
    retry_after: str | None


# before: nothing was accepted. after: it was, and the answer is lost or spoilt.
MODES = {
    "slow": "after: the answer comes late by `seconds`",
    "drop_reply": "after: the connection closes without an answer",
    "garbage": "after: 200 with something that is no answer",
    "html": "after: 200 with a page",
    "no_acknowledgement": "after: every entry accepted, without a receipt",
    "some_results": "after: the last result is left out",
    "conflict": "after: 409",
    "drip": "after: the answer one byte at a time, `seconds` between two",
    "huge": "after: 200 with 11 MB",
    "redirect": "before: 301 to the metadata address",
    "drop": "before: the connection closes without an answer",
}


class Faults:
    """Armed faults, each for a number of answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[tuple[Fault, int]] = []

    def arm(self, order: dict[str, Any]) -> None:
        """`{"mode", "times", "seconds", "retry_after"}`; times 0 clears everything."""
        mode, times = str(order.get("mode", "")), int(order.get("times", 1))
        if times and mode not in MODES and not re.fullmatch(r"[45][0-9][0-9]", mode):
            raise BadRequest(400, f"no fault is called {mode!r}; there are 4xx, 5xx, {', '.join(MODES)}")
        retry_after = order.get("retry_after")
        fault = Fault(mode, float(order.get("seconds", 1.0)), None if retry_after is None else str(retry_after))
        with self._lock:
            self._armed = [*self._armed, (fault, times)] if times else []

    def next(self) -> Fault | None:
        """The fault of this answer."""
        with self._lock:
            if not self._armed:
                return None
            fault, times = self._armed[0]
            self._armed[0:1] = [(fault, times - 1)] if times > 1 else []
            return fault

    def left(self) -> list[dict[str, Any]]:
        """What is armed."""
        with self._lock:
            return [{**fault._asdict(), "times": times} for fault, times in self._armed]


class Server(ThreadingHTTPServer):
    """One thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], books: Books, secret: bytes) -> None:
        super().__init__(address, Handler)
        self.books = books
        self.secret = secret
        self.faults = Faults()


class Handler(BaseHTTPRequestHandler):
    """Entries in by POST, out by GET, faults at /_faults."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 75
    server: Server

    def do_GET(self) -> None:
        """`?id=` one entry, `?after=` a page; neither: how many there are."""
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if parts.path == "/_faults":
            self._answer(200, {"armed": self.server.faults.left()})
        elif "id" in query:
            self._answer(200, {"entries": self.server.books.one(query["id"][0])})
        elif re.fullmatch(r"[0-9]{1,18}", query.get("after", [""])[0]):
            self._answer(200, {"entries": self.server.books.after(int(query["after"][0]))})
        elif "after" in query:
            self._answer(400, {"error": "after is a number"})
        else:
            self._answer(200, {"accepted": self.server.books.count()})

    def do_POST(self) -> None:
        """A batch, or an order to fail."""
        try:
            body = self._body()
            if urlsplit(self.path).path == "/_faults":
                self.server.faults.arm(_parse(body))
                self._answer(200, {"armed": self.server.faults.left()})
                return
            self._batch(body)
        except BadRequest as error:
            self._answer(error.status, {"error": str(error)})

    def _batch(self, body: bytes) -> None:
        check_signature(self.headers, body, self.server.secret, now=time.time())
        fault = self.server.faults.next()
        if fault and not MODES.get(fault.mode, "before").startswith("after"):
            self._fail(fault, b"")
            return
        key = self.headers.get("Idempotency-Key", "")
        if not 0 < len(key) <= 255 or key != self.headers.get("webhook-id"):
            raise BadRequest(400, "the Idempotency-Key is the webhook-id")
        entries = _parse(body).get("entries")
        if not isinstance(entries, list) or not 0 < len(entries) <= MAX_ENTRIES:
            raise BadRequest(400, f"entries is a list of 1 to {MAX_ENTRIES}")
        results = self.server.books.take(entries, key=key, body=body)
        if fault:
            self._fail(fault, json.dumps({"results": results}).encode())
        else:
            self._answer(200, {"results": results})

    def _fail(self, fault: Fault, answer: bytes) -> None:
        if fault.mode.isdigit():
            extra = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            self._answer(int(fault.mode), {"error": "a fault was armed"}, extra)
        elif fault.mode == "redirect":
            self._answer(301, {}, {"Location": "http://169.254.169.254/latest/meta-data/"})
        elif fault.mode in ("drop", "drop_reply"):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault.mode == "slow":
            time.sleep(fault.seconds)
            self._send(200, answer)
        elif fault.mode == "drip":
            self._head(200, len(answer), {})
            for byte in answer:
                self.wfile.write(bytes([byte]))
                time.sleep(fault.seconds)
        elif fault.mode == "conflict":
            self._answer(409, {"error": "this key was seen"})
        elif fault.mode == "no_acknowledgement":
            results = [{"id": r["id"], "status": "accepted"} for r in json.loads(answer)["results"]]
            self._answer(200, {"results": results})
        elif fault.mode == "some_results":
            self._answer(200, {"results": json.loads(answer)["results"][:-1]})
        else:
            bodies = {
                "garbage": b'{"results": [{"id": 7, "st',
                "html": b"<html>OK</html>",
                "huge": b" " * (11 << 20) + answer,
            }
            self._send(200, bodies[fault.mode])

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            self.close_connection = True
            raise BadRequest(411, "a length is required")
        if int(length) > MAX_BODY:
            self.close_connection = True
            raise BadRequest(413, f"at most {MAX_BODY} bytes")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            self.close_connection = True
            raise BadRequest(400, "the body is shorter than announced")
        return body

    def _answer(self, status: int, content: dict[str, Any], extra: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), extra)

    def _send(self, status: int, body: bytes, extra: dict[str, str] | None = None) -> None:
        self._head(status, len(body), extra or {})
        self.wfile.write(body)

    def _head(self, status: int, length: int, extra: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the SQLite file is the record."""

    def handle(self) -> None:
        """A client that went away is nobody's error."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError, BrokenPipeError):
            self.close_connection = True


def _parse(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body, parse_constant=_refuse, object_pairs_hook=_pairs)
    except (ValueError, RecursionError) as error:
        raise BadRequest(400, f"not JSON as it should be: {error}") from None
    if not isinstance(parsed, dict):
        raise BadRequest(400, "the body is a JSON object")
    return parsed


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the same name twice in one object")
    return found


def secret_bytes(text: str) -> bytes:
    """`whsec_` and base64."""
    encoded = text.removeprefix("whsec_")
    secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    if not secret:
        raise ValueError("the secret is empty")
    return secret


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="A Bookkeeper to try things against.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0: any free one; the first line printed says which")
    parser.add_argument("--secret", default=os.environ.get("BOOKKEEPER_SECRET", ""), help="or BOOKKEEPER_SECRET")
    parser.add_argument("--file", type=Path, required=True, help="the beancount file, written again at start")
    parser.add_argument("--db", type=Path, required=True, help="the SQLite file, its memory")
    parser.add_argument("--base-currency", help="needed for entries in several currencies")
    options = parser.parse_args(arguments)
    try:
        secret = secret_bytes(options.secret)
    except ValueError:
        parser.error("--secret must be whsec_ and base64")
    books = Books(options.db, options.file, options.base_currency)
    server = Server((options.host, options.port), books, secret)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on http://{options.host}:{server.server_address[1]}/", flush=True)
    try:
        server.serve_forever(poll_interval=0.02)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        books.close()


if __name__ == "__main__":
    main()
