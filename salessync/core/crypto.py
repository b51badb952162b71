"""Secrets at rest: AES-GCM with the keys of FIELD_ENCRYPTION_KEYS, each value bound to the row it belongs to."""

import base64
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings


class UnableToDecrypt(Exception):
    """No key of FIELD_ENCRYPTION_KEYS opens the value, or it was moved here from another row."""


def _ciphers() -> list[AESGCM]:
    return [AESGCM(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))) for key in settings.FIELD_ENCRYPTION_KEYS]


def seal(value: Any, *, bound_to: str) -> bytes:
    """Encrypt a JSON value with the first key; it opens only with the same `bound_to`."""
    nonce = os.urandom(12)
    return nonce + _ciphers()[0].encrypt(nonce, json.dumps(value).encode(), bound_to.encode())


def unseal(sealed: bytes, *, bound_to: str) -> Any:
    """Decrypt with whichever key fits; UnableToDecrypt otherwise."""
    return unseal_with(sealed, bound_to=bound_to)[1]


def unseal_with(sealed: bytes, *, bound_to: str) -> tuple[int, Any]:
    """The value, and the number of the key that fits: 0 is the one that seals. UnableToDecrypt where none does."""
    sealed = bytes(sealed)
    for number, cipher in enumerate(_ciphers()):
        try:
            return number, json.loads(cipher.decrypt(sealed[:12], sealed[12:], bound_to.encode()))
        except InvalidTag:
            continue
    raise UnableToDecrypt(f"no key of FIELD_ENCRYPTION_KEYS opens the value of {bound_to}")
