import pytest
from django.db import transaction

from salessync.core import nudge
from tests.api.program import Program
from tests.worlds import World


@pytest.fixture(scope="module")
def scene(django_db_setup, django_db_blocker):
    """Made once, and no broker is asked: each test's own transaction lies inside the scene's, and leaves it as it was."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch, transaction.atomic():
        patch.setattr(nudge, "nudge", lambda task: False)
        yield World()
        transaction.set_rollback(True)


@pytest.fixture
def world(scene, db):
    return scene


@pytest.fixture
def program(world):
    """Of the world's company, with all scopes."""
    return Program(world.company)
