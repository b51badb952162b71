"""Worked examples of authorities, vendors and other projects (cases.jsonl: each names its source) through `quote_tax`.

`expected` holds figures; those named in `not_machine_checked` were read by people only. A case that the answer cannot say, or that
follows a policy which is not ours, stands below with its reason.
"""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tax.engine.refunds import refund_sequence
from tax.quoting import quote

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases.jsonl").read_text().splitlines()]

ALLOCATION = (
    "asks only for the split of a number, which the answer has no figure for; tests/tax/test_rounding.py has it"
)
TAXABLE = "names no tax at all, so that there is no base to show"
EXCEPT = {
    **{f"alloc-vendure-{n}": ALLOCATION for n in (0, 1, 2, 4, 5, 6)},
    "d365-round-down": "asks for a rounded number alone, which the answer has no figure for; tests/tax/test_rounding.py has it",
    "ny-st838-1": TAXABLE,
    "ny-st838-3": TAXABLE,
    "gobl-be_invoice-peppol": "GOBL adds up the unrounded taxes of all rates; a document by rate rounds each (EN 16931, BR-CO-17)",
    "odoo-doc-in-incl-pertax": "Odoo rounds the net price apart from the price; with us net and included taxes are the price",
}


def figures(answer):
    """What cases expect, out of an answer."""
    lines = answer["by_line"]
    return {
        "net": answer["net"], "tax": answer["tax"], "gross": answer["gross"],
        "taxable": sum(max((Decimal(t["base"]) for t in line["taxes"]), default=Decimal(0)) for line in lines),
        "rate": sum((Decimal(t["rate"]) for t in lines[0]["taxes"]), Decimal(0)) if lines else None,
        "by_line": [{"base": line["net"], "tax": line["tax"]} for line in lines],
        "by_line_tax": [[t["tax"] for t in line["taxes"]] for line in lines],
    }  # fmt: skip


def by_tax(answer, wanted):
    """Sums of each tax: by name where the case has names, else by place on the line."""
    sums = {}
    for line in answer["by_line"]:
        for n, tax in enumerate(line["taxes"]):
            found = sums.setdefault(tax["name"] if "name" in wanted[0] else n, {"base": Decimal(0), "tax": Decimal(0)})
            found["base"] += Decimal(tax["base"])
            found["tax"] += Decimal(tax["tax"])
    return [sums[entry.get("name", n)] for n, entry in enumerate(wanted)]


def assert_same(wanted, found, at):
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            if key != "name":
                assert_same(value, found[key], f"{at}.{key}")
    elif isinstance(wanted, list):
        assert len(wanted) <= len(found), at
        for n, value in enumerate(wanted):
            assert_same(value, found[n], f"{at}[{n}]")
    else:
        assert Decimal(found) == Decimal(wanted), f"{at}: {found}, expected {wanted}"


@pytest.mark.parametrize("case", [c for c in CASES if c["id"] not in EXCEPT], ids=lambda case: case["id"])
def test_case(case):
    answer = quote.answer(case)
    found = figures(answer)
    expected = dict(case["expected"])
    unchecked = set(case.get("not_machine_checked", ()))
    if "by_tax" in expected:
        assert_same(expected["by_tax"], by_tax(answer, expected.pop("by_tax")), "by_tax")
    if "refund_sequence" in expected:
        parts = [Decimal(part) for part in expected.pop("refund_sequence")]
        assert refund_sequence(int(Decimal(answer["tax"]) * 100), [1] * len(parts), len(parts)) == [
            int(p * 100) for p in parts
        ]
    for key, value in expected.items():
        if key not in unchecked:
            assert_same(value, found[key], key)


def test_few_cases_are_left_out_and_each_exists():
    assert len(EXCEPT) <= 15
    assert set(EXCEPT) <= {case["id"] for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_every_answer_adds_up(case):
    """net + tax = gross, and the lines are the document, to the last digit; at the level `none` to the last decimal shown."""
    answer = quote.answer(case)
    assert Decimal(answer["net"]) + Decimal(answer["tax"]) == Decimal(answer["gross"])
    slack = Decimal("0.00001") if case["rounding"]["level"] == "none" else 0
    for key in ("net", "tax", "gross"):
        assert abs(sum(Decimal(line[key]) for line in answer["by_line"]) - Decimal(answer[key])) <= slack
