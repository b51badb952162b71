"""A subscriber's own server on 127.0.0.1: takes signed webhooks, or fails as it is told."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import standardwebhooks


class Receiver:
    """`messages` it took, in their order; `answers`: the status of the next ones, or "drop", "hang"; then 200."""

    def __init__(self, *, status=200):
        self.secrets = []
        self.status, self.answers, self.headers = status, [], {}
        self.messages, self.seen = [], []
        self.lock = threading.Lock()
        self.let_go = threading.Event()

    def __enter__(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                receiver.take(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        return self

    def __exit__(self, *_):
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()

    def take(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        assert len(body) < 20_000
        for secret in self.secrets:  # the library of the standard judges every message
            standardwebhooks.Webhook(secret).verify(body, dict(request.headers))
        with self.lock:
            answer = self.answers.pop(0) if self.answers else self.status
            self.seen.append((request.headers["webhook-id"], body))
        if answer == "hang":
            self.let_go.wait(30)
            return
        if answer == "drop":
            request.close_connection = True
            return
        if answer == 200:
            with self.lock:
                self.messages.append((request.headers["webhook-id"], json.loads(body), time.monotonic()))
        request.send_response(answer)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def numbers(self, topic="journal_entry.posted"):
        """The seq of each message it took of the topic."""
        return [message["data"]["seq"] for _, message, _ in self.messages if message["type"] == topic]
