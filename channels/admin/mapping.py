"""Column mappings of files: edited as text, and tried on a file before anything is stored."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from channels import files
from channels import payload as payloads
from channels.adapters.csv.mapping import KEYS
from channels.adapters.csv.words import FIELDS, LINE, TENDER, TRANSACTION, WORDS
from channels.models import Channel, Mapping
from salessync.core.forms import only_company
from salessync.core.json_lines import JsonLine, json_lines
from salessync.core.problems import Problem, Refused
from salessync.core.screens import AuditedAdmin, ListAdmin, moment

LARGEST = 10_000_000  # bytes of a file that is tried on the page; `capture` takes larger ones
TRIED = 200  # transactions
SHOWN = 5  # of them
AGAIN = 60_000  # characters of a file that the page keeps for the next try

EXAMPLE = {
    "columns": {"Receipt": "id", "Time": "date", "Total": "total", "Tax": "tax", "Paid by": "tender_type"},
    "defaults": {"currency": "USD", "status": "completed", "country": "US"},
    "date_format": "%m/%d/%Y %H:%M",
}


class Shown(NamedTuple):
    """One transaction of the tried file."""

    title: str
    lines: list[JsonLine]


class Trial(NamedTuple):
    """What a file would become with the mapping as it stands in the form. `refused`: it could not even be split."""

    count: int
    more: bool
    wrong: int
    shown: list[Shown]
    problems: list[Problem]
    refused: bool


class BodyField(forms.JSONField):
    """The mapping as text: its parts in the order of their description, strictly read."""

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(in_order(value), ensure_ascii=False, indent=2) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            return super().to_python(value)
        try:
            return payloads.parse(value.encode())
        except Refused as refused:
            raise forms.ValidationError([p.message for p in refused.problems]) from None


def in_order(mapping: dict[str, Any]) -> dict[str, Any]:
    """The database keeps no order of keys; people look for the columns first, and among them for the id."""
    places = {name: place for place, name in enumerate((*KEYS, *FIELDS))}
    found = dict(sorted(mapping.items(), key=lambda item: places.get(item[0], len(places))))
    if isinstance(found.get("columns"), dict):
        found["columns"] = dict(sorted(found["columns"].items(), key=lambda item: places.get(item[1], len(places))))
    return found


class MappingForm(forms.ModelForm):
    """The mapping, and a file to try it on. A form that only tries is never valid, and so never saved."""

    channel = forms.ModelChoiceField(
        Channel.objects.none(),
        required=False,
        label="As a file of",
        widget=UnfoldAdminSelectWidget,
        help_text="the channel whose zone, day and place of taxation count where the file has none",
    )
    file = forms.FileField(
        required=False,
        label="File",
        widget=UnfoldAdminFileFieldWidget,
        help_text="the first transactions are shown below",
    )
    text = forms.CharField(
        required=False,
        strip=False,
        label="Or its first lines",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "class": "s-mono", "spellcheck": "false"}),
        help_text="header and some rows; a small file that was chosen above comes to stand here",
    )

    class Meta:
        model = Mapping
        fields = "__all__"
        field_classes = {"body": BodyField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trial: Trial | None = None
        if "channel" in self.fields:
            self.fields["channel"].queryset = channels = Channel.objects.filter(adapter=files.ADAPTER).order_by("slug")
            if len(channels) == 1:
                self.initial["channel"] = channels[0].pk
        if "body" in self.fields:
            attrs = self.fields["body"].widget.attrs
            attrs |= {"rows": 24, "class": f"{attrs.get('class', '')} s-mono", "spellcheck": "false"}

    @property
    def changed_data(self) -> list[str]:
        """What was only tried is no change."""
        return [name for name in super().changed_data if name not in ("channel", "file", "text")]

    @property
    def tries(self) -> bool:
        """Whether the person asked for a trial and not for saving."""
        return "_try" in self.data

    def is_valid(self) -> bool:
        valid = super().is_valid()
        if not self.tries:
            return valid
        if valid and self.trial is None:
            self._try()
        return False

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file and file.size > LARGEST:
            raise forms.ValidationError(f"only {LARGEST // 1_000_000} MB are tried here; `capture` takes any size")
        return file

    def _try(self) -> None:
        file = self.cleaned_data.get("file")
        content = file.read() if file else self.cleaned_data.get("text", "").encode()
        if not content.strip():
            self.add_error("text", "choose a file, or paste its first lines")
            return
        channel = self.cleaned_data.get("channel")
        context = channel.context() if channel else Channel(slug="trial", adapter=files.ADAPTER).context()
        self.trial = try_on(content, self.cleaned_data["body"], context)
        if file and len(content) <= AGAIN:
            self.data = self.data.copy()
            self.data["text"] = content.decode("utf-8-sig", "replace")


def try_on(content: bytes, mapping: Any, context: Any) -> Trial:
    """Read the beginning of a file with a mapping; stores nothing."""
    try:
        found = list(files.proven(content, mapping, context, TRIED + 1))
    except Refused as refused:
        return Trial(0, False, 0, [], refused.problems, True)
    tried = found[:TRIED]
    problems = [problem for one in tried for problem in one.problems]
    shown = [
        Shown(f"{record.record_type} {record.source.id}, {_where(one.lines)}", json_lines(msgspec.to_builtins(record)))
        for one in tried[:SHOWN]
        for record in one.records
    ]
    wrong = sum(bool(one.problems) for one in tried)
    return Trial(len(tried), len(found) > TRIED, wrong, shown, problems[: files.MOST_PROBLEMS], False)


def _where(lines: Sequence[int]) -> str:
    return f"line {lines[0]}" if lines[0] == lines[-1] else f"lines {lines[0]} to {lines[-1]}"


@admin.register(Mapping)
class MappingAdmin(AuditedAdmin, ListAdmin):
    """One kind of file."""

    form = MappingForm
    list_display = ("name", "company", "columns_mapped", "changed")
    list_select_related = ("company",)
    search_fields = ("name",)
    ordering = ("name",)
    fieldsets = ((None, {"fields": ("company", "name", "body")}), ("Try it", {"fields": ("channel", "file", "text")}))
    change_form_template = "admin/channels/mapping/change_form.html"

    def get_fieldsets(self, request: HttpRequest, obj: Mapping | None = None) -> Any:
        writes = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return self.fieldsets if writes else self.fieldsets[:1]

    def get_readonly_fields(self, request: HttpRequest, obj: Mapping | None = None) -> tuple[str, ...]:
        return ("company",) if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"body": EXAMPLE} | only_company()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"].form
        more = {"trial": getattr(form, "trial", None), "groups": FIELD_GROUPS, "words": WORDS_OF}
        return super().render_change_form(request, context | more, *args, **kwargs)

    @admin.display(description="columns")
    def columns_mapped(self, mapping: Mapping) -> str:
        return ", ".join(in_order(mapping.body).get("columns", {}))

    @admin.display(description="changed (UTC)")
    def changed(self, mapping: Mapping) -> str:
        return moment(mapping.changed_at)


FIELD_GROUPS = (("Transaction", TRANSACTION), ("Line", LINE), ("Payment", TENDER))
WORDS_OF = {field: ", ".join(sorted(known)) for field, known in WORDS.items()}
