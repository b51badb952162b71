"""Taxes that a request does not name: found by place, day, category and registrations from the seed facts."""

from datetime import date
from decimal import Decimal

import pytest

from tax.law.ratebook import Locality, Rate, RateBook
from tax.law.seed import seed
from tax.quoting import quote
from tax.quoting.request import read
from tests.tax.quoting import ask, codes, rate, request

CHANGES = [
    ("EE", "2024-01-01", "standard", "20", "22"), ("EE", "2025-07-01", "standard", "22", "24"),
    ("SK", "2025-01-01", "standard", "20", "23"), ("FI", "2024-09-01", "standard", "24", "25.5"),
    ("FI", "2026-01-01", "food.grocery", "14", "13.5"), ("RO", "2025-08-01", "standard", "19", "21"),
    ("RO", "2025-08-01", "books.print", "5", "11"), ("RO", "2017-01-01", "standard", "20", "19"),
    ("CA-NS", "2025-04-01", "standard", "15", "14"), ("IN-MH", "2025-09-22", "food.grocery", "5", "5"),
    ("IN-MH", "2025-09-22", "medicine", "12", "5"), ("SG", "2023-01-01", "standard", "7", "8"),
    ("SG", "2024-01-01", "standard", "8", "9"), ("DE", "2020-07-01", "standard", "19", "16"),
    ("DE", "2021-01-01", "standard", "16", "19"), ("DE", "2021-01-01", "food.grocery", "5", "7"),
    ("US-LA", "2025-01-01", "standard", "4.45", "5"), ("LU", "2023-01-01", "standard", "17", "16"),
    ("LU", "2024-01-01", "standard", "16", "17"), ("IE", "2020-09-01", "standard", "23", "21"),
    ("IE", "2021-03-01", "standard", "21", "23"), ("CH", "2024-01-01", "standard", "7.7", "8.1"),
    ("GR", "2016-06-01", "standard", "23", "24"), ("NZ", "2010-10-01", "standard", "12.5", "15"),
    ("US-SD", "2023-07-01", "standard", "4.5", "4.2"), ("US-KS", "2025-01-01", "food.grocery", "2", "0"),
    ("US-OK", "2024-08-29", "food.grocery", "4.5", "0"), ("US-IL", "2026-01-01", "food.grocery", "1", "0"),
    ("US-AR", "2026-01-01", "food.grocery", "0.125", "0"), ("GB", "2020-05-01", "books.ebook", "20", "0"),
    ("LT", "2026-01-01", "lodging", "9", "12"), ("NL", "2026-01-01", "lodging", "9", "21"), ("CZ", "2024-01-01", "books", "10", "0"),
]  # fmt: skip


def at(place, **fields):
    country, _, region = place.partition("-")
    return {"country": country, **({"region": region} if region else {}), **fields}


@pytest.mark.parametrize(("place", "day", "category", "before", "after"), CHANGES)
def test_the_day_before_a_change_and_the_day_itself(place, day, category, before, after):
    eve = date.fromordinal(date.fromisoformat(day).toordinal() - 1).isoformat()
    assert rate(ask(category, **at(place, date=eve))) == Decimal(before)
    assert rate(ask(category, **at(place, date=day))) == Decimal(after)


@pytest.mark.parametrize(
    ("region", "taxes"),
    [
        ("ON", [("HST", "13.00")]), ("Quebec", [("GST", "5.00"), ("QST", "9.98")]), ("CA-BC", [("GST", "5.00"), ("PST", "7.00")]),
        ("AB", [("GST", "5.00")]), ("SK", [("GST", "5.00"), ("PST", "6.00")]),
    ],
)  # fmt: skip
def test_a_province_by_code_or_name(region, taxes):
    answer = ask(country="CA", region=region, currency="CAD")
    assert [(tax["name"], tax["tax"]) for tax in answer["by_line"][0]["taxes"]] == taxes


def test_a_state_by_its_postcode_and_the_address_wins_over_it():
    assert ask(country="US", postcode="10001-1234")["by_line"][0]["taxes"][0]["jurisdiction"] == "US-NY"
    answer = ask(country="US", region="MD", postcode="10001")
    assert (rate(answer), codes(answer)) == (Decimal(6), ["PLACE_CONFLICT"])


def test_local_taxes_that_are_not_loaded_are_a_warning_and_no_guess():
    answer = ask(country="US", region="Colorado", postcode="80202")
    assert (answer["tax"], codes(answer)) == ("2.90", ["LOCAL_RATES_MISSING"])
    assert codes(ask(country="US", region="CT")) == []


@pytest.mark.parametrize(
    ("region", "line", "base", "tax"),
    [
        ("NY", {"amount": "109.99", "qty": "2", "category": "clothing"}, "0.00", "0.00"),
        ("NY", {"amount": "110.00", "category": "clothing"}, "110.00", "4.40"),
        ("NY", {"amount": "120.00", "category": "clothing", "discount": "10.01"}, "0.00", "0.00"),
        ("MA", {"amount": "200.00", "qty": "2", "category": "clothing"}, "50.00", "3.13"),
        ("RI", {"amount": "250.00", "category": "clothing"}, "0.00", "0.00"),
        ("PA", {"amount": "999.00", "category": "clothing"}, "999.00", "0.00"),
    ],
)
def test_clothing_by_the_price_of_a_piece(region, line, base, tax):
    answer = ask(line, country="US", region=region, currency="USD")
    assert (answer["by_line"][0]["taxes"][0]["base"], answer["tax"]) == (base, tax)


def test_a_single_article_in_tennessee():
    """7 % on all, 2.75 % on what of one article lies between 1,600 and 3,200."""
    answer = ask({"amount": "2000", "qty": "2"}, country="US", region="TN", currency="USD")
    assert [tax["tax"] for tax in answer["by_line"][0]["taxes"]] == ["280.00", "22.00"]


@pytest.mark.parametrize(("amount", "tax"), [("2500", "125.00"), ("2501", "450.18")])
def test_a_garment_in_india_has_the_rate_of_its_price(amount, tax):
    answer = ask(
        {"amount": amount, "category": "apparel"}, country="IN", region="27", currency="INR", date="2025-09-22"
    )
    assert (answer["tax"], [t["name"] for t in answer["by_line"][0]["taxes"]]) == (tax, ["CGST", "SGST"])


def test_between_indian_states_there_is_one_tax():
    answer = ask(country="IN", region="MH", ship_from={"country": "IN", "region": "KA"}, currency="INR")
    assert [(tax["name"], tax["tax"]) for tax in answer["by_line"][0]["taxes"]] == [("IGST", "18.00")]


@pytest.mark.parametrize(
    ("day", "amount", "treatment"),
    [("2026-07-17", "156.00", "tax_holiday"), ("2026-07-19", "156.01", "taxable"), ("2026-07-20", "50.00", "taxable")],
)
def test_a_holiday_has_days_and_a_limit(day, amount, treatment):
    line = {"amount": amount, "category": "clothing"}
    assert ask(line, country="US", region="AL", currency="USD", date=day)["treatment"] == treatment


def test_delivery_counts_toward_the_limit_of_a_holiday_in_texas():
    line = {"amount": "95", "category": "clothing"}
    fields = {"country": "US", "region": "TX", "date": "2026-08-08", "currency": "USD"}
    assert ask(line, **fields)["treatment"] == "tax_holiday"
    assert ask(line, **fields, shipping=[{"amount": "10.00"}])["tax"] == "6.56"


@pytest.mark.parametrize(
    ("region", "lines", "tax"),
    [
        ("NY", ["standard"], "0.40"),  # follows the goods
        ("NY", ["food.grocery"], "0.00"),
        ("NY", ["food.grocery", "standard"], "0.40"),  # one charge for both: all of it
        ("CA", ["standard"], "0.00"),  # stated apart
        ("HI", ["medicine.rx"], "0.40"),  # always
    ],
)
def test_delivery_follows_the_rule_of_the_state(region, lines, tax):
    answer = ask(*lines, country="US", region=region, currency="USD", shipping=[{"amount": "10.00"}])
    assert answer["by_line"][-1]["tax"] == tax


def test_delivery_in_europe_bears_the_rates_of_the_goods():
    lines = [{"amount": "60", "category": "books"}, {"amount": "40"}]
    shipping = ask(*lines, country="DE", shipping=[{"amount": "10"}])["by_line"][-1]
    assert [(tax["rate"], tax["base"], tax["tax"]) for tax in shipping["taxes"]] == [
        ("7", "6.00", "0.42"),
        ("19", "4.00", "0.76"),
    ]


FR = "FR40303265045"


@pytest.mark.parametrize(
    ("fields", "treatment", "percent"),
    [
        ({"country": "FR", "ship_from": {"country": "DE"}}, "taxable", "20"),
        ({"country": "FR", "ship_from": {"country": "DE"}, "registrations": ["DE"]}, "taxable", "19"),
        ({"country": "FR", "ship_from": {"country": "DE"}, "registrations": ["DE", "OSS"]}, "taxable", "20"),
        ({"country": "FR", "ship_from": {"country": "DE"}, "customer": {"tax_id": FR}}, "reverse_charge", "0"),
        ({"country": "FR", "ship_from": {"country": "DE"}, "customer": {"tax_id": FR[:-1] + "6"}}, "taxable", "20"),
        ({"country": "FR", "ship_from": {"country": "FR"}, "customer": {"tax_id": FR}}, "taxable", "20"),
        ({"country": "CH", "ship_from": {"country": "DE"}}, "export_zero", "0"),
        ({"country": "CH", "ship_from": {"country": "DE"}, "registrations": ["CH"]}, "taxable", "8.1"),
        ({"country": "BR", "ship_from": {"country": "DE"}}, "export_zero", "0"),
        ({"country": "ES", "postcode": "35001", "ship_from": {"country": "ES"}}, "export_zero", "0"),
        ({"country": "PT", "postcode": "9000-001"}, "taxable", "22"),
        ({"country": "MC", "ship_from": {"country": "FR"}}, "taxable", "20"),
        ({"country": "GB", "postcode": "BT1 5GS", "ship_from": {"country": "IE"}}, "taxable", "20"),
        ({"country": "US", "region": "OR"}, "out_of_scope", "0"),
        ({"country": "US", "region": "NY", "customer": {"exempt": True}}, "exempt", "0"),
        ({"country": "US", "region": "NY", "collector": "marketplace"}, "marketplace_collected", "0"),
        ({"country": "US", "region": "NY", "registrations": ["US-CA"]}, "not_registered", "0"),
    ],
)
def test_who_owes_what_where(fields, treatment, percent):
    answer = ask(**fields)
    assert (answer["treatment"], rate(answer)) == (treatment, Decimal(percent))


@pytest.mark.parametrize(
    ("category", "fields", "percent", "warnings"),
    [
        ("txcd_40040000", {"country": "GB"}, "0", []),
        ("20010", {"country": "US", "region": "NJ"}, "0", []),
        ("book", {"country": "BE"}, "6", []),
        ("goods.clothing.child.shoes", {"country": "GB"}, "0", []),
        ("gadget", {"country": "DE"}, "19", ["UNKNOWN_CATEGORY"]),
        ("grocery", {"country": "HU"}, "27", ["RATE_UNCERTAIN"]),
        ("medicine.device", {"country": "NO"}, "25", []),
        ("transport", {"country": "CH"}, "8.1", ["CATEGORY_RATE_UNKNOWN"]),
        ("service", {"country": "US", "region": "CT"}, "6.35", ["CATEGORY_RATE_UNKNOWN"]),
        ("gift_card", {"country": "DE"}, "0", []),
    ],
)
def test_categories_by_any_name_and_doubts_said(category, fields, percent, warnings):
    answer = ask(category, **fields)
    assert (rate(answer), codes(answer)) == (Decimal(percent), warnings)


def test_an_uncertain_fact_is_never_used_in_silence():
    assert codes(ask(country="US", region="DC", date="2026-10-01")) == ["RATE_UNCERTAIN"]
    assert codes(ask(country="US", region="DC", date="2026-09-30")) == []


@pytest.mark.parametrize(
    ("fields", "charged", "verdict", "said"),
    [
        ({"country": "EE", "date": "2025-07-02"}, "24.00", "match", ""),
        ({"country": "EE", "date": "2025-07-02"}, "24.01", "rounding_only", "0.01"),
        ({"country": "EE", "date": "2025-07-02"}, "22.00", "rate_mismatch", "the rate until 2025-06-30 (22 %)"),
        ({"country": "EE", "date": "2025-07-02"}, "13.37", "rate_mismatch", "13.37 %"),
        ({"country": "EE", "date": "2025-07-02"}, "0", "registered_but_not_charged", "24.00"),
        ({"country": "CA", "region": "QC"}, "5.00", "jurisdiction_mismatch", "left out QST"),
        ({"country": "FR", "ship_from": {"country": "DE"}}, "19.00", "jurisdiction_mismatch", "from where it was sent"),
        ({"country": "US", "region": "NC"}, "7.25", "jurisdiction_mismatch", "not loaded"),
        ({"country": "US", "region": "NY", "registrations": []}, "4.00", "not_registered_but_charged", "4.00"),
        ({"country": "US", "region": "NY", "registrations": []}, "0.00", "match", ""),
        ({"country": "US", "region": "NY", "collector": "marketplace"}, "8.88", "marketplace_collected", ""),
    ],
)
def test_what_the_channel_charged_and_why_it_differs(fields, charged, verdict, said):
    answer = ask(**fields, channel_tax=charged)
    assert answer["verdict"] == verdict
    messages = [warning["message"] for warning in answer["warnings"] if warning["path"] == "channel_tax"]
    assert said in "".join(messages)


@pytest.mark.parametrize(
    ("lines", "charged", "verdict"),
    [
        (["food.grocery"], "20.00", "taxability_mismatch"),
        (["standard", "food.grocery"], "40.00", "taxability_mismatch"),
        (["standard", "toys"], "20.00", "taxability_mismatch"),
        (["food.candy"], "0.00", "taxability_mismatch"),
        (["food.grocery"], "0.00", "match"),
    ],
)
def test_a_line_taxed_on_one_side_only(lines, charged, verdict):
    assert ask(*lines, country="GB", channel_tax=charged)["verdict"] == verdict


def test_the_implied_rate_of_inclusive_prices_is_on_what_the_tax_leaves():
    answer = ask({"amount": "122.00"}, country="EE", date="2025-07-02", price_mode="inclusive", channel_tax="22.00")
    assert answer["verdict"] == "rate_mismatch"
    assert "22 %: the rate until 2025-06-30" in answer["warnings"][0]["message"]


def test_inclusive_prices_stay_what_they_are():
    answer = ask({"amount": "119.00"}, country="FR", price_mode="inclusive")
    assert (answer["net"], answer["tax"], answer["gross"]) == ("99.17", "19.83", "119.00")


class Minnesota:
    """Two cities, one ZIP that lies in both, and nothing else."""

    def locate(self, country, region, postcode, city, on):
        if region != "MN":
            return None
        if postcode == "55401":
            return Locality(("US-MN/county", "US-MN/city"))
        if postcode == "55999":
            return Locality(("US-MN/county",), ("City (0.5 %)", "Town (0.25 %)"))
        return Locality()


def book():
    local = [
        Rate(jurisdiction="US-MN/county", tax="county", rate=Decimal("0.15")),
        Rate(jurisdiction="US-MN/city", tax="city", rate=Decimal("0.5"), sourcing="intra"),
        Rate(jurisdiction="US-MN/city", tax="city", rate=Decimal("0.75"), sourcing="inter"),
    ]
    known = seed()
    rates = [row for rows in known.rates.values() for row in rows]
    rules = [row for rows in known.rules.values() for row in rows]
    return RateBook(
        version="test", rates=[*rates, *local], rules=rules, countries=known.countries.values(),
        regions=known.regions.values(), territories=known.territories, localities=Minnesota(),
    )  # fmt: skip


def test_local_rates_come_from_the_book():
    fields = {"country": "US", "region": "MN", "postcode": "55401", "currency": "USD", "book": book()}
    answer = ask(**fields)
    assert (rate(answer), answer["tax"], codes(answer)) == (Decimal("7.525"), "7.53", [])
    assert rate(ask(**fields, ship_from={"country": "US", "region": "WI"})) == Decimal("7.775")
    assert ask("clothing", **fields)["tax"] == "0.00"  # the state's exemption holds below it


def test_an_ambiguous_place_says_which_rates_there_are():
    answer = ask(country="US", postcode="55999", region="MN", book=book())
    assert rate(answer) == Decimal("7.025")
    assert codes(answer) == ["AMBIGUOUS_PLACE"]
    assert "City (0.5 %), Town (0.25 %)" in answer["warnings"][0]["message"]


def test_a_threshold_in_another_currency_is_not_compared_and_this_is_said():
    line = {"amount": "100", "category": "clothing"}
    assert codes(ask(line, country="US", region="MA", currency="EUR")) == ["RATE_UNCERTAIN"]
    assert ask(line, country="US", region="MA", currency="")["tax"] == "0.00"


@pytest.mark.parametrize(
    ("fields", "tax"),
    [
        ({"country": "US", "region": "CT"}, "0.12"),
        ({"country": "DE"}, "0.37"),
        ({"country": "DE", "rounding": {"level": "line"}}, "0.36"),
    ],
)
def test_who_says_nothing_of_rounding_gets_the_custom_of_the_place(fields, tax):
    """Two lines of 0.97: America rounds a line, Europe the rate of the document."""
    assert ask({"amount": "0.97"}, {"amount": "0.97"}, **fields)["tax"] == tax


@pytest.mark.parametrize(
    ("fields", "jurisdiction"),
    [
        ({"country": "germany"}, "DE"), ({"country": "DEU"}, "DE"), ({"country": "uk"}, "GB"), ({"country": "Great Britain"}, "GB"),
        ({"country": "EL"}, "GR"), ({"country": "Isle of Man"}, "GB"), ({"country": "U.S.A.", "region": "N.Y."}, "US-NY"),
        ({"country": "US", "postcode": 10001}, "US-NY"), ({"country": "US", "postcode": "2139"}, "US-MA"),
        ({"country": "US", "region": "", "postcode": "021391234"}, "US-MA"), ({"country": "US", "region": "CA California"}, "US-CA"),
        ({"country": "Canada", "region": "Québec"}, "CA"), ({"country": "CA", "region": "NF"}, "CA-NL"), ({"country": "CA", "postcode": "k1a 0b1"}, "CA-ON"),
    ],
)  # fmt: skip
def test_a_place_as_people_write_it(fields, jurisdiction):
    answer = ask(**fields)
    assert answer["by_line"][0]["taxes"][0]["jurisdiction"] == jurisdiction


def test_a_state_of_india_by_its_name_its_old_code_or_its_tax_number():
    for region in ("Telangana", "TG", "TS", "36", "IN-TS"):
        answer = ask(country="IN", region=region, currency="INR", ship_from={"country": "IN", "region": "TS"})
        assert [tax["name"] for tax in answer["by_line"][0]["taxes"]] == ["CGST", "SGST"]


def test_each_line_of_the_result_has_its_treatment_and_the_site_is_known():
    data = request("standard", "food.grocery", "gift_card", country="US", region="NJ", shipping=[{"amount": "5"}])
    done = quote.computed(read(data), seed())
    assert done.line_treatments == ("taxable", "exempt", "out_of_scope", "taxable")
    assert (done.treatment, done.site.code, done.is_local_missing) == ("taxable", "US-NJ", False)
    done = quote.computed(read({**data, "collector": "marketplace"}), seed())
    assert done.line_treatments[:3] == ("marketplace_collected", "marketplace_collected", "out_of_scope")
    assert quote.computed(read(request(country="US", region="TX")), seed()).is_local_missing


def test_the_channels_tax_by_line_says_what_its_sum_hides():
    """5 % on a line in place of 20 is no rate of anything once the other line's tax is added to it."""
    asked = read(request({"amount": "100"}, {"amount": "50"}, country="GB", channel_tax="22.50"))
    by_line = quote.computed(asked, seed(), charged_lines=(Decimal("20"), Decimal("2.50")))
    assert (by_line.verdict.code, by_line.verdict.implied_rate) == ("rate_mismatch", Decimal(5))
    by_line = quote.computed(asked, seed(), charged_lines=(Decimal("22.50"), Decimal(0)))
    assert by_line.verdict.code == "taxability_mismatch"


def test_delivery_where_no_rule_is_known_stays_untaxed_and_this_is_said():
    known = seed()
    bare = RateBook(
        version="bare", rates=[row for rows in known.rates.values() for row in rows], countries=known.countries.values(),
        regions=known.regions.values(),
    )  # fmt: skip
    answer = ask(country="US", region="NJ", shipping=[{"amount": "5"}], book=bare)
    assert (answer["by_line"][1]["tax"], codes(answer)) == ("0.00", ["DELIVERY_RULE_UNKNOWN"])


@pytest.mark.parametrize(
    ("region", "day", "line", "tax"),
    [
        ("WV", "2026-08-07", {"amount": "125.00", "category": "clothing"}, "0.00"),
        ("WV", "2026-08-10", {"amount": "125.01", "category": "clothing"}, "7.50"),
        ("WV", "2026-08-11", {"amount": "125.00", "category": "clothing"}, "7.50"),
        ("FL", "2026-08-31", {"amount": "1500.00", "category": "computers"}, "0.00"),
        ("FL", "2026-08-31", {"amount": "50.01", "category": "school_supplies"}, "3.00"),
        ("FL", "2026-06-01", {"amount": "10.00", "category": "otc"}, "0.00"),
        ("TX", "2026-06-01", {"amount": "10.00", "category": "otc"}, "0.00"),
    ],
)
def test_holidays_and_exemptions_of_states(region, day, line, tax):
    assert ask(line, country="US", region=region, currency="USD", date=day)["tax"] == tax
