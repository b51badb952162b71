"""What the API promises, as OpenAPI 3.1, said once: `operation` on a method is its scope, its parameters, its body and its answer.

The types are msgspec's: what encodes an answer and decodes a request also describes it, the canonical records among them.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from django.http.response import HttpResponseBase
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from channels.canonical import TYPES, AnyRecord
from salessync.api import inputs, problems
from salessync.api.inputs import NoQuery
from salessync.api.problems import ProblemDetails

REF = "#/components/schemas/{name}"
RECORD = {"$ref": REF.format(name="Record")}  # what a `record` in an answer is: any canonical record

REFUSALS = {
    400: "The request is not understood: a parameter that is unknown or wrong, a body that is no JSON, a missing key.",
    401: "There is no token, or none that counts.",
    403: "The token lacks the scope.",
    404: "There is no such thing, or it is another company's.",
    405: "The address knows no such method.",
    409: "A request with the same Idempotency-Key is in progress, or there is not enough.",
    411: "The body's length is not announced.",
    412: "A condition of the request (If-Match) does not hold.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "The request was understood and refused: `errors` names each place.",
    429: "Too many requests in this minute.",
    500: "A fault of ours.",
    503: "The database does not answer, or what was asked for takes too long.",
}
OF_ALL = (400, 401, 403, 404, 405, 412, 429, 500, 503)
OF_PARAMETERS = (422,)
OF_A_BODY = (411, 413, 415, 422)

HEADERS = [
    OpenApiParameter(
        "X-Request-ID", str, OpenApiParameter.HEADER, response=True, required=True,
        description="The request's own id, or one that was given to it. Name it when you ask us about the request.",
    ),
    OpenApiParameter(
        "Retry-After", int, OpenApiParameter.HEADER, response=[429], required=True, description="seconds",
    ),
    OpenApiParameter(
        "WWW-Authenticate", str, OpenApiParameter.HEADER, response=[401], required=True,
        description="What is expected: a bearer token.",
    ),
    *(
        OpenApiParameter(name, int, OpenApiParameter.HEADER, response=[200, 201, 202, 429], required=True, description=text)
        for name, text in (
            ("RateLimit-Limit", "requests in a minute"), ("RateLimit-Remaining", "requests left in this minute"),
            ("RateLimit-Reset", "seconds until the next minute begins"),
        )
    ),
]  # fmt: skip
UNCHANGED = OpenApiResponse(description="Nothing has changed since the ETag of If-None-Match.")

_described: dict[str, Any] = {"Record": AnyRecord, "ProblemDetails": ProblemDetails}
_received: set[str] = set()


def operation(
    *,
    scope: str,
    name: str,
    answer: Any,
    query: type[msgspec.Struct] = NoQuery,
    status: int = 200,
    body: dict[str, Any] | None = None,
    conditional: bool = False,
    headers: Iterable[OpenApiParameter] = (),
    example: Any = None,
) -> Callable[[Callable[..., Any]], Callable[..., HttpResponseBase]]:
    """Makes a method of a resource an operation of the API.

    It is called with the parameters as `query`, after token, scope and pace were checked; what it returns is the answer, unless it
    is a response already. `body` is a schema (`reference`, `received`); the method reads the body itself. `conditional`: the answer
    has an ETag.
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., HttpResponseBase]:
        @functools.wraps(method)
        def handler(view: Any, request: Request, **path: Any) -> HttpResponseBase:
            found = method(view, request, inputs.query(request, query), **path)
            return found if isinstance(found, HttpResponseBase) else Response(found, status=status)

        handler.scope = scope  # type: ignore[attr-defined]
        examples = [OpenApiExample("example", value=example, request_only=True)] if example is not None else []
        codes = sorted({*OF_ALL, *(OF_PARAMETERS if query is not NoQuery else ()), *(OF_A_BODY if body else ())})
        refused: dict[Any, Any] = {
            (code, problems.MEDIA_TYPE): OpenApiResponse(reference(ProblemDetails), description=REFUSALS[code])
            for code in codes
        }
        described = extend_schema(
            operation_id=name,
            parameters=[*parameters(query), *HEADERS, *headers],
            request={"application/json": body} if body else None,
            responses={
                status: OpenApiResponse(reference(answer), description=HTTPStatus(status).phrase),
                **({304: UNCHANGED} if conditional else {}),
                **refused,
            },
            examples=examples,
        )
        return described(handler)

    return decorate


def reference(kind: Any) -> dict[str, Any]:
    """A reference to the type's description, which then is part of the schema."""
    name = re.sub(r"\W", "_", kind.__name__)
    assert _described.setdefault(name, kind) is kind, f"two types are called {name}"
    return {"$ref": REF.format(name=name)}


def received(kind: str) -> dict[str, Any]:
    """A reference to a type of canonical record as it is sent here: what its channel knows may be left out of it."""
    name = TYPES[kind].__name__
    _received.add(name)
    return {"$ref": REF.format(name=f"{name}Sent")}


def parameters(query: type[msgspec.Struct]) -> list[OpenApiParameter]:
    """A query's fields as parameters."""
    _, components = msgspec.json.schema_components([query], ref_template=REF)
    described = components[query.__name__]
    found = []
    for name, schema in described["properties"].items():
        schema = dict(schema)
        text = schema.pop("description", "")
        required = name in described["required"]
        found.append(OpenApiParameter(name, schema, OpenApiParameter.QUERY, required=required, description=text))
    return found


# --- how drf-spectacular comes to know of it


class Description(AutoSchema):
    """A request's body is always needed, and nothing is said of 304, which has none."""

    def _get_request_body(self, direction: Any = "request") -> Any:
        body = super()._get_request_body(direction)
        return body and body | {"required": True}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Authorization: Bearer, with the operation's scope."""

    target_class = "salessync.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of `manage.py create_api_client`: sk_live_<prefix>_<secret>.",
        }

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[str]]:
        method = getattr(auto_schema.view, auto_schema.method.lower())
        return {self.name: [method.scope]}


def without_slash(endpoints: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each address once, though it is accepted with a slash too."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


def add_components(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """The descriptions that the operations refer to, and each refusal's once."""
    _, found = msgspec.json.schema_components(list(_described.values()), ref_template=REF)
    found["Record"] = _any_record()
    found["Entry"]["properties"]["record"] = RECORD
    found["SourceSent"] = _less_required(found["Source"])
    for name in _received:
        found[f"{name}Sent"] = _less_required(found[name], source={"$ref": REF.format(name="SourceSent")})
    refusals = {}
    for operation in (one for path in result["paths"].values() for one in path.values()):
        for code, response in operation["responses"].items():
            if problems.MEDIA_TYPE in response.get("content", ()):
                refusals[code] = response
                operation["responses"][code] = {"$ref": f"#/components/responses/{code}"}
    result["components"] |= {"schemas": dict(sorted(found.items())), "responses": dict(sorted(refusals.items()))}
    return result


def _any_record() -> dict[str, Any]:
    refs, _ = msgspec.json.schema_components(list(TYPES.values()), ref_template=REF)
    return {
        "title": "Record",
        "description": "A canonical record (salessync/1).",
        "oneOf": list(refs),
        "discriminator": {
            "propertyName": "type",
            "mapping": dict(zip(TYPES, (ref["$ref"] for ref in refs), strict=True)),
        },
    }


KNOWN_TO_THE_CHANNEL = frozenset({"timezone", "business_date", "channel", "adapter"})


def _less_required(schema: Mapping[str, Any], **properties: Any) -> dict[str, Any]:
    """What is sent here may leave out what its channel knows."""
    required = [name for name in schema["required"] if name not in KNOWN_TO_THE_CHANNEL]
    return {**schema, "required": required, "properties": {**schema["properties"], **properties}}
