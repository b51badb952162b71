"""Settings that belong to a company, which stays the one they were made for."""

from typing import Any

from django.contrib.postgres.fields import DateRangeField
from django.db.models import Model
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter

from salessync.core.forms import Alone, only_company
from salessync.core.screens import AuditedAdmin, ListAdmin
from tax.admin.days import DaysField

COMPANY = ("company", RelatedDropdownFilter)


class OfCompanyAdmin(Alone, AuditedAdmin, ListAdmin):
    """The only company there is need not be chosen."""

    list_select_related: Any = ("company",)
    list_filter: Any = (COMPANY,)
    formfield_overrides = {DateRangeField: {"form_class": DaysField}}

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("company",) if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return only_company() | super().get_changeform_initial_data(request)
