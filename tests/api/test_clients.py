"""Clients of the API and their tokens: what is kept, which count, and how they end."""

import hashlib
import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from salessync.api import clients
from salessync.core.models import ApiClient, ApiSecret, AuditRow
from tests.api.program import Program, kind


def actions(client):
    rows = AuditRow.objects.filter(object_type="api_client", object_id=client.pk).order_by("id")
    return list(rows.values_list("action", flat=True))


def use(program):
    """The status of a request."""
    return program.get("accounts").status_code


def test_nothing_that_is_kept_is_the_token(program):
    kept = program.client.secrets.get()
    assert program.token.startswith(f"sk_live_{kept.prefix}_")
    assert bytes(kept.digest) == hashlib.sha256(program.token.encode()).digest()
    assert len(program.token.split("_", 3)[3]) == 43  # 32 bytes
    told = AuditRow.objects.filter(object_type="api_client").values_list("data", flat=True)
    assert program.token.split("_", 3)[3] not in json.dumps(list(told))


def test_two_tokens_are_live_and_the_third_ends_the_first(program):
    first, second = program.token, clients.rotate(client=program.client, actor="test")
    for token in (first, second):
        program.token = token
        assert use(program) == 200
    third = clients.rotate(client=program.client, actor="test")
    for token, status in ((first, 401), (second, 200), (third, 200)):
        program.token = token
        assert use(program) == status
    assert clients.end_older(client=program.client, actor="test") == 1
    program.token = second
    assert use(program) == 401
    program.token = third
    assert use(program) == 200
    assert actions(program.client) == ["created", "rotated", "rotated", "ended_older"]


def test_the_database_allows_no_third_secret(program):
    clients.rotate(client=program.client, actor="test")
    for slot in (1, 3):
        with pytest.raises(IntegrityError), transaction.atomic():
            ApiSecret.objects.create(client=program.client, slot=slot, prefix="x", digest=bytes(32))


@pytest.mark.parametrize("scopes", [[], ["everything"], ["sales", "root"]])
def test_the_database_knows_the_scopes(world, scopes):
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiClient.objects.create(company=world.company, name="x", scopes=scopes)
    with pytest.raises(clients.UnableToIssue):
        clients.create(company=world.company, name="x", scopes=scopes, actor="test")


def test_a_revoked_client_is_out_at_once_and_for_good(program):
    assert clients.revoke(client=program.client, actor="test")
    assert not clients.revoke(client=program.client, actor="test")
    response = program.get("accounts")
    assert response.status_code == 401
    assert "revoked" in response.json()["detail"]
    with pytest.raises(clients.UnableToIssue, match="revoked"):
        clients.rotate(client=program.client, actor="test")
    assert actions(program.client) == ["created", "revoked"]


def test_an_expired_client_is_out(program):
    ApiClient.objects.filter(pk=program.client.pk).update(expires_at=timezone.now() + timedelta(minutes=1))
    assert use(program) == 200
    ApiClient.objects.filter(pk=program.client.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    response = program.get("accounts")
    assert response.status_code == 401
    assert "expired" in response.json()["detail"]


def test_a_use_is_noted_once_an_hour(program, django_assert_num_queries):
    secret = program.client.secrets.get()
    assert secret.last_used_at is None
    use(program)
    secret.refresh_from_db()
    noted = secret.last_used_at
    assert noted is not None
    with django_assert_num_queries(3):  # the secret, the count of requests, the accounts
        use(program)
    secret.refresh_from_db()
    assert secret.last_used_at == noted
    ApiSecret.objects.update(last_used_at=noted - timedelta(minutes=61))
    use(program)
    secret.refresh_from_db()
    assert secret.last_used_at > noted


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token x", "Bearer x", "Bearer sk_live_abc_def",
        "Bearer sk_live_000000000000_" + "A" * 43, "Bearer sk_live_" + "é" * 12 + "_" + "A" * 43, "Bearer " + "x" * 8000,
        "{token}", "Bearer {token}x", "Bearer {token},Bearer {token}", "Bearer {token} {token}",
    ],
)  # fmt: skip
def test_what_is_no_token_is_refused(program, header):
    headers = {} if header is None else {"Authorization": header.format(token=program.token)}
    response = program.http.get("/api/v1/accounts", headers=headers)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith('Bearer realm="salessync"')
    assert kind(response) in ("not-authenticated", "authentication-failed")


def test_the_scheme_may_be_written_in_any_case(program):
    response = program.http.get("/api/v1/accounts", headers={"Authorization": f"bEaReR {program.token}"})
    assert response.status_code == 200


def test_a_token_in_the_address_or_a_session_opens_nothing(program, admin_client):
    assert program.http.get("/api/v1/accounts", {"token": program.token}).status_code == 401
    assert admin_client.get("/api/v1/accounts").status_code == 401


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("accounts", "books"), ("transactions", "books"), ("transactions/1", "books"), ("payouts", "books"),
        ("revenue", "books"), ("journal-entries", "bookkeeper"), ("journal-entries/a:1", "bookkeeper"), ("stock", "stock"),
        ("metrics", "metrics"), ("sales/1", "sales"), ("refunds/1", "sales"), ("cash-sessions/1", "sales"),
    ],
)  # fmt: skip
def test_a_missing_scope_is_named(world, path, scope):
    others = {"sales", "books", "bookkeeper", "stock", "metrics", "reservations", "discrepancies"} - {scope}
    response = Program(world.company, *others).get(path)
    assert (response.status_code, kind(response)) == (403, "missing-scope")
    assert scope in response.json()["detail"]
    assert f'scope="{scope}"' in response["WWW-Authenticate"]
    assert Program(world.company, scope).get(path).status_code in (200, 400, 404)


@pytest.mark.parametrize(("path", "scope"), [("sales", "sales"), ("acknowledgements", "bookkeeper")])
def test_a_scope_is_needed_to_write_too(world, path, scope):
    assert Program(world.company, "books").post(path, {}).status_code == 403
    assert Program(world.company, scope).post(path, {}).status_code == 422


# --- the command


def run(*arguments, **options):
    out = StringIO()
    call_command("create_api_client", *arguments, stdout=out, **options)
    return out.getvalue()


def test_the_command_prints_a_token_that_works_once(world, program):
    told = json.loads(run("bookkeeper", "--scopes", "books, bookkeeper", "--company", world.company.slug, "--json"))
    assert told["scopes"] == ["books", "bookkeeper"] and told["expires_at"] is None
    program.token = told["token"]
    assert use(program) == 200
    with pytest.raises(CommandError, match="already") as error:
        run("bookkeeper", "--scopes", "books", "--company", world.company.slug)
    assert error.value.returncode == 2


def test_the_command_rotates_and_may_change_scopes_and_end(world, program):
    told = run(
        program.client.name, "--rotate", "--company", world.company.slug, "--expires-in", "30", "--scopes", "books"
    )
    first, program.token = program.token, told.rsplit(" ", 1)[1].strip()
    assert use(program) == 200
    program.token = first
    assert use(program) == 200
    client = ApiClient.objects.get(pk=program.client.pk)
    assert client.scopes == ["books"]
    assert timedelta(days=29) < client.expires_at - timezone.now() <= timedelta(days=30)


@pytest.mark.parametrize(
    "arguments",
    [
        ("x",), ("x", "--scopes", ""), ("x", "--scopes", "everything"), ("", "--scopes", "books"), ("nobody", "--rotate"),
        ("x" * 61, "--scopes", "books"), ("x\x00", "--scopes", "books"), ("x", "--scopes", "books", "--expires-in", "0"),
        ("x", "--scopes", "books", "--company", "nobody"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_sentence_and_exit_2(world, arguments):
    with pytest.raises(CommandError) as error:
        run(*arguments)
    assert error.value.returncode == 2
    assert "\n" not in str(error.value)


# --- the admin


def test_a_person_makes_rotates_and_revokes_a_client_and_sees_each_token_once(world, program, admin_client):
    form = {
        "company": world.company.pk, "name": "till app", "scopes": ["sales", "stock"], "requests_per_minute": "60",
        "expires_at_0": "", "expires_at_1": "",
    }  # fmt: skip
    page = admin_client.post(reverse("admin:core_apiclient_add"), form)
    assert page.status_code == 200 and "no-store" in page["Cache-Control"]
    client = ApiClient.objects.get(name="till app")
    program.token = page.context["token"]
    assert program.token in page.content.decode()
    assert program.get("stock").status_code == 200

    change = reverse("admin:core_apiclient_change", args=[client.pk])
    page = admin_client.get(change).content.decode()
    assert client.secrets.get().prefix in page and program.token not in page
    rotated = admin_client.post(reverse("admin:core_apiclient_rotate", args=[client.pk])).context["token"]
    assert client.secrets.count() == 2
    admin_client.post(reverse("admin:core_apiclient_end_older", args=[client.pk]))
    assert program.get("stock").status_code == 401
    program.token = rotated
    assert program.get("stock").status_code == 200
    admin_client.post(reverse("admin:core_apiclient_revoke", args=[client.pk]))
    assert program.get("stock").status_code == 401
    assert "revoked" in admin_client.get(change).content.decode()
    assert set(actions(client)) == {"created", "rotated", "ended_older", "revoked"}


def test_a_hostile_name_is_shown_as_text(world, admin_client):
    client, _ = clients.create(
        company=world.company, name='<script>alert("x")</script>', scopes=["books"], actor="test"
    )
    pages = [
        admin_client.get(reverse("admin:core_apiclient_changelist")),
        admin_client.get(reverse("admin:core_apiclient_change", args=[client.pk])),
        admin_client.post(reverse("admin:core_apiclient_rotate", args=[client.pk])),
    ]
    for page in pages:
        assert page.status_code == 200
        assert "&lt;script&gt;alert(" in page.content.decode() and "<script>alert(" not in page.content.decode()


@pytest.mark.parametrize("name", ["rotate", "end_older", "revoke"])
def test_who_may_not_change_clients_cannot_touch_their_tokens(world, program, client, name):
    client.force_login(User.objects.create_user("reader", is_staff=True))
    address = reverse(f"admin:core_apiclient_{name}", args=[program.client.pk])
    assert client.post(address).status_code == 403
    assert use(program) == 200
    assert program.client.secrets.count() == 1
