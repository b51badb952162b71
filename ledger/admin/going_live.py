"""From which day a channel posts, and how: shown first what a change posts or takes back, then done."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from channels import coverage
from channels.models import Channel
from ledger import going_live, rebuild
from ledger.admin import rule_preview
from ledger.going_live import Choice
from ledger.rebuild import Scope
from salessync.core.screens import actor

VIEW, CHANGE = ("channels.view_channel", "ledger.view_journalentry"), "channels.change_channel"
POST_SECONDS = 4.0  # of posting in the request; a worker does the rest


class ChoiceForm(forms.Form):
    """The first day that posts, and how."""

    live_from = forms.DateField(
        required=False,
        label="First day that posts",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="business days before it are kept for refunds and matching, and post nothing; empty: every day posts",
    )
    posting_mode = forms.ChoiceField(
        choices=Channel.PostingMode.choices,
        label="How",
        widget=UnfoldAdminSelectWidget,
        help_text="the ways differ in the number of entries, never in the sum of any account; to post nothing takes everything back",
    )

    def choice(self) -> Choice:
        """Of a form that is valid."""
        return Choice(self.cleaned_data["live_from"], self.cleaned_data["posting_mode"])


def urls(site: AdminSite) -> list[URLPattern]:
    """The page of one channel, which the channel's own leads to."""

    def view(request: HttpRequest, pk: int) -> HttpResponse:
        return _page(site, request, pk)

    return [path("going-live/<int:pk>/", site.admin_view(view), name="ledger_goinglive")]


def _page(site: AdminSite, request: HttpRequest, pk: int) -> HttpResponse:
    if not request.user.has_perms(VIEW):
        raise PermissionDenied
    channel = get_object_or_404(Channel.objects.select_related("company"), pk=pk)
    may = request.user.has_perm(CHANGE) and coverage.expected(channel)
    now = going_live.chosen(channel)
    if request.method == "POST":
        form = ChoiceForm(request.POST)
        if not may:
            raise PermissionDenied
        if form.is_valid():
            return _post(request, channel, form.choice())
    else:
        form = ChoiceForm(request.GET if "posting_mode" in request.GET else _said(now))
    choice = form.choice() if form.is_valid() else None
    context: dict[str, Any] = {
        **site.each_context(request), "title": f"Going live: {channel}", "channel": channel, "form": form, "may": may,
        "now": going_live.sentence(now), "choice": choice, "changes": choice not in (None, now),
        "sentence": going_live.sentence(choice) if choice else "",
    }  # fmt: skip
    if choice is not None:
        try:
            tally, whole = going_live.look(channel, choice, seconds=rule_preview.LOOK_SECONDS)
        except OperationalError:  # somebody holds what it needs
            messages.error(request, "The books are being written without a pause: try again in a moment.")
            context["choice"] = None
        else:
            context |= rule_preview.told(channel.company, Scope(channel.company_id, channel.pk), tally, whole)
    return TemplateResponse(request, "admin/ledger/rebuild/going_live.html", context)


def _said(choice: Choice) -> dict[str, str]:
    return {"live_from": choice.live_from.isoformat() if choice.live_from else "", "posting_mode": choice.posting_mode}


def _post(request: HttpRequest, channel: Channel, choice: Choice) -> HttpResponse:
    with transaction.atomic():
        going_live.choose(channel, choice, actor=actor(request))
        reason = f"{channel.slug} {going_live.sentence(choice)}"
        asked = rebuild.ask(scope=Scope(channel.company_id, channel.pk), reason=reason, actor=actor(request))
    try:
        rebuild.go_on(asked, seconds=POST_SECONDS)
    except OperationalError:  # somebody holds what it needs; what it posted so far is kept
        asked.refresh_from_db()
    messages.success(request, f"{channel} {going_live.sentence(choice)}. {rule_preview.outcome(asked)}")
    return redirect("admin:ledger_goinglive", channel.pk)
