"""Logins to the database for auditors: each one's own, reading only, ending by itself. What they see is in access.py."""

import re
import secrets
from datetime import date

from django.db import connection, transaction
from psycopg import sql

from salessync.core import access, audit

NAME = re.compile(r"auditor_[a-z0-9_]{1,50}")  # apart from every other role of the server


class UnableToMake(ValueError):
    """The login cannot be made or removed; the message says why."""


def create(*, name: str, until: date | None, actor: str) -> str:
    """Make the login `auditor_…` and return its password, which is kept nowhere. `until`: the first day (UTC) it no longer works."""
    role = _role(name)
    password = secrets.token_urlsafe(18)
    with access.as_owner(), access.said_plainly(), transaction.atomic():
        if access.exists(role):
            raise UnableToMake(f"{role} exists already: remove it first, for a new password")
        if not access.exists(access.AUDITOR_ROLE) or not access.may_make_roles():
            raise UnableToMake(
                "DATABASE_OWNER_URL's user may not make roles: as a superuser run"
                f" CREATE ROLE {access.AUDITOR_ROLE} NOLOGIN, then `migrate`, then CREATE ROLE {role} LOGIN PASSWORD '…'"
                f" IN ROLE {access.AUDITOR_ROLE}"
            )
        ends = f" VALID UNTIL '{until.isoformat()} 00:00:00+00'" if until else ""
        access.make_login(role, password, f"CONNECTION LIMIT 5{ends} IN ROLE {access.AUDITOR_ROLE}")
        for setting in ("default_transaction_read_only = on", "statement_timeout = '5min'"):
            access.execute("ALTER ROLE {} SET " + setting, sql.Identifier(role))
        told = {"role": role, "until": until.isoformat() if until else None}
        audit.record([(None, actor, "created", "auditor", None, told)])
    return password


def remove(*, name: str, actor: str) -> None:
    """End the login, and the sessions it has open."""
    role = _role(name)
    with access.as_owner(), access.said_plainly(), transaction.atomic():
        if not access.exists(role):
            raise UnableToMake(f"there is no {role}")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
                " AND pg_has_role(usesysid, 'USAGE')",
                [role],
            )
        access.execute("DROP ROLE {}", sql.Identifier(role))
        audit.record([(None, actor, "removed", "auditor", None, {"role": role})])


def _role(name: str) -> str:
    role = name if name.startswith("auditor_") else f"auditor_{name}"
    if not NAME.fullmatch(role):
        raise UnableToMake(f"{name!r} is no name for a login: small letters, digits and underscores, at most 50")
    return role
