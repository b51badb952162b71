"""The table of capabilities tells the truth: what is not said to be missing is proven, and docs/channels.md is the table.

What proves an ability:
- sales, charges, refunds, disputes, payouts: a golden case whose records.jsonl holds a record of that type;
- voids: a golden case that is named for a void, cancellation or expiry, or says so in `shows`, and whose record (or a tender of
  it) is voided or cancelled;
- edits: a golden case that is named for an edit, or says so in `shows`, and holds a sale;
- webhooks, polling, stock: the method, and for polling a list to read, for webhooks a sign.py that signs.
"""

import importlib
import json
import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from channels import adapter as adapters
from channels import capabilities
from channels.adapter import ABILITIES, Adapter
from tests.golden import cases

ROOT = Path(__file__).resolve().parents[2]
TYPE_OF = {"sales": "sale", "charges": "charge", "refunds": "refund", "disputes": "dispute", "payouts": "payout"}
SAYS = {
    "voids": re.compile(r"\b(void\w*|cancel\w*|expired|ran out|released)\b"),
    "edits": re.compile(r"\b(edit\w*|raised|changed|correct(ed)?|called off|no longer there)\b"),
}
UNDONE = ("voided", "cancelled")


def records(case):
    return [json.loads(line) for line in case.expected().get("records.jsonl", "").splitlines()]


def says(case, ability):
    text = f"{case.folder.name.replace('_', ' ')} {case.settings.get('shows', '')}".lower()
    return bool(SAYS[ability].search(text))


def undone(record):
    tenders = record.get("tenders") or []
    return record.get("status") in UNDONE or any(tender.get("status") in UNDONE for tender in tenders)


def signs(name):
    return not hasattr(importlib.import_module(f"tests.golden.{name}.sign"), "NO_WEBHOOK")


def proven(name, ability):
    """Whether something shows that the adapter does what it does not say to be missing."""
    adapter = adapters.get(name)
    if ability in TYPE_OF:
        return any(record["type"] == TYPE_OF[ability] for case in cases(name) for record in records(case))
    if ability == "voids":
        return any(says(case, ability) and any(map(undone, records(case))) for case in cases(name))
    if ability == "edits":
        return any(says(case, ability) and any(r["type"] == "sale" for r in records(case)) for case in cases(name))
    if ability == "webhooks":
        return type(adapter).verify is not Adapter.verify and signs(name)
    method = {"polling": "poll", "stock": "push_stock"}[ability]
    overridden = getattr(type(adapter), method) is not getattr(Adapter, method)
    return overridden and (ability != "polling" or bool(adapter.streams))


DECLARED = [(n, a) for n in adapters.adapter_names() for a in ABILITIES if a not in adapters.get(n).missing]
MISSING = [(n, a) for n in adapters.adapter_names() for a in adapters.get(n).missing]


@pytest.mark.parametrize(("name", "ability"), DECLARED)
def test_what_is_not_missing_is_proven(name, ability):
    assert proven(name, ability), f"{name} declares {ability}: prove it by a golden case, or say in `missing` why not"


@pytest.mark.parametrize(("name", "ability"), MISSING)
def test_what_is_missing_is_an_ability_with_a_reason(name, ability):
    assert ability in ABILITIES
    assert len(adapters.get(name).missing[ability]) > 10


@pytest.mark.parametrize(("name", "ability"), [one for one in MISSING if one[1] in TYPE_OF and one[1] != "payouts"])
def test_what_is_missing_is_in_no_golden_case(name, ability):
    """Payouts may come without being asked for their lines, and are missing as a whole then (Adyen)."""
    assert not proven(name, ability), f"{name} says that {ability} are missing, and a golden case has one"


# --- the table


def told(*arguments):
    out = StringIO()
    call_command("capabilities", *arguments, stdout=out)
    return out.getvalue()


def test_the_document_is_the_table():
    written = (ROOT / "docs" / "channels.md").read_text(encoding="utf-8")
    assert written == told("--markdown"), "run: python manage.py capabilities --markdown > docs/channels.md"


def test_every_adapter_and_every_ability_has_its_place():
    rows = json.loads(told("--json"))
    assert [row["name"] for row in rows] == list(adapters.adapter_names())
    for row in rows:
        assert list(row["abilities"]) == list(ABILITIES)
        for ability in row["abilities"].values():
            assert ability["has"] is not bool(ability["why_not"])
    text = told()
    assert all(name in text for name in (*adapters.adapter_names(), *ABILITIES))


def test_a_method_that_is_not_there_is_no_ability_whatever_is_declared():
    class Bare(Adapter):
        name, label = "bare", "Bare"

    row = capabilities.capabilities(Bare())
    assert row.abilities["polling"] == capabilities.Ability(has=False, why_not="the adapter has no poll")
    assert row.abilities["stock"].has is row.abilities["webhooks"].has is False
    assert row.limits is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("shopify", True), ("stripe", True), ("adyen", True), ("clover", False), ("medusa", False), ("vendure", False),
     ("standard", False), ("csv", False)],
)  # fmt: skip
def test_who_makes_the_subscriptions(name, expected):
    row = capabilities.capabilities(adapters.get(name))
    assert row.subscribes is expected


def test_every_adapter_says_how_it_is_proven_and_how_often_it_is_asked():
    for row in capabilities.table():
        text = capabilities.as_markdown([row])
        assert row.signature
        assert ("**Signature**" in text) == row.abilities["webhooks"].has
        assert text.count("**Polled**") == len(row.streams)
        assert ("**Pace**" in text) == (row.limits is not None)
