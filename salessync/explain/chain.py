"""Everything about one sale, payout, drawer or entry by hand: each fact with its past, read across the packages. Reads only.

A sale is read together with its refunds, charges and disputes, and with the payouts that pay them. One query a table, however many
members there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from django.db import models
from django.db.models import F
from django.db.models.functions import Coalesce, Length, Substr

from channels import canonical, checks
from channels.models import Event, Line, Tender, Transaction, TransactionVersion
from inventory.models import Movement
from ledger.models import Delivery, Detail, DetailPosting, JournalEntry, Posting
from salessync.core.models import AuditRow, Company
from salessync.core.problems import Problem, Refused
from salessync.explain import places, relatives
from salessync.explain.places import Place
from salessync.explain.relatives import Paid
from tax.models import Assessment, TaxLine

BODY_BYTES = 65_536
BANK = "amount"  # the path of what a payout brings to the bank, all its lines together
ORDER = {"sale": 0, "charge": 1, "refund": 2, "dispute": 3}


class Limits(NamedTuple):
    """How much is read at most; None: all."""

    members: int | None = None
    versions: int | None = None
    lines: int | None = None
    postings: int | None = None
    audit: int | None = None


ALL = Limits()
PAGE = Limits(members=60, versions=60, lines=200, postings=400, audit=100)


class Version(NamedTuple):
    """One accepted version. `problems`: what the checks say of it today; None where there are no checks for its kind."""

    transaction: Transaction
    row: TransactionVersion
    record: Any
    event: Event | None
    problems: list[Problem] | None

    @property
    def current(self) -> bool:
        """Whether it is what stands."""
        return self.row.pk == self.transaction.version_id


class Hop(NamedTuple):
    """A journal entry; or, of a channel that posts in summary, one transaction's part of the entry that took it in (None: not yet)."""

    transaction: Transaction
    row: JournalEntry | Detail
    entry: JournalEntry | None
    postings: list[Posting] | list[DetailPosting]
    delivery: Delivery | None

    @property
    def summarized(self) -> bool:
        """Whether it is a part of an entry rather than an entry."""
        return isinstance(self.row, Detail)


class Member(NamedTuple):
    """One transaction at its current version."""

    transaction: Transaction
    lines: list[Line]
    tenders: list[Tender]
    taxes: list[TaxLine]
    movements: list[Movement]
    assessment: Assessment | None


class Origin(NamedTuple):
    """Where an amount stands: in which transaction's record, and in which version as far as it was read."""

    transaction: Transaction
    version: Version | None
    place: Place


class Chain(NamedTuple):
    """`paid_by`: lines of payouts that pay a member; `pays`: the lines of a payout that is asked for itself.

    `settling`: the entries of the payouts in `paid_by`, each with the postings of these lines and of the bank. `balances`: what all
    entries leave, those of the payouts with these lines' part of them: (account, currency) → minor units. `of_summary`: how many parts
    a summary took in.
    """

    company: Company
    asked: Transaction
    members: list[Member]
    versions: list[Version]
    hops: list[Hop]
    balances: dict[tuple[str, str], int]
    paid_by: list[Paid]
    settling: list[Hop]
    pays: list[Paid]
    audit: list[AuditRow]
    of_summary: int

    def origin(self, hop: Hop, path: str) -> Origin | None:
        """The record that an amount came from: the version it was posted from, an earlier one of it, or the charge that is its tender."""
        if hop.transaction.type == "summary":
            return None  # which leads to its parts
        own = [v for v in self.versions if v.transaction.pk == hop.transaction.pk and v.row.pk <= hop.row.version_id]
        for version in sorted(own, key=lambda v: -v.row.pk):
            if place := places.find(version.record, path):
                return Origin(version.transaction, version, place)
        for version in self.versions:
            if version.transaction.type == "charge" and path == f"tenders/{version.transaction.source_id}":
                name = "captured" if version.record.get("captured") else "amount"
                return Origin(version.transaction, version, Place(name, version.record.get(name), exact=True))
        for paid in self.paid_by:  # whose records, of thousands of lines, are not read for one of them
            start, _, name = path.rpartition("/")
            if (
                paid.payout.pk == hop.transaction.pk
                and start == f"lines/{paid.line.line_id}"
                and hasattr(paid.line, name)
            ):
                return Origin(paid.payout, None, Place(path, getattr(paid.line, name), exact=True))
        return None


def of(transaction: Transaction, limits: Limits = ALL) -> Chain:
    """The chain that the transaction is part of."""
    family, tenders = _family(transaction, limits)
    ids = list(family)
    versions = _versions(family, limits)
    paid_by = relatives.paid_by(family.values(), tenders)
    hops = _entries(family, limits) + _details(family, limits)
    settling = _settling(paid_by)
    return Chain(
        company=family[transaction.pk].channel.company,
        asked=family[transaction.pk],
        members=_members(family, tenders),
        versions=versions,
        hops=_delivered(sorted(hops, key=lambda hop: (hop.row.created_at, hop.row.pk))),
        balances=_balances(hops, paid_by, settling),
        paid_by=paid_by,
        settling=settling,
        pays=relatives.pays(transaction, limits.lines),
        audit=_audit(ids, versions, hops, limits),
        of_summary=Detail.objects.filter(entry__transaction=transaction).count()
        if transaction.type == "summary"
        else 0,
    )


def _family(transaction: Transaction, limits: Limits) -> tuple[dict[int, Transaction], list[Tender]]:
    """Its members by id, the sale first, and their tenders; the transaction itself is among them however many there are."""
    known = Transaction.objects.select_related("channel__company")
    found = known.filter(family=relatives.family_of(transaction)).order_by("id")[: limits.members]
    members = {t.pk: t for t in found}
    tenders = list(Tender.objects.filter(transaction__in=members).order_by("transaction_id", "position"))
    members |= {t.pk: t for t in relatives.disputes_of(members.values(), tenders)}
    if transaction.pk not in members:
        members[transaction.pk] = known.get(pk=transaction.pk)
        tenders += Tender.objects.filter(transaction=transaction).order_by("position")
    return dict(sorted(members.items(), key=lambda item: _place(item[1]))), tenders


def _place(t: Transaction) -> tuple[Any, ...]:
    """The sale first; a sale that was only a charge until its order came stands behind the order."""
    return ORDER.get(t.type, 9), t.family != f"{t.channel_id}:{t.source_id}", t.occurred_at, t.pk


def _members(family: dict[int, Transaction], tenders: Iterable[Tender]) -> list[Member]:
    lines = _grouped(Line.objects.filter(transaction__in=family).order_by("transaction_id", "position"))
    taxes = _grouped(TaxLine.objects.filter(transaction__in=family).order_by("transaction_id", "position"))
    movements = _grouped(Movement.objects.filter(transaction__in=family).select_related("product").order_by("id"))
    by_owner = _grouped(tenders)
    latest = (
        Assessment.objects.filter(transaction_id__in=family)
        .order_by("transaction_id", "-id")
        .distinct("transaction_id")
    )
    assessments = {a.transaction_id: a for a in latest.defer("lines", "warnings")}
    return [
        Member(
            t, lines.get(id_, []), by_owner.get(id_, []), taxes.get(id_, []), movements.get(id_, []), assessments.get(id_)
        )
        for id_, t in family.items()
    ]  # fmt: skip


def _grouped(rows: Iterable[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row.transaction_id, []).append(row)
    return found


def _versions(family: dict[int, Transaction], limits: Limits) -> list[Version]:
    rows = list(TransactionVersion.objects.filter(transaction__in=family).order_by("-id")[: limits.versions])
    events = _events({row.event_id for row in rows})
    return [
        Version(
            family[row.transaction_id], row, msgspec.json.decode(bytes(row.record)), events.get(row.event_id), _problems(row)
        )
        for row in reversed(rows)
    ]  # fmt: skip


def _events(ids: set[int]) -> dict[int, Event]:
    """Each with the beginning of its body in place of the whole, and its size as it was."""
    found = (
        Event.objects.filter(pk__in=ids)
        .select_related("channel")
        .defer("body", "headers")
        .annotate(
            beginning=Substr("body", 1, BODY_BYTES, output_field=models.BinaryField()),
            size=Coalesce("purged_bytes", Length("body"), output_field=models.IntegerField()),
        )
    )
    events = {}
    for event in found:
        event.body = event.beginning
        events[event.pk] = event
    return events


def _problems(row: TransactionVersion) -> list[Problem] | None:
    try:
        return checks.check(canonical.decode(bytes(row.record)))
    except Refused as refused:
        ours = (
            msgspec.json.decode(bytes(row.record)).get("type") not in canonical.TYPES
        )  # a summary is no source's record
        return None if ours else list(refused.problems)


def _entries(family: dict[int, Transaction], limits: Limits) -> list[Hop]:
    entries = list(JournalEntry.objects.filter(transaction__in=family).order_by("seq"))
    postings = Posting.objects.filter(entry__in=[e.pk for e in entries]).select_related("account", "channel")
    own: dict[int, list[Posting]] = {}
    for posting in postings.order_by("entry_id", "leg")[: limits.postings]:
        own.setdefault(posting.entry_id, []).append(posting)
    return [Hop(family[e.transaction_id], e, e, own.get(e.pk, []), None) for e in entries]


def _details(family: dict[int, Transaction], limits: Limits) -> list[Hop]:
    details = list(Detail.objects.filter(transaction__in=family).select_related("entry").order_by("id"))
    if not details:
        return []
    postings = DetailPosting.objects.filter(detail__in=[d.pk for d in details]).select_related("account")
    own: dict[int, list[DetailPosting]] = {}
    for posting in postings.order_by("detail_id", "leg")[: limits.postings]:
        own.setdefault(posting.detail_id, []).append(posting)
    return [Hop(family[d.transaction_id], d, d.entry, own.get(d.pk, []), None) for d in details]


def _delivered(hops: Sequence[Hop]) -> list[Hop]:
    """The hops with their way to Bookkeeper; a part of a summary goes there with its entry."""
    found = {d.entry_id: d for d in Delivery.objects.filter(entry__in=[hop.entry.pk for hop in hops if hop.entry])}
    return [hop._replace(delivery=found.get(hop.entry.pk) if hop.entry else None) for hop in hops]


def _settling(paid_by: Sequence[Paid]) -> list[Hop]:
    """The payouts' entries, without what they pay to others."""
    payouts = {paid.payout.pk: paid.payout for paid in paid_by}
    entries = {e.pk: e for e in JournalEntry.objects.filter(transaction__in=payouts).order_by("seq")}
    wanted: dict[int, tuple[str, ...]] = {}
    for paid in paid_by:
        wanted[paid.payout.pk] = (*wanted.get(paid.payout.pk, (BANK,)), f"lines/{paid.line.line_id}/")
    mine = models.Q()
    for payout, starts in wanted.items():
        paths = models.Q(*(("path__startswith", start) for start in starts), _connector=models.Q.OR)
        mine |= models.Q(transaction=payout) & paths
    own: dict[int, list[Posting]] = {}
    for p in Posting.objects.filter(mine, entry__in=entries).select_related("account", "channel") if entries else ():
        own.setdefault(p.entry_id, []).append(p)
    return _delivered([
        Hop(payouts[e.transaction_id], e, e, sorted(own.get(e.pk, []), key=lambda p: p.leg), None) for e in entries.values()
    ])  # fmt: skip


def _balances(hops: Sequence[Hop], paid_by: Sequence[Paid], settling: Sequence[Hop]) -> dict[tuple[str, str], int]:
    sums: dict[tuple[str, str], int] = {}

    def add(code: str, currency: str, amount: int) -> None:
        sums[code, currency] = sums.get((code, currency), 0) + amount

    if all(len(hop.postings) == hop.row.legs for hop in hops):
        for posting in (p for hop in hops for p in hop.postings):
            add(posting.account.code, posting.currency, posting.amount)
    else:
        for code, currency, amount in _summed(hops):
            add(code, currency, int(amount))
    bank: dict[tuple[int, str, str], int] = {}
    for hop in settling:
        for posting in hop.postings:
            code, currency = posting.account.code, posting.currency
            if posting.path == BANK:
                key = (hop.transaction.pk, code, currency)
                bank[key] = bank.get(key, 0) + posting.amount
            else:
                add(code, currency, posting.amount)
    for (payout, code, currency), standing in bank.items():
        if standing:
            add(code, currency, sum(paid.line.net for paid in paid_by if paid.payout.pk == payout))
    return {key: amount for key, amount in sorted(sums.items()) if amount}


def _summed(hops: Sequence[Hop]) -> Iterator[tuple[str, str, Any]]:
    """(account, currency, Σ) of entries of which not every posting was read."""
    entries = Posting.objects.filter(entry__in=[hop.row.pk for hop in hops if not hop.summarized])
    details = DetailPosting.objects.filter(detail__in=[hop.row.pk for hop in hops if hop.summarized])
    for postings in (entries, details):
        yield from postings.values_list(F("account__code"), "currency").annotate(models.Sum("amount"))


def _audit(ids: list[int], versions: Sequence[Version], hops: Sequence[Hop], limits: Limits) -> list[AuditRow]:
    """What was done to the transactions, their events and their deliveries, and by whom; of much the latest."""
    about = {
        "transaction": set(ids),
        "event": {v.event.pk for v in versions if v.event},
        "delivery": {hop.entry.pk for hop in hops if hop.entry},
    }
    of_these = models.Q()
    for kind, objects in about.items():
        of_these |= models.Q(object_type=kind, object_id__in=objects)
    return list(AuditRow.objects.filter(of_these).order_by("-id")[: limits.audit])[::-1]
