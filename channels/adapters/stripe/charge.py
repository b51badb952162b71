"""Charges, and the payment intents and checkout sessions around them. Pure.

A charge knows money, not goods: what was authorized, what was captured of it and, where its balance transaction stands whole,
what Stripe keeps and what reaches the merchant.
"""

from datetime import datetime
from typing import Any, NamedTuple

from channels.adapter import Context, Ignored, customer_ref
from channels.adapters.stripe.reading import (
    Balance,
    Reader,
    Seen,
    extensions,
    inner,
    order_reference,
    rate_text,
    source,
)
from channels.adapters.stripe.refund import refund_record
from channels.adapters.stripe.words import CARD_BRAND, CHARGE_RANK, CHARGE_STATUS, TENDER_TYPE
from channels.canonical import AnyRecord
from channels.charge import Charge
from channels.reading import Json, last4, text, word
from channels.record import Card, Fee, Settlement
from salessync.core.problems import Problem

PRESENTED = ("presentment_amount", "presentment_currency")  # what the buyer saw, where Stripe converted it


class Means(NamedTuple):
    """How it was paid, and where: a reader at a location tells of a terminal."""

    type: str
    card: Card | None = None
    wallet: str | None = None
    location: Any = None
    register: Any = None
    offline: Json = {}


def charge_records(
    row: Json, where: str, seen: Seen, context: Context, problems: list[Problem], intent: Json | None = None,
    session: Json | None = None,
) -> list[AnyRecord]:  # fmt: skip
    """The charge, and the refunds that older API versions lay inside it."""
    around = intent if intent is not None else inner(row, "payment_intent")
    found: list[AnyRecord | None] = [_charge(Reader(problems), row, where, seen, context, around, session or {})]
    if row.get("refunds") is not None:
        reader = Reader(problems)
        held = reader.object(row["refunds"], where + "refunds")
        for index, refund in enumerate(reader.objects(held, "data", where + "refunds.")):
            place = f"{where}refunds.data[{index}]."
            found.append(refund_record(refund, place, seen, context, problems, charge=row))
    return [record for record in found if record is not None]


def intent_records(
    row: Json, where: str, seen: Seen, context: Context, problems: list[Problem], session: Json | None = None
) -> list[AnyRecord]:
    """The charges that a payment intent holds whole: its latest, or every attempt in API versions before 2022-11-15."""
    reader = Reader(problems)
    latest, held = row.get("latest_charge"), row.get("charges")
    charges: dict[str, tuple[str, Json]] = {}
    if type(latest) is dict:
        charges[str(latest.get("id"))] = (where + "latest_charge.", latest)
    if held is not None:
        for index, one in enumerate(reader.objects(reader.object(held, where + "charges"), "data", where + "charges.")):
            charges.setdefault(str(one.get("id")), (f"{where}charges.data[{index}].", one))
    if not charges and not problems:
        if not latest:
            raise Ignored("nothing has been charged for this payment intent yet")
        reader.linked(row, "latest_charge", where)
    return [
        record
        for place, one in charges.values()
        for record in charge_records(one, place, seen, context, problems, row, session)
    ]


def session_records(row: Json, where: str, seen: Seen, context: Context, problems: list[Problem]) -> list[AnyRecord]:
    """The charges inside a checkout session that holds its payment intent whole."""
    intent = row.get("payment_intent")
    if type(intent) is dict:
        return intent_records(intent, where + "payment_intent.", seen, context, problems, row)
    if not intent:
        raise Ignored("a checkout session without a payment: a subscription's charges come by themselves")
    Reader(problems).linked(row, "payment_intent", where)
    return []


def means(row: Json) -> Means:
    """The payment method: of the charge's own details, else of the method or (before 2019) the source it was paid with."""
    details = inner(row, "payment_method_details")
    kind = word(details.get("type"))
    if not kind:
        return _older_means(row)
    its = inner(details, kind)
    tender = TENDER_TYPE.get(kind, "unknown")
    return Means(
        type=tender,
        card=_card(its) if tender == "card" else None,
        wallet=text(inner(its, "wallet").get("type")),
        location=its.get("location"),
        register=its.get("reader"),
        offline=inner(its, "offline"),
    )


def _older_means(row: Json) -> Means:
    method, paid_with = inner(row, "payment_method"), inner(row, "source")
    kind = word(method.get("type")) or word(paid_with.get("type")) or word(paid_with.get("object"))
    if not kind and word(row.get("payment_method")).startswith("card_"):
        kind = "card"
    tender = TENDER_TYPE.get(kind, "unknown")
    holder = inner(method, kind) or inner(paid_with, kind) or paid_with
    return Means(type=tender, card=_card(holder) if tender == "card" else None)


def _card(its: Json) -> Card | None:
    """Brand and last four digits; never more, even where more was sent."""
    brand = word(its.get("brand"))[:40].casefold() or None
    digits = last4(its.get("last4"))
    if brand is None and digits is None:
        return None
    return Card(brand=CARD_BRAND.get(brand, brand) if brand else None, last4=digits)


def _charge(
    reader: Reader, row: Json, where: str, seen: Seen, context: Context, intent: Json, session: Json
) -> Charge | None:
    identifier = reader.identifier(row.get("id"), where + "id")
    reader.currency = reader.read_currency(row.get("currency"), where + "currency")
    if not reader.currency:
        return None
    created = reader.moment(row, "created", where)
    amount = reader.magnitude(row, "amount", where)
    status, captured = _state(reader, row, where, seen, intent, amount)
    balance = reader.balance(row, "balance_transaction", where)
    settled = balance if status == "captured" else None
    paid = means(row)
    stored = reader.maybe_moment(paid.offline, "stored_at", where + "payment_method_details.")
    place = where + "payment_method_details."
    location, register = (
        reader.optional_id(paid.location, place + "location"),
        reader.optional_id(paid.register, place + "reader"),
    )
    tip = _tip(reader, row, intent)
    extra = _extensions(reader, row, where, paid, settled)
    if created is None or reader.problems:
        return None
    at = stored or created
    day = reader.business_day(at, context.timezone, context.day_cut_hour)
    if reader.problems:
        return None
    origin = source(
        context, seen, identifier, _times(created, balance), CHARGE_RANK[status] * 10 + (settled is not None),
        test=row.get("livemode") is False,
    )  # fmt: skip
    origin.location, origin.register, origin.offline = location, register, stored is not None
    return Charge(
        source=origin,
        occurred_at=at,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        extensions=extra,
        order_reference=_order(row, intent, session),
        tender_type=paid.type,  # type: ignore[arg-type]
        status=status,  # type: ignore[arg-type]
        amount=amount,
        captured=captured,
        tip=tip,
        reference=identifier,
        card=paid.card,
        fees=_fees(settled, reader.currency),
        settlement=_settlement(settled, amount, captured, reader.currency),
    )


def _times(created: datetime, balance: Balance | None) -> list[datetime | None]:
    return [created, balance.at if balance else None]


def _state(reader: Reader, row: Json, where: str, seen: Seen, intent: Json, amount: int) -> tuple[str, int]:
    """Its status and what was captured. An authorization is a success that is not captured; its release counts as a refund."""
    status = CHARGE_STATUS.get(word(row.get("status")), "unknown")
    known = row.get("amount_captured") is not None  # not so before 2020-05
    taken = reader.magnitude(row, "amount_captured", where) if known else 0
    captured = row.get("captured")
    if status == "captured" and not (captured is True or taken):
        if captured is not False:
            reader.refuse(
                "MISSING_PAYMENT_STATUS", where + "captured", "the charge does not tell whether it was captured"
            )
        released = row.get("refunded") is True or seen.topic == "charge.expired" or intent.get("status") == "canceled"
        return ("voided" if released else "authorized"), 0
    if status == "captured":
        return status, taken if known else amount
    if status == "failed" and seen.topic == "charge.expired":
        return "voided", 0
    return status, 0


def _tip(reader: Reader, row: Json, intent: Json) -> int:
    """The payment intent has it; of several attempts it belongs to the latest."""
    latest = intent.get("latest_charge")
    tip = inner(inner(intent, "amount_details"), "tip")
    mine = latest is None or (latest.get("id") if type(latest) is dict else latest) == row.get("id")
    return (
        reader.magnitude(tip, "amount", "payment_intent.amount_details.tip.")
        if mine and tip.get("amount") is not None
        else 0
    )


def _order(row: Json, intent: Json, session: Json) -> str | None:
    found = order_reference(row, intent, session)
    for place, key in ((inner(intent, "payment_details"), "order_reference"), (session, "client_reference_id")):
        value = word(place.get(key))
        if found is None and value.strip() and len(value) <= 255:
            found = value
    return found


def _fees(balance: Balance | None, currency: str) -> list[Fee]:
    """In the charge's own currency only: one in another stands in the extensions, and follows from the settlement."""
    return balance.fees if balance and balance.currency == currency else []


def _settlement(balance: Balance | None, amount: int, captured: int, currency: str) -> Settlement | None:
    if balance is None:
        return None
    net = balance.net
    if balance.currency == currency and balance.amount == amount > captured:
        net -= (
            amount - captured
        )  # the uncaptured rest is counted here and taken back by a balance transaction of its own
    return Settlement(currency=balance.currency, amount=net, rate=rate_text(balance, amount, currency))


def _extensions(reader: Reader, row: Json, where: str, paid: Means, settled: Balance | None) -> Json:
    abroad = settled is not None and settled.currency != reader.currency
    shown = inner(row, "presentment_details")
    return extensions(
        payment_intent=reader.linked(row, "payment_intent", where),
        invoice=reader.linked(row, "invoice", where),
        customer=customer_ref(reader.linked(row, "customer", where)),
        wallet=paid.wallet,
        failure_code=text(row.get("failure_code")),
        address=_address(row),
        presentment={key: shown[key] for key in PRESENTED if type(shown.get(key)) in (int, str)},
        fee={"currency": settled.currency, "amount": settled.fee} if settled and abroad else None,
    )


def _address(row: Json) -> Json | None:
    """Where a charge that becomes a sale is taxed: the country and what else a jurisdiction has."""
    for key in ("shipping", "billing_details"):
        found = inner(inner(row, key), "address")
        if word(found.get("country")):
            return {
                key: value for key in ("country", "state", "postal_code", "city") if (value := text(found.get(key)))
            }
    return None
