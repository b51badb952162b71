"""What a channel needs to ask its vendor: given by a person, kept sealed, never shown again. Only the names of the keys are told.

The webhook secrets lie in the same sealed value and are none of this module's business: create_channel and the admin's own fields
rotate them.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction

from channels import adapter as adapters
from channels.client import Account
from channels.models import Channel
from salessync.core import audit
from salessync.core.crypto import UnableToDecrypt
from salessync.core.problems import Refused

ADDRESSES = ("base_url", "notification_url")  # no secrets, and shown
WEBHOOK_SECRETS = "secrets"
KEYS_AT_MOST, KEY_LENGTH, BYTES_AT_MOST = 50, 60, 20_000
WORDS = {"true": True, "false": False}


class NotCredentials(ValueError):
    """The text or a value cannot be taken; the message says why and repeats no value."""


def parse(text: str) -> dict[str, Any]:
    """A JSON object, or lines of key=value (true and false are read as such); a value of nothing removes its key."""
    text = text.strip()
    if len(text) > BYTES_AT_MOST:
        raise NotCredentials(f"more than {BYTES_AT_MOST} characters cannot be taken")
    found = _json(text) if text.startswith("{") else _lines(text)
    for key, value in found.items():
        _check(key, value)
    return found


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise NotCredentials(f"this begins like JSON and cannot be read as such{place}") from None
    return dict(found)


def _lines(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise NotCredentials(f"line {number} is no key=value")
        found[key.strip()] = WORDS.get(value.strip(), value.strip())
    return found


def _check(key: str, value: Any) -> None:
    if key == WEBHOOK_SECRETS:
        raise NotCredentials("secrets are the webhook's own, and are not set here")
    if not (0 < len(key) <= KEY_LENGTH and key.isascii() and key.replace("_", "").replace("-", "").isalnum()):
        raise NotCredentials("a key consists of letters, digits and underscores, at most 60")
    if key in ADDRESSES and value not in (None, ""):
        check_address(value)


def check_address(value: Any) -> str:
    """An http(s) address without a login in it."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        host = parts.hostname if parts else None
    except ValueError:
        parts = host = None
    if (
        not parts
        or not host
        or parts.scheme not in ("http", "https")
        or parts.username
        or parts.fragment
        or " " in value
    ):
        raise NotCredentials("an address begins with https:// and names a host, with no login in it")
    return str(value)


def names(channel: Channel) -> list[str] | None:
    """The keys that are stored beside addresses and webhook secrets, sorted; None where today's encryption keys open nothing."""
    try:
        return sorted(channel.credentials.keys() - {WEBHOOK_SECRETS, *ADDRESSES})
    except UnableToDecrypt:
        return None


def address(channel: Channel, name: str) -> str:
    """base_url or notification_url; "" where there is none or it cannot be read."""
    try:
        return str(channel.credentials.get(name) or "")
    except UnableToDecrypt:
        return ""


def merge(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Given keys replace, empty values remove, the others stay."""
    after = {**before, **changes}
    return {key: value for key, value in after.items() if key not in changes or value not in (None, "")}


def astray(channel: Channel, changes: Mapping[str, Any]) -> list[str]:
    """Stored keys that these changes would have sent to another host than the one that they were given for."""
    before = channel.credentials
    after = merge(before, changes)
    if _host(channel, before) == _host(channel, after):
        return []
    return sorted(after.keys() - {WEBHOOK_SECRETS, *ADDRESSES} - changes.keys())


def _host(channel: Channel, kept: Mapping[str, Any]) -> tuple[str, str]:
    """Scheme and host that the adapter would ask; ("", "") where that cannot be told yet."""
    account = Account(
        channel=channel.slug, credentials=kept, base_url=str(kept.get("base_url") or ""), test=kept.get("test") is True
    )
    try:
        parts = urlsplit(adapters.get(channel.adapter).base_url(account))
    except (KeyError, ValueError, NotImplementedError, Refused):
        return "", ""
    return parts.scheme, parts.netloc


def change(*, channel: Channel, changes: Mapping[str, Any], actor: str) -> list[str]:
    """Merge, with an audit row that names the keys; returns those that changed. Waits for whoever renews the token just now."""
    with transaction.atomic():
        locked = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
        before = locked.credentials
        after = merge(before, changes)
        changed = sorted(key for key in changes if before.get(key) != after.get(key))
        if changed:
            locked.credentials = after
            locked.save(update_fields=["sealed_credentials"])
            told = {"set": [k for k in changed if k in after], "removed": [k for k in changed if k not in after]}
            audit.record([(locked.company_id, actor, "credentials", "channel", locked.pk, told)])
        channel.sealed_credentials = locked.sealed_credentials
    return changed
