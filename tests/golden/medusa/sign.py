"""How a Medusa shop's own subscriber signs: as the Standard Webhooks specification says."""

import base64
import hashlib
import hmac
from datetime import datetime

TIMESTAMPED = True
SIGNATURE = "webhook-signature"


def sign(body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery."""
    stamp = str(int(now.timestamp()))
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    digest = hmac.new(key, b"msg_1." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, SIGNATURE: "v1," + base64.b64encode(digest).decode()}
