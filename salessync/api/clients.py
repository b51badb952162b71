"""Clients of the API and their tokens: made, rotated, revoked, found again. A token is shown once and never kept.

A token is `sk_live_<prefix>_<secret>`: the prefix finds the row, 32 random bytes prove it. Of the whole only its SHA-256 is stored,
which is enough for a secret that nobody can guess.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from salessync.core import audit
from salessync.core.models import ApiClient, ApiSecret, Company

COARSE = timedelta(hours=1)  # a use is noted once in this time, so that reading does not mean writing

_TOKEN = re.compile("sk_live_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class UnableToIssue(ValueError):
    """There can be no such client, or no other token for it; the message says why."""


class NotAccepted(Exception):
    """The token proves no client that may ask; the message may be told to whoever sent it."""


def create(
    *, company: Company, name: str, scopes: Iterable[str], actor: str, expires_at: datetime | None = None
) -> tuple[ApiClient, str]:
    """A client with its first token; UnableToIssue where the name is taken or a scope unknown."""
    name, granted = check_name(name), check_scopes(scopes)
    with transaction.atomic():
        client, made = ApiClient.objects.get_or_create(
            company=company, name=name, defaults={"scopes": granted, "expires_at": expires_at}
        )
        if not made:
            raise UnableToIssue(f"there is a client called {name!r} already: rotate gives it another token")
        return client, issue_first(client=client, actor=actor)


def issue_first(*, client: ApiClient, actor: str) -> str:
    """The token of a client that was just made."""
    with transaction.atomic():
        token = _issue(client)
        expires = client.expires_at.isoformat() if client.expires_at else None
        _note(client, actor, "created", {"name": client.name, "scopes": client.scopes, "expires_at": expires})
    return token


def rotate(*, client: ApiClient, actor: str, scopes: Iterable[str] = (), expires_at: datetime | None = None) -> str:
    """Another token, and with it other scopes or another end where they are given.

    The token before stays valid until the next rotation, or until `end_older`; any older one ends now.
    """
    changes: dict[str, Any] = {"scopes": check_scopes(scopes)} if scopes else {}
    if expires_at:
        changes["expires_at"] = expires_at
    with transaction.atomic():
        client = ApiClient.objects.select_for_update().get(pk=client.pk)
        if client.revoked_at:
            raise UnableToIssue(f"the client {client.name!r} was revoked: make a new one")
        if changes:
            ApiClient.objects.filter(pk=client.pk).update(**changes)
        token = _issue(client)
        told = {name: value.isoformat() if name == "expires_at" else value for name, value in changes.items()}
        _note(client, actor, "rotated", {"prefix": token.split("_")[2], **told})
    return token


def end_older(*, client: ApiClient, actor: str) -> int:
    """Only the newest token counts from now on; returns how many ended."""
    with transaction.atomic():
        ApiClient.objects.select_for_update().get(pk=client.pk)
        older = list(client.secrets.order_by("-id")[1:])
        client.secrets.filter(pk__in=[secret.pk for secret in older]).delete()
        if older:
            _note(client, actor, "ended_older", {"prefixes": [secret.prefix for secret in older]})
    return len(older)


def revoke(*, client: ApiClient, actor: str) -> bool:
    """No token of this client counts any more, for good; False where that was so already."""
    with transaction.atomic():
        revoked = ApiClient.objects.filter(pk=client.pk, revoked_at=None).update(revoked_at=Now())
        if revoked:
            _note(client, actor, "revoked", {"name": client.name})
    return bool(revoked)


def find(token: str, now: datetime) -> ApiClient:
    """The client that the token proves at this moment; NotAccepted where it proves none."""
    match = _TOKEN.fullmatch(token)
    secret = ApiSecret.objects.select_related("client__company").filter(prefix=match[1]).first() if match else None
    if not hmac.compare_digest(_digest(token), bytes(secret.digest) if secret else bytes(32)) or secret is None:
        raise NotAccepted("The token is not known.")
    client: ApiClient = secret.client
    if client.revoked_at:
        raise NotAccepted("The token's client was revoked.")
    if client.expires_at and client.expires_at <= now:
        raise NotAccepted("The token's client has expired.")
    if secret.last_used_at is None or secret.last_used_at <= now - COARSE:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lte=now - COARSE)
        ApiSecret.objects.filter(unnoted, pk=secret.pk).update(last_used_at=now)
    return client


def check_name(name: str) -> str:
    """The name without spaces around it; UnableToIssue where it is none."""
    name = name.strip()
    if not 0 < len(name) <= 60 or not name.isprintable():
        raise UnableToIssue("a client's name is 1 to 60 printable characters")
    return name


def check_scopes(scopes: Iterable[str]) -> list[str]:
    """The scopes in their order, each once; UnableToIssue where one is unknown or there is none."""
    wanted, known = set(scopes), [str(scope) for scope in ApiClient.Scope]
    if unknown := sorted(wanted - set(known)):
        raise UnableToIssue(f"there is no scope {unknown[0]!r}; there are {', '.join(known)}")
    if not wanted:
        raise UnableToIssue(f"a client needs a scope: {', '.join(known)}")
    return [scope for scope in known if scope in wanted]


def _issue(client: ApiClient) -> str:
    """A new secret in a free slot, or in that of the oldest."""
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = f"sk_live_{prefix}_{secret}"
    live = list(client.secrets.order_by("id"))
    slot = next((slot for slot in ApiSecret.SLOTS if slot not in {s.slot for s in live}), None)
    if slot is None:
        slot = live[0].slot
        live[0].delete()
    ApiSecret.objects.create(client=client, slot=slot, prefix=prefix, digest=_digest(token))
    return token


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _note(client: ApiClient, actor: str, action: str, data: dict[str, object]) -> None:
    audit.record([(client.company_id, actor, action, "api_client", client.pk, data)])
