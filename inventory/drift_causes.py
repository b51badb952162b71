"""Why a listing shows another level than we reckon with. Pure.

In the words of inventory/shown.py: it shows A, all that we have heard of makes E, and D = A - E is not explained. A sale there changes A
at once and E only when its event has been processed. In between it looks like an edit, and taken over as one it would be deducted twice:
by the adjustment, and by its event. So nothing is called an edit before its sales are known to be with us:

1. A and E are of one moment: the row did not change while its level was read, no call for it is under way, and no own sale of the
   channel is processed and not yet in E. Else nothing is concluded, and it is read again.
2. No event of the channel is in work, and none that names the item waits, is quarantined or dead. This is looked up after A was read:
   a sale that A knows of has either not come to us, or is found here, or is in E (and with 1 in D no more).
3. D has been the same for GRACE: longer than webhooks take. A change of D starts the time anew, since its newest part may be a sale.
4. Where the channel's sales are read from lists as well, these have been read since then, past their overlap: what no webhook brought
   has come too.

What is still apart then is no sale: with 3 and 4 it would have come to us, with 2 been processed, and with 1 be in E.

An edit and a lost push are told apart by our last call: shows the listing what it did before it, the call was confirmed and lost. An
edit that undoes our last call looks alike; it is set over, for taking over a lost push would bring units back that are sold. For the
same reason a difference that held a lost push once is one until it is closed, whatever has come to it.
"""

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from inventory.shown import plain


class Cause(StrEnum):
    """As StockDrift.Cause."""

    UNSYNCED_SALE = "unsynced_sale"
    MANUAL_EDIT = "manual_edit"
    LOST_PUSH = "lost_push"
    UNKNOWN = "unknown"


class Evidence(NamedTuple):
    """What is known of one difference. `age`: since it was first seen as it is.

    `pending`: events that may be its sale; `unread`: a list of sales that was not read since, "": none; `before_push`: what the
    listing would show without our last call, None: nothing was told.
    """

    expected: Decimal
    found: Decimal
    age: timedelta
    pending: int
    unread: str
    before_push: Decimal | None
    was_lost_push: bool
    is_bundle: bool


class Verdict(NamedTuple):
    """`is_final`: it may be acted upon."""

    cause: Cause
    is_final: bool
    message: str


def judge(of: Evidence, grace: timedelta) -> Verdict:
    """The cause, with a sentence for whoever looks at it."""
    shows = f"It shows {plain(of.found)} instead of {plain(of.expected)}"
    lost = of.was_lost_push or is_lost_push(of.found, of.before_push)
    unsynced = Cause.LOST_PUSH if lost else Cause.UNSYNCED_SALE
    if of.pending:
        events = "an event of the channel is" if of.pending == 1 else f"{of.pending} events of the channel are"
        return Verdict(unsynced, False, f"{shows}; {events} not processed yet and may explain it.")
    if of.age < grace:
        minutes = max(1, round(grace.total_seconds() / 60))
        cause = Cause.LOST_PUSH if lost else Cause.UNKNOWN
        return Verdict(cause, False, f"{shows}; a sale on its way to us has {minutes} min to explain it.")
    if of.unread:
        said = f"{shows}; the channel's {of.unread} have not been read since, and a sale in them may explain it."
        return Verdict(unsynced, False, said)
    if lost:
        said = f"{shows}: what it did before our last call, which it had confirmed."
        return Verdict(Cause.LOST_PUSH, True, said)
    if of.is_bundle:
        return Verdict(Cause.UNKNOWN, True, f"{shows}; a bundle's level follows its parts and is set again.")
    return Verdict(Cause.MANUAL_EDIT, True, f"{shows}, and no sale explains it: it was edited in the channel.")


def is_lost_push(found: Decimal, before_push: Decimal | None) -> bool:
    """Whether the listing shows what it did before our last call."""
    return before_push is not None and found == before_push
