"""Which postings SHOULD stand for one session of a drawer. Pure.

The sales of the session have put their cash into the till already. Here comes what else went in and out of it, and in the end what
the count found more or less than there should have been.
"""

from channels.cash_session import CashMovement, CashSession
from ledger import accounts
from ledger.legs import Leg, Legs, Policy


def cash_session_legs(session: CashSession, policy: Policy) -> Legs:
    """Dr Till · Cr Petty cash for what was paid in, the reverse for what was paid out; Dr Bank in transit · Cr Till for a deposit;
    the count's difference to Cash over/short, where the till tells what should have been there.
    """
    till = accounts.till(session.source.register, session.source.location)
    legs: Legs = []
    for movement in session.movements:
        other = _other_side(movement)
        if other is not None and other.amount:
            legs += [Leg(till, -other.amount, other.path), other]
    over = over_or_short(session)
    if over:
        legs += [Leg(till, over, "counted"), Leg(accounts.CASH_OVER_SHORT, -over, "counted")]
    return legs


def _other_side(movement: CashMovement) -> Leg | None:
    """Cash to or from what is kept outside of drawers is no cost yet: whoever knows what it was for books that from petty cash, or
    a rule on its kind does.
    """
    path = f"movements/{movement.id}"
    if movement.type == "deposit":
        return Leg(accounts.BANK_IN_TRANSIT, movement.amount, path)
    if movement.type == "unknown":
        return None
    amount = movement.amount if movement.type == "paid_out" else -movement.amount
    return Leg(accounts.PETTY_CASH, amount, path, kind=movement.type)


def over_or_short(session: CashSession) -> int | None:
    """What the count found beyond what should have been there, negative where it fell short; None: not known."""
    expected = session.expected if session.expected is not None else session.reckoned
    if session.status != "counted" or session.counted is None or expected is None:
        return None
    return session.counted - expected
