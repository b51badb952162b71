"""What every test can ask for."""

from pathlib import Path

import pytest

from tests import databases
from tests.databases import committed_db, django_db_modify_db_settings, servers, template, valkey

__all__ = ["committed_db", "django_db_modify_db_settings", "servers", "template", "valkey"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies in tests/e2e needs a browser, and says so by its place."""
    for item in items:
        if "e2e" in Path(item.path).parts:
            item.add_marker(pytest.mark.e2e)


def pytest_unconfigure() -> None:
    databases.stop_servers()
