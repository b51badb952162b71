"""What a channel's webhooks did not bring while its subscriptions were off: what reading its lists has brought since."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from channels.models import Channel, Event, Reading
from salessync.core import audit
from salessync.core.models import AuditRow

logger = logging.getLogger(__name__)

RENEWED, COUNTED = "subscriptions renewed", "missed meanwhile"
PATIENCE = timedelta(days=2)  # a list that is not through by then is counted as far as it is
EXAMPLES = 20


def report() -> int:
    """Say of each channel whose subscriptions were made again what had been missed, once its lists are read; returns of how many."""
    return sum(_report(Channel.objects.get(pk=id_), at) for id_, at in _open_cases())


def _open_cases() -> list[tuple[int, datetime]]:
    """Channels and when they were subscribed again, of which nothing has been counted since."""
    found: dict[int, datetime] = {}
    rows = AuditRow.objects.filter(object_type="channel", action__in=(RENEWED, COUNTED)).order_by("id")
    for channel, action, at in rows.values_list("object_id", "action", "at"):
        if action == COUNTED:
            found.pop(channel, None)
        else:
            found[channel] = at
    return list(found.items())


def _report(channel: Channel, since: datetime) -> bool:
    live = Reading.objects.filter(channel=channel, purpose=Reading.Purpose.LIVE)
    behind = live.filter(Q(read_at__isnull=True) | Q(read_at__lt=since)).exists()
    behind = behind or Event.objects.filter(channel=channel, state="new", stored_at__gte=since).exists()
    if behind and timezone.now() - since < PATIENCE:
        return False
    data = count(channel, since)
    audit.record([(channel.company_id, "beat", COUNTED, "channel", channel.pk, data)])
    logger.warning("the webhooks of %s missed %d changes: %s", channel.slug, data["changes"], data["by_type"] or "none")
    return True


def count(channel: Channel, since: datetime) -> dict[str, Any]:
    """How many versions came by reading lists from `since` on and by nothing else, by type, with the first few ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.type, t.source_id FROM channels_event e"
            "  JOIN channels_transactionversion v ON v.event_id = e.id JOIN channels_transaction t ON t.id = v.transaction_id"
            " WHERE e.channel_id = %s AND e.mode = 'poll' AND e.stored_at >= %s ORDER BY v.id",
            [channel.pk, since],
        )
        rows = cursor.fetchall()
    by_type: dict[str, int] = {}
    for type_, _ in rows:
        by_type[type_] = by_type.get(type_, 0) + 1
    return {
        "since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "changes": len(rows), "by_type": by_type,
        "ids": [f"{type_} {id_}" for type_, id_ in rows[:EXAMPLES]],
    }  # fmt: skip
