"""`make demo ONCE=1` from nothing: a day through real processes, twice on the same data."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from salessync.sandbox.demo import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def environment(tmp_path):
    """A machine of its own: nothing of the tests' servers, nothing of a developer's .env."""
    unset = ["DATABASE_URL", "REDIS_URL", "BOOKKEEPER_URL", "DJANGO_SETTINGS_MODULE", "HOST", "ALLOWED_HOSTS"]
    return {
        **{name: value for name, value in os.environ.items() if name not in unset},
        **dict.fromkeys(unset[:3], ""),
        "DEBUG": "on",
        "DATA_DIR": str(tmp_path / "data"),
        "PORT": str(free_port(8300)),
    }


def start(environment, *arguments):
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--sales", "90", "--rate", "100", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def wait_for(process, text, seconds=120):
    """The output up to a line that holds the text."""
    said, deadline = [], time.monotonic() + seconds
    for line in process.stdout:
        said.append(line)
        if text in line:
            return "".join(said)
        assert time.monotonic() < deadline, "".join(said)
    raise AssertionError("".join(said))


def nobody_left(environment):
    """No process of the demo's data folder lives on."""
    marker = f"DATA_DIR={environment['DATA_DIR']}".encode()
    left = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker in path.read_bytes().split(b"\0"):
                left.append(path.parent.joinpath("cmdline").read_bytes())
        except OSError:
            continue
    return left == []


def test_a_day_holds_and_so_does_the_next_on_the_same_data(environment):
    for day in (1, 2):
        process = start(environment, "--once", "--seed", "5")
        said, _ = process.communicate(timeout=180)
        assert process.returncode == 0, said
        assert f"day {day} of this demo" in said
        assert "FAILED" not in said
        assert "everything holds" in said
    assert nobody_left(environment)


def test_keeps_serving_until_ctrl_c(environment):
    process = start(environment)
    try:
        said = wait_for(process, "serving; Ctrl-C stops everything")
        address, password = re.search(r"admin: (\S+)  login: admin  password: (\S+)", said).groups()
        page = requests.Session()
        page.get(address, timeout=10)
        form = {"username": "admin", "password": password, "csrfmiddlewaretoken": page.cookies["csrftoken"]}
        answer = page.post(f"{address}login/?next=/admin/", data=form, timeout=10)
        assert answer.status_code == 200
        assert answer.url.endswith("/admin/")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert nobody_left(environment)
    finally:
        process.kill()
        process.stdout.close()
