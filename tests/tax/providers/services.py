"""HTTP servers on 127.0.0.1 that stand in for tax services: strict about what they are asked, and able to fail on demand."""

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service:
    """`answer(method, path, headers, body)` gives (status, JSON bytes); `fault` (status, headers, bytes) is answered instead while set."""

    fault = None
    delay = 0.0

    def __enter__(self):
        service = self
        self.calls = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                service.calls.append((self.command, self.path))
                time.sleep(service.delay)
                if service.fault:
                    status, headers, data = service.fault
                else:
                    headers = {}
                    status, data = service.answer(self.command, self.path, self.headers, body)
                with contextlib.suppress(OSError):  # who asked did not wait
                    self.send_response(status)
                    for name, value in {
                        "Content-Type": "application/json",
                        "Content-Length": str(len(data)),
                        **headers,
                    }.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)

            do_POST = do_GET  # noqa: N815 -- http.server's own name

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
