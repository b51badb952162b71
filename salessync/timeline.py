"""The whole story of one sale, read across the packages: what the channel sent, what it became, and how long each step took.

A sale is shown with its refunds and charges (one family; a processor's charges may come from another channel). One query a table, however many members there are.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import models
from django.db.models.functions import Length, Substr

from channels import canonical
from channels.admin.reading import body_lines, canonical_lines
from channels.charge import Charge
from channels.family import processor_of
from channels.models import Channel, Event, Line, Tender, Transaction, TransactionVersion
from inventory.models import Movement
from ledger.models import Delivery, JournalEntry, Posting
from salessync.core.json_lines import JsonLine
from salessync.core.screens import between, money, quantity
from tax.models import TaxLine

MEMBERS = 60
VERSIONS = 60
BODY_BYTES = 65_536

ORDER = {"sale": 0, "charge": 1, "refund": 2}


class Step(NamedTuple):
    """One stage that a version reached; `after` is the time since the stage before."""

    name: str
    at: datetime | None
    after: str
    note: str


class VersionStory(NamedTuple):
    """One version of one member, from the bytes that came to Bookkeeper's receipt."""

    transaction: Transaction
    version: TransactionVersion
    digest: str
    event: Event | None
    sha256: str
    body: list[JsonLine]
    record: list[JsonLine]
    steps: list[Step]
    total: str
    current: bool


class Leg(NamedTuple):
    """A posting as a bookkeeper reads it."""

    account: str
    debit: str
    credit: str
    base: str
    detail: str


class EntryStory(NamedTuple):
    """A journal entry with its legs, its sums and its way to Bookkeeper."""

    entry: JournalEntry
    transaction: Transaction
    legs: list[Leg]
    debit: str
    credit: str
    base: str  # the base currency, where the entry is in another
    base_sum: str
    delivery: Delivery | None


class MemberStory(NamedTuple):
    """A sale, refund or charge with its parts."""

    transaction: Transaction
    total: str
    lines: list[dict[str, Any]]
    tenders: list[dict[str, Any]]
    taxes: list[dict[str, Any]]


class Balance(NamedTuple):
    """What all entries of the family together leave on one account."""

    account: str
    debit: str
    credit: str


class Story(NamedTuple):
    """Everything about one family."""

    members: list[MemberStory]
    versions: list[VersionStory]
    entries: list[EntryStory]
    balances: list[Balance]
    movements: list[dict[str, Any]]
    net: list[str]


def of(transaction: Transaction) -> Story:
    """The story that the transaction is part of."""
    family = _family(transaction)
    ids = list(family)
    base = Channel.objects.values_list("company__base_currency", flat=True).get(pk=transaction.channel_id)
    entries = list(JournalEntry.objects.filter(transaction__in=ids).order_by("seq"))
    postings = list(
        Posting.objects.filter(entry__in=[e.pk for e in entries]).select_related("account").order_by("entry_id", "leg")
    )
    deliveries = {d.entry_id: d for d in Delivery.objects.filter(entry__in=[e.pk for e in entries])}
    newest = TransactionVersion.objects.filter(transaction__in=ids).order_by("-id")[:VERSIONS]
    versions = sorted(newest, key=lambda v: v.pk)
    return Story(
        members=_members(family, versions),
        versions=_versions(family, versions, entries, deliveries),
        entries=[_entry(e, family[e.transaction_id], postings, deliveries.get(e.pk), base) for e in entries],
        balances=_balances(postings),
        movements=_movements(family),
        net=_net(family.values()),
    )


def _family(transaction: Transaction) -> dict[int, Transaction]:
    """Its members by id, the sale first; the transaction itself is among them however many there are."""
    found = Transaction.objects.filter(family=transaction.family).select_related("channel")
    members = {t.pk: t for t in found.order_by("id")[:MEMBERS]} | {transaction.pk: transaction}
    return dict(sorted(members.items(), key=lambda item: (ORDER.get(item[1].type, 9), item[1].occurred_at, item[0])))


def _members(family: dict[int, Transaction], versions: Sequence[TransactionVersion]) -> list[MemberStory]:
    lines = _grouped(Line.objects.filter(transaction__in=family).order_by("transaction_id", "position"))
    tenders = _grouped(Tender.objects.filter(transaction__in=family).order_by("transaction_id", "position"))
    taxes = _grouped(TaxLine.objects.filter(transaction__in=family).order_by("transaction_id", "position"))
    sold = {line.line_id: line for t in family.values() if t.type == "sale" for line in lines.get(t.pk, ())}
    charges = {v.transaction_id: v for v in versions if family[v.transaction_id].type == "charge"}
    return [
        MemberStory(
            t,
            money(t.total, t.currency),
            [_line(line, sold.get(line.line_id), t.currency) for line in lines.get(t.pk, ())],
            [_tender(tender, t.currency) for tender in tenders.get(t.pk, ())]
            + ([_charge(charges[t.pk])] if t.pk in charges else []),
            [_tax(tax, sold.get(tax.line_id), t.currency) for tax in taxes.get(t.pk, ())],
        )
        for t in family.values()
    ]


def _grouped(rows: Iterable[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row.transaction_id, []).append(row)
    return found


def _line(line: Line, sold: Line | None, currency: str) -> dict[str, Any]:
    """A refund's line says what it gives back by the id of the line that was sold."""
    amounts = {
        name: money(getattr(line, name), currency, with_currency=False) for name in ("gross", "discount", "net", "tax")
    }
    return {
        "id": line.line_id,
        "type": line.type,
        "sku": line.sku or (sold.sku if sold else ""),
        "name": line.name or (sold.name if sold else ""),
        "quantity": quantity(line.quantity),
    } | amounts


def _tender(tender: Tender, currency: str) -> dict[str, Any]:
    return {
        "type": tender.type,
        "card": tender.card,
        "status": tender.status,
        "processor": tender.processor,
        "reference": tender.reference or tender.tender_id,
        "amount": money(tender.amount, currency, with_currency=False),
        "tip": money(tender.tip, currency, with_currency=False) if tender.tip else "",
        "fee": "",
    }


def _charge(version: TransactionVersion) -> dict[str, Any]:
    """The processor's side of a tender, as its newest record tells it."""
    charge = canonical.decode(bytes(version.record))
    assert isinstance(charge, Charge)
    fee = sum(f.amount for f in charge.fees)
    return {
        "type": charge.tender_type,
        "card": str(charge.card) if charge.card else "",
        "status": charge.status,
        "processor": processor_of(charge) or "",
        "reference": charge.reference or charge.source.id,
        "amount": money(charge.captured or charge.amount, charge.currency, with_currency=False),
        "tip": money(charge.tip, charge.currency, with_currency=False) if charge.tip else "",
        "fee": money(fee, charge.currency, with_currency=False) if fee else "",
    }


def _tax(tax: TaxLine, sold: Line | None, currency: str) -> dict[str, Any]:
    return {
        "line": (sold.name if sold else "") or tax.line_id,
        "code": tax.code,
        "jurisdiction": tax.jurisdiction,
        "rate": f"{quantity(tax.rate)} %" if tax.rate is not None else "",
        "collector": tax.collector,
        "amount": money(tax.amount, currency, with_currency=False),
    }


def _entry(
    entry: JournalEntry,
    transaction: Transaction,
    postings: Sequence[Posting],
    delivery: Delivery | None,
    base: str,
) -> EntryStory:
    own = sorted((p for p in postings if p.entry_id == entry.pk), key=lambda p: (p.amount < 0, p.leg))
    return EntryStory(
        entry=entry,
        transaction=transaction,
        legs=[_leg(p, base) for p in own],
        debit=_sum(p for p in own if p.amount > 0),
        credit=_sum(p for p in own if p.amount < 0),
        base=base if any(p.currency != base for p in own) else "",
        base_sum=money(sum(p.base_amount for p in own), base, with_currency=False),
        delivery=delivery,
    )


def _sum(postings: Iterable[Posting]) -> str:
    """Σ of one side, by currency."""
    sums: dict[str, int] = {}
    for posting in postings:
        sums[posting.currency] = sums.get(posting.currency, 0) + abs(posting.amount)
    return " + ".join(money(amount, currency) for currency, amount in sums.items())


def _leg(posting: Posting, base: str) -> Leg:
    """Debit left, credit right."""
    amount = money(abs(posting.amount), posting.currency, with_currency=False)
    detail = " · ".join(x for x in (posting.tax_code, posting.category, posting.location, posting.path) if x)
    return Leg(
        posting.account.code,
        amount if posting.amount >= 0 else "",
        amount if posting.amount < 0 else "",
        money(posting.base_amount, base, with_currency=False),
        detail,
    )


def _balances(postings: Iterable[Posting]) -> list[Balance]:
    sums: dict[tuple[str, str], int] = {}
    for posting in postings:
        key = (posting.account.code, posting.currency)
        sums[key] = sums.get(key, 0) + posting.amount
    return [
        Balance(
            code,
            money(amount, currency) if amount > 0 else "",
            money(-amount, currency) if amount < 0 else "",
        )
        for (code, currency), amount in sorted(sums.items())
        if amount
    ]


def _movements(family: dict[int, Transaction]) -> list[dict[str, Any]]:
    found = Movement.objects.filter(transaction__in=family).select_related("product").order_by("id")
    return [
        {
            "product": m.product,
            "location": m.location,
            "kind": m.get_kind_display(),
            "on_hand": _signed(m.on_hand),
            "reserved": _signed(m.reserved),
            "at": m.created_at,
            "transaction": family[m.transaction_id],
        }
        for m in found
    ]


def _signed(value: Any) -> str:
    return f"+{quantity(value)}" if value > 0 else quantity(value)


def _net(members: Iterable[Transaction]) -> list[str]:
    """What the customer paid in the end: the sale less its succeeded and pending refunds, by currency."""
    sums: dict[str, int] = {}
    for t in members:
        if t.type == "sale":
            sums[t.currency] = sums.get(t.currency, 0) + t.total
        elif t.type == "refund" and t.status in ("succeeded", "pending"):
            sums[t.currency] = sums.get(t.currency, 0) - t.total
    return [money(amount, currency) for currency, amount in sums.items()]


def _versions(
    family: dict[int, Transaction],
    versions: Sequence[TransactionVersion],
    entries: Sequence[JournalEntry],
    deliveries: dict[int, Delivery],
) -> list[VersionStory]:
    events = _events({v.event_id for v in versions})
    made: dict[int, list[JournalEntry]] = {}
    for entry in entries:
        made.setdefault(entry.version_id, []).append(entry)
    return [
        _version(v, family[v.transaction_id], events.get(v.event_id), made.get(v.pk, []), deliveries) for v in versions
    ]


def _events(ids: set[int]) -> dict[int, Event]:
    """Each with the beginning of its body in place of the whole."""
    found = (
        Event.objects.filter(pk__in=ids)
        .select_related("channel")
        .defer("body", "headers")
        .annotate(
            beginning=Substr("body", 1, BODY_BYTES, output_field=models.BinaryField()),
            size=Length("body", output_field=models.IntegerField()),
        )
    )
    events = {}
    for event in found:
        event.body = event.beginning
        events[event.pk] = event
    return events


def _version(
    version: TransactionVersion,
    transaction: Transaction,
    event: Event | None,
    entries: Sequence[JournalEntry],
    deliveries: dict[int, Delivery],
) -> VersionStory:
    steps = list(_steps(version, event, entries, [deliveries[e.pk] for e in entries if e.pk in deliveries]))
    reached = [s.at for s in steps if s.at]
    return VersionStory(
        transaction=transaction,
        version=version,
        digest=bytes(version.digest).hex(),
        event=event,
        sha256=bytes(event.body_sha256).hex() if event else "",
        body=body_lines(event) if event else [],
        record=canonical_lines(version.record),
        steps=steps,
        total=between(reached[0], reached[-1]) if len(reached) > 1 else "",
        current=version.pk == transaction.version_id,
    )


def _steps(
    version: TransactionVersion,
    event: Event | None,
    entries: Sequence[JournalEntry],
    deliveries: Sequence[Delivery],
) -> Iterable[Step]:
    """received → stored → posted → acknowledged; what has not happened yet has no instant."""
    before = None
    for name, at, note in (
        (
            "Received",
            event.received_at if event else None,
            f"{event.get_mode_display()} {event.topic}" if event else "",
        ),
        ("Stored", event.stored_at if event else None, _copies(event)),
        _posted(version, event, entries),
        _acknowledged(entries, deliveries),
    ):
        yield Step(name, at, between(before, at), note)
        before = at or before


def _copies(event: Event | None) -> str:
    if event is None:
        return "its event is no longer stored"
    return f"came {event.copies} times, kept once" if event.copies > 1 else ""


def _posted(
    version: TransactionVersion, event: Event | None, entries: Sequence[JournalEntry]
) -> tuple[str, datetime | None, str]:
    made_at = entries[-1].created_at if entries else version.created_at
    finished_at = event.finished_at if event else None
    # of an event that was replayed since, the end of the replay says nothing about the first time
    at = finished_at if finished_at and finished_at - made_at < timedelta(minutes=1) else made_at
    if entries:
        return "Posted", at, f"entry {', '.join(str(e.seq) for e in entries)}"
    if event and event.state == Event.State.WAITING:
        return "Posted", None, "not yet: it waits for its sale"
    return "Processed", at, "moved nothing in the journal"


def _acknowledged(entries: Sequence[JournalEntry], deliveries: Sequence[Delivery]) -> tuple[str, datetime | None, str]:
    if not entries:
        return "Nothing to deliver", None, ""
    waiting = [d for d in deliveries if d.state != Delivery.State.ACKNOWLEDGED]
    if waiting or not deliveries:
        state = waiting[0].get_state_display().lower() if waiting else "not queued"
        return (
            "Acknowledged",
            None,
            f"not yet: {waiting[0].error if waiting and waiting[0].error else state}",
        )
    return (
        "Acknowledged",
        max(d.acknowledged_at for d in deliveries),
        ", ".join(d.acknowledgement for d in deliveries),
    )
