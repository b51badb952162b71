"""Compares each business day with the vendor's own lists, names what we lack, and brings it. The only writer of control rows.

1. The vendor is asked for what came into being on the day, and where refunds lie inside of older sales for what changed on it too.
2. Each record of the answer is held (a transaction, in no older state), in the inbox still, missing, or differing: the vendor has
   a newer state of it whose amount or status is another. What is missing or differing goes into the inbox at once.
3. At the end count and gross of the vendor's records are set beside ours, by type and currency, with the ids that make up the
   difference. A gap is compared again until it is closed; today is compared every hour, with a grace for what is on its way.

A page of the vendor's list is stored together with the place after it, so a comparison that is broken off goes on from there.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Sum
from django.utils import timezone

from channels import adapter as adapters
from channels import canonical
from channels import payload as payloads
from channels.adapter import Adapter, Context, Ignored
from channels.arrivals import version_order
from channels.calls import AccessRefused, Caller, NotNow
from channels.charge import Charge
from channels.client import CursorExpired, Found, Page
from channels.models import Channel, ControlDay, ControlRecord, ControlTotal, Event, Transaction
from channels.poll import store_found
from channels.refund import Refund
from channels.sale import Sale
from channels.transactions import total_of
from salessync.core import bulk, dates, locks, nudge
from salessync.core.crypto import UnableToDecrypt
from salessync.core.http import UnableToReach
from salessync.core.problems import Refused

logger = logging.getLogger(__name__)

LOCK = 7205  # class of the advisory locks: one comparison of a day at a time
GRACE = timedelta(minutes=15)  # for what is on its way to us; twice the time between two polls where that is longer
TODAY_EVERY = timedelta(hours=1)
SETTLED = timedelta(hours=4)  # after its end a day is compared once more, and for good
LATE_CHANGES = timedelta(days=1)  # an older sale that got its refund on the day may have changed again since
ZONES = timedelta(hours=15)  # how far stores in other zones than the channel's can stretch its day
LOOK_BACK = 7  # days that are made up for, after a time without workers
RECHECK = timedelta(minutes=10)  # doubled with each comparison that ends in a gap
MOST_ATTEMPTS = 12  # five days
MOST_FAILURES = 20  # more than a week, at last once a day
RESTARTS = 3  # of one list whose cursor expires
INBOX_AT_MOST = 5000  # unfinished events that are looked through

COUNTED = (Sale, Refund, Charge)
Fate = ControlRecord.Fate
Key = tuple[str, str]  # type, source id; type "" where only an id is known


class NotCheckable(Exception):
    """The channel's vendor cannot say what came into being; the message says why."""


class Step(NamedTuple):
    """One list of the vendor's: by creation, or by change."""

    stream: str
    created: bool


class Held(NamedTuple):
    """What stands of a record here."""

    version_order: str
    facts: tuple[Any, ...]


def steps(adapter: Adapter) -> list[Step]:
    """The lists that a day's totals are taken from."""
    found = []
    for stream in adapter.streams:
        if stream.totals != "none":
            found.append(Step(stream.name, created=True))
        if stream.totals == "both":
            found.append(Step(stream.name, created=False))
    return found


def why_not(channel: Channel) -> str | None:
    """Why the channel cannot be compared with its vendor; None where it can."""
    if channel.adapter not in adapters.adapter_names():
        return "there is no adapter of its name any more"
    adapter = adapters.get(channel.adapter)
    if not steps(adapter):
        return f"{adapter.label} has no list of sales, refunds or charges that could be read"
    try:
        return None if channel.asks else "it has no API credentials, so its vendor cannot be asked"
    except UnableToDecrypt:
        return "its credentials are not readable with today's encryption keys"


def today_of(channel: Channel, now: datetime) -> date:
    """The channel's business day of now."""
    return dates.business_date(now, channel.timezone, channel.day_cut_hour)


def bounds(channel: Channel, day: date) -> tuple[datetime, datetime]:
    """The first instant of a business day, and the first one after it."""
    zone = dates.zone(channel.timezone)
    first, after = (
        datetime.combine(d, time(channel.day_cut_hour), zone).astimezone(UTC) for d in (day, day + timedelta(days=1))
    )
    return first, after


# --- which days, and when


def check_due(*, seconds: float = 45.0, sleep: Callable[[float], None] | None = None) -> int:
    """Compare the days that are due until none is or the time is over; returns how many comparisons came to their end."""
    now = timezone.now()
    plan(now)
    deadline, done, met = now + timedelta(seconds=seconds), 0, set[int]()
    while timezone.now() < deadline:
        control = _next_due(besides=met)
        if control is None:
            return done
        met.add(control.pk)
        before = control.checked_at
        check(control, until=deadline, sleep=sleep)
        done += control.checked_at != before
    return done


def plan(now: datetime) -> int:
    """Rows for today and for the days of the last week in which the channel was here; returns how many were made."""
    wanted = [
        ControlDay(channel=channel, day=day, next_at=max(now, _first_look(channel, day, now)))
        for channel in Channel.objects.filter(status=Channel.Status.LIVE)
        if why_not(channel) is None
        for day in _lately(channel, now)
    ]
    if not wanted:
        return 0
    known = set(ControlDay.objects.filter(day__gte=min(c.day for c in wanted)).values_list("channel_id", "day"))
    new = [c for c in wanted if (c.channel_id, c.day) not in known]
    ControlDay.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def _lately(channel: Channel, now: datetime) -> Iterator[date]:
    today = today_of(channel, now)
    day = max(today_of(channel, channel.created_at), today - timedelta(days=LOOK_BACK))
    while day <= today:
        yield day
        day += timedelta(days=1)


def _first_look(channel: Channel, day: date, now: datetime) -> datetime:
    start, end = bounds(channel, day)
    return start + TODAY_EVERY if now < end else end + SETTLED


def _next_due(*, besides: Iterable[int]) -> ControlDay | None:
    return (
        ControlDay.objects.select_related("channel", "channel__company")
        .filter(next_at__lte=timezone.now(), channel__status=Channel.Status.LIVE)
        .exclude(pk__in=list(besides))
        .order_by("next_at")
        .first()
    )


def day_of(channel: Channel, day: date) -> ControlDay:
    """The day's row, made where it is missing; NotCheckable where the vendor cannot be asked, or the day has not begun."""
    reason = why_not(channel)
    if reason:
        raise NotCheckable(reason)
    if bounds(channel, day)[0] > timezone.now():
        raise NotCheckable(f"{day} has not begun")
    control, _ = ControlDay.objects.get_or_create(channel=channel, day=day)
    return control


def wish_now(controls: Iterable[ControlDay]) -> int:
    """Compare these days at the next opportunity, however often that was tried before."""
    return ControlDay.objects.filter(pk__in=[c.pk for c in controls]).update(next_at=timezone.now(), attempts=0)


# --- one comparison


def check(
    control: ControlDay,
    *,
    until: datetime | None = None,
    anew: bool = False,
    sleep: Callable[[float], None] | None = None,
) -> bool:
    """Compare one day, or go on with it (`anew`: from its beginning); False where somebody else is at it.

    Stops after a page once `until` is past, and goes on from there the next time. What keeps the vendor from being asked is
    written down on the row.
    """
    with locks.alone(LOCK, control.pk) as alone:
        if not alone:
            return False
        control.refresh_from_db(fields=["state", "since", "until", "step", "cursor", "unreadable", "attempts"])
        if anew:
            _drop_progress(control)
        caller = Caller(control.channel, sleep=sleep) if sleep else Caller(control.channel)
        try:
            _compare(control, caller, until)
        except NotNow as later:
            _postpone(control, f"VENDOR_BUSY: {later}", seconds=later.seconds)
        except UnableToReach as error:
            _postpone(control, f"VENDOR_UNREACHABLE: {error}")
        except (AccessRefused, Refused) as error:
            _postpone(control, str(error))
        except NotImplementedError:
            _postpone(control, "NO_LIST: this vendor cannot be asked for what came into being on a day", lasting=True)
        except (InterfaceError, OperationalError):
            raise
        except (
            Exception
        ) as error:  # an answer that nobody foresaw, or no time left: a person sees it, and it goes on later
            logger.exception("%s cannot be compared", control)
            _postpone(control, f"COMPARISON_FAILED: {type(error).__name__}: {error}")
    control.refresh_from_db(fields=[f.name for f in ControlDay._meta.concrete_fields if f.name != "channel"])
    return True


def _compare(control: ControlDay, caller: Caller, until: datetime | None) -> None:
    if control.until is None and not _begin(control):
        return
    comparison = _Comparison(control, caller.adapter)
    lists, restarts = steps(caller.adapter), 0
    while control.step < len(lists):
        step = lists[control.step]
        try:
            for page in caller.pages(_ask(control, caller, step)):
                comparison.take(page, step)
                if page.cursor is not None and until and timezone.now() >= until:
                    _later(control)
                    return
        except CursorExpired:
            restarts += 1
            if restarts > RESTARTS:
                raise NotNow("the vendor forgets its cursors faster than a day can be read", 300.0) from None
            _save(control, cursor=None)  # the list begins anew: what was noted already is noted once
            continue
        _save(control, step=control.step + 1, cursor=None)
        if control.step < len(lists) and until and timezone.now() >= until:
            _later(control)
            return
    _close(control, caller.adapter)


def _ask(control: ControlDay, caller: Caller, step: Step) -> Any:
    assert control.since is not None and control.until is not None
    until = control.until if step.created else max(control.until, _changes_until(control, caller.adapter))
    return caller.adapter.poll(
        step.stream, caller.account, since=control.since, until=until, cursor=control.cursor, created=step.created
    )


def _changes_until(control: ControlDay, adapter: Adapter) -> datetime:
    return min(timezone.now() - _grace(adapter), bounds(control.channel, control.day)[1] + LATE_CHANGES)


def _grace(adapter: Adapter) -> timedelta:
    slowest = max((s.every for s in adapter.streams if s.totals != "none"), default=0)
    return max(GRACE, timedelta(seconds=2 * slowest))


def _begin(control: ControlDay) -> bool:
    """Open the window: the day as far as it is over, stretched to what we hold of it; False where there is nothing to ask for yet."""
    start, end = bounds(control.channel, control.day)
    ours = Transaction.objects.filter(channel=control.channel_id, business_date=control.day)
    reach = ours.aggregate(first=Min("occurred_at"), last=Max("occurred_at"))
    since = max(min(reach["first"] or start, start), start - ZONES)
    until = min(max(reach["last"] or end, end), end + ZONES)
    until = min(until, timezone.now() - _grace(adapters.get(control.channel.adapter)))
    if until <= since:
        _save(control, next_at=start + TODAY_EVERY)
        return False
    ControlRecord.objects.filter(control=control).delete()
    _save(control, since=since, until=until, step=0, cursor=None, unreadable=0)
    return True


class _Comparison:
    """One day's records against ours, page by page."""

    def __init__(self, control: ControlDay, adapter: Adapter) -> None:
        self.control, self.channel, self.adapter = control, control.channel, adapter
        self.context: Context = control.channel.context()
        self.waiting: dict[int, frozenset[Key]] = {}  # unfinished event → what it is about

    def take(self, page: Page, step: Step) -> None:
        """Note the page's records with their fates, store what we lack, and remember the place after it; or none of it."""
        records, unreadable = self._read(page.found)
        records = {key: item for key, item in records.items() if self._concerns(item[1], step)}
        held = _held(self.channel, records)
        lacking = {key: _lack(record, held.get(key)) for key, (_, record) in records.items()}
        fates = {key: fate or Fate.HELD for key, fate in lacking.items()}
        with transaction.atomic():
            wanted = [key for key, fate in fates.items() if fate != Fate.HELD]
            here = self._in_inbox(wanted)
            fates |= dict.fromkeys(here, Fate.IN_INBOX)
            stored = self._store(records, [key for key in wanted if key not in here], fates)
            stored += sum(store_found(self.channel, found, Event.Mode.FETCH) for found in unreadable)
            self._note(records, fates)
            met = len(unreadable) if step.created else 0  # by change the same ones come once more
            _save(self.control, cursor=page.cursor, unreadable=self.control.unreadable + met)
        if stored:
            nudge.nudge(nudge.DRAIN_INBOX)

    def _read(self, page: Sequence[Found]) -> tuple[dict[Key, tuple[Found, Any]], list[Found]]:
        """The records that count, and the payloads that are none to us; tests and what moves nothing left out."""
        records: dict[Key, tuple[Found, Any]] = {}
        unreadable = []
        for found in page:
            try:
                brought = self.adapter.normalize(found.payload, found.topic or None, self.context)
            except Ignored:
                continue
            except Exception:  # the pipeline will say what is wrong with it, and quarantine it
                unreadable.append(found)
                continue
            for record in brought:
                if isinstance(record, COUNTED) and not record.source.test:
                    records[record.record_type, record.source.id] = found, record
        return records, unreadable

    def _concerns(self, record: Any, step: Step) -> bool:
        """The day's own records; of what was made on it also records of days before, which nobody else would look for."""
        if step.created:
            return bool(record.business_date <= self.control.day)
        return bool(record.business_date == self.control.day)

    def _in_inbox(self, keys: Sequence[Key]) -> set[Key]:
        """Which of these are only waiting: due, in quarantine or dead."""
        if not keys:
            return set()
        for row in _unfinished(self.channel, besides=self.waiting):
            self.waiting[row[0]] = frozenset(_about(self.adapter, self.context, *row[1:]))
        about = set().union(*self.waiting.values())
        return {key for key in keys if key in about or ("", key[1]) in about}

    def _store(self, records: dict[Key, tuple[Found, Any]], keys: Sequence[Key], fates: dict[Key, str]) -> int:
        """Into the inbox; what was there before in just this state is not missing: a person, or a rule, has set it aside."""
        new: dict[int, bool] = {}
        for key in keys:
            found = records[key][0]
            if id(found) not in new:
                new[id(found)] = store_found(self.channel, found, Event.Mode.FETCH)
            if not new[id(found)]:
                fates[key] = Fate.IN_INBOX
        return sum(new.values())

    def _note(self, records: dict[Key, tuple[Found, Any]], fates: dict[Key, str]) -> None:
        rows = [
            (*key, record.business_date, record.currency, total_of(record), str(fates[key]))
            for key, (_, record) in sorted(records.items(), key=lambda item: item[0])
        ]
        if not rows:
            return
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                # once named as missing it stays so in this comparison, though it has lain in the inbox since
                """
                INSERT INTO channels_controlrecord AS r (control_id, type, source_id, business_date, currency, total, fate)
                SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::date[], %s::text[], %s::int8[], %s::text[])
                ON CONFLICT (control_id, type, source_id) DO UPDATE
                   SET business_date = excluded.business_date, currency = excluded.currency, total = excluded.total,
                       fate = CASE WHEN r.fate IN ('missing', 'differing') THEN r.fate ELSE excluded.fate END
                """,
                [self.control.pk, *(list(column) for column in zip(*rows, strict=True))],
            )


def _held(channel: Channel, keys: Iterable[Key]) -> dict[Key, Held]:
    """What we hold of these records, each found by its key."""
    columns = [list(column) for column in zip(*keys, strict=True)] or [[], []]
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT t.type, t.source_id, t.version_order, t.currency, t.total, t.status, t.payment_status
              FROM unnest(%s::text[], %s::text[]) AS k(type, source_id)
             CROSS JOIN LATERAL (
                   SELECT * FROM channels_transaction
                    WHERE channel_id = %s AND type = k.type AND source_id = k.source_id LIMIT 1) t
            """,
            [*columns, channel.pk],
        )
        return {(kind, id_): Held(order, tuple(facts)) for kind, id_, order, *facts in cursor.fetchall()}


def _lack(record: Any, held: Held | None) -> str | None:
    """Whether we lack the record or its newer state; a newer state that says the same is none."""
    if held is None:
        return Fate.MISSING
    facts = (record.currency, total_of(record), record.status, getattr(record, "payment_status", None))
    if facts == held.facts:
        return None
    order = version_order(record, canonical.digest(canonical.encode(record)))
    return Fate.DIFFERING if order > held.version_order else None


_UNFINISHED = """
    SELECT id, topic, body FROM (
        SELECT id, channel_id FROM channels_event WHERE state = 'new' AND attempts = 0
         UNION ALL SELECT id, channel_id FROM channels_event WHERE state IN ('new', 'claimed') AND attempts > 0
         UNION ALL SELECT id, channel_id FROM channels_event WHERE state IN ('waiting', 'quarantined', 'dead')) u
      JOIN channels_event USING (id)
     WHERE u.channel_id = %s AND id <> ALL(%s::bigint[]) ORDER BY id DESC LIMIT %s
"""  # each part as a partial index knows it


def _unfinished(channel: Channel, *, besides: Iterable[int]) -> list[tuple[int, str, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(_UNFINISHED, [channel.pk, list(besides), INBOX_AT_MOST])
        return [(id_, topic, bytes(body)) for id_, topic, body in cursor.fetchall()]


def _about(adapter: Adapter, context: Context, topic: str, body: bytes) -> Iterator[Key]:
    """What an unfinished event is about: its records; the ids in it where it has none that can be read."""
    try:
        payload = payloads.parse(body)
    except Refused:
        return
    try:
        for record in adapter.normalize(payload, topic or None, context):
            yield record.record_type, record.source.id
        pointer = adapter.pointer(payload, topic)
    except Exception:  # whatever is wrong with it is why it waits
        yield from (("", id_) for id_ in _ids_in(payload))
        return
    if pointer is not None:
        yield "", pointer.id
        yield from (("", part) for part in pointer.id.replace(",", "/").split("/"))


def _ids_in(payload: Any) -> Iterator[str]:
    if isinstance(payload, dict):
        for name, value in payload.items():
            if name.lower().endswith("id") and isinstance(value, str | int):
                yield str(value)
            yield from _ids_in(value)
    elif isinstance(payload, list):
        for value in payload:
            yield from _ids_in(value)


# --- its end


def _close(control: ControlDay, adapter: Adapter) -> None:
    """Write the totals, and when to look again."""
    with transaction.atomic():
        gap = _write_totals(control)
        ControlRecord.objects.filter(control=control).delete()
        now, attempts = timezone.now(), control.attempts + 1 if gap else 0
        _save(
            control,
            state=ControlDay.State.OPEN if gap else ControlDay.State.CLOSED,
            checked_at=now,
            checked_until=control.until,
            error="",
            attempts=attempts,
            next_at=_next_look(control, now, gap=gap, attempts=attempts),
            since=None,
            until=None,
            step=0,
            cursor=None,
        )


def _next_look(control: ControlDay, now: datetime, *, gap: bool, attempts: int) -> datetime | None:
    _, end = bounds(control.channel, control.day)
    again = now + min(RECHECK * 2 ** min(attempts - 1, 10), timedelta(days=1)) if gap else None
    if now < end:
        return min(again or now + TODAY_EVERY, now + TODAY_EVERY)
    if now < end + SETTLED:
        return min(again or end + SETTLED, end + SETTLED)
    return again if attempts < MOST_ATTEMPTS else None


def _write_totals(control: ControlDay) -> bool:
    """One row for each type and currency; True where one of them has a gap."""
    listed = ControlRecord.objects.filter(control=control)
    before = {(t.type, t.currency): t for t in control.totals.all()}
    vendor = _sums(listed.filter(business_date=control.day))
    ours, extra = _ours(control, listed)
    ids = _grouped(listed.exclude(fate=Fate.HELD).values_list("type", "currency", "fate", "source_id"))
    gap = False
    for type_, currency in sorted({*before, *vendor, *ours, *((k[0], k[1]) for k in ids)}):
        key = (type_, currency)
        missing, differing = (sorted(ids.get((*key, fate), [])) for fate in (Fate.MISSING, Fate.DIFFERING))
        recovered, recovered_at = _recovered(before.get(key), {*missing, *differing}, listed)
        (vendor_count, vendor_gross), (our_count, our_gross) = vendor.get(key, (0, 0)), ours.get(key, (0, 0))
        ControlTotal.objects.update_or_create(
            control=control,
            type=type_,
            currency=currency,
            defaults={
                "vendor_count": vendor_count, "our_count": our_count, "vendor_gross": vendor_gross, "our_gross": our_gross,
                "missing": missing, "differing": differing, "in_inbox": sorted(ids.get((*key, Fate.IN_INBOX), [])),
                "extra": sorted(extra.get(key, [])), "recovered": recovered, "recovered_at": recovered_at,
            },
        )  # fmt: skip
        gap |= bool(missing or differing)
    return gap


def _sums(rows: Any) -> dict[tuple[str, str], tuple[int, int]]:
    found = rows.order_by().values_list("type", "currency").annotate(n=Count("*"), gross=Sum("total"))
    return {(type_, currency): (count, int(gross)) for type_, currency, count, gross in found}


def _grouped(rows: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for *key, id_ in rows:
        found.setdefault(tuple(key), []).append(id_)
    return found


def _ours(control: ControlDay, listed: Any) -> tuple[dict[tuple[str, str], tuple[int, int]], dict[Any, list[str]]]:
    """Our count and gross, and the ids among them that the vendor did not list.

    Only of types that this vendor's lists bring at all: a shop's webhooks may tell of charges that none of its lists names.
    """
    types = set(listed.order_by().values_list("type", flat=True).distinct())
    told = ControlTotal.objects.filter(control__channel=control.channel_id, vendor_count__gt=0)
    types |= set(told.order_by().values_list("type", flat=True).distinct())
    rows = Transaction.objects.filter(channel=control.channel_id, business_date=control.day, type__in=types)
    if control.until < bounds(control.channel, control.day)[1]:
        rows = rows.filter(occurred_at__lt=control.until)  # the vendor was not asked for what came later
    same = listed.filter(type=OuterRef("type"), source_id=OuterRef("source_id"))
    return _sums(rows), _grouped(rows.exclude(Exists(same)).values_list("type", "currency", "source_id"))


def _recovered(before: ControlTotal | None, lacking: set[str], listed: Any) -> tuple[list[str], datetime | None]:
    """What was lacking and is here now, and since when; what the vendor lists no more is neither."""
    if before is None:
        return [], None
    back = {*before.missing, *before.differing} - lacking
    back = set(listed.filter(type=before.type, source_id__in=back).values_list("source_id", flat=True))
    if not back:
        return before.recovered, before.recovered_at
    return sorted({*before.recovered, *back}), timezone.now()


def _later(control: ControlDay) -> None:
    """Out of time: others that are due go first, then it goes on."""
    ControlDay.objects.filter(pk=control.pk, next_at__isnull=False).update(next_at=timezone.now())


def _postpone(control: ControlDay, error: str, *, seconds: float = 0.0, lasting: bool = False) -> None:
    """The comparison stays where it is, and goes on later; a gap that is known stays a gap."""
    wait = max(seconds, min(86_400.0, 60.0 * 2 ** min(control.attempts, 11)))
    over = lasting or control.attempts + 1 >= MOST_FAILURES
    ControlDay.objects.filter(pk=control.pk).update(
        state=ControlDay.State.FAILED,
        error=error[:500],
        attempts=F("attempts") + 1,
        next_at=None if over else timezone.now() + timedelta(seconds=wait),
    )


def _drop_progress(control: ControlDay) -> None:
    _save(control, since=None, until=None, step=0, cursor=None)


def _save(control: ControlDay, **values: Any) -> None:
    for name, value in values.items():
        setattr(control, name, value)
    ControlDay.objects.filter(pk=control.pk).update(**values)
