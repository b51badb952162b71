"""What Bookkeeper takes: signature, shape, bounds and balance."""

import base64
import datetime
import hashlib
import hmac
import re
from typing import Any

MAX_POSTINGS = 10_000
MAX_AMOUNT = 2**53 - 1
TOLERANCE_SECONDS = 300

ENTRY_FIELDS = {"id", "seq", "date", "currency", "source", "record", "postings"}
SOURCE_FIELDS = {"type", "channel", "id", "version"}
POSTING_FIELDS = {
    "account",
    "amount",
    "currency",
    "base_amount",
    "channel",
    "location",
    "tax_code",
    "category",
    "path",
}
TYPES = {"sale", "refund", "charge", "payout", "dispute", "cash_session", "manual", "summary"}

ACCOUNT = re.compile(r"(Assets|Liabilities|Income|Expenses|Equity)(:[A-Z0-9][A-Za-z0-9-]*)+")
CURRENCY = re.compile(r"[A-Z]{3}")


class Refused(Exception):
    """This entry is not taken; the message says why."""


class BadRequest(Exception):
    """The request as a whole is not taken."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_signature(headers: Any, body: bytes, secret: bytes, *, now: float) -> None:
    """Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, the time within five minutes."""
    message_id, timestamp, signatures = (
        headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    )
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or not message_id or "." in message_id:
        raise BadRequest(401, "the signature's headers are missing or malformed")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise BadRequest(401, "the signature's time is more than five minutes off")
    wanted = b"v1," + base64.b64encode(
        hmac.digest(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    )
    if not any(hmac.compare_digest(wanted, given.encode("utf-8", "replace")) for given in signatures.split(" ")[:10]):
        raise BadRequest(401, "the signature does not fit")


def check_entry(entry: Any, base_currency: str | None) -> None:
    """Shape, bounds and balance of one entry; Refused with a sentence otherwise."""
    need(
        isinstance(entry, dict) and set(entry) == ENTRY_FIELDS,
        "an entry has exactly the fields of the interface",
    )
    need(_integer(entry["seq"]) and entry["seq"] > 0, "seq is a positive integer")
    need(_day(entry["date"]), "date is a day that exists, from 1970 to 2200")
    need(_currency(entry["currency"]), "currency is three capitals")
    source, record, postings = entry["source"], entry["record"], entry["postings"]
    need(isinstance(source, dict) and set(source) == SOURCE_FIELDS, "source has type, channel, id and version")
    need(all(_text(source[name], 255) for name in SOURCE_FIELDS), "source's fields are texts")
    need(source["type"] in TYPES, "source's type is one of the record's")
    need(isinstance(record, dict) and record.get("schema") == "salessync/1", "record is a canonical record")
    need(record.get("type") == source["type"], "the record is of the source's type")
    need(
        isinstance(record.get("source"), dict) and record["source"].get("id") == source["id"],
        "the record is the source's",
    )
    need(isinstance(postings, list) and 2 <= len(postings) <= MAX_POSTINGS, "an entry has two postings or more")
    for posting in postings:
        _check_posting(posting, base_currency)
    need(sum(p["base_amount"] for p in postings) == 0, "the postings do not sum to zero in base currency")
    currencies = {p["currency"] for p in postings}
    if len(currencies) == 1:
        need(sum(p["amount"] for p in postings) == 0, "the postings do not sum to zero")
    else:
        need(
            base_currency is not None,
            "several currencies, and this Bookkeeper was not told its base currency",
        )
    need(entry["currency"] in currencies, "no posting is in the entry's currency")


def _check_posting(posting: Any, base_currency: str | None) -> None:
    need(
        isinstance(posting, dict) and set(posting) == POSTING_FIELDS,
        "a posting has exactly the fields of the interface",
    )
    need(
        isinstance(posting["account"], str) and ACCOUNT.fullmatch(posting["account"]),
        "account is a full name",
    )
    for name in ("amount", "base_amount"):
        need(
            _integer(posting[name]) and abs(posting[name]) <= MAX_AMOUNT,
            f"{name} is an integer of a usable size",
        )
    need(posting["amount"] or posting["base_amount"], "a posting of nothing")
    need(_currency(posting["currency"]), "currency is three capitals")
    if posting["currency"] == base_currency:
        need(posting["amount"] == posting["base_amount"], "amount and base_amount differ in the base currency")
    need(_text(posting["channel"], 60) and _text(posting["path"], 3000), "channel and path are texts")
    for name in ("location", "tax_code", "category"):
        need(posting[name] is None or _text(posting[name], 1000), f"{name} is a text or null")


def check_id(entry: Any) -> str:
    """Without an id nothing can be said of an entry, and the whole batch is bad."""
    name = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not _text(name, 300) or not name.isprintable():
        raise BadRequest(400, "every entry has an id")
    return name


def need(holds: Any, sentence: str) -> None:
    """Refused with that sentence where something does not hold."""
    if not holds:
        raise Refused(sentence)


def _integer(value: Any) -> bool:
    return type(value) is int


def _text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest


def _currency(value: Any) -> bool:
    return isinstance(value, str) and CURRENCY.fullmatch(value) is not None


def _day(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and 1970 <= datetime.date.fromisoformat(value).year <= 2200
    except ValueError:
        return False
