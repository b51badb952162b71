"""What two readers could read differently is refused; card numbers are masked."""

import contextlib
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import payload
from salessync.core.problems import Refused


def code(body):
    with pytest.raises(Refused) as refused:
        payload.parse(body)
    (problem,) = refused.value.problems
    return problem.code


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "EMPTY_BODY"),
        (b" \r\n\t", "EMPTY_BODY"),
        (b"\xff\xfe{", "NOT_UTF8"),
        ('{"a": 1}'.encode("utf-16"), "NOT_UTF8"),
        (b"{} {}", "NOT_JSON"),
        (b"[1,]", "NOT_JSON"),
        (b"{} // no", "NOT_JSON"),
        (b"{'a': 1}", "NOT_JSON"),
        (b'{"a": 01}', "NOT_JSON"),
        (b"NaN", "NOT_A_NUMBER"),
        (b'{"a": Infinity}', "NOT_A_NUMBER"),
        (b'{"a": -Infinity}', "NOT_A_NUMBER"),
        (b'{"total": 1, "total": 2}', "DUPLICATE_KEY"),
        (b'[{"a": {"b": 1, "b": 1}}]', "DUPLICATE_KEY"),
        (rb'{"a": "\u0000"}', "NUL_CHARACTER"),
        (rb'{"\u0000": 1}', "NUL_CHARACTER"),
        (rb'{"a": "\\\u0000"}', "NUL_CHARACTER"),
        (rb'{"a": "\ud800"}', "BAD_UNICODE"),
        (rb'{"\uDFFF": 1}', "BAD_UNICODE"),
        (b"[" * 100_000, "TOO_DEEP"),
        (b"[" * 101 + b"]" * 101, "TOO_DEEP"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "TOO_DEEP"),
        (b'{"a": ' + b"9" * 5000 + b"}", "NUMBER_TOO_LONG"),
        (b'{"a": 1e99999999999999999999}', "NUMBER_TOO_LONG"),
    ],
)
def test_what_is_not_certain_is_refused(body, expected):
    assert code(body) == expected


def test_what_is_certain_is_read():
    assert payload.parse(b'\xef\xbb\xbf{"a": 1.10}') == {"a": Decimal("1.10")}
    assert payload.parse(rb'{"a": "\\u0000"}') == {"a": "\\u0000"}
    assert payload.parse(rb'"\ud83d\ude00"') == "😀"
    assert payload.parse(b"[" * 100 + b"]" * 100)
    assert payload.parse(b"[" + b"[],[]," * 500 + b"1]")
    assert payload.parse(b'{"a": 1e400}') == {"a": Decimal("1e400")}


def test_a_hundred_thousand_keys_are_read():
    assert len(payload.parse(json.dumps({str(i): i for i in range(100_000)}).encode())) == 100_000


def test_a_card_number_as_a_key_that_comes_twice_is_not_told():
    with pytest.raises(Refused) as refused:
        payload.parse(b'{"4242424242424242": 1, "4242424242424242": 2}')
    assert "4242424242424242" not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_was_stored_comes_back_with_every_digit(value):
    stored = payload.dump(value)
    assert payload.parse_stored(stored) == value
    assert payload.dump(payload.parse_stored(stored)) == stored


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    with contextlib.suppress(Refused):
        payload.parse(body)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4242424242424242", "************4242"),
        ("card 4242 4242 4242 4242!", "card ***************4242!"),
        ("4242-4242-4242-4242", "***************4242"),
        ("378282246310005", "***********0005"),
        ("https://shop.example/?pan=5555555555554444&x", "https://shop.example/?pan=************4444&x"),
        ("é 6011111111111117", "é ************1117"),
        ("size 12 4242 4242 4242 4242 99", "size 12 ***************4242 99"),
        ("paid with No.4242424242424242.", "paid with No.************4242."),
    ],
)
def test_card_numbers_are_masked(text, masked):
    assert payload.mask_cards(text) == masked


@pytest.mark.parametrize(
    "text",
    ["", "order 450789469", "4242424242424241", "1234567890123456", "820982911946154500", "2026-09-01T10:00:00Z",
     "0.4242424242424242", "42424242424242424242"],
)  # fmt: skip
def test_other_numbers_stay(text):
    assert payload.mask_cards(text) == text


def test_masking_works_on_bytes_that_are_no_text():
    assert payload.mask_card_bytes(b"\xff4242424242424242\xfe") == b"\xff************4242\xfe"
