"""Single numbers: what is split, and what is rounded to which step."""

from decimal import Decimal

import pytest

from tax.engine.document import Document, Line, compute
from tax.engine.formula import Tax
from tax.engine.rounding import Rounder, Rounding, exactly, spread_by_weight
from tests.tax.test_cases import ALLOCATION, CASES, EXCEPT


@pytest.mark.parametrize("case", [c for c in CASES if EXCEPT.get(c["id"]) == ALLOCATION], ids=lambda case: case["id"])
def test_split_by_largest_remainder(case):
    wanted = [int(units) for units in case["expected"]["allocation"]]
    total, weights = int(case["allocate"]["total"]), [Decimal(weight) for weight in case["allocate"]["weights"]]
    with exactly():
        assert spread_by_weight(total, weights) == wanted


@pytest.mark.parametrize(
    ("step", "rounded"), next(c for c in CASES if c["id"] == "d365-round-down")["expected"]["rounded"].items()
)
def test_downwards_to_a_step(step, rounded):
    with exactly():
        rounder = Rounder(Rounding("line", "down", Decimal(step)))
        assert rounder(Decimal("987.345")) * rounder.step == Decimal(rounded)


@pytest.mark.parametrize(
    ("mode", "value", "cents"),
    [
        ("half_up", "0.015", 2), ("half_up", "-0.015", -2), ("half_down", "0.015", 1), ("half_down", "0.0151", 2),
        ("half_even", "0.015", 2), ("half_even", "0.025", 2), ("up", "0.0101", 2), ("up", "-0.0101", -2), ("down", "0.0199", 1),
    ],
)  # fmt: skip
def test_modes(mode, value, cents):
    with exactly():
        assert Rounder(Rounding("line", mode))(Decimal(value)) == cents


@pytest.mark.parametrize(("mode", "cents"), [("half_up", 1), ("half_down", 0)])
def test_a_tie_that_a_division_hides_is_a_tie(mode, cents):
    """A sixth of a cent three times is half a cent, although no sixth can be written down."""
    line = Line(Decimal("0.01"), taxes=(Tax("VAT", Decimal(20), price_include=True),))
    assert compute(Document((line,) * 3, Rounding("document_per_tax", mode))).tax == cents


@pytest.mark.parametrize(("level", "net", "tax"), [("line", 287, 12), ("line_round_net", 288, 11)])
def test_which_of_net_and_tax_is_rounded(level, net, tax):
    """2.99 with 4 % inside: 2.875 and 0.115 (Zuora's example)."""
    result = compute(
        Document((Line(Decimal("2.99"), taxes=(Tax("VAT", Decimal(4), price_include=True),)),), Rounding(level))
    )
    assert (result.net, result.tax, result.gross) == (net, tax, 299)


def test_the_base_is_rounded_before_the_tax_or_not():
    line = Line(Decimal("12.12"), Decimal("12.12"), taxes=(Tax("VAT", Decimal(23)),))
    assert compute(Document((line,), Rounding("line"))).tax == 3378
    assert compute(Document((line,), Rounding("line_unrounded_base"))).tax == 3379


def test_a_line_rounded_as_one_is_split_over_its_jurisdictions():
    taxes = tuple(Tax(name, Decimal(rate)) for name, rate in (("state", "4"), ("county", "4.5"), ("district", "0.375")))
    result = compute(Document((Line(Decimal("9.99"), taxes=taxes),), Rounding("line_combined")))
    assert (result.tax, [taxed.amount for taxed in result.lines[0].taxes]) == (89, [40, 45, 4])
