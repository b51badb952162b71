"""Bookkeeper's side of the wire: what a message looks like, how it is signed, and how its answer is read. No database.

The unit is one journal entry with the canonical record it was made from (interface.md, "Push to Bookkeeper"). Amounts are
integers in minor units. An answer counts only when it speaks of exactly the entries that were sent.
"""

import base64
import binascii
import hashlib
import hmac
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
from django.conf import settings

from channels import canonical
from salessync.core import http
from salessync.core.problems import Refused

TIMEOUT = 30.0  # seconds for one batch
READ_TIMEOUT = 10.0  # seconds for one page read back

_PREFIX = "whsec_"


class NotConfigured(Exception):
    """BOOKKEEPER_URL or BOOKKEEPER_SECRET is absent or unusable; the message says which."""


class Origin(msgspec.Struct, frozen=True):
    """Which version of which source object the entry comes from; `channel` is the channel's slug."""

    type: str
    channel: str
    id: str
    version: str | None


class Leg(msgspec.Struct, frozen=True):
    """One posting: debit positive, credit negative; minor units of `currency` and of the company's base currency."""

    account: str
    amount: int
    currency: str
    base_amount: int
    channel: str
    location: str | None
    tax_code: str | None
    category: str | None
    path: str


class Entry(msgspec.Struct, frozen=True):
    """One journal entry as Bookkeeper receives it; `date` is the business date, YYYY-MM-DD."""

    id: str
    seq: int
    date: str
    currency: str
    source: Origin
    record: msgspec.Raw
    postings: list[Leg]


class Verdict(msgspec.Struct, frozen=True):
    """What Bookkeeper says of one entry."""

    id: str
    status: Literal["accepted", "duplicate", "refused"]
    acknowledgement: str | None = None
    error: str | None = None


class Held(msgspec.Struct, frozen=True):
    """An entry that Bookkeeper holds, as it gives it back: the fields it was sent with, and its receipt."""

    id: str
    seq: int
    acknowledgement: str
    entry: dict[str, Any]


class _Results(msgspec.Struct):
    results: list[Verdict]


def entry_id(*, company: str, entry: int) -> str:
    """The id under which Bookkeeper knows an entry, for ever: the company's slug and the entry's id."""
    return f"{company}:{entry}"


def why_not_configured() -> str | None:
    """A sentence where nothing can be pushed; None where everything is set."""
    try:
        url()
        _keys()
    except NotConfigured as error:
        return str(error)
    return None


def push(*, key: str, entries: Sequence[Entry], timeout: float = TIMEOUT) -> dict[str, Verdict]:
    """Send one batch under its key; returns one verdict for each entry. http.UnableToReach for anything less than that."""
    body = encode(entries)
    answer = http.post_json(
        url=url(),
        body=body,
        headers={"Idempotency-Key": key, **signature_headers(message_id=key, body=body, at=int(time.time()))},
        timeout=timeout,
    )
    return read_verdicts(answer, expected=[entry.id for entry in entries])


def encode(entries: Sequence[Entry]) -> bytes:
    """The body of a batch: the same entries give the same bytes."""
    return msgspec.json.encode({"entries": entries})


def read_verdicts(answer: http.Answer, *, expected: Sequence[str]) -> dict[str, Verdict]:
    """One verdict for each expected id, accepted and duplicate ones with a receipt; http.UnableToReach otherwise."""
    try:
        results = msgspec.json.decode(answer.body, type=_Results).results
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(answer, str(error)[:200]) from None
    verdicts = {result.id: result for result in results}
    if len(verdicts) != len(results) or verdicts.keys() != set(expected):
        raise _unreadable(answer, "its results are not the entries that were sent, each once")
    for verdict in results:
        receipt = verdict.acknowledgement
        if verdict.status != "refused" and not (receipt and len(receipt) <= 255 and "\x00" not in receipt):
            raise _unreadable(answer, f"{verdict.id} is {verdict.status} without a usable acknowledgement")
    return verdicts


def fetch(*, entry: str | None = None, after: int | None = None, timeout: float = READ_TIMEOUT) -> Iterator[Held]:
    """What Bookkeeper holds: one entry by its id, or all with a seq greater than `after`, page by page."""
    while True:
        params: dict[str, Any] = {"id": entry} if entry is not None else {"after": after or 0}
        headers = signature_headers(message_id=new_key(), body=b"", at=int(time.time()))
        answer = http.get_json(url=url(), params=params, headers=headers, timeout=timeout)
        page = _read_page(answer)
        if entry is None and any(held.seq <= (after or 0) for held in page):
            raise _unreadable(answer, "the page does not go forward")
        yield from page
        if entry is not None or not page:
            return
        after = max(held.seq for held in page)


def _read_page(answer: http.Answer) -> list[Held]:
    try:
        found = msgspec.json.decode(answer.body, type=dict[str, Any])["entries"]
        page = []
        for row in found:
            acknowledgement = row.pop("acknowledgement")
            held = {"id": row["id"], "seq": row["seq"], "acknowledgement": acknowledgement, "entry": row}
            page.append(msgspec.convert(held, Held))
        return page
    except (
        msgspec.MsgspecError,
        UnicodeDecodeError,
        RecursionError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise _unreadable(answer, f"{type(error).__name__} {error}"[:200]) from None


def same_entry(sent: Entry, held: Held) -> bool:
    """Whether Bookkeeper holds what we would send: every field, the record and the order of the postings included.

    It may have the record from before a privacy request took the person out of ours.
    """
    ours = msgspec.json.decode(msgspec.json.encode(sent))
    return bool(ours == held.entry or ours == _without_person(held.entry))


def _without_person(entry: dict[str, Any]) -> dict[str, Any]:
    try:
        record = canonical.without_person(canonical.from_dict(entry["record"]))
    except (Refused, KeyError):
        return entry
    return entry | {"record": msgspec.json.decode(canonical.encode(record))}


def new_key() -> str:
    """A webhook-id and Idempotency-Key of its own."""
    return f"msg_{uuid.uuid4().hex}"


def signature_headers(*, message_id: str, body: bytes, at: int) -> dict[str, str]:
    """Standard Webhooks headers; `at` in Unix seconds. One signature for each secret, so that secrets can be rotated."""
    signed = b"%s.%d.%s" % (message_id.encode(), at, body)
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in _keys())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def url() -> str:
    """Where Bookkeeper listens; NotConfigured where nobody said."""
    address = str(settings.BOOKKEEPER_URL or "")
    if not address:
        raise NotConfigured("BOOKKEEPER_URL is not set: nothing is pushed")
    return address


def _keys() -> list[bytes]:
    """The secrets of BOOKKEEPER_SECRET, separated by spaces: `whsec_` and base64."""
    secrets = str(settings.BOOKKEEPER_SECRET or "").split()
    if not secrets:
        raise NotConfigured("BOOKKEEPER_SECRET is not set: nothing is pushed, since nothing could be signed")
    try:
        keys = [_key(secret.removeprefix(_PREFIX)) for secret in secrets]
    except (binascii.Error, ValueError):
        keys = [b""]
    if not all(keys):
        raise NotConfigured("BOOKKEEPER_SECRET must be `whsec_` and base64: nothing is pushed")
    return keys


def _key(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _unreadable(answer: http.Answer, why: str) -> http.UnableToReach:
    return http.UnableToReach(f"Bookkeeper answered {answer.status}, but {why}", status=answer.status)
