"""Whatever is asked: a problem that says what is wrong and where, never a 500."""

import io

import pytest
from django.db import DatabaseError, OperationalError
from psycopg.errors import QueryCanceled

from ledger.models import Account
from salessync.core.models import ApiPace
from tests.api.program import Program, codes, kind
from tests.records import line, sale


@pytest.mark.parametrize(
    ("path", "code", "place"),
    [
        ("accounts?page_size=0", "BAD_PARAMETER", "page_size"), ("accounts?page_size=-1", "BAD_PARAMETER", "page_size"),
        ("accounts?page_size=501", "BAD_PARAMETER", "page_size"), ("accounts?page_size=1000000000", "BAD_PARAMETER", "page_size"),
        ("accounts?page_size=x", "BAD_PARAMETER", "page_size"), ("accounts?page_size=", "BAD_PARAMETER", "page_size"),
        ("accounts?page_size=٥", "BAD_PARAMETER", "page_size"), ("accounts?page_size=null", "BAD_PARAMETER", "page_size"),
        ("accounts?page_size=5&page_size=6", "REPEATED_PARAMETER", "page_size"),
        ("accounts?cursor=x", "BAD_CURSOR", "cursor"), ("accounts?cursor=cD0xJTAw", "BAD_CURSOR", "cursor"),
        ("accounts?cursor=", "BAD_CURSOR", "cursor"), ("accounts?cursor=%00", "NUL_CHARACTER", "cursor"),
        ("accounts?cursor=%F0%9F%98%80:%C3%A9", "BAD_CURSOR", "cursor"), ("accounts?cursor=null", "BAD_CURSOR", "cursor"),
        (f"accounts?cursor={'x' * 501}", "BAD_PARAMETER", "cursor"),
        ("accounts?ordering=password", "UNKNOWN_PARAMETER", "ordering"), ("accounts?after=1", "UNKNOWN_PARAMETER", "after"),
        ("accounts?a%00b=1", "UNKNOWN_PARAMETER", "a\\x00b"), ("metrics?x=1", "UNKNOWN_PARAMETER", "x"),
        ("transactions/1?x=1", "UNKNOWN_PARAMETER", "x"), ("accounts?format=api", "UNKNOWN_PARAMETER", "format"),
        ("stock?sku=%00", "NUL_CHARACTER", "sku"), ("stock?sku=", "BAD_PARAMETER", "sku"),
        (f"stock?sku={'x' * 256}", "BAD_PARAMETER", "sku"), ("stock?created__gte=foo", "UNKNOWN_PARAMETER", "created__gte"),
        ("journal-entries?after=-1", "BAD_PARAMETER", "after"), ("journal-entries?after=1e400", "BAD_PARAMETER", "after"),
        (f"journal-entries?after={10**30}", "BAD_PARAMETER", "after"), ("journal-entries?after=1.5", "BAD_PARAMETER", "after"),
        ("journal-entries?limit=501", "BAD_PARAMETER", "limit"), ("transactions?from=2026-02-30", "BAD_PARAMETER", "from"),
        ("transactions?from=yesterday", "BAD_PARAMETER", "from"), ("transactions?to=2026-9-1", "BAD_PARAMETER", "to"),
        ("transactions?to=null", "BAD_PARAMETER", "to"), ("transactions?type=robbery", "BAD_PARAMETER", "type"),
        ("transactions?channel=../x", "BAD_PARAMETER", "channel"), ("transactions?status=PAID'--", "BAD_PARAMETER", "status"),
        ("transactions?id=1", "UNKNOWN_PARAMETER", "id"), ("revenue", "MISSING_PARAMETER", "from"),
        ("revenue?from=2026-09-01", "MISSING_PARAMETER", "to"),
        ("revenue?from=2026-09-01&to=2026-09-02&by=customer", "BAD_PARAMETER", "by"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(program, path, code, place):
    response = program.get(path)
    assert response.status_code == 400
    assert codes(response) == [code]
    assert response.json()["errors"][0]["path"] == place


def test_every_wrong_name_is_told_at_once(program):
    response = program.get("accounts?a=1&b=2&page_size=3&page_size=4")
    assert codes(response) == ["UNKNOWN_PARAMETER", "UNKNOWN_PARAMETER", "REPEATED_PARAMETER"]
    assert "page_size, cursor" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("path", "code"),
    [("transactions?channel=nobody", "UNKNOWN_CHANNEL"), ("revenue?from=2026-09-02&to=2026-09-01", "BAD_DAYS")],
)
def test_what_is_understood_and_makes_no_sense_is_a_422(program, path, code):
    response = program.get(path)
    assert (response.status_code, codes(response)) == (422, [code])


@pytest.mark.parametrize(
    "path",
    [
        "", "nothing", "accounts/1", "transactions/0", "transactions/999999999999999999", f"transactions/{10**30}",
        "transactions/-1", "transactions/1%2F..", "transactions/١", "transactions/%00", "sales/1", "sales/x", "refunds/7",
        "cash-sessions/7", "journal-entries/1", "journal-entries/nobody:1", "journal-entries/a:b", "journal-entries/:1",
        "journal-entries/%00:1", "/api/", "/api/v2/accounts", "/api/v1", "/api/v1//accounts", "discrepancies/1",
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_problem_too(program, path):
    response = program.get(path)
    assert (response.status_code, kind(response)) == (404, "not-found")
    assert (
        program.http.get(response.request["PATH_INFO"]).status_code == 401
    )  # and nobody learns even that without a token


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_a_method_that_is_not_there(program, method):
    response = getattr(program.http, method)("/api/v1/accounts", headers=program.headers())
    assert (response.status_code, kind(response)) == (405, "method-not-allowed")
    assert response["Allow"] == "GET, HEAD"


def test_no_header_makes_another_method_of_it(program):
    response = program.get("accounts", **{"X-HTTP-Method-Override": "DELETE"})
    assert response.status_code == 200


def test_head_is_get_without_a_body(program):
    response = program.http.head("/api/v1/accounts", headers=program.headers())
    assert response.status_code == 200


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_slash_at_the_end_is_the_same(program, slash):
    assert program.get(f"accounts{slash}").status_code == 200
    assert program.post(f"sales{slash}", {}).status_code == 422


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=x", "*/*;q=0", "\x7f"])
def test_there_is_one_form_whatever_is_asked_for(program, accept):
    response = program.get("accounts", Accept=accept)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


# --- bodies

BAD_BODIES = {
    b" ": "EMPTY_BODY", b"\xff\xfe": "NOT_UTF8", b"{": "NOT_JSON", b"{}{}": "NOT_JSON", b"{'a': 1}": "NOT_JSON",
    b'{"a": 1,}': "NOT_JSON", b'{"a": NaN}': "NOT_A_NUMBER", b'{"a": 1, "a": 2}': "DUPLICATE_KEY", b'{"a": "\\u0000"}': "NUL_CHARACTER",
    b'{"\\u0000": 1}': "NUL_CHARACTER", b'{"a": "\\ud800"}': "BAD_UNICODE", b"[" * 100_000: "TOO_DEEP",
    b'{"a":' * 200 + b"1" + b"}" * 200: "TOO_DEEP", b'{"a": ' + b"9" * 5000 + b"}": "NUMBER_TOO_LONG",
    b'{"a": 1e9999999999999999999}': "NUMBER_TOO_LONG", '{"a": 1}'.encode("utf-16"): "NOT_UTF8",
}  # fmt: skip


@pytest.mark.parametrize("path", ["sales", "acknowledgements"])
@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: BAD_BODIES[body])
def test_a_body_that_is_no_json_for_every_reader(program, path, body):
    response = program.post(path, body)
    assert response.status_code == 400
    assert codes(response) == [BAD_BODIES[body]]


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"123", b"true", b"{}"])
@pytest.mark.parametrize("path", ["sales", "acknowledgements"])
def test_json_that_is_something_else(program, path, body):
    response = program.post(path, body)
    assert response.status_code == 422
    assert codes(response)


@pytest.mark.parametrize(
    "kind_", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonx", ""]
)
def test_another_content_type(program, kind_):
    response = program.post("sales", b"{}", kind=kind_)
    assert (response.status_code, kind(response)) == (415, "unsupported-media-type")


def test_a_charset_beside_the_content_type_is_fine(program):
    assert program.post("sales", b"{}", kind="application/JSON; charset=utf-8").status_code == 422


def test_a_body_that_is_too_large_compressed_short_or_of_unknown_length(program, settings):
    assert program.post("sales", b"{}", **{"Content-Encoding": "gzip"}).status_code == 415
    assert program.post("sales", b"{}", **{"Transfer-Encoding": "chunked"}).status_code == 411
    for length, status in (("", 411), ("x", 411), ("-1", 411), ("9" * 30, 413), ("10", 400)):
        response = program.http.generic(
            "POST", "/api/v1/sales", b"{}", "application/json", headers=program.headers({"Idempotency-Key": "k"}),
            CONTENT_LENGTH=length, **{"wsgi.input": io.BytesIO(b"{}")},
        )  # fmt: skip
        assert response.status_code == status, length
        codes(response)
    settings.MAX_WEBHOOK_BYTES = 10
    assert program.post("sales", b'{"a": "bcdefghij"}').status_code == 413


# --- request ids, conditions, pace


@pytest.mark.parametrize("given", ["abc-123", "A" * 128])
def test_a_request_id_comes_back(program, given):
    assert program.get("accounts", **{"X-Request-ID": given})["X-Request-ID"] == given
    response = program.get("nothing", **{"X-Request-ID": given})
    assert response["X-Request-ID"] == response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "é", "A" * 129, "<script>", "a\tb"])
def test_a_strange_request_id_is_replaced(program, given):
    assert program.get("accounts", **{"X-Request-ID": given})["X-Request-ID"] not in ("", given)


def test_an_etag_spares_the_answer_until_something_changes(world, program):
    world.send(sale([line()], id_="S1"))
    entry = program.get("journal-entries").json()["results"][0]["id"]
    row = program.get("transactions").json()["results"][0]["id"]
    for path in (f"journal-entries/{entry}", f"transactions/{row}"):
        etag = program.get(path)["ETag"]
        again = program.get(path, **{"If-None-Match": f'"other", {etag}'})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        assert program.get(path, **{"If-None-Match": '"other"'}).status_code == 200
        assert program.get(path, **{"If-Match": etag}).status_code == 200
        assert kind(program.get(path, **{"If-Match": '"other"'})) == "precondition-failed"
    world.send(sale([line(units=2)], id_="S1", version="2"))
    assert program.get(f"transactions/{row}", **{"If-None-Match": etag}).status_code == 200
    assert kind(program.get(f"transactions/{row}", **{"If-Match": etag})) == "precondition-failed"


def test_a_condition_that_a_post_cannot_meet_is_not_passed_over(program):
    assert program.post("sales", {}, **{"If-Match": '"x"'}).status_code == 412


def test_so_many_requests_a_minute(world, monkeypatch):
    program, other = Program(world.company, pace=3), Program(world.company, pace=3)
    left = [program.get("accounts")["RateLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    response = program.get("accounts")
    assert (response.status_code, kind(response)) == (429, "throttled")
    assert response["RateLimit-Limit"] == "3"
    assert 0 < int(response["Retry-After"]) <= 60
    assert int(response["RateLimit-Reset"]) <= int(response["Retry-After"])
    assert (
        program.http.get("/api/v1/accounts", headers=program.headers({"X-Forwarded-For": "1.2.3.4"})).status_code == 429
    )
    assert other.get("accounts").status_code == 200
    ApiPace.objects.filter(client=program.client).update(minute=1)  # the minute is over
    assert program.get("accounts").status_code == 200


def test_a_request_without_a_token_costs_no_client_anything(world):
    program = Program(world.company, pace=1)
    for _ in range(3):
        assert program.http.get("/api/v1/accounts").status_code == 401
    assert program.get("accounts").status_code == 200


# --- what goes wrong here


@pytest.mark.parametrize(
    ("error", "status", "what"),
    [
        (OperationalError("gone"), 503, "unavailable"), (DatabaseError("odd"), 500, "internal-error"),
        (RecursionError(), 400, "bad-request"), (ZeroDivisionError("secret-detail"), 500, "internal-error"),
    ],
)  # fmt: skip
def test_a_fault_is_a_problem_that_tells_nothing_but_the_request(program, monkeypatch, caplog, error, status, what):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(Account.objects, "filter", fail)
    program.http.raise_request_exception = False
    response = program.get("accounts")
    assert (response.status_code, kind(response)) == (status, what)
    assert "secret-detail" not in response.content.decode()
    if status == 500:
        assert response["X-Request-ID"] in caplog.text
    if what == "unavailable":
        assert response["Retry-After"] == "5"


def test_what_takes_too_long_says_how_to_ask_for_less(program, monkeypatch):
    def fail(*arguments, **options):
        raise OperationalError("canceled") from QueryCanceled("canceling statement due to statement timeout")

    monkeypatch.setattr(Account.objects, "filter", fail)
    response = program.get("accounts")
    assert (response.status_code, kind(response)) == (503, "too-slow")


def test_neither_broker_nor_cache_is_needed_to_count(program, settings):
    settings.CACHES = {"default": {"BACKEND": "nowhere.Cache"}}
    settings.REDIS_URL = "redis://127.0.0.1:1"
    assert program.get("accounts")["RateLimit-Remaining"] == "99999"
