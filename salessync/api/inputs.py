"""What a request says, read strictly: query parameters and a JSON body, each as the type that its operation declares."""

import re
from typing import Any, NamedTuple, TypeVar

import msgspec
from django.conf import settings
from rest_framework.request import Request

from channels import payload as payloads
from salessync.api.problems import ApiProblem
from salessync.core.problems import Problem, Refused

T = TypeVar("T", bound=msgspec.Struct)

_PLACE = re.compile(r"(?P<text>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>[^`]*)`")


class NoQuery(msgspec.Struct, frozen=True):
    """An operation without parameters."""


class Body(NamedTuple):
    """A JSON body: the bytes as they came, and what they say."""

    raw: bytes
    parsed: Any


def query(request: Request, kind: type[T]) -> T:
    """The query parameters; a 400 that names whichever is unknown, repeated or not to be read."""
    given = request.query_params
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems = [
        Problem("UNKNOWN_PARAMETER", _shown(name), f"there is no parameter of this name; there are: {', '.join(known)}")
        if known
        else Problem("UNKNOWN_PARAMETER", _shown(name), "there are no parameters here")
        for name in given
        if name not in known
    ]
    for name, values in given.lists():
        if len(values) > 1:
            problems.append(Problem("REPEATED_PARAMETER", _shown(name), "the parameter is given more than once"))
        elif "\x00" in values[0]:
            problems.append(Problem("NUL_CHARACTER", _shown(name), "no text can hold a NUL character"))
    if not problems:
        try:
            return msgspec.convert(given.dict(), kind, strict=False)
        except msgspec.ValidationError as error:
            problems.append(_of_parameter(error))
    raise ApiProblem(400, "bad-parameter", "A query parameter is not understood.", errors=problems)


def body(request: Request) -> Body:
    """The whole JSON body; 400, 411, 413 or 415 where there is none that every reader reads alike."""
    if request.content_type.partition(";")[0].strip().lower() != "application/json":
        raise ApiProblem(415, "unsupported-media-type", "The body must be application/json.")
    raw = _read(request)
    try:
        return Body(raw, payloads.parse(raw))
    except Refused as refused:
        raise ApiProblem(
            400, "unreadable-body", "The body is no JSON that can be used.", errors=refused.problems
        ) from None


def convert(parsed: Any, kind: type[T]) -> T:
    """Parsed JSON as its type; a 422 with the place where it is not."""
    try:
        return msgspec.convert(parsed, kind)
    except msgspec.ValidationError as error:
        raise ApiProblem(422, "invalid", "The body is not as it should be.", errors=[_problem(error)]) from None


def _read(request: Request) -> bytes:
    """Behind WSGI a chunked body would arrive empty, a cut one short."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if request.headers.get("transfer-encoding") or not (length.isascii() and length.isdigit()):
        raise ApiProblem(411, "length-required", "A Content-Length is required.")
    if len(length) > 12 or int(length) > settings.MAX_WEBHOOK_BYTES:
        raise ApiProblem(413, "too-large", f"The body is larger than {settings.MAX_WEBHOOK_BYTES} bytes.")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ApiProblem(415, "unsupported-media-type", "The body must not be compressed.")
    try:
        raw = bytes(request._request.body)
    except OSError:
        raise ApiProblem(400, "unreadable-body", "The body could not be read.") from None
    if len(raw) != int(length):
        raise ApiProblem(400, "unreadable-body", "The body is shorter than announced.")
    return raw


def _problem(error: msgspec.ValidationError) -> Problem:
    match = _PLACE.fullmatch(str(error))
    text, path = (match["text"], match["path"] or "") if match else (str(error), "")
    if field := _FIELD.match(text):
        where = f"{path}.{field['name']}" if path else field["name"]
        if field["what"] == "missing required":
            return Problem("MISSING_FIELD", where, f"the field {field['name']} is missing")
        return Problem("UNKNOWN_FIELD", where, f"there is no field called {field['name']} here")
    return Problem("BAD_FIELD", path or "$", text)


def _of_parameter(error: msgspec.ValidationError) -> Problem:
    problem = _problem(error)
    if problem.code == "MISSING_FIELD":
        return Problem("MISSING_PARAMETER", problem.path, f"the parameter {problem.path} is needed")
    return Problem("BAD_PARAMETER", problem.path, problem.message)


def _shown(name: str) -> str:
    """A name that somebody sent, as far as it is fit to be sent back."""
    return name[:60].encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00")
