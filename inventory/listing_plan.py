"""What is to become of each item of a channel's list."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from channels.client import CatalogItem
from channels.models import Channel
from inventory.models import Listing, Product
from salessync.core.problems import Problem

NO_NAME = "its sales name it by nothing that would tell it from others"


class Plan:
    """As the tables are now. Each item by its id is in one of `known` (it has a listing), `matched` (its product is known),
    `new` (to become a product) and `unmapped`."""

    def __init__(self, channel: Channel, items: Iterable[CatalogItem], *, creates: bool) -> None:
        self.channel, self.creates = channel, creates
        self.items = list(items)
        self.problems: list[Problem] = []
        named = [item for item in self.items if item.item_id is not None]
        self.unnamed = len(self.items) - len(named)
        if self.unnamed:
            self.problems.append(Problem("NO_ITEM_ID", channel.slug, f"{self.unnamed} items: {NO_NAME}"))
        ids_twice = self._twice(named, "item", lambda item: item.item_id or "")
        self._skus_twice = self._twice([i for i in named if i.item_id not in ids_twice], "SKU", lambda item: item.sku)
        self.listed = {listing.item_id: listing for listing in Listing.objects.filter(channel=channel)}
        self.gone = len(self.listed.keys() - {item.item_id for item in named})
        self.known = [item for item in named if item.item_id in self.listed and item.item_id not in ids_twice]
        fresh = [item for item in named if item.item_id not in self.listed]
        self.unique = [item for item in fresh if item.item_id not in ids_twice]
        self.matched = self._matched()
        without = [item for item in self.unique if item.item_id not in self.matched]
        self.new = [item for item in without if creates and self._may_be_product(item)]
        taken = {item.item_id for item in self.new}
        self.unmapped = [item for item in without if item.item_id not in taken]
        self.unmapped += {item.item_id: item for item in fresh if item.item_id in ids_twice}.values()

    def codes(self, item: CatalogItem) -> list[str]:
        """What may be its product's SKU: its own, if no other item has it, else the word by which its sales name it."""
        sku = "" if item.sku in self._skus_twice else item.sku
        return [code for code in dict.fromkeys((sku, item.item_id or "")) if code]

    def _twice(self, items: Sequence[CatalogItem], what: str, of: Callable[[CatalogItem], str]) -> set[str]:
        """Words that stand for more than one item."""
        groups: dict[str, list[str]] = defaultdict(list)
        for item in items:
            if of(item):
                groups[of(item)].append(item.stock_id)
        found = {word: ids for word, ids in groups.items() if len(ids) > 1}
        for word, ids in found.items():
            some = ", ".join(sorted(ids)[:5])
            said = f"the {what} {word[:80]!r} stands for {len(ids)} items of the channel ({some}): give each its own"
            self.problems.append(Problem("DUPLICATE_SKU", word[:80], said))
        return set(found)

    def _matched(self) -> dict[str, Product]:
        products = Product.objects.filter(
            company_id=self.channel.company_id, sku__in={code for item in self.unique for code in self.codes(item)}
        )
        by_sku = {product.sku: product for product in products}
        return {
            item.item_id or "": by_sku[code]
            for item in self.unique
            if (code := next((code for code in self.codes(item) if code in by_sku), None)) and self._fits(item)
        }

    def _may_be_product(self, item: CatalogItem) -> bool:
        return self._fits(item) and bool(self.codes(item)) and len(self.codes(item)[0]) <= 255

    def _fits(self, item: CatalogItem) -> bool:
        if 0 < len(item.item_id or "") <= 255 and len(item.stock_id) <= 255:
            return True
        said = "the channel's id of it has more than 255 characters, or none"
        self.problems.append(Problem("BAD_ITEM_ID", (item.item_id or "")[:80], said))
        return False
