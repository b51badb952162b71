"""Who asks, and what they may ask: `Authorization: Bearer <token>`, and a scope for each operation."""

from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from salessync.api import clients
from salessync.api.problems import ApiProblem
from salessync.core.models import ApiClient

REALM = 'Bearer realm="salessync"'


class BearerAuthentication(BaseAuthentication):
    """RFC 6750, in the header alone: a token in an address ends up in logs."""

    def authenticate(self, request: Request) -> tuple[ApiClient, None] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "").strip()
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("The Authorization header must be: Bearer, a space, and a token.")
        try:
            return clients.find(token.strip(), timezone.now()), None
        except clients.NotAccepted as error:
            raise AuthenticationFailed(str(error)) from None

    def authenticate_header(self, request: Request) -> str:
        return REALM


class HasScope(BasePermission):
    """The operation's own scope (schema.operation); a method that the resource does not have is refused later, by its name."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.user, ApiClient):
            return False
        scope = getattr(getattr(view, str(request.method).lower(), None), "scope", None)
        if scope is None or scope in request.user.scopes:
            return True
        raise ApiProblem(
            403,
            "missing-scope",
            f"This needs a token with the scope {scope}; this one has {', '.join(request.user.scopes)}.",
            headers={"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{scope}"'},
        )
