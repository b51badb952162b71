"""Rows of Transaction Search: payments and refunds that no event told of, and the transfers to the bank. Pure.

A row knows less than the object itself, but it is the only one that knows withdrawals, and payments of other apps.
"""

from datetime import datetime
from typing import Any

from channels.adapters.paypal.reading import Around, maybe_money, money, reference
from channels.adapters.paypal.refund import build
from channels.adapters.paypal.words import (
    BANK,
    INSTRUMENT,
    OTHER_GROUPS,
    PAYMENTS,
    REFUND_CODES,
    ROW_PAYMENT,
    ROW_PAYOUT,
    ROW_REFUND,
    SWEEP,
)
from channels.canonical import AnyRecord
from channels.charge import Charge
from channels.payout import Payout
from channels.reading import Json, Reader, stamp, text, word
from channels.record import Card, Fee, Settlement, Source

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Row:
    """One row while it is read."""

    def __init__(self, reader: Reader, detail: Json, where: str) -> None:
        self.reader, self.where = reader, where + "transaction_info."
        self.info = reader.object(detail.get("transaction_info"), where + "transaction_info")
        store = detail.get("store_info")
        self.store: Json = store if type(store) is dict else {}
        self.code = word(self.info.get("transaction_event_code"))
        self.status = word(self.info.get("transaction_status"))

    def amount(self) -> tuple[int, str]:
        """What came in (positive) or went out (negative)."""
        return money(self.reader, self.info.get("transaction_amount"), self.where + "transaction_amount") or (0, "")

    def fee(self, currency: str) -> int:
        """The fee as the row has it: negative where PayPal took one."""
        fee = maybe_money(self.reader, self.info, "fee_amount", self.where)
        if fee and currency and fee[1] != currency:
            self.reader.refuse("WRONG_CURRENCY", self.where + "fee_amount", "the fee is in another currency")
        return fee[0] if fee else 0

    def times(self) -> tuple[datetime, datetime]:
        """When it began, and when it changed last."""
        key = "transaction_initiation_date"
        at = self.reader.instant(self.info.get(key), self.where + key) or EPOCH
        return at, self.reader.maybe_instant(self.info, "transaction_updated_date", self.where) or at

    def related(self, kinds: tuple[str | None, ...]) -> str | None:
        """What the row refers to, where that is of one of these kinds."""
        if self.info.get("paypal_reference_id_type") not in kinds:
            return None
        return self.reader.optional_id(self.info.get("paypal_reference_id"), self.where + "paypal_reference_id")

    def source(self, around: Around, changed: datetime, number: str | None = None) -> Source:
        return Source(
            channel=around.context.channel,
            adapter="paypal",
            id=self.reader.identifier(self.info.get("transaction_id"), self.where + "transaction_id"),
            version=stamp(changed),
            number=number,
            location=text(self.store.get("store_id")),
            register=text(self.store.get("terminal_id")),
            test=around.test,
        )


def matters(detail: Any) -> bool:
    """Whether a row is worth keeping; one that cannot be read is, so that somebody sees it."""
    info = detail.get("transaction_info") if type(detail) is dict else None
    code = info.get("transaction_event_code") if type(info) is dict else None
    return type(code) is not str or code[:3] not in OTHER_GROUPS or code in REFUND_CODES


def row_record(reader: Reader, detail: Json, where: str, around: Around) -> AnyRecord | None:
    """The charge, refund or payout of a row; None where it moves nothing between the merchant and a buyer or the bank."""
    row = Row(reader, detail, where)
    if type(detail.get("transaction_info")) is not dict:
        return None
    if row.code.startswith(BANK):
        return _payout(row, around)
    if row.code.startswith(PAYMENTS):
        amount, currency = row.amount()
        return _charge(row, around, amount, currency) if amount > 0 else None
    if row.code in REFUND_CODES:
        amount, currency = row.amount()
        return _refund(row, around, -amount, currency) if amount < 0 else None
    if row.code[:3] not in OTHER_GROUPS:
        code = "UNKNOWN_TYPE" if row.code else "MISSING_TYPE"
        reader.refuse(
            code, row.where + "transaction_event_code", f"{row.code[:10]!r} is no kind of movement that is known here"
        )
    return None


def _payout(row: Row, around: Around) -> Payout:
    amount, currency = row.amount()
    at, changed = row.times()
    fee, context = row.fee(currency), around.context
    extensions: Json = {"event_code": row.code[:10]}
    if fee:
        extensions["fee"] = -fee
    return Payout(
        source=row.source(around, changed),
        occurred_at=at,
        timezone=context.timezone,
        business_date=row.reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=currency,
        extensions={"paypal": extensions},
        processor="paypal",
        status=ROW_PAYOUT.get(row.status, "unknown"),  # type: ignore[arg-type]
        method="automatic" if row.code == SWEEP else "manual",
        amount=-amount,
        initiated_at=at,
        trace_id=text(row.info.get("bank_reference_id")),
    )


def _charge(row: Row, around: Around, amount: int, currency: str) -> Charge:
    at, changed = row.times()
    status, context = ROW_PAYMENT.get(row.status, "unknown"), around.context
    taken, fee = status == "captured", row.fee(currency)
    custom, invoice = reference(row.info.get("custom_field")), reference(row.info.get("invoice_id"))
    order = row.related(("ODR",))
    tip = maybe_money(row.reader, row.info, "tip_amount", row.where)
    extensions = {"event_code": row.code, "order_id": order, "custom_id": custom, "invoice_id": invoice}
    source = row.source(around, changed, invoice)
    net = row.reader.within_limit(amount + fee, row.where + "fee_amount")
    kind, card = _instrument(row.info)
    return Charge(
        source=source,
        occurred_at=at,
        timezone=context.timezone,
        business_date=row.reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=currency,
        extensions={"paypal": {key: value for key, value in extensions.items() if value is not None}},
        order_reference=custom or invoice or order,
        tender_type=kind,  # type: ignore[arg-type]
        status=status,  # type: ignore[arg-type]
        amount=amount,
        captured=amount if taken else 0,
        tip=row.reader.positive(tip[0], row.where + "tip_amount") if tip and tip[1] == currency else 0,
        reference=source.id,
        card=card,
        fees=[Fee(type="processing", amount=-fee)] if taken and fee else [],
        settlement=Settlement(currency=currency, amount=net) if taken else None,
    )


def _instrument(info: Json) -> tuple[str, Card | None]:
    named = word(info.get("instrument_type"))
    kind = INSTRUMENT.get(named.upper().replace(" ", "_"), "unknown") if named else "wallet"
    brand = text(info.get("instrument_sub_type")) if kind == "card" else None
    return kind, Card(brand=brand.lower()) if brand else None


def _refund(row: Row, around: Around, amount: int, currency: str) -> AnyRecord:
    at, changed = row.times()
    source = row.source(around, changed)
    return build(
        row.reader,
        around,
        identifier=source.id,
        at=at,
        changed=changed,
        test=False,
        status=ROW_REFUND.get(row.status, "unknown"),
        amount=amount,
        currency=currency,
        fee_returned=max(row.fee(currency), 0),
        charge=row.related(("TXN", None)),
        kind=_instrument(row.info)[0],
        number=reference(row.info.get("invoice_id")),
        reason=REFUND_CODES[row.code],
        extensions={
            "event_code": row.code,
            "custom_id": reference(row.info.get("custom_field")),
            "invoice_id": reference(row.info.get("invoice_id")),
        },
    )
