"""The books' own channel: entries that people and Bookkeeper make by hand, in our own shape. No till can reach it. Pure."""

from datetime import datetime
from typing import Any

from channels.adapter import Adapter, Context, Envelope, Headers, SignatureRefused, Trust
from channels.canonical import AnyRecord
from channels.own_shape import OwnShape

SHAPE = OwnShape("books", {"manual"}, "the channel of the books takes entries by hand and nothing else")


class Books(Adapter):
    """One manual entry, or {"records": [...]}."""

    name = "books"
    label = "Books (entries by hand)"
    missing = {
        **dict.fromkeys(
            ("sales", "charges", "refunds", "disputes", "payouts"), "nothing is sold here: entries are made by hand"
        ),
        "voids": "an entry is undone by a later version of itself",
        "edits": "an entry is corrected by a later version of itself",
        "webhooks": "entries are captured, not posted",
        "polling": "there is nobody to ask: people and Bookkeeper make the entries",
        "stock": "an entry moves no goods",
    }

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """No signature opens this channel: its entries come from within, never by the webhook address."""
        raise SignatureRefused("entries by hand are captured, not posted")

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """An entry by hand has neither deliveries nor topics."""
        return Envelope(None, "")

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The entries as they are, completed by what the channel knows; every problem of every entry at once."""
        return SHAPE.read(payload, context)

    def scrub(self, payload: Any) -> Any:
        """What is no part of an entry goes, and so do card numbers in what people typed."""
        return SHAPE.scrub(payload)


adapter = Books()
