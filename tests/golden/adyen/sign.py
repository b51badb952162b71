"""How Adyen signs: each item of the body has a signature of its own, so a header proves nothing about just any body."""

from datetime import datetime

TIMESTAMPED = False
IN_BODY = True  # tests/channels/test_adyen.py proves good and bad signatures
SIGNATURE = "hmacsignature"


def sign(body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery: none takes part in the proof."""
    return {}
