"""Goods that a customer imports: up to a value the seller, or the marketplace, charges the tax of the destination; above it customs does. Pure."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache

import msgspec

from tax.law.seed import day, rows


class ImportLimit(msgspec.Struct, frozen=True):
    """`into` is a country or "eu"; `amount` in major units of `currency`, without tax and delivery, of a `consignment` or of one `piece`.

    `strict`: goods of just that value are above it. `to_business` is the treatment of a sale to one, empty where it makes no difference.
    """

    into: str
    registrations: frozenset[str]
    amount: Decimal
    currency: str
    per: str
    is_strict: bool
    excluded: tuple[str, ...]
    to_business: str
    starts: date | None
    ends: date | None
    source: str

    def is_above(self, value: Decimal) -> bool:
        """Customs collects the tax."""
        return value >= self.amount if self.is_strict else value > self.amount

    def is_excluded(self, category: str) -> bool:
        """Goods that customs collects the tax of, whatever they are worth: what bears excise."""
        return any(category == code or category.startswith(code + ".") for code in self.excluded)


@cache
def _limits() -> tuple[ImportLimit, ...]:
    return tuple(_read())


def _read() -> Iterator[ImportLimit]:
    for row in rows("imports.csv"):
        yield ImportLimit(
            row["into"], frozenset(row["registrations"].split("|")), Decimal(row["limit"]), row["currency"], row["per"],
            row["strict"] == "yes", tuple(row["excluded"].split("|")), row["to_business"], day(row["from"]), day(row["to"]), row["source"],
        )  # fmt: skip


def limit_into(country: str, zone: str, on: date) -> ImportLimit | None:
    """What holds for goods from outside on that day."""
    for limit in _limits():
        if limit.into in (country, zone) and (limit.starts is None or limit.starts <= on):
            return limit if limit.ends is None or on < limit.ends else None
    return None
