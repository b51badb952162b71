"""The prices and taxes of lines rounded at the level that a document has. Pure; used by tax.engine.document alone.

Prices and unrounded taxes are Decimals in major units, what is rounded is counted in steps of the rounding.
"""

from collections.abc import Sequence
from decimal import Decimal

from tax.engine.formula import TaxSet
from tax.engine.rounding import Rounder, Rounding, spread, spread_running
from tax.engine.thresholds import Scope

_ZERO = Decimal(0)
_ROUNDED_PRICE = frozenset({"line", "line_round_net", "line_combined", "document_per_rate"})


class Row:
    """A line on its way through the steps."""

    __slots__ = ("beside", "items", "joined", "net", "price", "raws", "scopes", "set", "taxes", "units")

    def __init__(self, taxes: TaxSet, price: Decimal, items: Decimal) -> None:
        self.set = taxes
        self.price = price  # major units
        self.items = items  # signed pieces: what fixed taxes count
        self.beside = _ZERO  # delivery that joined, part of the price
        self.joined: tuple[tuple[int, int], ...] = ()  # of which delivery, how many steps
        self.scopes: list[Scope] | None = None
        self.raws: list[Decimal] = []
        self.units = 0  # the price in steps
        self.taxes: list[int] = []
        self.net = 0


def set_prices(rows: Sequence[Row], level: str, rounder: Rounder) -> None:
    """The prices in steps; levels that round the base first go on with the rounded price."""
    if level.startswith("document") and level not in _ROUNDED_PRICE:
        exact = [rounder.steps(row.price) for row in rows]
        total = rounder(sum((row.price for row in rows), _ZERO))
        for row, units in zip(rows, spread(total, exact), strict=True):
            row.units = units
        return
    for row in rows:
        row.units = rounder.exact(row.price)
        if level in _ROUNDED_PRICE:
            row.price = row.units * rounder.step


def round_taxes(rows: Sequence[Row], rounding: Rounding, rounder: Rounder) -> None:
    """Round the taxes of all rows as the level says, and with them the net prices."""
    level = rounding.level
    if level == "line":
        for row in rows:
            _round_in_order(row, rounder)
    elif level == "line_combined":
        for row in rows:
            _round_together(row, rounder)
    elif level in ("line_unrounded_base", "none"):
        for row in rows:
            row.taxes = [rounder(raw) for raw in row.raws]
            if level == "none":
                row.net = row.units - rounder(sum((row.raws[i] for i in row.set.inside), _ZERO))
            else:
                row.net = row.units - included_in(row)
    elif level == "line_round_net":
        for row in rows:
            _round_net(row, rounder)
    else:
        _round_groups(rows, rounding, rounder)


def _round_in_order(row: Row, rounder: Rounder) -> None:
    """Each tax of the line rounded for itself; a tax on a rounded tax is computed on that."""
    taxes = row.set.taxes
    if row.set.is_flat:
        row.taxes = [rounder.exact(raw) for raw in row.raws]
        row.net = row.units
        return
    row.taxes = [rounder(raw) if tax.price_include else 0 for raw, tax in zip(row.raws, taxes, strict=True)]
    row.net = row.units - sum(row.taxes)
    for i, tax in enumerate(taxes):
        if tax.price_include:
            continue
        if tax.kind == "fixed":
            row.taxes[i] = rounder(row.raws[i])
            continue
        row.taxes[i] = rounder(base_of(row, i, rounder) * rate_of(row, i) / row.set.divisor[i])


def _round_together(row: Row, rounder: Rounder) -> None:
    """The taxes of a line rounded as one; those that the price includes apart from those that come on top."""
    row.taxes = [0] * len(row.raws)
    for members in (row.set.inside, row.set.outside):
        if members:
            total = rounder(sum((row.raws[i] for i in members), _ZERO))
            for i, units in zip(members, spread(total, [rounder.steps(row.raws[i]) for i in members]), strict=True):
                row.taxes[i] = units
    row.net = row.units - included_in(row)


def _round_net(row: Row, rounder: Rounder) -> None:
    """The net price is rounded, and what the price holds beyond it is the tax."""
    inside = row.set.inside
    row.taxes = [rounder(raw) for raw in row.raws]
    row.net = rounder(row.price - sum(row.raws[i] for i in inside)) if inside else row.units
    if inside:
        shares = spread(row.units - row.net, [rounder.steps(row.raws[i]) for i in inside])
        for i, share in zip(inside, shares, strict=True):
            row.taxes[i] = share


def _round_groups(rows: Sequence[Row], rounding: Rounding, rounder: Rounder) -> None:
    """Round each group's sum once and give it back to the taxes of the lines that it came from."""
    cells: dict[str, list[tuple[Row, int]]] = {}
    for row in rows:
        row.taxes = [0] * len(row.raws)
        for i, group in enumerate(row.set.groups[rounding.level]):
            cells.setdefault(group, []).append((row, i))
    for members in cells.values():
        exact = [rounder.steps(row.raws[i]) for row, i in members]
        total = rounder(sum((row.raws[i] for row, i in members), _ZERO))
        found = _running(members, exact, total, rounder) if rounding.is_directed else spread(total, exact)
        for (row, i), units in zip(members, found, strict=True):
            row.taxes[i] = units
    for row in rows:
        row.net = row.units - included_in(row)


def _running(members: Sequence[tuple[Row, int]], exact: Sequence[Decimal], total: int, rounder: Rounder) -> list[int]:
    """Line by line the running total; within a line each tax takes what its own running total lacks."""
    starts = [n for n in range(len(members)) if n == 0 or members[n][0] is not members[n - 1][0]]
    ends = [*starts[1:], len(members)]
    by_line = [sum(exact[a:b], _ZERO) for a, b in zip(starts, ends, strict=True)]
    found: list[int] = []
    lacking: dict[int, Decimal] = {}
    for a, b, share in zip(starts, ends, spread_running(total, by_line, rounder), strict=True):
        for n in range(a, b):
            lacking[members[n][1]] = lacking.get(members[n][1], _ZERO) + exact[n]
        parts = spread(share, [lacking[members[n][1]] for n in range(a, b)])
        for n, units in zip(range(a, b), parts, strict=True):
            lacking[members[n][1]] -= units
        found += parts
    return found


def included_in(row: Row) -> int:
    """The taxes that the price contains, in steps."""
    if row.set.is_flat:
        return 0
    return sum(row.taxes[i] for i in row.set.inside)


def base_units(row: Row, i: int, rounder: Rounder) -> int:
    """The base of a tax of the line in steps."""
    if row.scopes is None:
        return row.net + sum([row.taxes[j] for j in row.set.affected_by[i]])
    return rounder(base_of(row, i, rounder))


def base_of(row: Row, i: int, rounder: Rounder) -> Decimal:
    """What a tax of the line is computed on, in major units, from rounded figures."""
    base = (row.net + sum(row.taxes[j] for j in row.set.affected_by[i])) * rounder.step
    if row.scopes is None or row.set.taxes[i].kind == "fixed":
        return base
    scope = row.scopes[i]
    return (
        base
        if scope.slope and not scope.constant
        else base - (1 - scope.slope) * row.net * rounder.step + scope.constant
    )


def rate_of(row: Row, i: int) -> Decimal:
    """The rate that a price band or the tax itself gives."""
    if row.scopes is not None and row.scopes[i].rate is not None:
        return row.scopes[i].rate  # type: ignore[return-value]
    return row.set.taxes[i].rate
