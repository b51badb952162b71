"""Locks that end with the transaction."""

import hashlib
from collections.abc import Iterable

from salessync.core import bulk

BUCKETS = 1 << 15  # few enough for the lock table of a big batch, many enough that strangers seldom meet


def lock_families(keys: Iterable[str]) -> None:
    """Serialize whoever works on the same sale: its family's key, and what may link others to it; in one order for everybody."""
    buckets = sorted({int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % BUCKETS for key in keys})
    with bulk.binary_cursor() as cursor:
        cursor.execute("SELECT count(pg_advisory_xact_lock(7201, b)) FROM unnest(%s::int[]) b", [buckets])
