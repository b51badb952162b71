"""The payments of a Vendure order and what was refunded of each → tenders. Pure."""

from datetime import UTC, datetime

import msgspec

from channels.adapters.vendure.amounts import Amounts
from channels.adapters.vendure.words import (
    PAYMENT_RANK,
    PAYMENT_STATE,
    REFERENCED,
    REFUND_RANK,
    REFUND_STATE,
    method_type,
)
from channels.reading import Json, word
from channels.sale import Tender

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Back(msgspec.Struct):
    """One refund of a payment."""

    id: str
    where: str
    row: Json
    total: int
    status: str
    rank: int
    at: datetime
    latest: datetime
    tender: Tender

    @property
    def counts(self) -> bool:
        """Whether the money is on its way back."""
        return self.status != "failed"


class Paid(msgspec.Struct):
    """All that the payments of one order tell; `tenders` None where the payload does not speak of them."""

    tenders: list[Tender] | None = None
    refunds: list[Back] = []
    latest: datetime = EPOCH
    steps: int = 0  # grows with every state that a payment or refund passes
    foreign: list[str] = []

    def sum_of(self, *states: str) -> int:
        """What the tenders in these states come to."""
        return sum(tender.amount for tender in self.tenders or () if tender.status in states)

    def given_back(self) -> int:
        """All refunds that did not fail."""
        return sum(back.total for back in self.refunds if back.counts)


def read_payments(reader: Amounts, order: Json) -> Paid:
    """Split tenders are several payments; each has its own refunds."""
    if order.get("payments") is None:
        return Paid()
    paid = Paid(tenders=[], refunds=[], foreign=[])
    for index, row in enumerate(reader.objects(order, "payments")):
        _payment(reader, paid, row, f"payments[{index}].")
    return paid


def times(reader: Amounts, row: Json, where: str) -> list[datetime]:
    """Whatever times a row tells."""
    found = [reader.maybe_instant(row, key, where) for key in ("createdAt", "updatedAt")]
    return [at for at in found if at is not None]


def _payment(reader: Amounts, paid: Paid, row: Json, where: str) -> None:
    paid.latest = max([paid.latest, *times(reader, row, where)])
    code, state = word(row.get("method")), word(row.get("state"))
    kind, processor = method_type(code)
    if kind == "unknown":
        paid.foreign.append(code[:100])
    action, status = PAYMENT_STATE.get(state, ("unknown", "unknown"))
    paid.steps += 1 + PAYMENT_RANK.get(state, 3)
    tender = Tender(
        id=reader.identifier(row.get("id"), where + "id"),
        type=kind,  # type: ignore[arg-type]
        action=action,  # type: ignore[arg-type]
        status=status,  # type: ignore[arg-type]
        amount=reader.magnitude(row.get("amount"), where + "amount"),
        processor=processor,
        reference=reference(row, kind),
    )
    assert paid.tenders is not None
    paid.tenders.append(tender)
    for index, back in enumerate(reader.objects(row, "refunds", where)):
        _refund(reader, paid, back, f"{where}refunds[{index}].", tender)


def reference(row: Json, kind: str) -> str | None:
    """The processor's own id of a payment or refund."""
    return word(row.get("transactionId"))[:255] or None if kind in REFERENCED else None


def _refund(reader: Amounts, paid: Paid, row: Json, where: str, tender: Tender) -> None:
    at = reader.instant(row.get("createdAt"), where + "createdAt") or EPOCH
    latest = max([at, *times(reader, row, where)])
    paid.latest = max(paid.latest, latest)
    state = word(row.get("state"))
    rank = REFUND_RANK.get(state, 3)
    paid.steps += 1 + rank
    paid.refunds.append(
        Back(
            id=reader.identifier(row.get("id"), where + "id"),
            where=where,
            row=row,
            # items, shipping and adjustment are 0 where the refund was made by its amount
            total=reader.magnitude(row.get("total"), where + "total"),
            status=REFUND_STATE.get(state, "unknown"),
            rank=rank,
            at=at,
            latest=latest,
            tender=tender,
        )
    )
