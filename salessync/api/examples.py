"""Requests that the API takes, for its documentation; the tests send them."""

from typing import Any

SOURCE = {"channel": "till-1", "id": "2026-000123", "version": "1", "register": "front"}

SALE: dict[str, Any] = {
    "type": "sale",
    "source": SOURCE,
    "occurred_at": "2026-09-01T10:00:00Z",
    "timezone": "America/New_York",
    "currency": "USD",
    "status": "completed",
    "payment_status": "paid",
    "jurisdiction": {"country": "US", "region": "NY", "basis": "store"},
    "lines": [
        {
            "id": "1", "type": "item", "sku": "MUG", "name": "Mug", "quantity": "2", "unit_price": "10.00", "gross": 2000,
            "discount": 200, "net": 1800, "tax": 72,
            "taxes": [{"name": "NY State", "jurisdiction": "US-NY", "rate": "4.0", "amount": 72}],
        }
    ],
    "tenders": [
        {"id": "1", "type": "cash", "status": "captured", "amount": 1872, "tendered": 2000, "change": 128}
    ],
    "totals": {"gross": 2000, "discount": 200, "net": 1800, "tax": 72, "total": 1872, "paid": 1872, "due": 0},
}  # fmt: skip

REFUND: dict[str, Any] = {
    "type": "refund",
    "source": SOURCE | {"id": "2026-000124"},
    "occurred_at": "2026-09-01T11:30:00Z",
    "timezone": "America/New_York",
    "currency": "USD",
    "sale": "2026-000123",
    "status": "succeeded",
    "lines": [
        {
            "line": "1", "type": "item", "quantity": "1", "net": 900, "tax": 36, "restock": "return",
            "taxes": [{"name": "NY State", "jurisdiction": "US-NY", "rate": "4.0", "amount": 36}],
        }
    ],
    "tenders": [{"id": "1", "type": "cash", "amount": 936}],
    "totals": {"net": 900, "tax": 36, "total": 936},
}  # fmt: skip

CASH_SESSION: dict[str, Any] = {
    "type": "cash_session",
    "source": SOURCE | {"id": "2026-09-01-front"},
    "occurred_at": "2026-09-01T08:00:00Z",
    "timezone": "America/New_York",
    "currency": "USD",
    "status": "counted",
    "opened_at": "2026-09-01T08:00:00Z",
    "closed_at": "2026-09-01T20:00:00Z",
    "opening_float": 10000,
    "takings": 936,
    "expected": 10936,
    "counted": 10936,
}
