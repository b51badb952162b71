"""Deliveries to Bookkeeper."""

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from ledger.models import Delivery
from salessync.core.screens import ReadOnlyAdmin, link, moment

DELIVERY_COLOURS = {"due": "info", "acknowledged": "success", "refused": "danger"}


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What Bookkeeper has, lacks, or refuses, and why."""

    list_display = (
        "entry_number",
        "about",
        "status",
        "attempts",
        "next_try",
        "acknowledgement",
        "acknowledged",
        "error",
    )
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("entry__transaction__channel",)
    list_display_links = None  # the row says it all
    ordering = ("-entry_id",)
    search_fields = ("=acknowledgement",)
    search_help_text = "acknowledgement, exactly"

    @admin.display(description="entry")
    def entry_number(self, delivery: Delivery) -> str:
        return link("ledger_journalentry", delivery.entry_id, delivery.entry.seq)

    @admin.display(description="transaction")
    def about(self, delivery: Delivery) -> str:
        transaction = delivery.entry.transaction
        return link("channels_transaction", transaction.pk, f"{transaction.channel}: {transaction}")

    @display(description="state", label=DELIVERY_COLOURS)
    def status(self, delivery: Delivery) -> tuple[str, str]:
        return delivery.state, delivery.get_state_display()

    @admin.display(description="next try (UTC)")
    def next_try(self, delivery: Delivery) -> str:
        return moment(delivery.next_attempt_at) if delivery.state == Delivery.State.DUE else ""

    @admin.display(description="acknowledged (UTC)")
    def acknowledged(self, delivery: Delivery) -> str:
        return moment(delivery.acknowledged_at)
