"""Sales that a till sends: captured as all others are, judged before, and each request done once."""

import json
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings

from channels import canonical
from channels.models import Event
from ledger.models import JournalEntry
from salessync.api import examples, idempotency, intake
from salessync.core import nudge
from salessync.core.models import ApiAnswer
from tests.api.program import Program, codes, kind, of
from tests.records import back, line, refund, sale, sales
from tests.worlds import World


def sent(record, channel):
    """A canonical record as a till would write it."""
    return json.loads(canonical.encode(record)) | {
        "source": {"channel": channel.slug, "id": record.source.id, "version": "1"}
    }


def events(world):
    return Event.objects.filter(company_id=world.company.pk)


def test_a_sale_is_captured_as_any_other_and_ends_in_the_books(world, program):
    body = json.dumps(of(examples.SALE, world.till)).encode()
    response = program.post("sales", body, key="first")
    assert response.status_code == 202
    event = events(world).get()
    assert (event.mode, event.topic, event.channel_id) == (intake.MODE, "sale", world.till.pk)
    assert event.headers["webhook-id"].startswith(f"api-{program.client.pk}-")
    receipt = response.json()
    assert receipt["id"] == event.pk and receipt["state"] == "new" and receipt["transaction"] is None
    assert response["Location"] == receipt["href"] == f"/api/v1/sales/{event.pk}"
    world.process()
    found = program.get(response["Location"]).json()
    assert found["state"] == "posted" and found["finished_at"] and found["problems"] == []
    detail = program.get(f"transactions/{found['transaction']}").json()
    assert detail["source_id"] == "2026-000123" and detail["total"] == 1872
    assert sum(posting["amount"] for posting in detail["postings"]) == 0
    assert world.balances()["Assets:Till:Front"] == 1872


def test_every_example_of_the_documentation_is_taken_and_posted(world, program):
    for path, example in (
        ("sales", examples.SALE),
        ("refunds", examples.REFUND),
        ("cash-sessions", examples.CASH_SESSION),
    ):
        response = program.post(path, of(example, world.till))
        assert response.status_code == 202, response.content
        world.process()
        assert program.get(response["Location"]).json()["state"] == "posted", path


def test_the_channel_may_stand_in_the_address(world, program):
    body = examples.SALE | {"source": {"id": "1", "version": "1"}}
    assert program.post(f"sales?channel={world.till.slug}", body).status_code == 202
    other = of(examples.SALE, world.channel("other-till", "standard"))
    assert codes(program.post(f"sales?channel={world.till.slug}", other)) == ["WRONG_CHANNEL"]


def test_only_the_clients_own_tills_take_records(world, program):
    stranger = World()
    no_till = Program(world.company)
    for channel in (stranger.till, world.shop):
        response = no_till.post("sales", of(examples.SALE, channel))
        assert (response.status_code, codes(response)) == (422, ["UNKNOWN_CHANNEL"])
    assert codes(no_till.post("sales", examples.SALE | {"source": {"id": "1", "version": "1"}})) == ["MISSING_CHANNEL"]
    sent_by_the_stranger = Program(stranger.company).post("sales", of(examples.SALE, stranger.till))
    assert program.get(sent_by_the_stranger["Location"]).status_code == 404


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"currency": "XXQ"}, "UNKNOWN_CURRENCY", "currency"), ({"currency": "usd"}, "UNKNOWN_CURRENCY", "currency"),
        ({"totals": {**examples.SALE["totals"], "total": 1871}}, "TOTAL_MISMATCH", "totals.total"),
        ({"totals": {**examples.SALE["totals"], "total": 10**20}}, "BAD_AMOUNT", "totals.total"),
        ({"totals": {**examples.SALE["totals"], "total": 18.72}}, "BAD_AMOUNT", "totals.total"),
        ({"status": "stolen"}, "UNKNOWN_VALUE", "status"), ({"payment_status": ""}, "MISSING_PAYMENT_STATUS", "payment_status"),
        ({"jurisdiction": None}, "MISSING_JURISDICTION", "jurisdiction"), ({"occurred_at": "yesterday"}, "BAD_TIME", "occurred_at"),
        ({"occurred_at": "2026-02-30T10:00:00Z"}, "BAD_TIME", "occurred_at"),
        ({"timezone": "Mars/Olympus"}, "UNKNOWN_TIMEZONE", "timezone"), ({"buyer": "Mr. X"}, "UNKNOWN_FIELD", "buyer"),
        ({"lines": [{**examples.SALE["lines"][0], "quantity": "-1e9"}]}, "BAD_FIELD", "lines[0].quantity"),
        ({"type": "refund"}, "WRONG_TYPE", "type"), ({"type": None}, "MISSING_TYPE", "type"), ({"type": []}, "WRONG_TYPE", "type"),
        ({"source": "x"}, "MISSING_CHANNEL", "source.channel"),
        ({"source": {"channel": ["x"]}}, "MISSING_CHANNEL", "source.channel"),
        ({"source": {**examples.SALE["source"], "id": ""}}, "MISSING_ID", "source.id"),
    ],
)  # fmt: skip
def test_what_cannot_be_booked_is_refused_with_code_and_place_and_not_stored(world, program, change, code, path):
    body = of(examples.SALE, world.till) | change
    if isinstance(body["source"], dict) and body["source"].get("channel") == "till-1":
        body["source"]["channel"] = world.till.slug
    response = program.post("sales", body, key="k")
    assert response.status_code == 422, response.content
    errors = response.json()["errors"]
    assert code in codes(response)
    assert path in [error["path"] for error in errors]
    assert not events(world).exists() and not ApiAnswer.objects.exists()
    assert program.post("sales", of(examples.SALE, world.till), key="k").status_code == 202  # the key is free again


def test_all_that_is_wrong_is_told_at_once(world, program):
    body = of(examples.SALE, world.till)
    body |= {"currency": None, "payment_status": None, "totals": {**body["totals"], "total": None}}
    assert set(codes(program.post("sales", body))) >= {"MISSING_CURRENCY", "MISSING_PAYMENT_STATUS", "MISSING_AMOUNT"}


def test_several_records_at_once_are_no_sale(world, program):
    response = program.post("sales", {"records": [of(examples.SALE, world.till)]})
    assert (response.status_code, codes(response)) == (422, ["MISSING_TYPE"])


def test_a_card_number_is_not_kept(world, program):
    body = of(examples.SALE, world.till)
    body["lines"] = [body["lines"][0] | {"name": "paid with 4242 4242 4242 4242"}]
    assert program.post("sales", body).status_code == 202
    assert b"4242 4242 4242 4242" not in bytes(events(world).get().body)


def test_a_refund_waits_for_its_sale(world, program):
    sold = line(units=2, taxes=[("US-NY", "State", "4", 80)])
    early = program.post("refunds", sent(refund([back(sold, units=1, net=1000, tax=40)]), world.till))
    world.process()
    assert program.get(early["Location"]).json()["state"] == "waiting"
    program.post("sales", sent(sale([sold], id_="S1"), world.till))
    world.process()
    assert program.get(early["Location"]).json()["state"] == "posted"
    assert program.get(early["Location"].replace("refunds", "sales")).status_code == 404


def test_what_is_quarantined_later_says_why(world, program):
    body = of(examples.SALE, world.till) | {"currency": "EUR"}  # for which there is no rate
    location = program.post("sales", body)["Location"]
    world.process()
    found = program.get(location).json()
    assert found["state"] == "quarantined"
    assert [problem["code"] for problem in found["problems"]] == ["MISSING_RATE"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sales())
def test_what_the_pipeline_would_post_is_accepted_and_posted(world, program, record):
    """The judgement before the inbox is the pipeline's own."""
    with transaction.atomic():
        response = program.post("sales", sent(record, world.till))
        assert response.status_code == 202, response.content
        world.process()
        assert events(world).get(pk=response.json()["id"]).state == "posted"
        transaction.set_rollback(True)


# --- Idempotency-Key


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a b", '"', "\x7f"])
def test_a_key_is_needed_and_is_printable(world, program, key):
    headers = {"Idempotency-Key": key} if key else {}
    response = program.http.post(
        "/api/v1/sales", of(examples.SALE, world.till), "application/json", headers=program.headers(headers)
    )
    assert response.status_code == 400
    assert kind(response) == ("idempotency-key-invalid" if key else "idempotency-key-missing")
    assert not events(world).exists()


def test_the_same_request_is_answered_as_it_was(world, program):
    body = of(examples.SALE, world.till)
    first = program.post("sales", body, key="k")
    world.process()  # meanwhile its state has changed, and the answer has not
    again = program.post("sales", body, key='"k"')  # as the draft writes it
    assert (again.status_code, again.content, again["Location"]) == (202, first.content, first["Location"])
    assert again["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first
    assert events(world).get().copies == 1
    assert JournalEntry.objects.filter(company=world.company).count() == 1


def test_the_same_key_with_another_request_is_refused(world, program):
    body = of(examples.SALE, world.till)
    program.post("sales", body, key="k")
    changed = body | {"extensions": {"note": "other"}}
    for path, other in (("sales", changed), (f"sales?channel={world.till.slug}", body), ("refunds", body)):
        response = program.post(path, other, key="k")
        assert (response.status_code, kind(response)) == (422, "idempotency-key-reused")
    assert events(world).count() == 1


def test_another_clients_key_is_another_key(world, program):
    other = Program(world.company)
    program.post("sales", of(examples.SALE, world.till), key="k")
    response = other.post("sales", of(examples.SALE, world.till), key="k")
    assert response.status_code == 202 and "Idempotency-Replayed" not in response
    world.process()
    assert JournalEntry.objects.filter(company=world.company).count() == 1  # the sale's own id decides


def test_answers_are_kept_for_a_week_and_what_was_done_for_ever(world, program):
    body = of(examples.SALE, world.till)
    first = program.post("sales", body, key="k").json()
    assert idempotency.purge() == 0
    ApiAnswer.objects.update(created_at=ApiAnswer.objects.get().created_at - timedelta(days=7, minutes=1))
    assert idempotency.purge() == 1
    again = program.post("sales", body, key="k")
    assert again.json()["id"] == first["id"] and "Idempotency-Replayed" not in again
    assert events(world).count() == 1


def test_a_fault_keeps_neither_the_sale_nor_the_answer(world, program, monkeypatch):
    def fail(**row):
        raise ZeroDivisionError

    program.http.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(ApiAnswer.objects, "create", fail)
        assert program.post("sales", of(examples.SALE, world.till), key="k").status_code == 500
    assert not events(world).exists()
    assert program.post("sales", of(examples.SALE, world.till), key="k").status_code == 202


def test_the_worker_is_woken_when_the_sale_is_durable(world, program, monkeypatch, django_capture_on_commit_callbacks):
    asked = []
    monkeypatch.setattr(nudge, "nudge", asked.append)
    with django_capture_on_commit_callbacks() as waiting:
        program.post("sales", of(examples.SALE, world.till))
        assert asked == []
    waiting[0]()
    assert asked == [nudge.DRAIN_INBOX]
