"""The seed facts in tax/data, read once. Pure: files of this package and nothing else."""

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path

from tax.law.ratebook import Country, DeliveryRule, Rate, RateBook, Region, Rule, Territory

_DATA = Path(__file__).resolve().parent.parent / "data"


def rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of a file of tax/data."""
    with (_DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@cache
def seed() -> RateBook:
    """The book of the seed facts; its version is the hash of the files."""
    return RateBook(
        version="seed-" + _digest(), rates=_rates(), rules=[*_rules(), *_holidays()], deliveries=_deliveries(),
        countries=_countries(), regions=_regions(), territories=_territories(),
    )  # fmt: skip


def _digest() -> str:
    digest = sha256()
    for path in sorted(_DATA.glob("*.csv")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def day(text: str) -> date | None:
    """A day of a file, None where it is left open."""
    return date.fromisoformat(text) if text else None


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _rates() -> Iterator[Rate]:
    for row in rows("rates.csv"):
        yield Rate(
            jurisdiction=row["jurisdiction"], tax=row["tax"], category=row["category"], rate=Decimal(row["rate"]),
            treatment=row["treatment"], starts=day(row["from"]), ends=day(row["to"]), scope=row["scope"],
            source=row["source"], verified_on=day(row["verified_on"]), confidence=row["confidence"], note=row["note"],
        )  # fmt: skip


def _rules() -> Iterator[Rule]:
    for row in rows("rules.csv"):
        yield Rule(
            jurisdiction=row["jurisdiction"], tax=row["tax"], category=row["category"], semantic=row["semantic"],
            lower=Decimal(row["lower"] or 0), upper=_number(row["upper"]), rate=_number(row["rate"]), currency=row["currency"],
            starts=day(row["from"]), ends=day(row["to"]), scope=row["scope"], source=row["source"], verified_on=day(row["verified_on"]),
            confidence=row["confidence"], note=row["note"],
        )  # fmt: skip


def _holidays() -> Iterator[Rule]:
    for row in rows("holidays.csv"):
        yield Rule(
            jurisdiction=row["jurisdiction"], category=row["category"], semantic=row["semantic"], upper=_number(row["cap"]),
            delivery_counts=row["delivery_counts"] == "yes", holiday=row["name"], starts=date.fromisoformat(row["first_day"]),
            ends=date.fromisoformat(row["last_day"]) + timedelta(days=1), scope=row["scope"], source=row["source"], verified_on=day(row["verified_on"]),
            confidence=row["confidence"], note=row["note"],
        )  # fmt: skip


def _deliveries() -> Iterator[DeliveryRule]:
    for row in rows("deliveries.csv"):
        yield DeliveryRule(
            jurisdiction=row["jurisdiction"], rule=row["rule"], starts=day(row["from"]), ends=day(row["to"]),
            source=row["source"], verified_on=day(row["verified_on"]), confidence=row["confidence"], note=row["note"],
        )  # fmt: skip


def _countries() -> Iterator[Country]:
    for row in rows("countries.csv"):
        yield Country(row["country"], row["name"], row["zone"], row["system"], row["rounding_level"], row["alpha3"])


def _regions() -> Iterator[Region]:
    for row in rows("regions.csv"):
        yield Region(
            country=row["country"], code=row["region"], name=row["name"], postcodes=tuple(row["postcodes"].split()),
            has_local_taxes=row["local_taxes"] == "yes", is_origin_sourced=row["origin_sourced"] == "yes",
            has_own_tax=row["own_tax"] == "yes", note=row["note"],
        )  # fmt: skip


def _territories() -> Iterator[Territory]:
    for row in rows("territories.csv"):
        yield Territory(
            row["country"],
            tuple(row["postcodes"].split("|")),
            row["code"],
            row["name"],
            row["treatment"],
            row["source"],
        )
