"""The reports: what each says, that it ties to the ledger, and that screen, CSV and JSON say the same."""

import csv
import json
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.models import Transaction
from ledger import balances, reports
from ledger.balances import Period
from ledger.models import DimensionSums, Posting
from ledger.reports import catalog, general_ledger, liabilities, revenue, tax, writing
from ledger.reports.catalog import CATALOG, Asked
from ledger.reports.report import tie
from tests.ledger import journal_rows, summary_rows
from tests.records import back, card, line, refund, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db

SEPTEMBER = Period(date(2026, 9, 1), date(2026, 9, 30))


def leg(account, amount, path, *, currency="USD", base=None, **more):
    return (account, amount, currency, amount if base is None else base, {"path": path, **more})


def made(*legs, day=1, type_="sale", on=None):
    entry = journal_rows.entry(list(legs), day=date(2026, 9, day), on=on)
    Transaction.objects.filter(pk=entry.transaction_id).update(type=type_)
    return entry


def ties(company, period=SEPTEMBER):
    """Every report of the company ties to its ledger."""
    for name, definition in CATALOG.items():
        accounts = (
            [company.account_set.order_by("code").values_list("code", flat=True)[0]] if definition.one_account else []
        )
        asked = Asked(company, period if definition.from_day else Period(last=period.last), definition.by, accounts)
        report = catalog.make(name, asked)
        list(report.rows)
        assert report.tie().holds, report.tie().sentence


# --- revenue


@pytest.fixture
def sold(db):
    """A sale with a discount in two categories and places, a return, an allowance, rounding; another channel in euros."""
    made(
        leg("Assets:Till:A", 2700, "tenders/t"),
        leg("Income:Sales", -2000, "lines/1/gross", category="mugs", location="Main"),
        leg("Income:Books", -1000, "lines/2/gross", category="books", location="Main"),
        leg("Income:Books", 300, "lines/2/discount", category="books", location="Main"),
    )
    made(
        leg("Assets:Till:A", -500, "tenders/t"), leg("Income:Returns", 400, "lines/0/net", category="mugs"),
        leg("Income:Books", 60, "lines/1/net", category="books"), leg("Income:Allowances", 40, "lines/adjustment"),
        day=2, type_="refund",
    )  # fmt: skip
    made(leg("Assets:Till:A", 1, "totals/rounding"), leg("Income:Cash-rounding", -1, "totals/rounding"), day=30)
    euros = journal_rows.channel("euro-shop")
    made(
        leg("Assets:Till:E", 900, "tenders/t", currency="EUR", base=1000),
        leg("Income:Sales", -900, "lines/1/gross", currency="EUR", base=-1000), day=3, on=euros,
    )  # fmt: skip
    made(leg("Assets:Till:A", 77, "tenders/t"), leg("Income:Sales", -77, "lines/1/gross"))
    journal_rows.entry(day=date(2026, 10, 1))
    return journal_rows.company()


def test_revenue_is_told_apart_by_channel_and_ties_to_the_income_accounts(sold):
    rows = revenue.revenue(company=sold, period=SEPTEMBER)
    assert [(r.channel, r.currency, r.gross, r.discounts, r.returns, r.allowances, r.other, r.net, r.base_net) for r in rows] == [
        ("euro-shop", "EUR", 900, 0, 0, 0, 0, 900, 1000),
        ("main-shop", "USD", 3077, -300, -460, -40, 1, 2278, 2278),
    ]  # fmt: skip
    found = revenue.report(company=sold, period=SEPTEMBER)
    assert (
        found.tie().holds and found.tie().sentence == "Ties to the ledger: 32.78 USD here and on the income accounts."
    )
    assert [(t.currency, t.net) for t in found.totals] == [("EUR", 900), ("USD", 2278)]


@pytest.mark.parametrize("by", [["category"], ["location", "category"], ["day"], ["account"], list(revenue.BY)])
def test_revenue_is_the_same_whatever_it_is_told_apart_by(sold, by):
    rows = revenue.revenue(company=sold, period=SEPTEMBER, by=by)
    assert sum(r.base_net for r in rows) == 3278
    assert all(r.net == r.gross + r.discounts + r.returns + r.allowances + r.other for r in rows)
    keys = [tuple(getattr(r, name) for name in (*by, "currency")) for r in rows]
    assert len(set(keys)) == len(keys)
    assert all(getattr(r, name) is None for r in rows for name in set(revenue.BY) - set(by))


def test_revenue_by_category_and_day(sold):
    rows = revenue.revenue(company=sold, period=SEPTEMBER, by=["category", "day"])
    told = {(r.category, r.day.day, r.currency): (r.gross, r.discounts, r.returns) for r in rows}
    assert told["books", 1, "USD"] == (1000, -300, 0)  # an account of its own keeps its columns
    assert told["books", 2, "USD"] == (0, 0, -60)
    assert told["mugs", 2, "USD"] == (0, 0, -400)


@pytest.mark.parametrize(
    ("account", "origin", "column"),
    [
        ("Income:Sales", "sale/gross", "gross"), ("Income:Shipping", "sale/gross", "gross"),
        ("Income:Shipping", "refund/net", "returns"), ("Income:Returns", "sale/gross", "returns"),
        ("Income:Returns:Books", "refund/other", "returns"), ("Income:Discounts", "sale/discount", "discounts"),
        ("Income:Books", "sale/discount", "discounts"), ("Income:Allowances", "sale/other", "allowances"),
        ("Income:Books", "refund/adjustment", "allowances"), ("Income:FX-gain-loss", "payout/gross", "other"),
        ("Income:Breakage", "manual/line", "other"), ("Income:Cash-rounding", "sale/other", "other"),
    ],
)  # fmt: skip
def test_which_column_an_amount_belongs_to(account, origin, column):
    assert revenue.column_of(account, origin) == column


def test_a_summary_counts_by_the_sales_it_took_in(db):
    sales = [
        [leg("Assets:Till:A", 1000, "tenders/t"), leg("Income:Books", -1000, "lines/1/gross", category="books")],
        [leg("Assets:Till:A", -400, "tenders/t"), leg("Income:Books", 400, "lines/1/discount", category="books")],
    ]
    summary_rows.entry(sales, day=date(2026, 9, 5), on=journal_rows.channel())
    company = journal_rows.company()
    for _ in range(2):
        (row,) = revenue.revenue(company=company, period=SEPTEMBER, by=["category"])
        assert (row.category, row.gross, row.discounts, row.net) == ("books", 1000, -400, 600)
        ties(company)
        balances.roll(company)


# --- tax


@pytest.fixture
def taxed(db):
    """Tax of August; in September tax in two places, tax given back and tax paid; a marketplace's tax; tax led elsewhere."""
    ny, nyc, de = "US-NY NY State 4%", "US-NY-NYC City 4.5%", "DE VAT 19%"
    journal_rows.entry([leg("Assets:Till:A", 40, "tenders/t"), leg("Liabilities:Tax-payable", -40, "lines/1/taxes/0", tax_code=ny)],
                       day=date(2026, 8, 31))  # fmt: skip
    made(
        leg("Assets:Till:A", 145, "tenders/t"), leg("Liabilities:Tax-payable", -100, "lines/1/taxes/0", tax_code=ny),
        leg("Liabilities:Tax-payable", -45, "lines/1/taxes/1", tax_code=nyc),
    )  # fmt: skip
    made(
        leg("Assets:Till:A", -30, "tenders/t"),
        leg("Liabilities:Tax-payable", 30, "lines/0/taxes", tax_code=ny),
        type_="refund",
    )
    made(leg("Assets:Bank", -60, "lines/1"), leg("Liabilities:Tax-payable", 60, "lines/0"), type_="manual", day=20)
    made(leg("Assets:Clearing:Amazon", 70, "tenders/t"),
         leg("Assets:Clearing:Amazon-marketplace-tax", -70, "lines/1/taxes/0", tax_code=nyc))  # fmt: skip
    made(leg("Assets:Till:E", 19, "tenders/t", currency="EUR", base=22),
         leg("Liabilities:VAT", -19, "lines/1/taxes/0", currency="EUR", base=-22, tax_code=de))  # fmt: skip
    made(
        leg("Assets:Input-tax", 5, "lines/1/tax", tax_code=de),
        leg("Assets:Clearing:Stripe", -5, "lines/1"),
        type_="payout",
    )
    return journal_rows.company()


def test_tax_by_code_with_the_marketplace_apart(taxed):
    rows = tax.tax(company=taxed, period=SEPTEMBER)
    told = [
        (r.section, r.jurisdiction, r.currency, r.opening, r.collected, r.given_back, r.other, r.closing) for r in rows
    ]
    assert told == [
        (tax.OURS, None, "USD", 0, 0, 0, -60, -60),
        (tax.OURS, "DE", "EUR", 0, 19, 0, 0, 19),
        (tax.OURS, "US-NY", "USD", 40, 100, -30, 0, 110),
        (tax.OURS, "US-NY-NYC", "USD", 0, 45, 0, 0, 45),
        (tax.MARKETPLACE, "US-NY-NYC", "USD", 0, 70, 0, 0, 70),
        (tax.OTHER, "DE", "USD", 0, 0, 0, -5, -5),
    ]
    found = tax.report(company=taxed, period=SEPTEMBER)
    assert found.tie().sentence == "Ties to the ledger: 1.17 USD here and owed on the tax accounts."
    ties(taxed)


def test_tax_by_jurisdiction_alone_and_by_channel(taxed):
    rows = tax.tax(company=taxed, period=Period(last=date(2026, 9, 30)), by=["jurisdiction", "channel"])
    assert [(r.section, r.jurisdiction, r.channel, r.closing) for r in rows][2] == (tax.OURS, "US-NY", "main-shop", 110)
    assert all(r.opening == 0 and r.tax_code is None for r in rows)


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ("US-NY NY State 4%", "US-NY"), ("DE VAT 19%", "DE"), ("VAT 19%", None), ("US-NY-NYC", "US-NY-NYC"),
        ("unnamed", None), ("tax", None), (None, None), ("", None), ("USA Tax", None),
    ],
)  # fmt: skip
def test_a_code_s_jurisdiction(code, where):
    assert tax.jurisdiction_of(code) == where


# --- gift cards and their like


def test_gift_cards_roll_forward(db):
    card_ = "Liabilities:Gift-cards"
    journal_rows.entry([leg("Assets:Till:A", 50, "tenders/t"), leg(card_, -50, "lines/1/gross")], day=date(2026, 8, 1))
    made(leg("Assets:Till:A", 100, "tenders/t"), leg(card_, -100, "lines/1/gross"))
    made(leg(card_, 30, "tenders/g"), leg("Income:Sales", -30, "lines/1/gross"), day=2)
    made(leg(card_, -12, "tenders/g"), leg("Income:Returns", 12, "lines/0/net"), day=3, type_="refund")
    made(leg(card_, -5, "totals/total"), leg("Income:Returns", 5, "lines/0/net"), day=3, type_="refund")
    made(leg("Assets:Till:A", -20, "tenders/t"), leg(card_, 20, "lines/0/net"), day=4, type_="refund")
    made(leg(card_, 7, "lines/0"), leg("Income:Breakage", -7, "lines/1"), day=5, type_="manual")
    made(leg("Assets:Till:A", 9, "tenders/t"), leg(f"{card_}:Partner", -9, "lines/1/gross"))
    company = journal_rows.company()
    for _ in range(2):
        row, partner = liabilities.roll_forward(company=company, period=SEPTEMBER)
        assert row[2:] == (50, 100, -30, 17, -20, -7, 110, 110)
        assert (partner.account, partner.closing) == (f"{card_}:Partner", 9)
        ties(company)
        balances.roll(company)
    assert liabilities.roll_forward(company=company, period=SEPTEMBER, codes=["Liabilities:Gift"]) == []
    report = liabilities.report(company=company, period=SEPTEMBER, codes=[f"{card_}:Partner"])
    assert [r.closing for r in report.rows] == [9] and report.tie().holds


# --- the general ledger


def test_the_general_ledger_opens_runs_and_closes(sold):
    account = journal_rows.account("Income:Sales", sold)
    rows = list(general_ledger.lines(company=sold, account=account, period=Period(date(2026, 9, 2), None)))
    told = [
        (r.text.split(" ")[0], r.currency, r.debit, r.credit, r.balance, r.base_amount, r.base_balance) for r in rows
    ]
    assert told == [
        ("Opening", "USD", None, None, -2077, None, -2077),
        ("sale", "EUR", 0, 900, -900, -1000, -3077),
        ("sale", "USD", 0, 1000, -3077, -1000, -4077),
        ("Closing", "EUR", None, None, -900, None, -4077),
        ("Closing", "USD", None, None, -3077, None, -4077),
    ]
    assert rows[1].channel == "euro-shop" and rows[1].path == "lines/1/gross"
    assert rows[1].transaction_id == Posting.objects.get(currency="EUR", account=account).transaction_id


def test_an_account_without_postings_has_an_empty_ledger(sold):
    account = journal_rows.account("Income:Nothing", sold)
    assert list(general_ledger.lines(company=sold, account=account, period=SEPTEMBER)) == []
    assert general_ledger.page(company=sold, account=account, period=SEPTEMBER).after is None


STEPS = st.lists(
    st.tuples(st.integers(0, 70), st.sampled_from(["Income:Sales", "Income:Other"]), st.integers(1, 3)), max_size=12
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS, st.integers(0, 12), st.integers(1, 4), st.integers(0, 70), st.integers(0, 70))
def test_pages_of_a_ledger_are_the_ledger(steps, rolled_after, limit, one, other):
    with transaction.atomic():
        company, start = journal_rows.company(), date(2026, 1, 1)
        account = journal_rows.account("Income:Sales", company)
        for number, (day, code, count) in enumerate(steps):
            amounts = range(1, count + 1)
            legs = [leg(code, -n, f"lines/{n}/gross") for n in amounts]
            journal_rows.entry([leg("Assets:Till:A", sum(amounts), "t"), *legs], day=start + timedelta(days=day))
            if number == rolled_after:
                balances.roll(company)
        period = Period(*sorted(start + timedelta(days=n) for n in (one, other)))
        stored = (
            Posting.objects.filter(account=account, entry__date__range=tuple(period))
            .order_by("entry__date", "entry__seq", "leg")
            .values_list("entry__seq", "leg")
        )
        paged, place, balance = [], None, None
        while True:
            found = general_ledger.page(company=company, account=account, period=period, after=place, limit=limit)
            assert len(found.rows) <= limit
            stands = sum(worth for _, worth in found.before.values())
            assert balance is None or stands == balance
            for row in found.rows:
                stands += row.base_amount
                assert row.base_balance == stands
            balance, place = stands, found.after
            paged += found.rows
            if place is None:
                break
        assert [(r.entry, r.leg) for r in paged] == list(stored)
        closing = [r for r in reports.trial_balance(company=company, as_of=period.last) if r.account == "Income:Sales"]
        assert balance == sum(r.base_balance for r in closing)
        transaction.set_rollback(True)


def test_books_that_begin_with_time_itself(sold):
    ties(sold, Period(date.min, date.max))
    ties(sold, Period(date.max, date.max))
    ties(sold, Period(None, None))


# --- as CSV, as JSON, on the command line


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"), ("+49 30", "'+49 30"), ("-x", "'-x"), ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"), ("\rx", "'\rx"),
        ("\n=1", "'\n=1"), ("＝1", "'＝1"), ("-5", "-5"), ("-1234.50", "-1234.50"), ("-1.5.2", "'-1.5.2"), ("-5+1", "'-5+1"),
        ("+5", "'+5"), ("Main", "Main"), ("", ""), ("a=b", "a=b"), ("-٣", "'-٣"),
    ],
)  # fmt: skip
def test_no_spreadsheet_calculates_a_cell(text, cell):
    assert writing.spreadsheet_text(text) == cell


def test_csv_and_json_say_what_the_rows_say(sold):
    made(leg("Assets:Till:A", -5, "t"), leg("Income:Sales", 5, "lines/1/gross", category='=HYPERLINK("x")'), day=9)
    report = revenue.report(company=sold, period=SEPTEMBER, by=["category", "day"])
    table = list(csv.DictReader(StringIO("".join(writing.as_csv(report)), newline="")))
    told = json.loads("".join(writing.as_json(report)))
    assert len(table) == len(told["rows"]) == len(list(report.rows)) > 4
    for row, cells, found in zip(report.rows, table, told["rows"], strict=True):
        assert found["net"] == row.net and found["day"] == row.day.isoformat()
        assert cells["Net"] == f"{row.net / 100:.2f}" and cells["Currency"] == row.currency
        assert cells["Net in USD"] == f"{row.base_net / 100:.2f}"
    assert next(c for c in table if c["Category"].startswith("'="))["Net"] == "-0.05"
    assert told["tie_out"] == {"ties": True, "report": 3273, "ledger": 3273, "sentence": told["tie_out"]["sentence"]}
    assert told["from"] == "2026-09-01" and told["by"] == ["category", "day"]


def run(*arguments):
    out = StringIO()
    call_command("report", *arguments, "--company", "acme", stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("name", CATALOG)
def test_the_command_prints_every_report_in_every_form(sold, name):
    more = ["--account", "Income:Sales"] if name == "general-ledger" else []
    for form in ([], ["--csv"], ["--json"]):
        text = run(name, "--to", "2026-09-30", *more, *form)
        assert text.endswith("\n")
        if form == ["--json"]:
            assert json.loads(text)["tie_out"]["ties"] is True
        elif not form:
            assert "Ties to the ledger" in text or "The books balance" in text


def test_the_command_says_what_is_wrong_with_a_question(sold):
    for arguments, told in (
        (["profit"], "there is no report 'profit'"),
        (["revenue", "--from", "tomorrow"], "'tomorrow' is not a day"),
        (["revenue", "--from", "2026-09-02", "--to", "2026-09-01"], "before it begins"),
        (["revenue", "--by", "weather"], "cannot be told apart by 'weather'"),
        (["trial-balance", "--from", "2026-09-02"], "has no beginning"),
        (["general-ledger"], "name its code"),
        (["general-ledger", "--account", "Income:Nope"], "no account 'Income:Nope'"),
        (["revenue", "--account", "Income:Sales"], "not about single accounts"),
    ):
        with pytest.raises(CommandError, match=told) as error:
            run(*arguments)
        assert error.value.returncode == 2


def test_a_report_that_does_not_tie_says_by_how_much(sold):
    found = tie("on the income accounts", 100, 250, "USD")
    assert found.sentence.startswith("DOES NOT TIE") and "the difference is -1.50 USD" in found.sentence
    balances.roll(sold)
    DimensionSums.objects.filter(credit__gt=0).update(base_amount=0)
    with pytest.raises(CommandError, match="DOES NOT TIE") as error:
        run("revenue")
    assert error.value.returncode == 1


# --- what the pipeline really posts


def test_the_day_of_a_shop_ties_in_every_report(db):
    world = World()
    gift = line("2", price=5000, type_="gift_card_sale", taxes=())
    world.send(
        sale([line(units=2), gift], id_="S1"),
        sale([line(discount=100)], [card(940, type="gift_card", processor=None)], id_="S2"),
        refund([back(line(units=2), units=1, net=1000, tax=40)], of="S1", id_="R1"),
    )
    whole = Period(date(2026, 9, 1), date(2026, 9, 30))
    ties(world.company, whole)
    (row,) = revenue.revenue(company=world.company, period=whole)
    assert (row.gross, row.discounts, row.returns) == (3000, -100, -1000)
    (row,) = liabilities.roll_forward(company=world.company, period=whole)
    assert (row.sold, row.redeemed, row.closing) == (5000, -940, 4060)
    (row,) = tax.tax(company=world.company, period=whole)
    assert (row.jurisdiction, row.collected, row.given_back) == ("US-NY", 80, -40)
