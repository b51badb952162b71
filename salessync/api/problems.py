"""What went wrong, as application/problem+json (RFC 9457): the exception handler of every view of the API.

Every problem has a type for machines, a sentence for people, and in `errors` each place of the request that is wrong.
"""

import logging
from http import HTTPStatus
from math import ceil
from typing import Any, NamedTuple

import msgspec
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from msgspec import Struct
from psycopg.errors import QueryCanceled
from rest_framework.exceptions import APIException, AuthenticationFailed, Throttled

from salessync.core.problems import Problem

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class ProblemDetails(Struct, kw_only=True):
    """RFC 9457, with the places in `errors` and the request's id for whoever asks us about it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[Problem] = []


class ApiProblem(Exception):
    """Refused, and why: `kind` is the last part of the problem's type."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: list[Problem] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.errors, self.headers = errors or [], headers or {}


class _Found(NamedTuple):
    status: int
    kind: str
    detail: str
    errors: list[Problem] = []
    headers: dict[str, str] = {}


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """The answer to any exception of a view; a fault of ours is logged with its traceback, and told by the request's id only."""
    view, request = context["view"], context["request"]
    found = _read(error)
    if found.status == 500:
        logger.error("request %s failed", getattr(view, "request_id", ""), exc_info=error)
    details = ProblemDetails(
        type=f"urn:salessync:problem:{found.kind}",
        title=HTTPStatus(found.status).phrase,
        status=found.status,
        detail=found.detail,
        instance=request.path,
        request_id=getattr(view, "request_id", ""),
        errors=found.errors,
    )
    # whatever the view renders: a problem is a problem
    return HttpResponse(msgspec.json.encode(details), MEDIA_TYPE, found.status, headers=found.headers)


def _read(error: Exception) -> _Found:
    if isinstance(error, ApiProblem):
        return _Found(error.status, error.kind, error.detail, error.errors, error.headers)
    if isinstance(error, APIException):
        return _of_framework(error)
    if isinstance(error, Http404):
        return _Found(404, "not-found", "There is nothing here for this client.")
    if isinstance(error, PermissionDenied):
        return _Found(403, "permission-denied", "This is not allowed.")
    if isinstance(error, RequestDataTooBig):
        return _Found(413, "too-large", "The body is too large.")
    if isinstance(error, SuspiciousOperation | RecursionError):
        return _Found(400, "bad-request", "The request could not be read.")
    if isinstance(error, DatabaseError | InterfaceError):
        return _of_database(error)
    return _Found(500, "internal-error", "Something went wrong here. Nothing of this request was kept.")


def _of_framework(error: APIException) -> _Found:
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        wrong = ', error="invalid_token"' if isinstance(error, AuthenticationFailed) else ""
        headers["WWW-Authenticate"] = f"{auth_header}{wrong}"
    if isinstance(error, Throttled):
        headers["Retry-After"] = str(ceil(error.wait or 1))
    kind = str(error.default_code).replace("_", "-")
    return _Found(error.status_code, kind, str(error.detail), headers=headers)


def _of_database(error: Exception) -> _Found:
    if isinstance(error.__cause__, QueryCanceled):
        return _Found(503, "too-slow", "That takes too long to find: name a channel, a type or fewer days.")
    if isinstance(error, OperationalError | InterfaceError):
        logger.warning("the API could not use the database: %s", error)
        return _Found(503, "unavailable", "The database does not answer; try again.", headers={"Retry-After": "5"})
    if isinstance(error, DataError):
        return _Found(400, "bad-request", "A value of the request is none that can be looked for.")
    if isinstance(error, IntegrityError):
        return _Found(409, "conflict", "Another request was faster; try again.")
    return _Found(500, "internal-error", "Something went wrong here. Nothing of this request was kept.")
