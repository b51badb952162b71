"""Clients of the API: what they may do, and their tokens, each shown once."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from salessync.api import clients
from salessync.core.forms import only_company
from salessync.core.models import ApiClient, ApiSecret
from salessync.core.screens import AuditedAdmin, ListAdmin, actor, moment

STATE_COLOURS = {"live": "success", "expired": "warning", "revoked": "danger"}


class ApiClientForm(forms.ModelForm):
    """The scopes as boxes to tick."""

    scopes = forms.MultipleChoiceField(choices=ApiClient.Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = ApiClient
        fields = "__all__"

    def clean_name(self) -> str:
        try:
            return clients.check_name(self.cleaned_data["name"])
        except clients.UnableToIssue as error:
            raise forms.ValidationError(str(error)) from None


@admin.register(ApiClient)
class ApiClientAdmin(AuditedAdmin, ListAdmin):
    """A program. Its token is shown when it is made, and never again."""

    form = ApiClientForm
    fields = ("company", "name", "scopes", "requests_per_minute", "expires_at")
    list_display = ("name", "company", "may", "state", "tokens", "last_used", "expires")
    list_select_related = ("company",)
    search_fields = ("name",)
    ordering = ("company__slug", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiClient]:
        newest_first = Prefetch("secrets", queryset=ApiSecret.objects.order_by("-id"))
        return super().get_queryset(request).prefetch_related(newest_first)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiClient | None = None) -> tuple[str, ...]:
        return ("company", "name") if obj else ()  # the audit trail knows it by them

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return only_company()

    def has_delete_permission(self, request: HttpRequest, obj: ApiClient | None = None) -> bool:
        return False  # it is revoked instead

    def save_model(self, request: HttpRequest, obj: ApiClient, form: ApiClientForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            request.new_token = clients.issue_first(client=obj, actor=actor(request))

    def response_add(self, request: HttpRequest, obj: ApiClient, post_url_continue: Any = None) -> HttpResponse:
        return self._show(request, obj, request.new_token)

    # --- tokens

    def get_urls(self) -> list[URLPattern]:
        views = (("rotate", self.rotate_view), ("end_older", self.end_older_view), ("revoke", self.revoke_view))
        return [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(require_POST(view)), name=f"core_apiclient_{name}")
            for name, view in views
        ] + super().get_urls()

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Another token; the one before stays valid."""
        client = self._changeable(request, pk)
        try:
            token = clients.rotate(client=client, actor=actor(request))
        except clients.UnableToIssue as error:
            messages.error(request, f"No other token: {error}.")
            return redirect("admin:core_apiclient_change", pk)
        return self._show(request, client, token)

    def end_older_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ends a rotation."""
        clients.end_older(client=self._changeable(request, pk), actor=actor(request))
        messages.success(request, "Only the newest token counts.")
        return redirect("admin:core_apiclient_change", pk)

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """For good."""
        client = self._changeable(request, pk)
        clients.revoke(client=client, actor=actor(request))
        messages.success(request, f"{client} is revoked: none of its tokens counts.")
        return redirect("admin:core_apiclient_change", pk)

    def _changeable(self, request: HttpRequest, pk: int) -> ApiClient:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(ApiClient, pk=pk)

    def _show(self, request: HttpRequest, client: ApiClient, token: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Token of {client}",
            "opts": self.model._meta,
            "client": client,
            "token": token,
            "back": reverse("admin:core_apiclient_change", args=[client.pk]),
        }
        return TemplateResponse(request, "admin/core/apiclient/token.html", context)

    # --- what the pages show

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: ApiClient | None = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            names = ("rotate", "end_older", "revoke")
            context |= {
                "client": obj,
                "standing": _standing(obj),
                "colour": STATE_COLOURS[_standing(obj)],
                "secrets": [(s.prefix, moment(s.created_at), moment(s.last_used_at)) for s in obj.secrets.all()],
                "may_change": self.has_change_permission(request, obj),
                "urls": {name: reverse(f"admin:core_apiclient_{name}", args=[obj.pk]) for name in names},
            }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @admin.display(description="scopes")
    def may(self, client: ApiClient) -> str:
        return ", ".join(client.scopes)

    @display(description="state", label=STATE_COLOURS)
    def state(self, client: ApiClient) -> tuple[str, str]:
        return _standing(client), _standing(client)

    @admin.display(description="tokens")
    def tokens(self, client: ApiClient) -> str:
        return ", ".join(f"{secret.prefix}…" for secret in client.secrets.all())

    @admin.display(description="last used (UTC)")
    def last_used(self, client: ApiClient) -> str:
        return moment(max((s.last_used_at for s in client.secrets.all() if s.last_used_at), default=None)) or "never"

    @admin.display(description="expires (UTC)")
    def expires(self, client: ApiClient) -> str:
        return moment(client.expires_at)


def _standing(client: ApiClient) -> str:
    if client.revoked_at:
        return "revoked"
    return "expired" if client.expires_at and client.expires_at <= timezone.now() else "live"
