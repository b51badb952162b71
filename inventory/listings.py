"""How channels know products: learned from the catalogue or set by a person, applied to the sales that came before."""

from collections.abc import Iterable

from django.db import connection, transaction

from channels import inbox
from channels.models import Channel
from inventory.models import Listing, Product, UnmappedItem
from salessync.core import audit


def map_item(*, channel: Channel, item_id: str, product: Product, actor: str) -> int:
    """The channel's item is this product from now on; its earlier sales are replayed so that their stock moves.

    Returns how many events were put back into the inbox.
    """
    with transaction.atomic():
        Listing.objects.update_or_create(channel=channel, item_id=item_id, defaults={"product": product})
        UnmappedItem.objects.filter(channel=channel, item_id=item_id).delete()
        audit.record(
            [(channel.company_id, actor, "mapped", "listing", product.pk, {"channel": channel.slug, "item": item_id})]
        )
        return inbox.reapply(transaction_ids=sales_of(channel, [item_id]), actor=actor)


def suggestions(*, item: UnmappedItem, limit: int = 5) -> Iterable[Product]:
    """Products that the item may be."""
    return suggested(company_id=item.channel.company_id, item_id=item.item_id, name=item.name, limit=limit)


def suggested(
    *, company_id: int, item_id: str, sku: str = "", barcode: str = "", name: str = "", limit: int = 5
) -> list[Product]:
    """The same SKU but for case and spaces, the same barcode (an item's id may be one), the same name, a name that contains its name."""
    products = Product.objects.filter(company_id=company_id)
    codes = list(dict.fromkeys(word.strip() for word in (sku, item_id) if word.strip()))
    bars = {word.strip() for word in (barcode, item_id) if word.strip()}
    found = [product for code in codes for product in products.filter(sku__iexact=code).order_by("sku")[:limit]]
    found += products.filter(barcode__in=bars).order_by("sku")[:limit]
    words = name.strip()
    if len(found) < limit and len(words) > 2:
        found += products.filter(name__iexact=words).order_by("sku")[:limit]
        found += products.filter(name__icontains=words).order_by("sku")[:limit]
    return list(dict.fromkeys(found))[:limit]


def sales_of(channel: Channel, item_ids: Iterable[str]) -> list[int]:
    """Transactions of the channel with a line of one of these items."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT l.transaction_id FROM channels_line l JOIN channels_transaction t ON t.id = l.transaction_id"
            " WHERE t.channel_id = %s AND l.sku = ANY(%s)",
            [channel.pk, list(item_ids)],
        )
        return [row[0] for row in cursor.fetchall()]
