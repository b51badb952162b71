"""What every address of the API shares: its methods, the request's id, its headers, conditional answers."""

import hashlib
import re
import uuid
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from salessync.api.problems import ApiProblem
from salessync.api.throttling import Allowance
from salessync.core.models import ApiClient, Company

_REQUEST_ID = re.compile("[A-Za-z0-9._~-]{1,128}")


class Resource(APIView):
    """One address. Its methods are operations (schema.py)."""

    http_method_names = ["get", "head", "post", "put"]
    request_id = ""
    allowance: Allowance | None = None

    @property
    def client(self) -> ApiClient:
        """Who asks."""
        user: ApiClient = self.request.user
        return user

    @property
    def company(self) -> Company:
        """Whose data the client may see."""
        return self.client.company

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        given = request.headers.get("X-Request-ID", "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and "If-Match" in request.headers:
            raise ApiProblem(
                412, "precondition-failed", "A POST adds to what is here: it has no ETag that could match."
            )

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["X-Request-ID"] = self.request_id
        response["Cache-Control"] = "private, no-cache"
        for name, value in self.allowance.headers().items() if self.allowance else ():
            response[name] = value
        return response

    def with_etag(self, answer: Any) -> HttpResponseBase:
        """The answer with its ETag; 304 where the client has it already."""
        body = msgspec.json.encode(answer)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        early = get_conditional_response(self.request._request, etag=etag)
        if early is not None and early.status_code == 412:
            raise ApiProblem(412, "precondition-failed", "It is not what If-Match says any more.")
        response = HttpResponse(status=304) if early is not None else Response(msgspec.Raw(body))
        response["ETag"] = etag
        return response


class NotHere(Resource):
    """Any other address under /api/."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise ApiProblem(404, "not-found", "There is no such address.")
