"""The seed facts themselves: complete, of one voice, and each with its source."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from tax.engine.thresholds import KINDS
from tax.law.categories import categories, category_of
from tax.law.seed import rows, seed

EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()
FACTS = ["rates.csv", "rules.csv", "holidays.csv", "deliveries.csv"]


@pytest.mark.parametrize("name", [*FACTS, "imports.csv"])
def test_each_fact_has_its_source_and_confidence(name):
    for row in rows(name):
        assert row["source"], row
        assert row["confidence"] in ("high", "medium", "low", "unresolved"), row
        assert row["verified_on"] or row["confidence"] != "high", row
        if row["verified_on"]:
            date.fromisoformat(row["verified_on"])


def test_categories_jurisdictions_and_semantics_are_known():
    book = seed()
    places = {*book.countries, *(f"{c}-{r}" for c, r in book.regions), *(t.code for t in book.territories)}
    for name in FACTS:
        for row in rows(name):
            assert row["jurisdiction"] in places, row
            assert row.get("category", "standard") in categories(), row
            assert row.get("semantic", "exempt") in KINDS, row
            assert row.get("scope", "own") in ("own", "below", "all"), row


def test_no_two_rates_are_in_force_at_once():
    found = defaultdict(list)
    for of in seed().rates.values():
        for row in of:
            found[row.jurisdiction, row.tax, row.category].append((row.starts or date.min, row.ends or date.max))
    for key, ranges in found.items():
        ranges.sort()
        assert all(before[1] <= after[0] for before, after in pairwise(ranges)), key


@pytest.mark.parametrize("country", [*EU, "GB", "CH", "NO", "AU", "NZ", "SG", "IN", "CA"])
def test_a_country_has_a_general_rate_without_a_gap_until_now(country):
    ranges = sorted(
        (r.starts or date.min, r.ends or date.max) for r in seed().rates[country] if r.category == "standard"
    )
    assert ranges[-1][1] == date.max
    assert all(before[1] == after[0] for before, after in pairwise(ranges))


def test_every_american_state_has_a_rate_or_has_no_tax():
    book = seed()
    on = date(2026, 6, 1)
    with_tax = {
        row.jurisdiction
        for of in book.rates.values()
        for row in of
        if row.category == "standard" and row.is_in_force(on)
    }
    for (country, code), region in book.regions.items():
        if country == "US":
            assert (f"US-{code}" in with_tax) == region.has_own_tax, code


def test_postcodes_of_states_do_not_overlap():
    taken = {}
    for (country, code), region in seed().regions.items():
        if country == "US":
            for low, _, high in (part.partition("-") for part in region.postcodes):
                for prefix in range(int(low), int(high or low) + 1):
                    assert taken.setdefault(prefix, code) == code, prefix


def test_a_name_means_one_category():
    names = defaultdict(set)
    for row in rows("categories.csv"):
        for name in [row["code"], *row["words"].split("|"), *row["avalara"].split("|"), *row["taxjar"].split("|")]:
            if name:
                names[name.casefold()].add(row["code"])
    assert all(len(codes) == 1 for codes in names.values())
    assert category_of("O9999999").code == "goods"
    assert category_of("nobody knows") is None


def test_rates_are_percentages_that_taxes_have():
    assert all(0 <= row.rate <= Decimal(40) for of in seed().rates.values() for row in of)
