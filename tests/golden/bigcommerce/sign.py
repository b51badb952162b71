"""How BigCommerce signs: Standard Webhooks v1 with the app's client secret as the key."""

import base64
import hashlib
import hmac
from datetime import datetime

TIMESTAMPED = True
SIGNATURE = "webhook-signature"


def sign(body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery."""
    timestamp = str(int(now.timestamp()))
    digest = hmac.new(secret.encode(), b"msg_1." + timestamp.encode() + b"." + body, hashlib.sha256).digest()
    return {
        SIGNATURE: "v1," + base64.b64encode(digest).decode(),
        "webhook-id": "msg_1",
        "webhook-timestamp": timestamp,
    }
