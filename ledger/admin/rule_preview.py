"""What a change of the account rules does to the books, in words and amounts for people."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from channels.models import Channel, Transaction
from ledger import rebuild
from ledger.mapping import Rules
from ledger.models import Rebuild
from ledger.rebuild import Sample, Scope, Tally
from salessync.core.models import Company
from salessync.core.screens import money

LOOK_SECONDS = 4.0  # of computing before the page says what it knows


class Delta(NamedTuple):
    """An account whose sum changes."""

    account: str
    debit: str
    credit: str
    base: str


class Moved(NamedTuple):
    """What of one transaction comes from one place of its record: the postings before and after."""

    path: str
    before: list[str]
    after: list[str]


class Example(NamedTuple):
    """One transaction that changes."""

    transaction: Transaction | None
    day: str
    moves: list[Moved]


def of(company: Company, scope: Scope, rules: Mapping[int, Rules]) -> dict[str, Any]:
    """What the page shows."""
    tally, whole = rebuild.look(scope, closed_through=company.closed_through, rules=rules, seconds=LOOK_SECONDS)
    return told(company, scope, tally, whole)


def told(company: Company, scope: Scope, tally: Tally, whole: bool) -> dict[str, Any]:
    """The same, of what was looked at already; `whole`: that is all there is."""
    base, closed = company.base_currency, company.closed_through
    return {
        "tally": tally,
        "changed": len(tally.changed),
        "days": len(tally.days),
        "first": min(tally.days, default=None),
        "last": max(tally.days, default=None),
        "deltas": [_delta(*row, base) for row in tally.deltas()],
        "foreign": any(currency != base for _, currency, _, _ in tally.deltas()),
        "base": base,
        "examples": _examples(tally),
        "closed_through": closed,
        "first_open": closed + timedelta(days=1) if closed else None,
        "whole": whole,
        "seconds": int(LOOK_SECONDS),
        "total": None if whole else rebuild.size(scope),
        "command": _command(company, scope),
    }


def outcome(asked: Rebuild) -> str:
    """How far a rebuild has come."""
    posted = "1 difference was posted." if asked.entries == 1 else f"{asked.entries:,} differences were posted."
    if asked.done_at is None:
        return f"{posted} {asked.transactions:,} transactions were looked at; the rest goes on in the background."
    told = posted if asked.entries else "Nothing that stood had to change."
    return f"{told} {len(asked.problems)} could not be computed." if asked.problems else told


def _delta(account: str, currency: str, amount: int, worth: int, base: str) -> Delta:
    shown = money(abs(amount), currency)
    return Delta(account, shown if amount > 0 else "", shown if amount < 0 else "", money(worth, base))


def _examples(tally: Tally) -> list[Example]:
    found = Transaction.objects.select_related("channel").in_bulk([s.transaction_id for s in tally.samples])
    return [Example(found.get(s.transaction_id), s.business_date.isoformat(), _moves(s)) for s in tally.samples]


def _moves(sample: Sample) -> list[Moved]:
    paths: dict[str, Moved] = {}
    for (path, account, currency), (before, after) in sample.legs.items():
        moved = paths.setdefault(path, Moved(path, [], []))
        if before:
            moved.before.append(f"{account} {money(before, currency)}")
        if after:
            moved.after.append(f"{account} {money(after, currency)}")
    return list(paths.values())


def _command(company: Company, scope: Scope) -> str:
    """The same as the page's button, for a shell."""
    words = ["python manage.py rebuild", f"--company {company.slug}"]
    if scope.channel_id is not None:
        words.append(f"--channel {Channel.objects.values_list('slug', flat=True).get(pk=scope.channel_id)}")
    words += [f"--{name} {day}" for name, day in (("from", scope.first), ("to", scope.last)) if day]
    return " ".join(words)
