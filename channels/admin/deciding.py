"""What a person may do with events: replay them, or set them aside with a reason. Shared by the inbox and the quarantine."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from channels import inbox
from channels.models import Event
from salessync.core import nudge
from salessync.core.screens import actor

AT_ONCE = 5000
PERMISSION = "channels.replay_event"


class ReasonForm(forms.Form):
    """Nothing is set aside without a reason."""

    reason = forms.CharField(max_length=400, widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Why?"}))


class DecidingMixin:
    """Bulk replay and ignore, each after a page that says what will happen."""

    actions = ("replay_selected", "ignore_selected")

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    @action(description="Replay…", permissions=["decide"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[Event]) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            return self._confirm(request, queryset, "replay_selected", form=None)
        replay(request, _ids(queryset))
        return None

    @action(description="Ignore with a reason…", permissions=["decide"])
    def ignore_selected(self, request: HttpRequest, queryset: QuerySet[Event]) -> HttpResponse | None:
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._confirm(request, queryset, "ignore_selected", form=form)
        ignore(request, _ids(queryset), form.cleaned_data["reason"])
        return None

    def _confirm(
        self, request: HttpRequest, queryset: QuerySet[Event], name: str, *, form: forms.Form | None
    ) -> TemplateResponse:
        count = queryset.order_by()[: AT_ONCE + 1].count()
        context = {
            **self.admin_site.each_context(request),
            "title": "Replay events" if form is None else "Ignore events",
            "opts": self.model._meta,
            "action": name,
            "form": form,
            "count": min(count, AT_ONCE),
            "more": count > AT_ONCE,
            "sample": queryset.select_related("channel").defer("body", "headers")[:20],
            "selected": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "salessync/confirm.html", context)


def replay(request: HttpRequest, event_ids: Iterable[int]) -> None:
    """Back into the inbox, and say so; and why some did not."""
    ids = list(event_ids)
    refused = inbox.refusals(ids)
    count = inbox.replay(event_ids=ids, actor=actor(request))
    nudge.nudge(nudge.DRAIN_INBOX)
    if count or not refused:
        messages.success(request, f"{_events(count)} went back into the inbox.")
    for why, number in Counter(refused.values()).most_common(5):
        messages.warning(request, f"{_events(number)} did not, since {'it' if number == 1 else 'each'} {why}.")


def ignore(request: HttpRequest, event_ids: Iterable[int], reason: str) -> None:
    """Set aside, and say so."""
    count = inbox.ignore(event_ids=event_ids, reason=reason, actor=actor(request))
    messages.success(request, f"{_events(count)} set aside.")


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"


def _ids(queryset: QuerySet[Event]) -> list[int]:
    return list(queryset.order_by("id").values_list("id", flat=True)[:AT_ONCE])
