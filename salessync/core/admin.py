"""People and the audit trail."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from salessync.core.models import AuditRow
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
