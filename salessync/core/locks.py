"""Locks that end with the transaction."""

import hashlib
from collections.abc import Iterable

from salessync.core import bulk

BUCKETS = 1 << 15  # few enough for the lock table of a big batch, many enough that strangers seldom meet


def lock_families(keys: Iterable[tuple[int, str]]) -> None:
    """Serialize whoever works on the same sale: (channel id, source id of the sale), taken in one order by everybody."""
    buckets = sorted(
        {int.from_bytes(hashlib.blake2b(f"{c}:{s}".encode(), digest_size=8).digest()) % BUCKETS for c, s in keys}
    )
    with bulk.binary_cursor() as cursor:
        cursor.execute("SELECT count(pg_advisory_xact_lock(7201, b)) FROM unnest(%s::int[]) b", [buckets])
