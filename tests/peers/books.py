"""What our journal says of one sale and its refunds."""

from django.db import connection


class Balances(dict):
    """account → amount in minor units, debit positive."""

    def under(self, name: str) -> int:
        """The account and all below it."""
        return sum(amount for code, amount in self.items() if code == name or code.startswith(name + ":"))


class Books:
    """The journal of one company."""

    def __init__(self, world) -> None:
        self.world = world

    def of_sale(self, source_id: str) -> Balances:
        """Every posting of the sale and of what belongs to it."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT a.code, sum(p.amount)::bigint FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id"
                " JOIN channels_transaction t ON t.id = p.transaction_id WHERE p.company_id = %s AND t.family ="
                " (SELECT family FROM channels_transaction WHERE company_id = %s AND type = 'sale' AND source_id = %s)"
                " GROUP BY 1",
                [self.world.company.pk, self.world.company.pk, source_id],
            )
            return Balances(cursor.fetchall())
