"""Subscribers come and go: made with a secret that is told once, given new secrets, disabled and enabled by hand."""

import os
import time
from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone

from channels import credentials
from ledger import signatures
from ledger.models import Subscriber
from ledger.topics import TOPICS
from salessync.core import audit
from salessync.core.models import Company
from salessync.core.problems import Problem, Refused

LIVE_SECRETS = 2  # the new one, and the one before until it is ended
KEY_BYTES = 32
URL_LENGTH = 500


def create(
    *, company: Company, url: str, topics: Sequence[str], actor: str, after: int | None = None
) -> tuple[Subscriber, str]:
    """A subscriber and its secret, which is never told again; Refused with what is wrong.

    It is told what happens from now on, or of the journal what comes `after` that number of the feed.
    """
    wrong = problems(company=company, url=url, topics=topics)
    if after is not None and after < 0:
        wrong.append(Problem("BAD_NUMBER", "after", "the feed is numbered from 1: 0 is its beginning"))
    if wrong:
        raise Refused(*wrong)
    cursors = {topic.cursor: topic.latest(company) for topic in TOPICS.values()}
    if after is not None:
        cursors["cursor"] = min(after, cursors["cursor"])
    secret = _new_secret()
    subscriber = Subscriber(company=company, url=url, topics=[t for t in TOPICS if t in topics], **cursors)
    subscriber.secrets = [secret]
    try:
        with transaction.atomic():
            subscriber.save(force_insert=True)
            _note(subscriber, actor, "created", {"url": url, "topics": subscriber.topics, "after": subscriber.cursor})
    except IntegrityError:
        raise Refused(_subscribed_already(url)) from None
    return subscriber, secret


def problems(*, company: Company, url: str, topics: Sequence[str]) -> list[Problem]:
    """What is wrong with such a wish."""
    found = [*_address_problems(url), *_topic_problems(topics)]
    if not found and Subscriber.objects.filter(company=company, url=url).exists():
        found.append(_subscribed_already(url))
    return found


def _subscribed_already(url: str) -> Problem:
    return Problem("SUBSCRIBED_ALREADY", "url", f"{url} is subscribed already")


def _address_problems(url: str) -> Iterable[Problem]:
    try:
        if len(credentials.check_address(url)) > URL_LENGTH or not url.isprintable():
            yield Problem("BAD_ADDRESS", "url", f"an address has at most {URL_LENGTH} characters that can be read")
    except credentials.NotCredentials as error:
        yield Problem("BAD_ADDRESS", "url", str(error))


def _topic_problems(topics: Sequence[str]) -> Iterable[Problem]:
    known = ", ".join(TOPICS)
    if not topics:
        yield Problem("MISSING_TOPICS", "topics", f"name what to be told of: {known}")
    for topic in topics:
        if topic not in TOPICS:
            yield Problem("UNKNOWN_TOPIC", "topics", f"there is no topic {topic[:60]!r}; there are {known}")


def rotate(subscriber: Subscriber, *, actor: str) -> str:
    """A new secret, which signs beside the one before until that is ended; returns it, for once."""
    secret = _new_secret()
    with transaction.atomic():
        locked = Subscriber.objects.select_for_update().get(pk=subscriber.pk)
        locked.secrets = [secret, *locked.secrets][:LIVE_SECRETS]
        locked.save(update_fields=["sealed_secrets"])
        _note(locked, actor, "secret added", {})
    return secret


def end_rotation(subscriber: Subscriber, *, actor: str) -> None:
    """From now on only the newest secret signs."""
    with transaction.atomic():
        locked = Subscriber.objects.select_for_update().get(pk=subscriber.pk)
        locked.secrets = locked.secrets[:1]
        locked.save(update_fields=["sealed_secrets"])
        _note(locked, actor, "old secret ended", {})


def disable(subscriber: Subscriber, *, actor: str, why: str) -> bool:
    """Tell it nothing more until it is enabled; False where it was disabled already."""
    with transaction.atomic():
        changed = Subscriber.objects.filter(pk=subscriber.pk, state=Subscriber.State.ACTIVE).update(
            state=Subscriber.State.DISABLED, last_error=why
        )
        if changed:
            _note(subscriber, actor, "disabled", {"why": why})
    return bool(changed)


def enable(subscriber: Subscriber, *, actor: str) -> bool:
    """Go on where it stands: nothing that happened meanwhile is left out. False where it was active already."""
    with transaction.atomic():
        changed = Subscriber.objects.filter(pk=subscriber.pk, state=Subscriber.State.DISABLED).update(
            state=Subscriber.State.ACTIVE, attempts=0, failing_since=None, next_attempt_at=timezone.now()
        )
        if changed:
            _note(subscriber, actor, "enabled", {})
    return bool(changed)


def _note(subscriber: Subscriber, actor: str, action: str, data: dict[str, object]) -> None:
    audit.record([(subscriber.company_id, actor, action, "subscriber", subscriber.pk, data)])


# --- signing


def _new_secret() -> str:
    return signatures.secret(os.urandom(KEY_BYTES))


def keys(subscriber: Subscriber) -> list[bytes]:
    """What each message is signed with; crypto.UnableToDecrypt."""
    return [signatures.key(secret) for secret in subscriber.secrets]


def headers(keys: Iterable[bytes], message_id: str, body: bytes) -> dict[str, str]:
    """Of one attempt, made now."""
    return signatures.headers(keys=keys, message_id=message_id, body=body, at=int(time.time()))
