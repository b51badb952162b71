"""Raw messages into the inbox: proven, scrubbed, stored once. The only writer of new events."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from channels import adapter as adapters
from channels import payload as payloads
from channels.models import Channel, Event
from salessync.core.problems import Problem, Refused, as_json


class Captured(NamedTuple):
    """`duplicate`: the same delivery was stored before, and nothing new is to be done."""

    event_id: int
    duplicate: bool


def capture(
    *,
    channel: Channel,
    headers: Mapping[str, str],
    body: bytes,
    mode: str,
    received_at: datetime,
    topic: str | None = None,
    lane: int = Event.Lane.LIVE,
) -> Captured:
    """Store one delivery, whatever it holds: what cannot be read goes to quarantine at once with its code.

    The caller has verified it. One INSERT; the caller's transaction decides when it is durable.
    """
    adapter = adapters.get(channel.adapter)
    sha256 = hashlib.sha256(body).digest()
    problems: list[Problem] = []
    try:
        parsed: Any = payloads.parse(adapter.body(headers, body))
        stored = payloads.dump(adapter.scrub(parsed))
    except Refused as refused:
        # unread, nothing can be taken out of it that is a person's: only what it looks like is kept
        parsed, stored = None, payloads.shape(body)
        problems = [_of_unkept(p, len(body)) for p in refused.problems]
    envelope = adapter.envelope(headers, parsed)
    delivery = (envelope.delivery_id or envelope.topic or topic or "")[:300]
    event_id, copies = _insert(
        company_id=channel.company_id,
        channel_id=channel.pk,
        # the same id with another body is another message: versions decide, not the delivery's id
        dedupe_key=f"{delivery}:{sha256.hex()[:32]}".replace("\x00", ""),
        topic=(topic or envelope.topic)[:100].replace("\x00", ""),
        mode=mode,
        lane=lane,
        headers={k: v[:300] for k, v in headers.items() if k in adapter.kept_headers},
        body=stored,
        sha256=sha256,
        problems=problems,
        received_at=received_at,
    )
    return Captured(event_id, copies > 1)


def _of_unkept(problem: Problem, size: int) -> Problem:
    kept = (
        f"only the shape of its {size} bytes is kept"
        if size <= payloads.SHAPE_BYTES
        else (f"of its {size} bytes only the shape of the first {payloads.SHAPE_BYTES} is kept")
    )
    return Problem(problem.code, problem.path, f"{problem.message} ({kept})")


_INSERT = """
    INSERT INTO channels_event AS e
        (company_id, channel_id, dedupe_key, topic, mode, lane, headers, body, body_sha256, readable, state, problems,
         received_at, finished_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s, %s::jsonb, %s, CASE WHEN %s THEN now() END)
    ON CONFLICT (channel_id, dedupe_key) DO UPDATE SET copies = e.copies + 1
    RETURNING id, copies
"""


def _insert(*, problems: list[Problem], headers: dict[str, str], **row: Any) -> tuple[int, int]:
    failed = bool(problems)
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                row["company_id"], row["channel_id"], row["dedupe_key"], row["topic"], row["mode"],
                row["lane"],
                json.dumps(headers).replace("\\u0000", ""), row["body"], row["sha256"],
                not failed,
                Event.State.QUARANTINED if failed else Event.State.NEW,
                as_json(problems) if failed else None,
                row["received_at"], failed,
            ],
        )  # fmt: skip
        return tuple(cursor.fetchone())
