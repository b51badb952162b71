"""How Lightspeed signs: the form as sent; tests/channels/test_lightspeed.py has the field `payload` signed alone."""

import hashlib
import hmac
from datetime import datetime

TIMESTAMPED = False
SIGNATURE = "x-signature"


def sign(body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {SIGNATURE: f"signature={digest},algorithm=HMAC-SHA256", "content-type": "application/x-www-form-urlencoded"}
