"""How Medusa's Admin API is asked: orders by the time of their last change, payments because a capture changes no order. Pure.

Both lists are sorted by that time and read on from the last one seen, never by page number alone: a row that changes meanwhile
moves to the end and would push another one over the edge of a page.
"""

import re
from collections.abc import Generator, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from channels.client import Ask, Found, Page, Pages, Pointer, Reply
from channels.keyset import Position
from channels.reading import Json
from salessync.core.dates import DateError, format_instant, parse_instant
from salessync.core.problems import Problem, Refused

Asking = Generator[Ask, Reply, Any]

PAGE = 20  # as many ids as Medusa's query parser takes in one list
ORDER_FIELDS = ",".join(
    "id display_id custom_display_id status version currency_code region_id sales_channel_id customer_id is_draft_order"
    " created_at updated_at canceled_at total subtotal tax_total discount_total discount_tax_total item_total item_subtotal"
    " item_tax_total shipping_total shipping_subtotal shipping_tax_total credit_line_total *items *items.tax_lines"
    " *items.adjustments *items.detail *credit_lines *shipping_address *billing_address *shipping_methods"
    " *shipping_methods.tax_lines *shipping_methods.adjustments *payment_collections *payment_collections.payments"
    " *payment_collections.payments.captures *payment_collections.payments.refunds"
    " *payment_collections.payments.refunds.refund_reason".split()
)
PAYMENT_FIELDS = "id,created_at,updated_at,payment_collection.order.id"
RETURN_FIELDS = (
    "id,order_id,status,exchange_id,claim_id,location_id,created_at,updated_at,canceled_at,received_at,*items"
)

ID = re.compile("[A-Za-z0-9_-]{1,255}")  # what may stand in a path


def instant(row: Json, field: str) -> str:
    """The row's time in one way of writing it."""
    try:
        return format_instant(parse_instant(row.get(field)))
    except DateError:
        raise unexpected(f"a row has no {field}") from None


def poll_orders(since: datetime, until: datetime, cursor: str | None, created: bool) -> Pages:
    """Every order that changed, with its payments, refunds and returns."""
    field = "created_at" if created else "updated_at"
    position: Position | None = Position.start(cursor, since)
    while position is not None:
        rows = yield from _list("/admin/orders", "orders", field, position, until, ORDER_FIELDS)
        fresh = [row for row in rows if str(row.get("id")) not in position.seen]
        found = yield from _joined(fresh)
        position = position.after(rows, partial(instant, field=field), PAGE)
        yield Page(found=tuple(found), cursor=None if position is None else position.cursor())


def poll_payments(since: datetime, until: datetime, cursor: str | None, created: bool) -> Pages:
    """The orders of every payment that was authorized, captured, canceled or refunded."""
    field = "created_at" if created else "updated_at"
    position: Position | None = Position.start(cursor, since)
    while position is not None:
        rows = yield from _list("/admin/payments", "payments", field, position, until, PAYMENT_FIELDS)
        ids = {order_of(row): None for row in rows if str(row.get("id")) not in position.seen}
        orders = yield from _orders([identifier for identifier in ids if identifier])
        found = yield from _joined(orders)
        position = position.after(rows, partial(instant, field=field), PAGE)
        yield Page(found=tuple(found), cursor=None if position is None else position.cursor())


def order_of(payment: Json) -> str:
    """The order that a payment pays for; "" for the payment of a cart or of an exchange."""
    collection = payment.get("payment_collection")
    order = collection.get("order") if type(collection) is dict else None
    identifier = order.get("id") if type(order) is dict else None
    return identifier if type(identifier) is str else ""


def _list(
    path: str, name: str, field: str, position: Position, until: datetime, fields: str
) -> Generator[Ask, Reply, list[Json]]:
    reply = yield Ask(
        path=path,
        params={
            f"{field}[$gte]": position.at,
            f"{field}[$lt]": format_instant(until),
            "order": field,
            "limit": PAGE,
            "offset": position.offset,
            "fields": fields,
        },
    )
    return rows_of(reply, name)


def _orders(ids: list[str]) -> Generator[Ask, Reply, list[Json]]:
    if not ids:
        return []
    reply = yield Ask(
        path="/admin/orders", params={"limit": PAGE, "offset": 0, "fields": ORDER_FIELDS, **listed("id", ids)}
    )
    return rows_of(reply, "orders")


def listed(key: str, values: list[str]) -> dict[str, str]:
    """A list as Medusa's query parser reads it."""
    return {f"{key}[{index}]": value for index, value in enumerate(values)}


def rows_of(reply: Reply, name: str) -> list[Json]:
    """The rows of a list's answer."""
    rows = reply.body.get(name) if type(reply.body) is dict else None
    if type(rows) is not list or any(type(row) is not dict for row in rows):
        raise unexpected(f"the answer has no list of {name}")
    return rows


def unexpected(what: str) -> Refused:
    """What an answer is refused with that is not what was asked for."""
    return Refused(Problem("UNEXPECTED_ANSWER", "$", f"Medusa's answer cannot be read: {what}"))


def _joined(orders: list[Json]) -> Generator[Ask, Reply, list[Found]]:
    """The orders with their returns, which are asked for only where something came back."""
    back = [str(order.get("id")) for order in orders if any(_came_back(item) for item in _items(order))]
    returns: list[Json] = []
    if back:
        offset, more = 0, True
        while more:
            params = {
                "limit": 100,
                "offset": offset,
                "order": "id",
                "fields": RETURN_FIELDS,
                **listed("order_id", back),
            }
            rows = rows_of((yield Ask(path="/admin/returns", params=params)), "returns")
            returns.extend(rows)
            offset, more = offset + len(rows), len(rows) == 100
    return [
        Found({"order": order, "returns": [row for row in returns if row.get("order_id") == order.get("id")]})
        for order in orders
    ]


def _items(order: Json) -> Iterator[Json]:
    items = order.get("items")
    yield from (item for item in items if type(item) is dict) if type(items) is list else ()


def _came_back(item: Json) -> bool:
    detail = item.get("detail")
    if type(detail) is not dict:
        return False
    return bool(detail.get("return_received_quantity") or detail.get("return_dismissed_quantity"))


def fetch(pointer: Pointer) -> Asking:
    """An order with its returns; of a payment the order that it pays for."""
    if ID.fullmatch(pointer.id) is None:
        return None
    if pointer.kind == "payment":
        reply = yield Ask(path=f"/admin/payments/{pointer.id}", params={"fields": PAYMENT_FIELDS}, accepts=(404,))
        payment = None if reply.status == 404 else _one(reply, "payment")
        order_id = order_of(payment) if payment is not None else ""
        return (yield from fetch(Pointer("order", order_id))) if order_id else None
    if pointer.kind != "order":
        return None
    reply = yield Ask(path=f"/admin/orders/{pointer.id}", params={"fields": ORDER_FIELDS}, accepts=(404,))
    if reply.status == 404:
        return None
    found = yield from _joined([_one(reply, "order")])
    return found[0]


def _one(reply: Reply, name: str) -> Json:
    value = reply.body.get(name) if type(reply.body) is dict else None
    if type(value) is not dict:
        raise unexpected(f"the answer has no {name}")
    return value
