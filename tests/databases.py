"""Servers and databases of a test run: started when first needed, stopped whatever happens.

`db` (pytest-django) rolls back after each test. `committed_db` is for tests that commit: a database of their own, since
the tables that only grow refuse the TRUNCATE with which Django would empty them.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connections

from salessync.core import addresses, embedded


def stop_servers() -> None:
    """At the end of the run, a failed or interrupted one too."""
    embedded.leave(settings.DATA_DIR)
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)
    shutil.rmtree(addresses.socket_dir(settings.DATA_DIR), ignore_errors=True)


def stop_servers_of_killed_runs() -> None:
    """A run that was killed leaves its servers; nobody holds their lock."""
    for folder in Path(tempfile.gettempdir()).glob("salessync-tests-*"):
        if folder != settings.DATA_DIR and (folder / "users.lock").exists() and not embedded.in_use(folder):
            embedded.stop(folder)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> embedded.Addresses:
    """PostgreSQL and Valkey of this test run."""
    stop_servers_of_killed_runs()
    return embedded.start(settings.DATA_DIR)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: embedded.Addresses) -> None:
    """pytest-django asks for this before it makes the test database."""


@pytest.fixture
def valkey(servers: embedded.Addresses) -> str:
    """The address of a running Valkey."""
    return servers.redis_url


_copies = iter(range(1, 1 << 30))


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[str]:
    """A copy of the migrated database for one test, with Django's connection switched to it; gives its address.

    Threads and processes may connect to it too. Not together with `db`.
    """
    connection = connections["default"]
    template, copy = connection.settings_dict["NAME"], f"copy_{next(_copies)}"
    with django_db_blocker.unblock():
        connection.close()  # a template must have no connections
        administer(f'CREATE DATABASE "{copy}" TEMPLATE "{template}"')
        connection.settings_dict["NAME"] = copy
        try:
            yield addresses.database_url(settings.DATA_DIR, copy)
        finally:
            connection.close()
            connection.settings_dict["NAME"] = template
            administer(f'DROP DATABASE "{copy}" WITH (FORCE)')


def administer(statement: str) -> None:
    with psycopg.connect(
        addresses.database_url(settings.DATA_DIR, "postgres"), autocommit=True
    ) as connection:
        connection.execute(statement)
