"""What every test can ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from salessync import verify
from tests import databases
from tests.databases import committed_db, django_db_modify_db_settings, servers, template, valkey

__all__ = ["committed_db", "django_db_modify_db_settings", "servers", "template", "valkey"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies in tests/e2e needs a browser, and says so by its place."""
    for item in items:
        if "e2e" in Path(item.path).parts:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def laws_hold(db: None) -> Iterator[None]:
    """Whatever the test did, no law of the books is violated."""
    yield
    assert not [law for law in verify.verify_books() if law.violations]


def pytest_unconfigure() -> None:
    databases.stop_servers()
