"""What is sold, as a path in the tree of tax categories. Pure.

A channel names it by our code, by a word, or by the code of a tax service, marketplace, product taxonomy or customs tariff; the table
is tax/data/categories.csv. Its columns `stripe`, `avalara`, `taxjar`, `shopify`, `amazon` and `hsn` have codes of that system, `|`
between them, each in one row only; a code of Shopify's is followed by its full name.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache

import msgspec

from tax.law.ratebook import ROOT
from tax.law.seed import rows

GOODS = "goods"  # what is not named otherwise is a good
SERVICES = ("stripe", "avalara", "taxjar", "shopify", "amazon")  # whose codes are known
_MEMO = 20_000  # names kept at a time
_GID = "gid://shopify/taxonomycategory/"
_NODE = re.compile(
    r"[a-z]{2}(?:-\d+)+"
)  # of Shopify's taxonomy below its first level: two letters alone may be any word


class Category(msgspec.Struct, frozen=True):
    """`code` is a path such as food.grocery; `is_often_reduced`: most countries have a rate for it, so that none known is a doubt."""

    code: str
    label: str
    is_often_reduced: bool


class _Names(msgspec.Struct, frozen=True):
    """Codes of categories by what names them: any code or word; Shopify's ids; Shopify's full names."""

    plain: dict[str, str] = {}
    nodes: dict[str, str] = {}
    paths: dict[str, str] = {}


@cache
def categories() -> dict[str, Category]:
    """Every category by its code."""
    return {
        row["code"]: Category(row["code"], row["label"], row["often_reduced"] == "yes")
        for row in rows("categories.csv")
    }


@cache
def words() -> dict[str, str]:
    """The code of each word of everyday language that names a category, words of one name joined by `_`."""
    named = ((row["code"], [row["code"], *_parts(row["words"])]) for row in rows("categories.csv"))
    return {_plain(word): code for code, names in named for word in names if "." not in word}


def code_of(category: str, service: str) -> str | None:
    """The code of a tax service (one of SERVICES) for a category or the nearest one above it; None where it has none."""
    while category:
        found = _codes().get((service, category))
        if found is not None:
            return found
        category = category.rpartition(".")[0]
    return None


@lru_cache(maxsize=_MEMO)
def category_of(name: str) -> Category | None:
    """The category that `name` means; None where nobody knows it."""
    code = _plain_code(_plain(name)) or _shopify_code(name.strip().casefold())
    return None if code is None else categories()[GOODS if code == ROOT else code]


def _plain_code(wanted: str) -> str | None:
    known = _names().plain
    code = known.get(wanted)
    if code is None and wanted.startswith("hsn:"):
        return known.get(wanted[:8]) or known.get(wanted[:6])
    while code is None and "." in wanted:  # a deeper path than ours belongs to its nearest known part
        wanted = wanted.rpartition(".")[0]
        code = known.get(wanted)
    return code


def _shopify_code(wanted: str) -> str | None:
    """By an id such as aa-1-2 or a full name such as Apparel & Accessories > Clothing; a deeper one belongs to its nearest known part."""
    if wanted.startswith(_GID) or _NODE.fullmatch(wanted):
        return _nearest(_names().nodes, wanted.removeprefix(_GID), "-")
    return _nearest(_names().paths, ">".join(part.strip() for part in wanted.split(">")), ">")


def _nearest(known: dict[str, str], wanted: str, separator: str) -> str | None:
    while wanted and wanted not in known:
        wanted = wanted.rpartition(separator)[0]
    return known.get(wanted)


@cache
def _names() -> _Names:
    names = _Names()
    for row in rows("categories.csv"):
        for name in _plain_names(row):
            names.plain[_plain(name)] = row["code"]
        for entry in _parts(row["shopify"]):
            node, _, full = entry.casefold().partition(" ")
            names.nodes[node] = row["code"]
            names.paths[full.replace(" > ", ">")] = row["code"]
    return names


@cache
def _codes() -> dict[tuple[str, str], str]:
    """The first code of each service's for each category."""
    return {
        (service, row["code"]): row[service].split("|")[0].split(" ")[0]
        for row in rows("categories.csv")
        for service in SERVICES
        if row[service]
    }


def _plain_names(row: dict[str, str]) -> Iterator[str]:
    yield row["code"]
    for column in ("words", "avalara", "taxjar", "stripe", "amazon"):
        yield from _parts(row[column])
    yield from (f"hsn:{chapter}" for chapter in _parts(row["hsn"]))


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _parts(cell: str) -> list[str]:
    return [part for part in cell.split("|") if part]
