"""How Adyen signs: each notification item inside the body, a platform's message in a header over the whole body. Pure."""

import base64
import hashlib
import hmac
from typing import Any

from channels.adapter import Headers, SignatureRefused, Trust
from channels.payload import parse
from channels.reading import Json
from salessync.core.problems import Refused

HEADER = "hmacsignature"
MOST_ITEMS = 1000


def verify(headers: Headers, body: bytes, trust: Trust) -> None:
    """Every item must be signed with one of the live keys; a header, where there is one, must sign the bytes."""
    keys = [key for key in map(_key, trust.secrets) if key]
    if not keys:
        raise SignatureRefused("there is no usable key")
    if HEADER in headers:
        _require(keys, body, headers[HEADER])
        return
    try:
        payload = parse(body)
    except Refused:
        raise SignatureRefused("the body is not JSON that every reader reads the same way") from None
    items = payload.get("notificationItems") if type(payload) is dict else None
    if type(items) is not list or not 0 < len(items) <= MOST_ITEMS:
        raise SignatureRefused("the body has no notification items")
    for wrapped in items:
        item = wrapped.get("NotificationRequestItem") if type(wrapped) is dict else None
        if type(item) is not dict:
            raise SignatureRefused("a notification item is no object")
        additional = item.get("additionalData")
        given = additional.get("hmacSignature") if type(additional) is dict else None
        _require(keys, signed_text(item).encode("utf-8", "surrogatepass"), given)


def _key(secret: str) -> bytes:
    """Adyen shows keys as hexadecimal digits; anything else is no key, and an empty one proves nothing."""
    try:
        return bytes.fromhex(secret) if secret.isascii() and secret.isalnum() else b""
    except ValueError:
        return b""


def _require(keys: list[bytes], signed: bytes, given: Any) -> None:
    if type(given) is not str or not given or not given.isascii():
        raise SignatureRefused("no signature" if not given else "the signature is not base64")
    matched = False
    for key in keys:
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
        matched |= hmac.compare_digest(expected, given.encode("ascii"))
    if not matched:
        raise SignatureRefused("the signature fits none of the live keys")


def signed_text(item: Json) -> str:
    """The eight fields that are signed; what is missing is empty, and nothing is escaped."""
    amount = item.get("amount")
    money = amount if type(amount) is dict else {}
    values = (
        item.get("pspReference"), item.get("originalReference"), item.get("merchantAccountCode"), item.get("merchantReference"),
        money.get("value"), money.get("currency"), item.get("eventCode"), item.get("success"),
    )  # fmt: skip
    return ":".join(map(_plain, values))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is str or type(value) is int:
        return str(value)
    raise SignatureRefused("a signed field is neither text nor a whole number")
