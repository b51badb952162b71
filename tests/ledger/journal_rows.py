"""Journal entries for tests, written row by row: a company, a channel, and balanced entries with their deliveries."""

import itertools
import json
from datetime import date

from django.db import transaction

from channels.models import Channel, Transaction, TransactionVersion
from ledger import accounts
from ledger.models import Account, Delivery, JournalEntry, Posting
from salessync.core.models import Company

_numbers = itertools.count(1)


def company(slug="acme", base_currency="USD") -> Company:
    return Company.objects.get_or_create(slug=slug, defaults={"name": f"{slug} Ltd", "base_currency": base_currency})[0]


def channel(slug="main-shop", *, of: Company | None = None) -> Channel:
    of = of or company()
    return Channel.objects.get_or_create(slug=slug, defaults={"company": of, "adapter": "standard", "currency": "USD"})[
        0
    ]


def account(code: str, of: Company) -> Account:
    defaults = {"name": accounts.name_of(code), "kind": accounts.kind_of(code)}
    return Account.objects.get_or_create(company=of, code=code, defaults=defaults)[0]


def sale_legs(total=1088, tax=88, currency="USD"):
    """(account, amount, currency, base amount, dimensions)."""
    return [
        ("Assets:Clearing:Stripe", total, currency, total, {"path": "tenders/t1"}),
        (
            "Income:Sales",
            -(total - tax),
            currency,
            -(total - tax),
            {"path": "lines/1/gross", "category": "general"},
        ),
        ("Liabilities:Tax-payable", -tax, currency, -tax, {"path": "lines/1/taxes/0", "tax_code": "US-NY"}),
    ]


def record(source_id: str, kind="sale", padding=0, on="main-shop") -> bytes:
    """Enough of a canonical record for Bookkeeper."""
    body = {"schema": "salessync/1", "type": kind, "source": {"channel": on, "id": source_id, "version": "1"}}
    return json.dumps(body | ({"extensions": {"x": "y" * padding}} if padding else {})).encode()


def entry(
    legs=None, *, day=date(2026, 9, 1), on: Channel | None = None, padding=0, number=None, source_id=None
) -> JournalEntry:
    """One sale with one journal entry, due for Bookkeeper."""
    on = on or channel()
    legs = legs or sale_legs()
    n = next(_numbers)
    source_id = source_id or f"S{n}"
    with transaction.atomic():
        of = Company.objects.select_for_update().get(pk=on.company_id)
        of.feed_seq += 1
        of.save(update_fields=["feed_seq"])
        sale = Transaction.objects.create(
            company_id=of.pk, channel=on, type="sale", source_id=source_id, family=f"{on.pk}:{source_id}", number=number, version="1",
            version_order="1", version_id=0, status="completed", currency=legs[0][2], total=0,
            occurred_at="2026-09-01T10:00:00Z", business_date=day,
        )  # fmt: skip
        version = TransactionVersion.objects.create(
            company_id=of.pk, transaction=sale, version="1", digest=n.to_bytes(32), event_id=0,
            record=record(source_id, padding=padding, on=on.slug),
        )  # fmt: skip
        Transaction.objects.filter(pk=sale.pk).update(version_id=version.pk)
        made = JournalEntry.objects.create(
            company=of,
            seq=of.feed_seq,
            transaction=sale,
            sequence=1,
            version_id=version.pk,
            date=day,
            business_date=day,
            legs=len(legs),
        )
        Posting.objects.bulk_create(
            Posting(
                entry=made, leg=leg, company_id=of.pk, transaction=sale, account=account(code, of), amount=amount,
                currency=currency, base_amount=base, channel=on, **dimensions,
            )
            for leg, (code, amount, currency, base, dimensions) in enumerate(legs, 1)
        )  # fmt: skip
        Delivery.objects.create(entry=made, company_id=of.pk)
    return made


def make_due() -> None:
    """As if the time until the next attempt had passed."""
    Delivery.objects.filter(state="due").update(next_attempt_at="2020-01-01T00:00:00Z")
