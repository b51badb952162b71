"""Plays a vendor to an adapter's calls (channels/client.py): the asks are answered by a function, nothing leaves the process."""

from collections.abc import Callable
from typing import Any, NamedTuple

from channels import payload
from channels.client import Ask, Calls, Page, Pages, Reply


class Conversation(NamedTuple):
    """What was asked, the pages that came, and what the calls returned in the end."""

    asks: list[Ask]
    pages: list[Page]
    result: Any


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """A vendor's answer; bytes are parsed as the caller parses them (fractions as Decimal)."""
    parsed = payload.parse(body) if isinstance(body, bytes) else body
    return Reply(status=status, headers={k.replace("_", "-").lower(): v for k, v in headers.items()}, body=parsed)


def converse(calls: Calls | Pages, answer: Callable[[Ask], Reply]) -> Conversation:
    """Run the calls to their end."""
    asks: list[Ask] = []
    pages: list[Page] = []
    sent: Reply | None = None
    while True:
        try:
            wanted = calls.send(sent)  # type: ignore[arg-type]
        except StopIteration as end:
            return Conversation(asks, pages, end.value)
        if isinstance(wanted, Page):
            pages.append(wanted)
            sent = None
        else:
            asks.append(wanted)
            sent = answer(wanted)
