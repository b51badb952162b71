"""Who may do what in the database: the owner, the application, an auditor. `migrate` brings it about each time it runs.

- The owner (DATABASE_OWNER_URL) makes and changes tables; nobody else does.
- The application (DATABASE_URL) reads and writes rows. To what only grows, as the table's own trigger says (immutable.py), it may add,
  and of rows that stay it may write the columns in CHANGES.
- An auditor reads everything but secrets.

What is not granted here is taken away again, from everybody too. The triggers stand beside it: they refuse whoever asks, but an owner
can drop them.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.conf import settings
from django.db import ProgrammingError, connection, transaction
from psycopg import errors, sql

AUDITOR_ROLE = "salessync_auditor"  # what auditors' own logins are members of

# Rows that stay, and the columns that may change in them ("": all). A table whose trigger refuses DELETE alone and that is not here never changes.
CHANGES = {
    "channels_event": (
        "body", "state", "attempts", "next_attempt_at", "copies", "waiting_for", "problems", "reason", "claimed_at", "finished_at",
        "purged_at", "purged_bytes",
    ),
    "channels_transactionversion": ("record", "redacted_at", "redacted_digest", "redacted_by"),
    "ledger_accountrule": ("",),  # whole, since LOCK TABLE wants it so; its trigger lets the last day through, no more
    "ledger_detail": ("entry_id",),
}  # fmt: skip
ONLY_READ = ("django_migrations",)
HIDDEN_FROM_AUDITORS = ("django_session",)  # its keys are logins
# table.column that no auditor needs
SECRET = re.compile(r"\.sealed_(?!at$)|[._](password|secret|token)(_|$)|^core_apisecret\.digest$")

_LOCK = 7230


class UnableToGrant(Exception):
    """The roles cannot be made as they should be; the message says who can do it."""


class Relation(NamedTuple):
    """A table, view or sequence; what its own trigger refuses."""

    name: str
    kind: str  # of pg_class.relkind
    part: bool  # a partition, which is only to be reached through its whole
    columns: tuple[str, ...]
    refuses_update: bool
    refuses_delete: bool


class Grant(NamedTuple):
    """`role` "": everybody; `column` "": all of it."""

    role: str
    sequence: bool
    relation: str
    column: str
    privilege: str


# --- what should be


def wanted(relations: Iterable[Relation], *, application: str, auditor: str) -> set[Grant]:
    """Every grant there should be; a role "" gets none."""
    found = set()
    for one in relations:
        for role, grants in ((application, _of_application(one)), (auditor, _of_auditor(one))):
            found |= {Grant(role, one.kind == "S", one.name, column, privilege) for privilege, column in grants if role}
    return found


def _of_application(one: Relation) -> Iterator[tuple[str, str]]:
    if one.part:
        return
    if one.kind == "S":
        yield "USAGE", ""
        return
    yield "SELECT", ""
    if one.kind not in ("r", "p") or one.name in ONLY_READ:
        return
    yield "INSERT", ""
    if one.refuses_update:
        return
    if one.name in CHANGES:
        yield from (("UPDATE", column) for column in CHANGES[one.name] if column in ("", *one.columns))
    elif not one.refuses_delete:
        yield "UPDATE", ""
        yield "DELETE", ""


def _of_auditor(one: Relation) -> Iterator[tuple[str, str]]:
    if one.part or one.kind == "S" or one.name in HIDDEN_FROM_AUDITORS:
        return
    told = [column for column in one.columns if not SECRET.search(f"{one.name}.{column}")]
    yield from (("SELECT", column) for column in ([""] if len(told) == len(one.columns) else told))


# --- what is


def relations() -> list[Relation]:
    """Everything in our schema that can be granted."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, c.relkind, c.relispartition,
                   ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                   COALESCE(t.update, false), COALESCE(t.delete, false)
              FROM pg_class c
              LEFT JOIN (SELECT tgrelid, bool_or(tgtype & 16 <> 0) AS update, bool_or(tgtype & 8 <> 0) AS delete
                           FROM pg_trigger WHERE tgfoid = to_regproc('salessync_refuse_change') GROUP BY 1) t ON t.tgrelid = c.oid
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
             ORDER BY 1
            """
        )
        return [Relation(name, kind, part, tuple(columns), *refuses) for name, kind, part, columns, *refuses in cursor]


def held(roles: Collection[str]) -> set[Grant]:
    """Every grant there is to these roles and to everybody."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT COALESCE(r.rolname, ''), g.kind = 'S', g.relname, g.attname, g.privilege_type
              FROM (SELECT c.relname, c.relkind AS kind, '' AS attname, acl.grantee, acl.privilege_type
                      FROM pg_class c, aclexplode(c.relacl) acl WHERE c.relnamespace = current_schema()::regnamespace
                     UNION ALL
                    SELECT c.relname, c.relkind, a.attname, acl.grantee, acl.privilege_type
                      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) acl
                     WHERE c.relnamespace = current_schema()::regnamespace) g
              LEFT JOIN pg_roles r ON r.oid = g.grantee
             WHERE g.kind IN ('r', 'p', 'v', 'm', 'f', 'S') AND (g.grantee = 0 OR r.rolname = ANY(%s))
            """,
            [list(roles)],
        )
        return {Grant(*row) for row in cursor.fetchall()}


def differences(application: str | None = None) -> tuple[set[Grant], set[Grant]]:
    """Grants that are missing, and those that nobody should have; `application` where it is not that of the settings."""
    application = application_role() if application is None else application
    auditor = AUDITOR_ROLE if exists(AUDITOR_ROLE) else ""
    should = wanted(relations(), application=application, auditor=auditor)
    are = held([role for role in (application, auditor) if role])
    return should - are, are - should


def application_role() -> str:
    """Whom web and workers are; "" where that is the owner himself."""
    role: str = settings.DATABASE_APPLICATION["USER"]
    return role if role != settings.DATABASE_OWNER["USER"] else ""


def dangers(role: str) -> list[str]:
    """Why the database could not refuse this role to change its tables, as ends of the sentence “it …”."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT r.rolsuper, r.rolcreaterole, r.rolreplication,
                   (SELECT count(*) FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
                       AND c.relkind IN ('r', 'p') AND pg_has_role(r.oid, c.relowner, 'MEMBER')),
                   has_schema_privilege(r.oid, current_schema(), 'CREATE'),
                   has_database_privilege(r.oid, current_database(), 'CREATE'),
                   has_database_privilege(r.oid, current_database(), 'TEMPORARY')
              FROM pg_roles r WHERE r.rolname = %s
            """,
            [role],
        )
        row = cursor.fetchone()
    if row is None:
        return ["does not exist"]
    if row[0]:
        return ["is a superuser"]
    ends = (
        "may make roles",
        "may replicate",
        f"owns {row[3]} of the tables",
        "may make tables",
        "may make schemas",
        "may make temporary tables, which the triggers would take for ours",
    )
    return [end for end, true in zip(ends, row[1:], strict=True) if true]


# --- bringing it about


@contextmanager
def as_owner() -> Iterator[None]:
    """Django's connection is the owner's meanwhile. Outside of any transaction; a fresh connection before and after."""
    kept = dict(connection.settings_dict)
    if kept["USER"] == settings.DATABASE_OWNER["USER"]:
        yield
        return
    connection.close()
    connection.settings_dict |= {k: settings.DATABASE_OWNER[k] for k in ("USER", "PASSWORD", "HOST", "PORT", "OPTIONS")}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict |= kept


def apply() -> None:
    """Grant what is missing and take away the rest; as the owner, as often as you like. UnableToGrant where he may not."""
    with said_plainly(), transaction.atomic():
        execute("SELECT pg_advisory_xact_lock({})", sql.Literal(_LOCK))  # another `migrate` beside this one
        _make_roles()
        _close_the_schema()
        for grant in _grouped(differences()[1]):
            execute("REVOKE {} ON {} {} FROM {}", *grant)
        for grant in _grouped(differences()[0]):  # taking a table's privilege took its columns' along
            execute("GRANT {} ON {} {} TO {}", *grant)


def make_login(role: str, password: str, more: str = "") -> None:
    """A role that may connect; the server sees no more of the password than its SCRAM verifier."""
    if not password:  # trusted, or known by a certificate
        execute(f"CREATE ROLE {{}} LOGIN {more}", sql.Identifier(role))
        return
    verifier = connection.connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    execute(f"CREATE ROLE {{}} LOGIN PASSWORD {{}} {more}", sql.Identifier(role), sql.Literal(verifier.decode()))


def exists(role: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
        return cursor.fetchone() is not None


def may_make_roles() -> bool:
    """Whether who is connected may."""
    return bool(_row("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")[0])


def _make_roles() -> None:
    role = application_role()
    if role and not exists(role):
        if not may_make_roles():
            raise UnableToGrant(
                f"the role {role} of DATABASE_URL does not exist, and {settings.DATABASE_OWNER['USER']} may not make it:"
                f" as a superuser, CREATE ROLE {role} LOGIN PASSWORD '…', then run `migrate` again"
            )
        make_login(role, settings.DATABASE_APPLICATION["PASSWORD"])
    if not exists(AUDITOR_ROLE) and may_make_roles():
        execute("CREATE ROLE {} NOLOGIN", sql.Identifier(AUDITOR_ROLE))


def _close_the_schema() -> None:
    """Nobody but the owner makes anything in it, not even for a session."""
    schema, database, ours, create, temporary = _row(
        "SELECT current_schema(), current_database(), pg_has_role(datdba, 'MEMBER'),"
        " has_schema_privilege('public', current_schema(), 'CREATE'),"
        " has_database_privilege('public', datname, 'TEMPORARY') FROM pg_database WHERE datname = current_database()"
    )
    if create:
        execute("REVOKE CREATE ON SCHEMA {} FROM PUBLIC", sql.Identifier(schema))
    if temporary and ours:  # where the database is somebody else's, `doctor` tells
        execute("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", sql.Identifier(database))
    for role in filter(exists, (application_role(), AUDITOR_ROLE)):
        if not _row("SELECT has_schema_privilege(%s, %s, 'USAGE')", [role, schema])[0]:
            execute("GRANT USAGE ON SCHEMA {} TO {}", sql.Identifier(schema), sql.Identifier(role))


def _grouped(grants: Iterable[Grant]) -> Iterator[tuple[sql.Composable, ...]]:
    """(privilege, kind, relations, role) of as few statements as will do."""
    whole, parts = (
        defaultdict[tuple[str, bool, str], list[str]](list),
        defaultdict[tuple[str, str, str], list[str]](list),
    )
    for one in sorted(grants):
        if one.column:
            parts[one.role, one.privilege, one.relation].append(one.column)
        else:
            whole[one.role, one.sequence, one.privilege].append(one.relation)
    for (role, sequence, privilege), names in whole.items():
        yield sql.SQL(privilege), sql.SQL("SEQUENCE" if sequence else "TABLE"), _names(names), _grantee(role)
    for (role, privilege, relation), names in parts.items():
        columns = sql.SQL(f"{privilege} ({{}})").format(_names(names))
        yield columns, sql.SQL("TABLE"), sql.Identifier(relation), _grantee(role)


def _names(names: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)


def _grantee(role: str) -> sql.Composable:
    return sql.Identifier(role) if role else sql.SQL("PUBLIC")


def execute(statement: str, *parts: sql.Composable) -> None:
    """A statement with its names and literals in their places."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(*parts))


def _row(query: str, parameters: list[str] | None = None) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchone()


@contextmanager
def said_plainly() -> Iterator[None]:
    """Where the database says no, what to do about it."""
    try:
        yield
    except ProgrammingError as error:
        if not isinstance(error.__cause__, errors.InsufficientPrivilege):
            raise
        said = str(error.__cause__).partition("\n")[0]
        owner = settings.DATABASE_OWNER["USER"]
        raise UnableToGrant(f"{said}: DATABASE_OWNER_URL must name who owns the tables, not {owner}") from error
