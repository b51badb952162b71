"""The chain of seals over the audit rows: complete whatever the order of commits, and every change is found at its row."""

import json
import random
import time
from io import StringIO
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from salessync import sealing, verify_audit
from salessync.core import anchors, audit, http, locks, seals
from salessync.core.models import AuditRow, Seal
from tests.tampering import found, superuser, tamper
from tests.threads import at_once


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """Where this test's heads are anchored."""
    settings.AUDIT_ANCHOR_DIR = tmp_path / "anchors"
    settings.AUDIT_ANCHOR_URL = ""
    return settings.AUDIT_ANCHOR_DIR


def write(count=1, **data):
    """Audit rows; their ids."""
    before = set(AuditRow.objects.values_list("id", flat=True))
    audit.record((None, "tester", "did", "thing", n, data) for n in range(count))
    return sorted(set(AuditRow.objects.values_list("id", flat=True)) - before)


def sealed_keys():
    return [key for seal in Seal.objects.order_by("number") for key, _ in seals.pairs(seal)]


# --- who is sealed, and when


def test_what_is_sealed_once_is_not_sealed_again(db):
    first = write(3)
    assert sealing.seal_due() == 3
    assert sealing.seal_due() == 0
    second = write(2)
    assert sealing.seal_due() == 2
    assert sealed_keys() == [str(id_) for id_ in first + second]
    one, two = Seal.objects.order_by("number")
    assert (one.number, one.of, one.first, one.last, one.rows) == (1, "audit", first[0], first[-1], 3)
    assert bytes(one.previous) == bytes(32)
    assert bytes(two.previous) == bytes(one.hash)
    assert found() == []


def test_many_rows_become_several_seals(db, monkeypatch):
    monkeypatch.setattr(seals, "ROWS", 10)
    write(35)
    assert sealing.seal_due() == 35
    assert list(Seal.objects.order_by("number").values_list("rows", flat=True)) == [10, 10, 10, 5]
    assert found() == []


def test_a_sealer_that_is_short_of_time_leaves_the_rest_for_the_next(db, monkeypatch):
    monkeypatch.setattr(seals, "ROWS", 10)
    write(35)
    assert sealing.seal_due(seconds=0) == 10
    assert sealing.seal_due() == 25


def test_the_backlog_is_what_is_not_sealed(db):
    assert sealing.backlog() == (0, 0, None)
    write(4)
    assert sealing.backlog()[:2] == (4, 0)
    sealing.seal_due()
    rows, entries, sealed_at = sealing.backlog()
    assert (rows, entries) == (0, 0)
    assert sealed_at == Seal.objects.get().sealed_at
    assert verify_audit.verify_audit().unsealed == 0


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_nobody_with_a_lower_id_is_forgotten(committed_db, monkeypatch, ending):
    """The row with the lower id is committed after the one with the higher: it is waited for."""
    monkeypatch.setattr(audit, "PATIENCE", 0.1)
    with psycopg.connect(committed_db) as slow:
        slow.execute(
            "INSERT INTO core_auditrow (actor, action, object_type, data) VALUES ('slow', 'did', 'thing', '{}')"
        )
        write()
        assert sealing.seal_due() == 0
        getattr(slow, ending)()
    expected = {"commit": 2, "rollback": 1}[ending]
    assert sealing.seal_due() == expected
    assert sealed_keys() == [str(id_) for id_ in AuditRow.objects.order_by("id").values_list("id", flat=True)]
    assert found() == []


def test_who_starts_to_write_meanwhile_is_not_waited_for(committed_db, monkeypatch):
    """A slow writer that came after the rows does not keep them from being sealed."""
    write()
    real = audit._writers
    with psycopg.connect(committed_db) as late:

        def come_late():
            writers = real()
            late.execute(
                "INSERT INTO core_auditrow (actor, action, object_type, data) VALUES ('late', 'did', 'thing', '{}')"
            )
            return writers

        monkeypatch.setattr(audit, "_writers", come_late)
        assert sealing.seal_due() == 1
        monkeypatch.setattr(audit, "_writers", real)
        late.commit()
    assert sealing.seal_due() == 1


def test_writers_that_commit_out_of_order_and_roll_back_are_all_sealed_once(committed_db):
    """Seven writers against one sealer: each row under exactly one seal, and none is sealed that was rolled back."""
    done = Event()

    def seal_until_done():
        while not done.is_set():
            sealing.seal_due()
        connection.close()

    def write_and_dawdle():
        dice = random.Random()
        for _ in range(40):
            try:
                with transaction.atomic():
                    for _ in range(dice.randrange(1, 4)):
                        audit.record([(None, "tester", "did", "thing", None, {})])
                        time.sleep(dice.random() / 200)
                    if dice.random() < 0.3:
                        raise LookupError
            except LookupError:
                pass

    sealer = Thread(target=seal_until_done)
    sealer.start()
    try:
        at_once(7, write_and_dawdle)
    finally:
        done.set()
        sealer.join()
    sealing.seal_due()
    there = [str(id_) for id_ in AuditRow.objects.order_by("id").values_list("id", flat=True)]
    assert sealed_keys() == there  # each once, in the order of the ids
    assert int(there[-1]) > len(there), "nobody rolled back: the test shows nothing"
    assert Seal.objects.count() > 2, "everything was sealed at the end: the test shows nothing"
    assert found() == []


def test_only_one_seals_at_a_time(committed_db):
    write(5)
    with locks.alone(seals.LOCK, 0) as alone:
        assert alone
        assert at_once(1, sealing.seal_due) == [0]
    assert sum(at_once(4, sealing.seal_due)) == 5
    assert len(sealed_keys()) == 5


@pytest.mark.parametrize("change", ["UPDATE core_seal SET rows = 9", "DELETE FROM core_seal", "TRUNCATE core_seal"])
def test_the_database_refuses_to_change_seals(db, change):
    write()
    sealing.seal_due()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


# --- tampering, with the triggers out of the way


@pytest.fixture
def rows(db, monkeypatch):
    """Thirty rows under three seals, a gap among them, and one row that is not sealed yet."""
    monkeypatch.setattr(seals, "ROWS", 10)
    ids = write(15, note="before")
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('core_auditrow', 'id'))")
        gap = cursor.fetchone()[0]
    ids += write(15, note="after")
    sealing.seal_due()
    write()
    assert found() == []
    return ids, gap


def test_a_changed_row_is_named(rows):
    ids, _ = rows
    tamper('UPDATE core_auditrow SET data = \'{"note": "nothing"}\' WHERE id = %s', ids[7])
    assert found() == [("core_auditrow", str(ids[7]), "was changed since it was sealed")]


@pytest.mark.parametrize(
    "change",
    ["actor = 'nobody'", "at = at + interval '1 microsecond'", "object_id = NULL", "company_id = 1", "action = 'did '"],
)
def test_every_column_is_sealed(rows, change):
    ids, _ = rows
    tamper(f"UPDATE core_auditrow SET {change} WHERE id = %s", ids[3])
    assert [row for _, row, _ in found()] == [str(ids[3])]


def test_a_removed_row_is_named(rows):
    ids, _ = rows
    tamper("DELETE FROM core_auditrow WHERE id = %s", ids[12])
    assert found() == [("core_auditrow", str(ids[12]), "was sealed and is missing")]


def test_a_row_that_was_slipped_in_is_named(rows):
    ids, gap = rows
    for id_ in (gap, ids[0] - 1000):
        tamper("INSERT INTO core_auditrow (id, actor, action, object_type, data) VALUES (%s, 'x', 'x', 'x', '{}')", id_)
    slipped = "was slipped in among what is sealed"
    assert sorted(found()) == sorted(("core_auditrow", str(id_), slipped) for id_ in (gap, ids[0] - 1000))


def test_rows_that_changed_places_are_named_with_where_they_belong(rows):
    ids, _ = rows
    one, two = ids[4], ids[8]
    with superuser() as cursor:
        for old, new in ((one, -1), (two, one), (-1, two)):
            cursor.execute("UPDATE core_auditrow SET id = %s WHERE id = %s", [new, old])
    changed = "was changed since it was sealed: it holds what"
    assert found() == [
        ("core_auditrow", str(one), f"{changed} {two} held"),
        ("core_auditrow", str(two), f"{changed} {one} held"),
    ]


def test_a_row_that_was_moved_into_a_gap_is_named(rows):
    ids, gap = rows
    tamper("UPDATE core_auditrow SET id = %s WHERE id = %s", gap, ids[14])
    assert found() == [
        ("core_auditrow", str(ids[14]), "was sealed and is missing"),
        ("core_auditrow", str(gap), f"was slipped in among what is sealed: it holds what {ids[14]} held"),
    ]


def test_the_end_that_was_cut_off_is_known_from_the_anchors(rows):
    ids, _ = rows
    tamper("DELETE FROM core_auditrow WHERE id > %s", ids[24])
    tamper("DELETE FROM core_seal WHERE number = 3")
    ((table, row, what),) = found()
    assert (table, row) == ("core_seal", "3")
    assert "is missing" in what
    assert f"audit rows {ids[20]} to {ids[29]}" in what


def test_a_seal_that_was_made_to_fit_is_found_by_the_chain(rows):
    """Row, digest and contents fit each other again: the seal's hash does not, or the next seal does not follow it."""
    ids, _ = rows
    tamper("UPDATE core_auditrow SET actor = 'nobody' WHERE id = %s", ids[1])
    _refit(Seal.objects.get(number=1), rehash=False)
    assert found() == [("core_seal", "1", "was changed: its hash is not that of its words")]
    _refit(Seal.objects.get(number=1), rehash=True)
    told = found()
    assert ("core_seal", "2", "does not follow seal 1: the hash that it names is another") in told
    assert any(row == "1" and "is not the one that was anchored" in what for _, row, what in told)


def test_a_seal_can_not_be_led_past_the_one_before_it(rows):
    """The second seal is made to follow the changed first one: then its own hash is wrong."""
    ids, _ = rows
    tamper("UPDATE core_auditrow SET actor = 'nobody' WHERE id = %s", ids[1])
    _refit(Seal.objects.get(number=1), rehash=True)
    tamper("UPDATE core_seal SET previous = (SELECT hash FROM core_seal WHERE number = 1) WHERE number = 2")
    assert ("core_seal", "2", "was changed: its hash is not that of its words") in found()


@pytest.mark.parametrize(
    "change",
    [
        "first = first - 1",
        "last = last - 1",
        "rows = 11",
        "sealed_at = sealed_at - interval '1 day'",
        "hash = contents",
    ],
)
def test_every_word_of_a_seal_is_hashed(rows, change):
    tamper(f"UPDATE core_seal SET {change} WHERE number = 2")
    assert ("core_seal", "2", "was changed: its hash is not that of its words") in found()


def test_a_chain_that_was_written_anew_is_found_by_the_anchors(rows):
    ids, _ = rows
    tamper("UPDATE core_auditrow SET actor = 'nobody' WHERE id = %s", ids[25])
    _rewrite(from_number=3)
    ((_, row, what),) = found()
    assert row == "3"
    assert "is not the one that was anchored" in what


def test_missing_seals_are_named_and_what_they_held_is_not_called_slipped_in(rows):
    tamper("DELETE FROM core_seal WHERE number = 2")
    told = found()
    assert told[0] == ("core_seal", "2", "is missing")
    assert {table for table, _, _ in told} == {"core_seal"}


def test_digests_that_were_exchanged_within_a_seal_are_found(rows):
    seal = Seal.objects.get(number=2)
    tamper("UPDATE core_seal SET digests = %s WHERE number = 2", bytes(320))
    told = found()
    assert told[0][:2] == ("core_seal", "2")
    assert "the digests are not those" in told[0][2]
    assert f"audit rows {seal.first} to {seal.last}" in told[0][2]


def test_a_seal_of_nothing_known_is_told(rows):
    tamper("UPDATE core_seal SET of = 'journal/x' WHERE number = 2")
    assert any(row == "2" and "'journal/x'" in what for _, row, what in found())


def test_however_much_was_changed_the_report_stays_short(rows, monkeypatch):
    monkeypatch.setattr(verify_audit, "LISTED", 5)
    tamper("UPDATE core_auditrow SET actor = 'nobody'")
    report = verify_audit.verify_audit()
    assert report.violated == 30
    assert len(report.violations) == 5


def test_since_takes_what_was_verified_as_given(rows):
    ids, _ = rows
    tamper("UPDATE core_auditrow SET actor = 'nobody' WHERE id IN (%s, %s)", ids[1], ids[22])
    assert [row for _, row, _ in found(since=1)] == [str(ids[22])]
    assert found(since=3) == []
    with pytest.raises(LookupError):
        verify_audit.verify_audit(since=4)


def _refit(seal, *, rehash):
    rows = audit.AuditTrail().rows(seal.first - 1, seal.last)
    seal.digests = b"".join(row.digest for row in rows)
    seal.contents = seals.contents_of((row.key, row.digest) for row in rows)
    if rehash:
        seal.hash = seals.hash_of(seal)
    with superuser():
        seal.save(force_update=True)


def _rewrite(*, from_number):
    with superuser():
        Seal.objects.filter(number__gte=from_number).delete()
    for _ in seals.seal(audit.AuditTrail()):
        pass


# --- the command


def run(*arguments):
    out = StringIO()
    code = 0
    try:
        call_command("verify_audit", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as stopped:
        code = stopped.code
    return code, out.getvalue()


def test_the_command_tells_a_program(rows):
    ids, _ = rows
    code, text = run("--json")
    assert code == 0
    assert json.loads(text) == {
        "ok": True, "violations": [], "violated": 0, "sealed": 30, "unsealed": 1, "waiting_details": 0, "rewritten_bodies": 0, "anchored": 3,
        "head": {"number": 3, "hash": bytes(Seal.objects.get(number=3).hash).hex()},
    }  # fmt: skip
    tamper("DELETE FROM core_auditrow WHERE id = %s", ids[0])
    code, text = run("--json")
    told = json.loads(text)
    assert code == 1
    assert not told["ok"]
    assert told["violations"] == [
        {"table": "core_auditrow", "row": str(ids[0]), "what": "was sealed and is missing"},
    ]


def test_the_command_tells_a_person(rows):
    ids, _ = rows
    assert run()[0] == 0
    tamper("DELETE FROM core_auditrow WHERE id = %s", ids[0])
    code, text = run()
    assert code == 1
    assert text.splitlines()[0] == f"core_auditrow: {ids[0]} was sealed and is missing"
    assert "1 violations" in text.splitlines()[-1]


def test_a_seal_that_there_is_not_is_wrong_usage(rows):
    with pytest.raises(CommandError) as error:
        run("--since", "99")
    assert error.value.returncode == 2


def test_the_seal_command_seals_what_is_due(rows):
    out = StringIO()
    call_command("seal", "--json", stdout=out, stderr=StringIO())
    number, hash_ = seals.head()
    assert json.loads(out.getvalue()) == {"sealed": 1, "head": {"number": number, "hash": hash_.hex()}}
    assert number == 4


# --- anchors


def lines(folder: Path) -> list[str]:
    return [line for path in sorted(folder.glob("*.txt")) for line in path.read_text().splitlines()]


def test_each_seal_is_a_line(rows, folder):
    anchored = [line.split() for line in lines(folder)]
    assert [(int(a[0]), a[1], a[2]) for a in anchored] == [
        (seal.number, bytes(seal.hash).hex(), "audit") for seal in Seal.objects.order_by("number")
    ]


def test_a_host_makes_up_for_what_others_sealed(rows, folder):
    (path,) = folder.glob("*.txt")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:1]))
    write()
    sealing.seal_due()
    assert [int(line.split()[0]) for line in lines(folder)] == [1, 2, 3, 4]


def test_a_line_that_a_crash_cut_off_is_written_again(rows, folder):
    (path,) = folder.glob("*.txt")
    path.write_text(path.read_text()[:-40])
    sealing.seal_due()
    assert [int(line.split()[0]) for line in lines(folder)] == [1, 2, 3, 3, 4]
    assert found() == []


def test_a_line_that_cannot_be_read_is_told(rows, folder):
    (path,) = folder.glob("*.txt")
    text = path.read_text().splitlines(keepends=True)
    path.write_text(text[0] + "nothing to see\n" + text[2])
    assert found() == [("anchors", f"{path.name} line 2", "cannot be read")]


def test_a_chain_that_is_shorter_than_was_anchored_is_told_in_the_log(rows, folder, caplog):
    tamper("DELETE FROM core_seal WHERE number > 1")
    sealing.seal_due()
    assert any("run verify_audit" in record.getMessage() for record in caplog.records)


def test_a_folder_that_cannot_be_written_stops_no_seal(db, folder, caplog):
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file is in its place")
    write()
    assert sealing.seal_due() == 1
    assert any("could not be anchored" in record.getMessage() for record in caplog.records)


def test_the_newest_head_is_sent(db, settings, monkeypatch):
    sent = []
    settings.AUDIT_ANCHOR_URL = "https://anchors.example/heads"
    monkeypatch.setattr(http, "post_json", lambda **call: sent.append(call))
    write()
    sealing.seal_due()
    sealing.seal_due()  # nothing new, nothing sent
    number, hash_ = seals.head()
    ((call),) = sent
    assert call["url"] == "https://anchors.example/heads"
    assert json.loads(call["body"]) == {"number": number, "hash": hash_.hex()}


def test_a_head_that_is_not_taken_stops_no_seal(db, settings, monkeypatch):
    def refuse(**call):
        raise http.UnableToReach("no")

    settings.AUDIT_ANCHOR_URL = "https://anchors.example/heads"
    monkeypatch.setattr(http, "post_json", refuse)
    write()
    assert sealing.seal_due() == 1
    assert len(list(anchors.read())) == 1
