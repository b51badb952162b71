"""Names of what is sold: our codes, words, and the codes of tax services, marketplaces, taxonomies and the customs tariff."""

import re
from collections import defaultdict

import pytest

from tax.law.categories import SERVICES, categories, category_of, code_of
from tax.law.seed import rows

ROWS = list(rows("categories.csv"))
SHAPES = {
    "stripe": r"txcd_\d{8}",
    "avalara": r"[A-Z]{1,2}(\d{6,7})?",
    "taxjar": r"\d{5}",
    "shopify": r"[a-z]{2}(-\d+)* [A-Z].*",
    "amazon": r"A_[A-Z0-9_-]+",
    "hsn": r"\d{2}(\d{2})?",
    "words": r"[a-z0-9_]+",
}


@pytest.mark.parametrize("column", SHAPES)
def test_a_code_has_its_systems_shape_and_names_one_category(column):
    found = defaultdict(list)
    for row in ROWS:
        for code in filter(None, row[column].split("|")):
            assert re.fullmatch(SHAPES[column], code), code
            found[code.casefold()].append(row["code"])
    assert {code: of for code, of in found.items() if len(of) > 1} == {}


def test_no_two_kinds_of_names_contradict_each_other():
    for row in ROWS:
        wanted = "goods" if row["code"] == "standard" else row["code"]
        names = [row["code"], *row["words"].split("|"), *(n for s in SERVICES for n in row[s].split("|"))]
        for name in filter(None, names):
            node, _, full = name.partition(" ")
            if full:  # the two letters of a vertical alone may be any word
                assert category_of(f"gid://shopify/TaxonomyCategory/{node}").code == wanted, name
                assert full == "Software" or category_of(full).code == wanted, name
            else:
                assert category_of(name).code == wanted, name


def test_every_path_is_ordered_below_its_first_part():
    assert len(categories()) == len(ROWS) > 50
    for code in categories():
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+){0,2}", code), code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("gid://shopify/TaxonomyCategory/aa-1", "goods.clothing"),
        ("aa-1-4-7", "goods.clothing"),
        ("aa-1-2-1-4", "goods.clothing.child"),
        ("gid://shopify/TaxonomyCategory/AA-8", "goods.footwear"),
        ("fb-2-3-5", "food.candy"),
        ("fb-2-99", "food.grocery"),
        ("gid://shopify/TaxonomyCategory/fr", "goods"),
        ("FR", "shipping"),
        ("Apparel & Accessories > Clothing", "goods.clothing"),
        ("apparel & accessories>clothing > Dresses > Maxi", "goods.clothing"),
        ("Media > Books > Audiobooks", "books.audiobook"),
        ("Furniture", "goods"),
        ("Gift Cards", "gift_card"),
        ("TXCD_40060003", "food.prepared"),
        ("txcd_40040000", "food.grocery"),
        ("A_PERDCL_52W-4Q", "books.newspaper"),
        ("hsn:61091000", "goods.clothing"),
        ("hsn:4901", "books.print"),
        ("Feminine Hygiene", "hygiene.feminine"),
        ("food.grocery.bread.rye", "food.grocery"),
        ("standard", "goods"),
    ],
)
def test_what_a_channel_calls_it(name, code):
    assert category_of(name).code == code


@pytest.mark.parametrize(
    "name",
    ["", " ", "aa", "na", "gid://shopify/TaxonomyCategory/na", "gid://shopify/TaxonomyCategory/", "zz-1", "Uncategorized", ">", "Mugs > Blue",
     "hsn:", "hsn:0000", "."],
)  # fmt: skip
def test_what_nobody_knows_is_not_guessed(name):
    assert category_of(name) is None


def test_a_service_gets_its_code_of_the_nearest_category():
    assert code_of("goods.clothing", "stripe") == "txcd_30011000"
    assert code_of("food.grocery.basic", "stripe") == "txcd_40040000"
    assert code_of("food.grocery.fresh", "shopify") == "fb-2-10"
    assert code_of("lodging", "stripe") is None
