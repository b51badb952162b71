"""How Clover proves itself: the app's Clover Auth Code in a header, the same in every message."""

from datetime import datetime

TIMESTAMPED = False
COVERS_BODY = False  # the code says who speaks; nothing proves what is said
SIGNATURE = "x-clover-auth"


def sign(body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery."""
    return {SIGNATURE: secret}
