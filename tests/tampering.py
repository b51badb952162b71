"""What somebody with all rights in the database could do to it: the triggers do not fire meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from salessync import verify_audit


@contextmanager
def superuser() -> Iterator[Any]:
    """A cursor to which nothing is refused."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"
        )  # what was written before was sound
        cursor.execute("SET session_replication_role = replica")
        yield cursor
        cursor.execute("SET session_replication_role = origin")


def tamper(statement: str, *parameters: object) -> None:
    """It must hit a row, else the test would show nothing."""
    with superuser() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount


def found(**options: int) -> list[tuple[str, str, str]]:
    """What verify_audit says: (table, row, what)."""
    report = verify_audit.verify_audit(**options)
    assert report.violated == len(report.violations)
    return [tuple(violation) for violation in report.violations]
