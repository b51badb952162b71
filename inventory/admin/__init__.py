"""Stock: products, how channels know them, what is on the shelf and why, what channels show, and what waits for a person."""

from inventory.admin.document import StockDocumentAdmin
from inventory.admin.drift import StockDriftAdmin
from inventory.admin.level import LevelAdmin
from inventory.admin.listing import ListingAdmin
from inventory.admin.movement import MovementAdmin
from inventory.admin.oversell import OversellAdmin
from inventory.admin.policy import ChannelLocationAdmin, StockPolicyAdmin
from inventory.admin.product import ProductAdmin
from inventory.admin.push_state import ListingLevelAdmin
from inventory.admin.reservation import ReservationAdmin
from inventory.admin.unmapped import UnmappedItemAdmin

__all__ = [
    "ChannelLocationAdmin", "LevelAdmin", "ListingAdmin", "ListingLevelAdmin", "MovementAdmin", "OversellAdmin", "ProductAdmin",
    "ReservationAdmin", "StockDocumentAdmin", "StockDriftAdmin", "StockPolicyAdmin", "UnmappedItemAdmin",
]  # fmt: skip
