"""How the admin says amounts, lengths of time and JSON; and what coverage looks at."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache

from channels import coverage, payload
from channels.models import Event
from salessync.core import nudge
from salessync.core.json_lines import json_lines, same_place, text_lines
from salessync.core.screens import between, moment, money, quantity, remembered, span
from tests.records import line, sale
from tests.worlds import World


@pytest.mark.parametrize(
    ("minor", "currency", "told"),
    [
        (123450, "USD", "1,234.50 USD"),
        (-5, "USD", "−0.05 USD"),
        (1234567, "JPY", "1,234,567 JPY"),
        (-1234567, "KWD", "−1,234.567 KWD"),
        (0, "EUR", "0.00 EUR"),
        (2**53 - 1, "USD", "90,071,992,547,409.91 USD"),
        (7, "XXQ", "7 minor units of XXQ"),
        (None, "USD", ""),
    ],
)
def test_money_is_said_in_major_units(minor, currency, told):
    assert money(minor, currency) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, ""),
        (-1, "0 ms"),
        (0.0844, "84 ms"),
        (1.24, "1.2 s"),
        (59, "59 s"),
        (600, "10 min"),
        (7200, "2 h"),
        (864000, "10 d"),
    ],
)
def test_a_length_of_time_is_said_shortly(seconds, told):
    assert span(seconds).replace("\u00a0", " ") == told


def test_what_has_not_happened_is_not_told():
    now = datetime(2026, 9, 1, 10, 0, 5, tzinfo=UTC)
    assert moment(None) == between(None, now) == between(now, None) == ""
    assert moment(now) == "2026-09-01\u00a010:00:05"
    assert between(now, now + timedelta(seconds=2)) == "2.0\u00a0s"


@pytest.mark.parametrize(("value", "told"), [("2.0000", "2"), ("-1.5000", "−1.5"), ("100", "100"), ("0.000", "0")])
def test_a_quantity_has_no_needless_zeros(value, told):
    assert quantity(Decimal(value)) == told


def test_json_lines_know_their_place():
    lines = json_lines({"lines": [{"net": Decimal("10.00")}], "empty": {}, "text": "a\n<b>"})
    assert [(line.indent, line.text, line.path) for line in lines] == [
        (0, "{", ""),
        (1, '"lines": [', "lines"),
        (2, "{", "lines[0]"),
        (3, '"net": 10.00', "lines[0].net"),
        (2, "}", ""),
        (1, "],", ""),
        (1, '"empty": {},', "empty"),
        (1, '"text": "a\\n<b>"', "text"),
        (0, "}", ""),
    ]
    assert [line.path for line in lines if same_place(line.path, "$.lines[0].net")] == ["lines[0].net"]
    assert not any(same_place(line.path, "$") for line in lines)


def test_a_huge_body_is_cut():
    assert len(json_lines(list(range(100_000)))) == 4001
    assert json_lines({"deep": payload.parse(b"[" * 90 + b"]" * 90)})[-1].text == "}"
    assert len(text_lines(b"x\n" * 100_000)) <= 4000
    assert text_lines(b"\x1b[31m\xff\r") == [(0, "\\x1b[31m\\xff\\r", "")]


def test_a_costly_answer_is_remembered(monkeypatch):
    cache.clear()
    asked = []
    monkeypatch.setattr("time.monotonic", iter([0.0, 5.0, 10.0, 15.0]).__next__)
    for _ in range(3):
        assert remembered("an-answer", lambda: asked.append(1) or 42) == 42
    assert asked == [1]


@pytest.fixture
def world(db, monkeypatch):
    cache.clear()
    monkeypatch.setattr(nudge, "nudge", lambda task: False)
    return World()


def test_coverage_looks_at_the_latest_events_only(world, monkeypatch):
    world.send(sale([line()]))
    assert coverage.lately().since is None
    assert coverage.lately().heard[world.till.pk].day == 1
    monkeypatch.setattr(coverage, "LATEST", 1)
    world.capture(sale([line()], id_="S2"), channel=world.shop)
    found = coverage.lately()
    assert set(found.heard) == {world.shop.pk}
    assert found.since == Event.objects.latest("id").received_at
