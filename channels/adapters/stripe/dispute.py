"""Disputes: a bank's inquiry, or a chargeback that takes the money back until it is decided. Pure."""

from typing import Any

from channels.adapter import Context
from channels.adapters.stripe.reading import Balance, Reader, Seen, extensions, inner, source
from channels.adapters.stripe.words import DISPUTE_RANK, DISPUTE_STATE, INQUIRY_STATE
from channels.dispute import Dispute
from channels.reading import Json, text, word
from salessync.core.problems import Problem


def dispute_record(row: Json, where: str, seen: Seen, context: Context, problems: list[Problem]) -> Dispute | None:
    """An inquiry or chargeback as it stands."""
    reader = Reader(problems)
    identifier = reader.identifier(row.get("id"), where + "id")
    reader.currency = reader.read_currency(row.get("currency"), where + "currency")
    if not reader.currency:
        return None
    created = reader.moment(row, "created", where)
    amount = reader.magnitude(row, "amount", where)
    moves = _moves(reader, row, where)
    due_by = reader.maybe_moment(inner(row, "evidence_details"), "due_by", where + "evidence_details.")
    reference = reader.linked(row, "charge", where)
    kind, state = _kind_and_state(word(row.get("status")))
    fee = reader.within_limit(max(0, sum(one.fee for one in moves if one.currency == reader.currency)), where + "fee")
    extra = _extensions(reader, row, where, moves)
    if created is None or reader.problems:
        return None
    day = reader.business_day(created, context.timezone, context.day_cut_hour)
    if reader.problems:
        return None
    return Dispute(
        source=source(
            context, seen, identifier, [created, *(one.at for one in moves)], DISPUTE_RANK[state],
            test=row.get("livemode") is False or inner(row, "charge").get("livemode") is False,
        ),
        occurred_at=created,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        extensions=extra,
        tender_reference=reference,
        kind=kind,  # type: ignore[arg-type]
        state=state,  # type: ignore[arg-type]
        amount=amount,
        fee=fee,
        due_by=due_by,
    )  # fmt: skip


def _kind_and_state(status: str) -> tuple[str, str]:
    if status.startswith("warning_"):
        return "inquiry", INQUIRY_STATE.get(status, "unknown")
    return "chargeback", DISPUTE_STATE.get(status, "unknown")


def _moves(reader: Reader, row: Json, where: str) -> list[Balance]:
    """What was withdrawn and given back, in the settlement currency."""
    rows = reader.objects(row, "balance_transactions", where)
    found = [reader.balance({"": one}, "", f"{where}balance_transactions[{i}]") for i, one in enumerate(rows)]
    return [one for one in found if one is not None]


def _extensions(reader: Reader, row: Json, where: str, moves: list[Balance]) -> Json:
    card = inner(inner(row, "payment_method_details"), "card")
    abroad: list[dict[str, Any]] = [
        {"currency": one.currency, "net": one.net, "fee": one.fee} for one in moves if one.currency != reader.currency
    ]
    return extensions(
        payment_intent=reader.linked(row, "payment_intent", where),
        reason=text(row.get("reason")),
        case_type=text(card.get("case_type")),
        network_reason_code=text(card.get("network_reason_code")),
        balance=abroad,
    )
