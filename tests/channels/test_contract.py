"""What every adapter keeps, over all of them and their golden cases.

A new adapter brings `tests/golden/<name>/sign.py`, which says how its vendor signs, and golden cases; this file stays.
"""

import ast
import copy
import importlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import channels.adapters
from channels import adapter, canonical, checks, payload
from channels.adapter import Ignored, SignatureRefused, Trust
from salessync.core.dates import version_key
from salessync.core.problems import Refused
from tests.golden import Case, cases

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
BODY = b'{"id": 1, "text": "\xc3\xbc"}'
SECRET = "a-secret-of-the-shop"
ADAPTERS = adapter.adapter_names()
CASES = cases()
FOLDER = Path(channels.adapters.__path__[0])

each_adapter = pytest.mark.parametrize("name", ADAPTERS)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)


def signing(name):
    return importlib.import_module(f"tests.golden.{name}.sign")


def _signs_header(name):
    try:
        return not any(hasattr(signing(name), flag) for flag in ("IN_BODY", "NO_WEBHOOK"))
    except ModuleNotFoundError:
        return True  # and its tests will say that sign.py is missing


# `IN_BODY`: signed inside the body, so that the vendor's own tests must cover it; `NO_WEBHOOK`: nothing of it is ever posted.
each_signing_adapter = pytest.mark.parametrize("name", [n for n in ADAPTERS if _signs_header(n)])


def trust(name, secrets):
    """What proves a delivery; a vendor whose signature needs more than a secret says so in its sign.py."""
    make = getattr(signing(name), "trust", None)
    return make(tuple(secrets)) if make else Trust(secrets=tuple(secrets))


def verify(name, headers, body=BODY, secrets=(SECRET,), now=NOW):
    adapter.get(name).verify(headers, body, trust(name, secrets), now)


def refused(name, headers, body=BODY, secrets=(SECRET,), now=NOW):
    with pytest.raises(SignatureRefused):
        verify(name, headers, body, secrets, now)


# --- the file


@each_adapter
def test_a_file_is_an_adapter_of_its_name(name):
    found = adapter.get(name)
    assert (found.name, bool(found.label)) == (name, True)
    assert all(header == header.lower() for header in found.kept_headers)


def test_an_unknown_name_has_no_adapter():
    with pytest.raises(KeyError):
        adapter.get("no_such_shop")


@each_adapter
def test_an_adapter_is_pure(name):
    """No framework, network, clock, randomness or file; no sibling adapter."""
    forbidden = {
        "django",
        "requests",
        "socket",
        "urllib",
        "http",
        "time",
        "random",
        "secrets",
        "os",
        "pathlib",
        "celery",
        "psycopg",
    }
    folder = FOLDER / name
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else [FOLDER / f"{name}.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                assert module.split(".")[0] not in forbidden, f"{path.name} imports {module}"
                if module.startswith("channels.adapters."):
                    assert module.split(".")[2] == name, f"{path.name} imports its sibling {module}"
            if isinstance(node, ast.Attribute):
                assert node.attr not in {"now", "utcnow", "today"} or (name == "standard" and node.attr == "now"), (
                    path.name
                )


# --- signatures


@each_signing_adapter
def test_a_good_signature_passes(name):
    verify(name, signing(name).sign(BODY, SECRET, NOW))


@each_signing_adapter
def test_any_live_secret_passes_during_a_rotation(name):
    verify(name, signing(name).sign(BODY, SECRET, NOW), secrets=["the-new-one", SECRET])
    verify(name, signing(name).sign(BODY, SECRET, NOW), secrets=[SECRET, "the-old-one"])


@each_signing_adapter
def test_another_secret_or_body_is_refused(name):
    headers = signing(name).sign(BODY, SECRET, NOW)
    refused(name, headers, secrets=["another-secret"])
    if getattr(signing(name), "COVERS_BODY", True):  # a vendor with a static header proves only who speaks
        refused(name, headers, body=BODY.replace(b"1", b"2"))
        refused(name, headers, body=BODY + b" ")


@each_signing_adapter
def test_without_a_live_secret_everything_is_refused(name):
    refused(name, signing(name).sign(BODY, SECRET, NOW), secrets=[])
    refused(name, signing(name).sign(BODY, "", NOW), secrets=[""])
    refused(name, signing(name).sign(BODY, "", NOW), secrets=["", SECRET])


@each_signing_adapter
@pytest.mark.parametrize("value", [None, "", "v1", "v1,", "é", "日本", "x" * 10_000, "v1,é", " ", "=", "0" * 64])
def test_a_malformed_signature_is_refused(name, value):
    headers = signing(name).sign(BODY, SECRET, NOW)
    if value is None:
        del headers[signing(name).SIGNATURE]
    else:
        headers[signing(name).SIGNATURE] = value
    refused(name, headers)


@each_signing_adapter
def test_a_signature_in_another_case_or_with_space_is_refused(name):
    headers = signing(name).sign(BODY, SECRET, NOW)
    good = headers[signing(name).SIGNATURE]
    for bad in (good.swapcase(), good[:-2] + good[-2:].swapcase() + " x", good.replace("=", "")):
        if bad != good:
            refused(name, headers | {signing(name).SIGNATURE: bad})


@each_signing_adapter
def test_an_old_or_early_delivery_is_refused_where_the_vendor_signs_the_time(name):
    if not signing(name).TIMESTAMPED:
        pytest.skip(f"{name} signs no time")
    for seconds in (-299, 299):
        verify(name, signing(name).sign(BODY, SECRET, NOW + timedelta(seconds=seconds)))
    for seconds in (-301, 301):
        refused(name, signing(name).sign(BODY, SECRET, NOW + timedelta(seconds=seconds)))


@each_adapter
def test_what_is_never_posted_is_always_refused(name):
    if not hasattr(signing(name), "NO_WEBHOOK"):
        pytest.skip(f"{name} has webhooks")
    for headers in ({}, {"x-signature": "x"}):
        refused(name, headers)


@each_adapter
@pytest.mark.parametrize("parsed", [None, {}, [], "x", 5, {"id": None, "type": []}])
def test_an_envelope_is_read_of_anything(name, parsed):
    envelope = adapter.get(name).envelope({}, parsed)
    assert isinstance(envelope.topic, str)


# --- records


@each_case
def test_golden(case: Case):
    assert case.outcome() == case.expected(), f"python -m tests.golden {case.vendor}, then read the difference"


@each_case
def test_the_same_payload_gives_the_same_records_and_is_left_alone(case: Case):
    if not case.expected().get("records.jsonl"):
        return
    parsed = payload.parse(case.body)
    before = copy.deepcopy(parsed)
    vendor, context = adapter.get(case.vendor), case.context()
    first = [canonical.encode(r) for r in vendor.normalize(parsed, case.topic, context)]
    assert first == [canonical.encode(r) for r in vendor.normalize(parsed, case.topic, context)]
    assert parsed == before


@each_case
def test_records_have_the_published_shape_and_add_up(case: Case):
    for line in case.expected().get("records.jsonl", "").splitlines():
        record = canonical.decode(line.encode())
        assert canonical.encode(record).decode() == line
        assert version_key(record.source.version)[0] in "01", "versions of a vendor are numbers or times"
        wrong = [p for p in checks.check(record) if p.code != "MISSING_JURISDICTION"]
        if case.folder.name.startswith("unknown_"):
            assert wrong and all(p.code.startswith("UNKNOWN_") for p in wrong)
        else:
            assert wrong == []


@each_adapter
def test_a_word_that_is_new_has_a_golden_case(name):
    assert any(c.folder.name.startswith("unknown_") for c in cases(name)), f"{name} needs a case unknown_…"


@each_adapter
def test_a_malformed_payload_has_a_golden_case(name):
    assert any("problems.txt" in c.expected() for c in cases(name))


@each_case
def test_scrubbing_keeps_what_normalize_reads(case: Case):
    vendor, context, parsed = adapter.get(case.vendor), case.context(), payload.parse(case.body)
    before = copy.deepcopy(parsed)
    scrubbed = vendor.scrub(parsed)
    assert parsed == before
    stored = payload.parse_stored(payload.dump(scrubbed))
    assert vendor.scrub(stored) == scrubbed, "scrubbing twice changes nothing more"

    def outcome(of):
        try:
            return [canonical.encode(r) for r in vendor.normalize(of, case.topic, context)]
        except Refused as refused:
            return [(p.code, p.path) for p in refused.problems]
        except Ignored as ignored:
            return str(ignored)

    assert outcome(stored) == outcome(parsed)


@each_case
def test_no_personal_data_is_kept(case: Case):
    """Wherever a golden payload has something personal, it says canary."""
    scrubbed = payload.dump(adapter.get(case.vendor).scrub(payload.parse(case.body))).lower()
    assert b"canary" not in scrubbed
    assert "canary" not in case.expected().get("records.jsonl", "").lower()


@each_adapter
@pytest.mark.parametrize(
    "parsed", [{}, [], None, "x", 5, True, [[]], {"records": 5}, {"order": None}, {"data": []}, {"type": []}]
)
def test_anything_else_is_refused_or_ignored_with_a_reason(name, parsed):
    vendor = adapter.get(name)
    for topic in (None, "", "no/such/topic", *sorted(vendor.topics)):
        problems, reason = [], ""
        try:
            problems, reason = [], str(vendor.normalize(parsed, topic, adapter.Context(channel="c")))
        except Refused as refused:
            problems = refused.problems
        except Ignored as ignored:
            reason = str(ignored)
        assert problems or reason
        assert all(p.code.isupper() and p.path and p.message for p in problems)
        vendor.scrub(parsed)
