"""From which sales on a seller must register in a state where it has no place: thresholds, the days they look at, how near one is. Pure.

The facts are tax/data/nexus.csv. What a law counts as a sale is read so: sales as they were made, returns not deducted (most laws speak of
gross sales); retail sales include those for resale, since nothing tells them apart; reaching a threshold is passing it, also where
the law says "more than". So we rather warn too early.
"""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import cache

import msgspec

from salessync.core.money import to_minor
from tax.law import seed

EU = "EU"  # one threshold for all its states together
NEAR = Decimal("0.8")  # of a threshold
_MOST = Decimal("99999.9999")
_SHARE = Decimal("0.0001")


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """`sales` in minor units of `currency`; `logic` is sales (their sum alone), or, and (with the number of transactions).

    `counts`: gross, retail, taxable or cross_border; `starts` and `ends`: the days [starts, ends) of the law.
    """

    jurisdiction: str
    sales: int
    currency: str
    transactions: int | None
    logic: str
    period: str
    does_count_marketplaces: bool
    counts: str
    starts: date | None
    ends: date | None
    source: str
    confidence: str
    note: str


class Window(msgspec.Struct, frozen=True):
    """The days [starts, ends) that are added up. `is_ahead`: they do not bind yet, but will if it goes on so."""

    starts: date
    ends: date
    is_ahead: bool = False

    def __str__(self) -> str:
        return f"{self.starts}/{self.ends - timedelta(days=1)}"


class Day(msgspec.Struct, frozen=True):
    """What was sold to a jurisdiction on a business day: minor units of the threshold's currency, and in how many sales."""

    on: date
    sales: int
    transactions: int


class Standing(msgspec.Struct, frozen=True):
    """`share` of the threshold in the window that comes nearest to it; `state` is far, near or passed."""

    share: Decimal
    state: str
    window: Window
    sales: int
    transactions: int
    passed_on: date | None


@cache
def _all() -> tuple[Threshold, ...]:
    return tuple(
        Threshold(
            jurisdiction=row["jurisdiction"], sales=to_minor(row["sales"], row["currency"]), currency=row["currency"],
            transactions=int(row["transactions"]) if row["transactions"] else None, logic=row["logic"], period=row["period"],
            does_count_marketplaces=row["marketplace"] == "yes", counts=row["counts"], starts=seed.day(row["from"]), ends=seed.day(row["to"]),
            source=row["source"], confidence=row["confidence"], note=row["note"],
        )
        for row in seed.rows("nexus.csv")
        if row["logic"] != "none"
    )  # fmt: skip


def thresholds(on: date) -> dict[str, Threshold]:
    """The thresholds in force on a day, by jurisdiction (US-NY, EU)."""
    return {
        t.jurisdiction: t for t in _all() if (t.starts is None or t.starts <= on) and (t.ends is None or on < t.ends)
    }


def standing(threshold: Threshold, days: Iterable[Day], on: date) -> Standing:
    """How near the sales up to and with `on` come to the threshold; `passed_on` is the first day on which one of its windows held enough."""
    ordered = sorted((day for day in days if day.on <= on), key=lambda day: day.on)
    found = [_in(threshold, window, ordered) for window in windows(threshold.period, on)]
    best = max(found, key=lambda one: (one.state == "passed", one.share))
    passed = [one.passed_on for one in found if one.state == "passed" and one.passed_on]
    return msgspec.structs.replace(best, passed_on=min(passed, default=None))


def _in(threshold: Threshold, window: Window, days: Sequence[Day]) -> Standing:
    sales = transactions = 0
    passed_on = None
    for day in days:
        if window.starts <= day.on < window.ends:
            sales += day.sales
            transactions += day.transactions
            if passed_on is None and _share(threshold, sales, transactions) >= 1:
                passed_on = day.on
    share = _share(threshold, sales, transactions)
    if share >= 1 and not window.is_ahead:
        state = "passed"
    else:
        state = "near" if share >= NEAR else "far"
    return Standing(share, state, window, sales, transactions, passed_on)


def _share(threshold: Threshold, sales: int, transactions: int) -> Decimal:
    """Rounded down, so that it is 1 only where it is reached."""
    parts = [Decimal(sales) / threshold.sales]
    if threshold.transactions and threshold.logic != "sales":
        parts.append(Decimal(transactions) / threshold.transactions)
    share = min(parts) if threshold.logic == "and" else max(parts)
    return min(share, _MOST).quantize(_SHARE, ROUND_DOWN)


# --- the days that a law looks at -------------------------------------------------------------------------------------


def windows(period: str, on: date) -> tuple[Window, ...]:
    """What is added up on a day."""
    year = _year(on.year)
    if period == "previous_or_current_year":
        return _year(on.year - 1), year
    if period == "previous_year":  # this year's sales bind from the next on
        return _year(on.year - 1), _ahead(year)
    if period == "previous_12_months":
        return (Window(_back(on, 12) + timedelta(days=1), on + timedelta(days=1)),)
    if period == "quarters":
        return _quarters(on, first_month=1)
    if period == "ny_quarters":  # of sales tax: March to May, June to August …
        return _quarters(on, first_month=3)
    if period == "year_to_september":
        first = date(on.year if on.month >= 10 else on.year - 1, 10, 1)
        return Window(_back(first, 12), first), Window(first, _back(first, -12), is_ahead=True)
    raise ValueError(f"{period[:40]!r} is no period that is known")


def earliest(on: date) -> date:
    """The first day that any window may look at."""
    return date(on.year - 2, 10, 1)


def _year(number: int) -> Window:
    return Window(date(number, 1, 1), date(number + 1, 1, 1))


def _ahead(window: Window) -> Window:
    return msgspec.structs.replace(window, is_ahead=True)


def _quarters(on: date, first_month: int) -> tuple[Window, ...]:
    """The last four whole quarters; and the current one with the three before it."""
    current = _back(date(on.year, on.month, 1), (on.month - first_month) % 3)
    return Window(_back(current, 12), current), Window(_back(current, 9), _back(current, -3), is_ahead=True)


def _back(day: date, months: int) -> date:
    """So many months earlier; the month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
