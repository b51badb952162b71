"""What the API promises, held against what it does: schemathesis sends whatever the schema allows, and much that it does not."""

import re
from io import StringIO

import pytest
import schemathesis
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, assume, settings
from schemathesis.config import SchemathesisConfig

from salessync.api import urls
from tests.records import back, line, refund, sale

# A schema cannot say what a sale must add up to: 422 is "understood and refused", and no failure to accept.
CONFIGURATION = {
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422"]}},
    "generation": {"allow-x00": False},
}


def promised(*, every_edge):
    """The schema; `every_edge`: a request for each edge of each parameter and field, beside those at random."""
    configuration = SchemathesisConfig.from_dict(CONFIGURATION)
    configuration.projects.default.phases.coverage.enabled = every_edge
    found = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True), config=configuration)
    found.app, found.location = get_wsgi_application(), "/api/schema/"
    return found


def requests(count):
    """So many at random for each operation."""
    return settings(
        max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None,
        phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip


@pytest.fixture
def kept():
    """The test's connection outlives a request, though the server would look after it."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture(scope="module")
def sold(scene, django_db_blocker):
    """Something of everything that can be asked for."""
    with django_db_blocker.unblock():
        scene.send(
            sale([line(units=2)], id_="S1"), sale([line(units=2)], id_="S1", version="2"), sale([line()], id_="S2")
        )
        scene.send(refund([back(line(units=2), units=1, net=1000, tax=20)], of="S1"))


@pytest.fixture
def shop(sold, program, kept):
    return program


def ask(case, program):
    """Every check of schemathesis; a cursor is no matter of form either: only one that was given before is taken."""
    if case.meta.generation.mode.is_positive:
        case.query.pop("cursor", None)
    else:  # a parameter that is made wrong by a value which is not sent at all
        assume(not any(value is None or value in ([], {}) for value in (case.query or {}).values()))
    case.call_and_validate(headers={"Authorization": f"Bearer {program.token}"})


whole, short = promised(every_edge=True), promised(every_edge=False)


@whole.include(method="GET").parametrize()
@requests(3)
def test_what_is_read_is_as_promised(case, shop):
    ask(case, shop)


@short.include(method="POST").parametrize()
@requests(15)
def test_what_is_sent_is_taken_as_promised(case, shop):
    ask(case, shop)


@pytest.mark.slow
@whole.parametrize()
@requests(300)
def test_the_api_keeps_its_promise(case, shop):
    ask(case, shop)


@short.parametrize()
@requests(2)
def test_nothing_is_told_and_nothing_taken_without_a_token(case, shop):
    for headers in ({}, {"Authorization": "Bearer sk_live_000000000000_" + "x" * 43}, {"Cookie": "sessionid=x"}):
        response = case.call(headers=headers)
        assert response.status_code in (401, 404)
        assert response.headers["content-type"] == ["application/problem+json"]
        case.validate_response(response)


def test_the_schema_is_valid_and_says_everything():
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_every_address_is_promised_once(client, db):
    schema = client.get("/api/schema/").json()
    assert set(schema["paths"]) == {
        "/api/v1/" + re.sub("<[a-z]+:([a-z]+)>", r"{\1}", address) for address in urls.RESOURCES
    }
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert all(list(operation["security"][0]) == ["bearer"] for operation in operations)
    assert {scope for o in operations for scope in o["security"][0]["bearer"]} == {
        "sales", "stock", "reservations", "books", "bookkeeper", "metrics"
    }  # fmt: skip
    assert all(operation["description"] for operation in operations)


def test_what_is_accepted_is_what_the_canonical_schema_says(client, db):
    """But for what the channel knows."""
    schemas = client.get("/api/schema/").json()["components"]["schemas"]
    for name in ("Sale", "Refund", "CashSession", "Source"):
        whole, sent = schemas[name], schemas[f"{name}Sent"]
        left_out = set(whole["required"]) - set(sent["required"])
        assert left_out == ({"channel", "adapter"} if name == "Source" else {"timezone", "business_date"})
        assert sent["properties"].keys() == whole["properties"].keys()


def test_the_documentation_loads_nothing_from_elsewhere(client, db):
    page = client.get("/api/docs/")
    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith("/static/"), address
        assert finders.find(address.removeprefix("/static/")), address
    assert client.get("/api/docs").status_code == client.get("/api/schema").status_code == 200


@pytest.mark.parametrize("address", ["/api/schema/", "/api/docs/"])
def test_the_schema_can_only_be_read(client, db, address):
    response = client.post(address)
    assert response.status_code == 405
    assert response["Content-Type"] == "application/problem+json"
