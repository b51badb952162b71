"""A month of business: sales of two tills in two currencies with tips, gift cards, shipping and discounts, refunds, disputes, daily
payouts with fees and residuals, drawer counts, opening balances, a channel in summary, and the month closed. Other programs check the
books of it.
"""

import random
import subprocess
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from ledger import open_items, periods, reports, summaries
from ledger.models import Rate
from salessync import setup, verify
from tests import records
from tests.ledger.test_exports import (
    BEAN_CHECK,
    beancount_balances,
    export,
    hledger,
    hledger_balances,
    our_balances,
)
from tests.worlds import World

pytestmark = pytest.mark.django_db
FIRST = date(2026, 9, 1)
AFTER = datetime(2026, 11, 1, tzinfo=UTC)

__all__ = ["hledger"]


def drawn(count):
    """So many sales of the laws' own strategy, always the same."""
    found = []

    @seed(20260901)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(records.sales())
    def draw(sale):
        found.append(sale)

    draw()
    return found


class Month:
    """Thirty days of a company."""

    def __init__(self, a_day):
        self.world, self.chance = World(), random.Random(7)
        setup.open_books(self.world.company)
        self.paris = self.world.channel(
            f"paris-{self.world.company.slug}", "standard", currency="EUR", posting_mode="day"
        )
        for day, rate in (
            (FIRST, "1.1034"),
            (FIRST + timedelta(days=11), "1.0871"),
            (FIRST + timedelta(days=21), "1.1207"),
        ):
            Rate.objects.create(date=day, from_currency="EUR", to_currency="USD", rate=rate)
        self.sold, self.stock = [], iter(drawn(a_day * 30))
        self.unpaid = {"USD": [], "EUR": []}
        for n in range(30):
            self.day(FIRST + timedelta(days=n), a_day)

    def day(self, today, count):
        for n, one in zip(range(count), self.stock, strict=False):
            foreign = n % 3 == 2
            self.sell(one, today, "EUR" if foreign else "USD", self.paris if foreign else self.world.till)
        if self.sold and self.chance.random() < 0.7:
            self.give_back(today)
        if self.sold and self.chance.random() < 0.2:
            self.dispute(today)
        for currency, channel in (("USD", self.world.till), ("EUR", self.paris)):
            self.pay_out(today, currency, channel)
        self.count_drawer(today)

    def sell(self, drawn, today, currency, channel):
        id_ = f"{today:%m%d}-{len(self.sold)}"
        tenders = [
            msgspec.structs.replace(
                t, reference=f"ch_{id_}_{t.id}", processor=channel.slug if t.type == "card" else t.processor
            )
            for t in drawn.tenders
        ]
        made = msgspec.structs.replace(
            drawn, source=records.source(id_), business_date=today, currency=currency, tenders=tenders
        )
        self.world.send(made, channel=channel)
        self.sold.append((made, channel))
        cards = [t for t in tenders if t.type == "card"]
        self.unpaid[currency] += [("charge", t.amount, t.amount // 34, t.reference) for t in cards]

    def give_back(self, today):
        sale, channel = self.sold.pop(self.chance.randrange(len(self.sold)))
        if sale.totals.total <= 0:
            return
        cards = [t for t in sale.tenders if t.type == "card"]
        amount = self.chance.randint(1, sale.totals.total)
        if not cards or amount > cards[0].amount:
            return
        tender = records.RefundTender(
            id="g1",
            parent=cards[0].id,
            type="card",
            amount=amount,
            processor=channel.slug,
            reference=f"re_{sale.source.id}",
        )
        line = records.RefundLine(type="adjustment", net=amount)
        refund = records.refund([line], [tender], id_=f"R{sale.source.id}", of=sale.source.id, currency=sale.currency)
        self.world.send(msgspec.structs.replace(refund, business_date=today), channel=channel)
        self.unpaid[sale.currency].append(("refund", -amount, 0, tender.reference))

    def dispute(self, today):
        sale, channel = self.sold[-1]
        cards = [t for t in sale.tenders if t.type == "card"]
        if not cards:
            return
        for version, state in enumerate(
            self.chance.choice((["needs_response"], ["needs_response", "won"], ["under_review", "lost"])), 1
        ):
            made = records.dispute(
                cards[0].amount, f"D{sale.source.id}", of=cards[0].reference, version=str(version), state=state, fee=1500,
                currency=sale.currency,
            )  # fmt: skip
            self.world.send(msgspec.structs.replace(made, business_date=today), channel=channel)

    def pay_out(self, today, currency, channel):
        lines, self.unpaid[currency] = self.unpaid[currency], []
        if not lines:
            return
        made = records.payout(
            [records.payout_line(kind, gross, fee, reference) for kind, gross, fee, reference in lines],
            id_=f"P{today:%m%d}{currency}", currency=currency, processor=channel.slug,
        )  # fmt: skip
        self.world.send(msgspec.structs.replace(made, business_date=today), channel=channel)

    def count_drawer(self, today):
        over = self.chance.choice((0, 0, 0, -250, 100))
        made = records.cash_session(id_=f"C{today:%m%d}", expected=20000, counted=20000 + over)
        self.world.send(msgspec.structs.replace(made, business_date=today))

    def finish(self):
        summaries.post_due(AFTER)
        periods.close(
            company=self.world.company, through=FIRST + timedelta(days=29), actor="ada", reason="September is over"
        )


def proves_itself(month, tmp_path, program):
    company = month.world.company
    assert not [law for law in verify.verify_books() if law.violations]
    ours = our_balances(company)
    assert set(month.world.states()) == {"posted"}, month.world.codes()
    assert len({currency for _, currency in ours}) == 2 and len(ours) > 20
    file = export(tmp_path, company.slug, "beancount")
    checked = subprocess.run([BEAN_CHECK, file], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert beancount_balances(file)[0] == ours
    journal = export(tmp_path, company.slug, "hledger")
    subprocess.run([program, "check", "--strict", "-f", journal], check=True, capture_output=True)
    assert hledger_balances(program, journal) == ours
    clearing = {key: sum_ for key, sum_ in ours.items() if key[0].startswith("Assets:Clearing:")}
    items = open_items.by_account(open_items.items(company, today=FIRST + timedelta(days=30)))
    assert {key: sum_ for key, sum_ in items.items() if sum_} == clearing
    assert reports.totals(reports.trial_balance(company=company)).base == 0


def test_a_month_that_other_programs_check_small(hledger, tmp_path):
    month = Month(a_day=3)
    month.finish()
    proves_itself(month, tmp_path, hledger)


@pytest.mark.slow
def test_a_month_that_other_programs_check(hledger, tmp_path):
    month = Month(a_day=40)
    month.finish()
    proves_itself(month, tmp_path, hledger)
