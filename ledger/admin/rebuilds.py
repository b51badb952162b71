"""Recomputations of the books that were asked for, and how far they have come."""

from django.contrib import admin
from unfold.decorators import display

from ledger.admin import rule_preview
from ledger.models import Rebuild
from salessync.core.screens import ReadOnlyAdmin, link, moment


@admin.register(Rebuild)
class RebuildAdmin(ReadOnlyAdmin):
    """Newest first. Asking for one is the account rules' page's, or the command's."""

    list_display = ("asked", "asked_by", "because", "scope", "state", "result", "done")
    list_select_related = ("company", "channel", "rule")
    list_display_links = None  # the row says it all
    ordering = ("-id",)

    @admin.display(description="asked for (UTC)")
    def asked(self, rebuild: Rebuild) -> str:
        return moment(rebuild.asked_at)

    @admin.display(description="because")
    def because(self, rebuild: Rebuild) -> str:
        return link("ledger_accountrule", rebuild.rule_id, rebuild.reason) if rebuild.rule_id else rebuild.reason

    @admin.display(description="of")
    def scope(self, rebuild: Rebuild) -> str:
        since = f" from {rebuild.first}" if rebuild.first else ""
        return f"{rebuild.channel or rebuild.company}{since}{f' to {rebuild.last}' if rebuild.last else ''}"

    @display(description="state", label={"due": "info", "done": "success", "incomplete": "warning"})
    def state(self, rebuild: Rebuild) -> str:
        if rebuild.done_at is None:
            return "due"
        return "incomplete" if rebuild.problems else "done"

    @admin.display(description="result")
    def result(self, rebuild: Rebuild) -> str:
        return " ".join([rule_preview.outcome(rebuild), *(f"{problem}." for problem in rebuild.problems)])

    @admin.display(description="done (UTC)")
    def done(self, rebuild: Rebuild) -> str:
        return moment(rebuild.done_at)
