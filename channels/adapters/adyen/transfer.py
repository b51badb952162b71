"""Transfers of a balance platform: one that goes out to a bank is a payout, of which the lines are not told. Pure."""

from typing import Any

from channels.adapter import Context, Ignored
from channels.adapters.adyen.reading import Reader
from channels.adapters.adyen.words import TRANSFER_STATUS
from channels.payout import Payout
from channels.reading import Json, stamp, text, word
from channels.record import Source


def transfer_record(payload: Json, context: Context) -> Payout:
    """The payout as the transfer stands; `sequenceNumber` orders its states."""
    reader = Reader()
    data = reader.object(payload.get("data"), "data")
    reader.finish()
    if data.get("category") != "bank" or data.get("direction") != "outgoing":
        raise Ignored("a transfer that does not go out to a bank is no payout")
    identifier = reader.identifier(data.get("id"), "data.id")
    amount = reader.amount(data.get("amount"), "data.amount")
    at = reader.instant(data.get("creationDate"), "data.creationDate")
    changed = reader.maybe_instant(payload, "timestamp")
    if at is None:
        reader.finish()
        raise AssertionError("a time that cannot be read is a problem")
    version = _version(reader, data.get("sequenceNumber")) or stamp(max(at, changed or at))
    day = reader.business_day(at, context.timezone, context.day_cut_hour)
    place = _identifier_of(reader, data, "balanceAccount")
    reader.finish()
    return Payout(
        source=Source(
            channel=context.channel,
            adapter="adyen",
            id=identifier,
            version=version,
            location=place,
            test=payload.get("environment") == "test",
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=day,
        currency=reader.currency,
        processor="adyen",
        status=TRANSFER_STATUS.get(word(data.get("status")), "unknown"),  # type: ignore[arg-type]
        amount=amount,
        initiated_at=at,
        trace_id=text(data.get("referenceForBeneficiary")),
    )


def _version(reader: Reader, value: Any) -> str | None:
    return None if value is None else str(reader.quantity(value, "data.sequenceNumber"))


def _identifier_of(reader: Reader, parent: Json, key: str) -> str | None:
    value = parent.get(key)
    return reader.optional_id(reader.object(value, f"data.{key}").get("id"), f"data.{key}.id") if value else None
