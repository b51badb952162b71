"""The embedded default: PostgreSQL and Valkey for a checkout that has no others, shared by all who need them.

Everybody who needs them holds a shared lock while it runs, and the last one out stops them; the kernel drops the lock
of a process that was killed, so the next one finds its servers running and goes on. Never where DEBUG is off.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from django.conf import settings

from salessync.core import addresses
from salessync.core.servers import (
    Postgres,
    Server,
    UnableToStart,
    Valkey,
    make_private,
    open_the_way,
    server_user,
)

ALL = ("postgres", "valkey")

_held: dict[Path, IO[bytes]] = {}


class Addresses(NamedTuple):
    database_url: str
    redis_url: str
    started: bool  # by this call


def ensure_running() -> Addresses:
    """Start what the settings call for and join; `started` is False where all of it was running already."""
    if not settings.DEBUG:
        raise UnableToStart("the embedded servers are for development: with DEBUG off set DATABASE_URL and REDIS_URL")
    return start(settings.DATA_DIR, settings.EMBEDDED)


def start(data_dir: Path, names: tuple[str, ...] = ALL) -> Addresses:
    """Join the servers of DATA_DIR, starting those that do not run."""
    _make_data_dir(data_dir)
    with _alone(data_dir):
        _join(data_dir)
        try:
            started = _start_missing(data_dir, names)
        except BaseException:
            _leave(data_dir)
            raise
    return Addresses(addresses.database_url(data_dir), addresses.redis_url(data_dir), started)


def leave(data_dir: Path) -> None:
    """Need them no more; the last one out stops them."""
    if data_dir in _held:
        data_dir.mkdir(parents=True, exist_ok=True)  # removed under running servers: they are stopped all the same
        with _alone(data_dir):
            _leave(data_dir)


def stop(data_dir: Path) -> None:
    """Stop them whoever needs them."""
    if data_dir.exists():
        with _alone(data_dir):
            _stop(data_dir)


def status(data_dir: Path) -> dict[str, int | None]:
    """The pid of each server that runs."""
    return {server.name: server.pid() for server in _servers(data_dir)}


def in_use(data_dir: Path) -> bool:
    """Whether a living process, this one included, needs them."""
    try:
        with (data_dir / "users.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _servers(data_dir: Path) -> list[Server]:
    user = server_user(data_dir)
    return [Postgres(data_dir, user), Valkey(data_dir, user)]


def _start_missing(data_dir: Path, names: tuple[str, ...]) -> bool:
    servers = [server for server in _servers(data_dir) if server.name in names]
    missing = [server for server in servers if server.pid() is None]
    if missing:
        open_the_way(data_dir, missing[0].user)
        make_private(addresses.socket_dir(data_dir), missing[0].user)
    for server in missing:
        server.start()
    for server in servers:
        if isinstance(server, Postgres):
            server.ensure_database()
    if missing:
        _write_addresses(data_dir, servers)
    return bool(missing)


def _stop(data_dir: Path) -> None:
    for server in _servers(data_dir):
        server.stop()
    (data_dir / "servers.json").unlink(missing_ok=True)


def _leave(data_dir: Path) -> None:
    with contextlib.closing(_held.pop(data_dir)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else is still at work
        _stop(data_dir)


def _join(data_dir: Path) -> None:
    if data_dir not in _held:
        lock = _open_lock(data_dir / "users.lock")
        fcntl.flock(lock, fcntl.LOCK_SH)
        _held[data_dir] = lock


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """One process at a time starts or stops servers."""
    with _open_lock(data_dir / "start.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _open_lock(path: Path) -> IO[bytes]:
    """Read-only is enough for flock, so that root's lock file serves an ordinary user too."""
    path.touch(exist_ok=True) if not path.exists() else None
    return path.open("rb")


def _make_data_dir(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not os.access(data_dir, os.W_OK | os.X_OK):
            raise PermissionError
    except (PermissionError, FileExistsError, NotADirectoryError):
        raise UnableToStart(f"DATA_DIR {data_dir} is no folder that this user may write") from None


def _write_addresses(data_dir: Path, servers: list[Server]) -> None:
    """For people and programs that want to look in; nothing of ours reads it."""
    known = {
        "database_url": addresses.database_url(data_dir),
        "database_owner_url": addresses.owner_url(data_dir),
        "redis_url": addresses.redis_url(data_dir),
        **{server.name: server.pid() for server in servers},
    }
    draft = data_dir / "servers.json.new"
    draft.write_text(json.dumps(known, indent=2) + "\n")
    draft.replace(data_dir / "servers.json")
