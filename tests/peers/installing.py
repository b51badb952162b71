"""Puts the peers' software into `$XDG_CACHE_HOME/salessync-peers`, each version once."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SECONDS = 900  # of one installation: Medusa is 680 MB


class Unavailable(Exception):
    """The peer cannot be installed or started here; the message says why."""


def cache() -> Path:
    """Outside of the repository, and kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "salessync-peers"


def python_packages(name: str, *packages: str) -> Path:
    """A folder for PYTHONPATH, for the Python that runs the tests."""
    uv = Path(sys.executable).with_name("uv")
    tag = f"{name}-py{sys.version_info.major}.{sys.version_info.minor}"
    return _once(
        tag, lambda folder: _run(uv, "pip", "install", "--python", sys.executable, "--target", folder, *packages)
    )


def npm_packages(name: str, *packages: str) -> Path:
    """A folder with `node_modules`; nothing is compiled and no package's own script runs."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Unavailable("there is no Node.js with npm on this machine")
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", "--loglevel=error")
    return _once(name, lambda folder: _run(npm, "install", "--prefix", folder, *options, *packages))


def _once(name: str, install: Callable[[Path], None]) -> Path:
    """Installed beside its place and renamed: one that was broken off leaves nothing that looks whole."""
    folder = cache() / name
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            draft = folder.with_name(f"{name}.new")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            install(draft)
            draft.rename(folder)
    return folder


def _run(*command: str | Path) -> None:
    try:
        subprocess.run(command, check=True, timeout=SECONDS, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"not installed: {error.stderr.strip()[-500:]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"not installed: {error}") from None
