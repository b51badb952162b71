"""The chain of seals over what only grows: audit rows (audit.py) and every company's journal (ledger/seals.py).

Off the hot path: a writer takes no lock and computes no hash for it. One sealer at a time takes the next rows of a trail that are
final, and fixes them by a row of its own: their names, the SHA-256 of each, and a hash over these and the hash of the seal before.
Whoever changes, removes or slips in a row has to change its seal and every later one, and the heads that were anchored outside
the database (anchors.py) then differ. The trails share one chain, so that one head stands for everything.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from django.utils import timezone

from salessync.core.models import Seal

LOCK = 7220  # pg_advisory_lock's class: one sealer at a time
START = -(1 << 63)  # before every number that a row can have
GENESIS = bytes(32)  # what the first seal follows
SIZE = 32  # bytes of a digest
ROWS = 2500  # under one seal, about

# SQL: an instant as it is sealed, whatever the session's zone
INSTANT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


class Row(NamedTuple):
    """A row as it is sealed: its place in the trail, its name, the SHA-256 of its text."""

    number: int
    key: str
    digest: bytes


class Trail(Protocol):
    """Rows in an order in which none is ever slipped in before one that is settled.

    A row's text is a line of JSON that begins with its name: `{"row":"17.2",…`. The database writes it, and the hash is computed
    here, so that the database is not asked to vouch for itself.
    """

    of: str

    def settled(self, after: int) -> int:
        """The last number that is final, with all before it; `after` where there is none beyond it."""

    def rows(self, after: int, through: int, limit: int | None = None) -> list[Row]:
        """The rows beyond `after`, up to `through`, in order; about `limit` of them, and whole numbers only."""

    def texts(self, number: int) -> dict[str, bytes]:
        """Name → text of the rows with this number; without those that are too long to be moved about."""

    def name(self, key: str) -> tuple[str, str]:
        """(table, row) as a person calls it."""


def sha256(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def seal(trail: Trail) -> Iterator[Seal]:
    """Seals over what is settled, one after the other, each committed as it comes. The caller holds LOCK."""
    after = last_sealed(trail.of)
    through = trail.settled(after)
    while after < through:
        rows = trail.rows(after, through, ROWS)
        if not rows:
            return
        made = _add(trail.of, rows)
        yield made
        after = made.last


def last_sealed(of: str) -> int:
    """The number up to which a trail is sealed; START where it is not."""
    last = Seal.objects.filter(of=of).order_by("-last").values_list("last", flat=True).first()
    return START if last is None else last


def head() -> tuple[int, bytes]:
    """(number, hash) of the newest seal; (0, GENESIS) before there is one."""
    found = Seal.objects.order_by("-number").values_list("number", "hash").first()
    return (found[0], bytes(found[1])) if found else (0, GENESIS)


def _add(of: str, rows: Sequence[Row]) -> Seal:
    number, previous = head()
    made = Seal(
        number=number + 1,
        of=of,
        first=rows[0].number,
        last=rows[-1].number,
        rows=len(rows),
        keys="\n".join(row.key for row in rows),
        digests=b"".join(row.digest for row in rows),
        previous=previous,
        sealed_at=timezone.now(),
    )
    made.contents = contents_of((row.key, row.digest) for row in rows)
    made.hash = hash_of(made)
    made.save(force_insert=True)
    return made


def pairs(seal: Seal) -> list[tuple[str, bytes]]:
    """(name, digest) of each row that the seal holds."""
    keys, digests = seal.keys.split("\n"), bytes(seal.digests)
    return [(key, digests[place * SIZE : place * SIZE + SIZE]) for place, key in enumerate(keys)]


def named(key: str) -> bytes:
    """What the text of the row with this name begins with."""
    return b'{"row":"%s",' % key.encode()


def contents_of(rows: Iterable[tuple[str, bytes]]) -> bytes:
    """SHA-256 of the names with their digests: a line `name digest` for each row."""
    return sha256("".join(f"{key} {digest.hex()}\n" for key, digest in rows).encode())


def hash_of(seal: Seal) -> bytes:
    """SHA-256 of the seal's own words, the hash of the seal before among them."""
    words = (
        "salessync-seal 1",
        f"number {seal.number}",
        f"of {seal.of}",
        f"first {seal.first}",
        f"last {seal.last}",
        f"rows {seal.rows}",
        f"contents {bytes(seal.contents).hex()}",
        f"previous {bytes(seal.previous).hex()}",
        f"sealed_at {moment(seal.sealed_at)}",
    )
    return sha256("".join(f"{word}\n" for word in words).encode())


def moment(at: datetime) -> str:
    """An instant as the seals write it: UTC, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
