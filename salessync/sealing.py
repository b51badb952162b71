"""Keeps the chain of seals up with the audit rows and the journals, and says how far behind it is."""

import time
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from ledger import seals as journals
from salessync.core import anchors, locks, seals
from salessync.core.audit import AuditTrail
from salessync.core.models import Seal

_COUNTED = 100_000  # unsealed audit rows are counted up to here


class Backlog(NamedTuple):
    """What is not sealed yet: audit rows (counted up to 100,000) and journal entries; and when the newest seal was made."""

    audit_rows: int
    entries: int
    sealed_at: datetime | None


def seal_due(*, seconds: float = 20.0) -> int:
    """Seal what is new, and anchor the new heads outside the database; how many rows were sealed.

    Nothing where another process is at it. Goes on for about `seconds`: what is left then is sealed by the next call.
    """
    until = time.monotonic() + seconds
    sealed = 0
    with locks.alone(seals.LOCK, 0) as alone:
        if not alone:
            return 0
        try:
            for made in (made for trail in (AuditTrail(), *journals.due()) for made in seals.seal(trail)):
                sealed += made.rows
                if time.monotonic() > until:
                    break
        finally:
            anchors.catch_up()
    if sealed:
        anchors.post_head()
    return sealed


def backlog() -> Backlog:
    """Cheap enough for a metric: reads the ends of the tables only."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM core_auditrow WHERE id > %s LIMIT %s) x",
            [seals.last_sealed(AuditTrail.of), _COUNTED],
        )
        (rows,) = cursor.fetchone()
    newest = Seal.objects.order_by("-number").values_list("sealed_at", flat=True).first()
    return Backlog(rows, journals.unsealed(), newest)
