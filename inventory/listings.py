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
        return inbox.reapply(transaction_ids=_sales_of(channel, item_id), actor=actor)


def suggestions(*, item: UnmappedItem, limit: int = 5) -> Iterable[Product]:
    """Products that the item may be: the same SKU but for case and spaces, the same barcode, a name that contains its name."""
    company = item.channel.company_id
    wanted = item.item_id.strip()
    products = Product.objects.filter(company_id=company)
    found = list(products.filter(sku__iexact=wanted)[:limit]) + list(products.filter(barcode=wanted)[:limit])
    if len(found) < limit and len(item.name.strip()) > 2:
        found += list(products.filter(name__icontains=item.name.strip()).exclude(pk__in=[p.pk for p in found])[:limit])
    return list(dict.fromkeys(found))[:limit]


def _sales_of(channel: Channel, item_id: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT l.transaction_id FROM channels_line l JOIN channels_transaction t ON t.id = l.transaction_id"
            " WHERE t.channel_id = %s AND l.sku = %s",
            [channel.pk, item_id],
        )
        return [row[0] for row in cursor.fetchall()]
