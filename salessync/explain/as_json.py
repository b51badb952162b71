"""A chain for programs: amounts in minor units beside their currency, instants in UTC (RFC 3339)."""

from datetime import datetime
from typing import Any

import msgspec

from channels.models import Event, Transaction
from ledger.models import Delivery
from salessync.explain.chain import Chain, Hop, Member, Version
from salessync.explain.relatives import Paid
from tax.models import Assessment


def as_json(chain: Chain) -> dict[str, Any]:
    """One object; what is not known is null, what there is none of is an empty list."""
    return {
        "asked": _subject(chain.asked),
        "company": chain.company.slug,
        "base_currency": chain.company.base_currency,
        "transactions": [_member(chain, member) for member in chain.members],
        "entries": [_hop(chain, hop) for hop in chain.hops if not hop.summarized],
        "summarized": [_hop(chain, hop) for hop in chain.hops if hop.summarized],
        "payouts": _payouts(chain),
        "pays": [_paid(paid) for paid in chain.pays],
        "balances": [
            {"account": account, "currency": currency, "amount": amount}
            for (account, currency), amount in chain.balances.items()
        ],
        "audit": [
            {
                "id": row.pk, "at": _instant(row.at), "actor": row.actor, "action": row.action,
                "object": {"type": row.object_type, "id": row.object_id}, "data": row.data,
            }
            for row in chain.audit
        ],
    }  # fmt: skip


def _subject(t: Transaction | None) -> dict[str, Any] | None:
    """As other shapes name it: by the source's own id."""
    return {"type": t.type, "channel": t.channel.slug, "id": t.source_id, "number": t.number} if t else None


def _member(chain: Chain, member: Member) -> dict[str, Any]:
    t = member.transaction
    return {
        **(_subject(t) or {}),
        "transaction": t.pk,
        "status": t.status,
        "payment_status": t.payment_status,
        "total": t.total,
        "currency": t.currency,
        "occurred_at": _instant(t.occurred_at),
        "business_date": t.business_date.isoformat(),
        "location": t.location,
        "versions": [_version(v) for v in chain.versions if v.transaction.pk == t.pk],
        "lines": [
            {
                "id": x.line_id, "type": x.type, "sku": x.sku, "name": x.name, "quantity": _decimal(x.quantity),
                "gross": x.gross, "discount": x.discount, "net": x.net, "tax": x.tax,
            }
            for x in member.lines
        ],
        "taxes": [
            {
                "line": x.line_id, "code": x.code, "jurisdiction": x.jurisdiction, "rate": _decimal(x.rate),
                "amount": x.amount, "collector": x.collector,
            }
            for x in member.taxes
        ],
        "assessment": _assessment(member.assessment),
        "tenders": [
            {
                "id": x.tender_id, "type": x.type, "status": x.status, "amount": x.amount, "tip": x.tip,
                "processor": x.processor, "reference": x.reference, "card": x.card,
            }
            for x in member.tenders
        ],
        "movements": [
            {
                "id": m.pk, "sku": m.product.sku, "location": m.location, "line": m.line_id, "kind": m.kind,
                "on_hand": _decimal(m.on_hand), "reserved": _decimal(m.reserved), "cost": m.cost, "at": _instant(m.created_at),
            }
            for m in member.movements
        ],
    }  # fmt: skip


def _version(version: Version) -> dict[str, Any]:
    checked = version.problems
    return {
        "version": version.row.version,
        "current": version.current,
        "stored_at": _instant(version.row.created_at),
        "sha256": bytes(version.row.digest).hex(),
        "redacted_at": _instant(version.row.redacted_at),
        "checks": None if checked is None else [msgspec.structs.asdict(p) for p in checked],
        "event": _event(version.event) if version.event else None,
        "record": version.record,
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "id": event.pk,
        "channel": event.channel.slug,
        "mode": event.mode,
        "topic": event.topic,
        "received_at": _instant(event.received_at),
        "stored_at": _instant(event.stored_at),
        "finished_at": _instant(event.finished_at),
        "state": event.state,
        "copies": event.copies,
        "bytes": event.size,
        "sha256": bytes(event.body_sha256).hex(),
        "purged_at": _instant(event.purged_at),
    }


def _hop(chain: Chain, hop: Hop) -> dict[str, Any]:
    entry = hop.entry
    return {
        "entry": entry.seq if entry else None,
        "date": entry.date.isoformat() if entry else None,
        "business_date": hop.row.business_date.isoformat(),
        "source": _subject(hop.transaction),
        "posted_at": _instant(hop.row.created_at),
        "postings": [
            {
                "account": p.account.code, "amount": p.amount, "currency": p.currency, "base_amount": p.base_amount,
                "location": p.location, "tax_code": p.tax_code, "category": p.category, "path": p.path,
                "record": _origin(chain, hop, p.path),
            }
            for p in hop.postings
        ],
        "delivery": _delivery(hop.delivery),
    }  # fmt: skip


def _origin(chain: Chain, hop: Hop, path: str) -> dict[str, Any] | None:
    """Where in which record the amount stands; null where the path leads elsewhere (a line's cost is the stock's)."""
    found = chain.origin(hop, path)
    if found is None or not found.place.exact:
        return None
    version = found.version.row.version if found.version else found.transaction.version
    return {
        "source": _subject(found.transaction), "version": version, "place": found.place.path, "value": found.place.value,
    }  # fmt: skip


def _delivery(delivery: Delivery | None) -> dict[str, Any] | None:
    if delivery is None:
        return None
    return {
        "state": delivery.state,
        "attempts": delivery.attempts,
        "acknowledgement": delivery.acknowledgement,
        "acknowledged_at": _instant(delivery.acknowledged_at),
        "error": delivery.error,
    }


def _payouts(chain: Chain) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for paid in chain.paid_by:
        t = paid.payout
        payout = found.setdefault(t.pk, {
            **(_subject(t) or {}), "transaction": t.pk, "status": t.status, "amount": t.total, "currency": t.currency,
            "business_date": t.business_date.isoformat(), "lines": [],
            "entries": [_hop(chain, hop) for hop in chain.settling if hop.transaction.pk == t.pk],
        })  # fmt: skip
        payout["lines"].append(_paid(paid))
    return list(found.values())


def _paid(paid: Paid) -> dict[str, Any]:
    line = paid.line
    return {
        "id": line.line_id, "category": line.category, "gross": line.gross, "fee": line.fee, "net": line.net,
        "currency": paid.payout.currency, "reference": line.reference, "of": _subject(paid.of), "sale": _subject(paid.sale),
    }  # fmt: skip


def _instant(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None


def _decimal(value: Any) -> str | None:
    return f"{value.normalize():f}" if value is not None else None


def _assessment(found: Assessment | None) -> dict[str, Any] | None:
    """Our tax beside the channel's; minor units of the transaction's currency."""
    if found is None:
        return None
    return {
        "provider": found.provider, "book": found.book_id, "treatment": found.treatment, "verdict": found.verdict or None,
        "computed": found.computed, "charged": found.charged, "message": found.message,
    }  # fmt: skip
