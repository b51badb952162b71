"""A small shop's day, made by the real capture and the real pipeline, with everything in it that a page could stumble over."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group, User
from django.db.backends.postgresql.psycopg_any import DateRange
from django.utils import timezone
from msgspec.structs import replace

from channels import canonical
from channels.models import ControlDay, Fetch, Mapping, Reading, Transaction
from inventory import levels
from inventory.models import (
    ChannelLocation,
    Component,
    Listing,
    ListingLevel,
    Product,
    Reservation,
    ReservationLine,
    StockDocument,
    StockDrift,
    StockPolicy,
)
from ledger import account_rules, periods, rebuild, subscribing
from ledger.models import AccountRule, BookkeeperAccount, BookkeeperCode, BookkeeperDifference, Delivery, Rate
from salessync import setup
from salessync.api import clients
from salessync.core.problems import Problem
from tax.assessment import grounds
from tax.law.ratebook import Rate as TaxRate
from tax.models import (
    Assessment,
    Certificate,
    NexusWatch,
    Registration,
    SellerPlace,
    TaxDifference,
    TaxNumberCheck,
    TaxSetting,
    UnmappedCategory,
)
from tax.rates import datasets
from tax.rates.loaded import Loaded, LoadedJurisdiction
from tax.seller import mapping as tax_mapping
from tests.records import back, line, refund, sale
from tests.worlds import World

NASTY = '<script>alert("x")</script>&amp;\'"'
SOLD = [("US-NY", "State", "4", 80)]


class Day:
    """Sales, a refund, an oversell, unmapped items, a foreign currency, hostile text, and four events in quarantine."""

    def __init__(self) -> None:
        setup.bootstrap()  # the roles
        self.world = World(stock="MUG,3")
        self.mug = Product.objects.get(company=self.world.company, sku="MUG")
        self.till = self.world.till
        Listing.objects.create(channel=self.till, product=self.mug, item_id="mug-as-the-till-says")
        self.berlin = self.world.channel("berlin-till", "standard", currency="EUR", timezone="Europe/Berlin")
        Rate.objects.create(date="2020-01-01", from_currency="EUR", to_currency="USD", rate="1.1")
        Mapping.objects.create(company=self.world.company, name="old-till", body={"columns": {NASTY: "id"}})
        self._sell()
        self._quarantine()
        self._acknowledge()
        self._ask()
        self._compare()
        self._hear_persons()

    def _sell(self) -> None:
        world = self.world
        world.send(number(sale([line(units=2, taxes=SOLD)], id_="S1"), "1001"))
        world.send(number(refund([back(line(units=2, taxes=SOLD), units=1, net=1000, tax=40)], of="S1"), "R-1"))
        world.send(sale([line(units=4)], id_="S2"))  # takes more than there is
        world.send(sale([replace(line(sku="mug "), name=NASTY)], id_="S3"), sale([line(sku="OTHER")], id_="S4"))
        world.send(number(sale([replace(line(sku=NASTY), name=NASTY)], id_=NASTY), NASTY))
        world.send(sale([line()], id_="B1", currency="EUR"), channel=self.berlin)

    def _quarantine(self) -> None:
        world = self.world
        no_place = [replace(sale([line()], id_=id_, currency="EUR"), jurisdiction=None) for id_ in ("B2", "B3")]
        self.lacking, self.lacking_too = world.send(*no_place, channel=self.berlin)
        unknown = canonical.encode(sale([line()], id_="S5")).replace(b'"paid"', json.dumps(NASTY).encode())
        self.wrong, self.broken = world.send(
            unknown.replace(b'"shop"', json.dumps(self.till.slug).encode()),
            b'\x00\xff not json <img src=x onerror="alert(1)">',
        )

    def _acknowledge(self) -> None:
        """Bookkeeper has all entries but the newest, and refused the one before."""
        newest, refused, *rest = Delivery.objects.filter(company_id=self.world.company.pk).order_by("-entry_id")
        self.due, self.refused = newest.pk, refused.pk
        Delivery.objects.filter(pk=refused.pk).update(state="refused", attempts=1, error=NASTY)
        for delivery in rest:
            Delivery.objects.filter(pk=delivery.pk).update(
                state="acknowledged",
                acknowledgement=f"ack-{delivery.pk}",
                acknowledged_at=timezone.now(),
                attempts=1,
            )

    def _ask(self) -> None:
        """The shop's orders are read with an error, its past is half read, and one object was asked for in vain."""
        shop, now = self.world.shop, timezone.now()
        Reading.objects.create(channel=shop, stream="orders", purpose="live", reached=now, read_at=now, error=NASTY)
        past = now - timedelta(days=90)
        Reading.objects.create(
            channel=shop,
            stream="orders",
            purpose="backfill",
            reached=past,
            since=past,
            until=now,
            pages=3,
            found=750,
            stored=748,
        )
        Fetch.objects.create(channel=shop, kind="order", object_id=NASTY, state="failed", attempts=8, error=NASTY)

    def _compare(self) -> None:
        """A day with a gap, one that is complete again, and one that could not be compared; as if the till's vendor could be asked."""
        today, now = timezone.now().date(), timezone.now()
        gap, whole, failed = (
            ControlDay.objects.create(channel=self.till, day=today - timedelta(days=n), state=state, checked_at=now)
            for n, state in enumerate(("open", "closed", "failed"))
        )
        sales = {"type": "sale", "currency": "USD", "vendor_count": 6, "our_count": 5, "vendor_gross": 1234500}
        gap.totals.create(**sales, our_gross=1230000, missing=[NASTY + "9", "S77"], in_inbox=["S5"], extra=["S2"])
        gap.totals.create(type="refund", currency="USD", vendor_count=1, our_count=1, vendor_gross=1040, our_gross=1040)
        whole.totals.create(**sales | {"our_count": 6}, our_gross=1234500, recovered=["S1", NASTY], recovered_at=now)
        ControlDay.objects.filter(pk=failed.pk).update(error=NASTY, checked_at=None, next_at=now)

    def _hear_persons(self) -> None:
        """One asks what is held of him, another to be forgotten."""
        for topic, key in (("customers/data_request", "orders_requested"), ("customers/redact", "orders_to_redact")):
            body = {"shop_domain": NASTY, "customer": {"id": key}, key: [NASTY]}
            self.world.send(json.dumps(body).encode(), channel=self.world.shop, topic=topic)

    def keep_books(self) -> None:
        """Programs and subscribers with odd names, a rule that leads nothing, and a Bookkeeper that holds something else."""
        company = self.world.company
        clients.create(company=company, name=NASTY, scopes=["sales"], actor="anna")
        subscribing.create(company=company, url="https://example.com/hooks", topics=["period.closed"], actor="anna")
        account = account_rules.account_named(company, "Income:Scene")
        rule = AccountRule(company=company, account=account, category="scene-only", valid_from=date(2026, 9, 1))
        account_rules.add(rule=rule, actor="anna", sentence=NASTY)
        rebuild.ask(scope=rebuild.Scope(company.pk), reason=NASTY, actor="anna", rule=rule)
        BookkeeperAccount.objects.create(company=company, code=NASTY, name=NASTY, kind="income", active=True)
        BookkeeperCode.objects.create(company=company, account=account, code="4000", actor="anna")
        BookkeeperDifference.objects.create(
            company=company, known_as=NASTY, kind="unknown_there", details={"there": {"id": NASTY}}
        )
        periods.close(company=company, through=date(2020, 1, 31), actor="anna", reason=NASTY)
        self.keep_tax()
        self.keep_stock()

    def keep_tax(self) -> None:
        """A file of rates that is active, a sale whose tax differs, and one of everything that a seller says of himself."""
        company, sold = self.world.company, Transaction.objects.get(source_id="S1", channel=self.till)
        always = DateRange(date(2020, 1, 1), None)
        places = [
            LoadedJurisdiction("US", "", "US", "country"),
            LoadedJurisdiction("US-NY", "US", "US", "state", NASTY),
        ]
        rates = [TaxRate(jurisdiction="US-NY", tax="State", rate=Decimal(4), source=NASTY, starts=always.lower)]
        loaded = Loaded(code="scene", format="csv", version=NASTY, publisher=NASTY, rates=rates, jurisdictions=places,
                        left_out={NASTY: 3}, problems=[Problem("DOUBTFUL", NASTY, NASTY)])  # fmt: skip
        self.rates = datasets.stage(loaded, file_name=NASTY, sha256="0" * 64, actor="anna")
        book = datasets.activate(self.rates, "anna", NASTY)
        ground = ("State", "US-NY", NASTY, NASTY)
        kept = ["goods", "default", 2000, 70, "taxable", [[grounds.ids([ground])[ground], "4", 2000, 70]]]
        self.assessment = Assessment.objects.create(
            company_id=company.pk, channel_id=self.till.pk, transaction_id=sold.pk, version_id=sold.version_id, book_id=book.pk,
            date=date(2026, 9, 1), currency="USD", country="US", region="NY", place=NASTY, treatment="taxable", verdict="rate_mismatch",
            net=2000, computed=70, charged=80, implied_rate=Decimal(4), message=NASTY, lines=[kept],
            warnings=[{"code": "DOUBT", "path": NASTY, "message": NASTY}], digest=b"scene" * 6,
        )  # fmt: skip
        differs = {"assessment_id": self.assessment.pk, "verdict": "rate_mismatch", "amount": 10, "currency": "USD", "country": "US",
                   "region": "NY", "message": NASTY, "company": company, "channel_id": self.till.pk}  # fmt: skip
        TaxDifference.objects.update_or_create(transaction_id=sold.pk, defaults=differs)
        UnmappedCategory.objects.create(
            company=company, matched_by="category", value=NASTY, name="Books, bound", first_transaction_id=sold.pk
        )
        tax_mapping.set_rule(company=company, matched_by="name", value=f"{NASTY} tea", category="food", actor="anna")
        Registration.objects.create(company=company, jurisdiction="US-NY", number=NASTY, valid=always)
        SellerPlace.objects.create(company=company, location=NASTY, country="US", region="NY", city=NASTY)
        Certificate.objects.create(
            company=company,
            customer="sha256:" + "a" * 64,
            jurisdiction="US-TX",
            reason=NASTY,
            number=NASTY,
            valid=always,
        )
        TaxNumberCheck.objects.create(number=NASTY, scheme="eu", is_well_formed=False, consultation=NASTY)
        TaxSetting.objects.create(company=company, provider="opensalestax", address="https://tax.example.com")
        NexusWatch.objects.create(company=company, jurisdiction="US-NY", period=NASTY, sales=60_000_000, transactions=9,
                                  currency="USD", share="1.2", state="passed", passed_on=date(2026, 9, 1))  # fmt: skip

    def keep_stock(self) -> None:
        """A bundle, a listing in each state, a drift, a reservation that holds a part, stock moved by hand, and how channels take part."""
        company, mug, now = self.world.company, self.mug, timezone.now()
        lid = Product.objects.create(company=company, sku=NASTY + "lid", name=NASTY)
        bundle = Product.objects.create(company=company, sku="SET", name=NASTY)
        Component.objects.create(bundle=bundle, part=mug, quantity=2)
        Component.objects.create(bundle=bundle, part=lid, quantity=1)
        StockPolicy.objects.create(channel=self.berlin, buffer=2, edits="adopt")
        ChannelLocation.objects.create(channel=self.berlin, remote_id=NASTY, locations=["main", NASTY[:60]])
        shown = [("shop-mug", 0, 2, "due", ""), ("shop-mug-too", 0, 0, "idle", ""), (NASTY, 0, None, "failed", NASTY)]
        for item, wanted, shows, state, problem in shown:
            listing = Listing.objects.create(channel=self.world.shop, product=mug, item_id=item, name=NASTY, buffer=1)
            self.told = ListingLevel.objects.create(
                listing=listing, channel_id=listing.channel_id, remote_id=NASTY, wanted=wanted, shown=shows, state=state,
                problem=problem, lag_ms=320, told_at=now - timedelta(minutes=3), changed_at=now - timedelta(minutes=2),
            )  # fmt: skip
            self.drift = StockDrift.objects.create(company=company, listing=listing, remote_id=NASTY, expected=2, found=5,
                                                   cause="manual_edit", message=NASTY)  # fmt: skip
        self.reservation = Reservation.objects.create(public_id=uuid4(), company=company, channel=self.world.shop, reference=NASTY,
                                                      state="partial", expires_at=now + timedelta(minutes=15))  # fmt: skip
        ReservationLine.objects.create(
            reservation=self.reservation, position=1, product=mug, sku=NASTY, location="main", quantity=2, held=1
        )
        self.document = StockDocument.objects.create(
            company=company, kind="adjustment", reference=NASTY, reason=NASTY, actor="anna"
        )
        moved = (company.pk, mug.pk, "main")
        levels.write(
            [
                levels.Delta(*moved, "hold", None, "1", 1, Decimal(0), Decimal(1), reservation_id=self.reservation.pk),
                levels.Delta(*moved, "adjustment", None, "1", 1, Decimal(-1), Decimal(0), document_id=self.document.pk),
            ]
        )


def number(record: Any, display: str) -> Any:
    """The record with a display number, as of now."""
    now = datetime.now(UTC)
    return replace(
        record,
        source=replace(record.source, number=display),
        occurred_at=now.replace(microsecond=0),
        business_date=now.date(),
    )


def people() -> dict[str, User]:
    """One of each role, and a superuser."""
    found = {"admin": User.objects.create_superuser("admin", "admin@example.com", "secret")}
    for role in ("Administrator", "Reviewer", "Auditor"):
        user = User.objects.create_user(role.lower(), password="secret", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        found[role.lower()] = user
    return found
