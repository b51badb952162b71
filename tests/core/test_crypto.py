"""Secrets at rest."""

import base64
import os

import pytest

from salessync.core import crypto


def key():
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def test_a_value_opens_only_where_it_belongs(settings):
    settings.FIELD_ENCRYPTION_KEYS = [key()]
    sealed = crypto.seal({"secrets": ["hush"]}, bound_to="channels.channel:a")
    assert b"hush" not in sealed
    assert crypto.unseal(sealed, bound_to="channels.channel:a") == {"secrets": ["hush"]}
    with pytest.raises(crypto.UnableToDecrypt):
        crypto.unseal(sealed, bound_to="channels.channel:b")
    with pytest.raises(crypto.UnableToDecrypt):
        crypto.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), bound_to="channels.channel:a")


def test_keys_rotate(settings):
    old, new = key(), key()
    settings.FIELD_ENCRYPTION_KEYS = [old]
    sealed = crypto.seal("x", bound_to="a")
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    assert crypto.unseal(sealed, bound_to="a") == "x"
    settings.FIELD_ENCRYPTION_KEYS = [new]
    with pytest.raises(crypto.UnableToDecrypt):
        crypto.unseal(sealed, bound_to="a")
