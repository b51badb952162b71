"""What could not be posted, and what a person does about it. The record itself is never edited."""

import zoneinfo
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter, TextFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from channels.admin import deciding, reading
from channels.admin.event import STATE_COLOURS, search
from channels.models import Channel, Event, QuarantinedEvent
from salessync.core import audit
from salessync.core.json_lines import JsonLine, same_place
from salessync.core.screens import PageAdmin, actor, between

SAME_PROBLEM_AT_MOST = 1000


class CodeFilter(TextFilter):
    """Exactly one code, as MISSING_JURISDICTION."""

    title = "code"
    parameter_name = "code"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(problems__contains=[{"code": self.value()}]) if self.value() else queryset


class LackingForm(forms.Form):
    """What the channel's messages do not say, said for all of them."""

    country = forms.CharField(
        required=False,
        max_length=2,
        widget=UnfoldAdminTextInputWidget,
        help_text="two letters, where its sales are taxed",
    )
    region = forms.CharField(
        required=False, max_length=20, widget=UnfoldAdminTextInputWidget, help_text="state or province"
    )
    timezone = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="counts where a message names none")

    def __init__(self, *args: Any, channel: Channel, **kwargs: Any) -> None:
        now = {"country": channel.country, "region": channel.region, "timezone": channel.timezone}
        super().__init__(*args, initial=now, **kwargs)
        names = sorted(zoneinfo.available_timezones() | {channel.timezone})
        self.fields["timezone"].choices = [(name, name) for name in names]

    def clean_country(self) -> str:
        country = self.cleaned_data["country"].strip().upper()
        if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
            raise forms.ValidationError("two letters, as in ISO 3166 (US, DE)")
        return country


@admin.register(QuarantinedEvent)
class QuarantinedEventAdmin(deciding.DecidingMixin, PageAdmin):
    """The dead first, then the oldest: nothing should wait long."""

    list_display = ("id", "code", "sentence", "channel", "topic", "status", "age", "attempts")
    list_display_links = ("id", "code")
    list_filter = (CodeFilter, ("channel", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("channel",)
    search_fields = ("dedupe_key",)
    search_help_text = "event id, or the start of the dedupe key"
    ordering = ("state", "id")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("channels.view_event")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return super().get_queryset(request).filter(state__in=QuarantinedEvent.STATES).defer("body", "headers")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        return search(queryset, search_term), False

    def get_urls(self) -> list[URLPattern]:
        decisions = (("replay", self.replay_view), ("ignore", self.ignore_view), ("set", self.set_view))
        return [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"channels_quarantinedevent_{name}",
            )
            for name, view in decisions
        ] + super().get_urls()

    def page(self, request: HttpRequest, obj: QuarantinedEvent) -> dict[str, Any]:
        trying = "timezone" in request.GET
        form = LackingForm(request.GET if trying else None, channel=obj.channel)
        trial = as_if(obj.channel, form.cleaned_data) if trying and form.is_valid() else obj.channel
        now = reading.read(obj, trial.context())
        return {
            "event": obj,
            "colour": STATE_COLOURS[obj.state],
            "age": between(obj.received_at, timezone.now()),
            "problems": obj.problems or [],
            "body": marked(reading.body_lines(obj), [p["path"] for p in obj.problems or []]),
            "reading": now,
            "records": [(title, marked(lines, [p.path for p in now.problems])) for title, lines in now.records],
            "trying": trying and form.is_valid(),
            "lacking": form,
            "reason": deciding.ReasonForm(),
            "alike": alike(obj).count(),
            "may_decide": self.has_decide_permission(request),
            "urls": {
                name: reverse(f"admin:channels_quarantinedevent_{name}", args=[obj.pk])
                for name in ("replay", "ignore", "set")
            },
        }

    def replay_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Once more, after a fix elsewhere."""
        event = self._deciding_on(request, pk)
        deciding.replay(request, _with_alike(request, event))
        return redirect("admin:channels_quarantinedevent_changelist")

    def ignore_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Set aside for good, with a reason."""
        event = self._deciding_on(request, pk)
        form = deciding.ReasonForm(request.POST)
        if not form.is_valid():
            messages.error(request, "An event is only ignored with a reason.")
            return redirect("admin:channels_quarantinedevent_change", pk)
        deciding.ignore(request, [event.pk], form.cleaned_data["reason"])
        return redirect("admin:channels_quarantinedevent_changelist")

    def set_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the channel lacks is set on the channel, and the event goes again; or it is only tried, and nothing saved."""
        event = self._deciding_on(request, pk)
        form = LackingForm(request.POST, channel=event.channel)
        if not form.is_valid():
            messages.error(request, "; ".join(f"{name}: {', '.join(errors)}" for name, errors in form.errors.items()))
            return redirect("admin:channels_quarantinedevent_change", pk)
        if "try" in request.POST:
            settings = urlencode(form.cleaned_data)
            return redirect(f"{reverse('admin:channels_quarantinedevent_change', args=[pk])}?{settings}")
        ids = _with_alike(request, event)
        set_on_channel(event.channel, form.cleaned_data, actor=actor(request))
        deciding.replay(request, ids)
        return redirect("admin:channels_quarantinedevent_changelist")

    def _deciding_on(self, request: HttpRequest, pk: int) -> QuarantinedEvent:
        if not self.has_decide_permission(request):
            raise PermissionDenied
        return get_object_or_404(
            QuarantinedEvent.objects.select_related("channel").defer("body"), pk=pk, state__in=QuarantinedEvent.STATES
        )

    @admin.display(description="code")
    def code(self, event: QuarantinedEvent) -> str:
        more = len(event.codes) - 1
        return f"{event.codes[0]} +{more}" if more > 0 else "".join(event.codes)

    @admin.display(description="what is wrong")
    def sentence(self, event: QuarantinedEvent) -> str:
        return (event.problems or [{"message": ""}])[0]["message"][:160]

    @display(description="state", label=STATE_COLOURS)
    def status(self, event: QuarantinedEvent) -> tuple[str, str]:
        return event.state, event.get_state_display()

    @admin.display(description="age")
    def age(self, event: QuarantinedEvent) -> str:
        return between(event.received_at, timezone.now())


def as_if(channel: Channel, settings: dict[str, str]) -> Channel:
    """The channel with other settings, unsaved."""
    changed = Channel.objects.get(pk=channel.pk)
    for name, value in settings.items():
        setattr(changed, name, value)
    return changed


def set_on_channel(channel: Channel, settings: dict[str, str], *, actor: str) -> None:
    """Save what differs, with an audit row that tells both values."""
    with transaction.atomic():
        stands = Channel.objects.select_for_update().get(pk=channel.pk)
        changed = {n: [getattr(stands, n), v] for n, v in settings.items() if getattr(stands, n) != v}
        if changed:
            Channel.objects.filter(pk=channel.pk).update(**settings)
            audit.record([(channel.company_id, actor, "changed", "channel", channel.pk, changed)])


def alike(event: QuarantinedEvent) -> QuerySet[Event]:
    """Other events of its channel with the same first problem, at most SAME_PROBLEM_AT_MOST."""
    same = [{"code": event.codes[0]}] if event.codes else []
    others = Event.objects.filter(
        state__in=QuarantinedEvent.STATES, channel_id=event.channel_id, problems__contains=same
    ).exclude(pk=event.pk)
    return others.order_by("state", "id")[:SAME_PROBLEM_AT_MOST]


def _with_alike(request: HttpRequest, event: QuarantinedEvent) -> list[int]:
    others = [e.pk for e in alike(event).only("id")] if "alike" in request.POST else []
    return [event.pk, *others]


def marked(lines: list[JsonLine], paths: list[str]) -> list[tuple[JsonLine, bool]]:
    """Each line, and whether a problem points at it."""
    return [(line, any(same_place(line.path, path) for path in paths)) for line in lines]
