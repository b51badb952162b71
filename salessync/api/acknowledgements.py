"""POST acknowledgements: Bookkeeper's verdicts on the entries that it fetched."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from rest_framework.request import Request

from ledger import acknowledgements
from ledger.acknowledgements import Said
from salessync.api import inputs
from salessync.api.inputs import NoQuery
from salessync.api.journal import LAST
from salessync.api.problems import ApiProblem
from salessync.api.resource import Resource
from salessync.api.schema import operation, reference
from salessync.core.models import ApiClient
from salessync.core.problems import Problem

AT_ONCE = 1000


class Acknowledgement(Struct, kw_only=True, forbid_unknown_fields=True):
    """What Bookkeeper says of one entry, named by `id` or by `seq`. A receipt is needed unless it is refused."""

    id: Annotated[str, Meta(min_length=1, max_length=300)] | None = None
    seq: Annotated[int, Meta(ge=1, le=LAST)] | None = None
    status: Literal["accepted", "duplicate", "refused"] = "accepted"
    acknowledgement: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    error: Annotated[str, Meta(max_length=1000)] | None = None


class Acknowledgements(Struct, kw_only=True, forbid_unknown_fields=True):
    """Verdicts on at most a thousand entries."""

    acknowledgements: Annotated[list[Acknowledgement], Meta(min_length=1, max_length=AT_ONCE)]


class AcknowledgementResult(Struct, kw_only=True):
    """What became of one verdict. `unchanged`: it was known; `conflict`: another one was given before, and stays; `unknown`: there is
    no such entry, or nothing of it is to be delivered. `acknowledgement` and `error` are what stands now.
    """

    id: str | None
    seq: int | None
    result: Literal["acknowledged", "refused", "unchanged", "conflict", "unknown"]
    acknowledgement: str | None
    error: str | None


class AcknowledgementResults(Struct, kw_only=True):
    """In the order of the request."""

    results: list[AcknowledgementResult]


EXAMPLE = {
    "acknowledgements": [
        {"seq": 1041, "acknowledgement": "BK-77012"},
        {"id": "main:5532", "status": "refused", "error": "the period is closed"},
    ]
}


class AcknowledgementsReceived(Resource):
    @operation(
        scope=ApiClient.Scope.BOOKKEEPER, name="acknowledge", answer=AcknowledgementResults,
        body=reference(Acknowledgements), example=EXAMPLE,
    )  # fmt: skip
    def post(self, request: Request, query: NoQuery) -> AcknowledgementResults:
        """Acknowledge or refuse entries, each once: sending it again changes nothing, so no Idempotency-Key is needed."""
        given = inputs.convert(inputs.body(request).parsed, Acknowledgements).acknowledgements
        if problems := [p for place, one in enumerate(given) for p in _problems(one, f"acknowledgements[{place}]")]:
            raise ApiProblem(422, "invalid", "An acknowledgement is incomplete.", errors=problems)
        heard = acknowledgements.acknowledge(
            company=self.company, said=[_said(one) for one in given], actor=f"api:{self.client.name}"
        )
        return AcknowledgementResults(
            results=[
                AcknowledgementResult(
                    id=one.id, seq=one.seq, result=one.fate, acknowledgement=one.acknowledgement, error=one.error
                )
                for one in heard
            ]
        )


def _problems(one: Acknowledgement, where: str) -> list[Problem]:
    found = []
    if (one.id is None) == (one.seq is None):
        found.append(Problem("NOT_ONE_NAME", where, "name the entry by its id or by its seq, and by one of them"))
    if one.status != "refused" and one.acknowledgement is None:
        message = "what was accepted has a receipt: it is missing"
        found.append(Problem("MISSING_ACKNOWLEDGEMENT", f"{where}.acknowledgement", message))
    return found


def _said(one: Acknowledgement) -> Said:
    refused = one.status == "refused"
    text = one.error or "refused without a reason" if refused else one.acknowledgement
    return Said(one.id, one.seq, refused, str(text))
