"""Brings a channel's list of items into our listings: what each is, by which id it is counted, and where.

First the whole list is read, then it is taken over in one transaction, so that a SKU that the list has twice is seen before anything is
concluded from it. An item that has a listing keeps its product; another one becomes the listing of the product with its SKU. What
matches no product is put before a person, with suggestions; or, where the channel is the master of the catalogue (`creates`), becomes a
product, whose stock is what the channel has of it. Nothing is guessed: a SKU that stands for several items gets no listing and is reported.

The same list again changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from channels import adapter as adapters
from channels import capabilities, inbox
from channels.calls import Caller, NotNow
from channels.client import CatalogItem, CursorExpired, ItemPage, StockPlace, StockRead
from channels.models import Channel
from inventory import drift_evidence, levels, listing_places, listings
from inventory.drift import level_of
from inventory.listing_places import Places
from inventory.listing_plan import Plan
from inventory.models import Level, Listing, ListingLevel, Product, UnmappedItem
from salessync.core import audit, bulk
from salessync.core.problems import Problem

RESTARTS = 3  # of a list whose cursor expires

Progress = Callable[["Listed"], None]


@dataclass
class Listed:
    """What was read of a list so far: given to `read` again, it goes on after the last page."""

    items: dict[tuple[str | None, str], CatalogItem] = field(default_factory=dict)
    pages: int = 0
    cursor: str | None = None
    is_complete: bool = False


class Pulled(NamedTuple):
    """How many items the list has, and what became of them. `unnamed`: without an id that sales would name; `gone`: listings of ours
    that the list does not have; `replayed`: earlier sales that go again for their stock."""

    items: int = 0
    known: int = 0
    renewed: int = 0
    matched: int = 0
    created: int = 0
    opened: int = 0
    unmapped: tuple[CatalogItem, ...] = ()
    unnamed: int = 0
    gone: int = 0
    replayed: int = 0
    problems: tuple[Problem, ...] = ()


class NotListed(Exception):
    """The channel's vendor has no list of items that could be read."""


def pull(
    channel: Channel, *, creates: bool = False, actor: str, now: datetime, progress: Progress = lambda listed: None
) -> Pulled:
    """Read the list and take it over; NotNow, AccessRefused, UnableToReach and Refused as the channel's calls raise them."""
    caller = Caller(channel)
    listed = read(caller, Listed(), progress=progress)
    return take_over(caller, listed, creates=creates, actor=actor, now=now)


def read(caller: Caller, listed: Listed, *, progress: Progress = lambda listed: None) -> Listed:
    """Read the list to its end, from where `listed` is; it holds what was read whatever is raised."""
    if not capabilities.overrides(adapters.get(caller.channel.adapter), "items") or not caller.channel.asks:
        raise NotListed(f"{caller.channel.slug} has no list of items that could be read")
    for _ in range(RESTARTS + 1):
        if listed.is_complete:
            return listed
        try:
            for page in caller.pages(caller.adapter.items(caller.account, listed.cursor)):
                found = page.items if isinstance(page, ItemPage) else ()
                listed.items |= {(item.item_id, item.stock_id): item for item in found}
                listed.cursor, listed.pages = page.cursor, listed.pages + 1
                progress(listed)
            listed.is_complete = True
        except CursorExpired:
            listed.cursor = None  # what was read already is met again
    if listed.is_complete:
        return listed
    raise NotNow("the vendor forgets its cursors faster than its list can be read", 300.0)


def take_over(caller: Caller, listed: Listed, *, creates: bool, actor: str, now: datetime) -> Pulled:
    """Listings, products and opening levels of a list that was read to its end, all or nothing.

    With `creates` NotNow while sales of the channel are on their way: what it shows has them already, and they would count twice. One
    that no webhook has brought yet shows up as a difference (inventory/drift.py).
    """
    channel = caller.channel
    plan = Plan(channel, listed.items.values(), creates=creates)
    places, problems = listing_places.wanted(
        channel, caller.result(caller.adapter.stock_locations(caller.account)), creates=creates
    )
    plan.problems += problems
    levels_there = _levels(caller, plan, places) if creates else {}
    with transaction.atomic():
        if creates:
            _require_all_processed(channel)
        listing_places.save(channel, places)
        return _save(plan, places, levels_there, actor=actor, now=now)


def _require_all_processed(channel: Channel) -> None:
    with bulk.binary_cursor() as cursor:
        pending = drift_evidence.in_work(cursor, channel.pk)
    if pending:
        raise NotNow(
            f"{pending} events of {channel.slug} are not processed yet, and what it shows has them already", 10.0
        )


def _levels(caller: Caller, plan: Plan, places: Places) -> dict[tuple[str, str], Decimal]:
    """(stock id, place) → what is for sale there, of items whose product has no stock here yet: from the list, else read."""
    kept = _with_stock(plan.matched.values())
    opening = [
        item
        for item in plan.unique
        if item.tracked and ((match := plan.matched.get(item.item_id or "")) is None or match.pk not in kept)
    ]
    found = {(one.item_id, one.location): one for item in opening for one in item.levels}
    wanted = [
        StockPlace(item.stock_id, place)
        for place in places.ids
        for item in opening
        if (item.stock_id, place) not in found
    ]
    size = max(caller.adapter.stock_batch, 1)
    for start in range(0, len(wanted), size):
        reads: list[StockRead] = caller.result(caller.adapter.read_stock(caller.account, wanted[start : start + size]))
        found |= {(one.item_id, one.location): one for one in reads}
    there = {key: level_of(one.available) for key, one in found.items()}
    return {key: level for key, level in there.items() if level is not None}


# --- taking over


def _save(
    plan: Plan, places: Places, levels_there: dict[tuple[str, str], Decimal], *, actor: str, now: datetime
) -> Pulled:
    channel = plan.channel
    products = {**plan.matched, **_create(plan)}
    renewed = _renew(plan)
    new = [item for item in plan.unique if item.item_id in products]
    made = Listing.objects.bulk_create(
        [
            Listing(
                channel=channel, item_id=item.item_id, product=products[item.item_id or ""], stock_id=_stock_id(item),
                name=item.name[:500], is_pushed=item.tracked,
            )
            for item in new
        ],
        ignore_conflicts=True, batch_size=1000,
    )  # fmt: skip
    opened = _open(plan, new, products, places, levels_there)
    waiting = UnmappedItem.objects.filter(channel=channel, item_id__in=[item.item_id for item in new])
    were_unmapped = set(waiting.values_list("item_id", flat=True))
    waiting.delete()
    UnmappedItem.objects.bulk_create(
        [
            UnmappedItem(channel=channel, item_id=(item.item_id or "")[:1000], name=item.name[:1000])
            for item in plan.unmapped
        ],
        ignore_conflicts=True, batch_size=1000,
    )  # fmt: skip
    _show(channel, {item.item_id or "": item for item in new}, places, levels_there, now)
    levels.mark({(product, None): levels.ZERO for product in {products[item.item_id or ""].pk for item in new}})
    # where the channel's own level is or would be the opening one, its earlier sales are in it
    kept = {pk for pk in _with_stock(products.values()) if pk not in opened} if plan.creates else None
    again = sorted(item for item in were_unmapped if kept is None or products[item].pk in kept)
    replayed = inbox.reapply(transaction_ids=listings.sales_of(channel, again), actor=actor) if again else 0
    done = Pulled(
        items=len(plan.items), known=len(plan.known), renewed=renewed, matched=len(plan.matched), created=len(plan.new),
        opened=len(opened), unmapped=tuple(plan.unmapped), unnamed=plan.unnamed, gone=plan.gone, replayed=replayed,
        problems=tuple(plan.problems),
    )  # fmt: skip
    if made or renewed:
        said = {"channel": channel.slug, "listings": len(made), "products": len(plan.new), "opened": len(opened)}
        audit.record([(channel.company_id, actor, "pulled", "listing", None, said)])
    return done


def _create(plan: Plan) -> dict[str, Product]:
    """Products of items that have none, by item id; variants under one that stands for them all and is sold by none of them."""
    if not plan.new:
        return {}
    company = plan.channel.company
    several = {group for group, count in Counter(item.variant_of for item in plan.items).items() if group and count > 1}
    heads = {
        item.variant_of: Product(
            company=company,
            sku=f"{plan.channel.slug}:{item.variant_of}"[:255],
            name=item.name.partition(" - ")[0][:500],
        )
        for item in reversed(plan.new)
        if item.variant_of in several
    }
    head_of = _saved(company.pk, heads.values())
    made = _saved(
        company.pk,
        [
            Product(
                company=company, sku=plan.codes(item)[0], name=item.name[:500], barcode=item.barcode[:100],
                category=item.category[:200],
                variant_of=head_of[heads[item.variant_of].sku] if item.variant_of in heads else None,
            )
            for item in plan.new
        ],
    )  # fmt: skip
    return {item.item_id or "": made[plan.codes(item)[0]] for item in plan.new}


def _saved(company_id: int, products: Iterable[Product]) -> dict[str, Product]:
    wanted = list(products)
    Product.objects.bulk_create(wanted, ignore_conflicts=True, batch_size=1000)
    return {p.sku: p for p in Product.objects.filter(company_id=company_id, sku__in=[p.sku for p in wanted])}


def _renew(plan: Plan) -> int:
    """Known listings whose item is counted by another id now, or has another name; → how many."""
    changed, recounted = [], []
    for item in plan.known:
        listing = plan.listed[item.item_id or ""]
        if listing.stock_id != _stock_id(item):
            recounted.append(listing)
        if (listing.stock_id, listing.name) != (_stock_id(item), item.name[:500]):
            listing.stock_id, listing.name = _stock_id(item), item.name[:500]
            changed.append(listing)
    Listing.objects.bulk_update(changed, ["stock_id", "name"], batch_size=1000)
    ListingLevel.objects.filter(listing__in=recounted).update(shown=None)  # of another item than what was read and told
    levels.mark({(listing.product_id, None): levels.ZERO for listing in recounted})
    return len(changed)


def _stock_id(item: CatalogItem) -> str:
    return "" if item.stock_id == item.item_id else item.stock_id


def _open(
    plan: Plan, new: Sequence[CatalogItem], products: dict[str, Product], places: Places,
    levels_there: dict[tuple[str, str], Decimal],
) -> set[int]:  # fmt: skip
    """Opening stock of products that have none here; → these products."""
    wanted: dict[tuple[int, str], Decimal] = {}
    kept = _with_stock(products.values())
    for item in new if plan.creates else ():
        product = products[item.item_id or ""]
        for place in places.ids:
            level = levels_there.get((item.stock_id, place))
            if level is not None and product.pk not in kept:
                key, units = (product.pk, places.location_of(place)), max(level, levels.ZERO)
                before = wanted.get(key, levels.ZERO)
                # places that sell from all that we have show the same units
                wanted[key] = before + units if places.locations.get(place) else max(before, units)
    if not wanted:
        return set()
    levels.set_opening(company_id=plan.channel.company_id, wanted=wanted)
    return {product for product, _ in wanted}


def _with_stock(products: Iterable[Product]) -> set[int]:
    """Those that were moved or counted here."""
    return set(Level.objects.filter(product__in=[p.pk for p in products]).values_list("product_id", flat=True))


def _show(
    channel: Channel,
    new: dict[str, CatalogItem],
    places: Places,
    levels_there: dict[tuple[str, str], Decimal],
    now: datetime,
) -> None:
    """What new listings of products with stock show, as far as it was told: the first push compares with it, or has nothing to tell."""
    told = {(one.item_id, one.location): level_of(one.available) for item in new.values() for one in item.levels}
    shown = {**{key: level for key, level in told.items() if level is not None}, **levels_there}
    rows = Listing.objects.filter(channel=channel, item_id__in=new, is_pushed=True, product__levels__isnull=False)
    ListingLevel.objects.bulk_create(
        [
            ListingLevel(
                listing_id=pk, channel_id=channel.pk, remote_id=place, wanted=level, shown=level, state="idle", read_at=now
            )
            for pk, item_id in sorted(set(rows.values_list("pk", "item_id")))
            for place in places.ids
            if (level := shown.get((new[item_id].stock_id, place))) is not None and level >= 0
        ],
        ignore_conflicts=True, batch_size=1000,
    )  # fmt: skip
