"""Writes audit rows, and hands them to the chain of seals. The table only grows; the database refuses anything else."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.db import connection
from psycopg.types.json import Jsonb

from salessync.core import bulk, seals
from salessync.core.seals import Row

_COLUMNS = [
    ("company_id", "int8"), ("actor", "text"), ("action", "text"), ("object_type", "text"), ("object_id", "int8"),
    ("data", "jsonb"),
]  # fmt: skip
PATIENCE = 10.0  # seconds to wait for whoever is writing audit rows just now

_dumps = msgspec.json.encode


def record(rows: Iterable[tuple[int | None, str, str, str, int | None, dict[str, Any]]]) -> None:
    """(company, actor, action, object type, object id, data): written with the work that they tell of."""
    bulk.copy_in("core_auditrow", _COLUMNS, ((*row[:5], Jsonb(row[5], dumps=_dumps)) for row in rows))


class AuditTrail:
    """The audit rows in the order of their ids.

    Ids are handed out before the commit, so that a row may appear behind others with higher ids, and a rollback leaves a gap for
    good. But whoever writes holds a lock on the table from before the id is drawn until the end of the transaction (PostgreSQL's
    ROW EXCLUSIVE; writers do not hinder each other). So: look up the highest id that is visible, then who holds that lock, and wait
    until these are gone. After that no id up to the one that was looked up can appear any more, whoever came meanwhile.
    """

    of = "audit"

    def settled(self, after: int) -> int:
        """The highest id that is final; `after` where writers outlast PATIENCE: the next time, then."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(id) FROM core_auditrow")
            (highest,) = cursor.fetchone()
        if highest is None or highest <= after or not _outlast(_writers()):
            return after
        return int(highest)

    def rows(self, after: int, through: int, limit: int | None = None) -> list[Row]:
        return [Row(id_, key, seals.sha256(said)) for id_, key, said in _texts(after, through, limit)]

    def texts(self, number: int) -> dict[str, bytes]:
        return {key: said for _, key, said in _texts(number - 1, number, None)}

    def name(self, key: str) -> tuple[str, str]:
        return "core_auditrow", key


_TEXTS = f"""
    SELECT id, x.row, convert_to(row_to_json(x)::text, 'UTF8') AS said
      FROM core_auditrow a, LATERAL (
           SELECT a.id::text AS row, a.company_id, {seals.INSTANT.format("a.at")} AS at, a.actor, a.action, a.object_type, a.object_id,
                  a.data) x
     WHERE {{chosen}}
"""  # noqa: S608
_RANGE = "a.id > %s::bigint AND a.id <= %s::bigint ORDER BY a.id LIMIT %s::bigint"
_THESE = "a.id = ANY(%s::bigint[]) ORDER BY a.id"


def texts_of(ids: Sequence[int]) -> list[tuple[int, bytes]]:
    """(id, text) of these rows as they are sealed, in the order of their ids."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(_TEXTS.format(chosen=_THESE), [list(ids)])
        return [(id_, said) for id_, _, said in cursor.fetchall()]


def _texts(after: int, through: int, limit: int | None) -> list[tuple[int, str, bytes]]:
    with bulk.binary_cursor() as cursor:
        cursor.execute(_TEXTS.format(chosen=_RANGE), [after, through, limit])
        return cursor.fetchall()


def _writers() -> set[str]:
    """The transactions that may still bring audit rows: prepared ones, which belong to no process, too."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND relation = 'core_auditrow'::regclass"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND mode = 'RowExclusiveLock' AND granted AND pid IS DISTINCT FROM pg_backend_pid()"
        )
        return {name for (name,) in cursor.fetchall()}


def _outlast(writers: set[str]) -> bool:
    """Whether these transactions are over, after a while."""
    until = time.monotonic() + PATIENCE
    while writers:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
        writers &= _writers()
    return True
