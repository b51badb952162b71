"""A shop's REST API on 127.0.0.1 that behaves badly: it throttles, fails, forgets cursors, ends tokens, and changes while it is read.

Speaks as much of Shopify's Admin API as the adapter's client asks for. What it holds is the truth that tests compare with.
"""

import base64
import itertools
import json
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from salessync.sandbox import bulk_orders

START = datetime(2026, 9, 1, tzinfo=UTC)


class FakeShop:
    """`orders` by id, each as the API would answer it; `faults` switches the bad behaviour on."""

    def __init__(self, count, *, page=250, seed=1, paid=0.1, per_second=200.0, burst=40):
        self.random = random.Random(seed)
        self.page, self.per_second, self.burst = page, per_second, burst
        self.faults = set()
        self.lock = threading.Lock()
        self.orders = {}
        for number, body in enumerate(bulk_orders.orders(count, seed)):
            order = json.loads(body)
            order["created_at"] = order["processed_at"] = stamp(START + timedelta(seconds=number))
            order["updated_at"] = stamp(START + timedelta(seconds=number))
            if self.random.random() > paid:
                order["financial_status"] = "pending"
            self.orders[order["id"]] = order
        self.changes = itertools.count(1)
        self.token, self.tokens_made, self.token_uses = "token-0", 0, 0
        self.forgotten = set()
        self.retry_after = "1"
        self.requests = self.served = self.throttled = self.too_fast = 0
        self.seen_faults = set()
        self.bucket, self.at = float(burst), time.monotonic()
        self.on_served = lambda served: None

    def __enter__(self):
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer's body waits 40 ms for the client's acknowledgement

            def do_GET(self):
                shop.answer(self)

            do_POST = do_GET  # noqa: N815 -- http.server's own name

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def credentials(self):
        return {
            "secrets": ["s"],
            "base_url": self.url,
            "token": self.token,
            "client_id": "app",
            "client_secret": "secret",
            "refresh_token": "r0",
            "expires_at": int(time.time()) + 86_400,
        }

    def change(self, order_id, **fields):
        """Something happens to an order: it moves to the end of the list."""
        order = self.orders[order_id]
        latest = START + timedelta(days=1, seconds=next(self.changes))
        order |= {"updated_at": stamp(latest), **fields}

    # --- the server

    def answer(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length) if length else b""
        with self.lock:
            status, headers, answer = self.respond(
                request.command, request.path, request.headers.get("X-Shopify-Access-Token"), body
            )
        data = json.dumps(answer).encode()
        request.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)
        self.on_served(self.served)

    def respond(self, method, path, token, body):
        parts = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.requests += 1
        if parts.path == "/admin/oauth/access_token":
            self.tokens_made += 1
            self.token, self.token_uses = f"token-{self.tokens_made}", 0
            return 200, {}, {"access_token": self.token, "expires_in": 86_400, "refresh_token": f"r{self.tokens_made}"}
        if not self.take_token_of_bucket():
            self.too_fast += 1
            return 429, {"Retry-After": "1"}, {"errors": "too fast"}
        fault = self.fault(token)
        if fault:
            return fault
        if parts.path.endswith("/orders.json"):
            return self.list(query)
        if parts.path.endswith("/transactions.json"):
            return self.transactions(int(parts.path.split("/")[-2]))
        if "/orders/" in parts.path:
            order = self.orders.get(int(parts.path.rsplit("/", 1)[1].removesuffix(".json")))
            return (200, {}, {"order": order}) if order else (404, {}, {"errors": "Not Found"})
        return 200, {}, {parts.path.rsplit("/", 1)[1].removesuffix(".json"): []}

    def take_token_of_bucket(self):
        now = time.monotonic()
        self.bucket = min(self.burst * 1.1, self.bucket + (now - self.at) * self.per_second * 1.05)
        self.at = now
        self.bucket -= 1
        return self.bucket > -1

    def fault(self, token):
        number = self.requests
        if token != self.token:
            self.seen_faults.add("token")
            return 401, {}, {"errors": "Unauthorized"}
        self.token_uses += 1
        if "token" in self.faults and self.token_uses > 150:
            self.token = "dead"
            return 401, {}, {"errors": "Unauthorized"}
        if "429" in self.faults and number % 61 == 0:
            self.throttled += 1
            self.seen_faults.add("429")
            return 429, {"Retry-After": self.retry_after}, {"errors": "throttled"}
        if "500" in self.faults and number % 23 == 0:
            self.seen_faults.add("500")
            return 500, {}, {"errors": "oops"}
        return None

    def list(self, query):
        if "page_info" in query:
            cursor = json.loads(base64.urlsafe_b64decode(query["page_info"]))
            if "cursor" in self.faults and cursor["n"] % 9 == 5 and cursor["n"] not in self.forgotten:
                self.forgotten.add(cursor["n"])
                self.seen_faults.add("cursor")
                return 400, {}, {"errors": {"page_info": "Invalid value."}}
        else:
            by = "created_at" if "created_at_min" in query else "updated_at"
            cursor = {"by": by, "min": query[f"{by}_min"], "max": query[f"{by}_max"], "after": ["", 0], "n": 0}
        by = cursor["by"]
        rows = sorted(
            (o[by], o["id"])
            for o in self.orders.values()
            if cursor["min"] <= o[by] <= cursor["max"] and [o[by], o["id"]] > cursor["after"]
        )
        page = rows[: self.page]
        headers = {}
        if len(rows) > len(page):
            following = cursor | {"after": list(page[-1]), "n": cursor["n"] + 1}
            link = base64.urlsafe_b64encode(json.dumps(following).encode()).decode()
            headers["Link"] = f'<{self.url}/admin/api/x/orders.json?limit=250&page_info={link}>; rel="next"'
        answer = [json.loads(json.dumps(self.orders[id_])) for _, id_ in page]
        self.served += len(page)
        if "shift" in self.faults and self.served < len(self.orders):
            self.seen_faults.add("shift")
            for id_ in self.random.sample(sorted(self.orders), 2):  # served or not: it moves
                self.change(id_)
        return 200, headers, {"orders": answer}

    def transactions(self, order_id):
        order = self.orders[order_id]
        row = {
            "id": order_id * 10, "order_id": order_id, "kind": "sale", "status": "success", "gateway": "shopify_payments",
            "amount": order["total_price"], "currency": order["currency"], "created_at": order["created_at"],
            "processed_at": order["created_at"], "test": False,
        }  # fmt: skip
        return 200, {}, {"transactions": [row]}


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
