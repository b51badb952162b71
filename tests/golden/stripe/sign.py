"""How Stripe signs."""

import hashlib
import hmac
from datetime import datetime

TIMESTAMPED = True
SIGNATURE = "stripe-signature"


def sign(body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery."""
    time = int(now.timestamp())
    digest = hmac.new(secret.encode(), f"{time}.".encode() + body, hashlib.sha256).hexdigest()
    return {SIGNATURE: f"t={time},v1={digest}", "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"}
