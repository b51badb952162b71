"""A storefront on 127.0.0.1 that counts stock, sells by itself, and answers badly.

Speaks as much of Shopify's GraphQL (compare and set, with keys) and of Clover's REST (reads and writes, compares nothing) as their
adapters ask for. Its `levels` are what a customer would see. Run as a program it serves alone and prints each level that is set:
`python -m tests.inventory.storefront LEVEL ITEMS` → its address, then a line `item level time` for each; a line `item units` on its
standard input is a sale there.
"""

import json
import random
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOCATION = "22"
FAULTS = ("429", "500", "lost before", "lost after", "old read")


class Storefront:
    """`levels` by item; `faults`: the share of each kind of bad answer; `amid` is called before each write, as if at the same time."""

    def __init__(self, *, seed=1, amid=lambda: None):
        self.random = random.Random(seed)
        self.levels, self.before, self.answers = {}, {}, {}
        self.faults, self.seen, self.only_reads_fail = {}, Counter(), False
        self.writes = []  # (item, level, time)
        self.amid = amid
        self.told = lambda item, level, at: None
        self.lock = threading.RLock()

    def __enter__(self):
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer's body waits 40 ms for the client's acknowledgement
            wbufsize = -1

            def do_GET(self):
                shop.answer(self)

            do_POST = do_GET  # noqa: N815 -- http.server's own name

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def credentials(self):
        """As either adapter wants them."""
        return {"secrets": ["s"], "base_url": self.url, "token": "t", "merchant_id": "M"}

    def sell(self, item, units):
        """Somebody buys here: the shop deducts at once."""
        self.set(item, self.levels[item] - units)

    def set(self, item, level):
        """Whoever changes it."""
        with self.lock:
            self.before[item], self.levels[item] = self.levels.get(item, level), level

    # --- the server

    def answer(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        fault = None if self.only_reads_fail and request.command != "GET" else self.fault()
        if fault == "429":
            return self.send(request, 429, {"errors": "too fast"}, {"Retry-After": "0"})
        if fault == "500":
            return self.send(request, 500, {"errors": "oops"})
        if fault == "lost before":
            request.close_connection = True
            return None
        with self.lock:
            status, answer = self.respond(request.command, request.path, json.loads(body) if body else None, fault)
        if fault == "lost after":  # it has been done, and nobody is told
            request.close_connection = True
            return None
        return self.send(request, status, answer)

    def send(self, request, status, answer, headers=None):
        data = json.dumps(answer).encode()
        request.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)

    def fault(self):
        for kind, share in self.faults.items():
            if self.random.random() < share:
                self.seen[kind] += 1
                return kind
        return None

    def respond(self, method, path, body, fault):
        if path.endswith("graphql.json"):
            return 200, self.graphql(body["query"], body["variables"], fault)
        item = path.rsplit("/", 1)[1]
        if item not in self.levels:
            return 404, {"message": "no such item"}
        if method == "POST":
            self.write(item, body["quantity"])
        return 200, {"quantity": self.levels[item]}

    def graphql(self, query, given, fault):
        if "inventorySetQuantities" not in query:
            item = given["item"].rsplit("/", 1)[1]
            level = self.before[item] if fault == "old read" else self.levels[item]
            return {"data": {"inventoryItem": {"inventoryLevel": {"quantities": [{"quantity": level}]}}}}
        (wanted,) = given["input"]["quantities"]
        key = given["key"]
        if key in self.answers:
            earlier, answer = self.answers[key]
            assert earlier == wanted, "a key stands for one call"
            return answer
        self.amid()
        item = wanted["inventoryItemId"].rsplit("/", 1)[1]
        expected, errors = wanted["changeFromQuantity"], []
        if item not in self.levels:
            errors = [{"code": "INVALID_INVENTORY_ITEM", "message": "The specified inventory item could not be found."}]
        elif expected is not None and expected != self.levels[item]:
            errors = [{"code": "CHANGE_FROM_QUANTITY_STALE", "message": "stale"}]
        else:
            self.write(item, wanted["quantity"])
        answer = {"data": {"inventorySetQuantities": {"userErrors": errors}}}
        self.answers[key] = wanted, answer
        return answer

    def write(self, item, level):
        self.set(item, level)
        at = time.time()
        self.writes.append((item, level, at))
        self.told(item, level, at)


def serve(level, items):
    with Storefront() as shop:
        for number in range(1, items + 1):
            shop.set(str(number), level)
        shop.told = lambda item, level, at: print(item, level, at, flush=True)
        print(shop.url, flush=True)
        for line in sys.stdin:  # until whoever started it is gone
            item, units = line.split()
            shop.sell(item, int(units))


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
