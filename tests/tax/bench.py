"""How fast taxes are found and computed: `python -m tests.tax.bench` prints it, `measure()` gives it to `make bench`.

One core, one thread, from a Request as the pipeline has it to the Quote; places, categories and days were looked up before. The
yardstick is pydantic validating the lines of the same sales, as JSON would bring them, in the same run. Seconds are the processor's.
"""

import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tax.law.ratebook import Locality, Rate, RateBook
from tax.law.seed import seed
from tax.quoting.quote import computed
from tax.quoting.request import Request, read

SALES = 4000
RUNS = 5
_BATCH = 500  # quotes that are there at a time, as in the pipeline
_DAYS = 30
_STATES = ("NY", "TX", "FL", "WA", "MN", "GA", "OH", "TN", "IL", "PA")
_CITIES = 60  # of a state
_EU = ("DE", "FR", "IT", "ES", "NL", "PL", "AT", "IE", "SE", "BE")
_PROVINCES = ("ON", "QC", "BC", "AB", "NS", "SK")
_CATEGORIES = ("standard", "standard", "goods", "clothing", "food.grocery", "books.print", "footwear", "toys")
_QUANTITIES = ("1", "1", "1", "2", "3")


class Cities:
    """A county, a city and, in every other one, a district below each state; the postcode's last digits say which."""

    def locate(self, country: str, region: str, postcode: str, city: str, on: date) -> Locality | None:
        number = int(postcode[-2:]) % _CITIES
        return Locality(tuple(f"US-{region}/{level}{number}" for level in _levels(number)))


def _levels(number: int) -> tuple[str, ...]:
    return ("county", "city", "district")[: 2 + number % 2]


def book() -> RateBook:
    """The seed facts, and local rates below ten states."""
    known = seed()
    local = [
        Rate(jurisdiction=f"US-{state}/{level}{number}", tax=level, rate=Decimal(number % 9 + 1) / 8)
        for state in _STATES for number in range(_CITIES) for level in _levels(number)
    ]  # fmt: skip
    return RateBook(
        version="bench", rates=[*(row for of in known.rates.values() for row in of), *local],
        rules=[row for of in known.rules.values() for row in of],
        deliveries=[row for of in known.deliveries.values() for row in of],
        countries=known.countries.values(), regions=known.regions.values(), territories=known.territories, localities=Cities(),
    )  # fmt: skip


def sales(count: int) -> Iterator[dict[str, Any]]:
    """Sales of one to five lines: half in the United States with three or four jurisdictions, a third in the EU, the rest in Canada."""
    chance = random.Random(6)
    for _ in range(count):
        day = date(2026, 3, 1) + timedelta(days=chance.randrange(_DAYS))
        yield {
            "date": day.isoformat(), **_place(chance), "lines": [_line(chance) for _ in range(chance.randint(1, 5))],
            "shipping": [{"amount": f"{chance.randint(300, 1500) / 100:.2f}"}] if chance.random() < 0.6 else [],
        }  # fmt: skip


def _place(chance: random.Random) -> dict[str, Any]:
    kind = chance.random()
    if kind < 0.5:
        state = chance.choice(_STATES)
        postcodes = seed().regions["US", state].postcodes[0][:3]
        return {
            "country": "US",
            "region": state,
            "postcode": f"{postcodes}{chance.randrange(_CITIES):02}",
            "currency": "USD",
        }
    if kind < 0.85:
        origin = {"country": chance.choice(_EU)} if chance.random() < 0.7 else None
        return {"country": chance.choice(_EU), "ship_from": origin, "currency": "EUR", "price_mode": "inclusive"}
    return {"country": "CA", "region": chance.choice(_PROVINCES), "currency": "CAD"}


def _line(chance: random.Random) -> dict[str, Any]:
    amount = chance.randint(199, 24_999)
    discount = amount // 10 if chance.random() < 0.2 else 0
    return {
        "amount": f"{amount / 100:.2f}", "qty": chance.choice(_QUANTITIES), "category": chance.choice(_CATEGORIES),
        "discount": f"{discount / 100:.2f}",
    }  # fmt: skip


def _requests(facts: RateBook, of: list[dict[str, Any]]) -> list[Request]:
    """With the channel's tax as a channel has it: mostly ours, now and then another."""
    found = []
    for n, sale in enumerate(of):
        done = computed(read(sale), facts)
        charged = done.result.tax * done.result.step * (Decimal("0.9") if n % 20 == 0 else 1)
        found.append(read({**sale, "channel_tax": f"{charged:.2f}"}))
    return found


def measure(sales_count: int = SALES, runs: int = RUNS) -> dict[str, float]:
    """Lines a second (request lines; delivery is not counted): ours, pydantic's, and the ratio of the medians."""
    facts = book()
    given = list(sales(sales_count))
    requests = _requests(facts, given)
    lines = sum(len(request.lines) for request in requests)
    raw = [line for sale in given for line in sale["lines"]]
    validate = _validator()
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(lines / _seconds(lambda request: computed(request, facts), requests))
        if validate is not None:
            theirs.append(lines / _seconds(validate, raw))
    found: dict[str, float] = {"tax_lines_s": round(statistics.median(ours))}
    if theirs:
        found["pydantic_lines_s"] = round(statistics.median(theirs))
        found["tax_to_pydantic"] = round(statistics.median(ours) / statistics.median(theirs), 3)
    return found


def _seconds(work: Callable[[Any], Any], of: Sequence[Any]) -> float:
    began = time.process_time()
    for start in range(0, len(of), _BATCH):
        [work(one) for one in of[start : start + _BATCH]]
    return time.process_time() - began


def _validator() -> Callable[[Any], Any] | None:
    """None without pydantic, which only this yardstick needs."""
    try:
        from pydantic import BaseModel
    except ImportError:
        return None

    class SoldLine(BaseModel):
        amount: Decimal
        qty: Decimal
        category: str
        discount: Decimal
        taxes: list[dict[str, str]] | None = None

    return SoldLine.model_validate


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
