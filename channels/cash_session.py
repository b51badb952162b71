"""One drawer from its opening to its count. Pure.

`source.register` names the drawer. The sales themselves are records of their own; a session says what else went in and out of it,
and what was there in the end.
"""

from typing import Literal

from channels.record import Amount, Identifier, Instant, Part, Record, Signed, Text


class CashMovement(Part, kw_only=True, gc=False):
    """Cash that is no sale's: `paid_in` and `paid_out` to and from what is kept outside of drawers, `deposit` to the bank."""

    id: Identifier
    type: Literal["paid_in", "paid_out", "deposit", "unknown"]
    amount: Amount
    at: Instant | None = None
    memo: Text | None = None


class CashSession(Record, kw_only=True, gc=False, tag="cash_session"):
    """`takings`: cash taken for sales less cash given back. `expected`: what should be in the drawer when it closes, by the till's
    own reckoning; `counted`: what was. Null: not told.
    """

    status: Literal["open", "closed", "counted", "unknown"]
    opened_at: Instant
    closed_at: Instant | None = None
    opening_float: Amount
    takings: Signed | None = None
    expected: Signed | None = None
    counted: Amount | None = None
    movements: list[CashMovement] = []

    @property
    def amount(self) -> int:
        """The headline amount, for lists: what was counted, else what should be there, else what it began with."""
        known = (self.counted, self.expected, self.opening_float)
        return next(amount for amount in known if amount is not None)

    @property
    def reckoned(self) -> int | None:
        """opening_float + takings + paid in - paid out - deposits, of what moved before the close; None without takings."""
        if self.takings is None:
            return None
        return self.opening_float + self.takings + sum(map(self._moved, self.movements))

    def _moved(self, movement: CashMovement) -> int:
        if self.closed_at is not None and movement.at is not None and movement.at > self.closed_at:
            return 0  # a deposit is often carried to the bank after the count
        return movement.amount if movement.type == "paid_in" else -movement.amount
