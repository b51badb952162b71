"""The demo: bootstraps a company with the sandbox's shops, plays a day into a running system, and holds the outcome against
what the shops know, against every law of the books, and against Bookkeeper's own file.
"""

import base64
import contextlib
import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import requests
from django.contrib.auth import get_user_model
from django.core.management import call_command

from salessync.sandbox import findings, shops
from salessync.sandbox.play import GroundTruth, Score, Target, play

RATE = 60.0  # webhooks a second: a busy day, and far below what the system can take
STALLED_SECONDS = 90.0

Say = Callable[[str], None]


class DemoFailed(Exception):
    """The demo cannot go on; the message says why."""


class Keys(NamedTuple):
    """Secrets of the demo, made once for each DATA_DIR."""

    password: str
    bookkeeper: str
    channels: dict[str, str]


@dataclass
class Outcome:
    """A day that was played: what was sent, what the shops know, and the state before and after."""

    run: int
    day: date
    since: datetime
    score: Score
    plan: shops.Day
    before: findings.State
    after: findings.State
    ground_truth: Path
    seconds: float  # from the first message to the last acknowledgement


# --- before the servers run ---------------------------------------------------------------------------------


def keys(folder: Path) -> Keys:
    """The demo's secrets, readable by nobody else."""
    path = folder / "keys.json"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        made = {
            "password": secrets.token_urlsafe(9),
            "bookkeeper": _webhook_secret(),
            "channels": {channel.slug: _webhook_secret() for channel in shops.CHANNELS},
        }
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(made, file)
    return Keys(**json.loads(path.read_text()))


def _webhook_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def free_port(wanted: int, host: str = "127.0.0.1") -> int:
    """That port, or the next one that nobody listens on."""
    for port in range(wanted, min(wanted + 100, 65536)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return port
    raise DemoFailed(f"no port from {wanted} to {wanted + 99} is free")


def prepare(known: Keys, folder: Path) -> None:
    """Company, channels, catalogue, rates and a login; running it again changes nothing."""
    with Path(os.devnull).open("w") as nowhere:
        call_command("bootstrap", currency="USD", stdout=nowhere)
        for channel in shops.CHANNELS:
            call_command(
                "create_channel", channel.slug, channel.adapter, secret=known.channels[channel.slug],
                currency=channel.currency, timezone=channel.timezone, stdout=nowhere,
            )  # fmt: skip
        for command, name, text in (
            ("import_catalog", "catalog.csv", shops.catalog_file()),
            ("import_rates", "rates.csv", shops.RATES_CSV),
        ):
            (folder / name).write_text(text)
            call_command(command, str(folder / name), stdout=nowhere)


def ensure_login(password: str) -> str:
    """An administrator; the password to print, or a hint where its owner has changed it."""
    users = get_user_model().objects
    admin = users.filter(username="admin").first()
    if admin is None:
        admin = users.create_superuser("admin", "admin@example.com", password)
    return password if admin.check_password(password) else "(as you have set it)"


# --- while they run -----------------------------------------------------------------------------------------


def wait_until_ready(urls: dict[str, str], alive: Callable[[], None], seconds: float = 60.0) -> None:
    """Until every address answers 200; `alive` raises where a process has ended."""
    deadline = time.monotonic() + seconds
    for name, url in urls.items():
        while not _answers(url):
            alive()
            if time.monotonic() > deadline:
                raise DemoFailed(f"{name} does not answer at {url} after {seconds:.0f} s")
            time.sleep(0.1)


def _answers(url: str) -> bool:
    with contextlib.suppress(requests.RequestException), requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=2).status_code == 200
    return False


def play_day(
    *,
    sales: int,
    seed: int,
    base_url: str,
    known: Keys,
    folder: Path,
    alive: Callable[[], None],
    show: Say,
    rate: float,
) -> Outcome:
    """Send a new day's messages and wait until all of them are worked off and acknowledged."""
    drain(alive, show)  # what an interrupted day has left
    slugs = [channel.slug for channel in shops.CHANNELS]
    played = [int(path.stem.rpartition("-")[2]) for path in folder.glob("accepted-*.jsonl")]
    run = max([findings.highest_run(), *played]) + 1
    day = datetime.now(UTC).date() - timedelta(days=1)
    plan = shops.business_day(sales=sales, seed=seed, run=run, day=day)
    before, since, started = findings.state(slugs), datetime.now(UTC), time.monotonic()
    targets = {
        channel.slug: Target(f"{base_url}/webhooks/{channel.slug}", channel.adapter, known.channels[channel.slug])
        for channel in shops.CHANNELS
    }
    path = folder / f"accepted-{run}.jsonl"

    def progress(score: Score) -> None:
        alive()
        left = findings.work_left()
        show(
            f"sent {score.done} of {score.total}, {left.inbox} in the inbox,"
            f" {left.outbox} on their way to Bookkeeper, {score.retries} retries"
        )

    with GroundTruth(path) as ground_truth:
        score = play(plan.play.deliveries, targets, ground_truth, rate=rate, progress=progress)
    drain(alive, show)
    return Outcome(run, day, since, score, plan, before, findings.state(slugs), path, time.monotonic() - started)


def drain(alive: Callable[[], None], show: Say) -> None:
    """Until inbox and outbox are worked off; gives up where nothing moves any more."""
    seen, moved = findings.work_left(), time.monotonic()
    while seen.inbox or seen.outbox:
        alive()
        show(f"working off: {seen.inbox} in the inbox, {seen.outbox} on their way to Bookkeeper")
        time.sleep(0.2)
        left = findings.work_left()
        if left != seen:
            seen, moved = left, time.monotonic()
        elif time.monotonic() - moved > STALLED_SECONDS:
            raise DemoFailed(
                f"nothing has moved for {STALLED_SECONDS:.0f} s: {left.inbox} events in the inbox,"
                f" {left.outbox} entries on their way to Bookkeeper"
            )
