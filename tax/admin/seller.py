"""What a company is to tax authorities: registrations, places it sends from, customers' certificates, checked tax numbers."""

import re
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display

from salessync.core.screens import ReadOnlyAdmin, moment
from tax.admin import days
from tax.admin.days import OnFilter
from tax.admin.of_company import COMPANY, OfCompanyAdmin
from tax.law.places import Place, UnknownPlace, site_of
from tax.law.seed import seed
from tax.models import Certificate, Registration, SellerPlace, TaxNumberCheck

REGISTRY_COLOURS = {"valid": "success", "invalid": "danger", "unreachable": "warning"}
_CUSTOMER = re.compile(r"sha256:[0-9a-f]{64}")
_ALIKE = {"GB": "UK", "GR": "EL"}


class RegistrationForm(forms.ModelForm):
    """A place that is known, or a scheme for many of them."""

    class Meta:
        model = Registration
        fields = ("company", "scheme", "jurisdiction", "number", "valid")

    def clean_jurisdiction(self) -> str:
        code = _known(self.cleaned_data["jurisdiction"])
        if code == "US":
            raise forms.ValidationError("the United States register by state: US-NY")
        return code

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        domestic = cleaned.get("scheme") == Registration.Scheme.DOMESTIC
        if "jurisdiction" in cleaned and domestic != bool(cleaned["jurisdiction"]):
            told = "where it is registered is missing" if domestic else "one-stop shops hold for many places: leave it empty"  # fmt: skip
            self.add_error("jurisdiction", told)
        return cleaned


class SellerPlaceForm(forms.ModelForm):
    """A place that rates can be found for."""

    class Meta:
        model = SellerPlace
        fields = ("company", "location", "country", "region", "postcode", "city")

    def clean_country(self) -> str:
        code = self.cleaned_data["country"].strip().upper()
        if not re.fullmatch("[A-Z]{2}", code):
            raise forms.ValidationError("two letters, as in ISO 3166 (US, DE)")
        return code

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        place = Place(*(cleaned.get(name) or "" for name in ("country", "region", "postcode", "city")))
        if place.country in seed().countries:
            try:
                site_of(place, seed(), date(2026, 1, 1))  # which states there are does not depend on the day
            except UnknownPlace as error:
                name = error.problem.path if error.problem.path in self.fields else None
                self.add_error(name, error.problem.message)
        return cleaned


class CertificateForm(forms.ModelForm):
    """The customer as records have him: never by name."""

    class Meta:
        model = Certificate
        fields = ("company", "customer", "jurisdiction", "reason", "number", "valid", "document")

    def clean_customer(self) -> str:
        customer = self.cleaned_data["customer"].strip().lower()
        if not _CUSTOMER.fullmatch(customer):
            raise forms.ValidationError("sha256: and 64 digits or letters a to f, as the sale's record has it")
        return customer

    def clean_jurisdiction(self) -> str:
        return _known(self.cleaned_data["jurisdiction"])


def _known(given: str) -> str:
    """In capitals; a ValidationError for a country or state that no rates are known of."""
    code = given.strip().upper()
    country, _, region = code.partition("-")
    book = seed()
    if code and (country not in book.countries or (region and (country, region) not in book.regions)):
        meant = next((iso for iso, alike in _ALIKE.items() if alike == country), "")
        hint = f": {meant} is meant" if meant else ""
        raise forms.ValidationError(f"{code[:20]} is no country or state that rates are known of{hint}")
    return code


class _DaysAdmin(OfCompanyAdmin):
    @admin.display(description="in force")
    def days(self, row: Any) -> str:
        return days.told(row.valid)


@admin.register(Registration)
class RegistrationAdmin(_DaysAdmin):
    """Where tax must be collected. Where there is none, none is computed."""

    form = RegistrationForm
    list_display = ("place", "scheme_label", "number", "days", "company")
    list_filter = (OnFilter, ("scheme", ChoicesDropdownFilter), COMPANY)
    search_fields = ("jurisdiction", "number")
    ordering = ("jurisdiction", "-valid")
    fields = ("company", ("scheme", "jurisdiction"), "number", "valid")

    @admin.display(description="place")
    def place(self, registration: Registration) -> str:
        return registration.jurisdiction or "every state of the EU"

    @admin.display(description="scheme")
    def scheme_label(self, registration: Registration) -> str:
        return registration.get_scheme_display()


@admin.register(SellerPlace)
class SellerPlaceAdmin(OfCompanyAdmin):
    """From where goods are sent, and where tills stand."""

    form = SellerPlaceForm
    list_display = ("title", "country", "region", "postcode", "city", "company")
    search_fields = ("location", "country", "region", "city")
    ordering = ("company", "location")
    fields = ("company", "location", ("country", "region"), ("postcode", "city"))

    @admin.display(description="location")
    def title(self, place: SellerPlace) -> str:
        return str(place)


@admin.register(Certificate)
class CertificateAdmin(_DaysAdmin):
    """Customers who need not pay tax there."""

    form = CertificateForm
    list_display = ("number", "jurisdiction", "reason", "days", "customer_label", "company")
    list_filter = (OnFilter, COMPANY)
    search_fields = ("number", "=customer", "jurisdiction")
    search_help_text = "number, place, or the customer's whole sha256:…"
    ordering = ("-id",)
    fields = ("company", "customer", ("jurisdiction", "reason"), "number", "valid", "document")

    @admin.display(description="customer")
    def customer_label(self, certificate: Certificate) -> str:
        return f"{certificate.customer[:19]}…"


class RegistryFilter(DropdownFilter):
    """What the register said."""

    title = "register"
    parameter_name = "registry"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        return [("valid", "valid"), ("invalid", "invalid"), ("unreachable", "unreachable"), ("none", "not asked")]

    def queryset(self, request: Any, queryset: Any) -> Any:
        value = self.value()
        known = value in dict(self.lookup_choices)
        return queryset.filter(registry="" if value == "none" else value) if known else queryset


@admin.register(TaxNumberCheck)
class TaxNumberCheckAdmin(ReadOnlyAdmin):
    """What was asked about customers' numbers, the newest first: the proof of a sale without tax."""

    list_display = ("number", "scheme", "form_label", "register", "consultation", "checked")
    list_filter = (RegistryFilter,)
    search_fields = ("=number", "=consultation")
    search_help_text = "the whole number, or the register's own of its answer"
    ordering = ("-id",)
    fields = list_display

    @display(description="form and check digit", label={"right": "success", "wrong": "danger"})
    def form_label(self, check: TaxNumberCheck) -> str:
        return "right" if check.is_well_formed else "wrong"

    @display(description="register", label=REGISTRY_COLOURS)
    def register(self, check: TaxNumberCheck) -> str:
        return check.registry or "not asked"

    @admin.display(description="asked (UTC)")
    def checked(self, check: TaxNumberCheck) -> str:
        return moment(check.checked_at)
