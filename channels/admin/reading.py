"""An event as a reviewer reads it: its body, and what the adapter would make of it now. Writes nothing."""

from typing import NamedTuple

import msgspec

from channels import adapter as adapters
from channels import checks
from channels import payload as payloads
from channels.adapter import Context, Ignored
from channels.models import Event
from salessync.core.json_lines import JsonLine, json_lines, text_lines
from salessync.core.problems import Problem, Refused


class Reading(NamedTuple):
    """The records that normalize gives, and what would keep them from being posted."""

    records: list[tuple[str, list[JsonLine]]]
    problems: list[Problem]
    remark: str


def body_lines(event: Event) -> list[JsonLine]:
    """The stored body, pretty where it is JSON, visible and harmless where it is not; since when it is no longer kept."""
    if event.purged_at:
        return text_lines(f"purged on {event.purged_at:%Y-%m-%d}: hash and length are kept".encode())
    try:
        return json_lines(payloads.parse(bytes(event.body)))
    except Refused:
        return text_lines(bytes(event.body))


def read(event: Event, context: Context) -> Reading:
    """What the pipeline would read from the event with these settings of its channel."""
    try:
        payload = payloads.parse(bytes(event.body))
        records = adapters.get(event.channel.adapter).normalize(payload, event.topic or None, context)
    except Refused as refused:
        return Reading([], refused.problems, "The adapter cannot make a record of it.")
    except Ignored as ignored:
        return Reading([], [], f"It would be ignored: {ignored}.")
    except Exception as error:  # a fault of the adapter's, which the reviewer should see rather than an error page
        return Reading([], [Problem("PROCESSING_FAILED", "$", f"{type(error).__name__}: {str(error)[:300]}")], "")
    problems = [p for record in records for p in checks.check(record)]
    shown = [(f"{r.record_type} {r.source.number or r.source.id}", json_lines(msgspec.to_builtins(r))) for r in records]
    return Reading(shown, problems, "" if records else "It carries nothing to book.")


def canonical_lines(record: bytes) -> list[JsonLine]:
    """A stored canonical record."""
    return json_lines(msgspec.json.decode(bytes(record)))
