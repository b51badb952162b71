"""What a Vendure order comes to: Vendure's own figures; of an order that was cut down, what it was when it was placed. Pure."""

import msgspec

from channels.adapters.vendure.amounts import Amounts, half_up
from channels.adapters.vendure.lines import Row, read_rows
from channels.adapters.vendure.payments import Paid
from channels.reading import Json
from channels.sale import Totals
from salessync.core.money import allocate

HUNDRED = 100


class Stated(msgspec.Struct):
    """The rows that the sale is stated by, and their totals."""

    rows: list[Row]
    totals: Totals


def state(reader: Amounts, order: Json, paid: Paid, inclusive: bool, cancelled: bool, notes: Json) -> Stated:
    """As the order stands, unless a cancellation took off what was sold and paid for."""
    rows = read_rows(reader, order, inclusive, placed=False)
    aside = Amounts(reader.precision)  # what cannot be read at all is told already
    aside.currency = reader.currency
    first = read_rows(aside, order, inclusive, placed=True)
    if not reader.problems and [(r.id, r.units, r.net) for r in rows] != [(r.id, r.units, r.net) for r in first]:
        whole = _worth(first, inclusive)
        if cancelled or (paid.given_back() and paid.sum_of("captured") >= whole - len(first)):
            notes["stated"] = "as placed"
            reader.problems.extend(aside.problems)
            return _as_placed(first, paid, inclusive, cancelled, notes)
    return _as_told(reader, order, rows, inclusive, notes)


def _worth(rows: list[Row], inclusive: bool) -> int:
    return sum(row.net + (0 if inclusive else row.tax) for row in rows)


def _sums(rows: list[Row]) -> Totals:
    goods = [row for row in rows if row.type == "item"]
    return Totals(
        gross=sum(row.gross for row in goods),
        discount=sum(row.gross - row.net for row in goods),
        net=sum(row.net for row in goods),
        shipping=sum(row.net for row in rows if row.type == "shipping"),
        fees=sum(row.net for row in rows if row.type == "fee"),
        tax=sum(row.tax for row in rows),
        total=0,
    )


def _as_told(reader: Amounts, order: Json, rows: list[Row], inclusive: bool, notes: Json) -> Stated:
    """Vendure's own totals; differences that its rounding by order, or ours, can make are carried, greater ones are not."""
    mode, slack = ("WithTax" if inclusive else ""), len(rows) + reader.rounded
    within = reader.money(order.get("totalWithTax"), "totalWithTax")
    without = reader.maybe_money(order, "total")
    goods, shipping = reader.maybe_money(order, "subTotal" + mode), reader.maybe_money(order, "shipping" + mode)
    totals = _sums(rows)
    if without is not None and within - without != totals.tax:
        notes["tax"] = "of the order, allocated to its lines"
        _spread(rows, within - without - totals.tax, slack)
        totals = _sums(rows)
        totals.tax = within - without
    loose = 0
    if goods is not None and goods - totals.fees != totals.net:
        loose, totals.net = _nearer(goods - totals.fees, totals.net, slack, loose)
    if shipping is not None and shipping != totals.shipping:
        loose, totals.shipping = _nearer(shipping, totals.shipping, slack, loose)
        totals.shipping = reader.positive(totals.shipping, "shipping" + mode)
    totals.total = within
    if reader.rounded:
        notes["rounded"] = "half up"
    _carry(totals, inclusive, slack if loose or reader.rounded else 0, notes)
    return Stated(rows, totals)


def _nearer(told: int, added: int, slack: int, loose: int) -> tuple[int, int]:
    """The sum of the lines where the told figure differs by rounding only, else the told figure for the proof to object to."""
    return (loose + 1, added) if abs(told - added) <= slack else (loose, told)


def _spread(rows: list[Row], difference: int, slack: int) -> None:
    """A unit each, the most taxed line first."""
    if not rows or abs(difference) > slack:
        return
    step = 1 if difference > 0 else -1
    order = sorted(range(len(rows)), key=lambda i: (-abs(rows[i].tax), i))
    for turn in range(abs(difference)):
        rows[order[turn % len(order)]].tax += step


def _carry(totals: Totals, inclusive: bool, slack: int, notes: Json) -> None:
    parts = totals.net + totals.shipping + totals.fees + (0 if inclusive else totals.tax)
    if totals.total != parts and abs(totals.total - parts) <= slack:
        totals.rounding = totals.total - parts
        notes["rounding"] = totals.rounding


def _as_placed(rows: list[Row], paid: Paid, inclusive: bool, cancelled: bool, notes: Json) -> Stated:
    """The payments covered the order when it was placed: they are its total, where its promotions went with its units."""
    covered = paid.sum_of("captured") or paid.sum_of("authorized")
    lost = _worth(rows, inclusive) - covered
    if cancelled and covered and lost > len(rows):
        notes["discount"] = "what the payments did not cover"
        _reduce(rows, lost, inclusive)
    totals = _sums(rows)
    known = covered and (abs(lost) <= len(rows) or (cancelled and lost > 0))
    totals.total = covered if known else _worth(rows, inclusive)
    _carry(totals, inclusive, len(rows), notes)
    return Stated(rows, totals)


def _reduce(rows: list[Row], lost: int, inclusive: bool) -> None:
    """A discount that is known by its sum only, over the goods by what the buyer paid for them."""
    goods = [row for row in rows if row.type == "item" and row.net > 0]
    worth = [row.net + (0 if inclusive else row.tax) for row in goods]
    if sum(worth) < lost:
        return
    for row, value, share in zip(goods, worth, allocate(lost, worth), strict=True):
        paid = value - share
        without = half_up(paid, HUNDRED, HUNDRED + row.percent)
        row.net, row.tax = (paid if inclusive else without), paid - without
