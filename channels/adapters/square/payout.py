"""Square payouts, with their entries where the poller joined them, and disputes. Pure."""

from datetime import date
from typing import Any

from channels.adapter import Context
from channels.adapters.square.reading import Reader, known, later, source
from channels.adapters.square.words import (
    DISPUTE_STATE,
    INQUIRY,
    PAYOUT_LINE,
    PAYOUT_LINE_BACK,
    PAYOUT_METHOD,
    PAYOUT_STATUS,
)  # fmt: skip
from channels.dispute import Dispute
from channels.payout import Payout, PayoutLine
from channels.reading import Json, text, word

REFERENCES = ("refund_id", "dispute_id", "payment_id", "payout_id")  # of an entry's details, the most telling first


def payout_record(raw: Any, entries: Any, context: Context) -> Payout:
    """The payout; `entries` None: its lines are not known here."""
    reader = Reader()
    row = reader.object(raw, "payout")
    reader.finish()
    identifier = reader.identifier(row.get("id"), "payout.id")
    reader.find_currency([row.get("amount_money")], "payout.amount_money.currency")
    amount = reader.money(row, "amount_money", "payout.")
    at = reader.happened(row, "payout.")
    version = reader.version(row, at, "payout.")
    lines = _lines(reader, row, entries, identifier, amount) if reader.currency else None
    where_from = source(reader, row, "payout.", version if lines is None else later(version, 1), context)
    arrival = _day(reader, row.get("arrival_date"))
    day = reader.business_day(at, context.timezone, context.day_cut_hour)
    trace = reader.optional_id(row.get("end_to_end_id"), "payout.end_to_end_id")
    notes = _notes(reader, row)
    residual = None
    if lines is not None:
        residual = reader.within_limit(amount - sum(line.net for line in lines), "payout.amount_money")
    reader.finish()
    return Payout(
        source=where_from,
        occurred_at=at,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        extensions={"square": notes} if notes else {},
        processor="square",
        status=known(PAYOUT_STATUS, row.get("status")),  # type: ignore[arg-type]
        method=known(PAYOUT_METHOD, row.get("type")),  # type: ignore[arg-type]
        amount=amount,
        initiated_at=at,
        arrival_date=arrival,
        trace_id=trace,
        lines=lines,
        residual=residual,
    )


def _day(reader: Reader, value: Any) -> date | None:
    """A date and no more, or none; fromisoformat alone would take week dates too."""
    if value is None:
        return None
    try:
        if type(value) is str and len(value) == 10 and value[4] == value[7] == "-":
            return date.fromisoformat(value)
    except ValueError:
        pass
    reader.refuse("BAD_TIME", "payout.arrival_date", "the payout's arrival date cannot be read")
    return None


def _notes(reader: Reader, row: Json) -> Json:
    """The fee of an instant transfer is one of the payout's entries as well, so it is only told here."""
    notes: Json = {}
    fees = [
        reader.money(one, "amount_money", f"payout.payout_fee[{index}].")
        for index, one in enumerate(reader.objects(row, "payout_fee", "payout."))
    ]
    if fees:
        notes["payout_fee"] = sum(fees)
    kind = text(reader.parts(row, "destination", "payout.").get("type"))
    if kind:
        notes["destination"] = kind
    return notes


def _lines(reader: Reader, payout: Json, entries: Any, identifier: str, amount: int) -> list[PayoutLine] | None:
    if entries is None:
        return None
    rows = reader.objects({"payout_entries": entries}, "payout_entries")
    if not rows and payout.get("type") == "SIMPLE":  # it has no entries, and is one itself in a later payout
        return None
    found: list[PayoutLine] = []
    own: list[PayoutLine] = []
    for index, row in enumerate(rows):
        where = f"payout_entries[{index}]."
        if row.get("payout_id") is not None and row["payout_id"] != identifier:
            reader.refuse("WRONG_PAYOUT", where + "payout_id", "the entry belongs to another payout")
        line = _line(reader, row, where)
        found.append(line)
        if row.get("type") == "PAYOUT" and line.net == -amount:
            own.append(line)
    if (
        own and sum(line.net for line in found) - own[0].net == amount
    ):  # its own entry takes out what the others bring in
        found.remove(own[0])
    return found


def _line(reader: Reader, row: Json, where: str) -> PayoutLine:
    gross, net = reader.money(row, "gross_amount_money", where), reader.money(row, "net_amount_money", where)
    category = known(PAYOUT_LINE, row.get("type")) if row.get("type") is not None else "unknown"
    if gross > 0:
        category = PAYOUT_LINE_BACK.get(category, category)
    return PayoutLine(
        id=reader.identifier(row.get("id"), where + "id"),
        category=category,  # type: ignore[arg-type]
        gross=gross,
        fee=reader.maybe_money(row, "fee_amount_money", where) or 0,
        net=net,
        reference=_reference(reader, row, where),
        available_on=reader.maybe_instant(row, "effective_at", where),
    )


def _reference(reader: Reader, row: Json, where: str) -> str | None:
    key = f"type_{word(row.get('type')).casefold()}_details"
    if row.get(key) is None:
        key = next(
            (k for k in sorted(row) if k.startswith("type_") and k.endswith("_details") and row[k] is not None), key
        )
    details = reader.parts(row, key, where)
    told = next((name for name in REFERENCES if details.get(name) not in (None, "")), None)
    return reader.optional_id(details[told], f"{where}{key}.{told}") if told else None


def dispute_record(raw: Any, context: Context) -> Dispute:
    """An inquiry or chargeback as it stands."""
    reader = Reader()
    row = reader.object(raw, "dispute")
    reader.finish()
    if row.get("id") is None and row.get("dispute_id") is not None:  # the deprecated name
        row = row | {"id": row["dispute_id"]}
    reader.find_currency([row.get("amount_money")], "amount_money.currency")
    amount = reader.positive(reader.money(row, "amount_money"), "amount_money")
    at = reader.happened(row)
    where_from = source(reader, row, "", reader.version(row, at), context)
    due_by = reader.maybe_instant(row, "due_at")
    payment = reader.parts(row, "disputed_payment").get("payment_id")
    reference = reader.optional_id(payment, "disputed_payment.payment_id")
    day = reader.business_day(at, context.timezone, context.day_cut_hour)
    state = word(row.get("state"))
    reason = text(row.get("reason"))
    reader.finish()
    return Dispute(
        source=where_from,
        occurred_at=at,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        extensions={"square": {"reason": reason}} if reason else {},
        tender_reference=reference,
        kind="unknown" if not state else "inquiry" if state.startswith(INQUIRY) else "chargeback",
        state=DISPUTE_STATE.get(state.removeprefix(INQUIRY), "unknown"),  # type: ignore[arg-type]
        amount=amount,
        due_by=due_by,
    )
