"""The journal of a company as a trail for the chain of seals (salessync/core/seals.py), in the order of `seq`.

With an entry is sealed what it was made of, so that no part of its past can be changed unseen. The names of its rows, for entry 17:

    17          the entry
    17.2        its posting, leg 2; with the account's code, so that no account can be renamed under it
    17.d91      a detail that this summary took in
    17.d91.2    the detail's posting, leg 2
    17.v5       a record version it was made from: the record's own digest is part of it
    17.e3       the event that brought the version: the SHA-256 of the bytes as they were received is part of it
    17.b3       the event's stored body: its digest is that of the bytes themselves, which stay in the database

An event's body may be purged, or a person be taken out of it, and the record then has a second digest: the rest stays as it was.
"""

# ruff: noqa: S608 -- the statements are put together from the texts below
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from django.db import connection

from channels.privacy import KINDS_THAT_REMOVE
from salessync.core import bulk, seals
from salessync.core.models import Company
from salessync.core.seals import Row

PREFIX = "journal/"

# What the rows of some entries are read from. FROM_ENTRIES takes which entries, as `j`. Row by row through the keys (OFFSET 0): a planner that
# trusts its guesses would now and then read a whole table for a few thousand rows.
FROM_ENTRIES = """
    WITH e AS MATERIALIZED (SELECT j.* {chosen}),
         d AS (SELECT e.seq, d.* FROM e, LATERAL (SELECT * FROM ledger_detail WHERE entry_id = e.id OFFSET 0) d),
         v AS (SELECT s.seq, v.* FROM (SELECT seq, version_id FROM e UNION SELECT seq, version_id FROM d) s, LATERAL (
                      SELECT id, company_id, transaction_id, version, digest, event_id, created_at
                        FROM channels_transactionversion WHERE id = s.version_id OFFSET 0) v),
         m AS (SELECT s.seq, m.* FROM (SELECT DISTINCT seq, event_id FROM v) s, LATERAL (
                      SELECT id, company_id, channel_id, topic, mode, body_sha256, received_at, body
                        FROM channels_event WHERE id = s.event_id OFFSET 0) m)
"""

# Each part's rows: seq, two numbers to order by, name, text as bytes.
_JSON = "convert_to(row_to_json(x)::text, 'UTF8')"
_LEG = "a.code AS account, p.amount, p.currency, p.base_amount, p.location, p.tax_code, p.category, p.path"
PARTS = {
    "entries": f"""
        SELECT e.seq, 0::bigint, 0, x.row, {_JSON} FROM e, LATERAL (
               SELECT e.seq::text AS row, e.id, e.company_id, e.transaction_id, e.sequence, e.version_id, e.date, e.business_date,
                      e.legs, {seals.INSTANT.format("e.created_at")} AS created_at) x
    """,
    "postings": f"""
        SELECT e.seq, 0, p.leg, x.row, {_JSON}
          FROM e, LATERAL (SELECT * FROM ledger_posting WHERE entry_id = e.id OFFSET 0) p
               LEFT JOIN ledger_account a ON a.id = p.account_id, LATERAL (
               SELECT e.seq || '.' || p.leg AS row, p.company_id, p.transaction_id, {_LEG}, p.channel_id) x
    """,
    "details": f"""
        SELECT d.seq, d.id, 0, x.row, {_JSON} FROM d, LATERAL (
               SELECT d.seq || '.d' || d.id AS row, d.company_id, d.channel_id, d.transaction_id, d.sequence, d.version_id,
                      d.business_date, d.legs, {seals.INSTANT.format("d.created_at")} AS created_at) x
    """,
    "detail_postings": f"""
        SELECT d.seq, d.id, p.leg, x.row, {_JSON}
          FROM d, LATERAL (SELECT * FROM ledger_detailposting WHERE detail_id = d.id OFFSET 0) p
               LEFT JOIN ledger_account a ON a.id = p.account_id, LATERAL (
               SELECT d.seq || '.d' || d.id || '.' || p.leg AS row, {_LEG}) x
    """,
    "versions": f"""
        SELECT v.seq, v.id, 0, x.row, {_JSON} FROM v, LATERAL (
               SELECT v.seq || '.v' || v.id AS row, v.company_id, v.transaction_id, v.version,
                      encode(v.digest, 'hex') AS digest, v.event_id, {seals.INSTANT.format("v.created_at")} AS created_at) x
    """,
    "events": f"""
        SELECT m.seq, m.id, 0, x.row, {_JSON} FROM m, LATERAL (
               SELECT m.seq || '.e' || m.id AS row, m.company_id, m.channel_id, m.topic, m.mode,
                      encode(m.body_sha256, 'hex') AS body_sha256, {seals.INSTANT.format("m.received_at")} AS received_at) x
    """,
}  # fmt: skip
BODIES = "SELECT m.seq, m.id, 0, m.seq || '.b' || m.id, m.body FROM m"

# Whole entries, of which all rows together are about as many as asked for: a summary's details count too.
_RANGE = """
    FROM (SELECT j.*, row_number() OVER w AS place,
                 sum(4 + j.legs + 8 * (SELECT count(*) FROM ledger_detail d WHERE d.entry_id = j.id)) OVER w AS weight
            FROM (SELECT * FROM ledger_journalentry
                   WHERE company_id = %s::bigint AND seq > %s::bigint AND seq <= %s::bigint ORDER BY seq LIMIT %s::bigint) j
          WINDOW w AS (ORDER BY j.seq)) j
   WHERE j.place = 1 OR %s::bigint IS NULL OR j.weight <= %s::bigint"""
_UNION = " UNION ALL ".join(
    [f"SELECT seq, {n}, a, b, row, said, NULL::bytea FROM ({part}) t (seq, a, b, row, said)" for n, part in enumerate(PARTS.values())]
    + [f"SELECT seq, {len(PARTS)}, a, b, row, NULL::bytea, sha256(body) FROM ({BODIES}) t (seq, a, b, row, body)"]
)  # fmt: skip
_ALL = f"""
    {FROM_ENTRIES.format(chosen=_RANGE)}
    SELECT seq, row, said, digest FROM ({_UNION}) t (seq, part, a, b, row, said, digest) ORDER BY seq, part, a, b
"""


class JournalTrail:
    """One company's entries with what they were made of."""

    def __init__(self, company_id: int) -> None:
        self.company_id = company_id
        self.of = f"{PREFIX}{company_id}"

    def settled(self, after: int) -> int:
        """`seq` is given in commit order without gaps: what is visible is final."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(seq) FROM ledger_journalentry WHERE company_id = %s", [self.company_id])
            (last,) = cursor.fetchone()
        return after if last is None else max(int(last), after)

    def rows(self, after: int, through: int, limit: int | None = None) -> list[Row]:
        with bulk.binary_cursor() as cursor:
            cursor.execute(_ALL, [self.company_id, after, through, limit, limit, limit])
            return [Row(seq, key, digest or seals.sha256(said)) for seq, key, said, digest in cursor.fetchall()]

    def texts(self, number: int) -> dict[str, bytes]:
        with bulk.binary_cursor() as cursor:
            cursor.execute(_ALL, [self.company_id, number - 1, number, None, None, None])
            return {key: said for _, key, said, _ in cursor.fetchall() if said is not None}

    def name(self, key: str) -> tuple[str, str]:
        seq, _, part = key.partition(".")
        entry = f"entry {seq} of company {self._company}"
        if not part:
            return "ledger_journalentry", entry
        kind, (number, _, leg) = part[0], part[1:].partition(".")
        if kind == "d":
            detail = f"detail {number}"
            return ("ledger_detailposting", f"{detail} leg {leg}") if leg else ("ledger_detail", detail)
        if kind == "v":
            return "channels_transactionversion", f"version {number}"
        if kind in "eb":
            return "channels_event", f"event {number}" if kind == "e" else f"body of event {number}"
        return "ledger_posting", f"{entry}, leg {part}"

    @cached_property
    def _company(self) -> str:
        slug = Company.objects.filter(pk=self.company_id).values_list("slug", flat=True).first()
        return slug or str(self.company_id)


def due() -> Iterator[JournalTrail]:
    """Journals with entries beyond their last seal."""
    for company_id, new in _unsealed():
        if new > 0:
            yield JournalTrail(company_id)


def unsealed() -> int:
    """How many entries of all companies are not sealed yet."""
    return sum(max(new, 0) for _, new in _unsealed())


def rewritten_bodies(keys: Iterable[str]) -> set[str]:
    """Of these names, those of bodies that were purged or that a privacy request may have taken a person out of."""
    events = {key: int(key.partition(".b")[2]) for key in keys if ".b" in key}
    if not events:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id FROM channels_event e WHERE e.id = ANY(%s) AND (e.purged_at IS NOT NULL OR EXISTS ("
            " SELECT FROM channels_privacyrequest r WHERE r.channel_id = e.channel_id AND r.kind = ANY(%s)))",
            [list(events.values()), list(KINDS_THAT_REMOVE)],
        )
        found = {id_ for (id_,) in cursor.fetchall()}
    return {key for key, event in events.items() if event in found}


def consequences(changed: Iterable[str], missing: Iterable[str], inserted: Iterable[str]) -> set[str]:
    """Of rows that are missing or were slipped in, those that only follow from another of the same entry that is not as it was."""
    gone = {*missing, *inserted}
    broken = {(seq, part[:1]) for seq, _, part in (key.partition(".") for key in {*gone, *changed})}

    def follows(key: str) -> bool:
        seq, _, part = key.partition(".")
        whole, _, leg = part.partition(".")
        if (part and seq in gone) or (leg and f"{seq}.{whole}" in gone):
            return True  # with its entry, or with its detail
        # an entry or a detail may name another version than it did, a version another event
        above = {"v": ("", "d"), "e": ("", "d", "v"), "b": ("", "d", "v")}.get(part[:1], ())
        return any((seq, kind) in broken for kind in above)

    return {key for key in gone if follows(key)}


def _unsealed() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id, c.feed_seq - COALESCE((SELECT max(s.last) FROM core_seal s WHERE s.of = %s || c.id), 0)"
            "  FROM core_company c ORDER BY c.id",
            [PREFIX],
        )
        return cursor.fetchall()
