"""What a listing shows, what we know of it, and what it is to be told. Pure: how a level is set without undoing anybody's sale.

Of one listing
    A   what its vendor really shows
    E   what it would show if nothing had happened there but what we have heard of: the row's `shown`
    D   A - E: sales there that have not come to us yet, and edits made there: not explained
    W   what our books say it should show: the row's `wanted`

A sale there changes A at once, and later, when it comes to us, E and W by the same units (inventory/availability.py): D falls back.
A sale elsewhere changes W only. So a push sets A to W + D and E to W, and never to W alone: that would put a unit back on sale
that was sold there a moment ago. Where D is not known the vendor's comparison tells: we say what we expect (E, and what of D we know),
and where it refuses and says A, D is A - E and the call is made again with A. Whoever settles a difference (inventory/drift.py) ends it:
- it was a sale: its event moves E and W by D; A has it already. Nothing is to be pushed.
- adopted: an adjustment by D, marked as the channel's own, does just the same.
- overwritten: E becomes A (availability.take_as_shown), so W is pushed over it.
In each case D is 0 in the end and A = W + D = W: every listing shows ours. Overwriting is left to them for the same reason: at the
moment of a push nobody can tell an edit from a sale whose event is on its way; a while later the event has come or will not come.

A call without an answer leaves two possible levels: before it, or after it. The row stands still until the answer is known, and the
same call goes out again under the same key. A vendor that keeps keys answers as it did the first time, so that its refusal means: the
call never took effect. Another vendor's level is compared with both; fits it neither, we wait a few attempts for whatever else happens
there before we call it a difference.
"""

from decimal import Decimal
from typing import NamedTuple

ZERO = Decimal(0)


class Wish(NamedTuple):
    """A call: the level to set, and what the vendor should show before it; None: whatever it shows."""

    expected: Decimal | None
    available: Decimal


class Stand(NamedTuple):
    """Where a listing stands: `shown` without what is not explained, and that."""

    shown: Decimal
    difference: Decimal


def wish(shown: Decimal | None, wanted: Decimal, difference: Decimal) -> Wish:
    """What to ask for; never a level below zero."""
    if shown is None:
        return Wish(None, max(wanted, ZERO))
    return Wish(shown + difference, max(wanted + difference, ZERO))


def stand(
    shown: Decimal, wanted: Decimal, known: Decimal, actual: Decimal, *, unclear: bool, patient: bool
) -> Stand | None:
    """What a refused comparison tells; None: not to be decided yet.

    `known`: the difference that the call reckoned with. `unclear`: an earlier call may have taken effect. `patient`: a sale that
    is still to come may explain it.
    """
    if not unclear:
        return Stand(shown, actual - shown)
    if actual == wish(shown, wanted, known).available:  # it did
        return Stand(actual - known, known)
    if actual == shown:  # it did not, and the difference is no more
        return Stand(shown, ZERO)
    if patient:
        return None
    base = max(shown, wanted)  # of two guesses the one that promises less
    return Stand(base, actual - base)


def plain(units: Decimal) -> str:
    """Without exponent and superfluous zeros."""
    return format(units.normalize() if units else ZERO, "f")
