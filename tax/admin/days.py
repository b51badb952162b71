"""Spans of days as people write them: a first and a last day, both included. The database has the day after the last instead."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib.postgres.forms import DateRangeField
from django.db.backends.postgresql.psycopg_any import DateRange
from django.db.models import QuerySet
from django.forms.widgets import MultiWidget
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import TextFilter

from salessync.core.forms import DayInput
from tax.rates import wording

DAY = timedelta(days=1)


class DaysInput(MultiWidget):
    """Two pickers in a row."""

    template_name = "unfold/widgets/range.html"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__((DayInput({"aria-label": "first day"}), DayInput({"aria-label": "last day"})), attrs)

    def decompress(self, value: DateRange | None) -> Sequence[date | None]:
        return (value.lower, last_day(value)) if value else (None, None)


class DaysField(DateRangeField):
    """Empty on either side: without end on that side."""

    default_error_messages = {"invalid": "a day is missing or is none", "bound_ordering": "the last day lies before the first"}  # fmt: skip

    def __init__(self, **kwargs: Any) -> None:
        text = "first and last day, both included; without a last one: until further notice"
        super().__init__(**kwargs | {"widget": DaysInput(), "help_text": text})

    def prepare_value(self, value: Any) -> Any:
        return [value.lower, last_day(value)] if isinstance(value, DateRange) else super().prepare_value(value)

    def compress(self, values: Sequence[date | None]) -> DateRange | None:
        found = super().compress(values)
        if found is None or found.upper is None:
            return found
        if found.upper == date.max:
            raise forms.ValidationError("leave the last day empty for: until further notice")
        return DateRange(found.lower, found.upper + DAY)


class OnFilter(TextFilter):
    """What holds on a day."""

    title = "day in force, as 2026-07-01"
    parameter_name = "on"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        text = (self.value() or "").strip()
        if not text:
            return queryset
        try:
            return queryset.filter(valid__contains=date.fromisoformat(text))
        except ValueError:
            return queryset.none()


def last_day(valid: DateRange) -> date | None:
    """None: there is none."""
    return valid.upper - DAY if valid.upper else None


def told(valid: DateRange | None) -> SafeString | str:
    """In words, as short as they can be."""
    return "never" if valid is None or valid.isempty else unbroken(between(valid.lower, valid.upper))


def unbroken(text: object) -> SafeString:
    """On one line; nothing for None."""
    return format_html('<span style="white-space: nowrap">{}</span>', "" if text is None else text)


def between(starts: date | None, ends: date | None) -> str:
    """Of a half-open span: `ends` is the first day on which it no longer holds."""
    return wording.days(starts, ends) or "always"
