"""How far each vendor's lists are read, and the single objects that it is asked for. Shown, paused and asked again; never edited."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import MD5
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from channels import fetching, poll
from channels.admin import channel as shown
from channels.models import Channel, Fetch, Reading
from salessync.core.screens import PageAdmin, between, moment, note

AT_ONCE = 1000
READING_COLOURS = {"waiting": "success", "paused": "warning", "failed": "danger", "done": ""}
FETCH_COLOURS = {"due": "info", "done": "success", "absent": "warning", "failed": "danger"}


class AskingAdmin(PageAdmin):
    """Whoever may change channels decides what their vendors are asked."""

    def has_ask_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("channels.change_channel")


@admin.register(Reading)
class ReadingAdmin(AskingAdmin):
    """The live lists first."""

    list_display = (
        "list_name",
        "channel",
        "purpose_word",
        "status",
        "reached_at",
        "window",
        "pages",
        "found",
        "new",
        "progress",
        "error_short",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("purpose", ChoicesDropdownFilter),
        ("channel", RelatedDropdownFilter),
    )
    list_select_related = ("channel",)
    ordering = ("-purpose", "channel__slug", "-id")
    actions = ("pause_selected", "resume_selected")

    @action(description="Pause", permissions=["ask"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Reading]) -> None:
        readings = list(queryset.filter(state__in=[Reading.State.WAITING, Reading.State.FAILED])[:AT_ONCE])
        with transaction.atomic():
            for reading in readings:
                poll.pause(reading)
                note(request, "paused", reading, str(reading))
        messages.success(request, f"{_lists(readings)} paused, after the page that is being read.")

    @action(description="Resume", permissions=["ask"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Reading]) -> None:
        readings = list(queryset.filter(state__in=[Reading.State.PAUSED, Reading.State.FAILED])[:AT_ONCE])
        with transaction.atomic():
            for reading in readings:
                poll.resume(reading)
                note(request, "resumed", reading, str(reading))
        messages.success(request, f"{_lists(readings)} resumed, after the last stored page.")

    def page(self, request: HttpRequest, obj: Reading) -> dict[str, Any]:
        now = timezone.now()
        return {
            "reading": obj,
            "colour": READING_COLOURS[obj.state],
            "how_far": shown.read_up_to(obj, now),
            "window": shown.window(obj),
            "last_end": f"{moment(obj.read_at)}, {between(obj.read_at, now)} ago" if obj.read_at else "not yet",
            "next_turn": moment(obj.next_at) if obj.state in (Reading.State.WAITING, Reading.State.FAILED) else "",
        }

    @admin.display(description="list")
    def list_name(self, reading: Reading) -> str:
        return reading.stream

    @admin.display(description="purpose")
    def purpose_word(self, reading: Reading) -> str:
        return reading.purpose

    @display(description="state", label=READING_COLOURS)
    def status(self, reading: Reading) -> tuple[str, str]:
        return reading.state, reading.state

    @admin.display(description="reached (UTC)")
    def reached_at(self, reading: Reading) -> str:
        return shown.whole(reading.reached)

    @admin.display(description="window (UTC)")
    def window(self, reading: Reading) -> str:
        return shown.window(reading)

    @admin.display(description="new")
    def new(self, reading: Reading) -> int:
        return reading.stored

    @admin.display(description="progress")
    def progress(self, reading: Reading) -> str:
        return shown.read_up_to(reading, timezone.now())

    @admin.display(description="error")
    def error_short(self, reading: Reading) -> str:
        return reading.error[:120]


@admin.register(Fetch)
class FetchAdmin(AskingAdmin):
    """Newest first; found by the vendor's id of the object."""

    list_display = (
        "object_short",
        "kind",
        "channel",
        "status",
        "attempts",
        "asked",
        "due_at",
        "finished",
        "error_short",
    )
    list_filter = (("state", ChoicesDropdownFilter), ("channel", RelatedDropdownFilter))
    list_select_related = ("channel",)
    search_fields = ("object_id",)
    search_help_text = "the vendor's id of the object, in full"
    ordering = ("-id",)
    actions = ("ask_again",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Fetch], search_term: str
    ) -> tuple[QuerySet[Fetch], bool]:
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        channels = list(Channel.objects.values_list("pk", flat=True))  # named, so that the unique index may help
        named = queryset.annotate(digest=MD5("object_id")).filter(channel__in=channels, digest=MD5(Value(term)))
        return named.filter(object_id=term), False

    @action(description="Ask again", permissions=["ask"])
    def ask_again(self, request: HttpRequest, queryset: QuerySet[Fetch]) -> None:
        with transaction.atomic():
            fetches = list(queryset.order_by("id")[:AT_ONCE])
            count = fetching.requeue(fetches)
            for fetch in fetches:
                note(request, "asked_again", fetch, str(fetch)[:300])
        messages.success(request, f"{'1 object is' if count == 1 else f'{count} objects are'} asked for again.")

    def page(self, request: HttpRequest, obj: Fetch) -> dict[str, Any]:
        return {
            "fetch": obj,
            "colour": FETCH_COLOURS[obj.state],
            "due_at": self.due_at(obj),
            "finished": self.finished(obj),
        }

    @admin.display(description="object")
    def object_short(self, fetch: Fetch) -> str:
        return fetch.object_id if len(fetch.object_id) <= 60 else f"{fetch.object_id[:60]}…"

    @display(description="state", label=FETCH_COLOURS)
    def status(self, fetch: Fetch) -> tuple[str, str]:
        return fetch.state, fetch.get_state_display()

    @admin.display(description="due (UTC)")
    def due_at(self, fetch: Fetch) -> str:
        return shown.whole(fetch.next_at) if fetch.state == Fetch.State.DUE else ""

    @admin.display(description="answered (UTC)")
    def finished(self, fetch: Fetch) -> str:
        return shown.whole(fetch.finished_at) if fetch.finished_at else ""

    @admin.display(description="error")
    def error_short(self, fetch: Fetch) -> str:
        return fetch.error[:120]


def _lists(readings: Iterable[Reading]) -> str:
    count = len(list(readings))
    return "1 list is" if count == 1 else f"{count} lists are"
