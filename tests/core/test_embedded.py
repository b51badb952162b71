"""The embedded servers: data survives, killed owners leave nothing lost, and nothing starts where it must not."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from salessync.core import addresses, embedded
from salessync.core.servers import UnableToStart

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on which the servers have run once: initdb takes longer than everything else."""
    with folder() as made:
        embedded.start(made)
        embedded.leave(made)
        yield made


@pytest.fixture
def data_dir(made: Path) -> Iterator[Path]:
    with folder() as data_dir:
        subprocess.run(["cp", "-a", f"{made}/.", str(data_dir)], check=True)
        yield data_dir


@pytest.fixture
def fresh() -> Iterator[Path]:
    with folder() as data_dir:
        yield data_dir


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Not pytest's tmp_path: its parents are closed to the user that root lends to PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="embedded-test-"))
    try:
        yield folder
    finally:
        embedded.stop(folder)
        embedded.leave(folder)
        shutil.rmtree(folder, ignore_errors=True)


def execute(data_dir: Path, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(addresses.owner_url(data_dir), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "salessync.settings", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


OWNER = (
    "import sys, time; from pathlib import Path; from salessync.core import embedded; embedded.start(Path(sys.argv[1]))"
)


@contextlib.contextmanager
def owner(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that starts the servers and then waits to be ended."""
    program = f"{OWNER}; print('ready', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(data_dir)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_data_survives_a_restart(data_dir: Path) -> None:
    assert embedded.start(data_dir).started
    execute(data_dir, "CREATE TABLE kept AS SELECT 42 AS n")
    embedded.leave(data_dir)
    assert embedded.status(data_dir) == {"postgres": None, "valkey": None}

    assert embedded.start(data_dir).started
    assert execute(data_dir, "SELECT n FROM kept") == [(42,)]


def test_what_runs_is_not_started_again(data_dir: Path) -> None:
    embedded.start(data_dir)
    before = embedded.status(data_dir)
    assert not embedded.start(data_dir).started
    assert embedded.status(data_dir) == before
    assert (data_dir / "servers.json").exists()


def test_commits_wait_for_the_disk(data_dir: Path) -> None:
    embedded.start(data_dir)
    shown = {
        name: execute(data_dir, f"SHOW {name}")[0][0] for name in ("fsync", "synchronous_commit", "listen_addresses")
    }
    assert shown == {"fsync": "on", "synchronous_commit": "on", "listen_addresses": ""}


def test_owner_killed_and_found_again(data_dir: Path) -> None:
    with owner(data_dir) as process:
        process.kill()
        process.wait()
    running = embedded.status(data_dir)
    assert None not in running.values()

    assert not embedded.start(data_dir).started
    assert embedded.status(data_dir) == running
    embedded.leave(data_dir)  # the last one out
    assert embedded.status(data_dir) == {"postgres": None, "valkey": None}


def test_postmaster_killed_and_started_again(data_dir: Path) -> None:
    with owner(data_dir) as process:
        execute(data_dir, "CREATE TABLE kept AS SELECT 42 AS n")
        for pid in embedded.status(data_dir).values():
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()
    assert (data_dir / "postgres" / "postmaster.pid").exists()

    assert embedded.start(data_dir).started
    assert execute(data_dir, "SELECT n FROM kept") == [(42,)]


def test_a_stale_pid_that_is_now_a_stranger_does_not_mislead(data_dir: Path) -> None:
    embedded.start(data_dir)
    embedded.leave(data_dir)
    lines = [
        str(os.getpid()),
        str(data_dir / "postgres"),
        "1700000000",
        "5432",
        str(data_dir / "run"),
        "",
        "0 0",
        "ready",
    ]
    (data_dir / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    assert embedded.start(data_dir).started


def test_the_last_one_out_stops_them(data_dir: Path) -> None:
    with owner(data_dir):
        embedded.start(data_dir)
        embedded.leave(data_dir)
        assert None not in embedded.status(data_dir).values()
        embedded.start(data_dir)
    embedded.leave(data_dir)
    assert embedded.status(data_dir) == {"postgres": None, "valkey": None}


def test_an_unreadable_broker_log_is_put_aside(data_dir: Path) -> None:
    embedded.start(data_dir)
    embedded.leave(data_dir)
    (data_dir / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    assert embedded.start(data_dir).started


def test_a_path_too_long_for_a_socket() -> None:
    base = Path(tempfile.mkdtemp(prefix="embedded-test-"))
    data_dir = base / ("a-long-name-" * 10)
    try:
        assert len(embedded.start(data_dir).database_url) < 103
        assert execute(data_dir, "SELECT 1") == [(1,)]
    finally:
        embedded.leave(data_dir)
        shutil.rmtree(base)
        shutil.rmtree(addresses.socket_dir(data_dir), ignore_errors=True)


def test_a_strangers_socket_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to somebody else")
    base = Path(tempfile.mkdtemp(prefix="embedded-test-"))
    data_dir = base / ("b-long-name-" * 10)
    sockets = addresses.socket_dir(data_dir)
    sockets.mkdir()
    os.chown(sockets, pwd.getpwnam("nobody").pw_uid, -1)
    try:
        with pytest.raises(UnableToStart, match="belongs to nobody"):
            embedded.start(data_dir)
    finally:
        shutil.rmtree(base)
        shutil.rmtree(sockets)


def as_user(user: pwd.struct_passwd, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python as somebody else; with the system's Python where ours lies in root's own folder."""
    ours = [sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"}
    for python in ours:
        with contextlib.suppress(PermissionError, FileNotFoundError):
            return subprocess.run(
                [python, "-c", program, *arguments],
                cwd="/",
                env=environment,
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                capture_output=True,
                text=True,
                timeout=30,
            )
    pytest.skip(f"no Python {sys.version_info.major}.{sys.version_info.minor} that {user.pw_name} may run")


def test_as_an_ordinary_user(fresh: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("we are an ordinary user: every other test shows it")
    nobody = pwd.getpwnam("nobody")
    if as_user(nobody, "import salessync.core.embedded").returncode:
        pytest.skip(f"the checkout is closed to {nobody.pw_name}")
    os.chown(fresh, nobody.pw_uid, nobody.pw_gid)

    done = as_user(nobody, f"{OWNER}; print(embedded.status(Path(sys.argv[1])))", str(fresh))
    assert done.returncode == 0, done.stderr
    assert "None" not in done.stdout
    assert (fresh / "postgres").stat().st_uid == nobody.pw_uid
    embedded.stop(fresh)

    embedded.start(fresh)  # and root goes on as that user
    pid = embedded.status(fresh)["postgres"]
    assert psutil.Process(pid).uids().effective == nobody.pw_uid
    embedded.leave(fresh)

    done = as_user(nobody, f"{OWNER}; embedded.leave(Path(sys.argv[1]))", str(fresh))  # and the user after root
    assert done.returncode == 0, done.stderr
    assert embedded.status(fresh) == {"postgres": None, "valkey": None}


def test_addresses_in_the_environment_start_nothing(tmp_path: Path, servers: embedded.Addresses) -> None:
    elsewhere = tmp_path / "untouched"
    done = manage(
        "showmigrations",
        DATA_DIR=str(elsewhere),
        DATABASE_URL=servers.database_url,
        REDIS_URL=servers.redis_url,
    )
    assert done.returncode == 0, done.stderr
    assert not elsewhere.exists()


@pytest.mark.parametrize(
    "arguments", [["check"], ["help"], ["migrate", "--help"], ["collectstatic", "--dry-run", "--noinput"]]
)
def test_commands_without_a_database_start_nothing(arguments: list[str], tmp_path: Path) -> None:
    elsewhere = tmp_path / "untouched"
    assert manage(*arguments, DATA_DIR=str(elsewhere)).returncode == 0
    assert not elsewhere.exists()


def test_a_command_stops_what_it_started(fresh: Path) -> None:
    done = manage("showmigrations", "core", DATA_DIR=str(fresh))
    assert done.returncode == 0, done.stderr
    assert (fresh / "postgres" / "PG_VERSION").exists()
    assert embedded.status(fresh) == {"postgres": None, "valkey": None}


def test_a_terminated_command_stops_what_it_started(data_dir: Path) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "salessync.settings", "DATA_DIR": str(data_dir)}
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 20
        while not (data_dir / "servers.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.terminate()
    assert embedded.status(data_dir) == {"postgres": None, "valkey": None}


def test_refused_where_debug_is_off(settings: object, fresh: Path) -> None:
    settings.DEBUG, settings.DATA_DIR = False, fresh  # type: ignore[attr-defined]
    with pytest.raises(UnableToStart, match="DEBUG off"):
        embedded.ensure_running()
    assert list(fresh.iterdir()) == []


PRODUCTION = {
    "DEBUG": "off",
    "SECRET_KEY": "x" * 60,
    "ALLOWED_HOSTS": "example.com",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "valkey://127.0.0.1:1",
    "FIELD_ENCRYPTION_KEYS": os.environ["FIELD_ENCRYPTION_KEYS"],
}


def test_production_starts_with_all_its_variables(tmp_path: Path) -> None:
    assert manage("check", **PRODUCTION, DATA_DIR=str(tmp_path / "untouched")).returncode == 0


@pytest.mark.parametrize("name", sorted(PRODUCTION.keys() - {"DEBUG"}))
def test_production_stops_with_one_line_for_a_missing_variable(name: str, tmp_path: Path) -> None:
    done = manage("migrate", **PRODUCTION | {name: "", "DATA_DIR": str(tmp_path / "untouched")})
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"salessync: DEBUG is off, so {name} must be set (see .env.example)"]
    assert not (tmp_path / "untouched").exists()
