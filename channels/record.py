"""The canonical record's envelope and shared parts (salessync/1). Pure; Bookkeeper and other people rely on this shape.

Money is an integer in the minor unit of the record's `currency`. `quantity`, `unit_price` and `rate` are decimal strings.
Instants are UTC. A value that a vendor adds tomorrow becomes "unknown", never a default.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from salessync.core.money import LIMIT

Amount = Annotated[int, Meta(ge=0, le=LIMIT, description="minor units of the record's currency, >= 0")]
Signed = Annotated[int, Meta(ge=-LIMIT, le=LIMIT, description="minor units of the record's currency, signed")]
Number = Annotated[str, Meta(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,12})?$", description="decimal string")]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217")]
Text = Annotated[str, Meta(max_length=1000)]
Identifier = Annotated[str, Meta(min_length=1, max_length=255, description="the vendor's id of the object")]
Instant = Annotated[datetime, Meta(tz=True, description="UTC, RFC 3339 with Z")]

Collector = Literal["merchant", "marketplace", "unknown"]
TenderType = Literal[
    "card", "cash", "gift_card", "store_credit", "wallet", "bnpl", "bank", "cheque", "voucher", "external", "on_account",
    "unknown",
]  # fmt: skip


class Part(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A part of a record: an unknown field is refused by name."""


class Source(Part, kw_only=True, gc=False):
    """Which object of which channel this is; `version` orders the versions of one object."""

    channel: str
    adapter: str
    id: Identifier
    version: Identifier
    number: Text | None = None
    location: Text | None = None
    register: Text | None = None
    test: bool = False
    offline: bool = False


class Jurisdiction(Part, kw_only=True, gc=False):
    """Where the sale is taxed: no personal data beyond country, region, postcode and city."""

    country: Annotated[str, Meta(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2")]
    region: Text | None = None
    postcode: Text | None = None
    city: Text | None = None
    basis: Literal["destination", "origin", "store"] = "destination"


class Tax(Part, kw_only=True, gc=False):
    """One tax on one line. `rate` is in percent ("8.875"); `collector` says who remits it."""

    name: Text
    jurisdiction: Text | None = None
    rate: Number | None = None
    amount: Signed
    collector: Collector = "merchant"


class Card(Part, kw_only=True, gc=False):
    """Brand and last four digits, never more."""

    brand: Text | None = None
    last4: Annotated[str, Meta(pattern="^[0-9]{4}$")] | None = None

    def __str__(self) -> str:
        return f"{self.brand or ''} {self.last4 or ''}".strip()


class Fee(Part, kw_only=True, gc=False):
    """What the processor keeps; signed, negative where it takes a fee back."""

    type: Text
    amount: Signed


class Settlement(Part, kw_only=True, gc=False):
    """What reaches the merchant, after fees, in the settlement currency."""

    currency: Currency
    amount: Signed
    rate: Number | None = None
    payout: Text | None = None


class Record(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type", gc=False):
    """The FULL state of one source object at one version."""

    schema: Literal["salessync/1"] = "salessync/1"
    source: Source
    occurred_at: Instant
    timezone: str
    business_date: date
    currency: Currency
    extensions: dict[str, Any] = {}

    @property
    def record_type(self) -> str:
        """The canonical type: sale, refund, charge, payout or dispute."""
        return str(self.__struct_config__.tag)
