"""Standard Webhooks v1 (standardwebhooks.com), as tills, shops' own plugins and some vendors sign. Pure."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from datetime import datetime

from channels.adapter import Headers, SignatureRefused

TOLERANCE = 300  # seconds, both ways
MOST_SIGNATURES = 100

_TIMESTAMP = re.compile("[0-9]{1,12}")


def key_of(secret: str) -> bytes:
    """`whsec_` and base64, or the secret's own bytes."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_") + "==", validate=False)
    except (binascii.Error, ValueError):
        return b""


def verify(
    headers: Headers, body: bytes, secrets: Iterable[str], now: datetime, *, key: Callable[[str], bytes] = key_of
) -> None:
    """HMAC-SHA256 over id, timestamp and body, in base64, by any of the live secrets; SignatureRefused otherwise."""
    identifier, timestamp = headers.get("webhook-id") or "", headers.get("webhook-timestamp") or ""
    # the dot separates the signed parts: an id with one could borrow from the timestamp
    if not identifier or not identifier.isascii() or "." in identifier:
        raise SignatureRefused("webhook-id is missing or malformed")
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise SignatureRefused("webhook-timestamp is missing or malformed")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE:
        raise SignatureRefused("webhook-timestamp is too old or too far ahead")
    given = _signatures(headers.get("webhook-signature") or "")
    signed = f"{identifier}.{timestamp}.".encode("ascii") + body
    matched = False
    for own in (key(secret) for secret in secrets):
        if own:  # an HMAC under an empty key proves nothing
            expected = base64.b64encode(hmac.digest(own, signed, hashlib.sha256))
            for signature in given:
                matched |= hmac.compare_digest(expected, signature)
    if not matched:
        raise SignatureRefused("the signature fits none of the live secrets")


def _signatures(header: str) -> list[bytes]:
    if not header or not header.isascii():
        raise SignatureRefused("webhook-signature is missing or malformed")
    parts = header.split(" ", MOST_SIGNATURES)
    if len(parts) > MOST_SIGNATURES:
        raise SignatureRefused("more signatures than anyone has secrets")
    return [part[3:].encode("ascii") for part in parts if part.startswith("v1,") and len(part) > 3]
