"""WooCommerce's taxes: rates by id, and the shares of a line's tax that are kept finer than the smallest unit. Pure."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import msgspec

from channels.adapters.woocommerce.reading import ZERO, Reader, number, plain
from channels.reading import Json, text
from channels.record import Jurisdiction, Tax

# Words of a tax that belongs to a smaller place than its rate's state.
_LOCAL = frozenset({"city", "county", "district", "municipal", "special", "transit", "parish", "local"})


class Rate(NamedTuple):
    """What the order's tax_lines tell of one rate."""

    name: str
    jurisdiction: str | None = None
    rate: str | None = None


class RowTax(msgspec.Struct):
    """The tax of one line: what the line says, and its shares by rate, in minor units with their fractions."""

    stated: int
    shares: list[Decimal]
    rates: list[Rate]

    @property
    def exact(self) -> Decimal:
        """The line's tax before it was rounded."""
        return sum(self.shares, ZERO)

    @property
    def is_fine(self) -> bool:
        """Whether a share has a fraction of the smallest unit, and the line's own figure is its rounding."""
        return any(share % 1 for share in self.shares) and abs(self.exact - self.stated) < 1


def rates(reader: Reader, order: Json, place: Jurisdiction | None) -> dict[str, Rate]:
    """The order's rates by rate_id, by which the lines name them."""
    found: dict[str, Rate] = {}
    for index, row in enumerate(reader.rows(order, "tax_lines")):
        identifier = reader.optional_id(row.get("rate_id"), f"tax_lines[{index}].rate_id")
        if identifier is not None:
            name = text(row.get("label")) or text(row.get("rate_code")) or "Tax"
            found[identifier] = Rate(
                name, tax_place(row.get("rate_code"), name, place), percent(row.get("rate_percent"))
            )
    return found


def percent(value: Any) -> str | None:
    """A rate in percent as text (20 → "20.0", "8.875"); None where it is no usable number."""
    found = plain(value.rstrip("%").strip() if type(value) is str else value)
    if found is None or not -1000 < found < 1000:
        return None
    shown = number(round(found, 12))
    return shown if "." in shown else shown + ".0"


def tax_place(code: Any, name: str, place: Jurisdiction | None) -> str | None:
    """The place in a rate's code, COUNTRY-STATE-NAME-PRIORITY with any of them left out; a city's tax stays None."""
    parts = code.split("-") if type(code) is str else []
    if parts and parts[-1].isdigit():
        parts.pop()
    if len(parts) < 2 or len(parts[0]) != 2 or not (parts[0].isascii() and parts[0].isalpha() and parts[0].isupper()):
        return None
    if _LOCAL & set(f"{name} {code}".casefold().replace("-", " ").split()):
        return None
    # only a rate of the place itself can apply to it, so the second part is a state where it is that place's
    if len(parts) > 2 and place is not None and place.region and (place.country, place.region) == (parts[0], parts[1]):
        return f"{parts[0]}-{parts[1]}"
    return parts[0]


def row_tax(reader: Reader, row: Json, where: str, known: dict[str, Rate], sign: int = 1) -> RowTax:
    """The tax of one line; a share that is empty belongs to a rate that did not apply. `sign` -1: a refund's."""
    shares: list[Decimal] = []
    found: list[Rate] = []
    for index, one in enumerate(reader.rows(row, "taxes", where)):
        place = f"{where}taxes[{index}]."
        if one.get("total") in (None, ""):
            continue
        shares.append(sign * reader.fine(one["total"], place + "total"))
        found.append(known.get(reader.optional_id(one.get("id"), place + "id") or "", Rate("Tax")))
    stated = reader.maybe_amount(row, "total_tax", where)
    if stated is None:
        stated = sign * int(sum(shares, ZERO).to_integral_value(ROUND_HALF_UP))
    stated *= sign
    if not shares and stated:  # a tax service that writes the sum only
        shares = [Decimal(stated)]
        found = list(known.values()) if len(known) == 1 else [Rate("Tax")]
    return RowTax(stated, shares, found)


def settle(rows: Sequence[RowTax], total: int | None) -> list[int]:
    """The tax of each line, so that they add up to the order's.

    A shop that rounds at the subtotal rounds each line's figure for display only; then the order's total_tax is shared over the
    lines by largest remainder of the figures before rounding. Anything else stays as the lines say, for the proof to judge.
    """
    stated = [row.stated for row in rows]
    if total is None or sum(stated) == total or not any(row.is_fine for row in rows):
        return stated
    if any(abs(row.exact - row.stated) >= 1 for row in rows):
        return stated
    exact = [row.exact for row in rows]
    if abs(sum(exact, ZERO) - total) > 1:  # goods and shipping are rounded once each
        return stated
    return share(total, exact)


def taxes(row: RowTax, amount: int) -> list[Tax]:
    """The line's taxes by rate, which add up to `amount` unless the payload contradicts itself."""
    if row.is_fine or (amount != row.stated and abs(row.exact - amount) <= 1):
        parts = share(amount, row.shares)
    else:
        parts = [int(part.to_integral_value(ROUND_HALF_UP)) for part in row.shares]
    return [
        Tax(name=rate.name, jurisdiction=rate.jurisdiction, rate=rate.rate, amount=part)
        for rate, part in zip(row.rates, parts, strict=True)
    ]


def share(total: int, exact: Sequence[Decimal]) -> list[int]:
    """Whole units near the exact figures that add up to `total`: the largest fractions are rounded up, the first of equals."""
    if not exact:
        return []
    parts = [int(one.to_integral_value(ROUND_FLOOR)) for one in exact]
    left = total - sum(parts)
    order = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    step = 1
    if left < 0:
        order.reverse()
        step = -1
    for position in range(abs(left)):
        parts[order[position % len(order)]] += step
    return parts
