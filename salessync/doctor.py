"""Looks at everything that a running system needs, and says of each thing how it is and what to do. Reads only, changes nothing.

A check that cannot be made is a finding too: whoever asks what is wrong gets an answer however much is wrong.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from celery import current_app
from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from channels import coverage, inbox
from channels.condition import State as ChannelState
from channels.models import Channel
from ledger import bookkeeper, open_items, outbox
from salessync import sealing
from salessync.core import access, rotation
from salessync.core.screens import between

GIB = 1 << 30
DISK_LOW, DISK_FULL = 5 * GIB, GIB // 2
CLOCK_OFF, CLOCK_WRONG = 2.0, 60.0  # seconds; signed webhooks tolerate 300
INBOX_SLOW, INBOX_STANDS = timedelta(minutes=1), timedelta(minutes=10)
OUTBOX_SLOW = timedelta(hours=1)
UNSEALED_LONG = timedelta(hours=1)
WORKERS_ANSWER = 1.0  # seconds to wait for them


class State(StrEnum):
    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


class Finding(NamedTuple):
    """What was looked at, how it is, and what a person should do where it is not well."""

    check: str
    state: State
    says: str
    do: str = ""


def examine() -> Iterator[Finding]:
    """Every check, one after the other; those of the database only where it answers."""
    yield from _safely("settings", _settings)
    yield from _safely("disk", _disk)
    yield from _safely("broker", _broker)
    found = list(_safely("database", _database))
    yield from found
    if found[0].state == State.FAIL:
        return
    for name, check in OF_THE_DATABASE:
        yield from _safely(name, check)


def _safely(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # whatever is broken must not hide the other findings
        said = str(error).partition("\n")[0][:300]
        yield Finding(
            name, State.FAIL, f"this could not be looked at ({type(error).__name__}: {said})", "see to the others first"
        )


def _graded(warn: bool, fail: bool) -> State:
    return State.FAIL if fail else State.WARN if warn else State.OK


# --- this machine


def _settings() -> Iterator[Finding]:
    said = checks.run_checks(include_deployment_checks=not settings.DEBUG)
    told = [one for one in said if one.level >= checks.WARNING and not one.is_silenced()]
    for one in told:
        state = _graded(warn=True, fail=one.level >= checks.ERROR)
        yield Finding("settings", state, f"{one.id}: {one.msg}".partition("\n")[0], one.hint or "change the setting")
    if settings.DEBUG:
        yield Finding(
            "settings", State.WARN, "DEBUG is on", "this is for development; elsewhere turn it off (.env.example)"
        )
    elif not told:
        yield Finding("settings", State.OK, "nothing is amiss")


def _disk() -> Iterator[Finding]:
    folder = next(one for one in (settings.DATA_DIR, *settings.DATA_DIR.parents) if one.exists())
    usage = shutil.disk_usage(folder)
    state = _graded(usage.free < DISK_LOW, usage.free < DISK_FULL)
    says = f"{usage.free / GIB:.1f} of {usage.total / GIB:.0f} GiB are free where DATA_DIR is ({folder})"
    yield Finding(
        "disk", state, says, "" if state == State.OK else "make room: a full disk stops the embedded database"
    )


def _broker() -> Iterator[Finding]:
    """Without it nothing is lost, but workers do not run."""
    try:
        with current_app.connection_for_write() as broker:
            broker.default_channel.client.ping()
    except Exception as error:  # a client raises what it likes
        do = "start Valkey or Redis, or see to REDIS_URL; meanwhile `process_inbox --loop` and `push_outbox --loop` do the work"
        yield Finding("broker", State.FAIL, f"the broker does not answer ({type(error).__name__})", do)
        return
    yield Finding("broker", State.OK, "the broker answers")
    names = sorted(name for answer in current_app.control.ping(timeout=WORKERS_ANSWER) for name in answer)
    if names:
        yield Finding("broker", State.OK, f"workers answer: {', '.join(names)}")
    else:
        yield Finding(
            "broker", State.WARN, "no worker answers", "start the workers (Procfile), or wait while they are busy"
        )


# --- the database


def _database() -> Iterator[Finding]:
    try:
        ((role, version, fsync),) = _rows(
            "SELECT current_user, current_setting('server_version'), current_setting('fsync')"
        )
    except DatabaseError as error:
        said = str(error).partition("\n")[0]
        yield Finding(
            "database", State.FAIL, f"the database does not answer: {said}", "start PostgreSQL, or see to DATABASE_URL"
        )
        return
    yield Finding("database", State.OK, f"PostgreSQL {version} answers {role}")
    if fsync == "off":
        yield Finding(
            "database", State.FAIL, "fsync is off: what was accepted may be lost", "set fsync = on in PostgreSQL"
        )


def _role() -> Iterator[Finding]:
    ((role,),) = _rows("SELECT current_user")
    if dangers := access.dangers(role):
        says = f"web and workers are {role}, who {' and '.join(dangers)}: the database could not refuse them a change of the books"
        do = "give DATABASE_URL a role of its own and DATABASE_OWNER_URL the owner, then `migrate` (docs/production.md)"
        yield Finding("role", State.WARN, says, do)
        return
    missing, surplus = access.differences(role)
    for grants, what in ((missing, "lack"), (surplus, "should not have")):
        if grants:
            some = ", ".join(sorted({f"{g.role or 'everybody'}: {g.privilege} on {g.relation}" for g in grants})[:2])
            says = f"the roles {what} {len(grants)} grants ({some} …)"
            yield Finding("role", State.FAIL, says, "run `migrate` as the owner: it sets them right")
    if not missing and not surplus:
        yield Finding("role", State.OK, f"{role} may change neither tables nor what only grows")


def _migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    waiting = [f"{m.app_label}.{m.name}" for m, _ in executor.migration_plan(graph.leaf_nodes())]
    ahead = [f"{app}.{name}" for app, name in executor.loader.applied_migrations if (app, name) not in graph.nodes]
    ahead = [name for name in ahead if name.partition(".")[0] in executor.loader.migrated_apps]
    if waiting:
        yield Finding("migrations", State.FAIL, f"{len(waiting)} are not applied, first {waiting[0]}", "run `migrate`")
    if ahead:
        says = f"the database has {len(ahead)} that this program does not know, such as {ahead[0]}"
        yield Finding("migrations", State.WARN, says, "this program is older than its database: install the newer one")
    if not waiting and not ahead:
        yield Finding("migrations", State.OK, "all are applied")


def _clock() -> Iterator[Finding]:
    before = datetime.now(UTC)
    ((there,),) = _rows("SELECT clock_timestamp()")
    after = datetime.now(UTC)
    off = abs((there - before - (after - before) / 2).total_seconds())
    state = _graded(off > CLOCK_OFF, off > CLOCK_WRONG)
    do = "" if state == State.OK else "set both clocks by NTP: signed webhooks are refused 300 s off"
    yield Finding("clock", state, f"this machine's and the database's are {off:.3f} s apart", do)


# --- the work


def _inbox() -> Iterator[Finding]:
    counts, oldest = inbox.depth()
    ((last,),) = _rows("SELECT max(finished_at) FROM channels_event WHERE state = 'posted'")
    worked = f"an event was posted {_ago(last)}" if last else "no event was ever posted"
    due = counts.get("new", 0) + counts.get("claimed", 0)
    if oldest is None:
        yield Finding("inbox", State.OK, f"nothing is due; {worked}")
    else:
        age = timezone.now() - oldest
        state = _graded(age > INBOX_SLOW, age > INBOX_STANDS)
        do = (
            ""
            if state == State.OK
            else "see whether `worker` runs and what it logs; `process_inbox --loop` does its work"
        )
        yield Finding("inbox", state, f"{due} events are due, the oldest for {_age(oldest)}; {worked}", do)
    looked_at = {state: counts[state] for state in ("quarantined", "dead") if counts.get(state)}
    if looked_at:
        says = " and ".join(f"{count} events are {state}" for state, count in looked_at.items())
        yield Finding("inbox", State.WARN, says, "look at Quarantine in the admin: each says what is wrong")


def _outbox() -> Iterator[Finding]:
    backlog = outbox.backlog()
    ((last,),) = _rows(
        "SELECT max(acknowledged_at) FROM (SELECT acknowledged_at FROM ledger_delivery ORDER BY entry_id DESC LIMIT 1000) d"
    )
    worked = f"Bookkeeper took one {_ago(last)}" if last else "Bookkeeper took none yet"
    left = backlog.due + backlog.waiting
    late = backlog.oldest_at is not None and timezone.now() - backlog.oldest_at > OUTBOX_SLOW
    if why := bookkeeper.why_not_configured():
        yield Finding(
            "outbox", State.WARN, f"{left} entries wait: {why}", "set it, or leave Bookkeeper to follow the API"
        )
    else:
        since = f", the oldest for {_age(backlog.oldest_at)}" if backlog.oldest_at else ""
        do = "see whether `worker-push` runs and what Bookkeeper answers (Deliveries in the admin)" if late else ""
        yield Finding(
            "outbox", _graded(late, False), f"{left} entries are on their way to Bookkeeper{since}; {worked}", do
        )
    if backlog.refused:
        says = f"Bookkeeper refuses {backlog.refused} entries"
        yield Finding("outbox", State.WARN, says, "see its reasons under Deliveries, then `requeue --state refused`")


def _vendors() -> Iterator[Finding]:
    ((last,),) = _rows("SELECT max(read_at) FROM channels_reading")
    if last:
        yield Finding("vendors", State.OK, f"a vendor's list was read {_ago(last)}")


def _seals() -> Iterator[Finding]:
    backlog = sealing.backlog()
    left = backlog.audit_rows + backlog.entries
    says = f"{backlog.audit_rows} audit rows and {backlog.entries} journal entries are not sealed"
    sealed = f"the last seal was made {_ago(backlog.sealed_at)}" if backlog.sealed_at else "none was ever made"
    begun = _rows("SELECT at FROM core_auditrow ORDER BY id LIMIT 1")
    since = backlog.sealed_at or (begun[0][0] if begun else None)
    long = bool(left) and since is not None and timezone.now() - since > UNSEALED_LONG
    do = "run `seal`, and see whether beat and `worker` run" if long else ""
    yield Finding("seals", _graded(long, False), f"{says}; {sealed}", do)


STATES = {ChannelState.BROKEN: State.FAIL, ChannelState.STALE: State.WARN, ChannelState.SILENT: State.WARN}


def _channels() -> Iterator[Finding]:
    stands = sorted(coverage.stands(list(Channel.objects.all())).values(), key=lambda one: one.channel.slug)
    live = sum(one.condition.state == ChannelState.LIVE for one in stands)
    yield Finding("channels", State.OK, f"{live} of {len(stands)} are live")
    for one in stands:
        if one.condition.state != ChannelState.LIVE:
            state = STATES.get(one.condition.state, State.OK)  # paused: a person wants it so
            do = "" if state == State.OK else f"see Channels › {one.channel.slug} in the admin"
            yield Finding(
                "channels", state, f"{one.channel.slug} is {one.condition.state}. {one.condition.sentence}", do
            )


def _clearing() -> Iterator[Finding]:
    late = open_items.alarming(timezone.localdate(), days=settings.CLEARING_ALARM_DAYS)
    for company, state in late:
        says = f"{company}: {state.items} items on {state.account} are open for up to {state.oldest} days"
        yield Finding("clearing", State.WARN, says, "see Reports › Open items: each says why")
    if not late:
        yield Finding("clearing", State.OK, f"no open item is older than {settings.CLEARING_ALARM_DAYS} days", "")


def _keys() -> Iterator[Finding]:
    counts = rotation.counts()
    unreadable = [name for one in counts for name in one.unreadable]
    old, known = sum(one.old for one in counts), len(settings.FIELD_ENCRYPTION_KEYS)
    if unreadable:
        says = f"no key of FIELD_ENCRYPTION_KEYS opens {len(unreadable)} secrets, such as {unreadable[0]}"
        yield Finding("keys", State.FAIL, says, "bring the lost key back, or enter these credentials anew")
    if old:
        says = f"{old} secrets still need a key that is not the newest"
        yield Finding("keys", State.WARN, says, "run `rotate_keys`")
    elif not unreadable:
        more = "" if known == 1 else "; the others are needed for older backups only"
        yield Finding("keys", State.OK, f"{sum(sum(one.by_key) for one in counts)} secrets need the newest key{more}")


OF_THE_DATABASE: Sequence[tuple[str, Callable[[], Iterator[Finding]]]] = (
    ("migrations", _migrations),
    ("role", _role),
    ("clock", _clock),
    ("inbox", _inbox),
    ("outbox", _outbox),
    ("vendors", _vendors),
    ("seals", _seals),
    ("clearing", _clearing),
    ("channels", _channels),
    ("keys", _keys),
)


def _rows(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _age(at: datetime) -> str:
    return between(at, timezone.now()).replace("\N{NO-BREAK SPACE}", " ")


def _ago(at: datetime) -> str:
    return f"{_age(at)} ago"
