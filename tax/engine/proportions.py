"""Taxes that are a plain proportion of a price in whole steps, rounded in integers alone: almost every sale. Pure.

The same figures as tax.engine.levels gives, which does everything else: fixed amounts, thresholds, taxes in the price beside taxes on it.
"""

from collections.abc import Sequence
from math import lcm

from tax.engine.levels import Row
from tax.engine.rounding import Rounding, rounded_ratio, spread_ratios

LEVELS = frozenset({"line", "line_combined", "document_per_rate"})  # those that round the price before its tax


def is_proportional(rows: Sequence[Row], rounding: Rounding) -> bool:
    """Whether `round_proportions` can do all of it."""
    if rounding.level not in LEVELS or (rounding.is_directed and rounding.level == "document_per_rate"):
        return False
    return all(row.set.shares is not None for row in rows)


def round_proportions(rows: Sequence[Row], rounding: Rounding) -> None:
    """Taxes and net price of each row, from `units`."""
    level, mode = rounding.level, rounding.mode
    if level == "document_per_rate":
        _round_rates(rows, mode)
    for row in rows:
        taxes = row.set
        if level == "line_combined":
            row.taxes = _together(row.units, taxes.shares or (), taxes.whole, mode)
        elif level == "line":
            row.taxes = [rounded_ratio(row.units * share, taxes.whole, mode) for share in taxes.shares or ()]
        row.net = row.units - sum(row.taxes) if taxes.inside else row.units


def _together(units: int, shares: Sequence[int], whole: int, mode: str) -> list[int]:
    parts = [units * share for share in shares]
    if len(parts) < 2:
        return [rounded_ratio(part, whole, mode) for part in parts]
    return spread_ratios(rounded_ratio(sum(parts), whole, mode), parts, whole)


def _round_rates(rows: Sequence[Row], mode: str) -> None:
    """Round each group's sum once and give it back to the lines."""
    cells: dict[str, list[tuple[Row, int]]] = {}
    for row in rows:
        row.taxes = [0] * len(row.set.taxes)
        for i, group in enumerate(row.set.groups["document_per_rate"]):
            cells.setdefault(group, []).append((row, i))
    for members in cells.values():
        whole = lcm(*[row.set.whole for row, _ in members])
        parts = [row.units * row.set.shares[i] * (whole // row.set.whole) for row, i in members if row.set.shares]
        shares = spread_ratios(rounded_ratio(sum(parts), whole, mode), parts, whole)
        for (row, i), units in zip(members, shares, strict=True):
            row.taxes[i] = units
