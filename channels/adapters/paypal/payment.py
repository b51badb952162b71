"""Captures, authorizations and sales of the old API as charges, and the order that holds them. Pure."""

from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from channels.adapter import Ignored
from channels.adapters.paypal.reading import (
    Around,
    in_sandbox,
    maybe_money,
    merchant_references,
    money,
    paid_with,
    parent,
    rate_text,
    related,
    status_word,
    times,
    why,
)
from channels.adapters.paypal.reading import decimal_text as as_text
from channels.adapters.paypal.refund import refund_record
from channels.adapters.paypal.words import AUTHORIZATION_STATUS, AUTHORIZATION_TAKEN, CAPTURE_STATUS
from channels.canonical import AnyRecord
from channels.charge import Charge
from channels.reading import Json, Reader, stamp, text, word
from channels.record import Card, Fee, Settlement, Source
from salessync.core.money import convert

# an order in one of these states without payments has moved nothing; any other one has payments that it does not show
BEFORE_PAYMENT = frozenset({"CREATED", "SAVED", "APPROVED", "PAYER_ACTION_REQUIRED", "VOIDED"})


class Takings(NamedTuple):
    """What PayPal kept of a captured payment, and what reached the account."""

    fees: list[Fee]
    settlement: Settlement | None
    extensions: Json


def order_records(reader: Reader, order: Json, where: str, around: Around) -> list[AnyRecord]:
    """The charges of an order's captures, and of authorizations that nothing was captured of, with its refunds."""
    around = msgspec.structs.replace(
        around,
        test=around.test or in_sandbox(order),
        order_id=reader.identifier(order.get("id"), where + "id") or None,
        tender=paid_with(order.get("payment_source")),
        at=reader.maybe_instant(order, "update_time", where)
        or reader.maybe_instant(order, "create_time", where)
        or around.at,
    )
    found: list[AnyRecord] = []
    for index, unit in enumerate(reader.objects(order, "purchase_units", where)):
        found += _unit_records(reader, unit, f"{where}purchase_units[{index}].", around)
    if not found and not reader.problems and word(order.get("status")) in BEFORE_PAYMENT:
        raise Ignored("nothing of the order has been paid: its captures will tell")
    return found


def _unit_records(reader: Reader, unit: Json, where: str, around: Around) -> list[AnyRecord]:
    around = msgspec.structs.replace(around, unit=unit)
    payments = unit.get("payments")
    if payments is None:
        return []
    payments, where = reader.object(payments, where + "payments"), where + "payments."
    captures = reader.objects(payments, "captures", where)
    found: list[AnyRecord] = [
        capture_record(reader, one, f"{where}captures[{index}].", around) for index, one in enumerate(captures)
    ]
    taken = {_authorization_of(one) for one in captures}
    authorizations = reader.objects(payments, "authorizations", where)
    for index, one in enumerate(authorizations):
        # the only authorization of a unit is that of its captures, even where no link says so
        if one.get("id") in taken if type(one.get("id")) is str else False:
            continue
        if captures and len(authorizations) == 1 and taken == {None}:
            continue
        record = authorization_record(reader, one, f"{where}authorizations[{index}].", around)
        if record is not None:
            found.append(record)
    only = captures[0].get("id") if len(captures) == 1 else None
    for index, one in enumerate(reader.objects(payments, "refunds", where)):
        found.append(refund_record(reader, one, f"{where}refunds[{index}].", around, only))
    return found


def _authorization_of(capture: Json) -> str | None:
    return parent(capture, "authorization") or related(capture, "authorization_id")


def capture_record(reader: Reader, raw: Json, where: str, around: Around) -> Charge:
    """A capture, or a sale of the old API: money that was taken, is on its way, or was refused."""
    status = CAPTURE_STATUS.get(status_word(reader, raw, where), "unknown")
    return _charge(reader, raw, where, around, status)


def authorization_record(reader: Reader, raw: Json, where: str, around: Around) -> Charge | None:
    """An authorization while nothing was captured of it; None afterwards, since its captures are the payments."""
    status = status_word(reader, raw, where)
    if status in AUTHORIZATION_TAKEN:
        return None
    return _charge(reader, raw, where, around, AUTHORIZATION_STATUS.get(status, "unknown"))


def _charge(reader: Reader, raw: Json, where: str, around: Around, status: str) -> Charge:
    identifier = reader.identifier(raw.get("id"), where + "id")
    amount, currency = money(reader, raw.get("amount"), where + "amount") or (0, "")
    amount = reader.positive(amount, where + "amount")
    at, changed = times(reader, raw, where, around)
    taken = status == "captured"
    # a capture that was declined still says what its fee would have been: only one that was taken has any
    takings = _takings(reader, raw, where, amount, currency) if taken and currency else Takings([], None, {})
    custom, invoice = merchant_references(raw, around)
    order = related(raw, "order_id") or parent(raw, "order") or around.order_id
    kind, card = _tender(raw, around)
    context = around.context
    extensions = {
        "order_id": order,
        "authorization_id": _authorization_of(raw),
        "custom_id": custom,
        "invoice_id": invoice,
        "reason": why(raw),
    } | takings.extensions
    extensions = {key: value for key, value in extensions.items() if value is not None}
    return Charge(
        source=Source(
            channel=context.channel,
            adapter="paypal",
            id=identifier,
            version=stamp(changed),
            number=invoice,
            test=around.test or in_sandbox(raw),
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=currency,
        extensions={"paypal": extensions} if extensions else {},
        # an invoice number is for people; PayPal's own order is known to nobody else
        order_reference=custom or invoice or order,
        tender_type=kind,  # type: ignore[arg-type]
        status=status,  # type: ignore[arg-type]
        amount=amount,
        captured=amount if taken else 0,
        reference=identifier,
        card=card,
        fees=takings.fees,
        settlement=takings.settlement,
    )


def _tender(raw: Json, around: Around) -> tuple[str, Card | None]:
    """How it was paid: the order knows; a payment alone tells only whether a card was charged directly."""
    if around.tender is not None:
        return around.tender
    network = raw.get("network_transaction_reference")
    if type(network) is dict or type(raw.get("processor_response")) is dict:
        brand = text(network.get("network")) if type(network) is dict else None
        return "card", Card(brand=brand.lower()) if brand else None
    return "wallet", None


def _takings(reader: Reader, raw: Json, where: str, amount: int, currency: str) -> Takings:
    breakdown = raw.get("seller_receivable_breakdown")
    if breakdown is None:
        return _old_takings(reader, raw, where, amount, currency)
    where += "seller_receivable_breakdown"
    breakdown, where = reader.object(breakdown, where), where + "."
    net = maybe_money(reader, breakdown, "net_amount", where)
    received = maybe_money(reader, breakdown, "receivable_amount", where)
    settled = received or net
    rate = _rate(breakdown.get("exchange_rate"), amount, currency, settled)
    fee, kept = _fee(
        maybe_money(reader, breakdown, "paypal_fee", where),
        maybe_money(reader, breakdown, "paypal_fee_in_receivable_currency", where),
        currency,
        rate,
    )
    fees = [] if fee is None else [Fee(type="processing", amount=reader.within_limit(fee, where + "paypal_fee"))]
    for index, one in enumerate(reader.objects(breakdown, "platform_fees", where)):
        place = f"{where}platform_fees[{index}].amount"
        share = money(reader, one.get("amount"), place)
        if share and share[1] != currency:
            reader.refuse("WRONG_CURRENCY", place, "the platform's fee is in another currency than the payment")
        if share:
            fees.append(Fee(type="platform", amount=share[0]))
    return Takings(fees, _settlement(settled, currency, rate), kept)


def _old_takings(reader: Reader, raw: Json, where: str, amount: int, currency: str) -> Takings:
    """The old API states the fee beside the amount, and the net only where it is in another currency."""
    stated = maybe_money(reader, raw, "transaction_fee", where)
    settled = maybe_money(reader, raw, "receivable_amount", where)
    rate = _rate(raw.get("exchange_rate"), amount, currency, settled)
    fee, kept = _fee(stated, maybe_money(reader, raw, "transaction_fee_in_receivable_currency", where), currency, rate)
    fees = [] if fee is None else [Fee(type="processing", amount=reader.within_limit(fee, where + "transaction_fee"))]
    if settled is None and stated and stated[1] == currency:
        settled = reader.within_limit(amount - stated[0], where + "transaction_fee"), currency
    return Takings(fees, _settlement(settled, currency, rate), kept)


def _settlement(settled: tuple[int, str] | None, currency: str, rate: Decimal | None) -> Settlement | None:
    if settled is None:
        return None
    abroad = settled[1] != currency
    return Settlement(
        currency=settled[1], amount=settled[0], rate=as_text(rate) if abroad and rate is not None else None
    )


def _fee(
    here: tuple[int, str] | None, there: tuple[int, str] | None, currency: str, rate: Decimal | None
) -> tuple[int | None, Json]:
    """The fee in the payment's currency; one that was charged in the account's is brought back at the payment's own rate."""
    for stated in (here, there):
        if stated and stated[1] == currency:
            return stated[0], {}
    stated = here or there
    if stated is None:
        return None, {}
    kept = {"fee": {"currency": stated[1], "amount": stated[0]}}
    return (None if rate is None else convert(stated[0], stated[1], 1 / rate, currency)), kept


def _rate(value: Any, amount: int, currency: str, settled: tuple[int, str] | None) -> Decimal | None:
    """Units of the account's currency for one of the payment's."""
    given = value.get("value") if type(value) is dict else value
    written = rate_text(given)
    if written is None:
        return None
    rate = Decimal(written)
    if type(value) is dict and (value.get("source_currency") or value.get("target_currency")):
        backwards = value.get("target_currency") == currency or (settled and value.get("source_currency") == settled[1])
        return 1 / rate if backwards else rate
    if settled is None or settled[1] == currency or not amount:
        return rate
    # the old API does not say which way its rate goes: what was received does
    misses = [abs(convert(amount, currency, one, settled[1]) - settled[0]) for one in (rate, 1 / rate)]
    return rate if misses[0] <= misses[1] else 1 / rate
