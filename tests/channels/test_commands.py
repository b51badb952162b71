"""normalize, validate and schema, as a script would run them: in, out and exit code."""

import io
import json
import sys

import pytest
from django.core.management import call_command

from salessync.management.commands.schema import schemas
from tests.golden import FOLDER

SHOPIFY = ("shopify", "--topic", "orders/create", "--timezone", "America/New_York", "--channel", "main-shop")


class Stdin:
    def __init__(self, body):
        self.buffer = io.BytesIO(body)


def run(monkeypatch, command, *arguments, body=b""):
    monkeypatch.setattr(sys, "stdin", Stdin(body))
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command(command, *arguments, stdout=out, stderr=err)
    except SystemExit as stopped:
        code = stopped.code
    return code, out.getvalue(), err.getvalue()


def event(case):
    return (FOLDER / case / "event.json").read_bytes()


# --- normalize


def test_normalize_prints_a_record_a_line(monkeypatch):
    found = run(monkeypatch, "normalize", *SHOPIFY, body=event("shopify/simple_sale"))
    assert found == (0, (FOLDER / "shopify/simple_sale/records.jsonl").read_text(encoding="utf-8"), "")


def test_normalize_names_the_channel_after_the_adapter_where_none_is_given(monkeypatch):
    _, out, _ = run(monkeypatch, "normalize", "shopify", "--topic", "orders/create", body=event("shopify/simple_sale"))
    assert (json.loads(out)["source"]["channel"], json.loads(out)["timezone"]) == ("shopify", "UTC")
    named = json.loads(event("standard/void"))
    named["source"] |= {"channel": "till-4"}
    _, out, _ = run(monkeypatch, "normalize", "standard", body=json.dumps(named).encode())
    assert json.loads(out)["source"]["channel"] == "till-4"


def test_normalize_refuses_with_a_line_a_problem(monkeypatch):
    code, out, err = run(monkeypatch, "normalize", *SHOPIFY, body=event("shopify/malformed"))
    expected = (FOLDER / "shopify/malformed/problems.txt").read_text(encoding="utf-8").splitlines()
    assert (code, out) == (1, "")
    assert [" ".join(line.split()[:2]) for line in err.splitlines()] == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"", "EMPTY_BODY $"), (b"{", "NOT_JSON $"), (b"[" * 100_000, "TOO_DEEP $"), (b"\xff\xfe", "NOT_UTF8 $"), (b"5", "NOT_AN_OBJECT $"),
     (b'"' + b"x" * (10 * 1024 * 1024) + b'"', "BODY_TOO_LARGE $")],
)  # fmt: skip
def test_normalize_says_why_it_cannot_read(monkeypatch, body, expected):
    code, out, err = run(monkeypatch, "normalize", *SHOPIFY, body=body)
    assert (code, out) == (1, "")
    assert err.startswith(expected)
    assert "Error" not in err
    assert "Traceback" not in err


def test_normalize_prints_what_does_not_add_up_and_says_so(monkeypatch):
    wrong = json.loads(event("shopify/simple_sale"))
    wrong["total_tax"] = "2.67"
    code, out, err = run(monkeypatch, "normalize", *SHOPIFY, body=json.dumps(wrong).encode())
    assert (code, json.loads(out)["totals"]["tax"]) == (1, 267)
    assert err.splitlines()[0].startswith("TAX_MISMATCH totals.tax ")


@pytest.mark.parametrize("case", ["shopify/unknown_status", "shopify/unknown_words"])
def test_a_new_word_is_printed_and_left_to_validate(monkeypatch, case):
    topic = json.loads((FOLDER / case / "case.json").read_bytes())["topic"]
    code, out, err = run(monkeypatch, "normalize", "shopify", *(["--topic", topic] if topic else []), body=event(case))
    assert (code, err) == (0, "")
    assert run(monkeypatch, "validate", body=out.encode())[0] == 1


def test_a_sale_without_jurisdiction_is_printed_and_left_to_validate(monkeypatch):
    nowhere = json.loads(event("shopify/simple_sale")) | {"shipping_address": None, "billing_address": None}
    code, out, err = run(monkeypatch, "normalize", *SHOPIFY, body=json.dumps(nowhere).encode())
    assert (code, json.loads(out)["jurisdiction"], err) == (0, None, "")
    code, out, _ = run(monkeypatch, "validate", body=out.encode())
    assert (code, [c["code"] for c in json.loads(out)["codes"]]) == (1, ["MISSING_JURISDICTION"])


@pytest.mark.parametrize(
    ("topic", "body"), [("orders/edited", b"{}"), ("orders/delete", b'{"id": 1}'), ("shop/update", b"{}")]
)
def test_what_moves_nothing_prints_nothing(monkeypatch, topic, body):
    assert run(monkeypatch, "normalize", "shopify", "--topic", topic, body=body) == (0, "", "")


@pytest.mark.parametrize(
    "arguments", [("no_such_shop",), ("shopify", "--timezone", "Mars/Olympus"), ("__init__",), ("../shopify",)]
)
def test_wrong_usage_is_two(monkeypatch, arguments):
    code, out, err = run(monkeypatch, "normalize", *arguments, body=b"{}")
    assert (code, out) == (2, "")
    assert err


# --- validate


def test_validate_gives_a_verdict_a_line(monkeypatch):
    good = (FOLDER / "standard/refund/records.jsonl").read_bytes()
    code, out, _ = run(monkeypatch, "validate", body=good)
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"id": "R-1", "ok": True, "codes": []}, {"id": "c-1", "ok": True, "codes": []},
    ]  # fmt: skip


def test_validate_survives_every_line(monkeypatch):
    record = json.loads((FOLDER / "standard/split_tender/records.jsonl").read_bytes())
    lines = [
        b"", b"{", b"[" * 100_000, b"\xff\xfe", b"null", b"[]", b"{}", b'{"type": ["sale"]}', b'{"type": "sale"}', b'{"a": 1, "a": 2}',
        b'"' + b"x" * (10 * 1024 * 1024) + b'"',
        json.dumps(record | {"currency": None, "foo": 1}).encode(),
        json.dumps(record | {"timezone": "Mars/Olympus", "tax_inclusive": True}).encode(),
        json.dumps(record).encode(),
    ]  # fmt: skip
    code, out, err = run(monkeypatch, "validate", body=b"\n".join(lines))
    found = [[c["code"] for c in json.loads(line)["codes"]] for line in out.splitlines()]
    assert (code, err) == (1, "")
    assert found == [
        ["EMPTY_BODY"], ["NOT_JSON"], ["TOO_DEEP"], ["NOT_UTF8"], ["NOT_A_RECORD"], ["NOT_A_RECORD"], ["MISSING_TYPE"], ["UNKNOWN_TYPE"],
        ["MISSING_ID", "MISSING_AMOUNT", "MISSING_CURRENCY", "MISSING_JURISDICTION", "MISSING_PAYMENT_STATUS", "MISSING_SOURCE"],
        ["DUPLICATE_KEY"], ["BODY_TOO_LARGE"], ["MISSING_CURRENCY"], ["UNKNOWN_TIMEZONE", "TOTAL_MISMATCH"], [],
    ]  # fmt: skip


def test_what_normalize_prints_validate_accepts(monkeypatch):
    for path in sorted(FOLDER.glob("*/*/records.jsonl")):
        if not path.parent.name.startswith("unknown_"):
            code, out, _ = run(monkeypatch, "validate", body=path.read_bytes())
            assert code == 0, out


# --- schema


def test_schemas_are_written_and_compared(monkeypatch, tmp_path):
    assert run(monkeypatch, "schema", "--check", "--folder", str(tmp_path))[0] == 1
    assert run(monkeypatch, "schema", "--folder", str(tmp_path))[0] == 0
    assert run(monkeypatch, "schema", "--check", "--folder", str(tmp_path))[0] == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(schemas())
    (tmp_path / "sale.json").write_text("{}", encoding="utf-8")
    code, _, err = run(monkeypatch, "schema", "--check", "--folder", str(tmp_path))
    assert (code, err.split()[:2]) == (1, ["STALE_SCHEMA", "sale.json"])


def test_the_published_schemas_are_those_of_the_types(monkeypatch):
    assert run(monkeypatch, "schema", "--check") == (0, "", "")
