"""Money given back: refunds of the merchant, and reversals by PayPal. Amounts only, PayPal knows no lines. Pure."""

from datetime import datetime
from typing import Any

from channels.adapters.paypal.reading import (
    Around,
    in_sandbox,
    maybe_money,
    merchant_references,
    money,
    parent,
    related,
    status_word,
    times,
    why,
)
from channels.adapters.paypal.words import REFUND_STATUS
from channels.reading import Json, Reader, stamp
from channels.record import Source
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals


def refund_record(reader: Reader, raw: Json, where: str, around: Around, only: Any = None) -> Refund:
    """A refund; `only` is the capture that it must belong to where it does not say itself."""
    # of the old API, `amount` may hold the returned fee as well
    key = "refund_to_payer" if raw.get("refund_to_payer") is not None else "amount"
    amount, currency = money(reader, raw.get(key), where + key) or (0, "")
    if "state" in raw:  # the old API writes what goes back with a minus
        amount = abs(amount)
    at, changed = times(reader, raw, where, around)
    breakdown = raw.get("seller_payable_breakdown")
    breakdown = {} if breakdown is None else reader.object(breakdown, where + "seller_payable_breakdown")
    returned = maybe_money(reader, breakdown, "paypal_fee", where + "seller_payable_breakdown.")
    if returned is None:
        returned = maybe_money(reader, raw, "refund_from_transaction_fee", where)
    charge = (
        parent(raw, "capture")
        or related(raw, "capture_id")
        or reader.optional_id(raw.get("sale_id"), where + "sale_id")
        or reader.optional_id(raw.get("capture_id"), where + "capture_id")
        or (only if type(only) is str and 0 < len(only) <= 255 else None)
    )
    custom, invoice = merchant_references(raw, around)
    order = related(raw, "order_id") or around.order_id
    return build(
        reader,
        around,
        identifier=reader.identifier(raw.get("id"), where + "id"),
        at=at,
        changed=changed,
        test=in_sandbox(raw),
        status=REFUND_STATUS.get(status_word(reader, raw, where), "unknown"),
        amount=reader.positive(amount, where + key),
        currency=currency,
        fee_returned=abs(returned[0]) if returned and returned[1] == currency else 0,
        charge=charge,
        kind=_tender(raw, around),
        number=invoice,
        reason="reversal" if around.reversal else why(raw),
        extensions={"order_id": order, "custom_id": custom, "invoice_id": invoice},
    )


def _tender(raw: Json, around: Around) -> str:
    if around.tender is not None:
        return around.tender[0]
    return "card" if type(raw.get("acquirer_reference_number")) is str else "wallet"


def build(
    reader: Reader,
    around: Around,
    *,
    identifier: str,
    at: datetime,
    changed: datetime,
    test: bool,
    status: str,
    amount: int,
    currency: str,
    fee_returned: int,
    charge: str | None,
    kind: str,
    number: str | None,
    reason: str | None,
    extensions: Json,
) -> Refund:
    """The record of a refund without lines: one adjustment."""
    context = around.context
    extensions = {key: value for key, value in extensions.items() if value is not None}
    return Refund(
        source=Source(
            channel=context.channel,
            adapter="paypal",
            id=identifier,
            version=stamp(changed),
            number=number,
            test=around.test or test,
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=currency,
        extensions={"paypal": extensions} if extensions else {},
        charge=charge,
        status=status,  # type: ignore[arg-type]
        reason=reason,
        lines=[RefundLine(type="adjustment", net=amount)],
        tenders=[
            RefundTender(
                id=identifier,
                parent=charge,
                type=kind,  # type: ignore[arg-type]
                amount=amount,
                processor="paypal",
                reference=identifier,
                fee_returned=fee_returned,
            )
        ],
        totals=RefundTotals(adjustment=amount, total=amount),
    )
