"""What the fixtures promise: a database of one's own for tests that commit, nothing left of it afterwards."""

import psycopg
import redis
from django.conf import settings
from django.db import connection, transaction

from channels.models import Channel
from salessync.core.models import Company
from tests import databases


def make_company() -> Company:
    return Company.objects.create(slug="kept", name="Kept", base_currency="USD")


def test_committed_rows_are_seen_by_others(committed_db: str) -> None:
    with transaction.atomic():
        make_company()
    with psycopg.connect(committed_db) as other:
        assert other.execute("SELECT slug FROM core_company").fetchall() == [("kept",)]


def test_the_next_test_begins_empty(committed_db: str) -> None:
    assert not Company.objects.exists()
    assert not Channel.objects.exists()
    make_company()


def test_rolled_back_ones_too(db: None) -> None:
    assert not Company.objects.exists()
    assert connection.settings_dict["NAME"] == "test_salessync"


def test_copies_are_dropped(db: None) -> None:
    with psycopg.connect(databases.addresses.database_url(settings.DATA_DIR, "postgres")) as other:
        copies = other.execute("SELECT datname FROM pg_database WHERE datname LIKE 'copy_%'").fetchall()
    assert copies == []


def test_valkey_answers(valkey: str) -> None:
    client = redis.Redis.from_url(valkey.replace("redis+socket", "unix"))
    assert client.config_get("appendonly", "maxmemory-policy") == {
        "appendonly": "yes",
        "maxmemory-policy": "noeviction",
    }
