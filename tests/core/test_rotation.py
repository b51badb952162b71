"""Secrets move to the newest key, every one of them, and an old key is dropped only when nothing needs it."""

import base64
import json
import os
import re
import threading
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, models, transaction

from channels.models import Channel
from salessync.core import crypto, rotation
from salessync.core.models import AuditRow
from tests.worlds import World

ROOT = Path(__file__).resolve().parents[2]


def key():
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


OLD, NEW, LOST = key(), key(), key()


@pytest.fixture
def world(db, settings):
    """A till sealed with the old key; the shop has no credentials."""
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    made = World()
    made.till.credentials = {"secrets": ["hush"]}
    made.till.save()
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    return made


def of_channels():
    return next(one for one in rotation.counts() if one.column == "channels_channel.sealed_credentials")


def command(capsys, *arguments):
    """(exit code, what was printed)"""
    capsys.readouterr()
    code = 0
    try:
        call_command("rotate_keys", *arguments)
    except SystemExit as ended:
        code = ended.code
    return code, capsys.readouterr().out


def test_the_old_key_is_no_longer_needed(world, settings):
    assert of_channels().by_key == [0, 1]
    assert rotation.rotate(actor="test") == 1
    assert of_channels().by_key == [1, 0]
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert Channel.objects.get(pk=world.till.pk).secrets == ["hush"]
    row = AuditRow.objects.get(action="sealed anew")
    assert (row.actor, row.object_type, row.object_id) == ("test", "channel", world.till.pk)
    assert "hush" not in json.dumps(row.data)


def test_again_it_changes_nothing(world):
    rotation.rotate(actor="test")
    before = Channel.objects.get(pk=world.till.pk).sealed_credentials
    assert rotation.rotate(actor="test") == 0
    assert Channel.objects.get(pk=world.till.pk).sealed_credentials == before


def test_the_empty_stay_empty(world):
    rotation.rotate(actor="test")
    assert bytes(Channel.objects.get(pk=world.shop.pk).sealed_credentials) == b""


def test_stopped_halfway_it_goes_on(world, monkeypatch, settings):
    monkeypatch.setattr(rotation, "STEP", 1)
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    world.shop.credentials = {"secrets": ["quiet"]}
    world.shop.save()
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    seal, sealed = crypto.seal, []

    def seal_once(value, *, bound_to):
        if sealed:
            raise KeyboardInterrupt
        sealed.append(bound_to)
        return seal(value, bound_to=bound_to)

    monkeypatch.setattr(crypto, "seal", seal_once)
    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(actor="test")
    monkeypatch.setattr(crypto, "seal", seal)
    assert of_channels().by_key == [1, 1]
    assert rotation.rotate(actor="test") == 1
    assert of_channels().by_key == [2, 0]


def test_what_does_not_open_again_is_not_written(world, monkeypatch):
    seal = crypto.seal
    monkeypatch.setattr(crypto, "seal", lambda value, *, bound_to: seal({"secrets": []}, bound_to=bound_to))
    with pytest.raises(RuntimeError, match="does not open again"), transaction.atomic():
        rotation.rotate(actor="test")
    assert Channel.objects.get(pk=world.till.pk).secrets == ["hush"]


def test_what_no_key_opens_is_named_and_left(world, settings, capsys):
    settings.FIELD_ENCRYPTION_KEYS = [NEW, LOST]
    before = bytes(Channel.objects.get(pk=world.till.pk).sealed_credentials)
    code, said = command(capsys)
    assert code == 1
    assert f"no key opens channels.channel:{world.till.slug}" in said and "others are needed" not in said
    assert bytes(Channel.objects.get(pk=world.till.pk).sealed_credentials) == before


def test_the_command_counts_and_rotates(world, capsys):
    code, said = command(capsys, "--check")
    assert code == 1 and "channels_channel.sealed_credentials: 0 by key 1, 1 by key 2\n" in said
    code, said = command(capsys, "--json")
    assert code == 0
    assert {**json.loads(said), "columns": 0} == {"rotated": 1, "old": 0, "unreadable": 0, "columns": 0}
    code, said = command(capsys, "--check")
    assert code == 0 and said.endswith("key 1 opens everything: the others are needed for older backups only\n")


def test_every_module_that_seals_is_found():
    """`crypto.seal` is called where a model has a column that rotation.columns() finds, and nowhere else."""
    found = {column.model.__module__ for column in rotation.columns()}
    sealing = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("salessync", "channels", "tax", "inventory", "ledger", "reconciliation")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\bcrypto\.seal\(", path.read_text())
    } - {"salessync.core.rotation"}
    assert "channels.models.channel" in sealing
    assert sealing == found
    for column in rotation.columns():
        assert callable(getattr(column.model, "_binding", None)), f"{column} does not say to what its values are bound"
        assert issubclass(column.model, models.Model)


@pytest.mark.usefixtures("committed_db")
def test_a_change_of_the_credentials_meanwhile_is_not_lost(settings, monkeypatch):
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    till = World().till
    till.credentials = {"secrets": ["first"]}
    till.save()
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    seal, changed = crypto.seal, threading.Event()

    def change():
        with transaction.atomic():
            row = Channel.objects.select_for_update(no_key=True).get(pk=till.pk)
            row.credentials = {"secrets": ["second"]}
            row.save(update_fields=["sealed_credentials"])
        changed.set()
        connection.close()

    def slowly(value, *, bound_to):
        if value == {"secrets": ["first"]}:
            monkeypatch.setattr(crypto, "seal", seal)
            threading.Thread(target=change).start()
            assert not changed.wait(0.3)  # it waits for the row
        return seal(value, bound_to=bound_to)

    monkeypatch.setattr(crypto, "seal", slowly)
    rotation.rotate(actor="test")
    assert changed.wait(5)
    assert Channel.objects.get(pk=till.pk).secrets == ["second"]
