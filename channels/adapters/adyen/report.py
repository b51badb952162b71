"""The Settlement detail report, handed in as its rows: {"report": [{"Type": "Settled", …}, …]}. Pure.

A batch of one merchant account is a payout. Amounts are decimals in major units; credits and debits, costs apart, in the
currency of the settlement (NC), gross amounts in the payment's own (GC).
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from channels.adapter import Context
from channels.adapters.adyen.reading import Reader, card
from channels.adapters.adyen.words import PAYOUT_ROW, ROW, TENDER_TYPE, ZONE
from channels.canonical import AnyRecord
from channels.charge import Charge
from channels.payout import Payout, PayoutLine
from channels.reading import Json, stamp, word
from channels.record import Fee, Settlement, Source
from salessync.core import dates

COSTS = {
    "Commission (NC)": "commission",
    "Markup (NC)": "markup",
    "Scheme Fees (NC)": "scheme",
    "Interchange (NC)": "interchange",
    "Payment Fees (NC)": "payment",
}
COLUMNS = (
    "Merchant Account", "Batch Number", "Psp Reference", "Merchant Reference", "Payment Method", "Payment Method Variant",
    "Creation Date", "TimeZone", "Booking Date", "Booking Date TimeZone", "Type", "Modification Reference", "Gross Currency",
    "Gross Debit (GC)", "Gross Credit (GC)", "Exchange Rate", "Net Currency", "Net Debit (NC)", "Net Credit (NC)", *COSTS,
)  # fmt: skip


class Row(NamedTuple):
    """One row with its place in the report."""

    where: str
    number: int
    raw: Json


def report_records(rows: Any, context: Context) -> list[AnyRecord]:
    """A payout for each batch, and the charges that it settles, captured by whoever captured them."""
    reader = Reader()
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for number, raw in enumerate(reader.objects({"report": rows}, "report")):
        where = f"report[{number}]."
        key = (
            reader.identifier(raw.get("Merchant Account"), where + "Merchant Account"),
            reader.identifier(raw.get("Batch Number"), where + "Batch Number"),
            reader.read_currency(raw.get("Net Currency"), where + "Net Currency"),
        )
        groups.setdefault(key, []).append(Row(where, number, raw))
    if not groups:
        reader.refuse("EMPTY_REPORT", "report", "the report has no rows")
    reader.finish()
    records: list[AnyRecord] = []
    for (account, batch, currency), group in groups.items():
        reader.currency = currency
        records += _batch(reader, account, batch, group, context)
    reader.finish()
    return records


def _batch(reader: Reader, account: str, batch: str, rows: list[Row], context: Context) -> list[AnyRecord]:
    currency = reader.currency
    paid = [row for row in rows if row.raw.get("Type") == PAYOUT_ROW]
    others = [row for row in rows if row.raw.get("Type") != PAYOUT_ROW]
    last = paid[-1] if paid else rows[-1]
    at = _time(reader, last, context)
    identifier = f"{account}-{batch}-{currency}"
    amount = -sum(_net(reader, row) for row in paid)
    lines = [_line(reader, row) for row in others]
    reader.within_limit(abs(amount) + sum(abs(line.gross) + abs(line.net) for line in lines), "report")
    day = reader.business_day(at, context.timezone, context.day_cut_hour)
    payout = Payout(
        source=Source(
            channel=context.channel, adapter="adyen", id=identifier[:255], version=stamp(at), location=account
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=day,
        currency=currency,
        processor="adyen",
        status="paid",
        amount=amount,
        initiated_at=at,
        descriptor=f"batch {batch}"[:1000],
        lines=lines,
        residual=amount - sum(line.net for line in lines),
    )
    settled = [row for row in others if row.raw.get("Type") == "Settled"]
    return [payout, *(_charge(reader, row, account, identifier, at, context) for row in settled)]


def _time(reader: Reader, row: Row, context: Context) -> datetime:
    """When the row was booked, or else made; the report writes local times and names their zone beside."""
    booked = "Booking Date" if row.raw.get("Booking Date") else "Creation Date"
    zone = row.raw.get("Booking Date TimeZone" if booked == "Booking Date" else "TimeZone")
    value = row.raw.get(booked)
    try:
        naive = datetime.strptime(word(value), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 -- the zone stands in another column
        if type(zone) is str and zone in ZONE:
            return (naive - timedelta(hours=ZONE[zone])).replace(tzinfo=UTC)
        name = zone if type(zone) is str and zone else context.timezone
        return naive.replace(tzinfo=dates.zone(name)).astimezone(UTC)
    except dates.DateError as error:
        reader.refuse(error.code, row.where + "TimeZone", str(error))
    except (TypeError, ValueError, OverflowError):
        code = "MISSING_TIME" if not value else "BAD_TIME"
        reader.refuse(code, row.where + booked, f"{row.where}{booked} should be a time as 2026-09-01 10:00:00")
    return datetime(1970, 1, 1, tzinfo=UTC)


def _amount(reader: Reader, row: Row, column: str, currency: str = "") -> int:
    value = row.raw.get(column)
    return 0 if value is None or value == "" else reader.minor(value, row.where + column, currency)


def _net(reader: Reader, row: Row) -> int:
    return _amount(reader, row, "Net Credit (NC)") - _amount(reader, row, "Net Debit (NC)")


def _costs(reader: Reader, row: Row) -> dict[str, int]:
    found = {kind: _amount(reader, row, column) for column, kind in COSTS.items()}
    return {kind: amount for kind, amount in found.items() if amount}


def _line(reader: Reader, row: Row) -> PayoutLine:
    """The gross is the report's own where it is in the payout's currency, and what net and costs make of it elsewhere."""
    net, fee = _net(reader, row), sum(_costs(reader, row).values())
    gross = net + fee
    stated = any(row.raw.get(column) not in (None, "") for column in ("Gross Credit (GC)", "Gross Debit (GC)"))
    if stated and row.raw.get("Gross Currency") == reader.currency:
        gross = _amount(reader, row, "Gross Credit (GC)") - _amount(reader, row, "Gross Debit (GC)")
    kind = ROW.get(word(row.raw.get("Type")), "unknown")
    if kind == "reserve_hold" and net > 0:
        kind = "reserve_release"
    changed = reader.optional_id(row.raw.get("Modification Reference"), row.where + "Modification Reference")
    payment = reader.optional_id(row.raw.get("Psp Reference"), row.where + "Psp Reference")
    reference = changed or payment
    return PayoutLine(
        id=f"{row.number + 1}:{reference or word(row.raw.get('Type')) or 'row'}"[:255],
        category=kind,  # type: ignore[arg-type]
        gross=gross,
        fee=fee,
        net=net,
        reference=reference if kind in ("charge", "refund", "refund_failure", "dispute", "dispute_reversal") else None,
    )


def _charge(reader: Reader, row: Row, account: str, payout: str, at: datetime, context: Context) -> Charge:
    """A settled row is a capture: Adyen's own captures are told nowhere else."""
    raw, settled_in = row.raw, reader.currency
    payment = reader.identifier(raw.get("Psp Reference"), row.where + "Psp Reference")
    capture = reader.optional_id(raw.get("Modification Reference"), row.where + "Modification Reference") or payment
    currency = reader.read_currency(raw.get("Gross Currency"), row.where + "Gross Currency") or settled_in
    amount = _amount(reader, row, "Gross Credit (GC)", currency)
    costs = _costs(reader, row)
    happened = _time(reader, Row(row.where, row.number, {**raw, "Booking Date": None}), context)
    method = word(raw.get("Payment Method"))
    return Charge(
        source=Source(
            channel=context.channel,
            adapter="adyen",
            id=capture or "?",
            version=stamp(max(at, happened)),
            location=account,
        ),
        occurred_at=happened,
        timezone=context.timezone,
        business_date=reader.business_day(happened, context.timezone, context.day_cut_hour),
        currency=currency,
        extensions={"adyen": {"payment": payment}} if capture != payment else {},
        order_reference=reader.optional_id(raw.get("Merchant Reference"), row.where + "Merchant Reference"),
        tender_type=TENDER_TYPE.get(method, "unknown"),  # type: ignore[arg-type]
        status="captured",
        amount=reader.positive(amount, row.where + "Gross Credit (GC)"),
        captured=amount,
        reference=payment or None,
        card=card({"paymentMethod": method}),
        # costs are in the currency of the settlement: a charge in another one tells them by its settlement only
        fees=[Fee(type=kind, amount=cost) for kind, cost in costs.items()] if currency == settled_in else [],
        settlement=Settlement(
            currency=settled_in, amount=_net(reader, row), rate=_rate(raw.get("Exchange Rate")), payout=payout[:255]
        ),
    )


def _rate(value: Any) -> str | None:
    """The exchange rate as text; None where it is 1, or nothing that a rate could be."""
    rate = str(value) if isinstance(value, (str, int, Decimal)) else ""
    digits = rate.replace(".", "", 1)
    usable = digits.isascii() and digits.isdigit() and len(digits) <= 16 and rate[:1].isdigit() and rate[-1:].isdigit()
    return rate if usable and Decimal(rate) != 1 else None
