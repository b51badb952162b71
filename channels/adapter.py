"""What an adapter is: one vendor's words turned into canonical records. Pure: no Django, no network, no clock, no database.

A new channel is one file in `channels/adapters/` with a subclass of Adapter and an instance called `adapter`; the registry,
the webhook address, the admin's choice, the capability table and the contract tests follow from the file.
"""

import hashlib
import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Literal

import msgspec

import channels.adapters
from channels.canonical import AnyRecord
from channels.client import Account, Ask, Calls, Limits, Pages, Pointer, Reply, StockLevel, StockPlace, Stream
from channels.record import Jurisdiction

Headers = Mapping[str, str]  # names in lower case


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the channel knows and a payload may lack. `timezone` counts only where the payload names none."""

    channel: str
    timezone: str = "UTC"
    day_cut_hour: int = 0
    jurisdiction: Jurisdiction | None = None


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery is proven against.

    `secrets`: every live webhook secret, the newest first. `urls`: the addresses that the vendor may have been told to deliver to,
    for signatures that cover the address. `certificate`: what `certificate_url` names, PEM, already checked against public roots.
    """

    secrets: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    certificate: bytes | None = None


class Envelope(msgspec.Struct, frozen=True):
    """One delivery: the vendor's id of it (stable over retries, None where it has none) and its topic."""

    delivery_id: str | None
    topic: str


class PrivacyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person, or a shop that left, asks by way of the vendor.

    `customer`: a hash, None where no id was given; `orders`: ids of sales; `shop`: whom the vendor says it is for.
    """

    kind: Literal["data_request", "customer_redact", "shop_redact"]
    customer: str | None = None
    orders: tuple[str, ...] = ()
    shop: str | None = None


class Person(msgspec.Struct, frozen=True):
    """Whom a part of a payload is about: the hash of the customer's id, or only an order's id, or both."""

    customer: str | None
    order: str | None


class SignatureRefused(Exception):
    """The delivery does not prove that it comes from the vendor; the reason is for the log, never for the caller."""


class Ignored(Exception):
    """The event is well understood and moves nothing here; the message says why."""


STOCK_CHANGED = "a stock level changed: it is read back"  # why an event of `stock_topics` is ignored

# What a channel can be expected to bring, in the order of the capability table.
ABILITIES = ("sales", "charges", "refunds", "voids", "edits", "disputes", "payouts", "webhooks", "polling", "stock")


class Adapter:
    """Subclass it once a vendor; methods may be called from any thread and keep no state."""

    name: ClassVar[str]
    label: ClassVar[str]
    topics: ClassVar[frozenset[str]] = frozenset()  # the vendor's event names that a webhook may be subscribed to
    kept_headers: ClassVar[frozenset[str]] = frozenset()
    privacy_topics: ClassVar[frozenset[str]] = frozenset()  # of events that ask for personal data or its removal
    settles: ClassVar[bool] = False  # its charges may pay for sales of other channels of the company
    is_processor: ClassVar[bool] = False  # records name it as a payment's processor by the adapter's name
    missing: ClassVar[Mapping[str, str]] = {}  # of ABILITIES what the vendor does not have, or we do not read, and why
    streams: ClassVar[tuple[Stream, ...]] = ()
    limits: ClassVar[Limits] = Limits(per_second=2.0, burst=10)
    stock_topics: ClassVar[frozenset[str]] = frozenset()  # of `topics` those that tell of a changed stock level only
    stock_batch: ClassVar[int] = 1  # how many levels one request of `read_stock` answers
    stock_compares: ClassVar[bool] = (
        False  # the vendor itself refuses to set a level that is not the expected one any more
    )

    # --- what comes in

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """Prove the signature over the raw bytes with any of the live secrets, or raise SignatureRefused."""
        raise NotImplementedError

    def certificate_url(self, headers: Headers) -> str | None:
        """Where the certificate of this delivery's signature lies, on a host that is the vendor's own; None: none is needed."""
        return None

    def greeting(self, headers: Headers, body: bytes) -> str | None:
        """What an unsigned message means that the vendor sends to try the address: it is answered 200 and never stored."""
        return None

    def body(self, headers: Headers, body: bytes) -> bytes:
        """The JSON inside a delivery whose body is not JSON itself (a form field)."""
        return body

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """Delivery id and topic; `payload` is the parsed body, or None where it could not be parsed."""
        raise NotImplementedError

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The canonical records that one payload holds; Refused with problems, or Ignored with a reason."""
        raise NotImplementedError

    def scrub(self, payload: Any) -> Any:
        """The parsed payload without personal data; what normalize reads must survive it."""
        raise NotImplementedError

    def privacy(self, payload: Any, topic: str) -> PrivacyRequest | None:
        """What the event asks on behalf of a person; None where it is no such request; Refused where it cannot be read."""
        return None

    def concerns(self, request: PrivacyRequest, account: Account) -> bool:
        """Whether the request is for this account, as far as the account says who it is: a vendor may send all to one address."""
        return True

    def persons(self, payload: Any) -> list[Person]:
        """Whom a scrubbed payload still tells of."""
        return []

    def forget(self, payload: Any, whom: Callable[[Person], bool]) -> Any:
        """The scrubbed payload without what points to these persons; normalize reads the same amounts from it as before."""
        return payload

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """The object that an event only names, for the pipeline to fetch; None where the payload is the object."""
        return None

    def stock_hint(self, payload: Any, topic: str) -> tuple[StockPlace, ...]:
        """Which levels an event says were changed; () where it says nothing of stock. A scrubbed payload will do.

        A StockRead where it tells what the level is now; location "" where it does not say which one's. A hint and no more: the
        event may be late, or of our own push.
        """
        return ()

    def parent(self, record: AnyRecord) -> Pointer | None:
        """What a refund or charge needs before it can be booked, where the vendor can be asked for it."""
        return None

    # --- what goes out (channels/client.py)

    def base_url(self, account: Account) -> str:
        """https://host of the vendor's API, or the merchant's own."""
        raise NotImplementedError

    def authorization(self, account: Account) -> Mapping[str, str]:
        """The headers that prove who asks."""
        raise NotImplementedError

    def refresh(self, account: Account) -> Ask | None:
        """The request that renews the access token; None where tokens do not expire."""
        return None

    def renewed(self, reply: Reply, account: Account, now: datetime) -> dict[str, Any]:
        """The credentials after a refresh, `expires_at` (Unix seconds) among them."""
        raise NotImplementedError

    def denies(self, reply: Reply) -> bool:
        """Whether an answer with a good status says that the token is none any more: GraphQL says it so."""
        return False

    def pause(self, reply: Reply) -> float:
        """Seconds to wait before the next request, as the answer's headers advise; 0 where they say nothing."""
        return 0.0

    def poll(
        self,
        stream: str,
        account: Account,
        *,
        since: datetime,
        until: datetime,
        cursor: str | None,
        created: bool = False,
    ) -> Pages:
        """Every object of the stream that changed (with `created`: came into being) in [since, until], page by page."""
        raise NotImplementedError

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """One object with all that `normalize` wants beside it; returns a Found, or None where the vendor has no such object."""
        raise NotImplementedError

    def subscribe(self, account: Account, url: str) -> Calls:
        """Make whatever subscriptions to `url` are missing; returns {"made": [topic…], "secret": newest or None}."""
        raise NotImplementedError

    def push_stock(self, account: Account, level: StockLevel) -> Calls:
        """Set the level at the vendor; returns None, or raises StaleStock where it is not what we expected."""
        raise NotImplementedError

    def read_stock(self, account: Account, places: Sequence[StockPlace]) -> Calls:
        """What is for sale at these places; returns a list of StockRead in their order, however many requests that takes."""
        raise NotImplementedError

    def items(self, account: Account, cursor: str | None) -> Pages:
        """Everything that the channel sells, one ItemPage after the other; a cursor goes on where an earlier page ended.

        CursorExpired where the vendor no longer knows it. What is new or removed while the list is read may be missed until the
        next time.
        """
        raise NotImplementedError

    def stock_locations(self, account: Account) -> Calls:
        """Where the vendor counts stock; returns a list of (id, name), empty where it has one place only."""
        raise NotImplementedError


_HASHED = re.compile("sha256:[0-9a-f]{64}")


def customer_ref(customer_id: Any) -> str | None:
    """A hash in place of the customer's id; one that is a hash already stays."""
    if customer_id in (None, ""):
        return None
    text = str(customer_id)
    return text if _HASHED.fullmatch(text) else "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@cache
def adapter_names() -> tuple[str, ...]:
    """Every file of the folder, sorted; a broken one fails here, at start-up."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(channels.adapters.__path__)))


@cache
def get(name: str) -> Adapter:
    """The adapter of that name; KeyError where there is none."""
    if name not in adapter_names():
        raise KeyError(name)
    found = importlib.import_module(f"channels.adapters.{name}").adapter
    assert isinstance(found, Adapter) and found.name == name, (
        f"channels/adapters/{name}.py must define adapter.name = {name!r}"
    )
    return found
