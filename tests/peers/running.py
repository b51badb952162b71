"""Starts a peer on 127.0.0.1 and stops it, whatever happens: it also ends by itself when the pipe to its stdin does."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import requests

from tests.peers.installing import Unavailable

SERVERS = Path(__file__).parent / "servers"
ENDING = SERVERS / "ending.js"  # `node --require` it: no orphan stays where a test run was killed
SECONDS = 90  # that a server may take to answer


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def server(command: Sequence[str | Path], *, url: str, folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Runs until the block ends; Unavailable with the end of its log where `url` never answers. `folder`: where it may write."""
    log = folder / "server.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=written,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        _wait(process, url, log)
        yield
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.RequestException):
            requests.get(url, timeout=5)
            return
        time.sleep(0.1)
    raise Unavailable(f"not started: {log.read_text(errors='replace').strip()[-1000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
    assert process.stdin is not None
    process.stdin.close()
