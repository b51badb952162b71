"""Stripe: charges, refunds, disputes and payouts, by webhook or as REST answers. Pure.

words.py holds Stripe's words and currencies; a module each reads a charge, a refund, a payout and a dispute; client.py asks.
Stripe knows money, not goods: its charges complete the tenders of a shop's sales.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from channels.adapter import Adapter, Context, Envelope, Headers, Ignored, SignatureRefused, Trust
from channels.adapters.stripe.charge import charge_records, intent_records, session_records
from channels.adapters.stripe.client import PATHS, Client, pointer
from channels.adapters.stripe.dispute import dispute_record
from channels.adapters.stripe.payout import payout_record
from channels.adapters.stripe.reading import Reader, Seen
from channels.adapters.stripe.refund import refund_record
from channels.adapters.stripe.scrub import scrub
from channels.canonical import AnyRecord
from channels.reading import Json
from salessync.core.problems import Problem, Refused

TOLERANCE = 300  # seconds that a signature's time may lie before or after ours

OURS = tuple(f"{kind}." for kind in PATHS)  # how the topics begin whose objects are read


class Stripe(Client, Adapter):
    """One Stripe account; its credentials are told in client.py."""

    name = "stripe"
    label = "Stripe"
    settles = True
    is_processor = True
    missing: ClassVar[Mapping[str, str]] = {
        "sales": "Stripe knows what was paid, not what was sold; its charges complete the sales of a shop.",
        "edits": "What was sold, and so what is edited, is the shop's.",
        "stock": "Stripe keeps no stock.",
    }

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """`t=…,v1=…[,v1=…]`: hexadecimal HMAC-SHA256 over time, a dot and the body; two v1 while a secret is rolled."""
        time, signatures = _signature(headers.get("stripe-signature") or "")
        signed, matched = time.encode("ascii") + b"." + body, False
        for secret in trust.secrets:
            if secret:  # an HMAC under an empty key proves nothing
                expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode("ascii")
                for one in signatures:
                    matched |= hmac.compare_digest(expected, one)
        if not matched:
            raise SignatureRefused("the signature fits none of the live secrets")
        if abs(now.timestamp() - int(time)) > TOLERANCE:
            raise SignatureRefused("the signature is too old, or of a time that is still to come")

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """The event's id comes with every retry, and with the same event at another endpoint."""
        if type(payload) is not dict or payload.get("object") not in ("event", "v2.core.event"):
            return Envelope(None, "")
        identifier, topic = payload.get("id"), payload.get("type")
        known = type(identifier) is str and 0 < len(identifier) <= 255
        return Envelope(identifier if known else None, topic if type(topic) is str else "")

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The charges, refunds, dispute or payout that an event or a REST answer holds."""
        problems: list[Problem] = []
        found = _records(payload, "", Seen(topic=topic or ""), context, problems)
        if problems:
            raise Refused(*problems)
        return found

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)


def _signature(header: str) -> tuple[str, list[bytes]]:
    """The time as it is signed, and every v1 signature; v0 is a test's and proves nothing."""
    if not header.isascii() or len(header) > 8192:
        raise SignatureRefused("the signature is not what Stripe sends")
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for key, _, value in parts if key == "t"]
    signatures = [value.encode("ascii") for key, _, value in parts if key == "v1" and value]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > 12 or not signatures:
        raise SignatureRefused("no signature with a time" if header else "no signature")
    return times[0], signatures


def _records(payload: Any, where: str, seen: Seen, context: Context, problems: list[Problem]) -> list[AnyRecord]:
    if type(payload) is not dict:
        problems.append(Problem("NOT_AN_OBJECT", where.rstrip(".") or "$", "a Stripe payload is a JSON object"))
        return []
    kind = payload.get("object")
    if type(kind) is not str:
        return _joined(payload, where, seen, context, problems)
    if kind == "event":
        return _event(payload, where, context, seen, problems)
    if kind == "v2.core.event":
        return _thin_event(payload)
    if kind == "list":
        return _list(payload, where, seen, context, problems)
    return _object(payload, kind, where, seen, context, problems)


def _joined(payload: Json, where: str, seen: Seen, context: Context, problems: list[Problem]) -> list[AnyRecord]:
    """What the poller put together, and how old it is."""
    reader = Reader(problems)
    if payload.get("as_of") is not None:
        seen = seen._replace(at=reader.moment(payload, "as_of"))
    if "payout" in payload:
        payout = payload["payout"]
        if type(payout) is not dict:
            reader.object(payout, where + "payout")
            return []
        transactions = payload.get("balance_transactions")
        return _one(payout_record(payout, transactions, where + "payout.", seen, context, problems))
    if "read" in payload and where == "":
        return _records(payload["read"], "read.", seen, context, problems)
    problems.append(
        Problem("UNKNOWN_PAYLOAD", where.rstrip(".") or "$", "nothing that Stripe is known to send about money")
    )
    return []


def _event(payload: Json, where: str, context: Context, seen: Seen, problems: list[Problem]) -> list[AnyRecord]:
    topic = payload.get("type")
    topic = topic if type(topic) is str else seen.topic
    reader = Reader(problems)
    held = reader.object(reader.object(payload.get("data"), where + "data").get("object"), where + "data.object")
    kind = held.get("object")
    known = kind in PATHS if type(kind) is str else topic.startswith(OURS)
    if not known and not problems:
        raise Ignored(f"the event {topic[:60]!r} moves no money of a sale")
    at = reader.moment(payload, "created", where)
    if problems:
        return []
    seen = Seen(at=at, in_event=True, topic=topic, test=payload.get("livemode") is False)
    return _records(held, where + "data.object.", seen, context, problems)


def _thin_event(payload: Json) -> list[AnyRecord]:
    """It carries ids only: what it is about is fetched."""
    if pointer(payload) is None:
        raise Ignored("the event is about nothing that moves money of a sale")
    return []


def _list(payload: Json, where: str, seen: Seen, context: Context, problems: list[Problem]) -> list[AnyRecord]:
    """Every record of a REST list; what moves nothing is passed over, unless it is all there is."""
    found: list[AnyRecord] = []
    reasons: list[Ignored] = []
    reader = Reader(problems)
    if payload.get("data") is None:
        reader.refuse("NOT_A_LIST", where + "data", "a list of Stripe's has its rows in data")
    for index, row in enumerate(reader.objects(payload, "data", where)):
        try:
            found += _records(row, f"{where}data[{index}].", seen, context, problems)
        except Ignored as ignored:
            reasons.append(ignored)
    if reasons and not found and not problems:
        raise reasons[0]
    return found


def _object(row: Json, kind: str, where: str, seen: Seen, context: Context, problems: list[Problem]) -> list[AnyRecord]:
    if kind == "charge":
        return charge_records(row, where, seen, context, problems)
    if kind == "refund":
        return _one(refund_record(row, where, seen, context, problems))
    if kind == "dispute":
        return _one(dispute_record(row, where, seen, context, problems))
    if kind == "payout":
        return _one(payout_record(row, None, where, seen, context, problems))
    if kind == "payment_intent":
        return intent_records(row, where, seen, context, problems)
    if kind == "checkout.session":
        return session_records(row, where, seen, context, problems)
    if kind == "balance_transaction":
        raise Ignored("a balance transaction counts inside its charge and its payout")
    raise Ignored(f"an object of the kind {kind[:60]!r} moves no money of a sale")


def _one(record: AnyRecord | None) -> list[AnyRecord]:
    return [] if record is None else [record]


adapter = Stripe()
