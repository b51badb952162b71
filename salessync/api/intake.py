"""One canonical record from a till, by the API: judged as the pipeline will judge it, then captured as any other message.

What does not pass is refused at once and not stored, since its sender is there to correct it. What is accepted is in the inbox before
the answer is sent, and has the fate of all events.
"""

import hashlib
from datetime import datetime
from typing import Any

from django.db import transaction

from channels import adapter as adapters
from channels import checks
from channels import payload as payloads
from channels.capture import Captured, capture
from channels.models import Channel
from salessync.api.inputs import Body
from salessync.core import nudge
from salessync.core.models import ApiClient, Company
from salessync.core.problems import Problem, Refused

MODE = "api"
ADAPTER = "standard"


def accept(*, client: ApiClient, kind: str, channel: str, key: str, body: Body, at: datetime) -> Captured:
    """Capture one record of this kind; Refused with every problem where it cannot be used.

    `channel`: a slug, or "" where the record names it. `key`: the request's own, which names the delivery, so that the same request
    gives the same event for ever.
    """
    _check_kind(body.parsed, kind)
    found = _channel(client.company, channel, body.parsed)
    judge(body.parsed, found)
    headers = {"webhook-id": f"api-{client.pk}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"}
    captured = capture(channel=found, headers=headers, body=body.raw, mode=MODE, received_at=at, topic=kind)
    transaction.on_commit(_wake)
    return captured


def _wake() -> None:
    nudge.nudge(nudge.DRAIN_INBOX)


def judge(parsed: Any, channel: Channel) -> None:
    """Refused with the problems that would keep the pipeline from posting it; it reads what is stored, and so does this."""
    adapter = adapters.get(channel.adapter)
    stored = payloads.parse_stored(payloads.dump(adapter.scrub(parsed)))
    records = adapter.normalize(stored, None, channel.context())
    problems = [problem for record in records if not record.source.test for problem in checks.check(record)]
    if problems:
        raise Refused(*problems)


def _check_kind(parsed: Any, kind: str) -> None:
    if not isinstance(parsed, dict):
        raise Refused(Problem("NOT_A_RECORD", "$", "the body should be one canonical record, a JSON object"))
    given = parsed.get("type")
    if given != kind:
        code = "MISSING_TYPE" if given is None else "WRONG_TYPE"
        raise Refused(Problem(code, "type", f"what is sent here has the type {kind}"))


def _channel(company: Company, slug: str, parsed: dict[str, Any]) -> Channel:
    """The company's channel for tills that the request names, in the address or in the record."""
    source = parsed.get("source")
    named = source.get("channel") if isinstance(source, dict) else None
    slug = slug or (named if isinstance(named, str) else "")
    if not slug:
        message = "the record does not say which of the company's channels it is of"
        raise Refused(Problem("MISSING_CHANNEL", "source.channel", message))
    found = Channel.objects.filter(company=company, slug=slug, adapter=ADAPTER).first()
    if found is None:
        message = f"the company has no channel of this name that takes records ({ADAPTER})"
        raise Refused(Problem("UNKNOWN_CHANNEL", "source.channel", message))
    return found
