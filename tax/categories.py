"""What is sold, as a path in the tree of tax categories. Pure.

A channel names it by our code, by a word, or by the code of a tax service or customs tariff; the table is tax/data/categories.csv.
"""

from collections.abc import Iterator
from functools import cache

import msgspec

from tax.ratebook import ROOT
from tax.seed import rows

GOODS = "goods"  # what is not named otherwise is a good


class Category(msgspec.Struct, frozen=True):
    """`code` is a path such as food.grocery; `is_often_reduced`: most countries have a rate for it, so that none known is a doubt."""

    code: str
    label: str
    is_often_reduced: bool


@cache
def categories() -> dict[str, Category]:
    """Every category by its code."""
    return {
        row["code"]: Category(row["code"], row["label"], row["often_reduced"] == "yes")
        for row in rows("categories.csv")
    }


@cache
def _names() -> dict[str, str]:
    return {name: row["code"] for row in rows("categories.csv") for name in _names_of(row)}


def _names_of(row: dict[str, str]) -> Iterator[str]:
    yield row["code"]
    for column in ("words", "avalara", "taxjar", "stripe"):
        yield from (name.casefold() for name in row[column].split("|") if name)
    yield from (f"hsn:{chapter}" for chapter in row["hsn"].split("|") if chapter)


def category_of(name: str) -> Category | None:
    """The category that `name` means; None where nobody knows it."""
    wanted = name.strip().casefold().replace(" ", "_").replace("-", "_")
    known = _names()
    code = known.get(wanted)
    if code is None and wanted.startswith("hsn:"):
        code = known.get(wanted[:8]) or known.get(wanted[:6])
    while code is None and "." in wanted:  # a deeper path than ours belongs to its nearest known part
        wanted = wanted.rpartition(".")[0]
        code = known.get(wanted)
    return None if code is None else categories()[GOODS if code == ROOT else code]
