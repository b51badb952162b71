"""Our own shape: canonical records from a till or any feed that speaks salessync/1, signed by Standard Webhooks. Pure."""

from datetime import datetime
from typing import Any

from channels import standard_webhooks
from channels.adapter import Adapter, Context, Envelope, Headers, Trust
from channels.canonical import TYPES, AnyRecord
from channels.own_shape import OwnShape

SHAPE = OwnShape(
    "standard",
    TYPES.keys() - {"manual"},
    "an entry by hand comes by the channel of the books, never from a till or a feed of sales",
)


class Standard(Adapter):
    """One record, or {"records": [...]}."""

    name = "standard"
    label = "Standard (our own JSON)"
    settles = True
    missing = {
        "polling": "a till pushes what it sells: there is nobody to ask.",
        "stock": "a till has no address to which a level could be written.",
    }
    topics = SHAPE.types
    kept_headers = frozenset({"webhook-id", "webhook-timestamp"})

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """Standard Webhooks v1: HMAC-SHA256 over id, timestamp and body, in base64."""
        standard_webhooks.verify(headers, body, trust.secrets, now)

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """The sender's own webhook-id; the topic is the record's type."""
        kind = payload.get("type") if isinstance(payload, dict) else None
        return Envelope(
            headers.get("webhook-id") or None, kind if isinstance(kind, str) and kind in self.topics else ""
        )

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The records as they are, completed by what the channel knows; every problem of every record at once."""
        return SHAPE.read(payload, context)

    def scrub(self, payload: Any) -> Any:
        """The shape has no place for personal data. Of what is no part of it only the name is left, for it to be refused by;
        in free text a card number is masked."""
        return SHAPE.scrub(payload)


adapter = Standard()
