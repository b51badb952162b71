"""The evidence pack: complete, the same each time, and checked by its own verify.py, which no change escapes."""

import hashlib
import json
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from channels.models import Event, TransactionVersion
from ledger import periods, summaries
from salessync import sealing
from salessync.core.models import AuditRow
from salessync.evidence import pack
from tests.records import back, line, refund, sale
from tests.tampering import tamper
from tests.worlds import World

FIRST, LAST = date(2026, 9, 1), date(2026, 9, 30)
JOURNAL = ["entries", "postings", "details", "detail_postings", "versions", "records", "events"]
FILES = [
    "README.txt", "verify.py", "accounts.jsonl", "period_changes.jsonl", "trial_balance_before.jsonl", "trial_balance_after.jsonl",
    *(f"{name}.jsonl" for name in JOURNAL), "payloads.jsonl", "audit.jsonl", "seals.jsonl", "sealed_journal.jsonl",
    "sealed_audit.jsonl",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _anchors(settings, tmp_path):
    settings.AUDIT_ANCHOR_DIR = tmp_path / "anchors"
    settings.AUDIT_ANCHOR_URL = ""


def traded():
    """August and September: sales with an edit and a refund, a channel that posts in summary, and another company."""
    world = World()
    earlier = sale([line()], id_="A1")
    earlier.occurred_at, earlier.business_date = datetime(2026, 8, 20, 10, tzinfo=UTC), date(2026, 8, 20)
    world.send(earlier)
    sold = line(units=2, taxes=(("US-NY", "State", "4", 80), ("US-NYC", "City", "4.5", 90)))
    world.send(sale([sold], id_="S1"), sale([line(), line("2", price=300)], id_="S2"))
    world.send(sale([line(), line("2", price=350)], id_="S2", version="2"))
    world.send(refund([back(sold, units=1, net=1000, tax=85)], of="S1"))
    daily = world.channel(f"daily-{world.company.pk}", "standard", posting_mode="day")
    world.send(sale([line()], id_="D1"), sale([line(price=500)], id_="D2"), channel=daily)
    summaries.post_due(datetime(2026, 9, 3, 12, tzinfo=UTC))
    periods.close(company=world.company, through=date(2026, 8, 31), actor="anna", reason="August is done")
    World().send(sale([line()], id_="O1"))
    return world


def sent(path, company, *more):
    out = StringIO()
    call_command(
        "evidence_pack", "--company", company.slug, "--from", str(FIRST), "--to", str(LAST), "--output", str(path), *more,
        stdout=out, stderr=StringIO(),
    )  # fmt: skip
    return out.getvalue()


_made: dict[str, Path] = {}


@pytest.fixture
def archive(db, tmp_path, tmp_path_factory):
    """A pack with payloads, made once."""
    if not _made:
        world = traded()
        path = tmp_path_factory.mktemp("evidence") / "pack.zip"
        sent(path, world.company, "--with-payloads")
        (anchored,) = (tmp_path / "anchors").glob("*.txt")
        _made["anchors"] = anchored.rename(path.with_name("anchors.txt"))
        _made["pack"] = path
    return _made["pack"]


@pytest.fixture
def folder(archive, tmp_path):
    """The same, unzipped."""
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(tmp_path / "pack")
    return tmp_path / "pack"


def verify(folder, *options):
    """(exit code, what verify.py prints); in a process that knows nothing of us."""
    done = subprocess.run(
        [sys.executable, "-I", "verify.py", *map(str, options)], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def rows(folder, name):
    return [json.loads(text) for text in (folder / f"{name}.jsonl").read_text().splitlines()]


def change(folder, name, alter):
    """As somebody would who knows of the manifest: its SHA-256 is made to fit."""
    path = folder / name
    path.write_bytes(alter(path.read_bytes()))
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    manifest["files"][name]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))


def test_a_sound_pack_holds(folder):
    code, text = verify(folder)
    assert (code, text.splitlines()[-1]) == (0, "everything holds")
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    for name, told in manifest["files"].items():
        if name.endswith(".jsonl") and name != "period_changes.jsonl":
            assert f"{name} {told['lines']}" in text


def test_what_is_in_it(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "MANIFEST.json"])
    entries = rows(folder, "entries")
    assert {entry["date"] for entry in entries} <= {"2026-09-01", "2026-09-02"}
    assert len(entries) == 5  # S1, S2, its edit, the refund, the summary; not August's, nor the other company's
    assert sum(entry["legs"] for entry in entries) == len(rows(folder, "postings"))
    assert len(rows(folder, "details")) == 2
    records = {row["record"]["source"]["id"] for row in rows(folder, "records")}
    assert {"S1", "S2", "R1", "D1", "D2"} <= records
    assert not {"A1", "O1"} & records
    told = {(row["object_type"], row["action"]) for row in rows(folder, "audit")}
    assert ("transaction", "stored") in told and ("transaction", "changed") in told
    assert all(len(event["body_sha256"]) == 64 for event in rows(folder, "events"))
    (closed,) = rows(folder, "period_changes")
    assert (closed["action"], closed["closed_through"], closed["reason"]) == ("closed", "2026-08-31", "August is done")
    before = {(row["account"], row["currency"]): row["balance"] for row in rows(folder, "trial_balance_before")}
    assert before  # August's
    assert sum(before.values()) == 0


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_found_in_its_file(folder, name):
    path = folder / name
    text = path.read_bytes()
    assert text
    if name == "verify.py":  # a byte of a comment: it still runs, and gives itself away
        path.write_bytes(text.replace(b"# by file", b"# by fire"))
    else:
        place = len(text) // 2
        path.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
    code, told = verify(folder)
    assert code == 1
    assert f"{name}: the file" in told


# --- changes that were made to fit the manifest


def first_row(data, name="row"):
    return json.loads(data.splitlines()[0])[name]


@pytest.mark.parametrize("name", ["entries", "postings", "details", "detail_postings", "versions", "events", "audit"])
def test_a_changed_row_is_named(folder, name):
    row = rows(folder, name)[0]
    change(folder, f"{name}.jsonl", lambda data: data.replace(b'"company_id":', b'"company_no":', 1) if name != "detail_postings"
           else data.replace(b'"account":', b'"account": ', 1))  # fmt: skip
    code, told = verify(folder)
    assert code == 1
    assert f"{name}.jsonl: {row['row']}: is not what was sealed under this name" in told


def test_a_cent_that_was_moved_is_named_by_entry_and_leg(folder):
    row = rows(folder, "postings")[1]
    change(
        folder,
        "postings.jsonl",
        lambda data: data.replace(b'"amount":%d,' % row["amount"], b'"amount":%d,' % (row["amount"] - 1), 1),
    )
    code, told = verify(folder)
    assert code == 1
    assert "is not what was sealed under this name" in told
    assert "does not sum to zero" in told
    assert "trial_balance_after.jsonl" in told


def test_a_missing_posting_is_named(folder):
    gone = rows(folder, "postings")[0]["row"]
    change(folder, "postings.jsonl", lambda data: data.split(b"\n", 1)[1])
    code, told = verify(folder)
    assert code == 1
    assert f"sealed_journal.jsonl: {gone}: was sealed, and is not in this pack" in told


def test_an_entry_that_was_left_out_with_all_its_rows_is_missed_by_the_balances(folder):
    gone = rows(folder, "entries")[0]["row"]
    for name in (*JOURNAL, "payloads"):
        change(
            folder, f"{name}.jsonl",
            lambda data: b"".join(text for text in data.splitlines(keepends=True) if json.loads(text)["row"].partition(".")[0] != gone),
        )  # fmt: skip
    code, told = verify(folder)
    assert code == 1
    assert "trial_balance_after.jsonl: Assets:Clearing" in told


def test_a_changed_balance_is_named(folder):
    change(folder, "trial_balance_before.jsonl", lambda data: data.replace(b'"debit":', b'"debit":1', 1))
    row = rows(folder, "trial_balance_before")[0]
    code, told = verify(folder)
    assert code == 1
    assert f"trial_balance_after.jsonl: {row['account']} {row['currency']}" in told


def test_a_changed_record_is_named(folder):
    row = rows(folder, "records")[0]["row"]
    change(folder, "records.jsonl", lambda data: data.replace(b'"quantity":"2"', b'"quantity":"3"', 1))
    assert f"records.jsonl: {row}: is not what the digest of its version says" in verify(folder)[1]


def test_a_changed_payload_is_named(folder):
    row = rows(folder, "payloads")[0]["row"]
    change(folder, "payloads.jsonl", lambda data: data.replace(b"quantity", b"quantitx", 1))
    assert f"payloads.jsonl: {row}: is not what was sealed under this name" in verify(folder)[1]


def test_digests_that_were_made_to_fit_are_found_by_the_seal(folder):
    old = (folder / "postings.jsonl").read_bytes().splitlines()[0]
    new = old.replace(b'"path":', b'"path": ', 1)
    change(folder, "postings.jsonl", lambda data: data.replace(old, new, 1))
    digests = [hashlib.sha256(text).hexdigest().encode() for text in (old, new)]
    change(folder, "sealed_journal.jsonl", lambda data: data.replace(*digests))
    code, told = verify(folder)
    assert code == 1
    assert "sealed_journal.jsonl: seal" in told and "holds other rows than are told here" in told


@pytest.mark.parametrize("word", ["first", "sealed_at", "previous", "of", "hash"])
def test_a_changed_seal_is_named(folder, word):
    seal = rows(folder, "seals")[-1]
    value = json.dumps(seal[word]).encode()
    other = b"0" if word == "first" else value[:-2] + (b'0"' if value[-2:] != b'0"' else b'1"')
    change(folder, "seals.jsonl", lambda data: other.join(data.rsplit(value, 1)))
    code, told = verify(folder)
    assert code == 1
    assert f"seals.jsonl: seal {seal['number']}: its hash is not that of its words" in told


def test_a_seal_that_was_left_out_is_missed(folder):
    change(folder, "seals.jsonl", lambda data: data.split(b"\n", 1)[1])
    code, told = verify(folder)
    assert code == 1
    assert "is not in seals.jsonl" in told


def test_the_anchors_tell_a_chain_that_was_written_anew(folder, tmp_path):
    good = _made["anchors"]
    assert verify(folder, "--anchors", good)[0] == 0
    seal = rows(folder, "seals")[0]
    other = tmp_path / "other.txt"
    other.write_text(good.read_text().replace(seal["hash"], "ab" * 32))
    code, told = verify(folder, "--anchors", other)
    assert code == 1
    assert f"seals.jsonl: seal {seal['number']}: is not the one that was anchored" in told


def test_a_file_too_many_and_one_too_few_are_named(folder):
    (folder / "more.txt").write_text("x")
    (folder / "events.jsonl").unlink()
    code, told = verify(folder)
    assert code == 1
    assert "more.txt: the file: is not in MANIFEST.json" in told
    assert "events.jsonl: the file: is missing" in told


def test_what_is_no_pack_is_told(folder):
    (folder / "MANIFEST.json").unlink()
    done = subprocess.run([sys.executable, "-I", "verify.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2


def test_verify_needs_nothing_but_python():
    source = (Path(pack.__file__).parent / "verify.py").read_text()
    imported = {text.split()[1] for text in source.splitlines() if text.startswith(("import ", "from "))}
    assert imported <= set(sys.stdlib_module_names)


# --- making it


@pytest.fixture
def world(db):
    return traded()


def test_the_same_books_give_the_same_bytes(world, tmp_path, monkeypatch):
    one = json.loads(sent(tmp_path / "one.zip", world.company, "--json"))
    made = pack.write(company=world.company, first=FIRST, last=LAST, path=tmp_path / "two.zip", actor="tester")
    assert made.sha256 == one["sha256"] == hashlib.sha256((tmp_path / "one.zip").read_bytes()).hexdigest()
    assert one["lines"]["entries.jsonl"] == 5


def test_that_it_was_made_is_in_the_audit_trail(world, tmp_path):
    told = json.loads(sent(tmp_path / "pack.zip", world.company, "--json"))
    row = AuditRow.objects.get(object_type="evidence")
    assert (row.company_id, row.action) == (world.company.pk, "exported")
    assert row.data == {"from": str(FIRST), "to": str(LAST), "sha256": told["sha256"], "payloads": False}


def test_without_payloads_there_are_none(world, tmp_path):
    sent(tmp_path / "pack.zip", world.company)
    with zipfile.ZipFile(tmp_path / "pack.zip") as zipped:
        assert "payloads.jsonl" not in zipped.namelist()
        zipped.extractall(tmp_path / "pack")
    assert verify(tmp_path / "pack")[0] == 0


def test_a_period_without_entries_is_sound(world, tmp_path):
    sealing.seal_due()
    pack.write(
        company=world.company, first=date(2025, 1, 1), last=date(2025, 1, 31), path=tmp_path / "pack.zip", actor="t"
    )
    with zipfile.ZipFile(tmp_path / "pack.zip") as zipped:
        zipped.extractall(tmp_path / "pack")
    code, told = verify(tmp_path / "pack")
    assert (code, told.splitlines()[-1]) == (0, "everything holds")
    assert rows(tmp_path / "pack", "entries") == []


def test_bodies_that_were_purged_are_excused(world, tmp_path):
    sealing.seal_due()
    Event.objects.filter(company_id=world.company.pk, state="posted").update(
        body=b"", purged_at="2026-12-01T00:00:00Z", purged_bytes=1
    )
    sent(tmp_path / "pack.zip", world.company, "--with-payloads")
    with zipfile.ZipFile(tmp_path / "pack.zip") as zipped:
        zipped.extractall(tmp_path / "pack")
    assert {row["changed_by"] for row in rows(tmp_path / "pack", "payloads")} == {"purge"}
    assert verify(tmp_path / "pack")[0] == 0


def test_a_record_without_its_person_holds_by_its_second_digest(world, tmp_path):
    sealing.seal_due()
    sold = TransactionVersion.objects.get(transaction__source_id="S1")
    stripped = bytes(sold.record).replace(b"Mug", b"...")
    tamper(
        "UPDATE channels_transactionversion SET record = %s, redacted_digest = sha256(%s), redacted_at = now(), redacted_by = 1"
        " WHERE id = %s",
        stripped, stripped, sold.pk,
    )  # fmt: skip
    sent(tmp_path / "pack.zip", world.company)
    with zipfile.ZipFile(tmp_path / "pack.zip") as zipped:
        zipped.extractall(tmp_path / "pack")
    assert [row["redacted_digest"] for row in rows(tmp_path / "pack", "records")].count(None) == 6
    assert verify(tmp_path / "pack")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2026-09-30", "--to", "2026-09-01"], "ends before it begins"),
        (["--from", "yesterday", "--to", "2026-09-01"], "is not a day"),
        (["--from", "2026-09-01", "--to", "2026-09-30", "--company", "nobody"], "no company is called"),
        (["--from", "2026-09-01", "--to", "2026-09-30"], "is sealed yet"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(db, tmp_path, arguments, message):
    World()
    with pytest.raises(CommandError, match=message) as error:
        call_command(
            "evidence_pack", *arguments, "--output", str(tmp_path / "x.zip"), stdout=StringIO(), stderr=StringIO()
        )
    assert error.value.returncode == 2
    assert not list(tmp_path.glob("x*"))


def test_a_folder_that_is_not_there_is_wrong_usage(world, tmp_path):
    with pytest.raises(CommandError) as error:
        sent(tmp_path / "nowhere" / "pack.zip", world.company)
    assert error.value.returncode == 2
