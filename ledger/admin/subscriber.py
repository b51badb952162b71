"""Who is told by webhook. A secret is shown once, when it is made."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from ledger import subscribing
from ledger.models import Subscriber
from ledger.topics import TOPICS
from salessync.core.crypto import UnableToDecrypt
from salessync.core.forms import only_company
from salessync.core.problems import Refused
from salessync.core.screens import ListAdmin, actor, moment

STATE_COLOURS = {"active": "success", "failing": "warning", "disabled": "danger"}
BY_HAND = "disabled by hand"


class SubscriberForm(forms.ModelForm):
    """The topics as boxes to tick. Saving makes nothing yet: `subscribing.create` does, and says what is wrong."""

    topics = forms.MultipleChoiceField(
        choices=[(topic, topic) for topic in TOPICS], widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = Subscriber
        fields = ("company", "url", "topics")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            for problem in subscribing.problems(
                company=cleaned["company"], url=cleaned["url"], topics=cleaned["topics"]
            ):
                self.add_error("url" if problem.path == "url" else "topics", problem.message)
        return cleaned


@admin.register(Subscriber)
class SubscriberAdmin(ListAdmin):
    """Disabled ones go on, when they are enabled, where they stand: nothing is left out."""

    form = SubscriberForm
    list_display = ("url", "company", "told_of", "standing", "behind", "taken", "next_try", "last_error")
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("company",)
    search_fields = ("url",)
    ordering = ("company__slug", "url")

    def has_delete_permission(self, request: HttpRequest, obj: Subscriber | None = None) -> bool:
        return False  # it is disabled instead

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return only_company()

    def get_fields(self, request: HttpRequest, obj: Subscriber | None = None) -> tuple[str, ...]:
        return ("company", "url", "told_of") if obj else ("company", "url", "topics")

    def get_readonly_fields(self, request: HttpRequest, obj: Subscriber | None = None) -> tuple[str, ...]:
        return ("company", "url", "told_of") if obj else ()

    def save_model(self, request: HttpRequest, obj: Subscriber, form: SubscriberForm, change: bool) -> None:
        if change:
            return
        wish = form.cleaned_data
        try:
            made, request.new_secret = subscribing.create(
                company=wish["company"], url=wish["url"], topics=wish["topics"], actor=actor(request)
            )
        except Refused as refused:  # subscribed by somebody else in this moment
            raise PermissionDenied(str(refused)) from None
        obj.pk = made.pk

    def log_addition(self, request: HttpRequest, obj: Subscriber, message: Any) -> None:
        """The audit row is written with the change."""

    def response_add(self, request: HttpRequest, obj: Subscriber, post_url_continue: Any = None) -> HttpResponse:
        return self._show(request, obj, request.new_secret)

    # --- by hand

    def get_urls(self) -> list[URLPattern]:
        views = (
            ("rotate", self.rotate_view),
            ("end_older", self.end_older_view),
            ("enable", self.enable_view),
            ("disable", self.disable_view),
        )
        return [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(require_POST(view)), name=f"ledger_subscriber_{name}")
            for name, view in views
        ] + super().get_urls()

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Another secret; the one before signs as well."""
        subscriber = self._changeable(request, pk)
        try:
            secret = subscribing.rotate(subscriber, actor=actor(request))
        except UnableToDecrypt:
            messages.error(request, "Its secrets cannot be read with today's encryption keys: make it anew.")
            return redirect("admin:ledger_subscriber_change", pk)
        return self._show(request, subscriber, secret)

    def end_older_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ends a rotation."""
        subscribing.end_rotation(self._changeable(request, pk), actor=actor(request))
        messages.success(request, "Only the newest secret signs.")
        return redirect("admin:ledger_subscriber_change", pk)

    def enable_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """It goes on where it stands."""
        subscribing.enable(self._changeable(request, pk), actor=actor(request))
        messages.success(request, "It is told again, from where it stood.")
        return redirect("admin:ledger_subscriber_change", pk)

    def disable_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """It is told nothing more."""
        subscribing.disable(self._changeable(request, pk), actor=actor(request), why=BY_HAND)
        messages.success(request, "It is told nothing more until it is enabled.")
        return redirect("admin:ledger_subscriber_change", pk)

    def _changeable(self, request: HttpRequest, pk: int) -> Subscriber:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(Subscriber.objects.select_related("company"), pk=pk)

    def _show(self, request: HttpRequest, subscriber: Subscriber, secret: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Secret of {subscriber}",
            "opts": self.model._meta,
            "subscriber": subscriber,
            "secret": secret,
            "back": reverse("admin:ledger_subscriber_change", args=[subscriber.pk]),
        }
        return TemplateResponse(request, "admin/ledger/subscriber/secret.html", context)

    # --- what the pages show

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Subscriber | None = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            names = ("rotate", "end_older", "enable", "disable")
            context |= {
                "subscriber": obj,
                "standing": _standing(obj),
                "colour": STATE_COLOURS[_standing(obj)],
                "behind": obj.company.feed_seq - obj.cursor if "journal_entry.posted" in obj.topics else None,
                "secrets": _secrets(obj),
                "facts": _facts(obj),
                "may_change": self.has_change_permission(request, obj),
                "urls": {name: reverse(f"admin:ledger_subscriber_{name}", args=[obj.pk]) for name in names},
                "show_save": False,
                "show_save_and_continue": False,
                "show_save_and_add_another": False,
            }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @admin.display(description="topics")
    def told_of(self, subscriber: Subscriber) -> str:
        return ", ".join(subscriber.topics)

    @display(description="state", label=STATE_COLOURS)
    def standing(self, subscriber: Subscriber) -> tuple[str, str]:
        return _standing(subscriber), _standing(subscriber)

    @admin.display(description="entries behind")
    def behind(self, subscriber: Subscriber) -> str:
        told = "journal_entry.posted" in subscriber.topics
        return str(subscriber.company.feed_seq - subscriber.cursor) if told else ""

    @admin.display(description="last taken (UTC)")
    def taken(self, subscriber: Subscriber) -> str:
        return moment(subscriber.delivered_at) or "never"

    @admin.display(description="next try (UTC)")
    def next_try(self, subscriber: Subscriber) -> str:
        return moment(subscriber.next_attempt_at) if _standing(subscriber) == "failing" else ""


def _standing(subscriber: Subscriber) -> str:
    if subscriber.state == Subscriber.State.DISABLED:
        return "disabled"
    return "failing" if subscriber.failing_since else "active"


def _facts(subscriber: Subscriber) -> list[tuple[str, str]]:
    found = [
        ("Last taken (UTC)", moment(subscriber.delivered_at) or "never"),
        ("Failing since (UTC)", moment(subscriber.failing_since)),
        ("Failed attempts", str(subscriber.attempts or "")),
        ("Next try (UTC)", moment(subscriber.next_attempt_at) if _standing(subscriber) == "failing" else ""),
        ("Problem", subscriber.last_error or ""),
    ]
    return [(name, value) for name, value in found if value]


def _secrets(subscriber: Subscriber) -> int | None:
    """How many sign; None where they cannot be read."""
    try:
        return len(subscriber.secrets)
    except UnableToDecrypt:
        return None
