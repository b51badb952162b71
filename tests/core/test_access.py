"""What each role may do in the database. The refusals are the database's own, whatever the program says."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from psycopg.errors import InsufficientPrivilege

from channels import inbox
from channels.models import Event
from salessync import setup, verify
from salessync.core import access, addresses, auditors
from salessync.core.access import Grant, Relation
from salessync.core.models import AuditRow
from tests import databases
from tests.channels.test_privacy import order, redact
from tests.records import back, line, refund, sale
from tests.worlds import World

ROOT = Path(__file__).resolve().parents[2]
APP = addresses.APP_ROLE
EVERYTHING = ["SELECT", "INSERT", "UPDATE", "DELETE"]


def execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def refused(statement, role=APP):
    """The database says that the role may not, before any trigger is asked."""
    with databases.as_role(role), pytest.raises(ProgrammingError) as error:
        execute(statement)
    return isinstance(error.value.__cause__, InsufficientPrivilege)


@contextmanager
def auditor():
    """What the auditors' role may; it is no login itself."""
    with transaction.atomic():
        execute(f"SET LOCAL ROLE {access.AUDITOR_ROLE}")
        yield


def refused_to_auditor(statement):
    with pytest.raises(ProgrammingError) as error, auditor():
        execute(statement)
    return isinstance(error.value.__cause__, InsufficientPrivilege)


@pytest.fixture
def books(committed_db):
    """A database with a posted sale in it, as `migrate` leaves it."""
    access.apply()
    world = World()
    world.send(sale([line()]))
    return world


# --- the application


def test_the_application_does_all_its_work(committed_db):
    access.apply()
    setup.bootstrap()
    with databases.as_role(APP):
        world = World()
        world.send(sale([line(units=2)], id_="S1"), refund([back(line(units=2), units=1, net=1000, tax=40)], of="S1"))
        world.send(json.dumps(order(7)).encode(), channel=world.shop, topic="orders/create", delivery_id="a")
        world.shop.credentials = {"secrets": ["hush"], "shop": "northwind"}
        world.shop.save()
        world.send(
            json.dumps(redact(orders=[7])).encode(), channel=world.shop, topic="customers/redact", delivery_id="b"
        )
        assert inbox.replay(event_ids=Event.objects.values_list("pk", flat=True), actor="test") == 4
        world.process()
        assert world.states() == {"posted": 4}
        call_command("purge_payloads", "--older-than", "1")
        assert [law.law for law in verify.verify_books() if law.violations] == []
        assert execute("SELECT current_user") == [(APP,)]


def growing():
    """Tables whose trigger refuses DELETE."""
    return [one for one in access.relations() if one.refuses_delete]


def test_what_only_grows_is_neither_changed_nor_emptied(books):
    tables = {one.name: one for one in growing()}
    assert {
        "core_auditrow", "ledger_journalentry", "ledger_posting", "ledger_detail", "ledger_detailposting", "ledger_periodchange",
        "inventory_movement", "channels_transactionversion",
    } <= tables.keys()  # fmt: skip
    for one in tables.values():
        changing = access.CHANGES.get(one.name, ())
        for column in set(one.columns) - set(one.columns if "" in changing else changing):
            assert refused(f'UPDATE {one.name} SET "{column}" = "{column}"'), column
        assert refused(f"DELETE FROM {one.name}") and refused(f"TRUNCATE {one.name} CASCADE"), one.name


TAMPERING = [
    "DELETE FROM channels_event",
    "TRUNCATE channels_event",
    "UPDATE channels_event SET body_sha256 = sha256('')",
    "UPDATE channels_event SET received_at = now()",
    "INSERT INTO django_migrations (app, name, applied) VALUES ('ledger', '9999', now())",
    "DROP TABLE ledger_posting",
    "ALTER TABLE ledger_posting DISABLE TRIGGER ALL",
    "ALTER TABLE ledger_posting ADD COLUMN note text",
    "ALTER TABLE ledger_posting OWNER TO salessync_app",
    "DROP TRIGGER ledger_posting_append_only ON ledger_posting",
    "CREATE TRIGGER mine BEFORE INSERT ON ledger_posting EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE mine AS ON INSERT TO ledger_posting DO INSTEAD NOTHING",
    "CREATE OR REPLACE FUNCTION salessync_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TABLE mine (n int)",
    "CREATE TEMPORARY TABLE ledger_posting (entry_id bigint)",
    "CREATE SCHEMA mine",
    "CREATE INDEX mine ON ledger_posting (amount)",
    "CREATE ROLE mine",
    "GRANT postgres TO salessync_app",
    "SET session_replication_role = replica",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "ALTER ROLE salessync_app SUPERUSER",
    "ALTER SYSTEM SET fsync = off",
    "DO $$ BEGIN LOCK TABLE ledger_posting IN ACCESS EXCLUSIVE MODE; END $$",
    "COPY ledger_posting TO PROGRAM 'true'",
    "SELECT rolpassword FROM pg_authid",
]


def test_tampering_is_refused(books):
    assert [statement for statement in TAMPERING if not refused(statement)] == []


def test_the_owner_himself_is_stopped_by_the_triggers_alone(books):
    with pytest.raises(Exception, match="append-only"), transaction.atomic():
        execute("DELETE FROM ledger_posting")


# --- `migrate` grants


def test_a_new_table_is_granted_nothing_until_migrate_and_then_what_its_trigger_leaves(books):
    execute("CREATE TABLE growing (id bigint GENERATED BY DEFAULT AS IDENTITY, sealed_key bytea)")
    execute(
        "CREATE TRIGGER growing_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON growing"
        " FOR EACH STATEMENT EXECUTE FUNCTION salessync_refuse_change()"
    )
    execute("CREATE TABLE plain (id int)")
    execute("CREATE TABLE kept (id int)")
    execute("CREATE TRIGGER k BEFORE DELETE ON kept FOR EACH STATEMENT EXECUTE FUNCTION salessync_refuse_change()")
    execute("CREATE VIEW seen AS SELECT 1 AS n")
    assert refused("SELECT FROM growing") and refused("SELECT FROM plain")
    call_command("migrate", verbosity=0)
    mine = {(g.relation, g.privilege) for g in access.held([APP]) if g.relation in ("growing", "plain", "kept", "seen")}
    assert mine == {
        ("growing", "SELECT"), ("growing", "INSERT"), ("kept", "SELECT"), ("kept", "INSERT"), ("seen", "SELECT"),
        *(("plain", privilege) for privilege in EVERYTHING),
    }  # fmt: skip
    assert refused_to_auditor("SELECT sealed_key FROM growing")
    with databases.as_role(APP):
        execute("INSERT INTO growing DEFAULT VALUES")


def test_what_should_not_be_granted_is_taken_away_again(books):
    assert access.differences() == (set(), set())
    execute(f"GRANT UPDATE, TRUNCATE ON ledger_posting, ledger_detail TO {APP}")
    execute("GRANT SELECT (password) ON auth_user TO PUBLIC")
    execute(f"REVOKE INSERT ON ledger_posting FROM {APP}")
    missing, surplus = access.differences()
    assert missing == {Grant(APP, False, "ledger_posting", "", "INSERT")}
    assert Grant(APP, False, "ledger_posting", "", "TRUNCATE") in surplus
    assert Grant("", False, "auth_user", "password", "SELECT") in surplus
    call_command("migrate", verbosity=0)
    assert access.differences() == (set(), set())
    assert refused("UPDATE ledger_posting SET amount = 0")
    with databases.as_role(APP):  # the columns that a table's revoke took along were granted anew
        execute("UPDATE ledger_detail SET entry_id = entry_id")


def test_the_schema_is_closed_to_everybody(books):
    execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    execute(f'GRANT TEMPORARY ON DATABASE "{connection.settings_dict["NAME"]}" TO PUBLIC')
    assert access.dangers(APP) == [
        "may make tables",
        "may make temporary tables, which the triggers would take for ours",
    ]
    access.apply()
    assert access.dangers(APP) == []


def test_dangers_of_the_owner_a_member_and_nobody(books):
    assert access.dangers("postgres") == ["is a superuser"]
    assert access.dangers("no_such_role") == ["does not exist"]
    with made("tests_owner", "NOSUPERUSER CREATEROLE"):
        execute("ALTER TABLE tax_taxline OWNER TO tests_owner")
        assert access.dangers("tests_owner") == ["may make roles", "owns 1 of the tables"]
        with made("tests_member", "IN ROLE tests_owner"):
            assert access.dangers("tests_member") == ["owns 1 of the tables"]
        execute("ALTER TABLE tax_taxline OWNER TO postgres")


@contextmanager
def made(name, options):
    """A role while it lasts: roles belong to the whole server."""
    execute(f"CREATE ROLE {name} {options}")
    try:
        yield
    finally:
        execute(f"DROP OWNED BY {name}")
        execute(f"DROP ROLE {name}")


def test_migrate_is_the_owners_and_leaves_the_application_connected(books):
    with databases.as_role(APP):
        call_command("migrate", "tax", "zero", verbosity=0)
        call_command("migrate", verbosity=0)
        assert execute("SELECT current_user") == [(APP,)]
    assert access.differences() == (set(), set())


def test_migrate_without_the_owner_says_what_it_lacks(books, settings):
    execute("DROP TABLE tax_taxline")
    execute("DELETE FROM django_migrations WHERE app = 'tax'")
    settings.DATABASE_OWNER = settings.DATABASE_APPLICATION
    with databases.as_role(APP), pytest.raises(CommandError, match="DATABASE_OWNER_URL must name who owns") as error:
        call_command("migrate", verbosity=0)
    assert error.value.returncode == 2


def test_the_role_of_the_url_is_made_with_its_password(books, settings):
    settings.DATABASE_APPLICATION = {"USER": 'odd "name"', "PASSWORD": "it's secret"}
    try:
        call_command("migrate", verbosity=0)
        [(password, login)] = execute("SELECT rolpassword, rolcanlogin FROM pg_authid WHERE rolname = 'odd \"name\"'")
        assert login and password.startswith("SCRAM-SHA-256$")
        assert access.differences() == (set(), set())
        assert refused("UPDATE ledger_posting SET amount = 0", 'odd "name"')
    finally:
        execute('DROP OWNED BY "odd ""name"""')
        execute('DROP ROLE IF EXISTS "odd ""name"""')


def test_an_owner_who_may_make_no_role_says_who_can(books, settings):
    settings.DATABASE_APPLICATION = {"USER": "tests_app", "PASSWORD": ""}
    with made("tests_owner", "LOGIN"):
        execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO tests_owner")
        with databases.as_role("tests_owner"):
            settings.DATABASE_OWNER = {**settings.DATABASE_OWNER, "USER": "tests_owner"}
            with pytest.raises(CommandError, match="as a superuser, CREATE ROLE tests_app LOGIN"):
                call_command("migrate", verbosity=0)


def test_where_the_application_is_the_owner_nothing_is_granted_to_it(books, settings):
    settings.DATABASE_APPLICATION = settings.DATABASE_OWNER
    assert access.application_role() == ""
    assert {g.role for g in access.differences()[1]} == set()
    access.apply()


def test_what_may_change_in_rows_that_stay_exists(db):
    tables = {one.name: one for one in access.relations()}
    for name, columns in access.CHANGES.items():
        assert set(columns) <= {"", *tables[name].columns}, name
    kept_but_changing = {one.name for one in tables.values() if one.refuses_delete and not one.refuses_update}
    assert kept_but_changing <= access.CHANGES.keys(), (
        "a table that refuses DELETE alone says in CHANGES what may change"
    )


def test_grants_of_kinds_of_relations():
    def grants(**more):
        one = Relation(**{
            "name": "t", "kind": "r", "part": False, "columns": ("id", "password"), "refuses_update": False, "refuses_delete": False,
        } | more)  # fmt: skip
        found = access.wanted([one], application="app", auditor="aud")
        return sorted((g.role, g.privilege, g.column) for g in found)

    assert grants(kind="S") == [("app", "USAGE", "")]
    assert grants(part=True) == []  # the whole has the triggers of its own
    assert grants(kind="v", columns=("n",)) == [("app", "SELECT", ""), ("aud", "SELECT", "")]
    assert grants(name="django_migrations", columns=("n",)) == [("app", "SELECT", ""), ("aud", "SELECT", "")]
    assert ("app", "UPDATE", "") not in grants(refuses_update=True)
    assert grants(refuses_update=True, refuses_delete=True) == [
        ("app", "INSERT", ""), ("app", "SELECT", ""), ("aud", "SELECT", "id"),
    ]  # fmt: skip


# --- an auditor


def test_an_auditor_sees_everything_but_secrets(books):
    held, hidden = access.held([access.AUDITOR_ROLE]), []
    for one in access.relations():
        if one.kind == "S":
            continue
        grants = (Grant(access.AUDITOR_ROLE, False, one.name, column, "SELECT") for column in ("", *one.columns))
        granted = [grant.column for grant in grants if grant in held]
        told = one.columns if "" in granted else granted
        hidden += [f"{one.name}.{c}" for c in one.columns if c not in told]
        if told:
            with auditor():
                columns = '", "'.join(told)
                execute(f'SELECT "{columns}" FROM {one.name} LIMIT 1')
    assert [name for name in hidden if not name.startswith("django_session.")] == SECRETS
    for name in hidden:
        table, column = name.split(".")
        assert refused_to_auditor(f"SELECT {column} FROM {table}")


SECRETS = [
    "auth_user.password",
    "channels_channel.sealed_credentials",
    "core_apisecret.digest",
    "ledger_subscriber.sealed_secrets",
    "tax_taxsetting.sealed_key",
]


def test_every_model_field_that_is_a_secret_is_hidden():
    """Named so that access.SECRET finds it; whoever seals a value names its column sealed_… (see rotation.py)."""
    names = {f"{m._meta.db_table}.{f.column}" for m in apps.get_models() for f in m._meta.local_fields}
    assert {name for name in names if access.SECRET.search(name)} == set(SECRETS)


CHANGES = [
    "INSERT INTO core_auditrow (actor, action, object_type, data) VALUES ('x', 'x', 'x', '{}')",
    "UPDATE channels_event SET state = 'new'",
    "DELETE FROM auth_user",
    "TRUNCATE auth_user",
    "SELECT nextval('core_auditrow_id_seq')",
    "SELECT 1 FROM core_company FOR UPDATE",
    "CREATE TABLE mine (n int)",
    "CREATE TEMPORARY TABLE mine (n int)",
    "SELECT * FROM django_session",
]


def test_an_auditor_changes_nothing(books):
    assert [statement for statement in CHANGES if not refused_to_auditor(statement)] == []


def test_an_auditors_login(books, capsys):
    call_command("create_auditor", "jane", "--until", "2099-01-01")
    try:
        said = capsys.readouterr().out
        password = said.split("password: ")[1].strip()
        assert said.startswith("login: auditor_jane\n") and len(password) >= 24
        [row] = execute(
            "SELECT rolpassword, rolvaliduntil::date, rolsuper FROM pg_authid WHERE rolname = 'auditor_jane'"
        )
        assert row[0].startswith("SCRAM-SHA-256$") and row[1:] == (date(2099, 1, 1), False)
        assert refused("SELECT password FROM auth_user", "auditor_jane")
        with databases.as_role("auditor_jane"):
            assert execute("SELECT count(*) FROM ledger_journalentry") == [(1,)]
            assert execute("SHOW default_transaction_read_only") == [("on",)]
        with pytest.raises(CommandError, match="exists already"):
            call_command("create_auditor", "auditor_jane")
    finally:
        call_command("create_auditor", "jane", "--remove")
    assert not access.exists("auditor_jane")
    told = AuditRow.objects.filter(object_type="auditor").order_by("pk").values_list("action", "data__role")
    assert list(told) == [("created", "auditor_jane"), ("removed", "auditor_jane")]
    assert password not in json.dumps(list(AuditRow.objects.values_list("data", flat=True)))


def test_an_auditors_login_is_made_as_the_owner(books):
    with databases.as_role(APP):
        auditors.create(name="joe", until=None, actor="test")
        auditors.remove(name="joe", actor="test")
        assert execute("SELECT current_user") == [(APP,)]


@pytest.mark.parametrize(
    "wrong", [["Jane"], ["salessync app"], ["x" * 60], ["jane", "--until", "soon"], ["nobody", "--remove"]]
)
def test_no_login_of_that_name(db, wrong):
    with pytest.raises(CommandError) as error:
        call_command("create_auditor", *wrong)
    assert error.value.returncode == 2


def test_the_group_of_auditors_only_views(db):
    setup.bootstrap()
    codenames = Group.objects.get(name="Auditor").permissions.values_list("codename", flat=True)
    assert codenames and all(name.startswith("view_") for name in codenames)


# --- the embedded servers, and the settings


def test_the_embedded_database_is_the_applications(servers):
    with psycopg.connect(servers.database_url) as connection:
        assert connection.execute("SELECT current_user, current_setting('is_superuser')").fetchone() == (APP, "off")
    assert settings.DATABASE_APPLICATION["USER"] == APP and settings.DATABASE_OWNER["USER"] == "postgres"


URL = "postgresql://app@127.0.0.1:1/books"


@pytest.mark.parametrize(
    ("owner", "says"),
    [
        ("postgresql://owner@127.0.0.1:1/books", ""),
        ("", ""),
        ("postgresql://owner@127.0.0.1:1/other", "DATABASE_URL and DATABASE_OWNER_URL must name the same database"),
        ("postgresql://127.0.0.1:1/books", "DATABASE_URL and DATABASE_OWNER_URL must each name their user"),
    ],
)
def test_the_addresses_belong_together(owner, says):
    assert check(DATABASE_URL=URL, DATABASE_OWNER_URL=owner) == says


def test_an_owner_without_an_application():
    says = "DATABASE_OWNER_URL is of no use without DATABASE_URL (see .env.example)"
    assert check(DATABASE_URL="", DATABASE_OWNER_URL=URL) == says


def check(**environment):
    """What the start says."""
    done = subprocess.run(
        [sys.executable, "-c", "import salessync.settings"],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == (2 if done.stderr else 0)
    return done.stderr.strip().removeprefix("salessync: ")
