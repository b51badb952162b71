"""Deliveries are signed as their vendors sign, sent until they are taken, and written down when they were."""

import hashlib
import json
import threading
import time
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from channels import adapter as adapters
from channels.adapter import SignatureRefused, Trust
from salessync.sandbox import play as playing
from salessync.sandbox import shops
from salessync.sandbox.delivery import Delivery
from salessync.sandbox.play import GroundTruth, Target, play, read_ground_truth, sign

SECRET = "whsec_" + "c2VjcmV0LW9mLWEtc2hvcA=="
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


def delivery(number=1, channel="roastery-us", topic="orders/create"):
    body = json.dumps({"id": number}).encode()
    return Delivery(channel, topic, body, f"d{number}", NOW, subject=str(number), opens=True)


class Shop(ThreadingHTTPServer):
    """Answers with the statuses it was given, one after the other, then 200; remembers what it was sent."""

    daemon_threads = True

    def __init__(self, statuses=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses, self.requests = list(statuses), []
        threading.Thread(target=self.serve_forever, args=[0.01], daemon=True).start()

    @property
    def target(self):
        return Target(f"http://127.0.0.1:{self.server_address[1]}/webhooks/roastery-us", "shopify", SECRET)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(({k.lower(): v for k, v in self.headers.items()}, body, time.monotonic()))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def shop():
    running = []

    def start(*statuses):
        running.append(Shop(statuses))
        return running[-1]

    yield start
    for one in running:
        one.shutdown()
        one.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(playing, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(playing, "PATIENCE", 0.5)


def run(deliveries, target, path, **more):
    with GroundTruth(path) as ground_truth:
        return play(deliveries, {"roastery-us": target}, ground_truth, **more)


@pytest.mark.parametrize("adapter", ["shopify", "standard"])
def test_signatures_are_the_vendors_own(adapter):
    """The adapters prove them; a changed byte or another secret does not pass."""
    sent = delivery()
    headers = {name.lower(): value for name, value in sign(adapter, sent, SECRET, NOW).items()}
    verify = adapters.get(adapter).verify
    verify(headers, sent.body, Trust(secrets=("whsec_b3RoZXI=", SECRET)), NOW)
    for body, secrets in ((sent.body + b" ", [SECRET]), (sent.body, ["whsec_b3RoZXI="])):
        with pytest.raises(SignatureRefused):
            verify(headers, body, Trust(secrets=tuple(secrets)), NOW)
    assert adapters.get(adapter).envelope(headers, {"id": 1}).delivery_id == sent.delivery_id


def test_every_channel_of_the_sandbox_can_be_signed():
    assert {channel.adapter for channel in shops.CHANNELS} == set(playing.SIGNERS)


def test_each_is_sent_once_and_written_down(shop, tmp_path):
    sent = [delivery(n) for n in range(30)]
    server, seen = shop(), []
    score = run(sent, server.target, tmp_path / "truth.jsonl", threads=3, progress=lambda s: seen.append(s.done))
    assert (score.accepted, score.retries, dict(score.refused)) == (30, 0, {})
    assert sorted(body for _, body, _ in server.requests) == sorted(d.body for d in sent)
    assert {h["x-shopify-webhook-id"] for h, _, _ in server.requests} == {d.delivery_id for d in sent}
    rows = list(read_ground_truth(tmp_path / "truth.jsonl"))
    assert {row["delivery_id"]: row["sha256"] for row in rows} == {
        d.delivery_id: hashlib.sha256(d.body).hexdigest() for d in sent
    }
    assert seen[-1] == 30


def test_one_thread_keeps_the_order(shop, tmp_path):
    sent, server = [delivery(n) for n in range(20)], shop()
    run(sent, server.target, tmp_path / "truth.jsonl", threads=1)
    assert [body for _, body, _ in server.requests] == [d.body for d in sent]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_tries_again_with_the_same_id_where_it_was_not_taken(shop, tmp_path, status):
    server = shop(status, status)
    score = run([delivery()], server.target, tmp_path / "truth.jsonl")
    assert (score.accepted, score.retries) == (1, 2)
    assert {h["x-shopify-webhook-id"] for h, _, _ in server.requests} == {"d1"}
    assert len(list(read_ground_truth(tmp_path / "truth.jsonl"))) == 1


def test_a_refusal_is_not_repeated_and_not_written_down(shop, tmp_path):
    server = shop(401)
    score = run([delivery()], server.target, tmp_path / "truth.jsonl")
    assert (score.accepted, score.retries, dict(score.refused)) == (0, 0, {"401": 1})
    assert len(server.requests) == 1
    assert list(read_ground_truth(tmp_path / "truth.jsonl")) == []


def test_nobody_there_is_tried_again_and_given_up_in_the_end(tmp_path):
    score = run([delivery()], Target("http://127.0.0.1:1/", "shopify", SECRET), tmp_path / "truth.jsonl")
    assert dict(score.refused) == {"ConnectionError": 1}
    assert score.retries >= 2


def test_the_rate_is_kept(shop, tmp_path):
    server = shop()
    run([delivery(n) for n in range(11)], server.target, tmp_path / "truth.jsonl", rate=50)
    times = [at for _, _, at in server.requests]
    assert max(times) - min(times) >= 0.18


def test_a_line_that_a_crash_cut_off_is_no_acceptance(tmp_path):
    path = tmp_path / "truth.jsonl"
    with GroundTruth(path) as ground_truth:
        ground_truth.accepted(delivery(1))
        ground_truth.accepted(delivery(2))
    path.write_bytes(path.read_bytes()[:-20])
    assert [row["delivery_id"] for row in read_ground_truth(path)] == ["d1"]


def test_stops_when_asked(shop, tmp_path):
    server, stop = shop(), threading.Event()
    stop.set()
    assert run([delivery(n) for n in range(50)], server.target, tmp_path / "truth.jsonl", stop=stop).done <= 4


def test_an_error_of_ours_is_not_swallowed(shop, tmp_path):
    server = shop()
    with pytest.raises(KeyError):
        run([delivery(channel="unknown")], server.target, tmp_path / "truth.jsonl")


def test_a_day_is_played_as_it_was_arranged(shop, tmp_path):
    day = shops.business_day(sales=90, seed=1, run=1, day=date(2026, 9, 1))
    server = shop()
    targets = {c.slug: Target(server.target.url, c.adapter, SECRET) for c in shops.CHANNELS}
    with GroundTruth(tmp_path / "truth.jsonl") as ground_truth:
        score = play(day.play.deliveries, targets, ground_truth, threads=4)
    assert score.accepted == len(day.play.deliveries) == len(server.requests)
