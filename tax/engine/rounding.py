"""Where and how a tax is rounded, and how a rounded total is spread over what it was rounded from. Pure.

Figures are counted in increments (the cent, the yen, 0.05 in cash), as integers; what is not rounded yet is a Decimal in major units.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from decimal import (
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    localcontext,
)
from functools import lru_cache

import msgspec

LEVELS = (
    "line", "line_unrounded_base", "line_round_net", "line_combined",
    "document_per_tax", "document_per_rate", "document_per_combination", "document_combined", "none",
)  # fmt: skip
MODES = {
    "half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "half_down": ROUND_HALF_DOWN, "up": ROUND_UP, "down": ROUND_DOWN,
}  # fmt: skip
RAW = Decimal("0.000001")  # the level `none` shows six decimals

# Amounts have at most 16 digits before the point and a document a few divisions: 80 digits leave an error below 1e-50,
# so that a figure within 1e-40 of half a cent IS half a cent.
_CONTEXT = Context(prec=80, rounding=ROUND_HALF_EVEN)
_SNAP = Decimal("1e-40")


def exactly() -> AbstractContextManager[Context]:
    """The arithmetic in which a tie is seen as a tie; every calculation of the engine runs inside it."""
    return localcontext(_CONTEXT)


class Rounding(msgspec.Struct, frozen=True):
    """`level` and `mode` as LEVELS and MODES name them; away from zero is up, so that a refund mirrors its sale."""

    level: str = "line"
    mode: str = "half_up"
    increment: Decimal = Decimal("0.01")

    @property
    def step(self) -> Decimal:
        """What the figures are counted in."""
        return RAW if self.level == "none" else self.increment

    @property
    def is_directed(self) -> bool:
        """Always away from, or always towards zero."""
        return self.mode in ("up", "down")


@lru_cache(maxsize=64)
def rounder_of(rounding: Rounding) -> "Rounder":
    """The Rounder of a Rounding."""
    return Rounder(rounding)


class Rounder:
    """Rounds major units to whole steps of one Rounding."""

    __slots__ = ("_digits", "_mode", "step")

    def __init__(self, rounding: Rounding) -> None:
        self.step = rounding.step
        self._mode = MODES[rounding.mode]
        _, digits, exponent = self.step.as_tuple()
        self._digits = -exponent if digits == (1,) and isinstance(exponent, int) else None

    def __call__(self, value: Decimal) -> int:
        return int(self.steps(value).quantize(_SNAP).to_integral_value(self._mode))

    def exact(self, value: Decimal) -> int:
        """The same for a value that no division has cut short."""
        return int(self.steps(value).to_integral_value(self._mode))

    def steps(self, value: Decimal) -> Decimal:
        """Major units as a number of steps, not rounded."""
        return value / self.step if self._digits is None else value.scaleb(self._digits)


def spread(total: int, shares: Sequence[Decimal]) -> list[int]:
    """Split `total` over the exact `shares` (in steps) that it was rounded from, by largest remainder; Σ is exactly `total`.

    Ties go to the larger share, then to the earlier one. A mirrored total and shares give the mirrored split.
    """
    if len(shares) == 1:
        return [total]
    # equal shares are equal, whatever divisions have left at their ends
    shares = [_CONTEXT.quantize(share, _SNAP) for share in shares]
    mirrored = total < 0 or (total == 0 and sum(shares) < 0)
    if mirrored:
        total, shares = -total, [-share for share in shares]
    whole = [int(share) if share >= 0 else int(share.to_integral_value(ROUND_FLOOR)) for share in shares]
    missing = total - sum(whole)
    if missing:
        order = sorted(range(len(shares)), key=lambda i: (whole[i] - shares[i], -abs(shares[i])))
        each, rest = divmod(missing, len(shares))
        for rank, i in enumerate(order):
            whole[i] += each + (rank < rest)
    return [-units for units in whole] if mirrored else whole


def rounded_ratio(numerator: int, denominator: int, mode: str) -> int:
    """The fraction as a whole number, in one of MODES; exact."""
    whole, rest = divmod(abs(numerator), denominator)
    if rest:
        twice = 2 * rest
        if twice > denominator:
            whole += mode != "down"
        elif mode == "up" or (twice == denominator and (mode == "half_up" or (mode == "half_even" and whole & 1))):
            whole += 1
    return whole if numerator >= 0 else -whole


def spread_ratios(total: int, parts: Sequence[int], whole: int) -> list[int]:
    """`spread` of shares that are `parts` / `whole`, in integers."""
    if len(parts) == 1:
        return [total]
    mirrored = total < 0 or (total == 0 and sum(parts) < 0)
    if mirrored:
        total, parts = -total, [-part for part in parts]
    found = [part // whole for part in parts]
    missing = total - sum(found)
    if missing:
        order = sorted([(-(part % whole), -abs(part), i) for i, part in enumerate(parts)])
        each, rest = divmod(missing, len(parts))
        for rank, (_, _, i) in enumerate(order):
            found[i] += each + (rank < rest)
    return [-units for units in found] if mirrored else found


def part_of(units: int, part: int, of: int) -> int:
    """What of `units` goes with `part` where the rest goes with what `part` leaves of `of`: a split by largest remainder in two."""
    if not of:
        return 0
    mode = "half_up" if abs(2 * part) > abs(of) else "half_down"
    return rounded_ratio(units * part if of > 0 else -units * part, abs(of), mode)


def spread_by_weight(total: int, weights: Sequence[Decimal]) -> list[int]:
    """Split `total` in proportion to `weights` by largest remainder; with weights that add to zero the first takes all."""
    base = sum(weights)
    if base == 0:
        return [total] + [0] * (len(weights) - 1)
    return spread(total, [total * weight / base for weight in weights])


def spread_running(total: int, shares: Sequence[Decimal], rounder: Rounder) -> list[int]:
    """Split `total` so that every running total is itself rounded as `total` was; Σ is exactly `total`.

    What directed rounding means for a document: no line stands below what its beginning owes
    (Microsoft Dynamics 365, "Sales tax rounding rules": 11.11 + 22.22 + … at 10 % upwards are 1.12, 2.22, …).
    """
    found: list[int] = []
    running, before = Decimal(0), 0
    for share in shares:
        running += share
        now = rounder(running * rounder.step)
        found.append(now - before)
        before = now
    if found:
        found[-1] += total - before
    return found
