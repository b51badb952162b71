"""The returns of a Medusa order: goods that came back. Money that goes back is a refund of a payment, and names no goods. Pure.

Medusa itself settles a refund first against the returns that are owed. So the goods of a return belong to the first refund after
its receipt; where money and goods differ, the difference is an adjustment.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from channels.adapters.medusa.amounts import Amounts
from channels.adapters.medusa.payments import EPOCH, Back
from channels.adapters.medusa.words import RETURNED
from channels.reading import Json, word


class Goods(msgspec.Struct):
    """Units of one line that came back."""

    line: str
    received: Decimal
    damaged: Decimal  # of the received ones those that cannot be sold again


class Return(msgspec.Struct):
    """One return of which something has arrived."""

    at: datetime
    latest: datetime
    replaced: bool  # by an exchange or a claim: the buyer gets other goods instead of money
    goods: list[Goods]
    id: str = ""


def read_returns(reader: Amounts, order: Json, joined: Any, order_id: str) -> list[Return] | None:
    """What was received, in its order; None where the payload does not speak of returns."""
    parent, name = ({"returns": joined}, "returns") if joined is not None else (order, "returns")
    if parent.get(name) is None:
        return None
    found = []
    for index, row in enumerate(reader.objects(parent, name)):
        if row.get("order_id") not in (None, order_id):
            continue
        if word(row.get("status")) in RETURNED and row.get("canceled_at") is None and row.get("items") is not None:
            found.append(_return(reader, row, f"returns[{index}]."))
    found.sort(key=lambda one: (one.at, one.id))
    return found


def _return(reader: Amounts, row: Json, where: str) -> Return:
    goods = []
    for index, item in enumerate(reader.objects(row, "items", where)):
        place = f"{where}items[{index}]."
        received = reader.maybe_units(item, "received_quantity", place)
        damaged = reader.maybe_units(item, "damaged_quantity", place)
        line = reader.identifier(item.get("item_id"), place + "item_id")
        if damaged > received:
            reader.refuse("BAD_QUANTITY", place + "damaged_quantity", "more units are damaged than have come back")
        elif received:
            goods.append(Goods(line, received, damaged))
    # only a return that is complete has the time of its receipt
    came = row.get("received_at")
    at = reader.instant(row.get("updated_at") if came is None else came, where + "received_at") or EPOCH
    return Return(
        id=reader.identifier(row.get("id"), where + "id"),
        at=at,
        latest=max(at, reader.maybe_instant(row, "updated_at", where) or at),
        replaced=row.get("exchange_id") is not None or row.get("claim_id") is not None,
        goods=goods,
    )


def replaced_units(returns: list[Return]) -> dict[str, Decimal]:
    """By line the units that an exchange or a claim took back: the sale is stated without them, as after an edit."""
    units: dict[str, Decimal] = {}
    for one in returns:
        for goods in one.goods if one.replaced else ():
            units[goods.line] = units.get(goods.line, Decimal(0)) + goods.received
    return units


def assign(returns: list[Return], refunds: list[Back]) -> dict[str, list[Return]]:
    """Refund id → the returns that it settles."""
    waiting = [one for one in returns if not one.replaced and one.goods]
    found: dict[str, list[Return]] = {}
    for refund in sorted(refunds, key=lambda one: (one.at, one.id)):
        found[refund.id] = [one for one in waiting if one.at <= refund.at]
        waiting = [one for one in waiting if one.at > refund.at]
    return found
