"""The scene that the tests of the pages play in, and people who look at it."""

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from salessync.core import nudge
from tests.admin.scenes import Day, people


@pytest.fixture(scope="module")
def prepare():
    """What a module adds to its scene."""
    return lambda day: None


@pytest.fixture(scope="module")
def scene(django_db_setup, django_db_blocker, prepare):
    """The day and its people, made once a module: each test's own transaction lies inside the scene's, and leaves it as it was."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch, transaction.atomic():
        patch.setattr(nudge, "nudge", lambda task: False)
        cache.clear()
        day = Day()
        prepare(day)
        yield day, people()
        transaction.set_rollback(True)
    cache.clear()


@pytest.fixture
def world(scene, db, monkeypatch):
    """The scene's company, and no broker is asked."""
    cache.clear()
    monkeypatch.setattr(nudge, "nudge", lambda task: False)
    return scene[0].world


@pytest.fixture
def as_(scene, world):
    """A client that is logged in as one of the roles."""

    def client(role: str) -> Client:
        found = Client()
        found.force_login(scene[1][role])
        return found

    return client
