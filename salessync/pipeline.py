"""The life of a sale, from a stored event to books, stock and the way to Bookkeeper. On one page.

    capture → normalize → validate → store → tax → inventory → ledger → outbox → deliver

`drain` takes events from the inbox in batches; each batch goes through all stages in ONE database transaction, by a few
set-based statements a stage. Losing a worker at any point loses nothing: the batch's rows come back when their lease ends, and
unique keys make doing them again a no-op. A poison event is found by halving its batch until it is alone.
"""

import gc
import logging
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, transaction

from channels import adapter as adapters
from channels import arrivals, families, inbox, privacy, transactions, wishes
from channels.arrivals import Arrival
from channels.families import FamilyWork
from channels.family import waits_for_sale
from channels.inbox import Claimed, Outcome
from channels.transactions import Stored
from inventory import moves
from ledger import account_rules, journal, rates, settling, targets
from salessync.core import audit, nudge
from tax.assessment import assessing, assessments

logger = logging.getLogger(__name__)

BATCH = 500
LINGER_SECONDS = 0.06  # longer than a nudge is coalesced, so that an event whose nudge was spared is still met
POLL_SECONDS = 0.005


def drain(*, seconds: float = 20.0) -> int:
    """Process what is due until nothing has been for LINGER_SECONDS, or `seconds` are over; returns how many events."""
    done, deadline, idle_since = 0, time.monotonic() + seconds, None
    while (now := time.monotonic()) < deadline:
        taken = run_batch()
        done += taken
        if taken:
            idle_since = None
            continue
        idle_since = idle_since or now
        if now - idle_since >= LINGER_SECONDS:
            return done
        time.sleep(POLL_SECONDS)
    nudge.nudge(nudge.DRAIN_INBOX)
    return done


def run_batch(*, size: int = BATCH) -> int:
    """Claim and process one batch of fresh events and one event that was tried before; returns how many were claimed."""
    taken = 0
    gc.disable()  # a batch makes many objects and no cycles: collecting amid it took a fifth of its time
    try:
        fresh = inbox.claim(limit=size)
        if fresh.events:
            taken += len(fresh.events)
            process(fresh.events)
            inbox.release(fresh)
        if again := inbox.claim_again():
            taken += len(again)
            process(again)
        if not taken:
            taken += _for_persons()
    finally:
        gc.enable()
    return taken


def _for_persons() -> int:
    """When nothing else is due: privacy requests on paused channels, and what has not been searched yet for earlier ones."""
    if waiting := privacy.waiting():
        process(waiting)
    return len(waiting) or privacy.go_on()


def process(events: Sequence[Claimed]) -> None:
    """One batch, one transaction. Where it fails, halve it until the bad event is alone; its neighbours go on."""
    try:
        with transaction.atomic():
            done = _live(events)
    except (OperationalError, InterfaceError):
        inbox.put_back(events)  # the database's fault, not the events': they go again, one by one
        raise
    except Exception as error:
        if len(events) == 1:
            logger.exception("event %s could not be processed", events[0].id)
            inbox.fail(events[0], error)
            return
        logger.warning("a batch of %s failed (%s): looking for the event", len(events), type(error).__name__)
        half = len(events) // 2
        process(events[:half])
        process(events[half:])
        return
    if done.entries:
        nudge.nudge(nudge.PUSH_OUTBOX)
    if done.movements:
        nudge.nudge(nudge.PUSH_STOCK)


class Done(NamedTuple):
    """How much a batch has for those who tell others."""

    entries: int
    movements: int


def _live(events: Sequence[Claimed]) -> Done:
    """The stages, in the order in which a sale passes through them."""
    channels = arrivals.channel_facts(e.channel_id for e in events)
    heeded = privacy.heed(events, channels)  # whom we forgot is not stored again
    records, outcomes, wanted, asked = arrivals.read(events, channels, heeded.payloads)  # normalize and validate
    records, without_rate = rates.require(privacy.recognize(records, heeded.stripped))
    outcomes += without_rate
    entries: list[int] = []
    movements = 0
    if records:
        stored = transactions.store(records)
        works = families.touched(stored)
        assessments.record(stored)  # the taxes that were charged
        assessing.assess(works, stored)  # and what they should have been
        movements = moves.apply(works, stored.created)
        rules = account_rules.load({c.company_id for c in channels.values()})
        should_stand = targets.of_families(works, rules) + settling.of(settling.touched(stored, works), rules)
        entries = journal.post(
            should_stand, stored.created
        )  # the ledger, and with each entry its delivery to Bookkeeper
        fates = _outcomes(records, stored, works)
        outcomes += fates
        wanted += _parents(records, fates)
        _record_audit(stored)
        inbox.wake([w.key for w in works if w.family.sale] + sorted(stored.left))
    outcomes += privacy.carry_out(asked, channels)
    wishes.wish(wanted)  # what an event only named, and sales that others wait for
    inbox.finish(outcomes)
    return Done(len(entries), movements)


def _outcomes(records: Sequence[Arrival], stored: Stored, works: Sequence[FamilyWork]) -> list[Outcome]:
    """posted; or waiting, where all that an event brought says nothing until its sale is known; or ignored as outdated."""
    with_sale = {w.key for w in works if w.family.sale}
    with_sale |= families.known_sales({a.family for a in records if waits_for_sale(a.record)} - with_sale)
    found: dict[int, Outcome] = {}
    for a in records:
        if a.event_id in stored.stale:
            found[a.event_id] = Outcome(a.event_id, "ignored", reason="a newer version of it stands already")
        elif waits_for_sale(a.record) and a.family not in with_sale:
            found.setdefault(a.event_id, Outcome(a.event_id, "waiting", waiting_for=a.family))
        else:
            found[a.event_id] = Outcome(a.event_id, "posted")
    return list(found.values())


def _parents(records: Sequence[Arrival], fates: Sequence[Outcome]) -> Iterator[wishes.Wish]:
    """The sales that waiting refunds and charges belong to, where their vendor can be asked; they may still come by themselves."""
    waiting = {fate.event_id for fate in fates if fate.state == "waiting"}
    for a in records:
        if a.event_id in waiting and a.channel.asks:
            pointer = adapters.get(a.channel.adapter).parent(a.record)
            if pointer is not None:
                yield wishes.Wish(a.channel.id, pointer, wishes.PARENT_PATIENCE)


def _record_audit(stored: Stored) -> None:
    audit.record(
        (
            a.channel.company_id, "pipeline", "stored" if a.transaction_id in stored.created else "changed", "transaction",
            a.transaction_id, {"event": a.event_id, "version": a.record.source.version, "record": a.digest.hex()},
        )
        for a in stored.accepted
    )  # fmt: skip
