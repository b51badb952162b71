"""A verdict where the channel says its tax line by line."""

from decimal import Decimal

import pytest

from tax.compare import compare
from tax.engine.document import Document, Line, compute
from tax.engine.formula import Tax

VAT = (Tax("VAT", Decimal(20)),)


@pytest.mark.parametrize(
    ("lines", "verdict", "said"),
    [
        (["20.00", "0"], "taxability_mismatch", "did not tax line 2"),
        (["20.00", "10.00"], "match", ""),
        (["20.01", "10.00"], "rounding_only", ""),
        (["20.00", "5.00"], "rate_mismatch", "16.667 %"),
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
