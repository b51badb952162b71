"""The tables of stock, by subject."""

from inventory.models.level import Level, Movement, Oversell, StockDocument
from inventory.models.product import Component, Listing, Product, UnmappedItem
from inventory.models.push import ChannelLocation, ListingLevel, StockChange, StockDrift, StockPolicy
from inventory.models.reservation import Reservation, ReservationLine

__all__ = [
    "ChannelLocation",
    "Component",
    "Level",
    "Listing",
    "ListingLevel",
    "Movement",
    "Oversell",
    "Product",
    "Reservation",
    "ReservationLine",
    "StockChange",
    "StockDocument",
    "StockDrift",
    "StockPolicy",
    "UnmappedItem",
]
