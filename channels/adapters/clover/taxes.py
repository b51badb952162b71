"""The taxes of an order. Clover tells rates on lines and amounts on payments only, so amounts are laid onto the lines. Pure.

What the payments say was collected is the tax, where the order is paid in full; otherwise the rates tell it, rounded once
for each rate as Clover does. Lines share a rate's tax by largest remainder.
"""

from fractions import Fraction

from channels.adapters.clover.lines import Rate, Row, spread
from channels.record import Tax

WHOLE = 10_000_000  # 100 %


def expected(rows: list[Row], inclusive: bool) -> dict[str, int]:
    """What each rate comes to by itself, by the rate's key."""
    found: dict[str, int] = {}
    for key, sharers in _by_rate(rows).items():
        found[key] = _round(sum((_share(row, rate, inclusive) for row, rate in sharers), Fraction(0)))
    return found


def _by_rate(rows: list[Row]) -> dict[str, list[tuple[Row, Rate]]]:
    groups: dict[str, list[tuple[Row, Rate]]] = {}
    for row in rows:
        for rate in row.rates:
            groups.setdefault(rate.key, []).append((row, rate))
    return groups


def _share(row: Row, rate: Rate, inclusive: bool) -> Fraction:
    if rate.flat:
        return Fraction(rate.flat)
    if inclusive:
        return Fraction(row.net * rate.rate, WHOLE + sum(r.rate for r in row.rates))
    return Fraction(row.net * rate.rate, WHOLE)


def _round(value: Fraction) -> int:
    sign = -1 if value < 0 else 1
    return sign * int(abs(value) + Fraction(1, 2))


def lay_on(rows: list[Row], total: int, inclusive: bool) -> list[list[Tax]]:
    """The taxes of each line, which add up to `total`."""
    by_rate = expected(rows, inclusive)
    laid: list[list[Tax]] = [[] for _ in rows]
    if not by_rate:
        return _without_rates(rows, total, laid)
    keys = list(by_rate)
    amounts = dict(zip(keys, spread(total, [by_rate[k] for k in keys]), strict=True))
    places = {id(row): index for index, row in enumerate(rows)}
    for key, sharers in _by_rate(rows).items():
        weights = [1 if rate.flat else row.net for row, rate in sharers]
        for (row, rate), amount in zip(sharers, spread(amounts[key], weights), strict=True):
            laid[places[id(row)]].append(Tax(name=rate.name, rate=_percent(rate), amount=amount))
    return laid


def _without_rates(rows: list[Row], total: int, laid: list[list[Tax]]) -> list[list[Tax]]:
    """Tax was collected, and no line says by which rate."""
    if total:
        for index, amount in enumerate(spread(total, [row.net for row in rows])):
            if amount:
                laid[index].append(Tax(name="Tax", amount=amount))
    return laid


def _percent(rate: Rate) -> str | None:
    """Ten-millionths as a percentage: 635000 → "6.35"; a fixed tax has none."""
    if rate.flat:
        return None
    whole, rest = divmod(rate.rate, 100_000)
    return f"{whole}.{rest:05d}".rstrip("0").ljust(len(f"{whole}.0"), "0")
