"""Units held for carts and tills, until the sale comes, the caller lets them go, or their time is over."""

from collections.abc import Mapping

from inventory.levels import ZERO, Delta
from inventory.models import Reservation
from salessync.core import bulk

OPEN = (Reservation.State.HELD, Reservation.State.PARTIAL)


def commit(named: Mapping[str, tuple[int, int]]) -> list[Delta]:
    """Reservation → (company, the sale that names it): those that hold units still let them go, as movements for the caller to write.

    A reservation whose time was over is remembered as its sale's all the same. One that another sale took stays that sale's.
    """
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            WITH named AS MATERIALIZED (
                SELECT r.id, r.state, n.transaction_id FROM inventory_reservation r
                  JOIN unnest(%s::text[], %s::bigint[], %s::bigint[]) AS n(public_id, company_id, transaction_id)
                    ON r.public_id::text = lower(n.public_id) AND r.company_id = n.company_id
                 WHERE r.transaction_id IS NULL ORDER BY r.id FOR UPDATE OF r
            ), taken AS (
                UPDATE inventory_reservation r SET transaction_id = n.transaction_id,
                       state = CASE WHEN n.state IN ('held', 'partial') THEN 'committed' ELSE n.state END,
                       closed_at = COALESCE(r.closed_at, now())
                  FROM named n WHERE n.id = r.id
            )
            SELECT n.id, l.position, r.company_id, l.product_id, l.location, l.held FROM named n
              JOIN inventory_reservation r ON r.id = n.id JOIN inventory_reservationline l ON l.reservation_id = n.id
             WHERE n.state IN ('held', 'partial') AND l.held > 0 ORDER BY 1, 2
            """,
            [
                list(named),
                [company for company, _ in named.values()],
                [transaction for _, transaction in named.values()],
            ],
        )
        return [
            Delta(company, product, place, "hold", None, str(position), 2, ZERO, -held, reservation_id=id_)
            for id_, position, company, product, place, held in cursor.fetchall()
        ]
