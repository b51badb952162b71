"""Shopify Payments payouts, with their balance transactions where the poller joined them, and disputes. Pure."""

from datetime import UTC, date, datetime, time
from typing import Any

from channels.adapter import Context
from channels.adapters.shopify.reading import Reader
from channels.adapters.shopify.words import (
    DISPUTE_KIND,
    DISPUTE_STATE,
    PAYOUT_LINE,
    PAYOUT_RANK,
    PAYOUT_STATUS,
)
from channels.dispute import Dispute
from channels.payout import Payout, PayoutLine
from channels.reading import Json, stamp
from channels.record import Source
from salessync.core import dates


def payout_record(raw: Any, transactions: Any, context: Context) -> Payout:
    """The payout; `transactions` None: its lines are not known here."""
    reader = Reader()
    payout = reader.object(raw, "payout")
    reader.finish()
    identifier = reader.identifier(payout.get("id"), "payout.id")
    reader.currency = reader.read_currency(payout.get("currency"), "payout.currency")
    day = _day(reader, payout.get("date"))
    if not reader.currency or day is None:
        reader.finish()
        raise AssertionError("what cannot be read is a problem")
    amount = reader.money(payout, "amount", "payout.")
    lines = None if transactions is None else _lines(reader, transactions, identifier)
    status = PAYOUT_STATUS.get(_word(payout, "status"), "unknown")
    at = _midnight(reader, day, context)
    reader.finish()
    return Payout(
        source=Source(
            channel=context.channel,
            adapter="shopify",
            id=identifier,
            # there is neither version nor time of change: the status orders them, and knowing the lines is more
            version=f"{PAYOUT_RANK[status]}{0 if lines is None else 1}",
            test=lines is not None and any(row.get("test") is True for row in transactions),
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        processor="shopify",
        status=status,  # type: ignore[arg-type]
        amount=amount,
        arrival_date=day,
        lines=lines,
        residual=None if lines is None else amount - sum(line.net for line in lines),
    )


def _word(parent: Json, key: str) -> str:
    value = parent.get(key)
    return value if type(value) is str else ""


def _day(reader: Reader, value: Any) -> date | None:
    """A date and no more; fromisoformat alone would take week dates too."""
    try:
        if type(value) is str and len(value) == 10 and value[4] == value[7] == "-":
            return date.fromisoformat(value)
    except ValueError:
        pass
    reader.refuse("MISSING_TIME" if value is None else "BAD_TIME", "payout.date", "the payout's date cannot be read")
    return None


def _midnight(reader: Reader, day: date, context: Context) -> datetime:
    """The payout has a date only: it happens as that day begins where the store is."""
    try:
        return datetime.combine(day, time(context.day_cut_hour), dates.zone(context.timezone)).astimezone(UTC)
    except dates.DateError as error:
        reader.refuse(error.code, "timezone", str(error))
    except OverflowError:
        reader.refuse("BAD_TIME", "payout.date", "the date is outside of the calendar")
    return datetime.combine(day, time(), UTC)


def _lines(reader: Reader, rows: Any, payout: str) -> list[PayoutLine]:
    found = []
    for index, row in enumerate(reader.objects({"transactions": rows}, "transactions")):
        where = f"transactions[{index}]."
        if row.get("type") == "payout":  # the payout's own line takes out what the others bring in
            continue
        if row.get("payout_id") is not None and str(row["payout_id"]) != payout:
            reader.refuse("WRONG_PAYOUT", where + "payout_id", "the line belongs to another payout")
        if row.get("currency") not in (None, reader.currency):
            reader.refuse("WRONG_CURRENCY", where + "currency", "the line is in another currency than its payout")
        found.append(_line(reader, row, where))
    return found


def _line(reader: Reader, row: Json, where: str) -> PayoutLine:
    gross, net = reader.money(row, "amount", where), reader.money(row, "net", where)
    fee = reader.maybe_money(row, "fee", where) or 0
    if gross - fee != net and gross + fee == net:  # adjustments have been seen with the fee's sign turned
        fee = -fee
    kind = PAYOUT_LINE.get(_word(row, "type"), "unknown")
    if kind == "reserve_hold" and gross > 0:
        kind = "reserve_release"
    source = row.get("source_order_transaction_id")
    if source is None:
        source = row.get("source_id")
    return PayoutLine(
        id=reader.identifier(row.get("id"), where + "id"),
        category=kind,  # type: ignore[arg-type]
        gross=gross,
        fee=fee,
        net=net,
        reference=reader.optional_id(source, where + "source_id"),
    )


def dispute_record(raw: Any, context: Context) -> Dispute:
    """An inquiry or chargeback as it stands."""
    reader = Reader()
    dispute = reader.object(raw, "$")
    reader.finish()
    identifier = reader.identifier(dispute.get("id"), "id")
    reader.currency = reader.read_currency(dispute.get("currency"), "currency")
    amount = reader.magnitude(dispute, "amount") if reader.currency else 0
    at = reader.instant(dispute.get("initiated_at"), "initiated_at")
    sale = reader.optional_id(dispute.get("order_id"), "order_id")
    moves = [reader.maybe_instant(dispute, key) for key in ("evidence_sent_on", "finalized_on")]
    due_by = reader.maybe_instant(dispute, "evidence_due_by")
    if at is None:
        reader.finish()
        raise AssertionError("a time that cannot be read is a problem")
    day = reader.business_day(at, context.timezone, context.day_cut_hour)
    reader.finish()
    return Dispute(
        source=Source(
            channel=context.channel,
            adapter="shopify",
            id=identifier,
            version=stamp(max([at, *(m for m in moves if m is not None)])),
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        sale=sale,
        kind=DISPUTE_KIND.get(_word(dispute, "type"), "unknown"),  # type: ignore[arg-type]
        state=DISPUTE_STATE.get(_word(dispute, "status"), "unknown"),  # type: ignore[arg-type]
        amount=amount,
        due_by=due_by,
    )
