"""A company with channels, for tests: capture what you like, process it, look at the sums."""

import itertools
from collections import defaultdict
from datetime import UTC, datetime

from django.db import connection

from channels import canonical
from channels.capture import capture
from channels.models import Channel, Event
from inventory import catalog
from salessync import pipeline, setup
from salessync.core.models import Company

_numbers = itertools.count(1)


class World:
    """A company of its own with one `standard` till and one Shopify shop, and two products in stock."""

    def __init__(self, *, currency="USD", stock="MUG,100\nCAP,3"):
        number = next(_numbers)
        self.company = Company.objects.create(slug=f"c{number}", name=f"Company {number}", base_currency=currency)
        setup.open_accounts(self.company)
        self.till = self.channel(f"till-{number}", "standard")
        self.shop = self.channel(f"shop-{number}", "shopify")
        catalog.import_catalog(company=self.company, text="sku,quantity\n" + stock)

    def channel(self, slug, adapter, **more):
        return Channel.objects.create(company=self.company, slug=slug, adapter=adapter, **more)

    def capture(self, body, *, channel=None, topic=None, delivery_id=None):
        """Store a payload: bytes, or a canonical record for the till."""
        channel = channel or self.till
        if not isinstance(body, bytes):
            body = canonical.encode(body).replace(b'"channel":"shop"', f'"channel":"{channel.slug}"'.encode())
        headers = {"webhook-id": delivery_id, "x-shopify-webhook-id": delivery_id} if delivery_id else {}
        return capture(
            channel=channel, headers=headers, body=body, mode="webhook", received_at=datetime.now(UTC), topic=topic
        ).event_id

    def process(self, *, size=500):
        """Until nothing is due; the deferred constraints are checked at once, as a commit would."""
        while pipeline.run_batch(size=size):
            pass
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")

    def send(self, *bodies, **more):
        """Capture and process, one after the other."""
        ids = []
        for body in bodies:
            ids.append(self.capture(body, **more))
            self.process()
        return ids

    def states(self):
        """state → how many events."""
        found = defaultdict(int)
        for state in Event.objects.filter(company_id=self.company.pk).values_list("state", flat=True):
            found[state] += 1
        return dict(found)

    def codes(self):
        """The problem codes of all events, sorted."""
        return sorted(
            p["code"]
            for problems in Event.objects.filter(company_id=self.company.pk).values_list("problems", flat=True)
            for p in problems or ()
        )

    def balances(self):
        """account → amount in minor units, zero balances left out (one currency assumed)."""
        return {code: amount for (code, _), amount in self._sums("a.code, p.currency").items() if amount}

    def facts(self):
        """What must not depend on the order of arrival: sums at every source object, and stock."""
        books = self._sums(
            "t.type || t.source_id, a.code, p.currency, e.date, COALESCE(p.location, ''), COALESCE(p.tax_code, ''),"
            " COALESCE(p.category, ''), p.path"
        )
        return {key: amount for key, amount in books.items() if amount}, self.stock()

    def _sums(self, what):
        columns = what.count(",") + 1 - what.count("COALESCE")
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {what}, sum(p.amount)::bigint FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id"
                " JOIN ledger_journalentry e ON e.id = p.entry_id JOIN channels_transaction t ON t.id = p.transaction_id"
                f" WHERE p.company_id = %s GROUP BY {', '.join(str(i + 1) for i in range(columns))}",
                [self.company.pk],
            )
            return {tuple(row[:-1]): row[-1] for row in cursor.fetchall()}

    def stock(self):
        """SKU → (on hand, reserved), over all places."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT p.sku, sum(l.on_hand), sum(l.reserved) FROM inventory_level l JOIN inventory_product p"
                " ON p.id = l.product_id WHERE l.company_id = %s GROUP BY 1",
                [self.company.pk],
            )
            return {sku: (int(hand), int(held)) for sku, hand, held in cursor.fetchall()}
