"""Carries out what persons ask of their data, and sees to it that whom we forgot is not stored again. Books stay untouched.

1. A vendor's request comes as an event like any other. The batch that takes it has the channel for itself (`_enter`), so that no
   sale of that person is on its way past it in another worker.
2. `carry_out`, in the batch's own transaction, writes the request down, remembers whom to forget, and searches the stored
   versions, then the stored events, a stretch of ids at a time. Where that takes more than FIRST stretches, `go_on` continues from
   the worker's idle moments, each stretch a transaction of its own.
3. What arrives later is looked at before it is read (`heed`): the body of a forgotten person's order is stripped and stored so, and
   the record with it. Of a version that was accepted before it is known again by its digest without the person (`recognize`), so
   that a replay adds nothing.

What is removed: the customer's hash, and postcode and city of the place of delivery. What stays: the sale, its ids, amounts, taxes,
country and region, brand and last four digits of the card, and the SHA-256 of the bytes as received. docs/security.md says why.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Max, Min
from django.utils import timezone

from channels import adapter as adapters
from channels import canonical
from channels import payload as payloads
from channels.adapter import Person
from channels.arrivals import Arrival, Asked, ChannelFacts, version_order
from channels.canonical import AnyRecord
from channels.inbox import Claimed, Outcome
from channels.models import Channel, Event, PrivacyRequest, Transaction, TransactionVersion
from channels.sale import Sale
from salessync.core import audit, bulk
from salessync.core.money import to_major
from salessync.core.problems import Problem

LOCK = 7210  # pg_advisory_xact_lock's class for channels: shared by batches, taken alone by one that brings a request
FIRST = 5  # stretches of a new request in the batch's own transaction
STRETCH = {False: 20_000, True: 2_000}  # ids in one stretch: of one person little is found, of a whole shop everything
KINDS_THAT_REMOVE = (PrivacyRequest.Kind.CUSTOMER_REDACT, PrivacyRequest.Kind.SHOP_REDACT)
NEVER_STORED = (
    "Names, e-mail and postal addresses beyond postcode and city, telephone numbers, IP addresses, notes and card numbers beyond"
    " the last four digits are removed from every message before it is stored."
)


class Heeded(NamedTuple):
    """Parsed bodies of channels that have forgotten somebody, and the events from which persons were taken out."""

    payloads: Mapping[int, Any]
    stripped: frozenset[int]


# --- before a batch is read


def heed(events: Sequence[Claimed], channels: Mapping[int, ChannelFacts]) -> Heeded:
    """Take forgotten persons out of what a batch holds, in the inbox too; part of the batch's transaction."""
    _enter(events, channels)
    shops = _careful(channels)
    held: dict[int, Any] = {}
    persons: dict[int, list[Person]] = {}
    for event in events:
        if event.channel_id in shops and event.readable:
            held[event.id] = payloads.parse_stored(event.body)
            persons[event.id] = adapters.get(channels[event.channel_id].adapter).persons(held[event.id])
    if not any(persons.values()):
        return Heeded(held, frozenset())
    known = _forgotten((e.channel_id, key) for e in events for p in persons.get(e.id, ()) for key in _keys(p))
    stripped, changed, orders = set[int](), list[tuple[int, bytes]](), set[tuple[int, str]]()
    for event in events:
        found = {
            p
            for p in persons.get(event.id, ())
            if event.id <= shops[event.channel_id] or any((event.channel_id, key) in known for key in _keys(p))
        }
        if found:
            stripped.add(event.id)
            orders |= {(event.channel_id, f"order:{p.order}") for p in found if p.order and p.customer}
            adapter = adapters.get(channels[event.channel_id].adapter)
            held[event.id] = adapter.forget(held[event.id], found.__contains__)
            changed.append((event.id, payloads.dump(held[event.id])))
    _remember(orders - known)
    _rewrite(changed)
    return Heeded(held, frozenset(stripped))


def recognize(arrivals: Sequence[Arrival], stripped: frozenset[int]) -> list[Arrival]:
    """The arrivals without forgotten persons; a version that was accepted with its person keeps the digest that it had then."""
    if not stripped:
        return list(arrivals)
    found = [
        Arrival(a.event_id, a.channel, canonical.without_person(a.record)) if a.event_id in stripped else a
        for a in arrivals
    ]
    before = _digests_before([a for a in found if a.event_id in stripped])
    for a in found:
        digest = before.get((a.channel.id, a.record.record_type, a.record.source.id, a.digest))
        if a.event_id in stripped and digest is not None:
            a.digest, a.order = digest, version_order(a.record, digest)
    return found


def _enter(events: Sequence[Claimed], channels: Mapping[int, ChannelFacts]) -> None:
    """Batches of a channel work beside each other, but not beside one that brings a request. In one order for everybody."""
    alone = {e.channel_id for e in events if is_request(channels[e.channel_id].adapter, e.topic)}
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT count(CASE WHEN c = ANY(%s::int[]) THEN pg_advisory_xact_lock(%s::int, c)"
            " ELSE pg_advisory_xact_lock_shared(%s::int, c) END) FROM unnest(%s::int[]) c",
            [sorted(alone), LOCK, LOCK, sorted(channels)],
        )


def is_request(adapter: str, topic: str) -> bool:
    """Whether an event of this topic asks for personal data or its removal."""
    return topic.strip().casefold() in adapters.get(adapter).privacy_topics


def _careful(channels: Iterable[int]) -> dict[int, int]:
    """Channels that have forgotten somebody → the last event of which everybody is forgotten, 0 where it is not the whole shop."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT c, COALESCE(r.last_event, 0) FROM unnest(%s::bigint[]) c"
            " CROSS JOIN LATERAL (SELECT max(last_event) AS last_event FROM channels_privacyrequest"
            "  WHERE channel_id = c AND kind = 'shop_redact') r"
            " WHERE r.last_event IS NOT NULL OR EXISTS (SELECT FROM channels_forgotten WHERE channel_id = c)",
            [list(channels)],
        )
        return dict(cursor.fetchall())


def _keys(person: Person) -> list[str]:
    return [f"{what}:{name}" for what, name in (("customer", person.customer), ("order", person.order)) if name]


def _forgotten(keys: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Which of these are not to be stored."""
    rows = sorted(set(keys))
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT f.channel_id, f.subject FROM unnest(%s::bigint[], %s::text[]) AS k(channel_id, subject)"
            " JOIN channels_forgotten f ON f.channel_id = k.channel_id AND f.subject = k.subject",
            [[channel for channel, _ in rows], [subject for _, subject in rows]],
        )
        return set(cursor.fetchall())


def _remember(keys: Iterable[tuple[int, str]]) -> None:
    """Whom not to store again."""
    rows = sorted(keys)
    if rows:
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                "INSERT INTO channels_forgotten (channel_id, subject) SELECT * FROM unnest(%s::bigint[], %s::text[])"
                " ON CONFLICT DO NOTHING",
                [[channel for channel, _ in rows], [subject for _, subject in rows]],
            )


def _rewrite(bodies: Sequence[tuple[int, bytes]]) -> int:
    """Bodies without their persons, where they are not stored so; `body_sha256` stays that of the bytes as received."""
    if not bodies:
        return 0
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "UPDATE channels_event e SET body = n.body FROM unnest(%s::bigint[], %s::bytea[]) AS n(id, body)"
            " WHERE e.id = n.id AND e.body <> n.body AND e.purged_at IS NULL",
            [[id_ for id_, _ in bodies], [body for _, body in bodies]],
        )
        return cursor.rowcount


def _digests_before(arrivals: Sequence[Arrival]) -> dict[tuple[int, str, str, bytes], bytes]:
    """(channel, type, source id, digest without the person) → digest as it was accepted."""
    keys = sorted({(a.channel.id, a.record.record_type, a.record.source.id) for a in arrivals})
    if not keys:
        return {}
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT k.channel_id, k.type, k.source_id, v.redacted_digest, max(v.digest)
              FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k(channel_id, type, source_id)
             CROSS JOIN LATERAL (
                   SELECT id FROM channels_transaction
                    WHERE channel_id = k.channel_id AND type = k.type AND source_id = k.source_id LIMIT 1) t
              JOIN channels_transactionversion v ON v.transaction_id = t.id AND v.redacted_at IS NOT NULL
             GROUP BY 1, 2, 3, 4
            """,
            [list(column) for column in zip(*keys, strict=True)],
        )
        return {(channel, kind, id_, bytes(after)): bytes(digest) for channel, kind, id_, after, digest in cursor}


# --- a request


def carry_out(asked: Sequence[Asked], channels: Mapping[int, ChannelFacts]) -> list[Outcome]:
    """Do what was asked, as far as FIRST stretches reach; part of the batch's transaction, after its sales were stored."""
    return [_carry_out(one, channels[one.channel_id]) for one in asked]


def _carry_out(asked: Asked, channel: ChannelFacts) -> Outcome:
    account = Channel.objects.get(pk=channel.id).account()
    if not adapters.get(channel.adapter).concerns(asked.request, account):
        message = f"the request is for the shop {asked.request.shop}, which is not this channel's"
        return Outcome(asked.event_id, "quarantined", problems=[Problem("WRONG_SHOP", "shop_domain", message)])
    if not PrivacyRequest.objects.filter(event_id=asked.event_id).exists():  # a replay asks for nothing new
        request = _write_down(asked, channel)
        for _ in range(FIRST):
            if _search(request):
                break
    return Outcome(asked.event_id, "posted")


def _write_down(asked: Asked, channel: ChannelFacts) -> PrivacyRequest:
    versions = TransactionVersion.objects.aggregate(first=Min("id"), last=Max("id"))
    events = Event.objects.aggregate(first=Min("id"), last=Max("id"))
    request = PrivacyRequest.objects.create(
        company_id=channel.company_id,
        channel_id=channel.id,
        event_id=asked.event_id,
        kind=asked.request.kind,
        subject=asked.request.customer,
        orders=list(asked.request.orders),
        received_at=Event.objects.values_list("received_at", flat=True).get(pk=asked.event_id),
        at_version=(versions["first"] or 1) - 1,
        last_version=versions["last"] or 0,
        at_event=events["first"] - 1,
        last_event=events["last"],
    )
    told = {"event": asked.event_id, "kind": request.kind, "orders": len(request.orders)}
    rows = [(channel.company_id, "pipeline", "asked", "privacyrequest", request.pk, told)]
    if request.removes:
        _remember(
            (channel.id, key) for p in [Person(request.subject, None)] + [Person(None, o) for o in request.orders] for key in _keys(p)
        )  # fmt: skip
        _close_answers(request)
        _strip_versions(request, _versions_of(request, request.orders))
    if request.everyone and Channel.objects.filter(pk=channel.id, status=Channel.Status.LIVE).update(status="paused"):
        rows.append(
            (channel.company_id, "pipeline", "changed", "channel", channel.id, {"status": ["live", "paused"], "for": told})
        )  # fmt: skip
    audit.record(rows)
    return request


def _close_answers(request: PrivacyRequest) -> None:
    """Which orders were a forgotten person's is no longer to be read from an earlier answer to him."""
    earlier = PrivacyRequest.objects.filter(channel_id=request.channel_id, kind=PrivacyRequest.Kind.DATA_REQUEST)
    if not request.everyone:
        earlier = earlier.filter(subject__isnull=False, subject=request.subject)
    earlier.update(answer=None)


# --- the search


def go_on() -> int:
    """One stretch of the oldest request that is not done; how many there were (0 or 1)."""
    with transaction.atomic():
        request = (
            PrivacyRequest.objects.filter(done_at__isnull=True).order_by("id").select_for_update(skip_locked=True).first()
        )  # fmt: skip
        if request is None:
            return 0
        _search(request)
        return 1


def _search(request: PrivacyRequest) -> bool:
    """One stretch further; whether that was the last."""
    stretch = STRETCH[request.everyone]
    if request.at_version < request.last_version:
        until = min(request.at_version + stretch, request.last_version)
        rows = _versions_between(request, request.at_version, until)
        _note(request, (source_id for _, source_id, _ in rows))
        if request.removes:
            _strip_versions(request, [(id_, record) for id_, _, record in rows])
        request.at_version = until
    elif request.at_event < request.last_event:
        until = min(request.at_event + stretch, request.last_event)
        _search_events(request, until)
        request.at_event = until
    finished = request.at_version >= request.last_version and request.at_event >= request.last_event
    if finished:
        _finish(request)
    request.save()
    return finished


def _note(request: PrivacyRequest, orders: Iterable[str]) -> None:
    """Orders of the person's that the request does not name: their later events are his too."""
    if request.everyone:
        return
    new = sorted(set(orders) - set(request.orders) - set(request.found))
    request.found += new
    if request.removes:
        _remember((request.channel_id, f"order:{order}") for order in new)


def _versions_between(request: PrivacyRequest, after: int, until: int) -> list[tuple[int, str, bytes]]:
    """Sales of the person, or of everybody, in a stretch of versions."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT v.id, t.source_id, v.record FROM channels_transactionversion v"
            "  JOIN channels_transaction t ON t.id = v.transaction_id"
            " WHERE v.id > %s AND v.id <= %s AND t.channel_id = %s AND t.type = 'sale'"
            "   AND (%s OR t.source_id = ANY(%s::text[]) OR position(%s::bytea IN v.record) > 0)",
            [
                after, until, request.channel_id, request.everyone, request.orders + request.found,
                (request.subject or "no customer was named").encode(),
            ],
        )  # fmt: skip
        return [(id_, source_id, bytes(record)) for id_, source_id, record in cursor.fetchall()]


def _versions_of(request: PrivacyRequest, orders: Sequence[str]) -> list[tuple[int, bytes]]:
    """Of the orders that the request names: by key, so that they are done at once however many versions there are."""
    rows = TransactionVersion.objects.filter(
        transaction__channel_id=request.channel_id, transaction__type="sale", transaction__source_id__in=orders
    ).values_list("id", "record")
    return [(id_, bytes(record)) for id_, record in rows]


def _strip_versions(request: PrivacyRequest, rows: Iterable[tuple[int, bytes]]) -> None:
    changed = []
    for id_, record in rows:
        stripped = canonical.encode(canonical.without_person(canonical.decode(record)))
        if stripped != record:
            changed.append((id_, stripped))
    if not changed:
        return
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "UPDATE channels_transactionversion v SET record = n.record, redacted_digest = sha256(n.record),"
            " redacted_at = now(), redacted_by = %s FROM unnest(%s::bigint[], %s::bytea[]) AS n(id, record)"
            " WHERE v.id = n.id AND v.redacted_at IS NULL",
            [request.pk, [id_ for id_, _ in changed], [record for _, record in changed]],
        )
        _count(request, "records", cursor.rowcount)


def _search_events(request: PrivacyRequest, until: int) -> None:
    """The person's bodies in a stretch of events; an id may stand in a body by chance, so the adapter is asked whose it is."""
    adapter = adapters.get(request.channel.adapter)
    needles = [n.encode() for n in (request.subject, *request.orders, *request.found) if n]
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT id, body FROM channels_event WHERE id > %s AND id <= %s AND channel_id = %s AND readable"
            " AND purged_at IS NULL AND (%s OR EXISTS (SELECT FROM unnest(%s::bytea[]) n WHERE position(n IN body) > 0))",
            [request.at_event, until, request.channel_id, request.everyone, needles],
        )
        rows = cursor.fetchall()
    changed: list[tuple[int, bytes]] = []
    for id_, body in rows:
        payload = payloads.parse_stored(bytes(body))
        theirs = [p for p in adapter.persons(payload) if request.about(p)]
        _note(request, (p.order for p in theirs if p.order))
        if theirs and request.removes:
            changed.append((id_, payloads.dump(adapter.forget(payload, request.about))))
        elif theirs and id_ != request.event_id:
            _count(request, "messages", 1)
    _rewrite([one for one in changed if one[0] == request.event_id])
    _count(request, "messages", _rewrite([one for one in changed if one[0] != request.event_id]))


def _count(request: PrivacyRequest, what: str, more: int) -> None:
    request.done[what] = request.done.get(what, 0) + more


def _finish(request: PrivacyRequest) -> None:
    request.done = {"messages": 0, "records": 0} | request.done
    if not request.removes:
        request.answer = held(request, with_values=False)
        request.done["records"] = sum(len(order["records"]) for order in request.answer["orders"])
    request.done_at = timezone.now()
    audit.record([(request.company_id, "pipeline", "done", "privacyrequest", request.pk, dict(request.done))])


# --- the answer to a person


def held(request: PrivacyRequest, *, with_values: bool) -> dict[str, Any]:
    """What is held of the customer, order by order; the values only for who downloads them, so that none is stored twice."""
    orders = [*request.orders, *request.found]
    families = [f"{request.channel_id}:{order}" for order in orders]  # with the charges that processors brought
    rows = Transaction.objects.filter(family__in=families).order_by("occurred_at", "id")
    records = dict(
        TransactionVersion.objects.filter(pk__in=[t.version_id for t in rows]).values_list("pk", "record"),
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for t in rows:
        fields = _fields(canonical.decode(bytes(records[t.version_id])))
        told = {"type": t.type, "id": t.source_id, "fields": fields if with_values else sorted(fields)}
        if with_values:
            told |= {"number": t.number, "on": t.business_date.isoformat(), "currency": t.currency}
            told |= {"total": to_major(t.total, t.currency)}
        found.setdefault(t.family.partition(":")[2], []).append(told)
    return {
        "orders": [{"id": order, "records": records} for order, records in sorted(found.items())],
        "messages": request.done.get("messages", 0),
        "never_stored": NEVER_STORED,
    }


def _fields(record: AnyRecord) -> dict[str, Any]:
    """Path → value of what a record says about a person."""
    found: dict[str, Any] = {}
    if isinstance(record, Sale):
        place = record.jurisdiction
        if record.customer:
            found |= {"customer.ref": record.customer.ref, "customer.tax_id": record.customer.tax_id}
        if place is not None and place.basis == "destination":
            found |= {f"jurisdiction.{n}": getattr(place, n) for n in ("country", "region", "postcode", "city")}
        for index, tender in enumerate(record.tenders or ()):
            found |= {f"tenders[{index}].card": str(tender.card) if tender.card else None}
    elif card := getattr(record, "card", None):
        found["card"] = str(card)
    return {path: value for path, value in found.items() if value}


def download(request: PrivacyRequest, *, actor: str) -> dict[str, Any]:
    """The answer with its values as they are now; who took it is in the audit trail."""
    with transaction.atomic():
        audit.record([(request.company_id, actor, "downloaded", "privacyrequest", request.pk, {"kind": request.kind})])
        return {
            "channel": request.channel.slug,
            "customer": request.subject,
            "received_at": request.received_at.isoformat(),
            "as_of": timezone.now().isoformat(),
            **held(request, with_values=True),
        }


# --- a channel that is paused


def waiting() -> list[Claimed]:
    """Requests on paused channels: a person's term goes on, whatever the channel does. Two workers may both get them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id, e.channel_id, e.topic, e.body, e.readable, e.attempts + 1 FROM channels_event e"
            "  JOIN channels_channel c ON c.id = e.channel_id AND c.status <> 'live'"
            " WHERE e.state = 'new' AND e.topic IN ('customers/data_request', 'customers/redact', 'shop/redact')"
            "   AND e.next_attempt_at <= statement_timestamp() ORDER BY e.id LIMIT 10"
        )
        return [Claimed(id_, channel, topic, bytes(body), *rest) for id_, channel, topic, body, *rest in cursor]
