"""Claimed events read into canonical records, each with what decides its fate. Touches the database only for the channels."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from channels import adapter as adapters
from channels import canonical, checks, selling
from channels import payload as payloads
from channels.adapter import Context, Ignored, PrivacyRequest
from channels.canonical import AnyRecord
from channels.family import family_key, is_of_charge
from channels.inbox import Claimed, Outcome
from channels.models import Channel
from channels.record import Record
from channels.sale import Sale
from channels.wishes import Wish, waits_on
from salessync.core.dates import version_key
from salessync.core.problems import Problem, Refused

_PAYMENT = {"pending": 0, "failed": 1, "authorized": 2, "partially_paid": 3, "paid": 4, "partially_refunded": 5, "refunded": 6,
            "voided": 7}  # fmt: skip
_STATUS = {"open": 0, "completed": 1, "cancelled": 2, "voided": 3, "pending": 0, "authorized": 1, "failed": 2, "captured": 3,
           "succeeded": 3, "closed": 1, "counted": 2}  # fmt: skip


class ChannelFacts(NamedTuple):
    """What a batch needs to know of a channel."""

    id: int
    company_id: int
    company: str
    base_currency: str
    slug: str
    adapter: str
    context: Context
    posting_mode: str
    live_from: date | None
    stock_location: str
    refund_tax: str
    asks: bool  # the vendor can be asked for what is missing
    processors: tuple[int, ...]  # the company's channels that bring charges of other channels' sales
    names: Mapping[str, str]  # how records name a processor → its name in the books
    sells: bool  # a charge without an order is a sale

    def posts(self, record: Record) -> bool:
        """Whether the channel's sales of that day reach books and stock."""
        return self.posting_mode != "none" and (self.live_from is None or record.business_date >= self.live_from)


class Arrival:
    """One record that an event brought, on its way through the batch."""

    __slots__ = (
        "awaits",
        "channel",
        "digest",
        "encoded",
        "event_id",
        "family",
        "order",
        "record",
        "transaction_id",
        "version_id",
    )

    def __init__(self, event_id: int, channel: ChannelFacts, record: AnyRecord) -> None:
        self.event_id, self.channel, self.record = event_id, channel, record
        self.encoded = canonical.encode(record)
        self.digest = canonical.digest(self.encoded)
        self.family = f"{channel.id}:{_family_of(record)}"
        self.order = version_order(record, self.digest)
        self.awaits: str | None = None  # a charge's sale, which may come from another channel
        self.transaction_id = 0
        self.version_id = 0


def _family_of(record: AnyRecord) -> str:
    """A sale that is only a charge goes where the charge goes: to the family of its order, should one come."""
    return f"charge:{record.source.id}" if is_of_charge(record) else family_key(record)


def version_order(record: AnyRecord, digest: bytes) -> str:
    """Sorts the versions of one object: by version, then by how far it has come, then by content.

    Vendors stamp two states of one second alike (created and paid at once); whoever comes later in life wins, and where
    nothing tells, the same one wins on every machine and in every order of arrival.
    """
    progress = _STATUS.get(getattr(record, "status", ""), 0)
    if isinstance(record, Sale):
        progress = progress * 20 + _PAYMENT.get(record.payment_status, 0) * 2 + (record.tenders is not None)
    return f"{version_key(record.source.version)}|{progress:03d}|{digest.hex()}"


def channel_facts(ids: Iterable[int]) -> dict[int, ChannelFacts]:
    """The channels of a batch, in one query."""
    found = {c.pk: c for c in Channel.objects.select_related("company")}  # a company has few channels
    processors = [c for c in found.values() if adapters.get(c.adapter).settles]
    names = _names(found.values())
    return {
        c.pk: ChannelFacts(
            c.pk, c.company_id, c.company.slug, c.company.base_currency, c.slug, c.adapter, c.context(), c.posting_mode,
            c.live_from, c.stock_location, c.refund_tax, c.asks,
            tuple(p.pk for p in processors if p.company_id == c.company_id), names[c.company_id] | _own_name(c, names[c.company_id]), c.sells,
        )
        for c in (found[id_] for id_ in set(ids))
    }  # fmt: skip


def _names(channels: Iterable[Channel]) -> dict[int, dict[str, str]]:
    """Company → a processor's channel → the name it goes by in the books: the first of an adapter by the adapter's, as shops name it.

    Any further one goes by its slug; so a channel that is added later moves nothing that is booked.
    """
    found: dict[int, dict[str, str]] = defaultdict(dict)
    taken: set[tuple[int, str]] = set()
    for c in sorted(channels, key=lambda c: c.pk):
        if adapters.get(c.adapter).is_processor and (c.company_id, c.adapter) not in taken:
            taken.add((c.company_id, c.adapter))
            found[c.company_id][c.slug] = c.adapter
    return found


def _own_name(channel: Channel, names: Mapping[str, str]) -> dict[str, str]:
    """What the adapter's name means in a channel's own records: itself."""
    further = adapters.get(channel.adapter).is_processor and channel.slug not in names
    return {channel.adapter: channel.slug} if further else {}


class Asked(NamedTuple):
    """What an event asks on behalf of a person (channels/privacy.py)."""

    event_id: int
    channel_id: int
    request: PrivacyRequest


class Read(NamedTuple):
    """What a batch of events says; an event without arrivals has its outcome here."""

    arrivals: list[Arrival]
    outcomes: list[Outcome]
    wishes: list[Wish]
    asked: list[Asked]


def read(events: Sequence[Claimed], channels: dict[int, ChannelFacts], parsed: Mapping[int, Any]) -> Read:
    """Each event's records, or why it has none: only a name, ignored with a reason, or quarantined with its problems.

    `parsed`: bodies by event that take the place of the claimed ones.
    """
    arrivals: list[Arrival] = []
    outcomes: list[Outcome] = []
    wishes: list[Wish] = []
    asked: list[Asked] = []
    for event in events:
        channel = channels[event.channel_id]
        try:
            adapter = adapters.get(channel.adapter)
            payload = parsed[event.id] if event.id in parsed else _parsed(event)
            if (request := adapter.privacy(payload, event.topic)) is not None:
                asked.append(Asked(event.id, event.channel_id, request))
                continue
            records = adapter.normalize(payload, event.topic or None, channel.context)
            if channel.sells:
                records = selling.with_sales(records, channel.context.jurisdiction)
            _require_proof(records)
        except Refused as refused:
            outcomes.append(Outcome(event.id, "quarantined", problems=refused.problems))
            continue
        except Ignored as ignored:
            outcomes.append(Outcome(event.id, "ignored", reason=str(ignored)))
            continue
        pointer = adapter.pointer(payload, event.topic)
        if pointer is not None and (channel.asks or not records):
            wishes.append(Wish(channel.id, pointer))
            if not records:
                outcomes.append(Outcome(event.id, "waiting", waiting_for=waits_on(channel.id, pointer)))
                continue
        live = [r for r in records if not r.source.test]
        if not live:
            reason = "a test, not a sale" if records else "carries nothing to book"
            outcomes.append(Outcome(event.id, "ignored", reason=reason))
        arrivals.extend(Arrival(event.id, channel, record) for record in live)
    return Read(arrivals, outcomes, wishes, asked)


def _parsed(event: Claimed) -> Any:
    if not event.readable:
        message = "the body could not be read when it came, and so was not kept: ask its sender for it once more"
        raise Refused(Problem("BODY_NOT_KEPT", "$", message))
    return payloads.parse_stored(event.body)


def _require_proof(records: Iterable[AnyRecord]) -> None:
    problems = []
    for record in records:
        if not record.source.test:
            problems += checks.check(record)
    if problems:
        raise Refused(*problems)
