"""The tax of a refund, from the sale's own figures and never from today's rates. Pure; minor units of the sale's currency.

Cumulative: what has been given back in all is the sale's tax in proportion to what has been refunded in all, rounded once. A sequence of
refunds that gives everything back ends exactly at the sale's tax, whatever its steps.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tax.engine.rounding import exactly, spread_by_weight


class SoldLine(msgspec.Struct, frozen=True):
    """A line of the sale as it was taxed; `taxes` by their position. `refunded` is the gross given back before, `returned` its taxes."""

    gross: int
    taxes: tuple[int, ...]
    refunded: int = 0
    returned: tuple[int, ...] = ()


class RefundLine(msgspec.Struct, frozen=True):
    """What a refund gives back of a line: net is gross less taxes."""

    gross: int
    taxes: tuple[int, ...]

    @property
    def net(self) -> int:
        """What goes off the revenue."""
        return self.gross - sum(self.taxes)


class TooMuch(ValueError):
    """More is given back than was paid."""


def cumulative_part(total: int, done: int, whole: int, before: int) -> int:
    """The part of `total` that is due once `done` of `whole` is refunded, less what went `before`; halves away from zero."""
    if not whole:
        return 0
    exact = 2 * total * done
    due = (abs(exact) + abs(whole)) // (2 * abs(whole))
    return (due if (exact < 0) == (whole < 0) else -due) - before


def refund_sequence(total: int, steps: Sequence[int], whole: int) -> list[int]:
    """The parts of `total` for successive refunds of `steps` out of `whole`."""
    found: list[int] = []
    done = 0
    for step in steps:
        done += step
        found.append(cumulative_part(total, done, whole, sum(found)))
    return found


def refund_line(line: SoldLine, gross: int) -> RefundLine:
    """Give back `gross` of the line; each of its taxes in proportion, after what was given back before."""
    done = line.refunded + gross
    if abs(done) > abs(line.gross) or done * line.gross < 0:
        raise TooMuch(f"{done} would be given back of a line of {line.gross}")
    before = line.returned or (0,) * len(line.taxes)
    return RefundLine(
        gross, tuple(cumulative_part(tax, done, line.gross, b) for tax, b in zip(line.taxes, before, strict=True))
    )


def refund_amount(lines: Sequence[SoldLine], gross: int) -> list[RefundLine]:
    """Give back an amount without lines: over what is left of each, in proportion, then with that line's own taxes."""
    left = [line.gross - line.refunded for line in lines]
    if abs(gross) > abs(sum(left)) or gross * sum(left) < 0:
        raise TooMuch(f"{gross} would be given back where {sum(left)} is left")
    if not lines:
        return []
    with exactly():
        shares = spread_by_weight(gross, [Decimal(units) for units in left])
    return [refund_line(line, share) for line, share in zip(lines, shares, strict=True)]
