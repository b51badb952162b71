"""A rule that is added while the books are written: everything is posted by it in the end, whoever came first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLong
from datetime import date

import pytest
from django.db import connection, transaction
from msgspec.structs import replace

from ledger import account_rules, rebuild
from ledger.models import AccountRule
from ledger.rebuild import Scope
from salessync import pipeline, verify
from tests.records import line, sale
from tests.worlds import World

DAY = date(2026, 9, 1)
BOOK = replace(line(taxes=[]), category="books")


@pytest.fixture
def world(committed_db):
    return World()


def add(world):
    account = account_rules.account_named(world.company, "Income:Books")
    row = AccountRule(company=world.company, account=account, category="books", valid_from=DAY)
    return account_rules.add(rule=row, actor="anna", sentence="")


def closing(work):
    try:
        return work()
    finally:
        connection.close()


def test_a_rule_waits_for_those_who_read_the_old_ones_and_lets_none_read_them_after(world):
    read, free = threading.Event(), threading.Event()
    company = world.company.pk

    def batch():
        with transaction.atomic():
            found = account_rules.load([company])
            read.set()
            free.wait(30)
        return found

    def later():
        with transaction.atomic():
            for _ in range(8):  # so that the statement is a prepared one, should there be such
                found = account_rules.load([company])
            return found

    with ThreadPoolExecutor(3) as pool:
        old = pool.submit(closing, batch)
        assert read.wait(30)
        added = pool.submit(closing, lambda: add(world))
        with pytest.raises(TooLong):
            added.result(0.5)
        new = pool.submit(closing, later)
        with pytest.raises(TooLong):
            new.result(0.5)
        free.set()
        assert old.result(30) == {}
        added.result(30)
        assert len(new.result(30)[company].rows) == 1


def test_sales_that_come_while_a_rule_is_added_and_the_books_are_rebuilt(world, monkeypatch):
    monkeypatch.setattr(rebuild, "FAMILIES", 7)
    for number in range(60):
        world.capture(sale([BOOK], id_=f"old-{number}"))
    world.process()
    for number in range(120):
        world.capture(sale([BOOK], id_=f"new-{number}"))

    def work():
        while pipeline.run_batch(size=5):
            pass

    def rule():
        add(world)
        asked = rebuild.ask(scope=Scope(world.company.pk), reason="a rule", actor="anna")
        rebuild.go_on(asked, seconds=60)

    with ThreadPoolExecutor(3) as pool:
        for started in [pool.submit(closing, w) for w in (work, work, rule)]:
            started.result(120)
    world.process()
    assert world.balances()["Income:Books"] == -180_000
    assert "Income:Sales" not in world.balances()
    assert rebuild.look(Scope(world.company.pk), closed_through=None, seconds=60)[0].entries == 0
    assert [law.law for law in verify.verify_books() if law.violations] == []


def test_a_rebuild_is_done_by_one_at_a_time(world):
    for number in range(3):
        world.send(sale([BOOK], id_=f"S{number}"))
    add(world)
    asked = rebuild.ask(scope=Scope(world.company.pk), reason="a rule", actor="anna")
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(closing, lambda: rebuild.run_due(seconds=30)) for _ in range(4)]
        assert sum(d.result(60) for d in done) >= 1
    asked.refresh_from_db()
    assert (asked.transactions, asked.entries) == (3, 3)
