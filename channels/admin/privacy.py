"""What persons asked of their data and what was done. Read-only; what is held of a person can be downloaded."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from channels import privacy
from channels.models import PrivacyRequest
from salessync.core.json_lines import json_lines
from salessync.core.screens import PageAdmin, actor, moment

PERMISSION = "channels.download_privacyrequest"


@admin.register(PrivacyRequest)
class PrivacyRequestAdmin(PageAdmin):
    """Newest first."""

    list_display = ("received", "channel", "kind_label", "status", "named", "what_was_done", "done_moment")
    list_filter = (("kind", ChoicesDropdownFilter), ("channel", RelatedDropdownFilter))
    list_select_related = ("channel",)
    ordering = ("-id",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.download_view))
        return [path("<int:pk>/download/", view, name="channels_privacyrequest_download"), *super().get_urls()]

    def has_download_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    def download_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What is held of the person now, as a file of JSON."""
        if not self.has_download_permission(request):
            raise PermissionDenied
        asked = get_object_or_404(PrivacyRequest.objects.select_related("channel"), pk=pk, answer__isnull=False)
        told = privacy.download(asked, actor=actor(request))
        response = HttpResponse(json.dumps(told, indent=1, ensure_ascii=False), content_type="application/json")
        response["Content-Disposition"] = f'attachment; filename="personal-data-{asked.pk}.json"'
        response["Cache-Control"] = "no-store"
        return response

    def page(self, request: HttpRequest, obj: PrivacyRequest) -> dict[str, Any]:
        return {
            "asked": obj,
            "state": state(obj),
            "colour": STATE_COLOURS[state(obj)],
            "done": done(obj),
            "answer": json_lines(obj.answer) if obj.answer else [],
            "closed": obj.kind == obj.Kind.DATA_REQUEST and obj.done_at and obj.answer is None,
            "may_download": self.has_download_permission(request) and obj.answer is not None,
            "download_url": reverse("admin:channels_privacyrequest_download", args=[obj.pk]),
        }

    @admin.display(description="received (UTC)")
    def received(self, asked: PrivacyRequest) -> str:
        return moment(asked.received_at)

    @admin.display(description="asked for")
    def kind_label(self, asked: PrivacyRequest) -> str:
        return asked.get_kind_display()

    @display(description="state", label={"Done": "success", "Searching": "info"})
    def status(self, asked: PrivacyRequest) -> str:
        return state(asked)

    @admin.display(description="orders named")
    def named(self, asked: PrivacyRequest) -> str:
        return "all" if asked.everyone else str(len(asked.orders))

    @admin.display(description="what was done")
    def what_was_done(self, asked: PrivacyRequest) -> str:
        return done(asked)

    @admin.display(description="done (UTC)")
    def done_moment(self, asked: PrivacyRequest) -> str:
        return moment(asked.done_at)


STATE_COLOURS = {"Done": "success", "Searching": "info"}


def state(asked: PrivacyRequest) -> str:
    """Done, or still searching what is stored."""
    return "Done" if asked.done_at else "Searching"


def done(asked: PrivacyRequest) -> str:
    """In a sentence: what was changed or found, so far."""
    records, messages = asked.done.get("records", 0), asked.done.get("messages", 0)
    counted = f"{_many(records, 'record')} and {_many(messages, 'message')}"
    if not asked.removes:
        return f"{counted} found" if records or messages else "nothing is held"
    removed = f"person removed from {counted}" if records or messages else "nothing was held"
    return f"{removed}; channel paused" if asked.everyone else removed


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
