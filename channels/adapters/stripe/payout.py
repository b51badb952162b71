"""Payouts, with their balance transactions where the poller joined them. Pure."""

from datetime import date, datetime
from typing import Any

from channels.adapter import Context
from channels.adapters.stripe.reading import Reader, Seen, extensions, inner, source
from channels.adapters.stripe.words import CATEGORY, PAYOUT_RANK, PAYOUT_STATUS, TYPE
from channels.payout import Payout, PayoutLine
from channels.reading import Json, text, word
from salessync.core.problems import Problem

METHOD = {True: "automatic", False: "manual"}


def payout_record(
    row: Json, transactions: Any, where: str, seen: Seen, context: Context, problems: list[Problem]
) -> Payout | None:
    """The payout; `transactions` is a list object of Stripe's, None where its lines are not known here."""
    reader = Reader(problems)
    identifier = reader.identifier(row.get("id"), where + "id")
    reader.currency = reader.read_currency(row.get("currency"), where + "currency")
    if not reader.currency:
        return None
    amount = reader.money(row, "amount", where)
    created = reader.moment(row, "created", where)
    arrival = reader.maybe_moment(row, "arrival_date", where)
    status = PAYOUT_STATUS.get(word(row.get("status")), "unknown")
    lines = None if transactions is None else _lines(reader, transactions, row, identifier)
    extra = _extensions(reader, row, where)
    if created is None or reader.problems:
        return None
    day = reader.business_day(created, context.timezone, context.day_cut_hour)
    residual = None if lines is None else reader.within_limit(amount - sum(one.net for one in lines), where + "amount")
    if reader.problems:
        return None
    automatic = row.get("automatic")
    return Payout(
        source=source(
            context, seen, identifier, [created], PAYOUT_RANK[status] * 10 + (lines is not None),
            test=row.get("livemode") is False,
        ),
        occurred_at=created,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        extensions=extra,
        processor="stripe",
        status=status,  # type: ignore[arg-type]
        method=METHOD[automatic] if type(automatic) is bool else "unknown",  # type: ignore[arg-type]
        amount=amount,
        initiated_at=created,
        arrival_date=_day(arrival),
        trace_id=text(inner(row, "trace_id").get("value")),
        descriptor=text(row.get("statement_descriptor")) or text(row.get("description")),
        lines=lines,
        residual=residual,
    )  # fmt: skip


def _day(at: datetime | None) -> date | None:
    """Stripe gives a date as its midnight in UTC, whatever the account's own zone."""
    return at.date() if at else None


def _lines(reader: Reader, transactions: Any, payout: Json, identifier: str) -> list[PayoutLine] | None:
    held = reader.object(transactions, "balance_transactions")
    rows = reader.objects(held, "data", "balance_transactions.")
    if held.get("has_more") is True:
        reader.refuse(
            "INCOMPLETE_LIST", "balance_transactions.has_more", "only a part of what the payout pays is listed here"
        )
    if not rows and (payout.get("automatic") is False or payout.get("reconciliation_status") == "in_progress"):
        return None  # Stripe does not tell what a manual payout pays, nor yet what this one does
    found = []
    for index, row in enumerate(rows):
        where = f"balance_transactions.data[{index}]."
        about = reader.linked(row, "source", where)
        if row.get("type") == "payout" and about in (None, identifier):
            continue  # the payout's own line takes out what the others bring in
        found.append(_line(reader, row, where, about))
    return found


def _line(reader: Reader, row: Json, where: str, about: str | None) -> PayoutLine:
    if reader.read_currency(row.get("currency"), where + "currency") not in ("", reader.currency):
        reader.refuse("WRONG_CURRENCY", where + "currency", "the line is in another currency than its payout")
    gross = reader.money(row, "amount", where)
    return PayoutLine(
        id=reader.identifier(row.get("id"), where + "id") or "?",
        category=_category(row, gross),  # type: ignore[arg-type]
        gross=gross,
        fee=0 if row.get("fee") is None else reader.money(row, "fee", where),
        net=reader.money(row, "net", where),
        reference=about,
        available_on=reader.maybe_moment(row, "available_on", where),
    )


def _category(row: Json, gross: int) -> str:
    """By the category for accounting; a reserve is held where money goes and released where it comes."""
    category, kind = word(row.get("reporting_category")), word(row.get("type"))
    found = CATEGORY.get(category, "unknown") if category else TYPE.get(kind, "unknown")
    if found == "reserve":
        return "reserve_release" if gross > 0 else "reserve_hold"
    return found


def _extensions(reader: Reader, row: Json, where: str) -> Json:
    return extensions(
        original_payout=reader.linked(row, "original_payout", where),
        reversed_by=reader.linked(row, "reversed_by", where),
        failure_code=text(row.get("failure_code")),
        reconciliation_status=text(row.get("reconciliation_status")),
        speed=text(row.get("method")),
    )
