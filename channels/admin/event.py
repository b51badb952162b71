"""The inbox: every message that was captured, what it said, and what became of it. Read-only."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from channels import adapter as adapters
from channels import inbox
from channels.admin import deciding
from channels.admin.reading import body_lines
from channels.models import Channel, Event
from salessync.core.json_lines import json_lines
from salessync.core.screens import PageAdmin, between, moment

STATE_COLOURS = {
    "new": "info", "claimed": "info", "posted": "success", "waiting": "warning", "ignored": "", "quarantined": "danger",
    "dead": "danger",
}  # fmt: skip


class TopicFilter(DropdownFilter):
    """The topics that the adapters know, so that no table is read for the list."""

    title = "topic"
    parameter_name = "topic"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        known = {topic for name in adapters.adapter_names() for topic in adapters.get(name).topics}
        return [(topic, topic) for topic in sorted(known)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(topic=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(deciding.DecidingMixin, PageAdmin):
    """Newest first; found by id or by the start of the dedupe key, which is the vendor's id of the delivery."""

    list_display = (
        "id",
        "received",
        "channel",
        "topic",
        "status",
        "mode",
        "took",
        "copies",
        "attempts",
        "first_problem",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("channel", RelatedDropdownFilter),
        TopicFilter,
        ("mode", ChoicesDropdownFilter),
    )
    list_select_related = ("channel",)
    search_fields = ("dedupe_key",)
    search_help_text = "event id, or the start of the dedupe key (the vendor's id of the delivery)"
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return super().get_queryset(request).defer("body", "headers")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        return search(queryset, search_term), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.replay_view))
        return [path("<int:pk>/replay/", view, name="channels_event_replay"), *super().get_urls()]

    def replay_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One event back into the inbox."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        deciding.replay(request, [get_object_or_404(Event.objects.only("id"), pk=pk).pk])
        return redirect("admin:channels_event_change", pk)

    def page(self, request: HttpRequest, obj: Event) -> dict[str, Any]:
        return {
            "event": obj,
            "colour": STATE_COLOURS[obj.state],
            "body": body_lines(obj),
            "headers": json_lines(obj.headers),
            "sha256": bytes(obj.body_sha256).hex(),
            "size": obj.purged_bytes if obj.purged_at else len(obj.body),
            "stages": list(stages(obj)),
            "problems": obj.problems or [],
            "may_replay": self.has_decide_permission(request) and not inbox.refusals([obj.pk]),
            "replay_url": reverse("admin:channels_event_replay", args=[obj.pk]),
        }

    @admin.display(description="received (UTC)")
    def received(self, event: Event) -> str:
        return moment(event.received_at)

    @display(description="state", label=STATE_COLOURS)
    def status(self, event: Event) -> tuple[str, str]:
        return event.state, event.get_state_display()

    @admin.display(description="took")
    def took(self, event: Event) -> str:
        return between(event.received_at, event.finished_at)

    @admin.display(description="problem")
    def first_problem(self, event: Event) -> str:
        if event.problems:
            return f"{event.problems[0]['code']}: {event.problems[0]['message']}"[:120]
        return (event.reason or "")[:120]


def search(events: QuerySet[Event], term: str) -> QuerySet[Event]:
    """By id, or by the start of the dedupe key."""
    term = term.strip().replace("\x00", "")
    if not term:
        return events
    channels = list(Channel.objects.values_list("pk", flat=True))  # named, so that the unique index may help
    found = Q(channel__in=channels, dedupe_key__startswith=term)
    if term.isascii() and term.isdigit() and len(term) < 12:
        found |= Q(id=int(term))
    return events.filter(found)


def stages(event: Event) -> Iterator[tuple[str, str, str]]:
    """(name, instant, time since the stage before) of those that happened."""
    before = None
    for name, at in (
        ("Received", event.received_at),
        ("Stored", event.stored_at),
        ("Taken into work", event.claimed_at),
        (
            event.get_state_display() if event.state not in ("new", "claimed") else "Finished",
            event.finished_at,
        ),
    ):
        if at:
            yield name, at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3], between(before, at)
            before = at
