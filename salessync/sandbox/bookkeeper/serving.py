"""How Bookkeeper answers: batches in, entries out, and by hand what people do in it."""

import json
import re
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from salessync.sandbox.bookkeeper.books import Books
from salessync.sandbox.bookkeeper.faults import MODES, Fault, Faults
from salessync.sandbox.bookkeeper.judging import BadRequest, check_signature

MAX_BODY = 32 * 1024 * 1024
MAX_ENTRIES = 1000
NUMBER = re.compile(r"[0-9]{1,18}")


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
        """`?id=` one entry, `?after=` a page of at most `limit`; neither: how many there are. /accounts, /lock, /_faults."""
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        books = self.server.books
        after, limit = query.get("after", ""), query.get("limit", "500")
        if parts.path == "/_faults":
            self._answer(200, {"armed": self.server.faults.left()})
        elif parts.path == "/accounts":
            self._answer(200, {"accounts": books.accounts()})
        elif parts.path == "/lock":
            self._answer(200, {"through": books.closed_through()})
        elif "id" in query:
            self._read(books.one(query["id"]))
        elif NUMBER.fullmatch(after) and NUMBER.fullmatch(limit):
            self._read(books.after(int(after), int(limit)))
        elif "after" in query:
            self._answer(400, {"error": "after and limit are numbers"})
        else:
            self._answer(200, {"accepted": books.count()})

    def _read(self, entries: list[dict[str, Any]]) -> None:
        fault = self.server.faults.next("read")
        answer = json.dumps({"entries": entries}).encode()
        if fault:
            self._fail(fault, answer)
        else:
            self._send(200, answer)

    def do_POST(self) -> None:
        """A batch; an order to fail; or what a person does in Bookkeeper by hand."""
        try:
            body = self._body()
            by_hand = BY_HAND.get(urlsplit(self.path).path)
            if by_hand is not None:
                self._by_hand(by_hand, _parse(body))
            else:
                self._batch(body)
        except BadRequest as error:
            self._answer(error.status, {"error": str(error)})

    def _by_hand(self, what: Callable[["Server", dict[str, Any]], dict[str, Any]], order: dict[str, Any]) -> None:
        try:
            answer = what(self.server, order)
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequest(400, f"{type(error).__name__} {error}") from None
        self._answer(200, answer)

    def _batch(self, body: bytes) -> None:
        check_signature(self.headers, body, self.server.secret, now=time.time())
        fault = self.server.faults.next("push")
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


def _arm(server: Server, order: dict[str, Any]) -> dict[str, Any]:
    server.faults.arm(order)
    return {"armed": server.faults.left()}


def _edit(server: Server, order: dict[str, Any]) -> dict[str, Any]:
    server.books.edit(str(order["id"]), dict(order["changes"]))
    return {}


def _delete(server: Server, order: dict[str, Any]) -> dict[str, Any]:
    server.books.delete(str(order["id"]), mark=bool(order.get("mark")))
    return {}


def _restore(server: Server, order: dict[str, Any]) -> dict[str, Any]:
    server.books.restore(str(order["id"]))
    return {}


def _account(server: Server, order: dict[str, Any]) -> dict[str, Any]:
    code = str(order["code"])
    server.books.set_account(code, str(order.get("name", code)), active=bool(order.get("active", True)))
    return {"accounts": server.books.accounts()}


def _lock(server: Server, order: dict[str, Any]) -> dict[str, Any]:
    through = order["through"]
    server.books.lock(None if through is None else str(through))
    return {"through": through}


BY_HAND: dict[str, Callable[[Server, dict[str, Any]], dict[str, Any]]] = {
    "/_faults": _arm,
    "/_edit": _edit,
    "/_delete": _delete,
    "/_restore": _restore,
    "/_account": _account,
    "/_lock": _lock,
}


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
