"""POST reservations: units held for a cart or a till, until its sale comes, it is given up, or its time is over."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from msgspec import Meta, Struct
from rest_framework.request import Request
from rest_framework.response import Response

from channels.models import Channel
from inventory import reservations
from inventory.reservations import LONGEST, MOST_LINES, SHORTEST, Asked, Closed, Reserved, Short
from salessync.api import idempotency, inputs, problems, sales
from salessync.api.idempotency import Answer
from salessync.api.inputs import Body, NoQuery
from salessync.api.problems import ApiProblem, ProblemDetails
from salessync.api.resource import Resource
from salessync.api.schema import operation, reference
from salessync.api.stock import units
from salessync.core.models import ApiClient
from salessync.core.problems import Problem, Refused

SCOPE = ApiClient.Scope.RESERVATIONS
MOST_UNITS = 999_999_999
DECIMAL = r"[0-9]{1,9}(\.[0-9]{1,4})?"

Seconds = Annotated[int, Meta(ge=SHORTEST, le=LONGEST, description="from now")]
Text = Annotated[str, Meta(min_length=1, max_length=255)]
Quantity = Annotated[
    Any,  # judged by _quantity, whose sentence says more than msgspec's
    Meta(
        description="more than 0; parts of a unit as a decimal string, to four places",
        extra_json_schema={
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_UNITS},
                {"type": "string", "pattern": f"^{DECIMAL}$"},
            ]
        },
    ),
]
HEADERS = [
    sales.HEADERS[0],
    OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[201], required=True, description="of the reservation"),
    OpenApiParameter(
        "Idempotency-Replayed", str, OpenApiParameter.HEADER, response=[201],
        description="true: an earlier request with this key was answered so",
    ),
]  # fmt: skip


class LineAsked(Struct, kw_only=True, forbid_unknown_fields=True):
    """Units of what the channel sells under this SKU; of a bundle its parts are held. Without a location: where there is enough."""

    sku: Text
    quantity: Quantity
    location: Annotated[str, Meta(min_length=1, max_length=60)] | None = None


class ReservationAsked(Struct, kw_only=True, forbid_unknown_fields=True):
    """`partial`: hold what there is; otherwise all of it or nothing. `reference`: your own, such as the cart's id."""

    channel: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,60}$", description="the slug of the channel that sells")]
    reference: Text
    lines: Annotated[list[LineAsked], Meta(min_length=1, max_length=MOST_LINES)]
    expires_in: Seconds = 900
    partial: bool = False


class ExtensionAsked(Struct, kw_only=True, forbid_unknown_fields=True):
    """How long it lasts from now; never shorter than it would have."""

    expires_in: Seconds = 900


class LineHeld(Struct, kw_only=True):
    """A line as it was asked for. `location`: where it is held; null for a bundle, whose parts may be at several places."""

    sku: str
    quantity: int | str
    held: int | str
    location: str | None


class ReservationHeld(Struct, kw_only=True):
    """`id` is what the sale's record names as its `reservation`. held: all of it; partial: some of it; committed: its sale has come;
    released and expired: it holds nothing any more. `held` of a line stays what it was.
    """

    id: UUID
    state: Literal["held", "partial", "committed", "released", "expired"]
    channel: str
    reference: str
    expires_at: datetime
    lines: list[LineHeld]


class LineAvailable(Struct, kw_only=True):
    """What there is of a line, once the lines before it have theirs."""

    sku: str
    quantity: int | str
    available: int | str


class NotEnough(ProblemDetails, kw_only=True):
    """The problem not-enough-stock, with every line in the order of the request."""

    lines: list[LineAvailable]


EXAMPLE = {
    "channel": "till-1", "reference": "cart-77", "expires_in": 900,
    "lines": [{"sku": "MUG", "quantity": 2}, {"sku": "TEA", "quantity": "0.25", "location": "front"}],
}  # fmt: skip


class Reservations(Resource):
    @operation(
        scope=SCOPE, name="reserve", answer=ReservationHeld, status=201, body=reference(ReservationAsked), headers=HEADERS,
        example=EXAMPLE,
    )  # fmt: skip
    def post(self, request: Request, query: NoQuery) -> HttpResponse:
        """Hold units for a cart. The sale that names the reservation takes it.

        Where there is not enough, nothing is held and the key is free again: 409, not-enough-stock, whose `lines` tell `sku`, `quantity`
        and `available` of each line. With `partial` that is the answer only where none of it is there.
        """
        key, body, now = idempotency.key_of(request), inputs.body(request), datetime.now(UTC)

        def work() -> Answer:
            made = self._reserve(body, now)
            held = _told(made)
            return Answer(201, msgspec.json.encode(held), {"Location": f"{request.path.rstrip('/')}/{made.id}"})

        try:
            answer, again = idempotency.once(
                client=self.client, key=key, fingerprint=idempotency.fingerprint(request, body.raw), work=work
            )
        except Short as short:
            return _not_enough(request, self.request_id, short)
        headers = answer.headers | ({"Idempotency-Replayed": "true"} if again else {})
        return Response(msgspec.Raw(answer.body), status=answer.status, headers=headers)

    def _reserve(self, body: Body, now: datetime) -> Reserved:
        asked = inputs.convert(body.parsed, ReservationAsked)
        quantities = [_quantity(line.quantity) for line in asked.lines]
        wrong = [
            Problem("BAD_QUANTITY", f"lines[{place}].quantity", f"a quantity is more than 0, at most {MOST_UNITS}, with"
                    ' at most four decimals: 2, or as a text "0.25"')
            for place, quantity in enumerate(quantities) if quantity is None
        ]  # fmt: skip
        channel = Channel.objects.filter(company=self.company, slug=asked.channel).first()
        if channel is None:
            wrong.append(Problem("UNKNOWN_CHANNEL", "channel", "the company has no channel of this name"))
        if wrong or channel is None:
            raise ApiProblem(422, "invalid", "The reservation cannot be made as it is.", errors=wrong)
        lines = [
            Asked(line.sku, quantity, line.location)
            for line, quantity in zip(asked.lines, quantities, strict=True)
            if quantity is not None
        ]
        try:
            return reservations.reserve(
                channel=channel, reference=asked.reference, lines=lines, expires_in=asked.expires_in, partial=asked.partial, now=now
            )  # fmt: skip
        except Refused as refused:
            told = "The reservation cannot be made as it is."
            raise ApiProblem(422, "invalid", told, errors=refused.problems) from None


class OneReservation(Resource):
    http_method_names: ClassVar[list[str]] = ["get", "head", "delete"]

    @operation(scope=SCOPE, name="reservation", answer=ReservationHeld, conditional=True)
    def get(self, request: Request, query: NoQuery, id: UUID) -> object:
        """A reservation as it stands."""
        return self.with_etag(_told(_found(reservations.find(company_id=self.company.pk, id=id))))

    @operation(scope=SCOPE, name="release_reservation", answer=ReservationHeld)
    def delete(self, request: Request, query: NoQuery, id: UUID) -> ReservationHeld:
        """Let its units go; it is told as it then stands. One that is over already stays as it is."""
        now = datetime.now(UTC)
        return _told(_found(reservations.release(company_id=self.company.pk, id=id, now=now)))


class Extension(Resource):
    @operation(
        scope=SCOPE, name="extend_reservation", answer=ReservationHeld, body=reference(ExtensionAsked), example={"expires_in": 900}
    )  # fmt: skip
    def post(self, request: Request, query: NoQuery, id: UUID) -> ReservationHeld:
        """Let it last longer; needs no Idempotency-Key, since sent twice it does no more. One that is over is a 409, reservation-over."""
        asked = inputs.convert(inputs.body(request).parsed, ExtensionAsked)
        now = datetime.now(UTC)
        try:
            found = reservations.extend(company_id=self.company.pk, id=id, expires_in=asked.expires_in, now=now)
        except Closed as closed:
            told = f"The reservation is {closed.state}: it holds nothing that could be held longer. Make a new one."
            raise ApiProblem(409, "reservation-over", told) from None
        return _told(_found(found))


def _found(reserved: Reserved | None) -> Reserved:
    if reserved is None:
        raise ApiProblem(404, "not-found", "There is no such reservation.")
    return reserved


def _quantity(given: Any) -> Decimal | None:
    """None where it is no quantity."""
    if isinstance(given, bool) or not isinstance(given, int | str) or re.fullmatch(DECIMAL, str(given)) is None:
        return None
    return Decimal(given) or None


def _told(reserved: Reserved) -> ReservationHeld:
    return ReservationHeld(
        id=reserved.id, channel=reserved.channel, reference=reserved.reference, state=reserved.state,
        expires_at=reserved.expires_at,
        lines=[
            LineHeld(sku=line.sku, quantity=units(line.quantity), held=units(line.held), location=line.location)
            for line in reserved.lines
        ],
    )  # fmt: skip


def _not_enough(request: Request, request_id: str, short: Short) -> HttpResponse:
    """As every problem is told (problems.handle), and what there is of each line."""
    lines = [
        LineAvailable(sku=one.asked.sku, quantity=units(one.asked.quantity), available=units(one.available))
        for one in short.lines
    ]
    details = NotEnough(
        type="urn:salessync:problem:not-enough-stock", title="Conflict", status=409,
        detail="There is not enough of what was asked for; nothing was held.", instance=request.path, request_id=request_id,
        errors=[
            Problem("NOT_ENOUGH_STOCK", f"lines[{place}].quantity", f"{line.quantity} asked for, {line.available} there")
            for place, (line, one) in enumerate(zip(lines, short.lines, strict=True))
            if one.is_short
        ],
        lines=lines,
    )  # fmt: skip
    return HttpResponse(msgspec.json.encode(details), problems.MEDIA_TYPE, 409)
