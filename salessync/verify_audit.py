"""Holds the chain of seals against what is stored, from the first seal to the head, and names what does not fit.

Every row is hashed again and compared with its seal; every seal with its own hash, with the seal before, and with what was anchored
outside the database; every record with its digest. Reads only, some thousands of rows at a time.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from django.db import connection
from django.db.models import Max, Min, Sum

from channels.models import TransactionVersion
from ledger import seals as journals
from ledger.models import Detail
from salessync import sealing
from salessync.core import anchors, seals
from salessync.core.anchors import Anchor
from salessync.core.audit import AuditTrail
from salessync.core.models import Seal
from salessync.core.seals import Row, Trail

LISTED = 1000  # violations; all are counted
_SEALS = 50  # read at a time
_ROWS = 10_000  # compared at a time, or one seal's
_IDS = 5000  # record versions hashed at a time
_ANCHORS = 1000  # compared at a time
_MOVED = 200  # rows of one comparison that are looked for elsewhere

Progress = Callable[[str, int], None]


class Violation(NamedTuple):
    """`row` is what a person calls it; `what` is wrong with it."""

    table: str
    row: str
    what: str


class Report(NamedTuple):
    """`violations` lists the first LISTED of `violated`.

    `unsealed`: audit rows and journal entries; `waiting`: details of the sub-ledger, which are sealed with the summary that takes
    them in; `rewritten`: bodies that were purged, or had a person taken out, since they were sealed; `anchored`: heads that were
    found outside the database.
    """

    violations: list[Violation]
    violated: int
    sealed: int
    unsealed: int
    waiting: int
    rewritten: int
    anchored: int
    head: tuple[int, bytes]


def verify_audit(*, since: int = 0, progress: Progress = lambda what, done: None) -> Report:
    """All seals, or with `since` those after that number, which is taken as given; then records are not hashed again.

    LookupError where there is no such seal.
    """
    check = _Check(since, progress)
    check.chain()
    check.anchors()
    if not since:
        check.records()
    return check.report()


class _Check:
    def __init__(self, since: int, progress: Progress) -> None:
        self.since = since
        self.progress = progress
        self.head = seals.head()
        self.found: dict[Violation, None] = {}  # in order, each once
        self.violated = self.compared = self.anchored = 0
        self.rewritten: set[str] = set()
        self.after: dict[str, int] = {}  # trail → the number up to which it was compared
        self.gap = False  # seals are missing: what they held is not to be called slipped in
        if since:
            before = Seal.objects.filter(number__lte=since).order_by().values_list("of").annotate(last=Max("last"))
            self.after = dict(before)

    def report(self) -> Report:
        behind = sealing.backlog()
        held = Seal.objects.filter(number__lte=self.head[0]).aggregate(rows=Sum("rows"))["rows"]
        waiting = Detail.objects.filter(entry__isnull=True).count()
        return Report(
            list(self.found), self.violated, held or 0, behind.audit_rows + behind.entries, waiting, len(self.rewritten),
            self.anchored, self.head,
        )  # fmt: skip

    def say(self, table: str, row: str, what: str) -> None:
        violation = Violation(table, row, what)
        if violation not in self.found:  # an event stands under each entry that it led to
            self.violated += 1
            if self.violated <= LISTED:
                self.found[violation] = None

    # --- the seals

    def chain(self) -> None:
        number, previous = self.since, self._hash_of(self.since)
        waiting: list[Seal] = []
        for seal in self._seals():
            if seal.number > number + 1:
                self.say("core_seal", _range(number + 1, seal.number - 1), "is missing")
                self._compare(waiting)
                waiting, self.after, self.gap = [], {}, True
            elif bytes(seal.previous) != previous:
                self.say(
                    "core_seal", str(seal.number), f"does not follow seal {number}: the hash that it names is another"
                )
            self._look_at(seal)
            number, previous = seal.number, bytes(seal.hash)
            waiting.append(seal)
            if sum(one.rows for one in waiting) >= _ROWS:
                self._compare(waiting)
                waiting = []
        self._compare(waiting)

    def _hash_of(self, number: int) -> bytes:
        if not number:
            return seals.GENESIS
        found = Seal.objects.filter(number=number).values_list("hash", flat=True).first()
        if found is None:
            raise LookupError(f"there is no seal with the number {number}")
        return bytes(found)

    def _seals(self) -> Iterator[Seal]:
        at = self.since
        while page := list(Seal.objects.filter(number__gt=at, number__lte=self.head[0]).order_by("number")[:_SEALS]):
            yield from page
            at = page[-1].number

    def _look_at(self, seal: Seal) -> None:
        if seals.hash_of(seal) != bytes(seal.hash):
            self.say("core_seal", str(seal.number), "was changed: its hash is not that of its words")
        if seals.contents_of(seals.pairs(seal)) != bytes(seal.contents):
            held = _held(seal.of, seal.first, seal.last)
            self.say(
                "core_seal", str(seal.number), f"was changed: the digests are not those that it was made of ({held})"
            )

    # --- the rows under them

    def _compare(self, sealed: Iterable[Seal]) -> None:
        by_trail: dict[str, list[Seal]] = defaultdict(list)
        for seal in sealed:
            by_trail[seal.of].append(seal)
        for of, those in by_trail.items():
            trail = _trail(of)
            if trail is None:
                self.say("core_seal", str(those[0].number), f"is of {of!r}, which is nothing that is sealed")
                continue
            after = self.after.get(of, those[0].first - 1 if self.gap else seals.START)
            self.after[of] = those[-1].last
            expected = {key: digest for seal in those for key, digest in seals.pairs(seal)}
            self._rows(trail, expected, trail.rows(after, those[-1].last))
            self.compared += len(expected)
            self.progress("sealed rows", self.compared)

    def _rows(self, trail: Trail, expected: dict[str, bytes], rows: list[Row]) -> None:
        there = {row.key: row for row in rows}
        changed = [key for key, digest in expected.items() if key in there and there[key].digest != digest]
        missing = [key for key in expected if key not in there]
        inserted = [key for key in there if key not in expected]
        if not (changed or missing or inserted):
            return
        rewritten = journals.rewritten_bodies(changed)
        self.rewritten |= rewritten
        moved = _moved(trail, [there[key] for key in [*changed, *inserted]], expected, [*changed, *missing])
        follow = journals.consequences(changed, missing, inserted)
        for keys, what in (
            (changed, "was changed since it was sealed"),
            (missing, "was sealed and is missing"),
            (inserted, "was slipped in among what is sealed"),
        ):
            for key in keys:
                if key not in rewritten and key not in follow:
                    told = f"{what}: it holds what {trail.name(moved[key])[1]} held" if key in moved else what
                    self.say(*trail.name(key), told)

    # --- what was anchored, and the records

    def anchors(self) -> None:
        found = anchors.read()
        while page := list(islice(found, _ANCHORS)):
            for line in page:
                if not isinstance(line, Anchor):
                    self.say("anchors", line.where, "cannot be read")
            lines = [line for line in page if isinstance(line, Anchor) and line.number > self.since]
            there = dict(Seal.objects.filter(number__in={line.number for line in lines}).values_list("number", "hash"))
            for line in lines:
                held = _held(line.of, line.first, line.last)
                if line.number not in there:
                    self.say(
                        "core_seal", str(line.number), f"was anchored ({line.where}) and is missing: it held {held}"
                    )
                elif bytes(there[line.number]) != line.hash:
                    self.say(
                        "core_seal",
                        str(line.number),
                        f"is not the one that was anchored ({line.where}), which held {held}",
                    )
            self.anchored += len(lines)
            self.progress("anchors", self.anchored)

    def records(self) -> None:
        """Every record against its digest; those too that no entry was made from, and so no seal holds."""
        ends = TransactionVersion.objects.aggregate(first=Min("id"), last=Max("id"))
        if ends["last"] is None:
            return
        for at in range(ends["first"] - 1, ends["last"], _IDS):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT id FROM channels_transactionversion WHERE id > %s AND id <= %s"
                    " AND sha256(record) <> COALESCE(redacted_digest, digest) ORDER BY id",
                    [at, at + _IDS],
                )
                for (id_,) in cursor.fetchall():
                    self.say("channels_transactionversion", f"version {id_}", "its record is not what its digest says")
            self.progress("record versions", min(at + _IDS, ends["last"]) - ends["first"] + 1)


def _trail(of: str) -> Trail | None:
    if of == AuditTrail.of:
        return AuditTrail()
    company = of.removeprefix(journals.PREFIX)
    return journals.JournalTrail(int(company)) if of != company and company.isdecimal() else None


def _moved(trail: Trail, rows: list[Row], expected: dict[str, bytes], lost: list[str]) -> dict[str, str]:
    """Of rows that are not what was sealed under their names: name → the other name under which just this was sealed."""
    found = {}
    texts: dict[int, dict[str, bytes]] = {}
    for row in rows[:_MOVED]:
        if row.number not in texts:
            texts[row.number] = trail.texts(row.number)
        rest = texts[row.number].get(row.key, b"").removeprefix(seals.named(row.key))
        for key in lost[:_MOVED]:
            if key != row.key and rest and seals.sha256(seals.named(key) + rest) == expected[key]:
                found[row.key] = key
    return found


def _held(of: str, first: int, last: int) -> str:
    what = "audit rows" if of == AuditTrail.of else f"entries of company {of.removeprefix(journals.PREFIX)}"
    return f"{what} {_range(first, last)}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"
