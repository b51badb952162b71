"""Bookkeeper's side of the wire: what a message looks like, how it is signed, and how its answer is read. No database.

The unit is one journal entry with the canonical record it was made from (interface.md, "Push to Bookkeeper"). Amounts are
integers in minor units. An answer counts only when it speaks of exactly the entries that were sent.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from django.conf import settings

from channels import canonical
from ledger import signatures
from salessync.core import http
from salessync.core.problems import Refused

TIMEOUT = 30.0  # seconds for one batch
READ_TIMEOUT = 10.0  # seconds for one page read back
PAGE = 200  # entries in it, with their records; Bookkeeper may give fewer, or more


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
    """An entry that Bookkeeper holds, as it gives it back: the fields it was sent with, and its receipt.

    `deleted`: it is still told of, and no longer counts there.
    """

    id: str
    seq: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    acknowledgement: str
    entry: dict[str, Any]
    deleted: bool = False


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


def fetch(*, entry: str | None = None, after: int = 0, timeout: float = READ_TIMEOUT) -> Iterator[Held]:
    """What Bookkeeper holds: one entry by its id, or all with a seq greater than `after`, page by page."""
    if entry is not None:
        yield from _read({"id": entry}, timeout)
        return
    while found := page(after=after, timeout=timeout):
        yield from found
        after = max(held.seq for held in found)


def page(*, after: int, timeout: float = READ_TIMEOUT) -> list[Held]:
    """The next entries in the order of seq, all of one seq together; none where nothing has a greater one."""
    found = _read({"after": after, "limit": PAGE}, timeout)
    if any(held.seq <= after for held in found):
        raise http.UnableToReach(f"Bookkeeper's page after {after} does not go forward")
    return found


def _read(params: dict[str, Any], timeout: float) -> list[Held]:
    headers = signature_headers(message_id=new_key(), body=b"", at=int(time.time()))
    answer = http.get_json(url=url(), params=params, headers=headers, timeout=timeout)
    try:
        return [_held(row) for row in msgspec.json.decode(answer.body, type=dict[str, Any])["entries"]]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(answer, f"{type(error).__name__} {error}"[:200]) from None


def _held(row: dict[str, Any]) -> Held:
    own = {"acknowledgement": row.pop("acknowledgement"), "deleted": row.pop("deleted", False)}
    return msgspec.convert({"id": row["id"], "seq": row["seq"], "entry": row, **own}, Held)


def same_entry(sent: Entry, held: Held) -> bool:
    """Whether Bookkeeper holds what we would send: every field, the record and the order of the postings included.

    It may have the record from before a privacy request took the person out of ours.
    """
    ours = as_dict(sent)
    return bool(ours == held.entry or ours == held.entry | {"record": without_person(held.entry.get("record"))})


def as_dict(entry: Entry) -> dict[str, Any]:
    """An entry as whoever parses its JSON sees it."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(entry))
    return found


def without_person(record: Any) -> Any:
    """A record of parsed JSON as a privacy request leaves it; what is no canonical record stays as it is."""
    try:
        redacted = canonical.without_person(canonical.from_dict(record))
    except Refused:
        return record
    return msgspec.json.decode(canonical.encode(redacted))


def new_key() -> str:
    """A webhook-id and Idempotency-Key of its own."""
    return f"msg_{uuid.uuid4().hex}"


def signature_headers(*, message_id: str, body: bytes, at: int) -> dict[str, str]:
    """Standard Webhooks headers, signed with each secret of BOOKKEEPER_SECRET; `at` in Unix seconds."""
    return signatures.headers(keys=_keys(), message_id=message_id, body=body, at=at)


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
        return [signatures.key(secret) for secret in secrets]
    except ValueError:
        raise NotConfigured("BOOKKEEPER_SECRET must be `whsec_` and base64: nothing is pushed") from None


def _unreadable(answer: http.Answer, why: str) -> http.UnableToReach:
    return http.UnableToReach(f"Bookkeeper answered {answer.status}, but {why}", status=answer.status)
