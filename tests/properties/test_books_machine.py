"""Random business against a model of what the books must say: any history of sales, edits, refunds, disputes, payouts, closed
periods, changed account rules, ways of posting and replays, in two currencies.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from channels import dispute as disputes
from channels import payout as payouts
from channels.models import Channel
from channels.refund import RefundTender
from ledger import account_rules, accounts, open_items, periods, rebuild, summaries
from ledger.models import AccountRule, Rate
from salessync.core.models import Company
from salessync.core.problems import Refused
from tests import records
from tests.properties.books_model import Books, Dispute, Payout, Refund, Sale
from tests.worlds import World

BASE, FOREIGN, RATE, LATER_RATE = "USD", "EUR", Decimal("1.10"), Decimal("1.25")
DAYS = [date(2026, 9, 1) + timedelta(days=n) for n in range(40)]
PAID_ON = date(2026, 10, 20)
AFTER_ALL = datetime(2027, 1, 1, tzinfo=UTC)
STATES = ["needs_response", "under_review", "won", "lost", "closed"]


class Business(RuleBasedStateMachine):
    """Each rule changes the world, tells the till about it, and the model; what the books say is compared after every step."""

    @initialize()
    def open(self):
        self.world = World()
        for day, rate in ((DAYS[0], RATE), (PAID_ON, LATER_RATE)):
            Rate.objects.get_or_create(date=day, from_currency=FOREIGN, to_currency=BASE, defaults={"rate": rate})
        self.books = Books(f"Assets:Clearing:{self.world.till.slug.capitalize()}", BASE, RATE)
        self.sent, self.number = [], 0

    def teardown(self):
        if hasattr(self, "world"):
            for work, count in self._problems():
                assert not count, work

    def send(self, record):
        self.sent.append(record)
        self.world.send(record)

    def next(self, letter):
        self.number += 1
        return f"{letter}{self.number}"

    # --- what happens

    @rule(
        net=st.integers(1, 5000),
        tax=st.integers(0, 400),
        day=st.sampled_from(DAYS),
        currency=st.sampled_from([BASE, BASE, FOREIGN]),
    )
    def sells(self, net, tax, day, currency):
        sale = Sale(self.next("S"), currency, day, net, tax)
        self.books.sales.append(sale)
        self.send(self._sale(sale))

    @precondition(lambda self: self._editable())
    @rule(data=st.data(), net=st.integers(1, 5000), tax=st.integers(0, 400))
    def edits(self, data, net, tax):
        sale = data.draw(st.sampled_from(self._editable()))
        sale.net, sale.tax, sale.version = net, tax, sale.version + 1
        self.send(self._sale(sale))

    @precondition(lambda self: self._editable())
    @rule(data=st.data())
    def voids(self, data):
        sale = data.draw(st.sampled_from(self._editable()))
        sale.voided, sale.version = True, sale.version + 1
        self.send(self._sale(sale))

    @precondition(lambda self: self._refundable())
    @rule(data=st.data(), whole=st.booleans(), status=st.sampled_from(["succeeded", "succeeded", "pending"]))
    def gives_back(self, data, whole, status):
        sale = data.draw(st.sampled_from(self._refundable()))
        net, tax = self._left(sale)
        if not whole and net > 1:
            net, tax = data.draw(st.integers(1, net - 1)), data.draw(st.integers(0, tax))
        refund = Refund(self.next("R"), sale, net, tax, status)
        self.books.refunds.append(refund)
        self.send(self._refund(refund))

    @precondition(lambda self: [r for r in self.books.refunds if not self._paid(r)])
    @rule(data=st.data(), status=st.sampled_from(["succeeded", "failed"]))
    def refund_turns(self, data, status):
        refund = data.draw(st.sampled_from([r for r in self.books.refunds if not self._paid(r)]))
        net, tax = self._left(refund.sale)
        if status == "succeeded" and not refund.counts and (refund.net > net or refund.tax > tax):
            return  # what it would give back has gone another way
        refund.status, refund.version = status, refund.version + 1
        self.send(self._refund(refund))

    @precondition(lambda self: self._live_sales())
    @rule(data=st.data(), fee=st.sampled_from([0, 1500]))
    def is_disputed(self, data, fee):
        sale = data.draw(st.sampled_from(self._live_sales()))
        dispute = Dispute(self.next("D"), sale, sale.total, fee)
        self.books.disputes.append(dispute)
        self.send(self._dispute(dispute))

    @precondition(lambda self: self.books.disputes)
    @rule(data=st.data(), state=st.sampled_from(STATES))
    def dispute_flips(self, data, state):
        dispute = data.draw(st.sampled_from(self.books.disputes))
        dispute.state, dispute.version = state, dispute.version + 1
        self.send(self._dispute(dispute))

    @precondition(lambda self: self._payable(BASE) or self._payable(FOREIGN))
    @rule(data=st.data(), residual=st.sampled_from([0, 0, -7]))
    def is_paid_out(self, data, residual):
        currency = data.draw(st.sampled_from([c for c in (BASE, FOREIGN) if self._payable(c)]))
        chosen = data.draw(st.lists(st.sampled_from(self._payable(currency)), min_size=1, max_size=4, unique_by=id))
        payout = Payout(self.next("P"), currency, [self._payout_line(one) for one in chosen], residual)
        self.books.payouts.append(payout)
        self.send(self._payout(payout))

    @precondition(lambda self: self.books.payouts)
    @rule(data=st.data(), status=st.sampled_from(["failed", "paid", "in_transit"]))
    def payout_turns(self, data, status):
        payout = data.draw(st.sampled_from(self.books.payouts))
        elsewhere = {
            id(one) for p in self.books.payouts if p is not payout and p.status != "failed" for _, one, _, _ in p.lines
        }
        if status != "failed" and any(id(one) in elsewhere for _, one, _, _ in payout.lines):
            return  # a later payout has paid its lines
        payout.status, payout.version = status, payout.version + 1
        self.send(self._payout(payout))

    # --- what people decide

    @rule(day=st.sampled_from(DAYS), reopen=st.booleans())
    def closes(self, day, reopen):
        company = Company.objects.get(pk=self.world.company.pk)
        try:
            act = periods.reopen if reopen else periods.close
            act(company=company, through=day, actor="ada", reason="month end")
        except Refused:
            pass

    @precondition(lambda self: self.books.rule_from is None)
    @rule(day=st.sampled_from(DAYS))
    def leads_sales_elsewhere(self, day):
        company = self.world.company
        account = account_rules.account_named(company, "Income:Special-sales")
        account_rules.add(
            rule=AccountRule(company=company, role="Income:Sales", account=account, valid_from=day),
            actor="ada",
            sentence="special",
        )
        self.books.rule_from = day
        self._rebuild()

    @rule(mode=st.sampled_from(["sale", "day", "payout"]))
    def posts_another_way(self, mode):
        Channel.objects.filter(pk=self.world.till.pk).update(posting_mode=mode)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def is_told_again(self, data):
        self.world.send(data.draw(st.sampled_from(self.sent)))

    @rule()
    def is_rebuilt(self):
        before = self._entries()
        self._rebuild()
        assert self._entries() == before

    # --- what must hold

    @invariant()
    def the_books_say_what_the_model_says_and_clearing_is_its_open_items(self):
        if not hasattr(self, "world"):
            return
        summaries.post_due(AFTER_ALL)
        found = {
            key: amount
            for key, amount in self.world._sums("a.code, p.currency").items()
            if amount and key[0] != accounts.FX
        }
        expected = self.books.balances()
        assert found == expected
        rows = open_items.items(self.world.company, today=PAID_ON)
        clearing = {key: amount for key, amount in expected.items() if key[0].startswith("Assets:Clearing")}
        assert {key: amount for key, amount in open_items.by_account(rows).items() if amount} == clearing

    def _problems(self):
        with connection.cursor() as cursor:
            for what, sql in (
                ("an entry that does not balance", "SELECT count(*) FROM (SELECT FROM ledger_posting WHERE company_id = %s"
                 " GROUP BY entry_id HAVING sum(base_amount) <> 0) x"),
                ("books that do not balance", "SELECT abs(sum(base_amount)) FROM ledger_posting WHERE company_id = %s"),
                ("an entry before its day", "SELECT count(*) FROM ledger_journalentry WHERE company_id = %s AND date < business_date"),
            ):  # fmt: skip
                cursor.execute(sql, [self.world.company.pk])
                yield what, cursor.fetchone()[0] or 0

    # --- the records

    def _sale(self, s):
        line = records.line(price=s.net, taxes=[("US-NY", "State", "4", s.tax)] if s.tax else ())
        more = {"status": "voided", "payment_status": "voided"} if s.voided else {}
        tender = records.card(s.net + s.tax, reference=f"ch_{s.id}", processor=None)
        made = records.sale([line], [tender], id_=s.id, version=str(s.version), currency=s.currency, **more)
        return _on(made, s.day)

    def _refund(self, r):
        back = records.back(records.line(price=r.sale.net, taxes=[("US-NY", "State", "4", r.sale.tax)] if r.sale.tax else ()),
                            units=1, net=r.net, tax=r.tax)  # fmt: skip
        tenders = [] if r.status == "pending" else [_tender(r)]
        return records.refund(
            [back], tenders, id_=r.id, of=r.sale.id, status=r.status, version=str(r.version), currency=r.sale.currency
        )

    def _dispute(self, d):
        return disputes.Dispute(
            source=records.source(d.id, str(d.version)), occurred_at=records.START, timezone="UTC", business_date=DAYS[-1],
            currency=d.sale.currency, tender_reference=f"ch_{d.sale.id}", kind="chargeback", state=d.state, amount=d.amount, fee=d.fee,
        )  # fmt: skip

    def _payout(self, p):
        lines = [
            payouts.PayoutLine(
                id=f"{p.id}-{n}", category=category, gross=gross, fee=fee, net=gross - fee, reference=_name(one)
            )
            for n, (category, one, gross, fee) in enumerate(p.lines)
        ]
        return payouts.Payout(
            source=records.source(p.id, str(p.version)), occurred_at=records.START, timezone="UTC", business_date=PAID_ON,
            currency=p.currency, processor=self.world.till.slug, status=p.status, amount=p.amount, lines=lines, residual=p.residual,
        )  # fmt: skip

    def _payout_line(self, one):
        if isinstance(one, Sale):
            return "charge", one, one.total, one.total // 30
        if isinstance(one, Refund):
            return "refund", one, -(one.net + one.tax), 0
        return "dispute", one, -one.amount, one.fee

    # --- what may happen to what

    def _live_sales(self):
        return [s for s in self.books.sales if not s.voided]

    def _editable(self):
        held = {id(one) for p in self.books.payouts for _, one, _, _ in p.lines}
        busy = {id(x.sale) for x in (*self.books.refunds, *self.books.disputes)}
        return [s for s in self._live_sales() if id(s) not in held | busy]

    def _refundable(self):
        return [s for s in self._live_sales() if self._left(s)[0] > 0]

    def _left(self, sale):
        gone = [r for r in self.books.refunds if r.sale is sale and r.counts]
        return sale.net - sum(r.net for r in gone), sale.tax - sum(r.tax for r in gone)

    def _paid(self, one):
        return any(one is x for p in self.books.payouts for _, x, _, _ in p.lines)

    def _payable(self, currency):
        paid = {id(one) for p in self.books.payouts if p.status != "failed" for _, one, _, _ in p.lines}
        sales = [s for s in self._live_sales() if s.currency == currency]
        refunds = [r for r in self.books.refunds if r.status == "succeeded" and r.sale.currency == currency]
        taken = [
            d
            for d in self.books.disputes
            if d.state in ("needs_response", "under_review", "lost") and d.sale.currency == currency
        ]
        return [one for one in (*sales, *refunds, *taken) if id(one) not in paid]

    def _rebuild(self):
        scope, after = rebuild.Scope(self.world.company.pk), ""
        while (piece := rebuild.step(scope, after, post=True)) is not None:
            assert not piece.problems
            after = piece.after

    def _entries(self):
        return Company.objects.get(pk=self.world.company.pk).feed_seq


def _on(record, day):
    return msgspec.structs.replace(record, business_date=day)


def _tender(refund):
    return RefundTender(
        id=f"{refund.id}-t", parent="t1", type="card", amount=refund.net + refund.tax, reference=f"re_{refund.id}"
    )


def _name(one):
    return {Sale: "ch_", Refund: "re_"}.get(type(one), "") + one.id


def run(examples, steps):
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(Business, settings=chosen)


@pytest.mark.django_db
def test_the_books_say_what_the_model_says_small():
    run(examples=8, steps=18)


@pytest.mark.slow
@pytest.mark.django_db
def test_the_books_say_what_the_model_says():
    run(examples=60, steps=50)
