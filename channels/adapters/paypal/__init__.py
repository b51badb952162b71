"""PayPal: captures, authorizations, refunds, disputes and bank transfers, by webhook, as REST answers and by Transaction Search. Pure.

words.py holds the vendor's words; payment.py, refund.py, dispute.py and search.py read one kind of object each,
signature.py proves a delivery, client.py asks.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from channels.adapter import Adapter, Context, Envelope, Headers, Ignored, Trust
from channels.adapters.paypal import client, signature
from channels.adapters.paypal.dispute import dispute_record
from channels.adapters.paypal.payment import authorization_record, capture_record, order_records
from channels.adapters.paypal.reading import Around, in_sandbox, kind_of
from channels.adapters.paypal.refund import refund_record
from channels.adapters.paypal.scrub import scrub
from channels.adapters.paypal.search import row_record
from channels.adapters.paypal.words import NOTHING_MOVED, READ_EVENTS, TOPICS
from channels.canonical import AnyRecord
from channels.client import Account, Ask, Calls, Limits, Pages, Pointer, Reply
from channels.reading import Json, Reader, word
from channels.refund import Refund
from salessync.core.problems import Problem, Refused


class PayPal(Adapter):
    """One PayPal business account.

    Credentials: `client_id` and `client_secret` of a REST app with Transaction Search and disputes switched on; `token` and
    `expires_at` are kept beside them. The webhook's id is its secret.
    """

    name = "paypal"
    label = "PayPal"
    settles = True
    is_processor = True
    topics = TOPICS
    kept_headers = frozenset({
        "paypal-transmission-id", "paypal-transmission-time", "paypal-cert-url", "paypal-auth-algo", "paypal-auth-version",
    })  # fmt: skip
    missing = {
        "sales": "PayPal knows payments, not goods: the sale comes from the shop, and an order here brings its charges",
        "edits": "A payment is not edited: it is captured, voided or refunded",
        "stock": "PayPal keeps no inventory",
    }
    streams = client.STREAMS
    limits = Limits(per_second=2.0, burst=10)  # PayPal publishes no numbers

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """By PayPal's certificate, for any of the live webhook ids."""
        signature.verify(headers, body, trust, now)

    def certificate_url(self, headers: Headers) -> str | None:
        """Only ever on PayPal's own hosts."""
        return signature.certificate_url(headers)

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """The event's id stays over retries; the transmission's does not."""
        if type(payload) is not dict or not word(payload.get("event_type")):
            return Envelope(None, "")
        return Envelope(word(payload.get("id")) or None, word(payload.get("event_type")))

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The charges, refunds, disputes and payouts that an event, an object or rows of Transaction Search hold."""
        return _normalize(payload, topic or "", context)

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """A completed order that does not show its payments."""
        event = type(payload) is dict and "resource" in payload and "event_type" in payload
        order = payload["resource"] if event else payload
        if type(order) is not dict or word(order.get("status")) != "COMPLETED":
            return None
        if kind_of(order, payload.get("resource_type"), word(payload.get("event_type"))) != "order" or _pays(order):
            return None
        identifier = order.get("id")
        return Pointer("order", identifier) if type(identifier) is str and identifier else None

    def parent(self, record: AnyRecord) -> Pointer | None:
        """The charge that a refund gives back."""
        return Pointer("charge", record.charge) if isinstance(record, Refund) and record.charge else None

    def base_url(self, account: Account) -> str:
        """The live API or the sandbox."""
        return client.base_url(account)

    def authorization(self, account: Account) -> Mapping[str, str]:
        """The access token, where there is one yet."""
        token = account.credentials.get("token")
        return {"Authorization": f"Bearer {token}"} if token else {}

    def refresh(self, account: Account) -> Ask | None:
        """By the app's id and secret; there is no refresh token."""
        return client.token_request(account)

    def renewed(self, reply: Reply, account: Account, now: datetime) -> dict[str, Any]:
        """The credentials with the new token and the time it lasts."""
        return client.with_token(reply, account.credentials, now)

    def pause(self, reply: Reply) -> float:
        """As Retry-After says, which PayPal does not always send."""
        wait = reply.headers.get("retry-after", "")
        return float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 0.0

    def poll(
        self,
        stream: str,
        account: Account,
        *,
        since: datetime,
        until: datetime,
        cursor: str | None,
        created: bool = False,
    ) -> Pages:
        """Rows of Transaction Search that began in the window, or disputes that changed in it."""
        if stream == "transactions":
            return client.transactions(account, since, until, cursor)
        if stream == "disputes":
            return client.disputes(since, until, cursor, created=created)
        raise ValueError(f"PayPal has no stream called {stream!r}")

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """An order, capture, authorization, refund or dispute by its id."""
        return client.fetch(pointer)

    def subscribe(self, account: Account, url: str) -> Calls:
        """One webhook a connection; its id comes back as the secret."""
        return client.subscribe(url)


def _normalize(payload: Any, topic: str, context: Context) -> list[AnyRecord]:
    if type(payload) is dict and "event_type" in payload and "resource" in payload:
        topic = word(payload.get("event_type")) or topic
    event = topic.strip().upper()
    if event in NOTHING_MOVED:
        raise Ignored(NOTHING_MOVED[event])
    if event and not event.startswith(READ_EVENTS):
        raise Ignored(f"the event {event[:60]!r} moves no money of a sale here")
    if type(payload) is not dict:
        raise Refused(Problem("NOT_AN_OBJECT", "$", "a PayPal payload is a JSON object"))
    reader = Reader()
    found = _records(reader, payload, event, Around(context=context, test=in_sandbox(payload)))
    reader.finish()
    return found


def _records(reader: Reader, payload: Json, event: str, around: Around) -> list[AnyRecord]:
    if "transaction_details" in payload:
        return _search_records(reader, payload, around)
    if "resource" in payload:
        return _event_records(reader, payload, event, around)
    if "items" in payload and "id" not in payload and "dispute_id" not in payload:
        rows = reader.objects(payload, "items")
        return [dispute_record(reader, one, f"items[{index}].", around) for index, one in enumerate(rows)]
    return _object_records(reader, payload, "", kind_of(payload, None, event), around)


def _event_records(reader: Reader, payload: Json, event: str, around: Around) -> list[AnyRecord]:
    resource = reader.object(payload.get("resource"), "resource")
    around = Around(
        context=around.context,
        test=around.test,
        at=reader.maybe_instant(payload, "create_time"),
        reversal=event.endswith(".REVERSED"),
    )
    if reader.problems:
        return []
    return _object_records(
        reader, resource, "resource.", kind_of(resource, payload.get("resource_type"), event), around
    )


def _object_records(reader: Reader, raw: Json, where: str, kind: str, around: Around) -> list[AnyRecord]:
    if kind == "order":
        return order_records(reader, raw, where, around)
    if kind == "capture":
        return [capture_record(reader, raw, where, around)]
    if kind == "refund":
        return [refund_record(reader, raw, where, around)]
    if kind == "dispute":
        return [dispute_record(reader, raw, where, around)]
    if kind == "authorization":
        record = authorization_record(reader, raw, where, around)
        if record is None and not reader.problems:
            raise Ignored("the authorization has been captured: its captures are the payments")
        return [record] if record else []
    reader.refuse("UNKNOWN_PAYLOAD", where or "$", "nothing that PayPal is known to send about money")
    return []


def _search_records(reader: Reader, payload: Json, around: Around) -> list[AnyRecord]:
    rows = reader.objects(payload, "transaction_details")
    records = [row_record(reader, row, f"transaction_details[{index}].", around) for index, row in enumerate(rows)]
    found = [record for record in records if record is not None]
    if not found and not reader.problems:
        raise Ignored("no payment, refund or transfer to the bank is among these rows")
    return found


def _pays(order: Json) -> bool:
    """Whether an order shows any payment."""
    units = order.get("purchase_units")
    return type(units) is list and any(type(one) is dict and one.get("payments") for one in units)


adapter = PayPal()
