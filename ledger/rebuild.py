"""Recomputes the books from the stored record of each transaction's current version, and posts what they lack.

After an account rule has changed; or at any time, to see that nothing has: where the books are as they should be it posts nothing.
First the families of sales, then what settles them, payouts among it, whose targets follow from theirs. A piece at a time, each in a
database transaction of its own under the locks of the pipeline: it may run beside it, be interrupted anywhere, and go on after the
last piece. What is computed does not depend on what was posted, so the order of the pieces does not matter.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from channels import families
from channels.families import FamilyWork
from channels.models import Transaction
from ledger import account_rules, journal, settling, stored, targets
from ledger.journal import Entry, Standing
from ledger.mapping import Rules
from ledger.models import AccountRule, Rebuild
from ledger.targets import Target
from salessync.core import bulk, nudge
from salessync.core.locks import alone, lock_families, lock_payouts

FAMILIES = 500
SETTLEMENTS = 5  # while payouts are computed nobody else of the company may work
SETTLES = "settles:"  # in the mark where to go on: the families are through; a family's key begins with a digit
LOCK = 7204  # of one rebuild that was asked for
SAMPLES = 20
PROBLEMS = 20
REASON = 1000  # characters


class Scope(NamedTuple):
    """Whose books: a company's, or one channel's, or those of some business days (both among them).

    The day and the channel of its sale decide for a whole family. Payouts of any channel may pay its sales, and on any later day:
    they are always among it.
    """

    company_id: int
    channel_id: int | None = None
    first: date | None = None
    last: date | None = None


class Piece(NamedTuple):
    """What one step found. `after`: the mark where to go on."""

    after: str
    looked_at: int
    entries: list[Entry]
    stands: Standing
    problems: list[str]


def step(scope: Scope, after: str, *, rules: Mapping[int, Rules] | None = None, post: bool) -> Piece | None:
    """Compute the next piece and, if asked, post its differences; None when all is through.

    `rules` in place of the company's own: what would be. They are never posted by.
    """
    assert not (post and rules is not None)
    if not after.startswith(SETTLES):
        with transaction.atomic():
            keys = _families(scope, after)
            if keys:
                return _compute_families(scope, keys, rules, post)
        after = f"{SETTLES}0"
    with transaction.atomic():
        lock_payouts([scope.company_id], exclusive=True)
        ids = _settlements(scope, int(after.removeprefix(SETTLES)))
        return _compute_settlements(scope, ids, rules, post) if ids else None


def is_mark(text: str) -> bool:
    """Whether the text can be a piece's mark."""
    return text.removeprefix(SETTLES).isdigit() if text.startswith(SETTLES) else bool(text.partition(":")[2])


def _compute_families(scope: Scope, keys: list[str], rules: Mapping[int, Rules] | None, post: bool) -> Piece:
    lock_payouts([scope.company_id], exclusive=False)
    lock_families(keys)
    unreadable: list[int] = []
    works = families.stored(keys, unreadable)
    wanted, problems = _targets(works, rules if rules is not None else account_rules.load([scope.company_id]))
    problems += [f"transaction {id_}: its stored record cannot be read" for id_ in unreadable]
    looked_at = sum(len(work.versions) for work in works)
    return _piece(keys[-1], looked_at, wanted, problems, post)


def _targets(works: Sequence[FamilyWork], rules: Mapping[int, Rules]) -> tuple[list[Target], list[str]]:
    """All at once; where that fails one by one, so that only the family is left out that lacks something."""
    try:
        return targets.of_families(works, rules), []
    except (LookupError, ValueError) as error:
        if len(works) == 1:
            return [], [f"sale {works[0].key.partition(':')[2]} of {works[0].channel.slug}: {error.args[0]}"]
    found = [_targets([work], rules) for work in works]
    return [t for ts, _ in found for t in ts], [p for _, ps in found for p in ps]


def _compute_settlements(scope: Scope, ids: list[int], rules: Mapping[int, Rules] | None, post: bool) -> Piece:
    wanted: list[Target] = []
    problems = []
    rules = rules if rules is not None else account_rules.load([scope.company_id])
    for settlement in stored.read(ids):
        try:
            wanted += settling.of([settlement], rules)
        except (LookupError, ValueError) as error:
            record = settlement.record
            problems.append(f"{record.record_type} {record.source.id} of {settlement.channel.slug}: {error.args[0]}")
    return _piece(f"{SETTLES}{ids[-1]}", len(ids), wanted, problems, post)


def _piece(after: str, looked_at: int, wanted: list[Target], problems: list[str], post: bool) -> Piece:
    stands = journal.standing([t.transaction_id for t in wanted])
    entries = list(journal.differences(wanted, stands))
    if post:
        journal.write(entries, {e.transaction_id for e in entries})
    return Piece(after, looked_at, entries, stands, problems)


def _families(scope: Scope, after: str) -> list[str]:
    """The next families by their keys. Where days are asked for, the sale's counts, and without a sale any member's."""
    sql = "SELECT DISTINCT t.family FROM channels_transaction t WHERE t.company_id = %s AND t.type = ANY(%s) AND t.family > %s"
    values: list[object] = [scope.company_id, list(families.MEMBERS), after]
    if scope.channel_id is not None:
        sql += " AND split_part(t.family, ':', 1) = %s"
        values.append(str(scope.channel_id))
    if scope.first or scope.last:
        sql += " AND t.business_date BETWEEN %s AND %s AND (t.type = 'sale' OR NOT EXISTS" \
               " (SELECT FROM channels_transaction s WHERE s.family = t.family AND s.type = 'sale'))"  # fmt: skip
        values += [scope.first or date.min, scope.last or date.max]
    with bulk.binary_cursor() as cursor:
        cursor.execute(f"{sql} ORDER BY 1 LIMIT %s", [*values, FAMILIES])
        return [key for (key,) in cursor.fetchall()]


def _settlements(scope: Scope, after: int) -> list[int]:
    """The next payouts, disputes, drawer counts and manual entries. A payout's day may be a zone's earlier than its sales'."""
    first, last = scope.first or date.min + timedelta(days=1), scope.last or date.max
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT id FROM channels_transaction WHERE company_id = %s AND type = ANY(%s) AND id > %s AND business_date >= %s"
            " AND (type = 'payout' OR business_date BETWEEN %s AND %s AND (%s::bigint IS NULL OR channel_id = %s))"
            " ORDER BY id LIMIT %s",
            [scope.company_id, list(stored.TYPES), after, first - timedelta(days=1), first, last, scope.channel_id,
             scope.channel_id, SETTLEMENTS],
        )  # fmt: skip
        return [id_ for (id_,) in cursor.fetchall()]


# --- adding up -------------------------------------------------------------------------------------------------------


class Sample(NamedTuple):
    """One transaction whose postings change on one day: (path, account, currency) → before and after, in minor units."""

    transaction_id: int
    business_date: date
    legs: dict[tuple[str, str, str], tuple[int, int]]


@dataclass
class Tally:
    """What differs, over many pieces. `accounts`: (account, currency) → (Σ in the currency, Σ in base currency)."""

    closed_through: date | None
    looked_at: int = 0
    entries: int = 0
    late: int = 0  # of the entries those that belong to closed days
    changed: set[int] = field(default_factory=set)
    days: set[date] = field(default_factory=set)
    accounts: dict[tuple[str, str], tuple[int, int]] = field(default_factory=lambda: defaultdict(lambda: (0, 0)))
    samples: list[Sample] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unsolved: int = 0

    def add(self, piece: Piece) -> None:
        """One piece more."""
        self.looked_at += piece.looked_at
        self.entries += len(piece.entries)
        self.unsolved += len(piece.problems)
        self.problems = (self.problems + piece.problems)[:PROBLEMS]
        for entry in piece.entries:
            self.changed.add(entry.transaction_id)
            self.days.add(entry.business_date)
            self.late += self.closed_through is not None and entry.business_date <= self.closed_through
            for (account, currency, *_), (amount, base) in entry.legs.items():
                before = self.accounts[account, currency]
                self.accounts[account, currency] = (before[0] + amount, before[1] + base)
            if len(self.samples) < SAMPLES:
                self.samples.append(_sample(entry, piece.stands))

    def deltas(self) -> list[tuple[str, str, int, int]]:
        """(account, currency, Σ, Σ in base currency) of the accounts whose sum changes, by name."""
        return [(*key, *sums) for key, sums in sorted(self.accounts.items()) if any(sums)]


def _sample(entry: Entry, stands: Standing) -> Sample:
    standing = stands.get(entry.transaction_id, {}).get(entry.business_date, {})
    legs: dict[tuple[str, str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for key, (difference, _) in entry.legs.items():
        account, currency, *_, path = key
        before, after = legs[path, account, currency]
        stood = standing.get(key, (0, 0))[0]
        legs[path, account, currency] = (before + stood, after + stood + difference)
    return Sample(entry.transaction_id, entry.business_date, dict(sorted(legs.items())))


def look(
    scope: Scope, *, closed_through: date | None, rules: Mapping[int, Rules] | None = None, seconds: float
) -> tuple[Tally, bool]:
    """What would be posted, and whether that is all: no piece is begun after so many seconds."""
    tally, after, deadline = Tally(closed_through), "", time.monotonic() + seconds
    while (piece := step(scope, after, rules=rules, post=False)) is not None:
        tally.add(piece)
        after = piece.after
        if time.monotonic() > deadline:
            return tally, False
    return tally, True


def size(scope: Scope) -> int:
    """How many transactions there are to look at, as a figure to show: families that reach over the days' end are cut there."""
    found = Transaction.objects.filter(company_id=scope.company_id)
    if scope.channel_id is not None:
        found = found.filter(channel_id=scope.channel_id)
    return found.filter(business_date__range=(scope.first or date.min, scope.last or date.max)).count()


# --- what was asked for ----------------------------------------------------------------------------------------------


def ask(*, scope: Scope, reason: str, actor: str, rule: AccountRule | None = None) -> Rebuild:
    """Have the books rebuilt: by `go_on` now, or by whoever calls `run_due` next."""
    return Rebuild.objects.create(
        company_id=scope.company_id, channel_id=scope.channel_id, first=scope.first, last=scope.last, rule=rule,
        reason=reason[:REASON], asked_by=actor,
    )  # fmt: skip


def go_on(rebuild: Rebuild, *, seconds: float) -> Rebuild:
    """Work on it until it is done or the seconds are over, one piece at least; nothing, where somebody else does. What a piece posts is
    committed with how far it has come."""
    deadline = time.monotonic() + seconds
    with alone(LOCK, rebuild.pk) as ours:
        rebuild.refresh_from_db()
        before = rebuild.entries
        while ours and rebuild.done_at is None:
            _one_piece(rebuild)
            if time.monotonic() >= deadline:
                break
    if rebuild.entries > before:
        nudge.nudge(nudge.PUSH_OUTBOX)
    return rebuild


def _one_piece(rebuild: Rebuild) -> None:
    scope = Scope(rebuild.company_id, rebuild.channel_id, rebuild.first, rebuild.last)
    with transaction.atomic():
        piece = step(scope, rebuild.after, post=True)
        if piece is None:
            rebuild.done_at = timezone.now()
        else:
            rebuild.after = piece.after
            rebuild.transactions += piece.looked_at
            rebuild.entries += len(piece.entries)
            rebuild.problems = (rebuild.problems + piece.problems)[:PROBLEMS]
        rebuild.save(update_fields=["after", "transactions", "entries", "problems", "done_at"])


def run_due(*, seconds: float) -> int:
    """Work on what was asked for, the oldest first; returns how many were brought to their end."""
    deadline, done = time.monotonic() + seconds, 0
    for rebuild in Rebuild.objects.filter(done_at=None).order_by("pk"):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        done += go_on(rebuild, seconds=left).done_at is not None
    return done
