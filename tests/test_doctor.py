"""The doctor sees what is wrong, says what to do, and is not stopped by it."""

import json
import shutil
from collections import namedtuple
from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from channels.models import Channel, Event
from ledger.models import Delivery
from salessync import doctor, sealing
from salessync.core import access, addresses, audit
from salessync.core.models import AuditRow, Seal
from tests import databases
from tests.core.test_rotation import key
from tests.records import line, sale
from tests.worlds import World

CHECKS = {"settings", "disk", "broker", "database", *(name for name, _ in doctor.OF_THE_DATABASE)}


@pytest.fixture
def world(db):
    return World()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(doctor, "WORKERS_ANSWER", 0.05)


def findings(check):
    return [one for one in doctor.examine() if one.check == check]


def worst(check):
    """The finding that matters most, and what it says; whatever is not well says what to do."""
    found = findings(check)
    assert all(bool(one.do) == (one.state != doctor.State.OK) for one in found), found
    one = sorted(found, key=lambda one: ("FAIL", "WARN", "OK").index(one.state))[0]
    return one.state, one.says


def test_nothing_fails_in_a_new_system(world):
    found = list(doctor.examine())
    assert {one.check for one in found} == CHECKS - {"vendors"}  # no list was ever read
    assert [one for one in found if one.state == "FAIL"] == []


def test_the_role_of_the_application_is_well_and_the_owners_is_not(committed_db):
    state, says = worst("role")
    assert state == "WARN" and "are postgres, who is a superuser" in says
    access.apply()
    with databases.as_role(addresses.APP_ROLE):
        assert worst("role") == ("OK", "salessync_app may change neither tables nor what only grows")
    with connection.cursor() as cursor:
        cursor.execute("REVOKE INSERT ON ledger_posting FROM salessync_app")
        cursor.execute("GRANT UPDATE ON ledger_posting TO PUBLIC")
    with databases.as_role(addresses.APP_ROLE):
        lack, more = findings("role")
    assert lack.state == more.state == "FAIL"
    assert "lack 1 grants (salessync_app: INSERT on ledger_posting" in lack.says
    assert "should not have 1 grants (everybody: UPDATE on ledger_posting" in more.says


def test_no_database(world, monkeypatch):
    def down(query):
        raise OperationalError("connection refused\nby the server")

    monkeypatch.setattr(doctor, "_rows", down)
    found = list(doctor.examine())
    assert found[-1].says == "the database does not answer: connection refused" and found[-1].state == "FAIL"
    assert {one.check for one in found} == {"settings", "disk", "broker", "database"}


def test_no_broker(world, monkeypatch):
    def down(**options):
        raise ConnectionError

    monkeypatch.setattr(current_app, "connection_for_write", down)
    assert worst("broker") == ("FAIL", "the broker does not answer (ConnectionError)")


def test_no_workers_and_some(world, monkeypatch):
    assert worst("broker") == ("WARN", "no worker answers")
    monkeypatch.setattr(current_app.control, "ping", lambda timeout: [{"worker@b": {}}, {"worker@a": {}}])
    assert findings("broker")[-1].says == "workers answer: worker@a, worker@b"


@pytest.mark.parametrize(("free", "state"), [(100 << 30, "OK"), (3 << 30, "WARN"), (100 << 20, "FAIL")])
def test_disk(world, monkeypatch, tmp_path, settings, free, state):
    settings.DATA_DIR = tmp_path / "not" / "there" / "yet"
    asked = []

    def usage(folder):
        asked.append(folder)
        return namedtuple("Usage", "total free")(200 << 30, free)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert worst("disk")[0] == state and asked == [tmp_path]


@pytest.mark.parametrize(("seconds", "state"), [(0, "OK"), (-5, "WARN"), (100, "FAIL")])
def test_clock(world, monkeypatch, seconds, state):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(seconds=seconds)

    monkeypatch.setattr(doctor, "datetime", Clock)
    assert worst("clock")[0] == state


def test_settings(world, settings):
    settings.DEBUG = True
    assert worst("settings") == ("WARN", "DEBUG is on")
    settings.DEBUG = False
    settings.SECRET_KEY = "short"
    assert "security.W009" in {one.says.partition(":")[0] for one in findings("settings")}


def test_migrations(world):
    assert worst("migrations") == ("OK", "all are applied")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET name = '0099_later' WHERE app = 'tax' AND name LIKE '0002%'")
    missing, ahead = findings("migrations")
    assert missing == ("migrations", "FAIL", "1 are not applied, first tax.0002_rates_and_assessments", "run `migrate`")
    assert ahead.state == "WARN" and "such as tax.0099_later" in ahead.says


def test_inbox(world):
    world.capture(sale([line()]))
    assert worst("inbox")[0] == "OK"
    for age, state in ((5, "WARN"), (60, "FAIL")):
        Event.objects.update(received_at=timezone.now() - timedelta(minutes=age))
        found, says = worst("inbox")
        assert found == state and says.startswith(
            f"1 events are due, the oldest for {age} min; no event was ever posted"
        )
    world.process()
    assert worst("inbox")[1].startswith("nothing is due; an event was posted ")
    world.send(b"no json")
    assert worst("inbox") == ("WARN", "1 events are quarantined")


def test_outbox(world, settings):
    settings.BOOKKEEPER_URL = "https://books.example"
    world.send(sale([line()]))
    assert worst("outbox")[0] == "OK"
    Delivery.objects.update(state="refused", error="no")
    assert worst("outbox") == ("WARN", "Bookkeeper refuses 1 entries")
    settings.BOOKKEEPER_URL = ""
    assert "entries wait: BOOKKEEPER_URL is not set" in worst("outbox")[1]


def test_seals(world):
    audit.record([(None, "test", "did", "thing", None, {})])
    state, says = worst("seals")
    assert state == "OK" and says.startswith("1 audit rows") and says.endswith("not sealed; none was ever made")
    AuditRow.objects.create(
        pk=0, actor="test", action="did", object_type="thing", at=timezone.now() - timedelta(hours=2)
    )
    assert worst("seals")[0] == "WARN"


def test_seals_lag(world, monkeypatch):
    for hours, rows, state in ((0, 5, "OK"), (2, 0, "OK"), (2, 5, "WARN")):
        sealed_at = datetime.now(UTC) - timedelta(hours=hours)
        monkeypatch.setattr(sealing, "backlog", lambda rows=rows, at=sealed_at: sealing.Backlog(rows, 0, at))
        assert worst("seals")[0] == state
    assert Seal.objects.count() == 0


def test_channels_and_keys(world, settings):
    world.till.credentials = {"secrets": ["hush"]}
    world.till.save()
    assert worst("keys") == ("OK", "1 secrets need the newest key")
    settings.FIELD_ENCRYPTION_KEYS = [key(), *settings.FIELD_ENCRYPTION_KEYS]
    assert worst("keys") == ("WARN", "1 secrets still need a key that is not the newest")
    call_command("rotate_keys")
    assert worst("keys")[1].endswith("the others are needed for older backups only")
    assert worst("channels") == ("OK", "2 of 2 are live")
    Channel.objects.filter(pk=world.till.pk).update(sealed_credentials=b"x" * 40)
    Channel.objects.filter(pk=world.shop.pk).update(status="paused")
    assert worst("keys")[0] == "FAIL"
    state, says = worst("channels")
    assert state == "FAIL" and says.startswith(f"{world.till.slug} is broken. CREDENTIALS_UNREADABLE")
    assert [one.state for one in findings("channels") if world.shop.slug in one.says] == ["OK"]  # a person wants it so


def test_a_check_that_breaks_stops_no_other(world, monkeypatch):
    monkeypatch.setattr(doctor.coverage, "stands", lambda channels: 1 / 0)
    assert worst("channels") == ("FAIL", "this could not be looked at (ZeroDivisionError: division by zero)")
    assert findings("keys")


def test_the_command(world, monkeypatch, capsys, settings):
    settings.DEBUG = True
    call_command("doctor")
    said = capsys.readouterr().out
    assert "OK    database    PostgreSQL " in said
    assert "WARN  settings    DEBUG is on\n                  → this is for development" in said
    call_command("doctor", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True and {one["check"] for one in told["findings"]} == CHECKS - {"vendors"}
    assert set(told["findings"][0]) == {"check", "state", "says", "do"}
    monkeypatch.setattr(doctor, "CLOCK_WRONG", -1.0)
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--json")
    assert ended.value.code == 1 and json.loads(capsys.readouterr().out)["ok"] is False
