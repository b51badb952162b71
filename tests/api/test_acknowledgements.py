"""Verdicts on entries that Bookkeeper fetched: each counts once, and what was said before stays."""

import pytest

from ledger import outbox
from ledger.models import Delivery, JournalEntry
from salessync.core.models import AuditRow
from tests.api.program import Program, codes
from tests.records import line, sale
from tests.worlds import World


@pytest.fixture
def due(world):
    """Three entries that are due, by seq."""
    world.send(*(sale([line()], id_=f"S{number}") for number in range(3)))
    rows = Delivery.objects.filter(company_id=world.company.pk).select_related("entry")
    return {delivery.entry.seq: delivery for delivery in rows}


def say(program, *said):
    response = program.post("acknowledgements", {"acknowledgements": list(said)}, key="")
    assert response.status_code == 200, response.content
    return response.json()["results"]


def states(due):
    rows = Delivery.objects.filter(pk__in=[delivery.pk for delivery in due.values()]).order_by("entry__seq")
    return list(rows.values_list("state", "acknowledgement", "error"))


def audited():
    rows = AuditRow.objects.filter(object_type="delivery").order_by("id")
    return list(rows.values_list("actor", "action", "data"))


def test_entries_are_acknowledged_by_seq_or_id_and_refused(world, program, due):
    id_ = f"{world.company.slug}:{due[2].pk}"
    results = say(
        program,
        {"seq": 1, "acknowledgement": "BK-1"},
        {"id": id_, "acknowledgement": "BK-2", "status": "duplicate"},
        {"seq": 3, "status": "refused", "error": "the period is closed"},
    )
    assert [result["result"] for result in results] == ["acknowledged", "acknowledged", "refused"]
    assert results[1] | {"result": ""} == {
        "id": id_, "seq": 2, "result": "", "acknowledgement": "BK-2", "error": None
    }  # fmt: skip
    assert states(due) == [
        ("acknowledged", "BK-1", None), ("acknowledged", "BK-2", None), ("refused", None, "the period is closed"),
    ]  # fmt: skip
    assert Delivery.objects.get(pk=due[1].pk).acknowledged_at is not None
    assert audited() == [
        (f"api:{program.client.name}", "acknowledged", {"entries": 2, "first_seq": 1, "last_seq": 2}),
        (f"api:{program.client.name}", "refused", {"errors": {"3": "the period is closed"}}),
    ]


def test_what_was_said_before_stays(world, program, due):
    say(program, {"seq": 1, "acknowledgement": "BK-1"}, {"seq": 2, "status": "refused"})
    before, rows = states(due), audited()
    results = say(
        program, {"seq": 1, "acknowledgement": "BK-1"}, {"seq": 1, "acknowledgement": "BK-9"},
        {"seq": 1, "status": "refused", "error": "no"}, {"seq": 2, "status": "refused", "error": "again"},
    )  # fmt: skip
    assert [result["result"] for result in results] == ["unchanged", "conflict", "conflict", "unchanged"]
    assert [result["acknowledgement"] for result in results[:3]] == ["BK-1"] * 3
    assert results[3]["error"] == "refused without a reason"
    assert (states(due), audited()) == (before, rows)


def test_what_was_refused_may_be_acknowledged_later(program, due):
    say(program, {"seq": 1, "status": "refused", "error": "no such account"})
    assert say(program, {"seq": 1, "acknowledgement": "BK-1"})[0]["result"] == "acknowledged"
    assert states(due)[0] == ("acknowledged", "BK-1", None)


def test_the_same_entry_twice_in_one_request_counts_once(world, program, due):
    said = {"seq": 1, "acknowledgement": "BK-1"}
    named = {"id": f"{world.company.slug}:{due[1].pk}", "acknowledgement": "BK-2"}
    assert [result["result"] for result in say(program, said, said, named)] == ["acknowledged", "unchanged", "conflict"]
    refused = {"seq": 2, "status": "refused"}
    accepted = {"seq": 2, "acknowledgement": "BK-3"}
    assert [result["result"] for result in say(program, refused, accepted, refused)] == [
        "refused",
        "acknowledged",
        "conflict",
    ]
    assert states(due)[1] == ("acknowledged", "BK-3", None)


def test_an_entry_that_is_not_there_stops_no_other(world, program, due):
    stranger = World()
    stranger.send(sale([line()], id_="S1"))
    theirs = JournalEntry.objects.get(company=stranger.company)
    names = [
        {"seq": 4}, {"seq": 2**63 - 1}, {"id": "nobody:1"}, {"id": "1"}, {"id": f"{stranger.company.slug}:{theirs.pk}"},
        {"id": f"{world.company.slug}:{theirs.pk}"}, {"id": f"{world.company.slug}:{10**30}"}, {"id": f"{world.company.slug}:١"},
    ]  # fmt: skip
    results = say(
        program, *(name | {"acknowledgement": "BK-1"} for name in names), {"seq": 3, "acknowledgement": "BK-3"}
    )
    assert [result["result"] for result in results] == ["unknown"] * len(names) + ["acknowledged"]
    assert Delivery.objects.get(entry=theirs).state == "due"
    assert Program(stranger.company).get("journal-entries").json()["results"][0]["seq"] == 1


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({}, "MISSING_FIELD", "acknowledgements"), ({"acknowledgements": []}, "BAD_FIELD", "acknowledgements"),
        ({"acknowledgements": {}}, "BAD_FIELD", "acknowledgements"),
        ({"acknowledgements": [{"seq": 1, "acknowledgement": "x"}] * 1001}, "BAD_FIELD", "acknowledgements"),
        ({"acknowledgements": [{"seq": 1, "acknowledgement": "x"}], "x": 1}, "UNKNOWN_FIELD", "x"),
        ({"acknowledgements": [{"acknowledgement": "x"}]}, "NOT_ONE_NAME", "acknowledgements[0]"),
        ({"acknowledgements": [{"seq": 1, "id": "a:1", "acknowledgement": "x"}]}, "NOT_ONE_NAME", "acknowledgements[0]"),
        ({"acknowledgements": [{"seq": 1}]}, "MISSING_ACKNOWLEDGEMENT", "acknowledgements[0].acknowledgement"),
        ({"acknowledgements": [{"seq": 0, "acknowledgement": "x"}]}, "BAD_FIELD", "acknowledgements[0].seq"),
        ({"acknowledgements": [{"seq": "1", "acknowledgement": "x"}]}, "BAD_FIELD", "acknowledgements[0].seq"),
        ({"acknowledgements": [{"seq": 10**30, "acknowledgement": "x"}]}, "BAD_FIELD", "acknowledgements[0].seq"),
        ({"acknowledgements": [{"seq": 1, "acknowledgement": ""}]}, "BAD_FIELD", "acknowledgements[0].acknowledgement"),
        ({"acknowledgements": [{"seq": 1, "acknowledgement": "x" * 256}]}, "BAD_FIELD", "acknowledgements[0].acknowledgement"),
        ({"acknowledgements": [{"seq": 1, "status": "lost"}]}, "BAD_FIELD", "acknowledgements[0].status"),
        ({"acknowledgements": [{"seq": 1, "acknowledgement": "x", "y": 1}]}, "UNKNOWN_FIELD", "acknowledgements[0].y"),
    ],
)  # fmt: skip
def test_a_request_that_is_not_understood_changes_nothing(program, due, body, code, path):
    response = program.post("acknowledgements", body)
    assert response.status_code == 422
    assert codes(response) == [code]
    assert response.json()["errors"][0]["path"] == path
    assert {state for state, *_ in states(due)} == {"due"}


def test_what_was_acknowledged_here_is_pushed_no_more(program, due, settings):
    settings.BOOKKEEPER_URL = "https://bookkeeper.example/entries"
    say(program, *({"seq": seq, "acknowledgement": f"BK-{seq}"} for seq in due))
    assert outbox.backlog().due == 0
