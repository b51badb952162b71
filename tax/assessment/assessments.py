"""The taxes that a channel charged, by code (the only writer of tax lines), and what assessments say of them."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from channels import canonical
from channels.arrivals import Arrival
from channels.models import Line, Transaction, TransactionVersion
from channels.refund import Refund
from channels.sale import Sale
from channels.transactions import Stored
from salessync.core import bulk
from tax.assessment import assessed_lines, grounds
from tax.codes import tax_code
from tax.models import Assessment

_COLUMNS = [
    ("transaction_id", "int8"), ("position", "int2"), ("company_id", "int8"), ("line_id", "text"), ("code", "text"),
    ("jurisdiction", "text"), ("rate", "numeric"), ("amount", "int8"), ("collector", "text"),
]  # fmt: skip


def record(stored: Stored) -> None:
    """Replace the tax lines of each changed sale and refund by those of its current version."""
    taxed = [a for a in stored.accepted if isinstance(a.record, Sale | Refund)]
    replaced = [a.transaction_id for a in taxed if a.transaction_id not in stored.created]
    if replaced:
        with bulk.binary_cursor() as cursor:
            cursor.execute("DELETE FROM tax_taxline WHERE transaction_id = ANY(%s)", [replaced])
    if taxed:
        bulk.copy_in("tax_taxline", _COLUMNS, _rows(taxed))


def _rows(taxed: Sequence[Arrival]) -> Iterable[tuple[Any, ...]]:
    for arrival in taxed:
        found = arrival.record
        assert isinstance(found, Sale | Refund)
        position = 0
        for line in found.lines:
            name = line.id if hasattr(line, "id") else line.line or ""
            for tax in line.taxes:
                yield (
                    arrival.transaction_id, position, arrival.channel.company_id, name, tax_code(tax), tax.jurisdiction,
                    Decimal(tax.rate) if tax.rate else None, tax.amount, tax.collector,
                )  # fmt: skip
                position += 1


def lines_of(assessment: Assessment) -> list[dict[str, Any]]:
    """An assessment's lines in the long form (tax/assessment/assessed_lines.py), with what the channel charged."""
    record = _record(assessment.version_id)
    names: dict[str, str] = {}
    if isinstance(record, Refund):
        found = Transaction.objects.get(pk=assessment.transaction_id)
        names = dict(
            Line.objects.filter(transaction__family=found.family, transaction__type="sale").values_list(
                "line_id", "name"
            )
        )
    return assessed_lines.long(
        assessment.lines, grounds.texts(assessed_lines.grounds_of(assessment.lines)), record, names
    )


def _record(version_id: int) -> Sale | Refund:
    version = TransactionVersion.objects.get(pk=version_id)
    record = canonical.decode(bytes(version.record))
    assert isinstance(record, Sale | Refund)
    return record
