"""The vendors' webhook subscriptions: makes what is missing; what became of it stands in the audit trail and in the log.

Vendors end subscriptions by themselves, after failures of ours or a change of theirs, and tell nobody. So each channel is looked at
once a day; where something was missing its lists are asked at once, and what was missed meanwhile comes by polling.
"""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from channels import adapter as adapters
from channels import capabilities, poll
from channels.calls import AccessRefused, Caller, NotNow
from channels.client import Ask, Calls, Reply
from channels.models import Channel
from salessync.core import audit
from salessync.core.crypto import UnableToDecrypt
from salessync.core.http import UnableToReach
from salessync.core.problems import Refused

logger = logging.getLogger(__name__)

HOURS = 24  # each channel has its own hour of the day

Sleep = Callable[[float], None]


class NotConnectable(ValueError):
    """Nothing was asked of the vendor; the message says why."""


class Outcome(NamedTuple):
    """`made`: topics that were missing. `changed`: something was missing or switched off. `refused`: topic → the vendor's reason.

    `by_hand`: the vendor lets nobody subscribe for the merchant. `proven`: the channel knows a secret that deliveries are proven with.
    """

    made: tuple[str, ...] = ()
    refused: dict[str, str] = {}
    changed: bool = False
    by_hand: bool = False
    new_secret: bool = False
    proven: bool = False


def connect(channel: Channel, url: str, *, actor: str, sleep: Sleep | None = None) -> Outcome:
    """See that the vendor delivers to `url`, and remember the address and the secret; running it again makes only what is missing.

    NotConnectable, or what asking raises: NotNow, AccessRefused, UnableToReach, Refused.
    """
    _check_address(channel, url)
    moved = channel.credentials.get("notification_url") not in (None, url)
    outcome, secret = _ask(channel, url, sleep)
    with transaction.atomic():
        outcome = _remember(channel, url, secret, outcome)
        if outcome.changed or outcome.new_secret or moved:
            _note(channel, actor, "connected", outcome, url=url)
    return outcome


def check_due(*, hour: int | None = None, seconds: float = 45.0) -> int:
    """Look at the channels whose hour it is (None: at every one), as far as the time goes; returns at how many."""
    deadline = timezone.now() + timedelta(seconds=seconds)
    looked = 0
    for channel in _connected(hour):
        if timezone.now() >= deadline:
            logger.warning(
                "the subscriptions of %s wait for tomorrow: the vendors before it took too long", channel.slug
            )
            continue
        check(channel, sleep=_sleep_until(deadline))
        looked += 1
    return looked


def check(channel: Channel, *, sleep: Sleep | None = None) -> Outcome | None:
    """Subscribe again; where something was missing, the channel's lists are asked at once. None: the vendor could not be asked."""
    url = str(channel.credentials["notification_url"])
    try:
        _check_address(channel, url)
        outcome, secret = _ask(channel, url, sleep)
    except (NotNow, AccessRefused, UnableToReach, Refused, NotConnectable) as error:
        logger.warning("the subscriptions of %s could not be looked at: %s", channel.slug, error)
        _record(channel, "beat", "subscriptions unknown", {"why": str(error)[:300]})
        return None
    except (InterfaceError, OperationalError):
        raise
    except Exception as error:  # an answer that nobody foresaw must not stop the other channels
        logger.exception("the subscriptions of %s could not be looked at", channel.slug)
        _record(channel, "beat", "subscriptions unknown", {"why": f"{type(error).__name__}: {error}"[:300]})
        return None
    for topic, why in outcome.refused.items():
        logger.warning("the vendor of %s does not deliver %s: %s", channel.slug, topic, why)
    if not outcome.changed:
        logger.info("the subscriptions of %s are all there", channel.slug)
        return outcome
    with transaction.atomic():
        outcome = _remember(channel, url, secret, outcome)
        reached = _read_at_once(channel)
        _note(channel, "beat", "subscriptions renewed", outcome, missed_since=reached)
    logger.warning(
        "subscriptions of %s were missing or off (%s) and are made again; %s",
        channel.slug,
        ", ".join(outcome.made) or "off",
        f"its lists are read from {min(reached.values())} on" if reached else "what was missed stands in no list",
    )
    return outcome


# --- which, and whether at all


def _connected(hour: int | None) -> Iterator[Channel]:
    for channel in Channel.objects.filter(status=Channel.Status.LIVE).order_by("pk"):
        if hour is not None and channel.pk % HOURS != hour:
            continue
        try:
            known = channel.asks and channel.credentials.get("notification_url")
        except UnableToDecrypt as error:
            logger.warning("the subscriptions of %s could not be looked at: %s", channel.slug, error)
            continue
        if known and capabilities.subscribes(adapters.get(channel.adapter)):
            yield channel


def _check_address(channel: Channel, url: str) -> None:
    """Only an address that leads to this channel, over TLS."""
    adapter = adapters.get(channel.adapter)
    if "webhooks" in adapter.missing:
        raise NotConnectable(f"{adapter.label} has no webhooks: {adapter.missing['webhooks']}")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise NotConnectable(f"{url!r} is not of the form https://host/webhooks/{channel.slug}")
    if not parts.path.rstrip("/").endswith(f"/webhooks/{channel.slug}"):
        raise NotConnectable(f"{url!r} does not lead to this channel: it should end in /webhooks/{channel.slug}")


# --- asking


def _ask(channel: Channel, url: str, sleep: Sleep | None) -> tuple[Outcome, str | None]:
    """What the vendor made of it, and the secret that it told."""
    adapter = adapters.get(channel.adapter)
    if not capabilities.subscribes(adapter):
        return Outcome(by_hand=True), None
    if not channel.asks:
        raise NotConnectable(f"{channel.slug} has no credentials to ask {adapter.label} with")
    caller = Caller(channel, sleep=sleep) if sleep else Caller(channel)
    changes: list[Ask] = []
    try:
        told = caller.result(_watched(adapter.subscribe(caller.account, url), changes))
    except KeyError as error:
        raise NotConnectable(
            f"{channel.slug} lacks the credential {error} that {adapter.label} is asked with"
        ) from None
    made = tuple(str(topic) for topic in told.get("made") or ())
    refused = {str(topic): str(why) for topic, why in (told.get("refused") or {}).items()}
    return Outcome(made=made, refused=refused, changed=bool(made or changes)), told.get("secret") or None


def _watched(calls: Calls, changes: list[Ask]) -> Calls:
    """The same calls; those that changed something are noted, since an adapter does not tell of what it only switched on again."""
    reply: Reply | None = None
    while True:
        try:
            ask = calls.send(reply)  # type: ignore[arg-type]
        except StopIteration as end:
            return end.value
        reply = yield ask
        if ask.method != "GET" and reply.status < 300:
            changes.append(ask)


def _sleep_until(deadline: datetime) -> Sleep:
    """Short pauses are slept; one that goes beyond the deadline ends the call."""

    def sleep(seconds: float) -> None:
        if timezone.now() + timedelta(seconds=seconds) > deadline:
            raise NotNow(f"the vendor wants a pause of {seconds:.0f} s", seconds)
        time.sleep(seconds)

    return sleep


# --- what is remembered


def _remember(channel: Channel, url: str, secret: str | None, outcome: Outcome) -> Outcome:
    """Address and secret beside whatever somebody else has written meanwhile; part of the caller's transaction."""
    locked = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    kept = locked.credentials
    known = [s for s in kept.get("secrets", []) if s]
    new = secret is not None and secret not in known
    locked.credentials = {**kept, "notification_url": url, "secrets": [secret, *known] if new else known}
    locked.save(update_fields=["sealed_credentials"])
    channel.sealed_credentials = locked.sealed_credentials
    return outcome._replace(new_secret=new, proven=bool(new or known))


def _read_at_once(channel: Channel) -> dict[str, str]:
    """Each live list with the instant from which on it is read now; empty where the vendor has none."""
    if "polling" in adapters.get(channel.adapter).missing:
        return {}
    lists = poll.ensure_live(channel)
    poll.wish_now(channel)
    return {reading.stream: f"{reading.reached:%Y-%m-%dT%H:%M:%SZ}" for reading in lists}


def _note(channel: Channel, actor: str, action: str, outcome: Outcome, **more: Any) -> None:
    told = {"made": list(outcome.made), "refused": outcome.refused, "new_secret": outcome.new_secret, **more}
    _record(channel, actor, action, told)


def _record(channel: Channel, actor: str, action: str, data: dict[str, Any]) -> None:
    audit.record([(channel.company_id, actor, action, "channel", channel.pk, data)])
