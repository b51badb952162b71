"""Keeps what a listing showed that we cannot explain (inventory/shown.py), as one open row for each; whoever settles it closes it."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from django.db import connection, transaction


class Difference(NamedTuple):
    """A listing showed `found` where `expected` would be all that we have heard of; equal: what was apart no longer is."""

    listing_id: int
    remote_id: str
    expected: Decimal
    found: Decimal


Found = Callable[[Sequence[Difference]], None]


def note(differences: Sequence[Difference]) -> None:
    """Open or renew what is apart, close what no longer is. Committed when it returns: the next call reckons with it."""
    rows = [(d.listing_id, d.remote_id, d.expected, d.found) for d in differences]
    columns = [list(column) for column in zip(*rows, strict=True)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_stockdrift d SET state = 'gone', closed_at = now()"
            " FROM unnest(%s::bigint[], %s::text[], %s::numeric[], %s::numeric[]) n(listing_id, remote_id, expected, found)"
            " WHERE d.listing_id = n.listing_id AND d.remote_id = n.remote_id AND d.state = 'open' AND n.expected = n.found",
            columns,
        )
        cursor.execute(
            """
            INSERT INTO inventory_stockdrift (company_id, listing_id, remote_id, expected, found, cause, message)
            SELECT p.company_id, n.listing_id, n.remote_id, n.expected, n.found, 'unknown',
                   'When its level was to be set, it showed ' || trim_scale(n.found) || ' instead of ' || trim_scale(n.expected) || '.'
              FROM unnest(%s::bigint[], %s::text[], %s::numeric[], %s::numeric[]) n(listing_id, remote_id, expected, found)
              JOIN inventory_listing l ON l.id = n.listing_id JOIN inventory_product p ON p.id = l.product_id
             WHERE n.expected <> n.found
            ON CONFLICT (listing_id, remote_id) WHERE state = 'open'
            DO UPDATE SET expected = excluded.expected, found = excluded.found, message = excluded.message
            """,
            columns,
        )
