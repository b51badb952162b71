"""How much of a cart is held, and at which place. Pure.

1. A bundle comes apart into its parts; what all lines together want of a product at a place is one sum.
2. A line that names a place is held there. What the lines without one want of a product is held at one place: the channel's own
   where the product is kept there, else the first that has enough for all of them, else the one that has most. A line is not split
   over places, as its sale takes it from one.
3. Of what is there the buffer stays: so many units of a product that is asked for itself, as many as so many bundles need of a part.
4. Lines are served in their order. Of a bundle that there is not enough for, whole ones are held.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Context, Decimal
from typing import NamedTuple

ZERO = Decimal(0)
FINEST = Decimal("0.0001")  # of a unit, as levels keep them
_WIDE = Context(prec=100)  # a quantity in a bundle in a bundle

Spot = tuple[int, str]  # product, location
Shelf = Mapping[
    int, Mapping[str, Decimal]
]  # product → place → on hand less reserved, in the order in which places are tried


class Asked(NamedTuple):
    """One line of a cart; `location` None: wherever there is enough."""

    sku: str
    quantity: Decimal
    location: str | None = None


class Item(NamedTuple):
    """What a SKU stands for. `parts`: (product, units in one of it); what is no bundle is its own only part, once."""

    product_id: int
    buffer: Decimal
    parts: tuple[tuple[int, Decimal], ...]

    @property
    def is_bundle(self) -> bool:
        return self.parts != ((self.product_id, Decimal(1)),)


class Share(NamedTuple):
    """What a line wants of one product at one place, and what of it can be held."""

    product_id: int
    location: str
    quantity: Decimal
    held: Decimal


class Allotted(NamedTuple):
    """`available`: how much of the line there is, once the lines before it have theirs; the shares hold no more than it asks for."""

    asked: Asked
    item: Item
    available: Decimal
    shares: list[Share]

    @property
    def held(self) -> Decimal:
        return min(self.available, self.asked.quantity)

    @property
    def is_short(self) -> bool:
        return self.available < self.asked.quantity


def allot(
    lines: Sequence[Asked], items: Mapping[str, Item], shelf: Shelf, *, own: str, elsewhere: str
) -> list[Allotted]:
    """Each line with what can be held for it.

    `own`: the channel's place, or "" where it has none; `elsewhere`: what is named as the place of a product that is kept nowhere.
    """
    left = _less_buffers(lines, items, shelf)
    places = {
        product: _place(units, room, own) or elsewhere
        for product, (units, room) in _wanted(lines, items, shelf, left).items()
    }
    found = []
    for line in lines:
        item = items[line.sku]
        spots = [(product, line.location or places[product]) for product, _ in item.parts]
        there = [max(left.get(spot, ZERO), ZERO) for spot in spots]
        whole = [_units(line.quantity, per) for _, per in item.parts]
        fits = all(have >= want for have, want in zip(there, whole, strict=True))
        available = there[0]
        if item.is_bundle:
            most = min(_WIDE.divide_int(have, per) for have, (_, per) in zip(there, item.parts, strict=True))
            available = max(most, line.quantity) if fits else most
        shares = []
        for spot, (_, per), want in zip(spots, item.parts, whole, strict=True):
            held = want if fits else _units(available, per)
            left[spot] = left.get(spot, ZERO) - held
            shares.append(Share(*spot, want, held))
        found.append(Allotted(line, item, available, shares))
    return found


def _less_buffers(lines: Iterable[Asked], items: Mapping[str, Item], shelf: Shelf) -> dict[Spot, Decimal]:
    """What is there less the largest buffer that any of the lines leaves."""
    kept: dict[int, Decimal] = defaultdict(Decimal)
    for item in {items[line.sku] for line in lines}:
        for product, per in item.parts:
            kept[product] = max(kept[product], _units(item.buffer, per))
    return {(p, place): units - kept[p] for p, places in shelf.items() for place, units in places.items()}


def _wanted(
    lines: Iterable[Asked], items: Mapping[str, Item], shelf: Shelf, left: Mapping[Spot, Decimal]
) -> dict[int, tuple[Decimal, dict[str, Decimal]]]:
    """Product → what the lines without a place want of it, and what of it is at each place that the other lines leave."""
    bound: dict[Spot, Decimal] = defaultdict(Decimal)
    free: dict[int, Decimal] = defaultdict(Decimal)
    for line in lines:
        for product, per in items[line.sku].parts:
            if line.location is None:
                free[product] += _units(line.quantity, per)
            else:
                bound[product, line.location] += _units(line.quantity, per)
    return {
        product: (units, {place: left[product, place] - bound[product, place] for place in shelf.get(product, ())})
        for product, units in free.items()
    }


def _place(units: Decimal, room: Mapping[str, Decimal], own: str) -> str | None:
    if own in room:
        return own
    return next(
        (place for place in room if room[place] >= units), max(room, key=lambda place: room[place], default=None)
    )


def _units(quantity: Decimal, per: Decimal) -> Decimal:
    """So many times so many, never less than it takes."""
    return _WIDE.multiply(quantity, per).quantize(FINEST, ROUND_CEILING, _WIDE)
