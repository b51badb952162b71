"""A small shop's day, made by the real capture and the real pipeline, with everything in it that a page could stumble over."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from channels.capture import capture
from channels.models import Channel, Event
from inventory.models import Level, Listing, Product
from ledger.models import Delivery, Rate
from salessync import pipeline, setup
from salessync.core.models import Company

NASTY = '<script>alert("x")</script>&amp;\'"'


def shop() -> dict[str, Any]:
    """Company, two channels, a catalogue and a rate."""
    company = setup.bootstrap(currency="USD")
    main, _ = setup.create_channel(
        slug="main-shop", adapter="standard", secret="whsec_" + "c2VjcmV0" * 4, currency="USD", timezone="America/New_York",
        live_from=None,
    )  # fmt: skip
    berlin, _ = setup.create_channel(
        slug="berlin-till", adapter="standard", secret=None, currency="EUR", timezone="Europe/Berlin", live_from=None
    )
    Channel.objects.filter(pk=main.pk).update(country="US", region="NY")
    mug = Product.objects.create(company=company, sku="MUG-1", name="Mug", barcode="4006381333931", cost=450, currency="USD")
    for channel in (main, berlin):
        Listing.objects.create(channel=channel, product=mug, item_id="MUG-1")
    Level.objects.create(company=company, product=mug, location="L1", on_hand=3)
    Rate.objects.create(date="2020-01-01", from_currency="EUR", to_currency="USD", rate="1.1")
    main.refresh_from_db()
    return {"company": company, "main": main, "berlin": berlin, "mug": mug}


def sale(number: str, *, quantity: int = 1, sku: str = "MUG-1", currency: str = "USD", country: str | None = "US", name: str = "Mug",
         at: datetime | None = None, version: str = "1", **changes: Any) -> dict[str, Any]:  # fmt: skip
    """A canonical card sale of one line, 10.00 a piece and 8 % tax."""
    at = at or datetime.now(UTC) - timedelta(seconds=3)
    gross, tax = 1000 * quantity, 80 * quantity
    return {
        "schema": "salessync/1", "type": "sale",
        "source": {"id": f"id-{number}", "version": version, "number": number, "location": "L1"},
        "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "timezone": "UTC", "business_date": at.date().isoformat(),
        "currency": currency, "status": "completed", "payment_status": "paid",
        "jurisdiction": {"country": country, "region": "NY", "basis": "store"} if country else None,
        "lines": [
            {
                "id": "1", "type": "item", "sku": sku, "name": name, "quantity": str(quantity), "unit_price": "10.00",
                "gross": gross, "net": gross, "tax": tax,
                "taxes": [{"name": "State", "jurisdiction": "US-NY", "rate": "8", "amount": tax}],
            }
        ],
        "tenders": [
            {"id": f"t-{number}", "type": "card", "status": "captured", "amount": gross + tax, "processor": "stripe",
             "reference": f"ch_{number}", "card": {"brand": "visa", "last4": "4242"}}
        ],
        "totals": {"gross": gross, "net": gross, "tax": tax, "total": gross + tax, "paid": gross + tax, "due": 0},
    } | changes  # fmt: skip


def refund(number: str, *, of: str) -> dict[str, Any]:
    """One mug of the sale given back, restocked."""
    at = datetime.now(UTC)
    return {
        "schema": "salessync/1", "type": "refund",
        "source": {"id": f"id-{number}", "version": "1", "number": number, "location": "L1"},
        "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "timezone": "UTC", "business_date": at.date().isoformat(),
        "currency": "USD", "sale": f"id-{of}", "status": "succeeded",
        "lines": [
            {"line": "1", "type": "item", "quantity": "1", "net": 1000, "tax": 80, "restock": "return",
             "taxes": [{"name": "State", "jurisdiction": "US-NY", "rate": "8", "amount": 80}]}
        ],
        "tenders": [{"id": f"re-{number}", "parent": f"t-{of}", "type": "card", "amount": 1080, "processor": "stripe"}],
        "totals": {"net": 1000, "tax": 80, "total": 1080},
    }  # fmt: skip


def arrive(channel: Channel, body: dict[str, Any] | bytes, *, received_at: datetime | None = None) -> int:
    """Captured as a webhook would be; the event's id."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    delivery = f"d-{Event.objects.count() + 1}"
    return capture(
        channel=channel, headers={"webhook-id": delivery}, body=raw, mode="webhook", received_at=received_at or timezone.now()
    ).event_id


def day() -> dict[str, Any]:
    """Sales, a refund, an oversell, an unmapped item, a foreign currency, hostile text, and four events in quarantine."""
    scene = shop()
    main, berlin = scene["main"], scene["berlin"]
    arrive(main, sale("1001", quantity=2))
    arrive(main, sale("1002", quantity=4))  # takes more than there is
    arrive(main, sale("1003", sku="UNKNOWN-1", name=NASTY))
    arrive(main, sale(NASTY, sku=NASTY, name=NASTY))
    arrive(berlin, sale("B-1", currency="EUR"))
    pipeline.drain(linger=0)
    arrive(main, refund("R-1", of="1001"))
    scene["lacking"] = arrive(berlin, sale("B-2", currency="EUR", country=None))
    scene["lacking_too"] = arrive(berlin, sale("B-3", currency="EUR", country=None))
    scene["wrong"] = arrive(main, sale("1004", payment_status=NASTY))
    scene["broken"] = arrive(main, b'\x00\xff not json <img src=x onerror="alert(1)">')
    pipeline.drain(linger=0)
    acknowledge(scene["company"], leave=1)
    return scene


def acknowledge(company: Company, *, leave: int) -> None:
    """Bookkeeper has all entries but the newest `leave`."""
    due = list(Delivery.objects.filter(company_id=company.pk, state="due").order_by("-entry_id")[leave:])
    for delivery in due:
        Delivery.objects.filter(pk=delivery.pk).update(
            state="acknowledged", acknowledgement=f"ack-{delivery.pk}", acknowledged_at=timezone.now(), attempts=1
        )
