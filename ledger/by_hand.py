"""Entries that people make by hand: proven, put into the inbox of the books' own channel once, undone by a later version, never edited.

From there they go the way of a sale: stored, posted as a difference, delivered to Bookkeeper.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from django.db import transaction
from msgspec import Meta
from msgspec.structs import replace

from channels import adapter as adapters
from channels import canonical, checks
from channels.arrivals import Arrival, channel_facts
from channels.capture import capture
from channels.manual import Manual, ManualPosting
from channels.models import Channel, Event, Transaction, TransactionVersion
from channels.record import Text
from ledger import notices, rates
from ledger.models import Account, JournalEntry
from salessync.core import audit, nudge
from salessync.core.models import Company
from salessync.core.money import MINOR_DIGITS, convert
from salessync.core.problems import Problem, Refused

Kind = Literal["correction", "write_off", "breakage", "opening", "other"]
Origin = Literal["admin", "import"]


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry before it is one. Amounts in minor units; a posting without a currency is in the company's base currency.

    `id`: two drafts of one id are one entry; without one, two drafts that say the same are.
    """

    date: date
    reason: Annotated[str, Meta(min_length=1, max_length=1000)]
    postings: Annotated[list[ManualPosting], Meta(min_length=2, max_length=10_000)]
    kind: Kind = "correction"
    reference: Text | None = None
    id: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{0,64}$")] = ""


def read(body: Any) -> Draft:
    """Parsed JSON as a draft; Refused with the place and a sentence where it is none."""
    return notices.read(Draft, body)


def source_id(draft: Draft) -> str:
    """What the entry is called on the books' channel."""
    return named(draft.id or hashlib.sha256(msgspec.json.encode(draft, order="deterministic")).hexdigest()[:24])


def named(id: str) -> str:
    """The same, of a draft's id."""
    return f"by-hand:{id}"


class Preview(NamedTuple):
    """What would be booked. `booked_on`: its day, or the first open one after it; `new_accounts` would be made."""

    record: Manual
    booked_on: date
    new_accounts: list[str]


class Submitted(NamedTuple):
    """An entry in the inbox. `state` of its event, `problems` where it is in quarantine, `entries` that came of all its versions."""

    id: str
    version: int
    event_id: int
    duplicate: bool
    state: str
    problems: list[dict[str, Any]]
    entries: list[dict[str, int]]


def preview(*, company: Company, draft: Draft, origin: Origin = "admin") -> Preview:
    """Refused where it cannot be posted as it is."""
    channel = books(company)
    record = _proven(channel, _body(company, draft, source_id(draft), 1, origin))
    codes = {posting.account for posting in record.postings}
    return Preview(record, booked_on(company, draft.date), sorted(codes - _known(company, codes)))


def submit(
    *, company: Company, draft: Draft, actor: str, now: datetime, origin: Origin = "admin", replaces: bool = False
) -> Submitted:
    """Put the entry into the inbox, once by its id. `replaces`: another one of that id becomes its next version, and is refused otherwise.

    Refused where it cannot be posted as it is. `now` is UTC.
    """
    name = source_id(draft)
    with transaction.atomic():
        channel = _locked(books(company))
        earlier = _earlier(channel, name)
        if earlier is not None:
            if earlier.said(_body(company, draft, name, earlier.version, origin)):
                return _submitted(channel, name, earlier.version, earlier.event_id, duplicate=True)
            if not replaces:
                raise Refused(Problem("ID_USED_BEFORE", "id", "another entry of this id was made before: never edited, it can be undone"))  # fmt: skip
        version = _next(channel, name, earlier)
        body = _body(company, draft, name, version, origin)
        _proven(channel, body)
        made = _put_in(channel, body, actor, "entered by hand" if version == 1 else "replaced by hand", now)
    nudge.nudge(nudge.DRAIN_INBOX)
    return made


def undo(*, company: Company, id: str, reason: str, actor: str, now: datetime) -> Submitted:
    """Send a later version of the entry that stands for nothing: the books post the inverse. Refused where there is nothing to undo."""
    if not reason.strip():
        raise Refused(Problem("MISSING_REASON", "reason", "say why: an auditor will ask"))
    with transaction.atomic():
        channel = _locked(books(company))
        stands = _stored(channel, id)
        earlier = _earlier(channel, id)
        if earlier is not None and earlier.said(_voided(stands, earlier.version, reason)):
            return _submitted(channel, id, earlier.version, earlier.event_id, duplicate=True)
        if stands.void:
            raise Refused(Problem("UNDONE_BEFORE", "id", f"{id} was undone before"))
        body = _voided(stands, _next(channel, id, earlier), reason)
        _proven(channel, body)
        made = _put_in(channel, body, actor, "undone by hand", now)
    nudge.nudge(nudge.DRAIN_INBOX)
    return made


def booked_on(company: Company, day: date) -> date:
    """The day that an entry of this day is booked on: its own, or the first open one after it."""
    closed = Company.objects.values_list("closed_through", flat=True).get(pk=company.pk)
    return day if closed is None else max(day, closed + timedelta(days=1))


# --- the books' channel


def books_slug(company: Company) -> str:
    """What the channel of the company's entries by hand is called."""
    return f"{company.slug}-books"


def books(company: Company) -> Channel:
    """The channel that entries by hand come by; Refused where there is none."""
    slug = books_slug(company)
    channel = Channel.objects.filter(company=company, slug=slug).first()
    if channel is None:
        message = f"there is no channel {slug} that entries by hand could come by: run `manage.py bootstrap`"
        raise Refused(Problem("NO_BOOKS_CHANNEL", "$", message))
    return channel


def prove(channel: Channel, body: dict[str, Any]) -> list[Any]:
    """The body's records; Refused where they cannot be read or do not add up."""
    records = adapters.get(channel.adapter).normalize(body, None, channel.context())
    problems = [problem for record in records for problem in checks.check(record)]
    if problems:
        raise Refused(*problems)
    return records


def keep(channel: Channel, body: dict[str, Any], *, topic: str, now: datetime) -> int:
    """Into the inbox; returns the event's id. The same body under the same topic is one event."""
    captured = capture(
        channel=channel, headers={}, body=_text(body), mode=Event.Mode.WEBHOOK, received_at=now, topic=topic
    )
    return captured.event_id


def became(event_id: int, id: str) -> tuple[str, list[dict[str, Any]], list[dict[str, int]]]:
    """What an entry of that source id came to: its event's state and problems, and the journal entries of all its versions."""
    event = Event.objects.only("channel_id", "state", "problems").get(pk=event_id)
    entries = JournalEntry.objects.filter(
        transaction__channel=event.channel_id, transaction__type="manual", transaction__source_id=id
    )
    return event.state, event.problems or [], list(entries.order_by("seq").values("id", "seq"))


# --- the record


def record_of(entry: Transaction) -> Manual:
    """The current version of an entry by hand."""
    found = canonical.decode(
        bytes(TransactionVersion.objects.values_list("record", flat=True).get(pk=entry.version_id))
    )
    assert isinstance(found, Manual)
    return found


def priced(
    company: Company, day: date, postings: Sequence[ManualPosting]
) -> tuple[list[ManualPosting], list[tuple[int, Problem]]]:
    """Each posting with its worth in base currency, by the rate of the day where it does not say it; and those that have no rate."""
    base = company.base_currency
    own = [posting.currency or base for posting in postings]
    known = rates.load({(day, currency, base) for currency in own if currency in MINOR_DIGITS})
    found, lacking = [], []
    for index, (posting, currency) in enumerate(zip(postings, own, strict=True)):
        worth = posting.base_amount
        if worth is None and currency == base:
            worth = posting.amount
        elif worth is None and (day, currency, base) in known:
            worth = convert(posting.amount, currency, known[day, currency, base], base)
        elif worth is None and currency in MINOR_DIGITS:
            message = (
                f"no rate from {currency} to {base} is in force on {day}: import one, or say what it is worth in {base}"
            )
            lacking.append((index, Problem("MISSING_RATE", f"postings[{index}].base_amount", message)))
        found.append(replace(posting, currency=currency, base_amount=worth))
    return found, lacking


def _body(company: Company, draft: Draft, name: str, version: int, origin: Origin) -> dict[str, Any]:
    """The canonical record (type `manual`). Of one currency alone it says no worth: the pipeline takes the rate of the day."""
    base = company.base_currency
    postings = [replace(posting, currency=posting.currency or base) for posting in draft.postings]
    currency = postings[0].currency if postings else base
    if any(p.currency != currency or p.base_amount is not None for p in postings):
        postings, lacking = priced(company, draft.date, postings)
        if lacking:
            raise Refused(*(problem for _, problem in lacking))
        currency = base
    return {
        "schema": "salessync/1",
        "type": "manual",
        "source": {"id": name, "version": str(version)},
        "occurred_at": f"{draft.date}T00:00:00Z",
        "business_date": draft.date.isoformat(),
        "currency": currency,
        "kind": draft.kind,
        "origin": origin,
        "reason": draft.reason.strip(),
        **({"reference": draft.reference} if draft.reference else {}),
        "postings": [_told(posting) for posting in postings],
    }


def _voided(stands: Manual, version: int, reason: str) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(canonical.encode(stands))
    body["source"]["version"] = str(version)
    return body | {"void": True, "reason": reason.strip()}


def _told(posting: ManualPosting) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(posting).items() if value is not None}


def _proven(channel: Channel, body: dict[str, Any]) -> Manual:
    """With all that the pipeline would ask for: it could only quarantine the entry, and a person is here to be told."""
    (record,) = prove(channel, body)
    _, refused = rates.require([Arrival(0, channel_facts([channel.pk])[channel.pk], record)])
    if refused:
        raise Refused(*(problem for outcome in refused for problem in outcome.problems))
    return record


def _text(body: dict[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True).encode()


def _known(company: Company, codes: Collection[str]) -> set[str]:
    return set(Account.objects.filter(company=company, code__in=codes).values_list("code", flat=True))


# --- versions


class _Earlier(NamedTuple):
    """The last version that was put into the inbox."""

    version: int
    event_id: int
    sha256: bytes

    def said(self, body: dict[str, Any]) -> bool:
        """Whether it was this."""
        return hashlib.sha256(_text(body)).digest() == self.sha256


def _locked(channel: Channel) -> Channel:
    """Two people who send the same entry at once send it one after the other."""
    return Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)


def _earlier(channel: Channel, name: str) -> _Earlier | None:
    """By the topic that `_put_in` gives its versions."""
    found = []
    rows = Event.objects.filter(channel=channel, dedupe_key__startswith=f"{name} ")
    for pk, key, sha256 in rows.values_list("pk", "dedupe_key", "body_sha256"):
        number = key.removeprefix(f"{name} ").partition(":")[0]
        if number.isdigit():
            found.append(_Earlier(int(number), pk, bytes(sha256)))
    return max(found, default=None)


def _next(channel: Channel, name: str, earlier: _Earlier | None) -> int:
    """The number after all that came and all that is stored."""
    stored = Transaction.objects.filter(channel=channel, type="manual", source_id=name).values_list(
        "version", flat=True
    )
    numbers = [int(version) for version in stored if version.isascii() and version.isdigit()]
    return max([0, *numbers, *([earlier.version] if earlier else [])]) + 1


def _stored(channel: Channel, name: str) -> Manual:
    """The stored record of an entry that may be undone."""
    entry = Transaction.objects.filter(channel=channel, type="manual", source_id=name).first()
    if entry is None:
        raise Refused(Problem("NO_SUCH_ENTRY", "id", f"no entry by hand {name} has come to the books yet"))
    record = record_of(entry)
    if record.origin == "bookkeeper":
        raise Refused(Problem("MADE_IN_BOOKKEEPER", "id", "it was made in Bookkeeper: correct it there"))
    if not (entry.version.isascii() and entry.version.isdigit()):
        raise Refused(Problem("UNKNOWN_VERSION", "id", f"its version {entry.version!r} has no next one"))
    return record


def _put_in(channel: Channel, body: dict[str, Any], actor: str, action: str, now: datetime) -> Submitted:
    name, version = body["source"]["id"], int(body["source"]["version"])
    event_id = keep(channel, body, topic=f"{name} {version}", now=now.astimezone(UTC))
    data = {"id": name, "version": version, "reason": body["reason"], "sha256": hashlib.sha256(_text(body)).hexdigest()}
    audit.record([(channel.company_id, actor, action, "byhand", event_id, data)])
    return _submitted(channel, name, version, event_id, duplicate=False)


def _submitted(channel: Channel, name: str, version: int, event_id: int, *, duplicate: bool) -> Submitted:
    return Submitted(name, version, event_id, duplicate, *became(event_id, name))
