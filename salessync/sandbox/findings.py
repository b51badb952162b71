"""What the database says about a day that was played: figures to show, and to hold against what the shops know."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection

from ledger import reports
from salessync.core.models import Company
from salessync.sandbox.play import read_ground_truth
from salessync.sandbox.truth import Key

Balances = dict[tuple[str, str], int]  # (account, currency): minor units


class State(NamedTuple):
    """What grows in a day, by channel or SKU; the day is the difference of two of them."""

    balances: Counter[Key]
    sales: Counter[str]
    refunds: Counter[str]
    stock: Counter[str]
    waiting: int


class Work(NamedTuple):
    """What is still to do."""

    inbox: int
    outbox: int


class Percentiles(NamedTuple):
    """Of a latency, in milliseconds, over `n` measurements."""

    n: int
    p50: float
    p95: float
    p99: float


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """All rows of one query."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def work_left() -> Work:
    """Events that are due or in work, deliveries that are not acknowledged."""
    (inbox,) = rows("SELECT count(*) FROM channels_event WHERE state IN ('new', 'claimed')")[0]
    (outbox,) = rows("SELECT count(*) FROM ledger_delivery WHERE state = 'due'")[0]
    return Work(inbox, outbox)


def state(slugs: Sequence[str]) -> State:
    """The books and the stock as far as these channels move them."""
    balances = rows(
        "SELECT c.slug, p.currency, a.code, sum(p.amount)::bigint FROM ledger_posting p"
        " JOIN channels_channel c ON c.id = p.channel_id JOIN ledger_account a ON a.id = p.account_id"
        " WHERE c.slug = ANY(%s) GROUP BY 1, 2, 3",
        list(slugs),
    )
    kinds = rows(
        "SELECT c.slug, t.type, count(*) FROM channels_transaction t JOIN channels_channel c ON c.id = t.channel_id"
        " WHERE c.slug = ANY(%s) GROUP BY 1, 2",
        list(slugs),
    )
    stock = rows(
        "SELECT p.sku, sum(l.on_hand)::bigint FROM inventory_level l JOIN inventory_product p ON p.id = l.product_id GROUP BY 1"
    )
    (waiting,) = rows("SELECT count(*) FROM channels_event WHERE state = 'waiting'")[0]
    return State(
        balances=Counter({(slug, currency, code): amount for slug, currency, code, amount in balances}),
        sales=Counter({slug: count for slug, kind, count in kinds if kind == "sale"}),
        refunds=Counter({slug: count for slug, kind, count in kinds if kind == "refund"}),
        stock=Counter(dict(stock)),
        waiting=waiting,
    )


def change(before: Counter[Any], after: Counter[Any]) -> dict[Any, int]:
    """What was added, without zeros."""
    found = {key: after[key] - before[key] for key in set(before) | set(after)}
    return {key: amount for key, amount in found.items() if amount}


def highest_run() -> int:
    """The number of the last day that was played, by the orders it left; 0 for none."""
    found = rows(
        "SELECT max(source_id::bigint) FROM channels_transaction"
        " WHERE type = 'sale' AND source_id ~ '^6[0-9]{12}$' AND channel_id IN"
        " (SELECT id FROM channels_channel WHERE adapter = 'shopify')"
    )[0][0]
    return (found - 6_000_000_000_000) // 1_000_000 if found else 0


# --- the inbox --------------------------------------------------------------------------------


def event_states(since: datetime) -> dict[str, int]:
    """Events by what became of them."""
    return dict(rows("SELECT state, count(*) FROM channels_event WHERE received_at >= %s GROUP BY 1", since))


def copies(since: datetime) -> tuple[int, int]:
    """Messages that came, and how many of them had come before."""
    (distinct, came) = rows(
        "SELECT count(*), coalesce(sum(copies), 0) FROM channels_event WHERE received_at >= %s", since
    )[0]
    return came, came - distinct


def quarantined(since: datetime) -> Counter[str]:
    """Quarantined and dead events by their first problem's code."""
    return Counter(
        dict(
            rows(
                "SELECT problems->0->>'code', count(*) FROM channels_event"
                " WHERE state IN ('quarantined', 'dead') AND received_at >= %s GROUP BY 1",
                since,
            )
        )
    )


def ignored(since: datetime) -> Counter[str]:
    """Ignored events by reason."""
    return Counter(
        dict(
            rows(
                "SELECT reason, count(*) FROM channels_event WHERE state = 'ignored' AND received_at >= %s GROUP BY 1",
                since,
            )
        )
    )


def early(since: datetime) -> int:
    """Payments and refunds that arrived before anything told their sale."""
    found: int = rows(
        "WITH arrived AS (SELECT t.family, t.type, min(e.received_at) AS at"
        " FROM channels_transaction t JOIN channels_transactionversion v ON v.transaction_id = t.id"
        " JOIN channels_event e ON e.id = v.event_id WHERE t.created_at >= %s GROUP BY t.id)"
        " SELECT count(*) FROM arrived o JOIN arrived s USING (family)"
        " WHERE s.type = 'sale' AND o.type <> 'sale' AND o.at < s.at",
        since,
    )[0][0]
    return found


def not_stored(ground_truth: Path) -> list[str]:
    """Accepted deliveries that the inbox does not have exactly once, or counts too few copies of."""
    accepted: Counter[tuple[str, str]] = Counter(
        (row["channel"], row["sha256"]) for row in read_ground_truth(ground_truth)
    )
    slugs, hashes = [slug for slug, _ in accepted], [digest for _, digest in accepted]
    found = {
        (slug, digest): (count, total)
        for slug, digest, count, total in rows(
            "SELECT c.slug, encode(e.body_sha256, 'hex'), count(*), sum(e.copies) FROM channels_event e"
            " JOIN channels_channel c ON c.id = e.channel_id"
            " JOIN unnest(%s::text[], %s::text[]) AS a(slug, digest)"
            " ON a.slug = c.slug AND decode(a.digest, 'hex') = e.body_sha256 GROUP BY 1, 2",
            slugs,
            hashes,
        )
    }
    return [
        f"{slug} {digest[:12]}: accepted {times} times, stored {found.get((slug, digest), (0, 0))}"
        for (slug, digest), times in accepted.items()
        if found.get((slug, digest), (0, 0))[0] != 1 or found[slug, digest][1] < times
    ]


# --- latencies --------------------------------------------------------------------------------


def _percentiles(seconds: str, source: str, since: datetime) -> Percentiles:
    found = rows(
        f"SELECT count(*), percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY {seconds}) FROM {source}",
        since,
    )[0]
    return Percentiles(found[0], *(round(1000 * float(value), 1) for value in found[1] or (0, 0, 0)))


def latency_to_posted(since: datetime) -> Percentiles:
    """From the arrival of a webhook to its commit in the books; what had to wait for its sale is left out."""
    return _percentiles(
        "extract(epoch FROM e.finished_at - e.received_at)",
        "channels_event e WHERE e.state = 'posted' AND e.received_at >= %s AND NOT EXISTS"
        " (SELECT FROM channels_transactionversion v JOIN channels_transaction t ON t.id = v.transaction_id"
        " JOIN channels_transaction s ON s.family = t.family AND s.type = 'sale'"
        " WHERE v.event_id = e.id AND t.type <> 'sale' AND s.created_at > t.created_at)",
        since,
    )


def latency_to_acknowledged(since: datetime) -> Percentiles:
    """From the arrival of the webhook that called for an entry to Bookkeeper's receipt for it.

    An entry of a sale may be called for by a payment that came later: the last message of its family before it counts.
    """
    return _percentiles(
        "seconds",
        "(SELECT extract(epoch FROM d.acknowledged_at - max(e.received_at)) AS seconds FROM ledger_delivery d"
        " JOIN ledger_journalentry j ON j.id = d.entry_id JOIN channels_transaction t ON t.id = j.transaction_id"
        " JOIN channels_transaction f ON f.family = t.family"
        " JOIN channels_transactionversion v ON v.transaction_id = f.id AND v.created_at <= j.created_at"
        " JOIN channels_event e ON e.id = v.event_id"
        " WHERE d.state = 'acknowledged' AND e.received_at >= %s GROUP BY d.entry_id) AS entries",
        since,
    )


# --- stock, ledger, Bookkeeper ---------------------------------------------------------------------


def oversold() -> list[tuple[str, int]]:
    """Products below zero, with their level."""
    return rows(
        "SELECT p.sku, l.on_hand::bigint FROM inventory_level l JOIN inventory_product p ON p.id = l.product_id"
        " WHERE l.on_hand < 0 ORDER BY 1"
    )


def unmapped() -> list[str]:
    """Items that channels sell and no product is known for."""
    return [row[0] for row in rows("SELECT DISTINCT item_id FROM inventory_unmappeditem ORDER BY 1")]


def deliveries() -> dict[str, int]:
    """Journal entries by what became of their delivery."""
    return dict(rows("SELECT state, count(*) FROM ledger_delivery GROUP BY 1"))


def refusals() -> list[str]:
    """What Bookkeeper said of the entries it refused."""
    return [row[0] for row in rows("SELECT DISTINCT error FROM ledger_delivery WHERE state = 'refused' LIMIT 5")]


def trial_balance() -> Balances:
    """Every account and currency of our books that is not zero."""
    found: Counter[tuple[str, str]] = Counter()
    for company in Company.objects.all():
        for row in reports.trial_balance(company=company):
            found[row.account, row.currency] += row.balance
    return {key: amount for key, amount in found.items() if amount}


def differences(ours: Balances, theirs: Balances) -> list[str]:
    """Where two sets of balances do not agree."""
    return [
        f"{account} {currency}: {ours.get((account, currency), 0)} here, {theirs.get((account, currency), 0)} there"
        for account, currency in sorted(set(ours) | set(theirs))
        if ours.get((account, currency), 0) != theirs.get((account, currency), 0)
    ]


def plural(count: int, one: str) -> str:
    """ "1 sale", "2 sales"."""
    return f"{count} {one}" if count == 1 else f"{count} {re.sub('y$', 'ie', one)}s"


def listed(counts: Iterable[tuple[str, int]]) -> str:
    """ "a 1, b 2"."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts))
