"""Many at the same time, in a database of their own: one key used by several, and a reader who follows the journal meanwhile."""

import contextlib
import threading
import time
from datetime import UTC, datetime

import pytest
from django.db import OperationalError, connection

from channels import canonical
from channels.capture import capture
from channels.models import Event
from ledger.models import JournalEntry
from salessync import pipeline
from salessync.api import examples, intake
from salessync.core import nudge
from tests.api.program import Program, kind, of
from tests.records import line, sale
from tests.threads import at_once
from tests.worlds import World

WRITERS = 8
BATCH = 10  # events of a batch: many commits, whose entries become visible between those of others


@pytest.fixture
def world(committed_db, monkeypatch):
    monkeypatch.setattr(nudge, "nudge", lambda task: False)
    return World()


def test_eight_at_once_with_one_key_are_one_sale(world):
    program, barrier = Program(world.company), threading.Barrier(8)

    def send():
        twin = program.twin()
        barrier.wait()
        return twin.post("sales", of(examples.SALE, world.till), key="k")

    answers = at_once(8, send)
    done = [answer for answer in answers if answer.status_code == 202]
    assert done and len({answer.content for answer in done}) == 1
    assert sum("Idempotency-Replayed" not in answer for answer in done) == 1
    assert {kind(answer) for answer in answers if answer not in done} <= {"idempotency-key-in-use"}
    assert Event.objects.get().copies == 1
    assert program.post("sales", of(examples.SALE, world.till), key="k")["Idempotency-Replayed"] == "true"


def test_a_request_in_progress_is_told_so(world, monkeypatch):
    """The first is held amid its work until the second has its answer."""
    program, accept = Program(world.company), intake.accept
    working, answered = threading.Event(), threading.Event()

    def slow(**arguments):
        working.set()
        assert answered.wait(20)
        return accept(**arguments)

    monkeypatch.setattr(intake, "accept", slow)
    found = []
    first = threading.Thread(target=lambda: found.extend(at_once(1, lambda: _send(program.twin(), world))))
    first.start()
    try:
        assert working.wait(20)
        second = _send(program, world)
    finally:
        answered.set()
        first.join(20)
    assert (second.status_code, kind(second), second["Retry-After"]) == (409, "idempotency-key-in-use", "1")
    assert found[0].status_code == 202


def _send(program, world):
    return program.post("sales", of(examples.SALE, world.till), key="k")


@pytest.mark.parametrize("count", [1_500, pytest.param(50_000, marks=pytest.mark.slow)])
def test_a_reader_of_the_journal_sees_every_entry_once_and_in_order(world, count):
    """Eight writers post through the pipeline; the reader asks for what comes after the last entry that he has seen."""
    program = Program(world.company, "bookkeeper")
    share = count // WRITERS + 1
    total = share * WRITERS
    written = threading.Event()
    seen, looks = [], 0

    def read():
        nonlocal looks
        reader, after, idle = program.twin(), 0, 0
        while idle < 2:  # once more after the last writer is done, and once to see that there is no more
            over = written.is_set()
            found = reader.get("journal-entries", {"after": after, "limit": 100}).json()
            looks += 1
            seen.extend((entry["seq"], entry["id"], entry["source"]["id"]) for entry in found["results"])
            after = seen[-1][0] if seen else 0
            idle = idle + 1 if over and not found["results"] else 0
        connection.close()

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=_write, args=(world, number, share)) for number in range(WRITERS)]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    written.set()
    reader.join()
    assert JournalEntry.objects.count() == total
    assert [seq for seq, *_ in seen] == list(range(1, total + 1))
    assert len({entry for _, entry, _ in seen}) == len({sold for *_, sold in seen}) == total
    assert looks > total / 100 + 2, "the reader came only when all was written"


def _write(world, number, share):
    try:
        for first in range(0, share, BATCH):
            for one in range(first, min(first + BATCH, share)):
                record = sale([line(sku=None)], id_=f"{number}-{one}")  # no stock, whose rows they would wait for
                body = canonical.encode(record).replace(b'"channel":"shop"', f'"channel":"{world.till.slug}"'.encode())
                capture(channel=world.till, headers={}, body=body, mode="webhook", received_at=datetime.now(UTC))
            _work()
        while Event.objects.filter(state="new").exists():
            if not _work():
                time.sleep(0.01)
    finally:
        connection.close()


def _work():
    """A batch that waited too long for a lock goes back, and is taken up again."""
    with contextlib.suppress(OperationalError):
        return pipeline.run_batch(size=BATCH)
