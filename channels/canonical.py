"""Canonical records to and from JSON. Pure."""

import hashlib
import re
from typing import Any

import msgspec
from msgspec.structs import replace

from channels.cash_session import CashSession
from channels.charge import Charge
from channels.dispute import Dispute
from channels.manual import Manual
from channels.payout import Payout
from channels.record import Record
from channels.refund import Refund
from channels.sale import Customer, Sale
from salessync.core.problems import Problem, Refused

AnyRecord = Sale | Refund | Charge | Payout | Dispute | CashSession | Manual
TYPES: dict[str, type[Record]] = {
    "sale": Sale,
    "refund": Refund,
    "charge": Charge,
    "payout": Payout,
    "dispute": Dispute,
    "cash_session": CashSession,
    "manual": Manual,
}

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(AnyRecord)
_MESSAGE = re.compile(r"^(?P<text>.*?)(?: - at `(?P<path>\$[^`]*)`)?$", re.DOTALL)


def encode(record: AnyRecord) -> bytes:
    """Canonical JSON of a record: one record, one sequence of bytes."""
    return _encoder.encode(record)


def decode(data: bytes) -> AnyRecord:
    """The record of canonical JSON; Refused with code, path and sentence where the shape does not hold."""
    try:
        record: AnyRecord = _decoder.decode(data)
        return record
    except msgspec.ValidationError as error:
        raise Refused(shape_problem(error)) from None
    except msgspec.DecodeError as error:
        raise Refused(Problem("NOT_JSON", "$", f"the record is not JSON: {error}")) from None


def from_dict(data: dict[str, Any]) -> AnyRecord:
    """The record of parsed JSON, strictly typed; Refused where the shape does not hold."""
    try:
        record: AnyRecord = msgspec.convert(data, AnyRecord)
        return record
    except msgspec.ValidationError as error:
        raise Refused(shape_problem(error)) from None


def digest(encoded: bytes) -> bytes:
    """SHA-256 of a record's canonical JSON."""
    return hashlib.sha256(encoded).digest()


def without_person(record: AnyRecord) -> AnyRecord:
    """The record with all its amounts, and with nothing that points to the customer: the one change that a stored version may undergo."""
    if not isinstance(record, Sale):
        return record
    customer, place = record.customer, record.jurisdiction
    if customer is not None:
        customer = Customer(exempt=True) if customer.exempt else None
    if place is not None and place.basis == "destination":
        place = replace(place, postcode=None, city=None)
    return replace(record, customer=customer, jurisdiction=place)


def shape_problem(error: msgspec.ValidationError) -> Problem:
    """msgspec's message as one of ours, with the canonical path of its place."""
    match = _MESSAGE.match(str(error))
    text, path = (match["text"], match["path"] or "$") if match else (str(error), "$")
    path = path.removeprefix("$.")
    missing = re.search(r"missing required field `([^`]+)`", text)
    if missing:
        field = missing[1]
        return Problem(f"MISSING_{field.upper()}", _inside(path, field), f"the field {field} is missing")
    unknown = re.search(r"contains unknown field `([^`]+)`", text)
    if unknown:
        return Problem("UNKNOWN_FIELD", _inside(path, unknown[1]), f"the record has no field called {unknown[1]}")
    if "Invalid enum value" in text or "Invalid value" in text:
        return Problem("UNKNOWN_VALUE", path, f"{text}: not a value of this field")
    last = path.rsplit(".", 1)[-1]
    if last == "currency":
        return Problem("UNKNOWN_CURRENCY", path, f"{text}: a currency is an ISO 4217 code in capitals")
    if "`datetime`" in text or "RFC3339" in text:
        return Problem("BAD_TIME", path, f"{text}: a time is RFC 3339 with its zone")
    if text.startswith("Expected `int`"):
        return Problem("BAD_AMOUNT", path, f"{text}: an amount is a whole number of minor units")
    return Problem("BAD_FIELD", path, text)


def _inside(path: str, field: str) -> str:
    return field if path == "$" else f"{path}.{field}"
