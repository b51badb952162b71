"""How Square signs: the notification URL and the body together."""

import base64
import hashlib
import hmac
from datetime import datetime

from channels.adapter import Trust

TIMESTAMPED = False
SIGNATURE = "x-square-hmacsha256-signature"
URL = "https://books.example/webhooks/corner-shop"


def sign(body: bytes, secret: str, now: datetime, url: str = URL) -> dict[str, str]:
    """The headers of a delivery to `url`."""
    digest = hmac.new(secret.encode(), url.encode() + body, hashlib.sha256).digest()
    return {
        SIGNATURE: base64.b64encode(digest).decode(),
        "square-environment": "Production",
        "square-initial-delivery-timestamp": "2026-09-01T12:00:00.000Z",
    }


def trust(secrets: tuple[str, ...]) -> Trust:
    """An address that was changed is trusted beside the one before it."""
    return Trust(secrets=secrets, urls=("https://books.example/webhooks/another", URL))
