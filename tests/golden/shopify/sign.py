"""How Shopify signs."""

import base64
import hashlib
import hmac
from datetime import datetime

TIMESTAMPED = False
SIGNATURE = "x-shopify-hmac-sha256"


def sign(body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {
        SIGNATURE: base64.b64encode(digest).decode(),
        "x-shopify-topic": "orders/create",
        "x-shopify-webhook-id": "wh-1",
    }
