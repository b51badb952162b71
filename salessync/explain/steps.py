"""The stages that a version went through, each with its time and who did it; what has not happened yet has no time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from channels.models import Event
from ledger.models import Delivery
from salessync.core.screens import between, money, quantity
from salessync.explain.chain import Chain, Hop, Member, Version


class Step(NamedTuple):
    """One stage; `after` is the time since the stage before."""

    name: str
    at: datetime | None
    by: str
    note: str
    after: str = ""


def of(chain: Chain, version: Version) -> list[Step]:
    """From the bytes that came to the payout, in the order of the work."""
    found: list[Step] = []
    before: datetime | None = None
    for step in _all(chain, version):
        later = before and step.at and step.at > before
        found.append(step._replace(after=between(before, step.at) if later else ""))
        before = step.at or before
    return found


def _all(chain: Chain, version: Version) -> Iterator[Step]:
    member = next(m for m in chain.members if m.transaction.pk == version.transaction.pk)
    hops = [h for h in chain.hops if h.transaction.pk == version.transaction.pk and h.row.version_id == version.row.pk]
    if version.transaction.type == "summary":
        note = f"{version.record['details']} differences of {version.record['transactions']} transactions"
        yield Step("Summed up", version.row.created_at, "pipeline", note)
    else:
        yield from _received(version.event)
        yield _checked(chain, version)
    if version.transaction.type in ("sale", "refund"):
        yield _taxed(version, member)
        yield _moved(chain, version, member)
    yield _posted(version, hops)
    if hops:
        yield from _delivered(
            [hop.delivery for hop in hops if hop.delivery], waiting=any(h.entry is None for h in hops)
        )
    yield from _paid(chain, version)


def _received(event: Event | None) -> Iterator[Step]:
    if event is None:
        yield Step("Received", None, "", "its event is no longer stored")
        return
    yield Step("Received", event.received_at, event.channel.slug, f"{event.get_mode_display()} {event.topic}")
    yield Step(
        "Stored", event.stored_at, "capture", f"came {event.copies} times, kept once" if event.copies > 1 else ""
    )


def _checked(chain: Chain, version: Version) -> Step:
    """The record is written by the work that checks it; the verdict is today's."""
    actor = next(
        (
            row.actor
            for row in chain.audit
            if row.object_id == version.transaction.pk and row.data.get("event") == version.row.event_id
        ),
        "pipeline" if version.event else "",
    )
    codes = ", ".join(dict.fromkeys(p.code for p in version.problems or ()))
    return Step("Checked", version.row.created_at, actor, codes or "every check holds")


def _taxed(version: Version, member: Member) -> Step:
    if not version.current:
        return Step("Taxed", version.row.created_at, "pipeline", "as a later version says it")
    total = money(sum(tax.amount for tax in member.taxes), version.transaction.currency)
    codes = len({tax.code for tax in member.taxes})
    note = f"{codes} tax code{'s' if codes > 1 else ''}, {total}" if codes else "no tax"
    if member.assessment and member.assessment.verdict:
        note += f"; compared with the law: {member.assessment.verdict.replace('_', ' ')}"
    return Step("Taxed", version.row.created_at, "pipeline", note)


def _moved(chain: Chain, version: Version, member: Member) -> Step:
    """What moved from this version until the next came."""
    starts = [v.row.created_at for v in chain.versions if v.transaction.pk == version.transaction.pk]
    until = min((at for at in starts if at > version.row.created_at), default=None)
    own = [
        m for m in member.movements if version.row.created_at <= m.created_at and (not until or m.created_at < until)
    ]
    parts = [f"{signed(m.on_hand or -m.reserved)} {m.product.sku}{'' if m.on_hand else ' reserved'}" for m in own]
    note = ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")
    return Step("Stock", own[0].created_at if own else version.row.created_at, "pipeline", note or "nothing moved")


def signed(value: object) -> str:
    """+1, −2.5."""
    text = quantity(value)
    return text if text.startswith("−") or text == "0" else f"+{text}"


def _posted(version: Version, hops: Sequence[Hop]) -> Step:
    made_at = hops[-1].row.created_at if hops else version.row.created_at
    finished_at = version.event.finished_at if version.event else None
    # of an event that was replayed since, the end of the replay says nothing about the first time
    at = finished_at if finished_at and finished_at - made_at < timedelta(minutes=1) else made_at
    entries = ", ".join(str(hop.entry.seq) for hop in hops if hop.entry)
    if any(hop.summarized for hop in hops):
        return Step("Posted", at, "pipeline", f"in summary {entries}" if entries else "gathered, for the next summary")
    if hops:
        return Step("Posted", at, "pipeline", f"entry {entries}")
    if version.event and version.event.state == Event.State.WAITING:
        return Step("Posted", None, "", "not yet: it waits for its sale")
    return Step("Processed", at, "pipeline", "moved nothing in the journal")


def _delivered(deliveries: Sequence[Delivery], *, waiting: bool) -> Iterator[Step]:
    """One request delivers and is answered with the receipt."""
    open_ = [d for d in deliveries if d.state != Delivery.State.ACKNOWLEDGED]
    if waiting or open_ or not deliveries:
        state = open_[0].error or open_[0].get_state_display().lower() if open_ else "not queued"
        note = "with its summary" if waiting and not open_ else f"not yet: {state}"
        yield Step("Delivered", None, "", note)
        yield Step("Acknowledged", None, "", "")
        return
    at = max(d.acknowledged_at for d in deliveries)
    attempts = max(d.attempts for d in deliveries)
    yield Step("Delivered", at, "outbox", f"at attempt {attempts}" if attempts > 1 else "at once")
    yield Step("Acknowledged", at, "Bookkeeper", ", ".join(d.acknowledgement for d in deliveries))
    seen = [d.seen_at for d in deliveries if d.seen_at]
    if len(seen) == len(deliveries):
        yield Step("Read back", max(seen), "Bookkeeper", "it holds what was sent")


def _paid(chain: Chain, version: Version) -> Iterator[Step]:
    """By the payouts so far. A bank line will be the step after it."""
    t = version.transaction
    if not version.current:
        return
    nets: dict[int, int] = {}
    for paid in chain.paid_by:
        if t.pk in (paid.of.pk if paid.of else None, paid.sale.pk if paid.sale else None):
            nets[paid.payout.pk] = nets.get(paid.payout.pk, 0) + paid.line.net
    payouts = {paid.payout.pk: paid.payout for paid in chain.paid_by}
    for id_, net in nets.items():
        payout = payouts[id_]
        amounts = f"{money(net, payout.currency)} of {money(payout.total, payout.currency)}"
        yield Step("Payout", payout.occurred_at, payout.channel.slug, f"{payout.number or payout.source_id}: {amounts}")
