"""Standard Webhooks signatures (standardwebhooks.com) for what goes out: to Bookkeeper, to subscribers. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

PREFIX = "whsec_"


def key(secret: str) -> bytes:
    """The bytes of a secret: base64, after `whsec_` where it has that; ValueError where it cannot sign."""
    text = secret.removeprefix(PREFIX)
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if not found:
        raise ValueError("the secret is empty")
    return found


def secret(key: bytes) -> str:
    """How a key is told to people and programs."""
    return PREFIX + base64.b64encode(key).decode()


def headers(*, keys: Iterable[bytes], message_id: str, body: bytes, at: int) -> dict[str, str]:
    """The three headers; `at` in Unix seconds. One signature for each key, so that secrets can be changed without a gap."""
    signed = b"%s.%d.%s" % (message_id.encode(), at, body)
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
