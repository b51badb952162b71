"""What an adapter is: one vendor's words turned into canonical records. Pure: no Django, no network, no clock, no database.

A new channel is one file in `channels/adapters/` with a subclass of Adapter and an instance called `adapter`; the registry,
the webhook address, the admin's choice and the contract tests follow from the file.
"""

import hashlib
import importlib
import pkgutil
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar

import msgspec

import channels.adapters
from channels.canonical import AnyRecord
from channels.record import Jurisdiction
from salessync.core import dates
from salessync.core.problems import Problem, Refused

Headers = Mapping[str, str]  # names in lower case


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the channel knows and a payload may lack. `timezone` counts only where the payload names none."""

    channel: str
    timezone: str = "UTC"
    day_cut_hour: int = 0
    jurisdiction: Jurisdiction | None = None


class Envelope(msgspec.Struct, frozen=True):
    """One delivery: the vendor's id of it (stable over retries, None where it has none) and its topic."""

    delivery_id: str | None
    topic: str


class SignatureRefused(Exception):
    """The delivery does not prove that it comes from the vendor; the reason is for the log, never for the caller."""


class Ignored(Exception):
    """The event is well understood and moves nothing here; the message says why."""


class Adapter:
    """Subclass it once a vendor; methods may be called from any thread and keep no state."""

    name: ClassVar[str]
    label: ClassVar[str]
    topics: ClassVar[frozenset[str]] = frozenset()
    kept_headers: ClassVar[frozenset[str]] = frozenset()

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> None:
        """Prove the signature over the raw bytes with any of the live secrets, or raise SignatureRefused."""
        raise NotImplementedError

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """Delivery id and topic; `payload` is the parsed body, or None where it could not be parsed."""
        raise NotImplementedError

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The canonical records that one payload holds; Refused with problems, or Ignored with a reason."""
        raise NotImplementedError

    def scrub(self, payload: Any) -> Any:
        """The parsed payload without personal data; what normalize reads must survive it."""
        raise NotImplementedError

    def business_day(self, at: datetime, timezone: str, context: Context) -> Any:
        """The store's own day of an instant."""
        try:
            return dates.business_date(at, timezone, context.day_cut_hour)
        except dates.DateError as error:
            raise Refused(Problem(error.code, "timezone", str(error))) from None
        except OverflowError:  # the first and last hours of the calendar have no day in some zones
            raise Refused(Problem("BAD_TIME", "occurred_at", "the time is outside of the calendar")) from None


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
