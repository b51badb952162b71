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


def lock_payouts(company_ids: Iterable[int], *, exclusive: bool) -> None:
    """Who stores payouts works alone in the company, everybody else together: what a payout pays cannot come in between.

    To be taken before any family's lock.
    """
    function = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    with bulk.binary_cursor() as cursor:
        cursor.execute(f"SELECT count({function}(7203, b)) FROM unnest(%s::int[]) b", [sorted(set(company_ids))])  # noqa: S608


@contextmanager
def alone(kind: int, key: int, *, wait: bool = False) -> Iterator[bool]:
    """Whether nobody else does this work; nobody else will until the end, however this process dies. `wait`: until it is so."""
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [kind, key])
            alone = True
        else:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, key])
            (alone,) = cursor.fetchone()
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [kind, key])
