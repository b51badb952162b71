"""The processes of a running system, and their supervisor: one ends, all end. Knows nothing of the database."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
DRAIN_SECONDS = 20.0  # for requests and tasks in work, before they are killed
_ORDINARY_ENDS = (0, -signal.SIGTERM, -signal.SIGINT)
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Process(NamedTuple):
    name: str
    command: list[str]


def processes(env: Mapping[str, str], *, data_dir: str, flower: bool = False) -> list[Process]:
    """What runs where: PORT comes from `env`, beat keeps its schedule in `data_dir`."""
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--quiet", "-A", "salessync.celery"]
    alone = ["--without-gossip", "--without-mingle"]  # workers need to know nothing of each other
    web = ["gunicorn", "salessync.wsgi", "--bind", bind_address(env)]  # the rest is in gunicorn.conf.py
    found = [
        Process("web", python + web),
        # One pool child a queue: batches make it fast, and two cores also carry PostgreSQL and the web.
        Process("worker", [*celery, "worker", "-Q", "ingest", "-c", "1", "-n", "worker@%h", *alone]),
        Process("worker-push", [*celery, "worker", "-Q", "push", "-c", "1", "-n", "worker-push@%h", *alone]),
        Process("worker-stock", [*celery, "worker", "-Q", "stock", "-c", "1", "-n", "worker-stock@%h", *alone]),
        # two at once: a long backfill must not keep the fetches waiting
        Process("worker-vendors", [*celery, "worker", "-Q", "vendors", "-c", "2", "-n", "worker-vendors@%h", *alone]),
        Process("beat", [*celery, "beat", "--schedule", f"{data_dir}/beat-schedule", "--pidfile="]),
    ]
    if flower:
        found.append(Process("flower", [*celery, "flower", "--address=127.0.0.1", "--port=5555"]))
    return found


def bind_address(env: Mapping[str, str]) -> str:
    """Where the web listens: this machine only, unless HOST says more."""
    return f"{env.get('HOST') or '127.0.0.1'}:{env.get('PORT') or '8000'}"


class Supervisor:
    """Runs processes side by side with their names before their lines, until one ends or somebody says stop."""

    def __init__(self, processes: Iterable[Process], env: Mapping[str, str], write: Callable[[str], object]) -> None:
        self.processes, self.env, self.write = list(processes), dict(env), write
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.asked_to_stop = threading.Event()
        self.width = max(len(process.name) for process in self.processes)

    def run(self) -> int:
        """Start, wait, drain. The exit code is that of the process that ended by itself, 0 where we were asked to stop."""
        self.start()
        with _stopping_signals(lambda number, frame: self.asked_to_stop.set()):
            ended = self.wait()
            self.stop()
        return ended

    def start(self) -> None:
        for process in self.processes:
            self.running[process.name] = self._spawn(process)
        for name, child in self.running.items():  # threads only after every fork
            threading.Thread(target=self._copy_output, args=(name, child), daemon=True).start()

    def wait(self) -> int:
        """Until one ends or we are asked to stop."""
        while not self.asked_to_stop.wait(0.2):
            for name, child in self.running.items():
                if child.poll() is not None:
                    self.write(f"{name} ended with {child.returncode}; stopping the others")
                    return 0 if child.returncode in _ORDINARY_ENDS else 1
        return 0

    def stop(self, seconds: float = DRAIN_SECONDS) -> None:
        """Let them finish what they do; what is not done in time is killed: its rows come back when their lease ends."""
        for child in self.running.values():
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + seconds
        while any(child.poll() is None for child in self.running.values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for name, child in self.running.items():
            if child.poll() is None:
                self.write(f"{name} did not finish within {seconds:.0f} s and is killed")
            _kill_group(child)  # also what it may have left behind

    def _spawn(self, process: Process) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603
            process.command,
            cwd=CHECKOUT,
            env=self.env | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a Ctrl-C reaches us alone, and we end them in order
            preexec_fn=_end_with_parent,
        )

    def _copy_output(self, name: str, child: subprocess.Popen[str]) -> None:
        for line in child.stdout or ():
            self.write(f"{name:<{self.width}} | {line.rstrip()}")


def _end_with_parent() -> None:
    """Linux: a supervisor that is killed takes its processes along."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _kill_group(child: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextlib.contextmanager
def _stopping_signals(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)
