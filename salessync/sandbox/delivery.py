"""One message of a sandbox shop, and the order in which a day's messages arrive. Pure."""

from dataclasses import dataclass
from datetime import datetime
from random import Random


@dataclass(frozen=True)
class Delivery:
    """What a vendor sends once; a retry or a duplicate is the same delivery sent again."""

    channel: str
    topic: str
    body: bytes
    delivery_id: str
    at: datetime
    subject: str  # source id of the order or sale it speaks of
    opens: bool = False  # tells the order or sale itself, not only its payments and refunds


@dataclass(frozen=True)
class Play:
    """Deliveries in the order in which they are sent."""

    deliveries: list[Delivery]
    duplicates: int
    early: int  # payments and refunds that go out before anything told their order


def arrange(deliveries: list[Delivery], rng: Random, *, twice: float = 0.10, early: float = 0.08) -> Play:
    """A day as the network brings it: some messages twice, some before their order, neighbours shuffled."""
    line = sorted(deliveries, key=lambda d: (d.at, not d.opens, d.delivery_id))
    places = [float(i) for i in range(len(line))]
    first: dict[str, int] = {}
    for place, delivery in enumerate(line):
        if delivery.opens:
            first.setdefault(delivery.subject, place)
    for index, delivery in enumerate(line):
        opening = first.get(delivery.subject)
        if opening is not None and not delivery.opens and rng.random() < early:
            places[index] = opening - rng.uniform(8, 20)
        else:
            places[index] += rng.uniform(-3, 3)
    sent = [(place, delivery) for place, delivery in zip(places, line, strict=True)]
    again = [(place + rng.uniform(1, 60), delivery) for place, delivery in sent if rng.random() < twice]
    ordered = [delivery for _, delivery in sorted(sent + again, key=lambda pair: (pair[0], pair[1].delivery_id))]
    return Play(ordered, len(again), _early(ordered))


def _early(ordered: list[Delivery]) -> int:
    told: set[str] = set()
    known: set[str] = set()
    count = 0
    opened = {d.subject for d in ordered if d.opens}
    for delivery in ordered:
        if delivery.opens:
            told.add(delivery.subject)
        elif delivery.delivery_id not in known and delivery.subject in opened and delivery.subject not in told:
            count += 1
        known.add(delivery.delivery_id)
    return count
