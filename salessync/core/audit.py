"""Writes audit rows. The table only grows; the database refuses anything else."""

from collections.abc import Iterable
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from salessync.core import bulk

_COLUMNS = [
    ("company_id", "int8"), ("actor", "text"), ("action", "text"), ("object_type", "text"), ("object_id", "int8"),
    ("data", "jsonb"),
]  # fmt: skip

_dumps = msgspec.json.encode


def record(rows: Iterable[tuple[int | None, str, str, str, int | None, dict[str, Any]]]) -> None:
    """(company, actor, action, object type, object id, data): written with the work that they tell of."""
    bulk.copy_in("core_auditrow", _COLUMNS, ((*row[:5], Jsonb(row[5], dumps=_dumps)) for row in rows))
