"""Reads sales with their refunds and charges, as they are stored. Set-based: a query or two, however many families there are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from channels import canonical
from channels.arrivals import ChannelFacts, channel_facts
from channels.canonical import AnyRecord
from channels.family import Family, Member, gather, is_of_charge, names_charge_only
from channels.sale import Sale, Tender
from channels.transactions import Stored
from salessync.core import bulk
from salessync.core.problems import Refused

MEMBERS = ("sale", "refund", "charge")
CHUNK = 1000


class FamilyWork(NamedTuple):
    """A family that the batch touched, with what later stages need to know of its members."""

    channel: ChannelFacts
    key: str
    family: Family
    versions: dict[int, int]  # transaction → its current version's row
    channels: Mapping[int, ChannelFacts] = {}  # of members from other channels, as far as they are needed

    def channel_of(self, member: Member) -> ChannelFacts:
        """A sale that was only a charge, and what it gave back, were booked by their own channel; everything else by its sale's."""
        return self.channels.get(member.channel_id, self.channel) if _of_processor(member.record) else self.channel


def _of_processor(record: AnyRecord) -> bool:
    return is_of_charge(record) or names_charge_only(record)


def touched(batch: Stored) -> list[FamilyWork]:
    """Every family that the batch changed, with the members that were stored before; sorted, for locks further on."""
    groups: dict[str, list[Member]] = {}
    channels: dict[int, ChannelFacts] = {}
    versions: dict[int, int] = {}
    for arrival in batch.accepted:
        if arrival.record.record_type in MEMBERS:
            channels[arrival.channel.id] = arrival.channel
            groups.setdefault(arrival.family, []).append(
                Member(arrival.transaction_id, arrival.record, arrival.channel.id)
            )
            versions[arrival.transaction_id] = arrival.version_id
    for arrival in batch.repeated:
        if arrival.record.record_type not in MEMBERS:
            continue
        channels[arrival.channel.id] = arrival.channel
        groups.setdefault(arrival.family, [])
    for key in batch.joined:
        groups.setdefault(key, [])
    if groups:
        for row in stored_members(list(groups), besides=list(versions)):
            groups[row.family].append(Member(row.transaction_id, canonical.decode(bytes(row.record)), row.channel_id))
            versions[row.transaction_id] = row.version_id
    homes = {home(key) for key in groups}
    homes |= {m.channel_id for members in groups.values() for m in members if _of_processor(m.record)}
    channels |= channel_facts(homes - channels.keys()) if homes - channels.keys() else {}
    told = told_before(groups, batch.created)
    return [
        FamilyWork(
            channels[home(key)], key, gather(members, told.get(key)),
            {m.transaction_id: versions[m.transaction_id] for m in members}, channels,
        )
        for key, members in sorted(groups.items())
    ]  # fmt: skip


def stored(keys: Iterable[str], unreadable: list[int] | None = None) -> list[FamilyWork]:
    """Families as they are stored, sorted; `unreadable` takes the transactions whose record is none, which are left out."""
    members: dict[str, list[Member]] = {}
    versions: dict[str, dict[int, int]] = {}
    for row in stored_members(sorted(keys)):
        try:
            record = canonical.decode(bytes(row.record))
        except Refused:
            if unreadable is None:
                raise
            unreadable.append(row.transaction_id)
            continue
        members.setdefault(row.family, []).append(Member(row.transaction_id, record, row.channel_id))
        versions.setdefault(row.family, {})[row.transaction_id] = row.version_id
    channels = channel_facts({home(key) for key in members} | {m.channel_id for ms in members.values() for m in ms})
    told = told_before(members, set())
    return [
        FamilyWork(channels[home(key)], key, gather(ms, told.get(key)), versions[key], channels)
        for key, ms in sorted(members.items())
    ]


def chunks(
    *, channel_ids: Sequence[int] | None = None, after: str = "", unreadable: list[int] | None = None
) -> Iterator[list[FamilyWork]]:
    """All families, some at a time, in the order of their keys; those of some channels' sales only, where these are named."""
    while True:
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT family FROM channels_transaction WHERE type = ANY(%s) AND family > %s"
                " AND (%s::bigint[] IS NULL OR split_part(family, ':', 1)::bigint = ANY(%s::bigint[])) ORDER BY 1 LIMIT %s",
                [list(MEMBERS), after, channel_ids, channel_ids, CHUNK],
            )
            keys = [key for (key,) in cursor.fetchall()]
        if not keys:
            return
        after = keys[-1]
        yield stored(keys, unreadable)


def home(family: str) -> int:
    """The channel of the sale that a family's key names."""
    return int(family.partition(":")[0])


class StoredMember(NamedTuple):
    """One transaction of a family at its current version."""

    family: str
    channel_id: int
    transaction_id: int
    version_id: int
    record: bytes


def stored_members(keys: Sequence[str], *, besides: Sequence[int] = ()) -> list[StoredMember]:
    """The stored members of these families, but for the transactions in `besides`."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT t.family, t.channel_id, t.id, v.id, v.record
              FROM unnest(%s::text[]) AS k(family)
             CROSS JOIN LATERAL (  -- by key, one by one: OFFSET keeps the planner from reading the whole table instead
                   SELECT * FROM channels_transaction
                    WHERE family = k.family
                      AND type IN ('sale', 'refund', 'charge') AND id <> ALL(%s::bigint[]) OFFSET 0) t
             CROSS JOIN LATERAL (SELECT * FROM channels_transactionversion WHERE id = t.version_id OFFSET 0) v
            """,
            [list(keys), list(besides)],
        )
        return [StoredMember(*row) for row in cursor.fetchall()]


def told_before(groups: Mapping[str, Sequence[Member]], created: set[int]) -> dict[str, list[Tender]]:
    """The payments of sales whose current version does not speak of them, from their latest version that did."""
    silent = {
        member.transaction_id: key
        for key, members in groups.items()
        for member in members
        if isinstance(member.record, Sale) and member.record.tenders is None and member.transaction_id not in created
    }
    if not silent:
        return {}
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT v.transaction_id, v.record FROM unnest(%s::bigint[]) AS s(id)
             CROSS JOIN LATERAL (
                   SELECT transaction_id, record FROM channels_transactionversion
                    WHERE transaction_id = s.id AND payments_order IS NOT NULL
                    ORDER BY payments_order COLLATE "C" DESC LIMIT 1) v
            """,
            [list(silent)],
        )
        found = {}
        for transaction_id, record in cursor.fetchall():
            sale = canonical.decode(bytes(record))
            if isinstance(sale, Sale) and sale.tenders is not None:
                found[silent[transaction_id]] = sale.tenders
        return found


def known_sales(keys: set[str]) -> set[str]:
    """Which of these families have their sale."""
    if not keys:
        return set()
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT family FROM channels_transaction WHERE family = ANY(%s) AND type = 'sale'", [list(keys)]
        )
        return {family for (family,) in cursor.fetchall()}
