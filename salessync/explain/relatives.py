"""Who belongs to a sale beyond its family: disputes, payouts, and what a payout pays. By exact reference only, as the books do."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from django.db.models import QuerySet

from channels.models import PayoutLine, Tender, Transaction, TransactionVersion
from salessync.core import bulk

NAMED = ("charge", "refund", "dispute", "payout")  # what a payout's line may name by its source id


class Paid(NamedTuple):
    """A payout's line, and what it stands for as far as we know it: a charge, refund, dispute, or the sale whose tender it names.

    `sale`: the sale that this belongs to.
    """

    payout: Transaction
    line: PayoutLine
    of: Transaction | None
    sale: Transaction | None


def family_of(transaction: Transaction) -> str:
    """The family that tells its story: a dispute's is the sale's, where its charge is known."""
    if transaction.type != "dispute":
        return transaction.family
    record = _record(transaction.version_id)
    reference, sale = record.get("tender_reference"), record.get("sale")
    own = Transaction.objects.filter(channel=transaction.channel_id)
    found = own.filter(type="charge", source_id=reference) if reference else None
    found = (found and found.first()) or (sale and own.filter(type="sale", source_id=sale).first())
    if not found and reference:
        tender = Tender.objects.filter(company_id=transaction.company_id, reference=reference)
        found = Transaction.objects.filter(pk__in=tender.values("transaction_id"), type="sale").first()
    return found.family if found else transaction.family


def _record(version_id: int) -> dict[str, Any]:
    record = TransactionVersion.objects.values_list("record", flat=True).get(pk=version_id)
    found: dict[str, Any] = msgspec.json.decode(bytes(record))
    return found


def _known() -> QuerySet[Transaction]:
    return Transaction.objects.select_related("channel__company")


def disputes_of(members: Collection[Transaction], tenders: Iterable[Tender]) -> list[Transaction]:
    """The disputes whose record names the sale, one of its charges or one of its tenders."""
    if not members:
        return []
    company = next(iter(members)).company_id
    sales = {(t.channel_id, t.source_id) for t in members if t.type == "sale"}
    charges = {(t.channel_id, t.source_id) for t in members if t.type == "charge"}
    sold = {t.pk for t in members if t.type == "sale"}
    references = {tender.reference for tender in tenders if tender.transaction_id in sold and tender.reference}
    names = {name for _, name in sales | charges} | references
    found = []
    for id_, channel, record in _disputes(company, names) if names else ():
        named = record.get("tender_reference")
        if (channel, named) in charges or named in references or (channel, record.get("sale")) in sales:
            found.append(id_)
    return list(_known().filter(pk__in=found))


def _disputes(company: int, names: set[str]) -> list[tuple[int, int, dict[str, Any]]]:
    """Those in whose record one of the names stands anywhere: there are few disputes, and few of them name a sale of ours."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT t.id, t.channel_id, v.record FROM channels_channel c"
            "  JOIN channels_transaction t ON t.channel_id = c.id AND t.type = 'dispute'"
            "  JOIN channels_transactionversion v ON v.id = t.version_id"
            " WHERE c.company_id = %s AND EXISTS (SELECT FROM unnest(%s::bytea[]) n WHERE position(n IN v.record) > 0)",
            [company, [msgspec.json.encode(name) for name in names]],
        )
        return [(id_, channel, msgspec.json.decode(bytes(record))) for id_, channel, record in cursor.fetchall()]


def paid_by(members: Collection[Transaction], tenders: Iterable[Tender]) -> list[Paid]:
    """The lines of payouts that pay these transactions, in the order of the payouts."""
    by_id = {t.pk: t for t in members}
    objects = {(t.channel_id, t.source_id): t for t in members if t.type in NAMED}
    references = {t.reference: by_id[t.transaction_id] for t in tenders if t.reference}
    names = {name for _, name in objects} | references.keys()
    if not names:
        return []
    company = next(iter(members)).company_id
    lines = PayoutLine.objects.filter(company_id=company, reference__in=names).select_related("transaction__channel")
    sale = next((t for t in members if t.type == "sale"), None)
    found = []
    for line in lines.order_by("transaction__occurred_at", "transaction_id", "position"):
        of = objects.get((line.channel_id, line.reference)) or references.get(line.reference)
        if of is not None:
            found.append(Paid(line.transaction, line, of, sale))
    return found


def pays(payout: Transaction, limit: int | None) -> list[Paid]:
    """The payout's own lines with what each of them pays; none of anything else."""
    if payout.type != "payout":
        return []
    lines = list(PayoutLine.objects.filter(transaction=payout).order_by("position")[:limit])
    names = {line.reference for line in lines if line.reference}
    objects: Mapping[str, Transaction] = {
        t.source_id: t for t in _known().filter(channel=payout.channel_id, type__in=NAMED, source_id__in=names)
    }
    tenders = Tender.objects.filter(company_id=payout.company_id, reference__in=names - objects.keys())
    owners = dict(tenders.values_list("reference", "transaction_id"))
    named = {t.pk: t for t in _known().filter(pk__in=owners.values())}
    families = {t.pk: family_of(t) for t in (*objects.values(), *named.values())}
    sales = {t.family: t for t in _known().filter(family__in=families.values(), type="sale")}
    found = []
    for line in lines:
        of = objects.get(line.reference or "") or named.get(owners.get(line.reference or "", 0))
        found.append(Paid(payout, line, of, sales.get(families[of.pk]) if of else None))
    return found
