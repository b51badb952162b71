"""A verdict where the channel says its tax line by line."""

from decimal import Decimal

import pytest

from tax.engine.document import Document, Line, compute
from tax.engine.formula import Tax
from tax.quoting.compare import KnownRate, compare

VAT = (Tax("VAT", Decimal(20)),)


@pytest.mark.parametrize(
    ("lines", "verdict", "said"),
    [
        (["20.00", "0"], "taxability_mismatch", "did not tax line 2"),
        (["20.00", "10.00"], "match", ""),
        (["20.01", "10.00"], "rounding_only", ""),
        (["20.00", "5.00"], "rate_mismatch", "10 %"),
        ([None, None], "match", ""),
    ],
)
def test_lines(lines, verdict, said):
    result = compute(Document((Line(Decimal(100), taxes=VAT), Line(Decimal(50), taxes=VAT))))
    charged_lines = [None if text is None else Decimal(text) for text in lines]
    charged = sum((line for line in charged_lines if line is not None), Decimal(0)) or Decimal(30)
    found = compare(result, charged, treatment="taxable", charged_lines=charged_lines)
    assert found.code == verdict
    assert said in (found.problem.message if found.problem else "")


STATE, COUNTY, CITY = (
    Tax(name, Decimal(rate), jurisdiction=f"US-XX/{name}")
    for name, rate in (("state", "4"), ("county", "2.5"), ("city", "0.5"))
)
KNOWN = (
    KnownRate(Decimal("6.5"), "the rate until 2026-06-30"),
    KnownRate(Decimal("6.9"), "the rate until 2024-12-31"),
    KnownRate(Decimal("8.25"), "it is the rate of US-TX, from where it was sent (8.25 %)", "jurisdiction_mismatch"),
)


@pytest.mark.parametrize(
    ("charged", "verdict", "said"),
    [
        ("7.00", "match", ""),
        ("7.03", "rounding_only", "0.03"),
        ("6.50", "jurisdiction_mismatch", "left out city of US-XX/city (0.5 %): 0.50"),
        ("4.50", "jurisdiction_mismatch", "left out county"),
        ("3.00", "jurisdiction_mismatch", "left out state"),
        ("8.25", "jurisdiction_mismatch", "US-TX, from where it was sent"),
        ("6.90", "rate_mismatch", "the rate until 2024-12-31 (6.9 %)"),
        ("6.00", "rate_mismatch", "implies a rate of 6 %"),
        ("0", "registered_but_not_charged", "7.00 is due"),
    ],
)
def test_a_document_with_three_jurisdictions(charged, verdict, said):
    result = compute(Document((Line(Decimal(100), taxes=(STATE, COUNTY, CITY)),)))
    found = compare(result, Decimal(charged), treatment="taxable", is_resolved=True, known=KNOWN)
    assert found.code == verdict
    assert said in (found.problem.message if found.problem else "")


def test_a_jurisdiction_left_out_is_seen_although_some_lines_never_bore_its_tax():
    """Clothing that the state exempts: the county's is all that line has, so that no one rate says it."""
    result = compute(Document((Line(Decimal(100), taxes=(STATE, COUNTY)), Line(Decimal(50), taxes=(COUNTY,)))))
    found = compare(result, Decimal("4.00"), treatment="taxable", is_resolved=True)
    assert (found.code, "left out county" in found.problem.message) == ("jurisdiction_mismatch", True)


def test_the_lines_that_differ_say_which_rate_was_used():
    result = compute(Document((Line(Decimal(100), taxes=VAT), Line(Decimal(50), taxes=VAT))))
    known = (KnownRate(Decimal(5), "the rate for books"),)
    by_line = [Decimal(20), Decimal("2.50")]
    found = compare(result, Decimal("22.50"), treatment="taxable", known=known, charged_lines=by_line)
    assert (found.code, found.implied_rate) == ("rate_mismatch", Decimal(5))
    assert "the rate for books" in found.problem.message
    assert compare(result, Decimal("22.50"), treatment="taxable", known=known).implied_rate == Decimal(15)


@pytest.mark.parametrize(
    ("treatment", "charged", "verdict"),
    [
        ("exempt", "5.00", "taxability_mismatch"), ("reverse_charge", "5.00", "taxability_mismatch"), ("zero", "0", "match"),
        ("not_registered", "5.00", "not_registered_but_charged"), ("not_registered", "0", "match"),
        ("marketplace_collected", "5.00", "marketplace_collected"), ("marketplace_collected", "0", "marketplace_collected"),
    ],
)  # fmt: skip
def test_where_nothing_is_due_from_the_seller(treatment, charged, verdict):
    result = compute(Document((Line(Decimal(100)),)))
    assert compare(result, Decimal(charged), treatment=treatment, is_resolved=True).code == verdict
