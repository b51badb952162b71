"""Where the embedded servers of a DATA_DIR listen. Path arithmetic only: it starts nothing and touches nothing."""

import hashlib
import os
import re
from pathlib import Path

DATABASE = "salessync"
OWNER_ROLE = "postgres"  # owns the tables: migrations only
APP_ROLE = "salessync_app"  # web, workers and commands

_LONGEST_SOCKET_PATH = 103  # macOS allows 104 bytes with the closing NUL, Linux 108
_SHORT_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 (owner and mode are checked before use)
_PLAIN = re.compile(r"[A-Za-z0-9/._+-]+")  # commas, spaces and quotes mean something in libpq's and Celery's addresses


def socket_dir(data_dir: Path) -> Path:
    """`DATA_DIR/run`, or a short folder named after it where the path is too long or too odd for a socket."""
    inside = data_dir / "run"
    if _PLAIN.fullmatch(str(inside)) and len(f"{inside}/.s.PGSQL.5432") <= _LONGEST_SOCKET_PATH:
        return inside
    outside = next((folder for folder in _SHORT_FOLDERS if os.access(folder, os.W_OK)), _SHORT_FOLDERS[0])
    return Path(outside) / f"salessync-{hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]}"


def valkey_socket(data_dir: Path) -> Path:
    return socket_dir(data_dir) / "valkey.sock"


def database_url(data_dir: Path, name: str = DATABASE, *, role: str = APP_ROLE) -> str:
    """For the application, which may neither change tables nor what only grows (access.py)."""
    return f"postgresql://{role}@/{name}?host={socket_dir(data_dir)}&port=5432"


def owner_url(data_dir: Path, name: str = DATABASE) -> str:
    """For migrations, and for whoever starts the server."""
    return database_url(data_dir, name, role=OWNER_ROLE)


def redis_url(data_dir: Path) -> str:
    return f"redis+socket://{valkey_socket(data_dir)}"
