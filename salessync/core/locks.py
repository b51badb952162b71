"""Locks: of sales, which end with the transaction, and of work that only one process may do."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection

from salessync.core import bulk

BUCKETS = 1 << 15  # few enough for the lock table of a big batch, many enough that strangers seldom meet


def lock_families(keys: Iterable[str]) -> None:
    """Serialize whoever works on the same sale: its family's key, and what may link others to it; in one order for everybody."""
    buckets = sorted({int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % BUCKETS for key in keys})
    with bulk.binary_cursor() as cursor:
        cursor.execute("SELECT count(pg_advisory_xact_lock(7201, b)) FROM unnest(%s::int[]) b", [buckets])


@contextmanager
def alone(kind: int, key: int) -> Iterator[bool]:
    """Whether nobody else does this work; nobody else will until the end, however this process dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, key])
        (alone,) = cursor.fetchone()
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [kind, key])
