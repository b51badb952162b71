"""What must survive: a worker killed in mid-batch, a broker that forgets everything, a database that falls and stands up again."""

import os
import signal

import pytest
import redis

from salessync.core import addresses, embedded
from tests.faults.rig import Rig


@pytest.fixture
def rig(tmp_path):
    with Rig(tmp_path / "data") as made:
        yield made


def test_a_worker_killed_in_mid_batch_loses_and_doubles_nothing(rig):
    rig.kill("worker")
    rig.kill("beat")
    rig.send(400)
    rig.start("worker", "beat")
    rig.wait(rig.in_work, "a batch is in work")
    rig.kill("worker")
    assert rig.in_work()
    rig.start("worker")
    rig.send(100, copies=2)
    rig.check()


def test_a_broker_that_forgets_everything_costs_time_only(rig):
    broker = redis.Redis(unix_socket_path=str(addresses.valkey_socket(rig.folder)))
    for _ in range(3):
        rig.send(100)
        broker.flushall()
    os.kill(embedded.status(rig.folder)["valkey"], signal.SIGKILL)
    rig.send(20)  # without any broker: stored all the same
    embedded.start(rig.folder)
    rig.send(50, copies=2)
    rig.check()


def test_a_database_that_falls_in_mid_batch_has_every_accepted_sale(rig):
    rig.kill("worker")
    rig.send(300)
    rig.start("worker")
    rig.wait(rig.in_work, "a batch is in work")
    os.kill(embedded.status(rig.folder)["postgres"], signal.SIGQUIT)  # immediate shutdown: no checkpoint, no goodbye
    rig.wait(lambda: embedded.status(rig.folder)["postgres"] is None, "PostgreSQL is down")
    embedded.start(rig.folder)
    rig.send(100, copies=2)
    rig.check()
