"""POST sales, refunds and cash-sessions: records of tills, one at a time; and GET of what became of each."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

import msgspec
from drf_spectacular.utils import OpenApiParameter
from msgspec import UNSET, Meta, Struct, UnsetType
from rest_framework.request import Request
from rest_framework.response import Response

from channels import payload as payloads
from channels.models import Event, Transaction
from salessync.api import examples, idempotency, inputs, intake
from salessync.api.idempotency import Answer
from salessync.api.inputs import NoQuery
from salessync.api.problems import ApiProblem
from salessync.api.resource import Resource
from salessync.api.schema import operation, received
from salessync.core.models import ApiClient
from salessync.core.problems import Problem, Refused

SCOPE = ApiClient.Scope.SALES
HEADERS = [
    OpenApiParameter(
        idempotency.HEADER, {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"},
        OpenApiParameter.HEADER, required=True,
        description="Your name of this request, new for each new one. Sent again with the same body, it is answered as it was.",
    ),
    OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[202], required=True, description="of the receipt"),
    OpenApiParameter(
        "Idempotency-Replayed", str, OpenApiParameter.HEADER, response=[202],
        description="true: an earlier request with this key was answered so",
    ),
]  # fmt: skip


class IntakeQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of which channel the record is, where it does not say so itself."""

    channel: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,60}$", description="a channel's slug")] | UnsetType = UNSET


class Receipt(Struct, kw_only=True):
    """A record in the inbox. `state`: new and claimed are on their way; posted: in the books; waiting: for the sale it belongs to;
    ignored: with a `reason`; quarantined and dead: `problems` say why, and a person looks at it. `href`: where to ask again.
    """

    id: int
    type: str
    channel: str
    state: Literal["new", "claimed", "posted", "waiting", "ignored", "quarantined", "dead"]
    received_at: datetime
    finished_at: datetime | None
    problems: list[Problem]
    reason: str | None
    transaction: int | None
    href: str


class Records(Resource):
    """Takes records of one type."""

    kind: ClassVar[str]

    def take(self, request: Request, query: IntakeQuery) -> Response:
        """Into the inbox, once, or a 422 with all that is wrong with it."""
        key, body, at = idempotency.key_of(request), inputs.body(request), datetime.now(UTC)

        def work() -> Answer:
            captured = intake.accept(
                client=self.client, kind=self.kind, channel=query.channel or "", key=key, body=body, at=at
            )
            event = Event.objects.select_related("channel").get(pk=captured.event_id)
            receipt = _receipt(event, f"{request.path.rstrip('/')}/{event.pk}")
            return Answer(202, msgspec.json.encode(receipt), {"Location": receipt.href})

        try:
            answer, again = idempotency.once(
                client=self.client, key=key, fingerprint=idempotency.fingerprint(request, body.raw), work=work
            )
        except Refused as refused:
            told = "The record cannot be used as it is; nothing of it was stored."
            raise ApiProblem(422, "record-refused", told, errors=refused.problems) from None
        headers = answer.headers | ({"Idempotency-Replayed": "true"} if again else {})
        return Response(msgspec.Raw(answer.body), status=answer.status, headers=headers)


class Receipts(Resource):
    """Tells of records of one type."""

    kind: ClassVar[str]

    def tell(self, request: Request, number: int) -> object:
        """The receipt as it stands now."""
        events = Event.objects.filter(company_id=self.company.pk, channel__adapter=intake.ADAPTER, topic=self.kind)
        event = events.select_related("channel").filter(pk=number).first()
        if event is None:
            raise ApiProblem(404, "not-found", "There is no such receipt.")
        return self.with_etag(_receipt(event, request.path.rstrip("/")))


class Sales(Records):
    kind = "sale"

    @operation(
        scope=SCOPE, name="send_sale", query=IntakeQuery, answer=Receipt, status=202, body=received("sale"), headers=HEADERS,
        example=examples.SALE,
    )  # fmt: skip
    def post(self, request: Request, query: IntakeQuery) -> Response:
        """Send a sale of any till: the canonical record at its latest version. An edited sale is sent again with a later version.

        What is answered 202 is stored, and its receipt tells what becomes of it. What is answered 422 is not stored.
        """
        return self.take(request, query)


class SaleReceipt(Receipts):
    kind = "sale"

    @operation(scope=SCOPE, name="sale_receipt", answer=Receipt, conditional=True)
    def get(self, request: Request, query: NoQuery, id: int) -> object:
        """What became of a sale that was sent."""
        return self.tell(request, id)


class Refunds(Records):
    kind = "refund"

    @operation(
        scope=SCOPE, name="send_refund", query=IntakeQuery, answer=Receipt, status=202, body=received("refund"),
        headers=HEADERS, example=examples.REFUND,
    )  # fmt: skip
    def post(self, request: Request, query: IntakeQuery) -> Response:
        """Send a refund of a till's sale. It waits for its sale where that is not here yet."""
        return self.take(request, query)


class RefundReceipt(Receipts):
    kind = "refund"

    @operation(scope=SCOPE, name="refund_receipt", answer=Receipt, conditional=True)
    def get(self, request: Request, query: NoQuery, id: int) -> object:
        """What became of a refund that was sent."""
        return self.tell(request, id)


class CashSessions(Records):
    kind = "cash_session"

    @operation(
        scope=SCOPE, name="send_cash_session", query=IntakeQuery, answer=Receipt, status=202, body=received("cash_session"),
        headers=HEADERS, example=examples.CASH_SESSION,
    )  # fmt: skip
    def post(self, request: Request, query: IntakeQuery) -> Response:
        """Send a drawer's session as it stands: opened, closed, counted, its cash deposited. Each state is another version."""
        return self.take(request, query)


class CashSessionReceipt(Receipts):
    kind = "cash_session"

    @operation(scope=SCOPE, name="cash_session_receipt", answer=Receipt, conditional=True)
    def get(self, request: Request, query: NoQuery, id: int) -> object:
        """What became of a cash session that was sent."""
        return self.tell(request, id)


def _receipt(event: Event, href: str) -> Receipt:
    return Receipt(
        id=event.pk,
        type=event.topic,
        channel=event.channel.slug,
        state=event.state,
        received_at=event.received_at,
        finished_at=event.finished_at,
        problems=[Problem(**problem) for problem in event.problems or []],
        reason=event.reason,
        transaction=_transaction(event) if event.state == Event.State.POSTED else None,
        href=href,
    )


def _transaction(event: Event) -> int | None:
    """The transaction that the event's record became; None where its body is kept no longer."""
    try:
        source_id = payloads.parse_stored(bytes(event.body))["source"]["id"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return None
    found = Transaction.objects.filter(channel=event.channel_id, type=event.topic, source_id=source_id)
    return found.values_list("pk", flat=True).first()
