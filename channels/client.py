"""What a vendor is asked and what it answers, without any network: the other half of an adapter. Pure.

An adapter's calls are generators. They yield an Ask and are sent the Reply; while polling they yield a Page as well, which the
caller stores (payloads and cursor in one transaction) before it goes on. So one plain function tells how a vendor is read,
and pace, retries, tokens, time-outs and storage are the caller's, the same for every vendor (channels/calls.py, channels/poll.py).
"""

from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Whom we speak for. `credentials` as the administrator or OAuth gave them; `base_url` where the merchant's own host is asked."""

    channel: str
    credentials: Mapping[str, Any]
    base_url: str = ""
    test: bool = False  # the vendor's sandbox


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request. `path` is joined to the adapter's base URL; `accepts` are statuses outside 2xx that the caller passes on."""

    method: str = "GET"
    path: str
    params: Mapping[str, Any] = {}
    json: Any = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = {}
    accepts: tuple[int, ...] = ()


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: header names in lower case, the body parsed as a webhook's body is (fractions as Decimal); None where empty."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Found(msgspec.Struct, frozen=True):
    """One payload for the inbox, as `normalize` reads it; topic "" where the payload says itself what it is."""

    payload: Any
    topic: str = ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Payloads to store now, and where to go on after them; cursor None: this was the last page of the window."""

    found: tuple[Found, ...] = ()
    cursor: str | None = None


class Pointer(msgspec.Struct, frozen=True):
    """An object that the vendor is to be asked for: an event named only its id, or something else refers to it."""

    kind: str
    id: str


# How a list is asked for a day's control totals: by creation; by creation and by change, where refunds lie inside of older sales;
# or not at all, where it brings no sales, refunds or charges that another list does not bring.
Totals = Literal["created", "both", "none"]


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One list that is polled. `overlap`: seconds that every window begins before the last one's end, for late and slow writers."""

    name: str
    overlap: int = 120
    every: int = 300  # seconds between two polls where nothing else asks for one
    totals: Totals = "both"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The vendor's published pace for one account: a bucket of `burst` requests, refilled at `per_second`."""

    per_second: float
    burst: int = 1


class StockLevel(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing should show. `expected`: what it showed when we last knew; `key` makes a repeated call one call."""

    item_id: str
    location: str
    available: str  # decimal
    expected: str | None
    key: str
    at: datetime


class StockPlace(msgspec.Struct, frozen=True):
    """An item at one of the places where the channel counts it; both ids as `push_stock` takes them."""

    item_id: str
    location: str = ""


class StockRead(StockPlace, frozen=True):
    """What is for sale there, as the vendor counts it: the very figure that `push_stock` sets.

    `available`: decimal; None: the vendor knows no such item there, or does not count it.
    """

    available: str | None = None


class CatalogItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the channel sells: a product without variants, or one of a product's variants.

    `item_id`: the word by which the lines of its sales name it (`line.sku` of our records); None: by nothing that would tell it
    from others, so that its sales move no stock. `stock_id`: the id that `push_stock` and `read_stock` take. `variant_of`: the
    vendor's id of the product that it is a variant of, where it is or may be one of several. `tracked`: the vendor counts it, by
    itself. `levels`: where the list tells them without another request.
    """

    item_id: str | None
    stock_id: str
    sku: str = ""
    barcode: str = ""
    name: str = ""
    category: str = ""
    variant_of: str | None = None
    tracked: bool = True
    levels: tuple[StockRead, ...] = ()


class ItemPage(Page, frozen=True, kw_only=True):
    """Items to store now; a page like any other, which holds nothing for the inbox. Two pages may bring the same item."""

    items: tuple[CatalogItem, ...] = ()


class StaleStock(Exception):
    """The vendor holds another level than the expected one; `actual` where it said so."""

    def __init__(self, actual: str | None = None) -> None:
        super().__init__("the level was changed at the vendor meanwhile")
        self.actual = actual


class CursorExpired(Exception):
    """The vendor no longer knows the cursor: the window begins anew; what was stored already is recognised."""


Calls = Generator[Ask, Reply, Any]  # returns what the call was made for
Pages = Generator[Ask | Page, Reply | None, None]
