"""Every provider obeys every law; and any sale that one can think of adds up, and can be given back in any parts."""

import inspect
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tax.providers import NAMES
from tests.tax import test_cases
from tests.tax.providers import conformance
from tests.tax.providers.conformance import LAWS, assert_adds_up
from tests.tax.providers.conftest import made

lines = st.lists(
    st.builds(
        lambda amount, quantity, off: {"amount": f"{amount}", "qty": str(quantity), "discount": f"{amount * off / 100:.2f}"},
        st.decimals("0", "500", places=2), st.integers(1, 4), st.sampled_from([0, 0, 10, 33]),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(subject, law):
    law(subject)


def test_no_law_is_forgotten():
    written = {
        found
        for name, found in inspect.getmembers(conformance, inspect.isfunction)
        if list(inspect.signature(found).parameters) == ["subject"]
    }
    assert written == set(LAWS)


def test_every_provider_is_asked(subject, request):
    assert subject.provider.name in NAMES and len(NAMES) == 4


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines, st.booleans(), st.lists(st.integers(1, 100), max_size=4))
def test_any_sale_adds_up_and_goes_back(subject, sold, is_inclusive, parts):
    is_inclusive = is_inclusive and subject.has("inclusive")
    answer = subject.calculate(*sold, price_mode="inclusive" if is_inclusive else "exclusive")
    prices = [Decimal(one["amount"]) * int(one["qty"]) - Decimal(one["discount"]) for one in sold]
    assert [Decimal(line["gross" if is_inclusive else "net"]) for line in answer["by_line"]] == prices
    before = []
    for percent in parts:
        left = Decimal(answer["gross"]) + sum(Decimal(one["gross"]) for one in before)
        before.append(subject.provider.refund(answer, {"amount": f"{left * percent / 100:.2f}", "before": before}))
    before.append(subject.provider.refund(answer, {"before": before}))
    for refund in before:
        assert_adds_up(refund)
    for n, line in enumerate(answer["by_line"]):
        for key in ("net", "tax", "gross"):
            assert sum(Decimal(refund["by_line"][n][key]) for refund in before) == -Decimal(line[key])


@pytest.mark.parametrize(
    "case", [c for c in test_cases.CASES if c["id"] not in test_cases.EXCEPT], ids=lambda case: case["id"]
)
def test_worked_case_through_local(case, monkeypatch):
    """What authorities and vendors published comes through the provider as through the engine."""
    local = made("local")
    monkeypatch.setattr(test_cases, "quote", SimpleNamespace(answer=lambda data: local.calculate(data, timeout=1)))
    test_cases.test_case(case)
