"""Plays a day: sends deliveries as their vendors do, signed, over HTTP, and again where they were not taken.

Every 2xx answer is written to a ground-truth file and synced to disk before it counts, so that whoever kills everything
afterwards can still ask whether what was accepted is there.
"""

import base64
import hashlib
import hmac
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import requests

from salessync.sandbox.delivery import Delivery

TIMEOUT = (1.0, 5.0)  # seconds to connect and to answer: Shopify's own patience
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
PATIENCE = 60.0  # seconds for one delivery, all its attempts together
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0

Headers = dict[str, str]
Progress = Callable[["Score"], None]


class Target(NamedTuple):
    """Where a channel's messages go and how they are signed."""

    url: str
    adapter: str
    secret: str


@dataclass
class Score:
    """What has become of the deliveries so far."""

    total: int
    accepted: int = 0
    retries: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by answer, given up

    @property
    def done(self) -> int:
        return self.accepted + sum(self.refused.values())


class GroundTruth:
    """The accepted deliveries, a JSON object a line, each on disk before `accepted` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()

    def __enter__(self) -> "GroundTruth":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def accepted(self, delivery: Delivery) -> None:
        """Write down a 2xx."""
        row = {
            "channel": delivery.channel,
            "topic": delivery.topic,
            "delivery_id": delivery.delivery_id,
            "sha256": hashlib.sha256(delivery.body).hexdigest(),
            "at": datetime.now(UTC).isoformat(),
        }
        with self._lock:
            self._file.write(json.dumps(row).encode() + b"\n")
            os.fdatasync(self._file.fileno()) if hasattr(os, "fdatasync") else os.fsync(self._file.fileno())


def read_ground_truth(path: Path) -> Iterator[dict[str, str]]:
    """What was accepted; a last line that a crash cut off is no acceptance."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


def play(
    deliveries: Sequence[Delivery],
    targets: Mapping[str, Target],
    ground_truth: GroundTruth,
    *,
    threads: int = 4,
    rate: float | None = None,
    progress: Progress = lambda score: None,
    stop: threading.Event | None = None,
) -> Score:
    """Send every delivery in its order, at most `rate` a second; returns when all were taken or given up, or `stop` is set."""
    player = _Player(deliveries, targets, ground_truth, rate, stop or threading.Event())
    workers = [threading.Thread(target=player.work, daemon=True) for _ in range(max(threads, 1))]
    for worker in workers:
        worker.start()
    try:
        while any(worker.is_alive() for worker in workers):
            for worker in workers:
                worker.join(0.1)
            progress(player.score)
    finally:
        player.stop.set()
    if player.error:
        raise player.error
    return player.score


class _Player:
    """The queue that the sending threads share."""

    def __init__(
        self,
        deliveries: Sequence[Delivery],
        targets: Mapping[str, Target],
        ground_truth: GroundTruth,
        rate: float | None,
        stop: threading.Event,
    ) -> None:
        self.score = Score(len(deliveries))
        self.stop = stop
        self.error: BaseException | None = None
        self._queue = iter(enumerate(deliveries))
        self._targets, self._ground_truth, self._rate = targets, ground_truth, rate
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def work(self) -> None:
        """Take and send until nothing is left."""
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy stands between a sandbox and its own machine
                while not self.stop.is_set() and (found := self._next()):
                    self._wait_for_turn(found[0])
                    self._deliver(session, found[1])
        except BaseException as error:
            self.error = error
            self.stop.set()

    def _next(self) -> tuple[int, Delivery] | None:
        with self._lock:
            return next(self._queue, None)

    def _wait_for_turn(self, index: int) -> None:
        if self._rate:
            self.stop.wait(max(0.0, self._started + index / self._rate - time.monotonic()))

    def _deliver(self, session: requests.Session, delivery: Delivery) -> None:
        target = self._targets[delivery.channel]
        give_up, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        while not self.stop.is_set():
            answer = _post(session, target, delivery)
            if answer.isdigit() and answer.startswith("2"):
                self._ground_truth.accepted(delivery)
                with self._lock:
                    self.score.accepted += 1
                return
            again = not answer.isdigit() or int(answer) in RETRIED
            if not again or time.monotonic() + pause > give_up:
                with self._lock:
                    self.score.refused[answer] += 1
                return
            with self._lock:
                self.score.retries += 1
            self.stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def _post(session: requests.Session, target: Target, delivery: Delivery) -> str:
    """One attempt: the HTTP status, or the name of what went wrong before there was one."""
    headers = sign(target.adapter, delivery, target.secret, datetime.now(UTC))
    try:
        with session.post(
            target.url, data=delivery.body, headers=headers, timeout=TIMEOUT, allow_redirects=False
        ) as response:
            return str(response.status_code)
    except requests.RequestException as error:
        return type(error).__name__


def sign(adapter: str, delivery: Delivery, secret: str, now: datetime) -> Headers:
    """The headers that the vendor sends with this body."""
    return {"Content-Type": "application/json", **SIGNERS[adapter](delivery, secret, now)}


def _shopify(delivery: Delivery, secret: str, now: datetime) -> Headers:
    digest = hmac.digest(secret.encode(), delivery.body, "sha256")
    return {
        "User-Agent": "Shopify-Captain-Hook",
        "X-Shopify-Topic": delivery.topic,
        "X-Shopify-Hmac-SHA256": base64.b64encode(digest).decode(),
        "X-Shopify-Shop-Domain": f"{delivery.channel}.myshopify.com",
        "X-Shopify-API-Version": "2026-07",
        "X-Shopify-Webhook-Id": delivery.delivery_id,
        "X-Shopify-Event-Id": delivery.delivery_id,
        "X-Shopify-Triggered-At": now.isoformat().replace("+00:00", "Z"),
    }


def _standard(delivery: Delivery, secret: str, now: datetime) -> Headers:
    """Standard Webhooks: the id is the same on every attempt, the time is each attempt's own."""
    timestamp = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{delivery.delivery_id}.{timestamp}.".encode() + delivery.body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {
        "webhook-id": delivery.delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


SIGNERS: dict[str, Callable[[Delivery, str, datetime], Headers]] = {
    "shopify": _shopify,
    "standard": _standard,
}
