"""What Bookkeeper tells us: its accounts, how far its books are closed, and entries that were made there. The rules: ledger/inbound.py."""

from collections.abc import Callable
from datetime import date
from typing import Any, Literal, TypeVar

from django.utils import timezone
from msgspec import Struct
from rest_framework.request import Request

from ledger import counterparts, inbound, notices
from ledger.notices import AccountList, Correction, PeriodLock
from salessync.api import inputs
from salessync.api.inputs import NoQuery
from salessync.api.problems import ApiProblem
from salessync.api.resource import Resource
from salessync.api.schema import operation, reference
from salessync.core.models import ApiClient
from salessync.core.problems import Refused

T = TypeVar("T")
SCOPE = ApiClient.Scope.BOOKKEEPER


class Lacking(Struct, kw_only=True):
    """One of our accounts that has no counterpart there: `told_as` is what it is called in the entries that are sent."""

    account: str
    told_as: str
    why: Literal["unknown", "closed"]
    undelivered: int


class AccountsTaken(Struct, kw_only=True):
    """What the new list changed, by code, and what it still lacks."""

    added: list[str]
    changed: list[str]
    removed: list[str]
    without_counterpart: list[Lacking]


class UndeliveredEntry(Struct, kw_only=True):
    """An entry of the closed days that was not acknowledged."""

    id: int
    seq: int
    date: date
    state: Literal["due", "refused"]
    error: str | None


class PeriodLocked(Struct, kw_only=True):
    """How far our books are closed now; `undelivered` holds the first of `count`."""

    through: date
    changed: bool
    count: int
    undelivered: list[UndeliveredEntry]


class EntryNumber(Struct, kw_only=True):
    """A journal entry of ours."""

    id: int
    seq: int


class ProblemFound(Struct, kw_only=True):
    """Why a correction is in quarantine."""

    code: str
    path: str
    message: str


class CorrectionTaken(Struct, kw_only=True):
    """What became of a correction: `duplicate` where it had come before."""

    reference: str
    duplicate: bool
    event_id: int
    state: str
    problems: list[ProblemFound]
    entries: list[EntryNumber]


ACCOUNTS = {"accounts": [{"code": "4000", "name": "Sales", "kind": "income", "active": True}]}
LOCK = {"through": "2026-08-31", "reason": "August is filed"}
CORRECTION = {
    "id": "BK-J-77", "date": "2026-09-03", "reason": "bank charge",
    "postings": [{"account": "Expenses:Bank-charges", "amount": 350}, {"account": "Assets:Bank:Main", "amount": -350}],
}  # fmt: skip


class BookkeeperAccounts(Resource):
    @operation(
        scope=SCOPE,
        name="replace_bookkeeper_accounts",
        answer=AccountsTaken,
        body=reference(AccountList),
        example=ACCOUNTS,
    )
    def put(self, request: Request, query: NoQuery) -> AccountsTaken:
        """Bookkeeper's whole list of accounts: it takes the place of the one before."""
        chart = _heard(request, AccountList)
        changes = counterparts.receive(company=self.company, chart=chart, actor=_actor(self))
        lacking = [Lacking(**one._asdict()) for one in counterparts.without_counterpart(self.company)]
        return AccountsTaken(**changes._asdict(), without_counterpart=lacking)


class PeriodLocks(Resource):
    @operation(scope=SCOPE, name="lock_period", answer=PeriodLocked, body=reference(PeriodLock), example=LOCK)
    def post(self, request: Request, query: NoQuery) -> PeriodLocked:
        """Bookkeeper's books are closed through a day: ours are too from now on. Opens nothing that is closed here."""
        lock = _heard(request, PeriodLock)
        found = _done(lambda: inbound.close(company=self.company, lock=lock, actor=_actor(self), now=timezone.now()))
        return PeriodLocked(
            through=found.through,
            changed=found.changed,
            count=found.count,
            undelivered=[UndeliveredEntry(**one._asdict()) for one in found.undelivered],
        )


class Corrections(Resource):
    @operation(
        scope=SCOPE,
        name="send_correction",
        answer=CorrectionTaken,
        status=202,
        body=reference(Correction),
        example=CORRECTION,
    )
    def post(self, request: Request, query: NoQuery) -> CorrectionTaken:
        """An entry that was made in Bookkeeper becomes one of ours, once by its id there, and is never sent back."""
        correction = _heard(request, Correction)
        now = timezone.now()
        return _taken(
            _done(lambda: inbound.correct(company=self.company, correction=correction, actor=_actor(self), now=now))
        )


class OneCorrection(Resource):
    @operation(scope=SCOPE, name="correction", answer=CorrectionTaken)
    def get(self, request: Request, query: NoQuery, id: str) -> CorrectionTaken:
        """What became of a correction, by Bookkeeper's id of it."""
        found = inbound.taken(company=self.company, reference=id)
        if found is None:
            raise ApiProblem(404, "not-found", f"No correction {id} has come.")
        return _taken(found)


def _heard(request: Request, kind: type[T]) -> T:
    parsed = inputs.body(request).parsed
    return _done(lambda: notices.read(kind, parsed))


def _done(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Refused as refused:
        raise ApiProblem(422, "invalid", "It cannot be taken as it is.", errors=refused.problems) from None


def _actor(resource: Resource) -> str:
    return f"api:{resource.client.name}"


def _taken(found: inbound.Taken) -> CorrectionTaken:
    return CorrectionTaken(
        reference=found.reference, duplicate=found.duplicate, event_id=found.event_id, state=found.state,
        problems=[ProblemFound(**problem) for problem in found.problems],
        entries=[EntryNumber(**entry) for entry in found.entries],
    )  # fmt: skip
