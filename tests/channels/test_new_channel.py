"""new_channel: what it writes can be imported, refuses everything, and the contract suite names what is to do and nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree  # noqa: TID251 -- pytest has just written what it reads
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from salessync.management.commands import new_channel

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("channels", "inventory", "ledger", "reconciliation", "salessync", "tax", "templates")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "golden", "peers", "e2e", "faults")

# a test of the contract → what is to do before it passes
TO_DO = {
    "test_a_good_signature_passes": "prove the signature",
    "test_any_live_secret_passes_during_a_rotation": "prove the signature",
    "test_an_envelope_is_read_of_anything": "envelope",
    "test_golden": "normalize",
    "test_scrubbing_keeps_what_normalize_reads": "scrub",
    "test_no_personal_data_is_kept": "scrub",
    "test_anything_else_is_refused_or_ignored_with_a_reason": "normalize",
}


@pytest.fixture
def tree(tmp_path):
    """The code without the other vendors' golden cases: whatever is written is written there."""
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=LEFT_OUT)
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=LEFT_OUT)
    (tmp_path / "tests" / "golden").mkdir()
    for path in ("manage.py", "pyproject.toml", "tests/golden/__init__.py", "tests/golden/__main__.py"):
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def run(tree, *arguments):
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST")
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_contract_names_what_is_to_do_and_nothing_else(tree):
    made = run(tree, "manage.py", "new_channel", "corner_till", "--label", "Corner Till")
    assert made.returncode == 0, made.stderr
    assert "channels/adapters/corner_till.py" in made.stdout
    contract = run(
        tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/channels/test_contract.py", "-k", "corner_till",
        "--junitxml=found.xml",
    )  # fmt: skip
    cases = list(ElementTree.parse(tree / "found.xml").iter("testcase"))
    failed = {}
    for case in cases:
        for failure in (*case.iter("failure"), *case.iter("error")):
            failed.setdefault(re.sub(r"\[.*", "", case.get("name")), []).append(
                failure.get("message") + (failure.text or "")
            )
    assert len(cases) > 40, contract.stdout[-2000:]
    assert failed.keys() == TO_DO.keys()
    for name, messages in failed.items():
        assert all("to do" in text and TO_DO[name] in text for text in messages), (name, messages[0][-800:])


def test_the_table_of_capabilities_says_to_do(tree):
    run(tree, "manage.py", "new_channel", "corner_till")
    told = json.loads(run(tree, "manage.py", "capabilities", "--json").stdout)
    row = next(one for one in told if one["name"] == "corner_till")
    assert row["label"] == "Corner Till"
    assert {(one["has"], one["why_not"]) for one in row["abilities"].values()} == {(False, "to do")}


def test_what_it_writes_is_in_our_style(tree):
    run(tree, "manage.py", "new_channel", "corner_till")
    files = ["channels/adapters/corner_till.py", "tests/golden/corner_till/sign.py"]
    checked = run(tree, "-m", "ruff", "check", "--no-cache", *files)
    assert checked.returncode == 0, checked.stdout
    formatted = run(tree, "-m", "ruff", "format", "--no-cache", "--check", *files)
    assert formatted.returncode == 0, formatted.stdout


@pytest.mark.parametrize(
    "name", ["shopify", "Corner", "corner-till", "9till", "class", "", "a" * 41, "../evil", "x", "тилл"]
)
def test_a_name_that_exists_or_cannot_be_is_refused(name, monkeypatch, tmp_path):
    monkeypatch.setattr(new_channel, "ROOT", tmp_path)
    with pytest.raises(CommandError):
        call_command("new_channel", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("label", ['Till"; import os; "', "a\nb", "\\", " ", "$name"])
def test_a_label_that_would_break_the_file_is_refused(label, monkeypatch, tmp_path):
    monkeypatch.setattr(new_channel, "ROOT", tmp_path)
    with pytest.raises(CommandError):
        call_command("new_channel", "corner_till", label=label)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(monkeypatch, tmp_path):
    monkeypatch.setattr(new_channel, "ROOT", tmp_path)
    left = tmp_path / "tests" / "golden" / "corner_till" / "notes.txt"
    left.parent.mkdir(parents=True)
    left.write_text("mine")
    with pytest.raises(CommandError, match="already"):
        call_command("new_channel", "corner_till")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [left]
