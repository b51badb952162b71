"""What an order and everything in it have in common: when, where, under which version. Pure."""

import re
from datetime import datetime

import msgspec

from channels.adapter import Context
from channels.adapters.clover.reading import EPOCH, Reader, is_true
from channels.reading import Json, stamp
from channels.record import Source

_MERCHANT = re.compile("/merchants/([A-Za-z0-9]{1,40})(?:/|$)")


class Facts(msgspec.Struct):
    """`modified` orders the versions of the order; `inclusive`: the merchant's prices have VAT inside."""

    id: str
    at: datetime
    modified: datetime
    location: str | None
    register: str | None
    test: bool
    inclusive: bool
    context: Context

    def source(self, identifier: str, version: datetime, *, offline: bool = False) -> Source:
        """Which object this is."""
        return Source(
            channel=self.context.channel,
            adapter="clover",
            id=identifier or "?",
            version=stamp(version),
            location=self.location,
            register=self.register,
            test=self.test,
            offline=offline,
        )


def read_facts(reader: Reader, order: Json, context: Context) -> Facts:
    """A time that cannot be read is a problem, and the rest is read on, so that all problems are told at once."""
    identifier = reader.identifier(order.get("id"), "id")
    created = reader.millis(order.get("createdTime"), "createdTime")
    client = reader.maybe_millis(order, "clientCreatedTime")
    modified = reader.maybe_millis(order, "modifiedTime")
    created = created or EPOCH
    return Facts(
        id=identifier,
        # a till that was offline made the sale before the server heard of it; a till whose clock is ahead did not
        at=client if client is not None and client < created else created,
        modified=max(created, modified or created),
        location=_merchant(order),
        register=reader.reference(order, "device"),
        test=is_true(order.get("testMode")),
        inclusive=is_true(order.get("isVat")),
        context=context,
    )


def _merchant(order: Json) -> str | None:
    """A merchant is one place of business; an order names it in its own address only."""
    href = order.get("href")
    found = _MERCHANT.search(href[:500]) if type(href) is str else None
    return found[1] if found else None
