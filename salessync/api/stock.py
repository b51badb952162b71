"""GET stock: what is on the shelf."""

from decimal import Decimal
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from rest_framework.request import Request

from inventory.models import Level
from salessync.api import paging
from salessync.api.paging import Page, PageQuery
from salessync.api.resource import Resource
from salessync.api.schema import operation
from salessync.core.models import ApiClient


class StockQuery(PageQuery):
    """One product, or all."""

    sku: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]*$")] | UnsetType = UNSET


class StockLevel(Struct, kw_only=True):
    """Units of one product at one place; available is on hand less reserved. Parts of a unit are decimal strings."""

    sku: str
    location: str
    on_hand: int | str
    reserved: int | str
    available: int | str


class StockPage(Page[StockLevel]):
    """Levels, in the order in which they came to be."""


class Stock(Resource):
    @operation(scope=ApiClient.Scope.STOCK, name="stock", query=StockQuery, answer=StockPage)
    def get(self, request: Request, query: StockQuery) -> Any:
        """What is on hand, reserved and available, by SKU and place; below zero: more was sold than there was."""
        levels = Level.objects.filter(company=self.company)
        if query.sku is not UNSET:
            levels = levels.filter(product__sku=query.sku)
        rows = levels.values("id", "product__sku", "location", "on_hand", "reserved")
        return paging.page(request, query, rows, key="id", build=_level)


def _level(row: dict[str, Any]) -> StockLevel:
    return StockLevel(
        sku=row["product__sku"],
        location=row["location"],
        on_hand=units(row["on_hand"]),
        reserved=units(row["reserved"]),
        available=units(row["on_hand"] - row["reserved"]),
    )


def units(value: Decimal) -> int | str:
    """Whole units as a number, parts of a unit as a decimal string."""
    return int(value) if value == value.to_integral_value() else format(value.normalize(), "f")
