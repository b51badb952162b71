"""A Bookkeeper to try things against: a process of its own that judges what it is sent and keeps books of its own.

    python -m salessync.sandbox.bookkeeper --port 8800 --secret whsec_… --file books.beancount --db books.sqlite

It imports nothing of ours, so that it is a second opinion: signature, bounds, balance, duplicates and the beancount text are
its own work. What it accepted is in the SQLite file before it answers; the beancount file is written again from there at start.
`POST /_faults {"mode": "500", "times": 2}` makes the next answers fail; `GET /_faults` says which are left.
What people do in it by hand: `POST /_edit {"id", "changes"}`, `/_delete {"id", "mark"}`, `/_restore {"id"}`,
`/_account {"code", "name", "active"}`, `/_lock {"through"}`; `GET /accounts`, `GET /lock`.
"""

import argparse
import base64
import os
import signal
import threading
from pathlib import Path

from salessync.sandbox.bookkeeper.books import Books
from salessync.sandbox.bookkeeper.serving import Server


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
