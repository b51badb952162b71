"""From which day a channel posts, and how: what another choice would post or take back, and the choice itself."""

import time
from datetime import date
from typing import NamedTuple

from django.db import transaction

from channels.models import Channel
from ledger import rebuild
from ledger.rebuild import Scope, Tally
from salessync.core import audit


class Choice(NamedTuple):
    """`live_from`: business days before it post nothing; None: all post. `posting_mode`: one of the channel's."""

    live_from: date | None
    posting_mode: str


def chosen(channel: Channel) -> Choice:
    """How it is now."""
    return Choice(channel.live_from, channel.posting_mode)


def look(channel: Channel, choice: Choice, *, seconds: float) -> tuple[Tally, bool]:
    """What would be posted, and whether that is all: no piece is begun after so many seconds. Nothing is changed.

    Each piece is computed in a database transaction of its own that makes the choice and is rolled back.
    """
    tally, after, deadline = Tally(channel.company.closed_through), "", time.monotonic() + seconds
    scope = Scope(channel.company_id, channel.pk)
    while True:
        with transaction.atomic():
            Channel.objects.filter(pk=channel.pk).update(**choice._asdict())
            piece = rebuild.step(scope, after, post=False)
            transaction.set_rollback(True)
        if piece is None:
            return tally, True
        tally.add(piece)
        after = piece.after
        if time.monotonic() > deadline:
            return tally, False


def choose(channel: Channel, choice: Choice, *, actor: str) -> None:
    """From now on; what stands already stays until a rebuild."""
    with transaction.atomic():
        locked = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
        before = chosen(locked)
        if before == choice:
            return
        Channel.objects.filter(pk=channel.pk).update(**choice._asdict())
        data = {"message": sentence(choice), "before": sentence(before)}
        audit.record([(channel.company_id, actor, "changed", "channel", channel.pk, data)])


def sentence(choice: Choice) -> str:
    """The choice in words."""
    if choice.posting_mode == Channel.PostingMode.NONE:
        return "posts nothing"
    how = {"sale": "one entry a sale", "day": "one entry a day", "payout": "one entry a payout"}[choice.posting_mode]
    return f"posts {how}, {f'from {choice.live_from} on' if choice.live_from else 'every business day'}"
