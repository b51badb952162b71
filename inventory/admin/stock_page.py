"""All that is known of one product's stock: on the shelf, in the channels, on its way, and what is wrong with it."""

from decimal import Decimal
from typing import Any, NamedTuple

from django.db import OperationalError, transaction
from django.utils import timezone
from psycopg.errors import QueryCanceled

from channels.admin.sales import with_sales
from inventory import availability
from inventory.admin import cells, push_state
from inventory.admin.bundle import leaves
from inventory.admin.drift import CAUSE_COLOURS
from inventory.admin.reservation import STATE_COLOURS as RESERVATION_COLOURS
from inventory.models import (
    Component,
    Level,
    Listing,
    ListingLevel,
    Movement,
    Oversell,
    Product,
    ReservationLine,
    StockDrift,
)
from inventory.reservations import OPEN
from salessync.core.screens import between, link, moment, money, quantity, span

MOVEMENTS = 30
ROWS = 50  # of each other table


class Place(NamedTuple):
    """A listing at one of its channel's places."""

    listing: str
    channel: str
    remote_id: str
    shown: str
    wanted: str
    state: tuple[str, str]  # colour, words
    lag: str
    buffer: str
    told: str
    problem: str


def of(product: Product) -> dict[str, Any]:
    """What the page shows."""
    shelf = list(Level.objects.filter(product=product).order_by("location"))
    on_hand, reserved = sum((r.on_hand for r in shelf), Decimal(0)), sum((r.reserved for r in shelf), Decimal(0))
    parts = list(Component.objects.filter(bundle=product).select_related("part").order_by("part__sku"))
    cost, currency = cells.unit_cost(product)
    return {
        "levels": [_level(product, row) for row in shelf],
        "on_hand": cells.units(on_hand),
        "reserved": quantity(reserved),
        "available": cells.units(on_hand - reserved),
        "worth": cells.worth(product, on_hand),
        "cost": "" if cost is None else money(round(cost), currency),
        "is_average": product.average_cost is not None,
        "odd_bundle": bool(parts) and any(row.on_hand or row.reserved for row in shelf),
        **_bundle(product, parts),
        "places": _places(product),
        "oversells": _oversells(product),
        "drifts": _drifts(product),
        "holds": _holds(product),
        **_movements(product),
        "variants": [cells.product_link(p) for p in product.variants.order_by("sku")[:ROWS]],
        "variant_of": cells.product_link(product.variant_of) if product.variant_of else "",
    }


def _level(product: Product, row: Level) -> tuple[str, ...]:
    available = cells.units(row.available)
    return row.location, cells.units(row.on_hand), quantity(row.reserved), available, cells.worth(product, row.on_hand)


# --- bundles


def _bundle(product: Product, parts: list[Component]) -> dict[str, Any]:
    within = leaves(product) if parts else []
    part_of = Component.objects.filter(part=product).select_related("bundle").order_by("bundle__sku")[:ROWS]
    return {
        "parts": [(cells.product_link(row.part), row.part.name, quantity(row.quantity)) for row in parts],
        "leaves": [(link("inventory_product", x.product_id, x.sku), quantity(x.units), cells.units(x.available), quantity(x.gives)) for x in within],
        "gives": quantity(within[0].gives) if within else "",
        "part_of": [(cells.product_link(row.bundle), row.bundle.name, quantity(row.quantity)) for row in part_of],
    }  # fmt: skip


# --- channels


def _places(product: Product) -> list[Place]:
    """Listing by listing; those that no channel was told of yet as well."""
    listings = list(
        Listing.objects.filter(product=product)
        .select_related("channel__stock_policy")
        .order_by("channel__slug", "item_id")[:ROWS]
    )
    rows: dict[int, list[ListingLevel]] = {}
    for row in ListingLevel.objects.filter(listing__in=listings).order_by("remote_id"):
        rows.setdefault(row.listing_id, []).append(row)
    told = {channel.pk: availability.can_be_told(channel) for channel in {one.channel for one in listings}}
    return [
        _place(listing, row, told=told[listing.channel_id])
        for listing in listings
        for row in rows.get(listing.pk) or [None]
    ]


def _place(listing: Listing, row: ListingLevel | None, *, told: bool) -> Place:
    is_told = told and listing.is_pushed
    name = (link("inventory_listing", listing.pk, listing.item_id), listing.channel.slug)
    if row is None:
        return Place(*name, "", "", "", _state(None, is_told), "", _buffer(listing), "", "")
    return Place(
        *name, row.remote_id, cells.units(row.shown), cells.units(row.wanted), _state(row, is_told), push_state.lag(row),
        _buffer(listing), moment(row.told_at), row.problem,
    )  # fmt: skip


def _state(row: ListingLevel | None, is_told: bool) -> tuple[str, str]:
    if not is_told:
        return "", "not told"
    if row is None:
        return "warning", "not told yet"
    return push_state.STATE_COLOURS[row.state], push_state.STATES[row.state]


def _buffer(listing: Listing) -> str:
    """Whose it is, where it is not the listing's own."""
    if listing.buffer is not None:
        return quantity(listing.buffer)
    policy = getattr(listing.channel, "stock_policy", None)
    return f"{quantity(policy.buffer)} (the channel's)" if policy is not None and policy.buffer else "none"


# --- what is open


def _oversells(product: Product) -> list[tuple[Any, ...]]:
    rows = list(
        Oversell.objects.filter(level__product=product, resolved_at=None).select_related("level").order_by("-id")[:ROWS]
    )
    with_sales(rows)
    now = timezone.now()
    return [
        (link("inventory_oversell", row.pk, f"short by {quantity(row.short)}"), row.level.location, cells.sale_link(row),
         between(row.opened_at, now), row.get_decision_display() or "to be decided")
        for row in rows
    ]  # fmt: skip


def _drifts(product: Product) -> list[tuple[Any, ...]]:
    rows = StockDrift.objects.filter(listing__product=product, state=StockDrift.State.OPEN)
    now = timezone.now()
    return [
        (link("inventory_stockdrift", row.pk, f"{row.listing.channel}: {row.listing.item_id}"), quantity(row.expected),
         quantity(row.found), CAUSE_COLOURS[row.cause], row.get_cause_display(), between(row.found_at, now))
        for row in rows.select_related("listing__channel").order_by("-id")[:ROWS]
    ]  # fmt: skip


def _holds(product: Product) -> list[tuple[Any, ...]]:
    lines = ReservationLine.objects.filter(product=product, reservation__state__in=OPEN)
    now = timezone.now()
    return [
        (link("inventory_reservation", line.reservation_id, line.reservation), line.reservation.channel, line.location,
         quantity(line.held), quantity(line.quantity), RESERVATION_COLOURS[line.reservation.state],
         line.reservation.get_state_display(), span((line.reservation.expires_at - now).total_seconds()))
        for line in lines.select_related("reservation__channel").order_by("reservation__expires_at")[:ROWS]
    ]  # fmt: skip


# --- movements


def _movements(product: Product) -> dict[str, Any]:
    """The newest first; a ledger that is too long to search is left to its own list."""
    rows = Movement.objects.filter(product=product).select_related("transaction", "document").order_by("-id")
    try:
        with transaction.atomic():
            found = list(rows[: MOVEMENTS + 1])
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return {"movements": [], "more_movements": True, "too_many": True}
    cells.with_causes(found)
    base = product.company.base_currency
    told = [
        (moment(m.created_at), m.kind, m.location, cells.change(m.on_hand), cells.change(m.reserved), money(m.cost, base), cells.cause(m))
        for m in found[:MOVEMENTS]
    ]  # fmt: skip
    return {"movements": told, "more_movements": len(found) > MOVEMENTS, "too_many": False}
