"""Company, people and the audit trail."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from salessync.core.models import AuditRow, Company
from salessync.core.screens import AuditedAdmin, ReadOnlyAdmin, moment

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PeopleAdmin(UserAdmin, AuditedAdmin, ModelAdmin):
    """Django's own, in this admin's clothes."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_superuser", "last_login")


@admin.register(Group)
class RoleAdmin(GroupAdmin, AuditedAdmin, ModelAdmin):
    """Administrator, Reviewer and Auditor come from `bootstrap`; more can be made."""


@admin.register(Company)
class CompanyAdmin(AuditedAdmin):
    """A set of books; its currency and slug are fixed once there are books."""

    list_display = ("name", "slug", "base_currency", "feed_seq")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug", "base_currency") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AuditRow)
class AuditRowAdmin(ReadOnlyAdmin):
    """Who did what; append-only."""

    list_display = ("when", "actor", "action", "object_type", "object_id", "data")
    list_filter = (("at", RangeDateTimeFilter),)
    search_fields = ("=actor", "=action", "=object_type")
    search_help_text = "actor, action or object type, exactly"
    ordering = ("-id",)

    @admin.display(description="at (UTC)")
    def when(self, row: AuditRow) -> str:
        return moment(row.at)
