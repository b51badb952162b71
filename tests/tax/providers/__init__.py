import pytest

pytest.register_assert_rewrite("tests.tax.providers.conformance")
