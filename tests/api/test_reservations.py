"""Reservations as a storefront makes them: held once, told as they stand, refused with what there is."""

import threading
import uuid
from datetime import datetime, timedelta

import pytest

from inventory import reservations
from inventory.models import Component, Product, Reservation
from salessync.api.reservations import EXAMPLE
from salessync.core import nudge
from salessync.core.models import ApiAnswer
from tests.api.program import Program, codes, kind
from tests.records import line, sale
from tests.threads import at_once
from tests.worlds import World


def cart(world, *lines, **more):
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in lines or [("MUG", 2)]]
    return {"channel": world.till.slug, "reference": "cart-1", "lines": lines, **more}


def available(program, sku):
    (level,) = program.get("stock", {"sku": sku}).json()["results"]
    assert set(level) == {"sku", "location", "on_hand", "reserved", "available"}
    return level["available"]


def count(world):
    return Reservation.objects.filter(company=world.company).count()


def delete(program, path):
    return program.http.delete(path, headers=program.headers())


def test_what_is_held_is_told_and_no_longer_available(world, program):
    asked = datetime.now().astimezone()
    response = program.post("reservations", cart(world, ("MUG", 2), ("CAP", "0.5"), expires_in=60))
    assert response.status_code == 201, response.content
    held = response.json()
    until = datetime.fromisoformat(held["expires_at"])
    assert timedelta(seconds=59) < until - asked < timedelta(seconds=70)
    assert held == {
        "id": held["id"], "state": "held", "channel": world.till.slug, "reference": "cart-1", "expires_at": held["expires_at"],
        "lines": [
            {"sku": "MUG", "quantity": 2, "held": 2, "location": "main"},
            {"sku": "CAP", "quantity": "0.5", "held": "0.5", "location": "main"},
        ],
    }  # fmt: skip
    assert response["Location"] == f"/api/v1/reservations/{held['id']}"
    assert program.get(response["Location"]).json() == held
    assert (available(program, "MUG"), available(program, "CAP")) == (98, "2.5")


def test_the_example_of_the_documentation(world, program):
    body = EXAMPLE | {"channel": world.till.slug, "lines": EXAMPLE["lines"][:1]}
    assert program.post("reservations", body).status_code == 201


def test_where_there_is_not_enough_each_line_tells_what_there_is(world, program):
    response = program.post("reservations", cart(world, ("MUG", 2), ("CAP", 2), ("CAP", "1.5")), key="k")
    assert (response.status_code, kind(response)) == (409, "not-enough-stock")
    told = response.json()
    assert [(error["code"], error["path"]) for error in told["errors"]] == [("NOT_ENOUGH_STOCK", "lines[2].quantity")]
    assert told["lines"] == [
        {"sku": "MUG", "quantity": 2, "available": 100}, {"sku": "CAP", "quantity": 2, "available": 3},
        {"sku": "CAP", "quantity": "1.5", "available": 1},
    ]  # fmt: skip
    assert count(world) == 0 and not ApiAnswer.objects.exists()
    assert program.post("reservations", cart(world), key="k").status_code == 201  # the key is free again


def test_in_part(world, program):
    held = program.post("reservations", cart(world, ("CAP", 5), partial=True)).json()
    assert (held["state"], held["lines"][0]["held"]) == ("partial", 3)
    assert kind(program.post("reservations", cart(world, ("CAP", 1), partial=True))) == "not-enough-stock"


def test_a_bundle_is_one_line(world, program):
    made = Product.objects.create(company=world.company, sku="SET")
    for sku in ("MUG", "CAP"):
        Component.objects.create(bundle=made, part=Product.objects.get(company=world.company, sku=sku), quantity=2)
    held = program.post("reservations", cart(world, ("SET", 2), partial=True)).json()
    assert held["lines"] == [{"sku": "SET", "quantity": 2, "held": 1, "location": None}]
    assert available(program, "CAP") == 1


def test_the_same_request_holds_once(world, program):
    first = program.post("reservations", cart(world), key="k")
    again = program.post("reservations", cart(world), key="k")
    assert (again.status_code, again.content, again["Location"]) == (201, first.content, first["Location"])
    assert again["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first
    assert available(program, "MUG") == 98
    other = program.post("reservations", cart(world, ("MUG", 3)), key="k")
    assert (other.status_code, kind(other)) == (422, "idempotency-key-reused")
    assert count(world) == 1


def test_it_needs_a_key_and_its_scope(world, program):
    assert kind(program.post("reservations", cart(world), key="")) == "idempotency-key-missing"
    held = program.post("reservations", cart(world))["Location"]
    other = Program(world.company, "stock", "sales")
    for response in (
        other.post("reservations", cart(world)), other.get(held), other.post(f"{held}/extend", {}), delete(other, held)
    ):  # fmt: skip
        assert (response.status_code, kind(response)) == (403, "missing-scope")


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"channel": "nobody"}, "UNKNOWN_CHANNEL", "channel"), ({"channel": None}, "BAD_FIELD", "channel"),
        ({"reference": ""}, "BAD_FIELD", "reference"), ({"reference": "x" * 256}, "BAD_FIELD", "reference"),
        ({"expires_in": 9}, "BAD_FIELD", "expires_in"), ({"expires_in": 86_401}, "BAD_FIELD", "expires_in"),
        ({"expires_in": "60"}, "BAD_FIELD", "expires_in"), ({"partial": 1}, "BAD_FIELD", "partial"),
        ({"surprise": 1}, "UNKNOWN_FIELD", "surprise"), ({"lines": []}, "BAD_FIELD", "lines"),
        ({"lines": [{"sku": "MUG", "quantity": 1}] * 201}, "BAD_FIELD", "lines"),
        ({"lines": [{"sku": "MUG"}]}, "MISSING_FIELD", "lines[0].quantity"),
        ({"lines": [{"sku": "", "quantity": 1}]}, "BAD_FIELD", "lines[0].sku"),
        ({"lines": [{"sku": "mug", "quantity": 1}]}, "UNKNOWN_SKU", "lines[0].sku"),
        ({"lines": [{"sku": "MUG", "quantity": 1, "location": ""}]}, "BAD_FIELD", "lines[0].location"),
        *(
            ({"lines": [{"sku": "MUG", "quantity": 1}, {"sku": "MUG", "quantity": wrong}]}, "BAD_QUANTITY", "lines[1].quantity")
            for wrong in (0, -1, 1.5, 10**9, "0", "-1", "1e3", "0.00001", ".5", "", " 1", "٣", "NaN", True, None, [], {})
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_code_and_place(world, program, change, code, path):
    response = program.post("reservations", cart(world) | change)
    assert response.status_code == 422, response.content
    assert (code, path) in [(error["code"], error["path"]) for error in response.json()["errors"]]
    assert codes(response) and count(world) == 0


def test_two_hundred_lines_are_one_cart(world, program):
    response = program.post("reservations", cart(world, *[("MUG", "0.5")] * 200))
    assert response.status_code == 201 and available(program, "MUG") == 0


def test_it_lasts_longer(world, program):
    made = program.post("reservations", cart(world, expires_in=60))
    first = made.json()["expires_at"]
    extended = program.post(f"{made['Location']}/extend", {"expires_in": 600}, key="").json()
    assert extended["expires_at"] > first
    assert program.post(f"{made['Location']}/extend", {"expires_in": 10}).json() == extended
    response = program.post(f"{made['Location']}/extend", {"expires_in": 5})
    assert (response.status_code, codes(response)) == (422, ["BAD_FIELD"])


def test_it_is_given_up_once(world, program):
    where = program.post("reservations", cart(world))["Location"]
    for _ in range(2):
        response = delete(program, where)
        assert (response.status_code, response.json()["state"]) == (200, "released")
        assert available(program, "MUG") == 100
    response = program.post(f"{where}/extend", {})
    assert (response.status_code, kind(response)) == (409, "reservation-over")
    assert "released" in response.json()["detail"]


def test_its_sale_takes_it_and_its_etag_tells(world, program):
    made = program.post("reservations", cart(world))
    seen = program.get(made["Location"])
    assert program.get(made["Location"], **{"If-None-Match": seen["ETag"]}).status_code == 304
    world.send(sale([line(units=2)], reservation=made.json()["id"]))
    after = program.get(made["Location"], **{"If-None-Match": seen["ETag"]})
    assert (after.status_code, after.json()["state"]) == (200, "committed")
    assert delete(program, made["Location"]).json()["state"] == "committed"
    assert available(program, "MUG") == 98


def test_another_companys_is_not_there(world, program):
    stranger = Program(World().company)
    where = program.post("reservations", cart(world))["Location"]
    for path in (where, f"/api/v1/reservations/{uuid.uuid4()}"):
        for response in (stranger.get(path), stranger.post(f"{path}/extend", {}), delete(stranger, path)):
            assert (response.status_code, kind(response)) == (404, "not-found")
    assert codes(stranger.post("reservations", cart(world))) == ["UNKNOWN_CHANNEL"]
    assert available(program, "MUG") == 98


@pytest.mark.parametrize("path", ["reservations/1", "reservations/x/extend", "reservations/"])
def test_what_is_not_an_address(program, path):
    assert program.get(path).status_code in (404, 405)


def test_eight_at_once_with_one_key_hold_once(committed_db, monkeypatch):
    monkeypatch.setattr(nudge, "nudge", lambda task: False)
    world = World()
    program, barrier = Program(world.company), threading.Barrier(8)

    def send():
        twin = program.twin()
        barrier.wait()
        return twin.post("reservations", cart(world), key="k")

    answers = at_once(8, send)
    done = [answer for answer in answers if answer.status_code == 201]
    assert done and len({answer.content for answer in done}) == 1
    assert {kind(answer) for answer in answers if answer not in done} <= {"idempotency-key-in-use"}
    assert world.stock()["MUG"] == (100, 2) and Reservation.objects.count() == 1
    assert reservations.violations() == []
