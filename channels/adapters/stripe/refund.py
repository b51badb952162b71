"""Refunds: money that goes back of a charge. Pure."""

from channels.adapter import Context
from channels.adapters.stripe.reading import Balance, Reader, Seen, extensions, inner, source
from channels.adapters.stripe.words import REFUND_RANK, REFUND_STATUS, TENDER_TYPE
from channels.reading import Json, text, word
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals
from salessync.core.problems import Problem


def refund_record(
    row: Json, where: str, seen: Seen, context: Context, problems: list[Problem], charge: Json | None = None
) -> Refund | None:
    """A refund as it stands; `charge` is the one that holds it."""
    reader = Reader(problems)
    identifier = reader.identifier(row.get("id"), where + "id")
    reader.currency = reader.read_currency(row.get("currency"), where + "currency")
    if not reader.currency:
        return None
    created = reader.moment(row, "created", where)
    amount = reader.magnitude(row, "amount", where)
    whole = charge if charge is not None else inner(row, "charge")
    paid_by = reader.linked(row, "charge", where) or reader.optional_id(whole.get("id"), where + "charge")
    balance = reader.balance(row, "balance_transaction", where)
    failure = reader.balance(row, "failure_balance_transaction", where)
    release = _is_release(row, whole, balance)
    status = "cancelled" if release else REFUND_STATUS.get(word(row.get("status")), "unknown")
    extra = _extensions(reader, row, where, balance, release=release)
    if created is None or reader.problems:
        return None
    day = reader.business_day(created, context.timezone, context.day_cut_hour)
    if reader.problems:
        return None
    return Refund(
        source=source(
            context, seen, identifier, [created, balance.at if balance else None, failure.at if failure else None],
            REFUND_RANK[status] * 10 + bool(whole), test=row.get("livemode") is False or whole.get("livemode") is False,
        ),
        occurred_at=created,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        extensions=extra,
        charge=paid_by,
        status=status,  # type: ignore[arg-type]
        reason=text(row.get("reason")),
        lines=[RefundLine(type="adjustment", net=amount)],
        tenders=_tenders(row, whole, identifier, paid_by, amount, _fee_returned(balance, reader.currency)),
        totals=RefundTotals(adjustment=amount, total=amount),
    )  # fmt: skip


def _is_release(row: Json, charge: Json, balance: Balance | None) -> bool:
    """What was authorized and never captured is given free as a refund too, though no money moves."""
    if row.get("reason") == "expired_uncaptured_charge" or (balance and balance.category == "partial_capture_reversal"):
        return True
    return charge.get("captured") is False and not charge.get("amount_captured")


def _tenders(
    row: Json, charge: Json, identifier: str, paid_by: str | None, amount: int, fee_returned: int
) -> list[RefundTender]:
    """One, where it is told what the money goes back to."""
    kind = word(inner(row, "destination_details").get("type")) or word(
        inner(charge, "payment_method_details").get("type")
    )
    if not kind:
        return []
    return [
        RefundTender(
            id=identifier,
            parent=paid_by,
            type=TENDER_TYPE.get(kind, "unknown"),  # type: ignore[arg-type]
            amount=amount,
            processor="stripe",
            reference=identifier,
            fee_returned=fee_returned,
        )
    ]


def _fee_returned(balance: Balance | None, currency: str) -> int:
    return max(0, -balance.fee) if balance and balance.currency == currency else 0


def _extensions(reader: Reader, row: Json, where: str, balance: Balance | None, *, release: bool) -> Json:
    return extensions(
        payment_intent=reader.linked(row, "payment_intent", where),
        failure_reason=text(row.get("failure_reason")),
        pending_reason=text(row.get("pending_reason")),
        release=release or None,
        balance={"currency": balance.currency, "net": balance.net} if balance else None,
    )
