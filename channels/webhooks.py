"""POST /webhooks/<slug>: read the bytes, prove the signature, store, commit, answer. Nothing else happens in the request."""

import logging
from datetime import UTC, datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from channels import adapter as adapters
from channels import certificates
from channels.adapter import SignatureRefused, Trust
from channels.capture import capture
from channels.certificates import Untrusted
from channels.models import Channel, Event
from salessync.core import nudge
from salessync.core.http import UnableToReach

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def receive(request: HttpRequest, slug: str) -> HttpResponse:
    """200 once stored, bad content too; 400 short body, 401 unknown channel or bad signature, 411, 413, 503 not stored."""
    received_at = datetime.now(UTC)
    body = _read(request)
    if isinstance(body, HttpResponse):
        return body
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        channel = Channel.objects.filter(slug=slug).first() if "\x00" not in slug else None
        if channel is None:
            return _answer(401, "unauthorized")
        adapter = adapters.get(channel.adapter)
        if (said := adapter.greeting(headers, body)) is not None:
            _keep_greeting(channel, said)
            return _answer(200, "greeted")
        try:
            adapter.verify(headers, body, _trust(channel, request, headers), received_at)
        except (SignatureRefused, Untrusted) as refused:
            logger.warning("webhook refused for channel %s: %s", channel.slug, refused)
            return _answer(401, "unauthorized")
        with transaction.atomic():
            captured = capture(
                channel=channel, headers=headers, body=body, mode=Event.Mode.WEBHOOK, received_at=received_at
            )
    except UnableToReach as error:
        logger.warning("webhook for %s cannot be proven now: %s", slug[:60], error)
        return _answer(503, "not stored", retry_after=30)
    except (DatabaseError, InterfaceError):
        logger.exception("webhook for %s was not stored; its sender will try again", slug[:60])
        return _answer(503, "not stored", retry_after=5)
    if not captured.duplicate:
        nudge.nudge(nudge.DRAIN_INBOX)
    return _answer(200, "duplicate" if captured.duplicate else "stored")


def _trust(channel: Channel, request: HttpRequest, headers: dict[str, str]) -> Trust:
    """The channel's secrets, the address that was called, and the certificate that the delivery names, if any."""
    address = adapters.get(channel.adapter).certificate_url(headers)
    return channel.trust(
        url=request.build_absolute_uri(), certificate=certificates.certificate(address) if address else None
    )


def _keep_greeting(channel: Channel, said: str) -> None:
    """For whoever sets the webhook up: some vendors send a code that has to be typed in there."""
    logger.info("channel %s was greeted: %s", channel.slug, said)
    Channel.objects.filter(pk=channel.pk).exclude(greeting=said[:300]).update(greeting=said[:300])


def _read(request: HttpRequest) -> bytes | HttpResponse:
    """The whole body, or the answer that says why not. Behind WSGI a chunked body would arrive empty, a cut one short."""
    if request.headers.get("transfer-encoding"):
        return _answer(411, "a Content-Length is required")
    length = request.META.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdigit()):
        return _answer(411, "a Content-Length is required")
    if len(length) > 12 or int(length) > settings.MAX_WEBHOOK_BYTES:
        return _answer(413, "the body is too large")
    if request.headers.get("content-encoding", "identity") != "identity":
        return _answer(400, "the body must not be compressed")
    try:
        body = request.body
    except OSError:
        return _answer(400, "the body could not be read")
    if len(body) != int(length):
        return _answer(400, "the body is shorter than announced")
    return body


def _answer(status: int, what: str, *, retry_after: int | None = None) -> JsonResponse:
    response = JsonResponse({"status" if status == 200 else "error": what}, status=status)
    if retry_after:
        response["Retry-After"] = str(retry_after)
    return response
