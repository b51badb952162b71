"""What Bookkeeper tells us through the API: accounts, closed periods, corrections."""

import json

import pytest

from ledger.models import BookkeeperAccount, JournalEntry
from salessync import pipeline, setup
from salessync.api.bookkeeper import ACCOUNTS, CORRECTION, LOCK
from salessync.core.models import Company
from tests.api.program import Program, codes
from tests.records import line, sale


def put(program, path, body):
    raw = json.dumps(body).encode()
    return program.http.put(f"/api/v1/{path}", raw, content_type="application/json", headers=program.headers())


def test_its_chart_takes_the_place_of_the_one_before(world, program):
    world.send(sale([line()]))
    answer = put(program, "bookkeeper/accounts", ACCOUNTS).json()
    assert answer["added"] == ["4000"]
    assert {one["account"]: one["why"] for one in answer["without_counterpart"]}["Income:Sales"] == "unknown"
    again = put(program, "bookkeeper/accounts", {"accounts": [ACCOUNTS["accounts"][0] | {"code": "5000"}]}).json()
    assert (again["added"], again["removed"]) == (["5000"], ["4000"])
    assert BookkeeperAccount.objects.filter(company=world.company).count() == 1
    assert codes(put(program, "bookkeeper/accounts", {"accounts": []})) == ["EMPTY_LIST"]


def test_a_lock_closes_our_books_and_opens_nothing(world, program):
    world.send(sale([line()]))
    answer = program.post("bookkeeper/period-locks", LOCK | {"through": "2026-09-30"}).json()
    assert (answer["through"], answer["changed"], answer["count"]) == ("2026-09-30", True, 1)
    assert str(Company.objects.get(pk=world.company.pk).closed_through) == "2026-09-30"
    assert program.post("bookkeeper/period-locks", LOCK).json()["changed"] is False
    assert codes(program.post("bookkeeper/period-locks", LOCK | {"through": "2999-01-01"})) == ["PERIOD_IN_FUTURE"]


def test_a_correction_becomes_an_entry_once_and_is_never_sent_back(world, program):
    setup.open_books(world.company)
    answer = program.post("bookkeeper/corrections", CORRECTION)
    assert (answer.status_code, answer.json()["duplicate"]) == (202, False)
    while pipeline.run_batch():
        pass
    again = program.post("bookkeeper/corrections", CORRECTION).json()
    assert (again["duplicate"], again["state"], len(again["entries"])) == (True, "posted", 1)
    assert program.get("bookkeeper/corrections/BK-J-77").json()["entries"] == again["entries"]
    entry = JournalEntry.objects.get(pk=again["entries"][0]["id"])
    assert sorted(entry.postings.values_list("account__code", "amount")) == [
        ("Assets:Bank:Main", -350), ("Expenses:Bank-charges", 350),
    ]  # fmt: skip
    other = CORRECTION | {"reason": "something else"}
    assert codes(program.post("bookkeeper/corrections", other)) == ["ID_USED_BEFORE"]
    assert program.get("bookkeeper/corrections/NONE").status_code == 404


@pytest.mark.parametrize("path", ["bookkeeper/period-locks", "bookkeeper/corrections"])
def test_the_scope_is_asked_for(world, path):
    assert Program(world.company, "books").post(path, LOCK).status_code == 403
