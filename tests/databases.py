"""Servers and databases of a test run: started when first needed, stopped whatever happens.

`db` (pytest-django) rolls back after each test. `committed_db` is for tests that commit: a database of their own, since
the tables that only grow refuse the TRUNCATE with which Django would empty them.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from salessync.core import addresses, embedded


def stop_servers() -> None:
    """At the end of the run, a failed or interrupted one too."""
    embedded.leave(settings.DATA_DIR)
    if embedded.in_use(settings.DATA_DIR):  # we are a process that a test started
        return
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


@pytest.fixture(scope="session")
def template(servers: embedded.Addresses, django_db_blocker: pytest.FixtureRequest) -> str:
    """A migrated database without rows, never connected to afterwards."""
    administer('CREATE DATABASE "template_migrated"')
    with django_db_blocker.unblock(), connected_to("template_migrated"):
        call_command("migrate", verbosity=0)
    return "template_migrated"


@pytest.fixture
def committed_db(template: str, django_db_blocker: pytest.FixtureRequest) -> Iterator[str]:
    """A copy of the migrated database for one test, with Django's connection switched to it; gives its address.

    Threads and processes may connect to it too. Not together with `db`.
    """
    copy = f"copy_{next(_copies)}"
    administer(f'CREATE DATABASE "{copy}" TEMPLATE "{template}"')
    try:
        with django_db_blocker.unblock(), connected_to(copy):
            yield addresses.owner_url(settings.DATA_DIR, copy)
    finally:
        administer(f'DROP DATABASE "{copy}" WITH (FORCE)')


@contextmanager
def connected_to(name: str) -> Iterator[None]:
    """Django's connection goes to that database meanwhile."""
    connection = connections["default"]
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


@contextmanager
def as_role(role: str) -> Iterator[None]:
    """Django's connection is that role's meanwhile; of a database whose rows are committed."""
    connection = connections["default"]
    before = connection.settings_dict["USER"]
    connection.close()
    connection.settings_dict["USER"] = role
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["USER"] = before


def administer(statement: str) -> None:
    with psycopg.connect(addresses.owner_url(settings.DATA_DIR, "postgres"), autocommit=True) as connection:
        connection.execute(statement)
