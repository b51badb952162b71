"""Thresholds from which on a seller must register, the days they look at, and the count by night."""

import json
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from itertools import count as count_up
from itertools import pairwise

import msgspec
import pytest
from django.core.management import CommandError, call_command
from django.db.backends.postgresql.psycopg_any import DateRange
from hypothesis import given
from hypothesis import strategies as st

from channels.models import Channel, Transaction
from salessync.core.models import AuditRow, Company
from tax.law.seed import rows, seed
from tax.models import Assessment, NexusWatch, Registration, SellerPlace
from tax.seller import nexus, nexus_watch
from tax.seller.nexus import Day, thresholds, windows

ON = date(2026, 11, 25)
ROWS = list(rows("nexus.csv"))
PERIODS = sorted({row["period"] for row in ROWS} - {""})

# --- the facts --------------------------------------------------------------------------------------------------------


def test_each_state_is_there_with_its_source_and_rows_do_not_overlap():
    by_place = {}
    for row in ROWS:
        by_place.setdefault(row["jurisdiction"], []).append(row)
        assert row["source"] and row["confidence"] in ("high", "medium", "low"), row
        date.fromisoformat(row["verified_on"])
        if row["logic"] != "none":
            assert row["counts"] in ("gross", "retail", "taxable", "cross_border"), row
            assert row["marketplace"] in ("yes", "no"), row
            assert (row["logic"] == "sales") == (row["transactions"] == ""), row
    states = {f"US-{code}" for country, code in seed().regions if country == "US"}
    assert set(by_place) == states | {"EU", "GB"}
    for found in by_place.values():
        for before, after in pairwise(found):
            assert before["to"] == after["from"], after


@pytest.mark.parametrize(
    ("jurisdiction", "day", "count_before", "count_after"),
    [
        ("US-SD", "2023-07-01", 200, None),
        ("US-LA", "2023-08-01", 200, None),
        ("US-IN", "2024-01-01", 200, None),
        ("US-NC", "2024-07-01", 200, None),
        ("US-WY", "2024-07-01", 200, None),
        ("US-AK", "2025-01-01", 200, None),
        ("US-UT", "2025-07-01", 200, None),
        ("US-IL", "2026-01-01", 200, None),
        ("US-KY", "2026-08-01", 200, None),
    ],
)
def test_states_that_gave_up_the_number_of_transactions(jurisdiction, day, count_before, count_after):
    on = date.fromisoformat(day)
    assert thresholds(on - timedelta(days=1))[jurisdiction].transactions == count_before
    assert thresholds(on)[jurisdiction].transactions == count_after


def test_some_thresholds_of_today():
    found = thresholds(ON)
    assert (found["US-NY"].sales, found["US-NY"].transactions, found["US-NY"].logic) == (500_000_00, 100, "and")
    assert (found["US-CA"].sales, found["US-CA"].logic) == (500_000_00, "sales")
    assert (found["US-CT"].sales, found["US-CT"].transactions, found["US-CT"].logic) == (100_000_00, 200, "and")
    assert (found["EU"].sales, found["EU"].currency) == (10_000_00, "EUR")
    assert not {"US-OR", "US-DE", "US-MT", "US-NH", "GB"} & set(found)
    assert len([code for code in found if code.startswith("US-")]) == 48


# --- the days ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "on", "expected"),
    [
        ("previous_or_current_year", ON, ["2025-01-01/2025-12-31", "2026-01-01/2026-12-31"]),
        ("previous_year", ON, ["2025-01-01/2025-12-31", "2026-01-01/2026-12-31 ahead"]),
        ("previous_12_months", ON, ["2025-11-26/2026-11-25"]),
        ("previous_12_months", date(2024, 2, 29), ["2023-03-01/2024-02-29"]),
        ("quarters", ON, ["2025-10-01/2026-09-30", "2026-01-01/2026-12-31 ahead"]),
        ("quarters", date(2026, 1, 1), ["2025-01-01/2025-12-31", "2025-04-01/2026-03-31 ahead"]),
        ("ny_quarters", ON, ["2025-09-01/2026-08-31", "2025-12-01/2026-11-30 ahead"]),
        ("ny_quarters", date(2026, 1, 31), ["2024-12-01/2025-11-30", "2025-03-01/2026-02-28 ahead"]),
        ("year_to_september", ON, ["2025-10-01/2026-09-30", "2026-10-01/2027-09-30 ahead"]),
        ("year_to_september", date(2026, 9, 30), ["2024-10-01/2025-09-30", "2025-10-01/2026-09-30 ahead"]),
    ],
)
def test_what_is_added_up(period, on, expected):
    assert [f"{window}{' ahead' if window.is_ahead else ''}" for window in windows(period, on)] == expected


@given(st.sampled_from(PERIODS), st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_a_window_is_a_year_and_begins_in_what_is_read(period, on):
    for window in windows(period, on):
        assert window.ends - window.starts in (timedelta(days=365), timedelta(days=366))
        assert nexus.earliest(on) <= window.starts <= on
        assert window.is_ahead or period == "previous_or_current_year" or window.ends <= on + timedelta(days=1)


# --- how near ---------------------------------------------------------------------------------------------------------


def day(text, sales, transactions=1):
    return Day(date.fromisoformat(text), sales, transactions)


def standing(code, *days, on=ON, **changed):
    return nexus.standing(msgspec.structs.replace(thresholds(on)[code], **changed), days, on)


def test_the_day_on_which_a_threshold_is_reached():
    found = standing("US-WI", day("2026-03-03", 1), day("2026-02-02", 99_999_99), day("2026-04-04", 50_000_00))
    assert (found.state, found.passed_on, found.share) == ("passed", date(2026, 3, 3), Decimal("1.5000"))
    assert (found.sales, found.transactions, str(found.window)) == (150_000_00, 3, "2026-01-01/2026-12-31")


def test_a_cent_less_is_near_and_never_shown_as_all_of_it():
    found = standing("US-WI", day("2026-03-03", 99_999_99))
    assert (found.state, found.share, found.passed_on) == ("near", Decimal("0.9999"), None)


def test_years_are_not_added_to_each_other():
    found = standing("US-WI", day("2025-12-31", 90_000_00), day("2026-01-01", 70_000_00))
    assert (found.state, found.share, str(found.window)) == ("near", Decimal("0.9000"), "2025-01-01/2025-12-31")


def test_last_years_passing_holds_and_tells_its_first_day():
    found = standing("US-WI", day("2025-06-06", 100_000_00), day("2026-06-06", 900_000_00))
    assert (found.state, found.passed_on, found.share) == ("passed", date(2025, 6, 6), Decimal(9))


def test_sales_of_a_year_that_does_not_bind_yet_are_near_at_most():
    found = standing("US-FL", day("2026-06-06", 900_000_00))
    assert (found.state, found.passed_on) == ("near", None)
    assert standing("US-FL", day("2025-06-06", 100_000_00)).state == "passed"


@pytest.mark.parametrize(
    ("logic", "sales", "transactions", "state"),
    [
        ("or", 0, 200, "passed"),
        ("or", 100_000_00, 1, "passed"),
        ("or", 99_999_99, 199, "near"),
        ("and", 900_000_00, 199, "near"),
        ("and", 99_999_99, 900, "near"),
        ("and", 100_000_00, 200, "passed"),
        ("and", 900_000_00, 2, "far"),
        ("sales", 0, 900, "far"),
    ],
)
def test_sums_and_numbers(logic, sales, transactions, state):
    assert standing("US-GA", day("2026-03-03", sales, transactions), logic=logic).state == state


def test_what_is_after_the_day_does_not_count_and_a_share_has_an_end():
    assert standing("US-WI", day("2026-11-26", 900_000_00)).state == "far"
    assert standing("US-WI", day("2026-11-25", 10**16)).share == Decimal("99999.9999")


# --- the count --------------------------------------------------------------------------------------------------------


@pytest.fixture
def company(db):
    company = Company.objects.create(slug="seller", name="Seller", base_currency="USD")
    Channel.objects.create(company=company, slug="shop-nexus", adapter="standard")
    return company


_numbers = count_up()


class Sales:
    """Assessed sales of a company, one after the other."""

    def __init__(self, company):
        self.company, self.number = company, Transaction.objects.count()

    def __call__(self, region, net, on="2026-06-06", *, country="US", currency="USD", **more):
        self.number += 1
        about = {"type": "sale", "status": "completed", **{k: more.pop(k) for k in ("type", "status") if k in more}}
        sale = Transaction.objects.create(
            company_id=self.company.pk, channel=Channel.objects.get(company=self.company), source_id=str(self.number),
            family=f"f{self.number}", version="1", version_order="1", version_id=self.number, currency=currency, total=net,
            occurred_at=f"{on}T12:00:00Z", business_date=on, **about,
        )  # fmt: skip
        self.assess(sale, country=country, region=region, net=net, **more)
        return sale

    def assess(self, sale, **more):
        Assessment.objects.create(**{
            "company_id": self.company.pk, "channel_id": sale.channel_id, "transaction_id": sale.pk, "version_id": sale.version_id,
            "date": sale.business_date, "currency": sale.currency, "charged": 0, "lines": [], "warnings": [],
            "treatment": "not_registered", "digest": str(next(_numbers)).encode(), **more,
        })  # fmt: skip


@pytest.fixture
def sold(company):
    return Sales(company)


def count(company, on=ON):
    passed = nexus_watch.count(company, on)
    return [row.jurisdiction for row in passed], {
        row.jurisdiction: row for row in NexusWatch.objects.filter(company=company)
    }


def test_a_threshold_that_is_passed_is_told_once(company, sold):
    sold("WI", 60_000_00, "2026-02-02")
    sold("WI", 60_000_00, "2026-03-03")
    sold("GA", 1_00)
    passed, found = count(company)
    assert passed == ["US-WI"]
    assert set(found) == {"US-WI", "US-GA"}
    wisconsin = found["US-WI"]
    assert (wisconsin.state, wisconsin.passed_on, wisconsin.sales, wisconsin.transactions) == (
        "passed",
        date(2026, 3, 3),
        120_000_00,
        2,
    )
    assert (wisconsin.share, wisconsin.currency, wisconsin.period) == (Decimal("1.2"), "USD", "2026-01-01/2026-12-31")
    assert found["US-GA"].state == "far"
    assert count(company)[0] == []
    assert [row.data["jurisdiction"] for row in AuditRow.objects.filter(object_type="nexus_watch")] == ["US-WI"]


def test_who_registers_has_passed_nothing(company, sold):
    sold("WI", 120_000_00)
    Registration.objects.create(
        company=company, jurisdiction="US-WI", valid=DateRange(date(2026, 7, 1), date(2026, 12, 1))
    )
    passed, found = count(company)
    assert (passed, found["US-WI"].state) == ([], "registered")
    passed, found = count(company, date(2026, 12, 1))
    assert (passed, found["US-WI"].state) == (["US-WI"], "passed")


def test_a_row_follows_the_days_that_count(company, sold):
    sold("WI", 120_000_00, "2026-06-06")
    assert count(company)[1]["US-WI"].state == "passed"
    passed, found = count(company, date(2028, 1, 1))
    assert passed == []
    assert (found["US-WI"].state, found["US-WI"].sales, found["US-WI"].passed_on) == ("far", 0, None)


def test_only_the_latest_result_of_the_current_version_by_local_rates_counts(company, sold):
    sale = sold("GA", 1_500_00)
    sold.assess(sale, country="US", region="WI", net=1_000_00)
    sold.assess(sale, country="US", region="WI", net=5_000_00, version_id=10**9)
    sold.assess(sale, country="US", region="WI", net=7_000_00, provider="stripe")
    sold("WI", 2_000_00, status="cancelled")
    sold("WI", 3_000_00, status="voided")
    sold("WI", 4_000_00, type="refund")
    sold("WI", -1_00)
    sold("WI", 0)
    other = Company.objects.create(slug="other", name="Other", base_currency="USD")
    Channel.objects.create(company=other, slug="other-shop", adapter="standard")
    Sales(other)("WI", 9_000_00)
    found = count(company)[1]
    assert {code: (row.sales, row.transactions) for code, row in found.items()} == {"US-WI": (1_000_00, 1)}


def test_marketplaces_count_where_the_law_says_so(company, sold):
    for state in ("CA", "WI", "GA"):
        sold(state, 100_00)
        sold(state, 50_00, treatment="marketplace_collected")
    found = count(company)[1]
    assert {code: row.sales for code, row in found.items()} == {"US-CA": 150_00, "US-WI": 150_00, "US-GA": 100_00}


def test_untaxed_sales_count_but_where_only_taxable_ones_do(company, sold):
    for state in ("AR", "WI"):
        sold(state, 100_00)
        sold(state, 50_00, treatment="exempt")
    found = count(company)[1]
    assert {code: row.sales for code, row in found.items()} == {"US-AR": 100_00, "US-WI": 150_00}


def test_another_currency_is_said_and_not_added(company, sold):
    sold("GA", 100_00)
    sold("GA", 500_00, currency="EUR")
    sold("GA", 500_00, "2024-11-11", currency="EUR")
    found = count(company)[1]["US-GA"]
    assert (found.sales, found.transactions, found.period) == (100_00, 2, "2026-01-01/2026-12-31, 1 not in USD")


def test_the_eu_has_one_threshold_for_sales_between_its_states(company, sold):
    for country, treatment in (
        ("FR", "taxable"),
        ("IT", "taxable"),
        ("DE", "taxable"),
        ("NL", "reverse_charge"),
        ("CH", "export_zero"),
    ):
        sold("", 6_000_00, country=country, currency="EUR", treatment=treatment)
    assert count(company) == ([], {}), "nobody said from where it is sent"
    SellerPlace.objects.create(company=company, country="DE")
    passed, found = count(company)
    assert passed == ["EU"]
    assert (found["EU"].sales, found["EU"].transactions) == (12_000_00, 2)
    Registration.objects.create(company=company, scheme="oss", valid=DateRange(None, None))
    assert count(company)[1]["EU"].state == "registered"


def test_the_command_prints_a_table_and_json_and_exits_1_where_one_is_passed(company, sold):
    def run(*arguments):
        out = StringIO()
        code = 0
        try:
            call_command("nexus", "--company", "seller", "--on", "2026-11-25", *arguments, stdout=out)
        except SystemExit as ended:
            code = ended.code
        return code, out.getvalue().splitlines()

    assert run() == (0, ["no sales to a state with a threshold"])
    sold("GA", 1_000_00)
    assert run()[0] == 0
    sold("WI", 120_000_00)
    code, lines = run()
    assert code == 1
    assert lines[1].split() == [
        "US-WI",
        "120000.00",
        "USD",
        "1",
        "120.0%",
        "passed",
        "2026-06-06",
        "2026-01-01/2026-12-31",
    ]
    code, lines = run("--json")
    assert [json.loads(line)["jurisdiction"] for line in lines] == ["US-WI", "US-GA"]
    assert json.loads(lines[1])["passed_on"] is None


@pytest.mark.parametrize("arguments", [("--on", "soon"), ("--company", "nobody")])
def test_wrong_usage_is_exit_2(company, arguments):
    with pytest.raises(CommandError) as error:
        call_command("nexus", *arguments)
    assert error.value.returncode == 2
