"""Counts every law of the books against what is stored. Reads only; a violation is a bug or a tampering, never a bad payload."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from django.db import connection

from channels import families
from channels.families import FamilyWork
from channels.family import Family
from channels.refund import Refund
from channels.sale import Sale
from inventory import reservations
from inventory.models import Level
from ledger import journal, open_items, settling, stored, targets
from ledger.balances import proof
from ledger.models import Account
from ledger.targets import Legs

Progress = Callable[[str, int], None]


class Law(NamedTuple):
    """`examples` name the first violations."""

    law: str
    checked: int
    violations: int
    examples: list[str]


def verify_books(*, progress: Progress = lambda what, done: None) -> list[Law]:
    """Every law with how many things were checked and how many violate it."""
    found = [_query(name, count, bad) for name, count, bad in _QUERIES]
    kept = proof.prove_all()
    found.append(Law("the kept balances are the journal's sums", kept.checked, kept.wrong, list(kept.examples)))
    differing = open_items.differing()
    clearing = Account.objects.filter(code__startswith=open_items.CLEARING.rstrip("%")).count()
    reserved = reservations.violations()
    held = "what is reserved is what open reservations and unpaid orders hold"
    found.append(Law(held, Level.objects.count(), len(reserved), reserved[:5]))
    found.append(Law("open items are the balance of their clearing account", clearing, len(differing), differing[:5]))
    return found + _families(progress)


# law, how many are checked, a query whose rows are the violations
_QUERIES = [
    (
        "every event ends posted, waiting, ignored, quarantined or dead within the hour",
        "SELECT count(*) FROM channels_event",
        "SELECT 'event ' || id FROM channels_event e WHERE state IN ('new', 'claimed')"
        " AND stored_at < now() - interval '1 hour' AND next_attempt_at < now() - interval '1 hour'"
        " AND channel_id IN (SELECT id FROM channels_channel WHERE status = 'live')",
    ),
    (
        "every journal entry is whole and sums to zero",
        "SELECT count(*) FROM ledger_journalentry",
        "SELECT 'entry ' || e.id FROM ledger_journalentry e LEFT JOIN ledger_posting p ON p.entry_id = e.id"
        " GROUP BY e.id, e.legs HAVING count(p.leg) <> e.legs OR sum(p.base_amount) <> 0"
        " OR (min(p.currency) = max(p.currency) AND sum(p.amount) <> 0)",
    ),
    (
        "every posting belongs to an entry, an account and a company",
        "SELECT count(*) FROM ledger_posting",
        "SELECT 'entry ' || p.entry_id || ' leg ' || p.leg FROM ledger_posting p"
        " LEFT JOIN ledger_journalentry e ON e.id = p.entry_id AND e.transaction_id = p.transaction_id"
        " LEFT JOIN ledger_account a ON a.id = p.account_id AND a.company_id = p.company_id"
        " WHERE e.id IS NULL OR a.id IS NULL",
    ),
    (
        "the books balance in base currency, and in each currency but for what was exchanged",
        "SELECT count(*) FROM core_company",
        "SELECT 'company ' || company_id FROM ledger_posting GROUP BY company_id HAVING sum(base_amount) <> 0"
        " UNION ALL SELECT p.currency || ' of company ' || p.company_id FROM ledger_posting p JOIN (SELECT entry_id"
        "   FROM ledger_posting GROUP BY entry_id HAVING min(currency) = max(currency)) x ON x.entry_id = p.entry_id"
        "  GROUP BY p.company_id, p.currency HAVING sum(p.amount) <> 0",
    ),
    (
        "no entry is booked on a closed day, or before its own",
        "SELECT count(*) FROM ledger_journalentry",
        "SELECT 'entry ' || e.id FROM ledger_journalentry e WHERE e.date < e.business_date OR EXISTS ("
        " SELECT FROM (SELECT c.closed_through FROM ledger_periodchange c WHERE c.company_id = e.company_id"
        "   AND c.at < e.created_at ORDER BY c.id DESC LIMIT 1) c WHERE e.date <= c.closed_through)",
    ),
    (
        "every detail is whole and balanced, and each summary is the sum of what it took in",
        "SELECT count(*) FROM ledger_detail",
        "SELECT 'detail ' || d.id FROM ledger_detail d LEFT JOIN ledger_detailposting p ON p.detail_id = d.id"
        " GROUP BY d.id, d.legs HAVING count(p.leg) <> d.legs OR sum(p.base_amount) <> 0"
        " UNION ALL SELECT 'summary ' || x.entry_id FROM ("
        "   SELECT e.id AS entry_id, p.account_id, p.currency, p.location, p.tax_code, p.category, p.amount, p.base_amount"
        "     FROM ledger_journalentry e JOIN channels_transaction t ON t.id = e.transaction_id AND t.type = 'summary'"
        "     JOIN ledger_posting p ON p.entry_id = e.id"
        "   UNION ALL SELECT d.entry_id, p.account_id, p.currency, p.location, p.tax_code, p.category, -p.amount, -p.base_amount"
        "     FROM ledger_detail d JOIN ledger_detailposting p ON p.detail_id = d.id WHERE d.entry_id IS NOT NULL) x"
        " GROUP BY x.entry_id, x.account_id, x.currency, x.location, x.tax_code, x.category"
        " HAVING sum(x.amount) <> 0 OR sum(x.base_amount) <> 0",
    ),
    (
        "no difference is hidden: the rounding account holds declared cash rounding only",
        "SELECT count(*) FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id"
        " WHERE a.code = 'Income:Cash-rounding'",
        "SELECT 'entry ' || p.entry_id FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id"
        " WHERE a.code = 'Income:Cash-rounding' AND p.path <> 'totals/rounding'",
    ),
    (
        "the feed to Bookkeeper has no gaps, and every entry one delivery",
        "SELECT count(*) FROM ledger_journalentry",
        "SELECT 'company ' || c.id FROM core_company c LEFT JOIN ledger_journalentry e ON e.company_id = c.id"
        " GROUP BY c.id, c.feed_seq HAVING count(e.id) <> c.feed_seq OR COALESCE(max(e.seq), 0) <> c.feed_seq"
        " UNION ALL SELECT 'entry ' || e.id FROM ledger_journalentry e"
        " LEFT JOIN ledger_delivery d ON d.entry_id = e.id WHERE d.entry_id IS NULL",
    ),
    (
        "every stock level is the sum of its movements",
        "SELECT count(*) FROM inventory_level",
        "SELECT 'product ' || COALESCE(l.product_id, m.product_id) || ' at ' || COALESCE(l.location, m.location)"
        " FROM inventory_level l FULL JOIN (SELECT product_id, location, sum(on_hand) h, sum(reserved) r"
        " FROM inventory_movement GROUP BY 1, 2) m ON m.product_id = l.product_id AND m.location = l.location"
        " WHERE COALESCE(l.on_hand, 0) <> COALESCE(m.h, 0) OR COALESCE(l.reserved, 0) <> COALESCE(m.r, 0)",
    ),
    (
        "no level is below zero without its oversell",
        "SELECT count(*) FROM inventory_level",
        "SELECT 'level ' || l.id FROM inventory_level l WHERE l.on_hand < 0 AND NOT EXISTS"
        " (SELECT FROM inventory_oversell o WHERE o.level_id = l.id AND o.resolved_at IS NULL)",
    ),
    (
        "every entry leads back to its record, the stored body and the hash of the bytes as received",
        "SELECT count(*) FROM ledger_journalentry",
        "SELECT x.what FROM ("
        " SELECT 'entry ' || id AS what, version_id, transaction_id FROM ledger_journalentry"
        " UNION ALL SELECT 'detail ' || id, version_id, transaction_id FROM ledger_detail) x"
        " JOIN channels_transaction t ON t.id = x.transaction_id AND t.type <> 'summary'"  # which leads to its details
        " LEFT JOIN channels_transactionversion v ON v.id = x.version_id AND v.transaction_id = x.transaction_id"
        " LEFT JOIN channels_event e ON e.id = v.event_id AND length(e.body_sha256) = 32 WHERE e.id IS NULL",
    ),
    (
        "every record is what its digest says, or without its person what the digest of its redaction says",
        "SELECT count(*) FROM channels_transactionversion",
        "SELECT 'version ' || v.id FROM channels_transactionversion v LEFT JOIN channels_privacyrequest r ON r.id = v.redacted_by"
        " WHERE sha256(v.record) <> COALESCE(v.redacted_digest, v.digest) OR (v.redacted_at IS NOT NULL AND r.id IS NULL)",
    ),
    (
        "every transaction, line, tender and tax line has its owner",
        "SELECT count(*) FROM channels_transaction",
        "SELECT 'transaction ' || t.id FROM channels_transaction t LEFT JOIN channels_transactionversion v"
        " ON v.id = t.version_id AND v.transaction_id = t.id WHERE v.id IS NULL"
        " UNION ALL SELECT 'line of ' || x.transaction_id FROM channels_line x LEFT JOIN channels_transaction t"
        " ON t.id = x.transaction_id WHERE t.id IS NULL"
        " UNION ALL SELECT 'tender of ' || x.transaction_id FROM channels_tender x LEFT JOIN channels_transaction t"
        " ON t.id = x.transaction_id WHERE t.id IS NULL"
        " UNION ALL SELECT 'tax line of ' || x.transaction_id FROM tax_taxline x LEFT JOIN channels_transaction t"
        " ON t.id = x.transaction_id WHERE t.id IS NULL",
    ),
]  # fmt: skip


def _query(law: str, count: str, bad: str) -> Law:
    with connection.cursor() as cursor:
        cursor.execute(count)
        checked = cursor.fetchone()[0]
        cursor.execute(f"SELECT count(*), (array_agg(x.a))[1:5] FROM ({bad}) AS x(a)")  # noqa: S608 -- from the list above
        violations, examples = cursor.fetchone()
    return Law(law, checked, violations, examples or [])


def _families(progress: Progress) -> list[Law]:
    """The laws that need the records: postings are what the current versions call for, and refunds are inverse."""
    wrong_postings: list[str] = []
    wrong_refunds: list[str] = []
    unreadable: list[int] = []
    checked = refunded = done = 0
    for works in families.chunks(unreadable=unreadable):
        standing = journal.standing([id_ for work in works for id_ in work.versions])
        checked += sum(len(work.versions) for work in works)
        lacking = journal.differences(targets.of_families(works), standing)
        wrong_postings += [f"transaction {e.transaction_id}" for e in lacking]
        given_back = [work for work in works if _all_given_back(work.family)]
        refunded += len(given_back)
        plain = {
            t.transaction_id: t.legs for t in targets.of_families(given_back, rules={})
        }  # by the chart's own names
        wrong_refunds += [f"sale {w.key} of {w.channel.slug}" for w in given_back if not _nets_to_zero(w, plain)]
        done += len(works)
        progress("families", done)
    for settlings in stored.chunks(unreadable=unreadable):
        standing = journal.standing([s.transaction_id for s in settlings])
        checked += len(settlings)
        lacking = journal.differences(settling.of(settlings), standing)
        wrong_postings += [f"transaction {e.transaction_id}" for e in lacking]
        progress("payouts, disputes and manual entries", len(settlings))
    return [
        Law("the postings of each transaction are what its current version calls for", checked, len(wrong_postings),
            wrong_postings[:5]),
        Law("refunds that give everything back net to zero", refunded, len(wrong_refunds), wrong_refunds[:5]),
        Law("every current record has the canonical shape: no floats, no naive times", checked + len(unreadable),
            len(unreadable), [f"transaction {id_}" for id_ in unreadable[:5]]),
    ]  # fmt: skip


def _all_given_back(family: Family) -> bool:
    if family.sale is None or not isinstance(family.sale.record, Sale) or not family.sale.record.totals.total:
        return False
    refunds = [m.record for m in family.refunds if isinstance(m.record, Refund) and m.record.status == "succeeded"]
    return bool(refunds) and sum(r.totals.total for r in refunds) == family.sale.record.totals.total


MONEY = ("Assets:", "Liabilities:Gift-cards", "Liabilities:Store-credit", "Liabilities:Refunds-in-transit")


def _nets_to_zero(work: FamilyWork, legs_of: Mapping[int, Legs]) -> bool:
    """Every tax code, every other liability, revenue with its contra accounts, and the money as a whole."""
    if work.channel.refund_tax == "none":
        return True
    sums: dict[tuple[str, str | None], int] = defaultdict(int)
    for id_ in work.versions:
        for (account, _, _, tax_code, _, path), (amount, _) in legs_of.get(id_, {}).items():
            if path == targets.COST_PATH:
                continue  # back only as far as restocked
            if tax_code:
                sums[account, tax_code] += amount
            elif account.startswith("Income:"):
                sums["Income", None] += amount
            elif account.startswith(MONEY):
                sums["money", None] += amount
            else:
                sums[account, None] += amount
    return not any(sums.values())
