"""Summary entries for tests, written row by row: one journal entry that took in the details of many sales."""

from datetime import date

from django.db import transaction

from channels.models import Channel, Transaction
from ledger.models import Detail, DetailPosting, JournalEntry
from tests.ledger import journal_rows


def entry(sales: list[list[tuple]], *, day: date, on: Channel) -> JournalEntry | None:
    """`sales`: the legs of each, as journal_rows has them. The entry has their sums; none, where they cancel each other out."""
    sums: dict[tuple, list[int]] = {}
    for legs in sales:
        for code, amount, currency, base, more in legs:
            found = sums.setdefault(
                (code, currency, more.get("location"), more.get("tax_code"), more.get("category")), [0, 0]
            )
            found[0], found[1] = found[0] + amount, found[1] + base
    summed = [
        (
            code,
            amount,
            currency,
            base,
            {"location": place, "tax_code": tax, "category": category, "path": "details"},
        )
        for (code, currency, place, tax, category), (amount, base) in sums.items()
        if amount or base
    ]
    if len(summed) < 2:
        return None
    with transaction.atomic():
        made = journal_rows.entry(summed, day=day, on=on)
        Transaction.objects.filter(pk=made.transaction_id).update(type="summary")
        for number, legs in enumerate(sales):
            _detail(legs, made, on, f"{made.seq}-{number}", day)
    return made


def _detail(legs: list[tuple], of: JournalEntry, on: Channel, source_id: str, day: date) -> None:
    sold = Transaction.objects.create(
        company_id=on.company_id, channel=on, type="sale", source_id=source_id, family=f"{on.pk}:{source_id}", version="1",
        version_order="1", version_id=0, status="completed", currency=legs[0][2], total=0, occurred_at="2026-09-01T10:00:00Z",
        business_date=day,
    )  # fmt: skip
    detail = Detail.objects.create(
        company_id=on.company_id, channel=on, transaction=sold, sequence=1, version_id=0, business_date=day, legs=len(legs),
        entry=of,
    )  # fmt: skip
    DetailPosting.objects.bulk_create(
        DetailPosting(
            detail=detail, leg=leg, account=journal_rows.account(code, on.company), amount=amount, currency=currency,
            base_amount=base, **dimensions,
        )
        for leg, (code, amount, currency, base, dimensions) in enumerate(legs, 1)
    )  # fmt: skip
