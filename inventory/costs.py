"""What the stock that moved had cost."""

from collections.abc import Sequence

from salessync.core import bulk


def of(transaction_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Transaction → line → Σ cost in minor units of the base currency, positive where it left the shelf, negative where it came back.

    A refund's cost is under the refund, by the id of the line that was sold. Lines whose cost is not known, or nothing in the end,
    are left out.
    """
    if not transaction_ids:
        return {}
    found: dict[int, dict[str, int]] = {}
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT transaction_id, line_id, -sum(cost)::bigint FROM inventory_movement"
            " WHERE transaction_id = ANY(%s) AND cost IS NOT NULL GROUP BY 1, 2 HAVING sum(cost) <> 0 ORDER BY 1, min(id)",
            [list(transaction_ids)],
        )
        for transaction_id, line_id, cost in cursor.fetchall():
            found.setdefault(transaction_id, {})[line_id] = cost
    return found
