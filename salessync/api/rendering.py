"""How an answer is written: always as JSON. Imports no view, since REST framework reads its settings while it makes them."""

from typing import Any

import msgspec
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class Renderer(BaseRenderer):
    """JSON by msgspec: instants as RFC 3339 with Z, days as YYYY-MM-DD, records as the bytes that are stored."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return msgspec.json.encode(data)


class OnlyJson(BaseContentNegotiation):
    """There is one form of everything, and whoever asks for another gets it all the same (RFC 9110, 12.5.1)."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type
