"""The evidence pack: one archive with the journal of a period, what it was made of, and the seals that fix it.

Holds sealed rows only, so that it can be checked without us (verify.py, which lies in the archive). Streams: neither a file nor the
archive is ever in memory. The same books and seals give the same bytes.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection, transaction

from ledger import evidence, reports
from ledger.evidence import Stretch
from ledger.models import Account, PeriodChange
from ledger.seals import PARTS, JournalTrail
from salessync.core import audit, seals
from salessync.core.audit import AuditTrail
from salessync.core.models import Company, Seal

FORMAT = "salessync-evidence 1"
_HERE = Path(__file__).parent
_IDS = 1000  # audit rows read at a time
_HEADER = ("number", "of", "first", "last", "rows", "contents", "previous", "hash", "sealed_at")

Progress = Callable[[str, int], None]


class UnableToPack(Exception):
    """The message says why, for a person."""


class Packed(NamedTuple):
    """`lines`: of each file; `sha256`: of the archive."""

    sha256: str
    lines: dict[str, int]


def write(
    *,
    company: Company,
    first: date,
    last: date,
    path: Path,
    actor: str,
    with_payloads: bool = False,
    progress: Progress = lambda name, lines: None,
) -> Packed:
    """Write the archive of the entries booked from `first` to `last`; that it was made, with its SHA-256, is an audit row.

    UnableToPack where nothing of the company is sealed yet. OSError where the file cannot be written.
    """
    through = seals.last_sealed(JournalTrail(company.pk).of)
    if through == seals.START:
        raise UnableToPack(f"nothing in the journal of {company.slug} is sealed yet: see the command seal")
    stretch = Stretch(company.pk, first, last, through)
    unfinished = path.with_name(path.name + ".part")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")  # a long journal takes long to read
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
            pack = _Pack(archive, progress)
            pack.fill(company, stretch, with_payloads=with_payloads)
    with unfinished.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    unfinished.replace(path)
    told = {"from": first.isoformat(), "to": last.isoformat(), "sha256": sha256, "payloads": with_payloads}
    audit.record([(company.pk, actor, "exported", "evidence", None, told)])
    return Packed(sha256, pack.lines)


class _Pack:
    def __init__(self, archive: zipfile.ZipFile, progress: Progress) -> None:
        self.archive = archive
        self.progress = progress
        self.sums: dict[str, dict[str, Any]] = {}
        self.lines: dict[str, int] = {}

    def fill(self, company: Company, stretch: Stretch, *, with_payloads: bool) -> None:
        self._copy("README.txt")
        self._copy("verify.py")
        self._books(company, stretch)
        journal, trail = _Covering(JournalTrail(company.pk).of), _Covering(AuditTrail.of)
        for part in PARTS:
            self._add(f"{part}.jsonl", journal.texts(evidence.rows(stretch, part)))
        self._add("records.jsonl", (_record(*row) for row in evidence.records(stretch)))
        if with_payloads:
            self._add("payloads.jsonl", (_payload(*row) for row in evidence.payloads(stretch)))
        audited = seals.last_sealed(AuditTrail.of)
        self._add("audit.jsonl", trail.texts(_audit(evidence.audit_ids(stretch, audited))))
        head = self._seals(journal.seals, trail.seals)
        manifest = _manifest(company, stretch, with_payloads, head) | {"files": self.sums}
        self._write("MANIFEST.json", [json.dumps(manifest, ensure_ascii=False, indent=1).encode()])

    def _books(self, company: Company, stretch: Stretch) -> None:
        accounts = Account.objects.filter(company=company).order_by("code")
        self._add("accounts.jsonl", (_json(row) for row in accounts.values("code", "name", "kind")))
        changes = PeriodChange.objects.filter(company=company).order_by("id")
        names = ("id", "action", "closed_through", "before", "actor", "reason", "at")
        self._add("period_changes.jsonl", (_json(row) for row in changes.values(*names)))
        for name, day in (("before", stretch.first - timedelta(days=1)), ("after", stretch.last)):
            rows = reports.trial_balance(company=company, as_of=day, through=stretch.through)
            self._add(f"trial_balance_{name}.jsonl", (_json(row._asdict()) for row in rows))

    def _seals(self, journal: list[int], trail: list[int]) -> dict[str, Any]:
        """What covers the rows; the newest of it, by which all is fixed."""
        numbers = [*journal, *trail]
        run = Seal.objects.filter(number__gte=min(numbers, default=0), number__lte=max(numbers, default=-1)).defer(
            "keys", "digests"
        )
        self._add("seals.jsonl", (_json(_header(seal)) for seal in run.order_by("number").iterator(500)))
        self._add("sealed_journal.jsonl", _sealed(journal))
        self._add("sealed_audit.jsonl", _sealed(trail))
        head = run.order_by("-number").first()
        return (
            {"number": head.number, "hash": bytes(head.hash).hex()}
            if head
            else {"number": 0, "hash": seals.GENESIS.hex()}
        )

    def _copy(self, name: str) -> None:
        self._add(name, (_HERE / name).read_bytes().splitlines())

    def _add(self, name: str, lines: Iterable[bytes]) -> None:
        """A file, named in the manifest by its SHA-256."""
        self.sums[name] = self._write(name, lines)
        self.lines[name] = self.sums[name]["lines"]
        self.progress(name, self.lines[name])

    def _write(self, name: str, lines: Iterable[bytes]) -> dict[str, Any]:
        digest, count = hashlib.sha256(), 0
        info = zipfile.ZipInfo(name)  # dated 1980, so that the same books give the same bytes
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        with self.archive.open(info, "w", force_zip64=True) as out:
            for line in lines:
                out.write(line + b"\n")
                digest.update(line + b"\n")
                count += 1
        return {"sha256": digest.hexdigest(), "lines": count}


def _manifest(company: Company, stretch: Stretch, with_payloads: bool, head: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "company": {
            "id": company.pk,
            "slug": company.slug,
            "name": company.name,
            "base_currency": company.base_currency,
        },
        "from": stretch.first.isoformat(),
        "to": stretch.last.isoformat(),
        "through_entry": stretch.through,
        "payloads": with_payloads,
        "head": head,
    }


class _Covering:
    """The seals of a trail that hold the rows that pass through, in the order of their numbers."""

    def __init__(self, of: str) -> None:
        self.of = of
        self.seals: list[int] = []
        self.last = seals.START

    def texts(self, rows: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
        for number, text in rows:
            if number > self.last:
                those = Seal.objects.filter(of=self.of, last__gte=number).order_by("last").values_list("number", "last")
                seal, self.last = those[0]
                self.seals.append(seal)
            yield text


def _audit(ids: Iterator[int]) -> Iterator[tuple[int, bytes]]:
    while page := list(islice(ids, _IDS)):
        yield from audit.texts_of(page)


def _record(row: str, redacted: str | None, record: bytes) -> bytes:
    """The record's own bytes, so that their SHA-256 can be taken from the line."""
    return b'{"row":%s,"redacted_digest":%s,"record":%s}' % (_json(row), _json(redacted), bytes(record))


def _payload(row: str, why: str | None, body: bytes) -> bytes:
    text = bytes(body)
    try:
        held = {"body": text.decode()}
    except UnicodeDecodeError:
        held = {"body_hex": text.hex()}
    return _json({"row": row, "changed_by": why} | held)


def _header(seal: Seal) -> dict[str, Any]:
    told = {name: getattr(seal, name) for name in _HEADER}
    told |= {name: bytes(told[name]).hex() for name in ("contents", "previous", "hash")}
    return told | {"sealed_at": seals.moment(seal.sealed_at)}


def _sealed(numbers: list[int]) -> Iterator[bytes]:
    for number in numbers:
        for key, digest in seals.pairs(Seal.objects.get(number=number)):
            yield b'{"seal":%d,"row":"%s","digest":"%s"}' % (number, key.encode(), digest.hex().encode())


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=lambda at: at.isoformat()).encode()
