"""Asks a company's tax provider, and our own rates where it does not answer.

1. What a service answered to the same question lately is its answer still (tax_provideranswer); it is asked again after MAX_AGE.
2. A service that does not answer is left alone for a while (tax.providers.breaker).
3. Whatever goes wrong with it, our own rates stand in: the answer is `degraded` and has a warning that names the service and the
   reason. Only where they have no answer either is there none, and the problem says why.

Over the network: never inside of the pipeline's transaction. A service's key is sealed in TaxSetting, and told to nobody but the service.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from salessync.core.crypto import UnableToDecrypt
from salessync.core.problems import Problem, Refused
from tax.law.ratebook import RateBook
from tax.models import ProviderAnswer, TaxSetting
from tax.providers import Access, provider
from tax.providers.answers import result_of
from tax.providers.breaker import Breaker
from tax.providers.local import Local
from tax.providers.provider import ACCESS_REFUSED, Declined, Provider, Unreachable
from tax.quoting.compare import compare
from tax.quoting.request import read

MAX_AGE = timedelta(days=30)
TIMEOUT = 8.0  # seconds for one question
_UNASKED = frozenset({"channel_tax"})  # part of the comparison, not of the question

logger = logging.getLogger(__name__)


class Consulted(NamedTuple):
    """`answer` as `quote_tax` gives it, None where there is none; `provider` is who gave it. `problem`: why it is not the one set."""

    answer: dict[str, Any] | None
    provider: str
    is_degraded: bool
    problem: Problem | None


def consult(setting: TaxSetting, request: Mapping[str, Any], *, book: RateBook, now: datetime) -> Consulted:
    """One request. Raises for nothing that the provider does or leaves undone."""
    return next(iter(consult_all(setting, [request], book=book, now=now)))


def consult_all(
    setting: TaxSetting, requests: Iterable[Mapping[str, Any]], *, book: RateBook, now: datetime
) -> list[Consulted]:
    """Requests of one company, one after the other: each question waits TIMEOUT at most, and none while the breaker is open."""
    try:
        access = Access(book=book, today=now.astimezone(UTC).date(), key=setting.key, address=setting.address)
        chosen = provider(setting.provider, access)
    except KeyError:
        problem = Problem("UNKNOWN_PROVIDER", "", f"there is no tax provider {setting.provider!r}")
        return [_stand_in(request, book, setting.provider, problem) for request in requests]
    except UnableToDecrypt:
        problem = Problem(ACCESS_REFUSED, "", f"the key for {setting.provider} cannot be decrypted: set it again")
        return [_stand_in(request, book, setting.provider, problem) for request in requests]
    if "offline" in chosen.capabilities:
        return [_offline(chosen, request) for request in requests]
    consultation = _Consultation(setting, chosen, access, now)
    return [consultation.ask(request) for request in requests]


def _offline(chosen: Provider, request: Mapping[str, Any]) -> Consulted:
    try:
        return Consulted(chosen.calculate(request, timeout=TIMEOUT), chosen.name, False, None)
    except Refused as refused:
        return Consulted(None, chosen.name, False, refused.problems[0])


class _Consultation:
    """One company's questions to its outside service."""

    def __init__(self, setting: TaxSetting, service: Provider, access: Access, now: datetime) -> None:
        self.service, self.access, self.now = service, access, now
        self.breaker = Breaker(service.name, setting.company_id)
        # who has another key or address has other registrations, and another answer
        self._account = [
            service.name,
            setting.company_id,
            setting.address,
            hashlib.sha256(access.key.encode()).hexdigest(),
        ]

    def ask(self, request: Mapping[str, Any]) -> Consulted:
        digest = self._digest(request)
        try:
            answer = self._kept(digest) or self._fresh(request, digest)
            return Consulted(_compared(answer, request), self.service.name, False, None)
        except Unreachable as error:
            problem = Problem("PROVIDER_UNREACHABLE", "", f"{self.service.name} could not be reached: {error}")
        except Refused as refused:
            problem = refused.problems[0]
        return _stand_in(request, self.access.book, self.service.name, problem)

    def _fresh(self, request: Mapping[str, Any], digest: bytes) -> dict[str, Any]:
        if not self.breaker.lets_through(self.now):
            raise Unreachable("it did not answer lately and is left alone for a while")
        question = {key: value for key, value in request.items() if key not in _UNASKED}
        try:
            answer = self.service.calculate(question, timeout=TIMEOUT)
        except Unreachable:
            self.breaker.failed(self.now)
            raise
        except Declined as declined:
            if declined.problems[0].code == ACCESS_REFUSED:  # one rejected key is not tried with every sale
                self.breaker.failed(self.now)
            else:
                self.breaker.answered()
            raise
        except Refused:  # it was not asked
            self.breaker.unused(self.now)
            raise
        self.breaker.answered()
        self._keep(digest, answer)
        return answer

    def _digest(self, request: Mapping[str, Any]) -> bytes:
        asked = {key: value for key, value in request.items() if key not in _UNASKED}
        if not asked.get("date"):  # rates change: an answer without a day is one of its own day
            asked["date"] = self.access.today.isoformat()
        text = json.dumps([self._account, asked], sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).digest()

    def _kept(self, digest: bytes) -> dict[str, Any] | None:
        found = ProviderAnswer.objects.filter(
            provider=self.service.name, digest=digest, answered_at__gt=self.now - MAX_AGE
        ).values_list("answer", flat=True)
        return found.first()

    def _keep(self, digest: bytes, answer: dict[str, Any]) -> None:
        """An answer that another process stored meanwhile stays; one that is too old gives way."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO tax_provideranswer AS kept (provider, digest, answer, answered_at) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (provider, digest) DO UPDATE SET answer = EXCLUDED.answer, answered_at = EXCLUDED.answered_at"
                " WHERE kept.answered_at <= %s",
                [self.service.name, digest, json.dumps(answer), self.now, self.now - MAX_AGE],
            )


def _stand_in(request: Mapping[str, Any], book: RateBook, name: str, problem: Problem) -> Consulted:
    """Our own rates for a provider that has no answer; its problem goes along."""
    logger.warning("tax provider %s: %s", name, problem.code)
    try:
        answer = Local(book).calculate(request)
    except Refused as refused:
        return Consulted(None, name, True, problem if problem.code != "PROVIDER_UNREACHABLE" else refused.problems[0])
    code = problem.code if problem.code == "PROVIDER_UNREACHABLE" else "PROVIDER_REFUSED"
    said = {"code": code, "path": problem.path, "message": f"{name}: {problem.message}; computed with our own rates"}
    return Consulted({**answer, "degraded": True, "warnings": [*answer["warnings"], said]}, "local", True, problem)


def _compared(answer: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """With a verdict on the channel's tax, where that was given."""
    if request.get("channel_tax") is None:
        return answer
    charged = read(dict(request)).channel_tax
    assert charged is not None
    verdict = compare(result_of(answer), charged, treatment=answer["treatment"], is_resolved=True)
    warnings = list(answer["warnings"])
    if verdict.problem is not None:
        warnings.append(
            {"code": verdict.problem.code, "path": verdict.problem.path, "message": verdict.problem.message}
        )
    return {**answer, "verdict": verdict.code, "warnings": warnings}
