"""Heads of the chain of seals, kept outside the database: what a chain alone can't show is that its end was cut off or all of it
was written anew.

A line for each seal in AUDIT_ANCHOR_DIR, a file a month, only ever appended to: `number hash of first last rows sealed_at`. Each host
that seals keeps its own, and makes up for what other hosts sealed. The newest head may also be sent to AUDIT_ANCHOR_URL. Neither keeps
a seal from being made.
"""

import json
import logging
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from salessync.core import http, seals
from salessync.core.models import Seal

logger = logging.getLogger(__name__)

_PAGE = 1000  # seals written between two fsyncs
_TAIL = 4096  # bytes, many lines long
_POST_SECONDS = 5.0


class Anchor(NamedTuple):
    """One line; `where` is its file and line number."""

    number: int
    hash: bytes
    of: str
    first: int
    last: int
    rows: int
    sealed_at: str
    where: str


class Unreadable(NamedTuple):
    """A line that says nothing."""

    where: str


def catch_up() -> None:
    """Anchor every seal that is not yet; the caller holds seals.LOCK. What goes wrong is logged."""
    try:
        _catch_up()
    except OSError as error:
        logger.error("seals could not be anchored in %s: %s", settings.AUDIT_ANCHOR_DIR, error)


def _catch_up() -> None:
    folder = Path(settings.AUDIT_ANCHOR_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    newest = _newest(folder)
    number, _ = seals.head()
    if newest and not Seal.objects.filter(number=newest.number, hash=newest.hash).exists():
        logger.error(
            "the chain of seals, now at %d, does not hold what was anchored as number %d: run verify_audit",
            number, newest.number,
        )  # fmt: skip
    after = newest.number if newest else 0
    while page := list(Seal.objects.filter(number__gt=after).defer("keys", "digests").order_by("number")[:_PAGE]):
        for month, made in groupby(page, lambda seal: f"{seal.sealed_at:%Y-%m}"):
            _append(folder / f"seals-{month}.txt", "".join(_line(seal) for seal in made))
        after = page[-1].number
        logger.info("sealed up to number %d, hash %s", after, bytes(page[-1].hash).hex())


def post_head() -> None:
    """Send the newest head to AUDIT_ANCHOR_URL, where that is set; a failure is logged, and the next head stands for this one too."""
    if settings.AUDIT_ANCHOR_URL:
        number, hash_ = seals.head()
        try:
            body = json.dumps({"number": number, "hash": hash_.hex()}).encode()
            http.post_json(url=settings.AUDIT_ANCHOR_URL, body=body, timeout=_POST_SECONDS)
        except http.UnableToReach as error:
            logger.warning("the head of the seals was not taken: %s", error)


def read() -> Iterator[Anchor | Unreadable]:
    """Every anchor, in the order of the files. A line that a crash cut off is passed over: it was then written again."""
    for path in sorted(Path(settings.AUDIT_ANCHOR_DIR).glob("seals-*.txt")):
        cut: tuple[str, str] | None = None
        with path.open(encoding="utf-8", errors="replace") as lines:
            for count, line in enumerate(lines, 1):
                where = f"{path.name} line {count}"
                if cut and not line.startswith(cut[0]):
                    yield Unreadable(cut[1])
                anchor = _parsed(line, where)
                cut = None if anchor else (line.rstrip("\n"), where)
                if anchor:
                    yield anchor
        if cut:
            yield Unreadable(cut[1])


def _line(seal: Seal) -> str:
    at = seals.moment(seal.sealed_at)
    return f"{seal.number} {bytes(seal.hash).hex()} {seal.of} {seal.first} {seal.last} {seal.rows} {at}\n"


def _parsed(line: str, where: str) -> Anchor | None:
    try:
        number, hash_, of, first, last, rows, at = line.split()
        anchor = Anchor(int(number), bytes.fromhex(hash_), of, int(first), int(last), int(rows), at, where)
    except ValueError:
        return None
    return anchor if line.endswith("Z\n") and len(anchor.hash) == seals.SIZE else None


def _newest(folder: Path) -> Anchor | None:
    """The last anchor that can be read."""
    for path in sorted(folder.glob("seals-*.txt"), reverse=True):
        with path.open("rb") as file:
            skipped = max(path.stat().st_size - _TAIL, 0)
            file.seek(skipped)
            lines = file.read().decode("utf-8", "replace").splitlines(keepends=True)
        for line in reversed(lines[1:] if skipped else lines):
            if anchor := _parsed(line, path.name):
                return anchor
    return None


def _append(path: Path, text: str) -> None:
    """Durable when it returns; on a line of its own, whatever a crash left behind."""
    new = not path.exists()
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                text = "\n" + text
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    if new:  # the name of a new file is durable with its folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
