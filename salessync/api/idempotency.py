"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): a request that is sent again is answered as it was, and done once.

The answer is written in the transaction of the work, so that neither is there without the other. Only what was done is kept: a request
that was refused changed nothing, and may be sent again under its key.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone
from rest_framework.request import Request

from salessync.api.problems import ApiProblem
from salessync.core.models import ApiAnswer, ApiClient

HEADER = "Idempotency-Key"
KEPT = timedelta(days=7)

_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255}?)"?')  # a text in quotes, as the draft has it, or without, as all send it


class Answer(NamedTuple):
    """What is answered, and answered again."""

    status: int
    body: bytes
    headers: dict[str, str]


def key_of(request: Request) -> str:
    """The request's key; a 400 where there is none that can be one."""
    given = request.headers.get(HEADER)
    if given is None:
        raise ApiProblem(400, "idempotency-key-missing", f"This needs the header {HEADER}, new for each new request.")
    match = _KEY.fullmatch(given)
    if match is None:
        raise ApiProblem(400, "idempotency-key-invalid", f"The {HEADER} is 1 to 255 printable ASCII characters.")
    return match[1]


def fingerprint(request: Request, body: bytes) -> bytes:
    """What makes two requests the same: method, address, parameters and body."""
    head = f"{request.method} {request.path.rstrip('/')}?{request.META.get('QUERY_STRING', '')}"
    return hashlib.sha256(head.encode() + b"\n" + body).digest()


def once(*, client: ApiClient, key: str, fingerprint: bytes, work: Callable[[], Answer]) -> tuple[Answer, bool]:
    """Do the work, or tell what it was answered before (True); a 409 while it is being done, a 422 for another request's key."""
    with transaction.atomic():
        if not _alone(client, key):
            raise ApiProblem(
                409, "idempotency-key-in-use", "A request with this key is in progress.", headers={"Retry-After": "1"}
            )
        kept = ApiAnswer.objects.filter(client=client, key=key).first()
        if kept is None:
            answer = work()
            ApiAnswer.objects.create(client=client, key=key, fingerprint=fingerprint, **answer._asdict())
            return answer, False
    if bytes(kept.fingerprint) != fingerprint:
        raise ApiProblem(422, "idempotency-key-reused", "This key was used for another request.")
    return Answer(kept.status, bytes(kept.body), kept.headers), True


def purge(*, older_than: timedelta = KEPT, limit: int = 10_000) -> int:
    """Forget answers that nobody can be waiting for any more; returns how many. What was done stays done: the inbox knows it."""
    old = ApiAnswer.objects.filter(created_at__lt=timezone.now() - older_than).order_by("created_at")
    deleted, _ = ApiAnswer.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()
    return deleted


def _alone(client: ApiClient, key: str) -> bool:
    """Until the end of the transaction, whatever becomes of it."""
    name = hashlib.blake2b(f"api {client.pk} {key}".encode(), digest_size=8).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(name, signed=True)])
        return bool(cursor.fetchone()[0])
