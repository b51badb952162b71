"""From a line to its tax category: rules of the company, then the channel's own word, and the queue of what is left."""

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from salessync.core.models import AuditRow, Company
from salessync.core.problems import Refused
from tax.law.categories import categories
from tax.models import CategoryRule, UnmappedCategory
from tax.seller import mapping
from tax.seller.category_rules import CategoryRule as Rule
from tax.seller.category_rules import CategoryRules, Mapped, suggestions
from tax.seller.mapping import Unmapped

RULES = CategoryRules(
    [
        Rule("sku", "Mug-1", "goods.toys"),
        Rule("category", "Drinks & Co", "food.alcohol"),
        Rule("name", "wine", "food.alcohol"),
        Rule("name", "wine gums", "food.candy"),
        Rule("name", "T-Shirt", "goods.clothing"),
    ]
)


@pytest.mark.parametrize(
    ("sku", "category", "name", "expected"),
    [
        ("MUG-1", "Drinks & Co", "wine", ("goods.toys", "sku")),
        ("X", " drinks & co ", "wine gums", ("food.alcohol", "category")),
        ("X", "books", "Red Wine, 0.7 l", ("food.alcohol", "name")),
        ("X", None, "Sweet WINE-GUMS of wine", ("food.candy", "name")),
        ("X", None, "Blue t shirt", ("goods.clothing", "name")),
        (None, "aa-1", "twines", ("goods.clothing", "channel")),
        (None, "gadgets", "twines", ("goods", "default")),
        (None, None, "", ("goods", "default")),
    ],
)
def test_the_most_telling_rule_decides(sku, category, name, expected):
    assert RULES.find(sku, category, name) == Mapped(*expected)


word = st.sampled_from(["red", "wine", "gums", "big", "t-shirt", "Wine", "x"])
rules = st.lists(
    st.builds(Rule, st.just("name"), st.lists(word, min_size=1, max_size=3).map(" ".join), st.sampled_from(sorted(categories()))),
    max_size=8, unique_by=lambda rule: rule.value.casefold(),
)  # fmt: skip


@given(rules, st.lists(word, max_size=6))
def test_the_longest_value_within_the_name_wins(some, words):
    name = " ".join(words)
    spaced = f" {name.casefold().replace('-', ' ')} "
    hits = [rule for rule in some if f" {rule.value.casefold().replace('-', ' ')} " in spaced]
    found = CategoryRules(some).find(None, None, name)
    if not hits:
        assert found.by == "default"
        return
    length = {rule.value: len(rule.value.replace("-", "").replace(" ", "")) for rule in hits}
    assert found.category in {r.category for r in hits if length[r.value] == max(length.values())}


def test_suggestions_have_reasons_and_none_says_anything():
    found = suggestions("Drinks/Wine", "Red wine as a gift card")
    assert [one.category for one in found] == ["gift_card", "food.alcohol"]
    assert "“gift card” in its name is a word for Vouchers" in found[0].reason
    assert suggestions("General goods", "Other") == []
    assert suggestions("", "Kids T-shirts and books")[0].category == "books.print"


# --- in the database --------------------------------------------------------------------------------------------------


@pytest.fixture
def company(db):
    mapping.forget()
    return Company.objects.create(slug="mapped", name="Mapped", base_currency="USD")


def rule(company, matched_by, value, category):
    return mapping.set_rule(company=company, matched_by=matched_by, value=value, category=category, actor="ann")


def find(company, *line):
    return mapping.load([company.pk])[company.pk].find(*line)


def test_a_rule_holds_at_once_and_replaces_the_earlier_one(company):
    assert find(company, "MUG", None, "Mug") == Mapped("goods", "default")
    rule(company, "sku", "mug", "clothing")
    assert find(company, "MUG", None, "Mug") == Mapped("goods.clothing", "sku")
    rule(company, "sku", " MUG ", "txcd_35010000")
    assert find(company, "mug", None, "Mug") == Mapped("books.print", "sku")
    assert [(r.value, r.category, r.actor) for r in CategoryRule.objects.all()] == [("MUG", "books.print", "ann")]
    assert [(row.action, row.data.get("before")) for row in AuditRow.objects.filter(object_type="category_rule")] == [
        ("created", None),
        ("changed", "goods.clothing"),
    ]


def test_another_processs_change_is_seen_after_a_while(company):
    rule(company, "sku", "MUG", "clothing")
    find(company, "MUG", None, "")
    CategoryRule.objects.update(category="books.print")  # as another process would, unseen by this one
    assert find(company, "MUG", None, "").category == "goods.clothing"
    mapping._loaded[company.pk] = mapping._loaded[company.pk]._replace(until=0.0)
    assert find(company, "MUG", None, "").category == "books.print"
    CategoryRule.objects.all().delete()
    mapping._loaded[company.pk] = mapping._loaded[company.pk]._replace(until=0.0)
    assert find(company, "MUG", None, "").by == "default"


def test_rules_of_one_company_are_not_anothers(company):
    other = Company.objects.create(slug="other", name="Other", base_currency="USD")
    rule(company, "sku", "MUG", "clothing")
    found = mapping.load([company.pk, other.pk])
    assert found[company.pk].find("MUG", None, "").by == "sku"
    assert found[other.pk].find("MUG", None, "").by == "default"


@pytest.mark.parametrize(
    ("matched_by", "value", "category", "code"),
    [
        ("colour", "red", "goods", "BAD_MATCH"),
        ("sku", "  ", "goods", "MISSING_VALUE"),
        ("name", "!!", "goods", "MISSING_VALUE"),
        ("sku", "x" * 501, "goods", "VALUE_TOO_LONG"),
        ("sku", "MUG", "gadget", "UNKNOWN_CATEGORY"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(company, matched_by, value, category, code):
    with pytest.raises(Refused) as refused:
        rule(company, matched_by, value, category)
    assert [problem.code for problem in refused.value.problems] == [code]
    assert not CategoryRule.objects.exists()


def unmapped(company, *rows):
    mapping.note_unmapped(Unmapped(company.pk, *row) for row in rows)


def queue(company):
    return set(UnmappedCategory.objects.filter(company=company).values_list("matched_by", "value"))


def test_each_unmapped_value_stands_in_the_queue_once(company):
    unmapped(
        company,
        ("category", "Mugs", "Blue mug", 7),
        ("category", "Mugs", "Red mug", 8),
        ("sku", "A", "Hat", 8),
        ("sku", "", "", 9),
    )
    unmapped(company, ("category", "Mugs", "Green mug", 9), ("sku", "B", "x" * 2000, 9), ("sku", "y" * 600, "", 9))
    assert queue(company) == {("category", "Mugs"), ("sku", "A"), ("sku", "B"), ("sku", "y" * 500)}
    first = UnmappedCategory.objects.get(value="Mugs")
    assert (first.name, first.first_transaction_id) == ("Blue mug", 7)


def test_a_process_writes_a_value_once_but_believes_no_rollback(company, django_capture_on_commit_callbacks):
    def in_vain():
        with transaction.atomic():
            unmapped(company, ("sku", "A", "Hat", 1))
            raise ZeroDivisionError

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError):
        in_vain()
    assert queue(company) == set()
    with django_capture_on_commit_callbacks(execute=True):
        unmapped(company, ("sku", "A", "Hat", 1))
    assert queue(company) == {("sku", "A")}
    UnmappedCategory.objects.all().delete()
    unmapped(company, ("sku", "A", "Hat", 1))
    assert queue(company) == set(), "the process remembers that it wrote it"
    rule(company, "sku", "A", "clothing").delete()
    mapping.load([company.pk])
    unmapped(company, ("sku", "A", "Hat", 1))
    assert queue(company) == {("sku", "A")}, "a rule came and went: it may be unmapped again"


def test_what_a_rule_maps_leaves_the_queue(company):
    unmapped(
        company,
        ("category", "Mugs", "Blue mug", 7),
        ("sku", "A", "Wool hat", 8),
        ("sku", "B", "That", 8),
        ("sku", "mugs", "Cup", 9),
    )
    rule(company, "category", "MUGS", "goods")
    assert queue(company) == {("sku", "A"), ("sku", "B"), ("sku", "mugs")}
    rule(company, "name", "hat", "clothing")
    assert queue(company) == {("sku", "B"), ("sku", "mugs")}


def test_a_catalog_says_what_skus_are(company):
    unmapped(company, ("sku", "MUG", "Mug", 1), ("sku", "CAP", "Cap", 1))
    given_ = {"MUG": "standard", "cap": "aa-1", "SOCK": " ", "BOOK": "books", "": "books"}
    assert mapping.from_catalog(company, given_, "import") == 3
    assert mapping.from_catalog(company, given_, "import") == 0
    assert mapping.from_catalog(company, {"CAP": "aa-1", "book": "ebook"}, "import") == 1
    assert dict(CategoryRule.objects.values_list("value", "category")) == {
        "MUG": "goods", "cap": "goods.clothing", "book": "books.ebook"
    }  # fmt: skip
    assert queue(company) == set()
    assert [row.data for row in AuditRow.objects.filter(action="imported")] == [{"rules": 3}, {"rules": 1}]


def test_a_catalog_with_an_unknown_category_changes_nothing(company):
    with pytest.raises(Refused) as refused:
        mapping.from_catalog(company, {"MUG": "goods", "CAP": "gadget"}, "import")
    assert "CAP" in refused.value.problems[0].path and "gadget" in refused.value.problems[0].message
    assert not CategoryRule.objects.exists()


def test_suggestions_for_the_queue(company):
    unmapped(company, ("category", "Drinks", "Red wine", 7))
    assert [one.category for one in mapping.suggest(UnmappedCategory.objects.get())] == ["food.alcohol"]
    assert not CategoryRule.objects.exists()
