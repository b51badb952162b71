"""Payouts, disputes, drawer counts and manual entries as they are stored: what is booked and is of no sale's family."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from channels import canonical
from channels.arrivals import ChannelFacts, channel_facts
from channels.canonical import AnyRecord
from channels.payout import Payout
from salessync.core import bulk
from salessync.core.problems import Refused

TYPES = ("payout", "dispute", "cash_session", "manual")
CHUNK = 200


class Settling(NamedTuple):
    """One transaction that is not of a sale's family, at its current version; a payout with the lines that any version told."""

    channel: ChannelFacts
    transaction_id: int
    version_id: int
    record: AnyRecord


def read(ids: Iterable[int], unreadable: list[int] | None = None) -> list[Settling]:
    """These transactions at their current version; `unreadable` takes those whose record is none, which are left out."""
    wanted = sorted(ids)
    if not wanted:
        return []
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT t.id, t.channel_id, v.id, v.record,"
            "       CASE WHEN t.type = 'payout' AND v.payments_order IS NULL THEN"
            "       (SELECT p.record FROM channels_transactionversion p WHERE p.transaction_id = t.id"
            '           AND p.payments_order IS NOT NULL ORDER BY p.payments_order COLLATE "C" DESC LIMIT 1) END'
            "  FROM channels_transaction t JOIN channels_transactionversion v ON v.id = t.version_id"
            " WHERE t.id = ANY(%s) AND t.type = ANY(%s) ORDER BY t.id",
            [wanted, list(TYPES)],
        )
        rows = cursor.fetchall()
    channels = channel_facts({row[1] for row in rows})
    found = []
    for id_, channel_id, version_id, record, told in rows:
        try:
            current = canonical.decode(bytes(record))
        except Refused:
            if unreadable is None:
                raise
            unreadable.append(id_)
            continue
        if told is not None:
            current = _with_lines(current, canonical.decode(bytes(told)))
        found.append(Settling(channels[channel_id], id_, version_id, current))
    return found


def chunks(
    *, channel_ids: Sequence[int] | None = None, unreadable: list[int] | None = None
) -> Iterator[list[Settling]]:
    """All of them, some at a time."""
    last = 0
    while True:
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                "SELECT id FROM channels_transaction WHERE type = ANY(%s) AND id > %s"
                " AND (%s::bigint[] IS NULL OR channel_id = ANY(%s::bigint[])) ORDER BY id LIMIT %s",
                [list(TYPES), last, channel_ids, channel_ids, CHUNK],
            )
            ids = [id_ for (id_,) in cursor.fetchall()]
        if not ids:
            return
        last = ids[-1]
        yield read(ids, unreadable)


def _with_lines(payout: AnyRecord, told: AnyRecord) -> AnyRecord:
    """A payout's header with the lines that an earlier version told, where they explain the amount as well as they did then."""
    assert isinstance(payout, Payout) and isinstance(told, Payout)
    if told.lines is None or told.amount != payout.amount or told.currency != payout.currency:
        return payout
    return replace(payout, lines=told.lines, residual=told.residual)
