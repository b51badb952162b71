"""Where a ZIP lies, and that nothing is guessed where it is not said."""

import csv
import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tax import formats
from tax.formats.overlay import laid_over
from tax.law.boundaries import BoundaryIndex, parse_zip, rates_label
from tax.law.ratebook import Locality, Rate, RateBook
from tax.law.seed import seed
from tax.quoting.quote import answer
from tax.rates.loaded import LoadedBoundary
from tests.tax import sst
from tests.tax.quoting import ask, codes, rate

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
PLACES = Path(__file__).parent / "places.csv"
ON = date(2026, 6, 15)
FULTON, ATLANTA, COBB = "US-GA-121", "US-GA-04000", "US-GA-067"


def lies(*jurisdictions, plus=None, part=False, starts=None, ends=None, has_state=True):
    low, high = plus or ((0, 0) if part else (0, 9999))
    return LoadedBoundary(30303, low, high, plus is not None, jurisdictions or ("US-GA",), has_state, starts, ends)


def locate(*rows, postcode="30303", on=ON, region="GA", rated=(FULTON,)):
    return BoundaryIndex(rows, rated).locate("US", region, postcode, "", on)


@pytest.mark.parametrize("text", ["30303-1015", "303031015", " 30303 1015 ", "30303 - 1015"])
def test_ways_to_write_a_zip(text):
    assert parse_zip(text) == (30303, 1015)
    assert parse_zip(text.strip()[:5]) == (30303, None)


@pytest.mark.parametrize("text", ["", "3030", "303030", "3030a", "30303-", "30303-10", "SW1A 1AA", "٣٠٣٠٣"])
def test_what_is_no_zip_is_no_place(text):
    assert locate(lies(FULTON), postcode=text) is None


def test_the_finest_row_decides_and_of_equals_the_latest():
    rows = [
        lies(COBB), lies(FULTON, plus=(0, 99)), lies(FULTON, ATLANTA, plus=(0, 99), starts=date(2020, 1, 1)),
        lies(COBB, plus=(50, 50), starts=date(2027, 1, 1)),
    ]  # fmt: skip
    assert locate(*rows, postcode="30303-0050").jurisdictions == (FULTON, ATLANTA)
    assert locate(*rows, postcode="30303-0050", on=date(2019, 12, 31)).jurisdictions == (FULTON,)
    assert locate(*rows, postcode="30303-0050", on=date(2027, 1, 1)).jurisdictions == (COBB,)
    assert locate(*rows, postcode="30303-0100").jurisdictions == (COBB,)


def test_a_zip_alone_decides_only_where_all_its_rows_agree():
    assert locate(lies(FULTON), lies(FULTON, plus=(0, 99))).candidates == ()
    found = locate(lies(FULTON), lies(FULTON, ATLANTA, plus=(0, 99)), lies(COBB, plus=(1, 1), ends=date(2020, 1, 1)))
    assert (found.jurisdictions, found.candidates) == ((FULTON,), (FULTON, f"{FULTON} + {ATLANTA}"))
    assert locate(lies(), lies(COBB, plus=(1, 1))).candidates == ("no local tax", COBB)


def test_a_plus_4_that_no_row_names_is_not_guessed_either():
    found = locate(lies(FULTON, plus=(0, 99)), lies(COBB, plus=(100, 199)), postcode="30303-5000")
    assert (found.jurisdictions, found.candidates) == ((), (COBB, FULTON))
    assert locate(lies(FULTON, plus=(0, 99)), postcode="30303-5000").jurisdictions == (FULTON,)


def test_contradicting_rows_and_streets_are_possibilities():
    assert locate(lies(FULTON), lies(COBB)).candidates == (COBB, FULTON)
    assert locate(lies(FULTON, part=True), lies(COBB, part=True), postcode="30303-0001").candidates == (COBB, FULTON)
    assert locate(lies(FULTON, part=True)).jurisdictions == (FULTON,)
    for postcode in ("30303", "30303-0001"):
        some = lies(COBB, part=True, starts=date(2020, 1, 1))
        assert locate(lies(FULTON), some, postcode=postcode).candidates == (COBB, FULTON)
    assert locate(lies(FULTON, plus=(0, 9)), lies(COBB, part=True), postcode="30303-0001").jurisdictions == (FULTON,)


def test_what_is_not_covered_is_no_place():
    assert locate(lies(FULTON), postcode="30304") is None
    assert locate(lies(FULTON, ends=date(2026, 6, 15))) is None
    assert locate(lies(FULTON), rated=["US-GA", "US-MN-053"]) is None  # to know the place is no help without its rates
    assert locate(lies(FULTON), region="AL", rated=(FULTON, "US-AL-001")) is None


def test_a_zip_of_two_states_is_that_of_the_address():
    rows = [lies(FULTON), LoadedBoundary(30303, 0, 9999, False, ("US-AL",))]
    rated = (FULTON, "US-AL-001")
    assert locate(*rows, rated=rated).jurisdictions == (FULTON,)
    assert locate(*rows, rated=rated, region="AL").jurisdictions == ()


def test_a_district_of_another_type_is_known_by_its_code_where_that_is_unique():
    rows = [lies(FULTON, "US-GA-61-00060")]
    assert locate(*rows, rated=["US-GA-63-00060"]).jurisdictions == (FULTON, "US-GA-63-00060")
    assert locate(*rows, rated=["US-GA-63-00060", "US-GA-64-00060"]).jurisdictions == (FULTON, "US-GA-61-00060")


def test_where_the_states_own_rate_does_not_hold_is_said():
    assert locate(lies(FULTON, has_state=False)).has_state is False
    assert locate(lies(FULTON)).has_state is True


BLOCKS = st.lists(
    st.tuples(st.sampled_from([(), (FULTON,), (COBB,), (FULTON, ATLANTA)]), st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9))),
    min_size=1, max_size=8,
)  # fmt: skip


@given(BLOCKS)
def test_an_answer_for_a_zip_holds_for_every_plus_4_of_it(blocks):
    """What a ZIP alone says without doubt is what each of its rows says; and candidates name every other."""
    rows = [lies(*of, plus=plus and (min(plus), max(plus))) for of, plus in blocks]
    index = BoundaryIndex(rows, (FULTON,))
    whole = index.locate("US", "GA", "30303", "", ON)
    each = [index.locate("US", "GA", f"30303-{n:04}", "", ON) for n in range(11)]
    for found in each:
        assert set(whole.jurisdictions) <= set(found.jurisdictions)
        if not whole.candidates:
            assert found == whole
        assert set(found.candidates) <= set(whole.candidates)


# --- with a book


@pytest.fixture
def book(tmp_path):
    lines = [
        sst.rate("45", "13", "0.04", food="0"),
        sst.rate("00", "121", "0.03"),
        sst.rate("01", "04000", "0.019"),
        sst.rate("00", "067", "0.02"),
    ]
    bounds = [
        sst.boundary("30303", county="121", place="04000"), sst.boundary("30075", county="121"),
        sst.boundary("30075", county="067", kind="4", plus=("1000", "1999")),
    ]  # fmt: skip
    files = [sst.write(tmp_path / "GAR2026Q2FEB19.csv", *lines), sst.write(tmp_path / "GAB2026Q2FEB18.csv", *bounds)]
    return laid_over(seed(), [formats.read(file) for file in files])


def at(postcode, region="GA"):
    return {"country": "US", "region": region, "postcode": postcode, "currency": "USD"}


def test_state_county_and_city_are_taxes_of_their_own(book):
    answer = ask(book=book, **at("30303-1015"))
    assert [(t["jurisdiction"], t["tax"]) for t in answer["by_line"][0]["taxes"]] == [
        ("US-GA", "4.00"), (FULTON, "3.00"), (ATLANTA, "1.90"),
    ]  # fmt: skip
    assert codes(answer) == []


def test_food_bears_the_local_taxes_and_prescriptions_none(book):
    assert rate(ask("food.grocery", book=book, **at("30303"))) == Decimal("4.9")
    assert rate(ask("medicine.rx", book=book, **at("30303"))) == 0


def test_an_ambiguous_zip_names_its_rates(book):
    answer = ask(book=book, **at("30075"))
    assert (rate(answer), codes(answer)) == (4, ["AMBIGUOUS_PLACE"])
    assert "6 % (US-GA-067), 7 % (US-GA-121)" in answer["warnings"][0]["message"]
    assert rate(ask(book=book, **at("30075-1500"))) == 6


def test_a_tax_that_begins_at_some_price_is_none_of_a_places_rate():
    assert rates_label(seed())(("US-TN",), ON) == "7 % (no local tax)"


def test_a_zip_that_is_not_in_the_data_has_the_states_rate_and_a_warning(book):
    answer = ask(book=book, **at("31201"))
    assert (rate(answer), codes(answer)) == (4, ["LOCAL_RATES_MISSING"])


def test_a_file_stands_in_for_the_seed_from_its_first_day(book):
    source = "Streamlined Sales Tax Governing Board, rate file GAR2026Q2FEB19"
    general = {row.starts: row for row in book.rates["US-GA"] if row.category == "standard"}
    assert general[date(2011, 1, 1)].source == source
    assert general[None].ends == date(2011, 1, 1)
    assert book.rates["US-NY"] == seed().rates["US-NY"]
    assert book.version.endswith("+sst-ga-rates:2026Q2FEB19+sst-ga-boundaries:2026Q2FEB18")


def quote(request, *arguments):
    return subprocess.run(
        [sys.executable, "manage.py", "quote_tax", *arguments], input=json.dumps(request), capture_output=True, text=True,
        cwd=Path(__file__).resolve().parents[2], check=False,
    )  # fmt: skip


def test_anyone_can_try_a_file_without_a_database(tmp_path):
    rates = sst.write(tmp_path / "GAR2026Q2FEB19.csv", sst.rate("45", "13", "0.04"), sst.rate("00", "121", "0.03"))
    bounds = sst.write(tmp_path / "GAB2026Q2FEB19.csv", sst.boundary("30303", county="121"))
    asked = {**at("30303"), "date": "2026-06-15", "lines": [{"amount": "100"}]}
    done = quote(asked, "--rates", str(rates), "--rates", str(bounds))
    assert (json.loads(done.stdout)["tax"], done.returncode) == ("7.00", 0)
    for wrong in (["--rates", "absent.csv"], ["--rates", str(bounds), "--stored"]):
        done = quote(asked, *wrong)
        assert (done.returncode, done.stdout) == (2, "")


# --- places that others say the rate of

SAID_OTHERWISE = {  # ZIP → what the state's own rate file says, and why it is right
    "55344": ("8.525", "the rate file of 2026Q2 has no row for Eden Prairie (18116): no city tax"),
    "55416": ("8.525", "the rate file of 2026Q2 has no row for St. Louis Park (57220): no city tax"),
}


@pytest.fixture(scope="module")
def rows():
    if not SHARED.exists():
        pytest.skip("the table of combined rates is not part of a clone")
    with (SHARED / "us_combined_rates.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def real():
    if not SHARED.exists():
        pytest.skip("the authorities' own files are not part of a clone")
    files = [SHARED / "sst" / "GAR2026Q2FEB19.csv", SHARED / "sst" / "MNR2026Q2FEB18.csv", PLACES]
    return laid_over(seed(), [formats.read(file) for file in files])


def test_combined_rates_of_georgia_and_minnesota(rows, real):
    seen = {}
    for row in rows:
        if row["state"] in ("GA", "MN"):
            answer = ask(book=real, **at(f"{row['zip5']}-{row['zip4']}", row["state"]))
            assert codes(answer) == [], row
            seen[row["zip5"]] = rate(answer)
            wanted = Decimal(SAID_OTHERWISE.get(row["zip5"], (row["combined_rate_pct"],))[0])
            assert abs(rate(answer) - wanted) <= Decimal(row["tolerance_pct"]), row
    assert len(seen) == 18
    assert (
        rate(ask(book=real, **at("31201"), date="2026-01-15")) == 7
    )  # Bibb: a penny less from October 2025 to March 2026


def test_an_ambiguous_zip_of_georgia_says_so(real):
    answer = ask(book=real, **at("30075"))
    assert codes(answer) == ["AMBIGUOUS_PLACE"]
    assert "6 % (US-GA-067), 7.75 % (US-GA-121 + US-GA-63-00060)" in answer["warnings"][0]["message"]


def test_the_sample_of_minnesota_on_its_own_days(rows):
    """The sample ends on 2019-03-31: what it says holds until then, and today's rates are for none of its rows to say."""
    files = ["MNR2026Q2FEB18.csv", "MNB2026Q2FEB18-sample.csv"]
    book = laid_over(seed(), [formats.read(SHARED / "sst" / file) for file in files])
    totals = {"55403": "8.025", "55103": "7.875", "55129": "7.125"}
    assert {z: rate(ask(book=book, date="2018-06-01", **at(z, "MN"))) for z in totals} == {
        z: Decimal(t) for z, t in totals.items()
    }
    then = {}
    for row in rows:
        if row["state"] == "MN":
            zip9 = f"{row['zip5']}-{row['zip4']}"
            now = ask(book=book, **at(zip9, "MN"))
            assert (rate(now), codes(now)) == (Decimal("6.875"), ["LOCAL_RATES_MISSING"]), row
            answer = ask(book=book, date="2019-03-01", **at(zip9, "MN"))
            if not codes(answer):
                then[row["zip5"]] = rate(answer)
    # today's less what began since: 0.75 and 0.25 in October 2023, Saint Paul's further 1.0 in April 2024, Duluth's city tax
    assert then["55401"] == Decimal("9.025") - 1
    assert then["55101"] == Decimal("9.875") - 2
    assert then["55802"] == Decimal("8.875") - Decimal("1.5")


def test_a_state_without_data_has_its_own_rate_and_never_one_that_was_made_up(rows, real):
    states = set()
    for row in rows:
        region = seed().regions["US", row["state"]]
        if row["state"] in ("GA", "MN") or not region.has_own_tax:
            continue
        answer = ask(book=real, **at(f"{row['zip5']}-{row['zip4']}", row["state"]))
        local = [t for t in answer["by_line"][0]["taxes"] if t["jurisdiction"] != f"US-{row['state']}"]
        assert not local, row
        assert ("LOCAL_RATES_MISSING" in codes(answer)) == region.has_local_taxes, row
        assert Decimal(answer["tax"]) <= Decimal(row["combined_rate_pct"]) + Decimal(row["tolerance_pct"]), row
        states.add(row["state"])
    assert len(states) > 35


def test_where_a_state_does_not_tax_only_what_lies_below_it_does():
    """Some rows of boundary files say that the state's own rate does not hold there."""

    class Reserve:
        def locate(self, country, region, postcode, city, on):
            return Locality(("US-WA-001",), has_state=postcode != "98001")

    own, county = (
        Rate(jurisdiction=code, tax=code, rate=Decimal(rate)) for code, rate in (("US-WA", "6.5"), ("US-WA-001", "2"))
    )
    facts = seed()
    book = RateBook(
        version="x",
        rates=[own, county],
        countries=facts.countries.values(),
        regions=facts.regions.values(),
        localities=Reserve(),
    )
    at = {"country": "US", "region": "WA", "currency": "USD", "date": "2026-01-01", "lines": [{"amount": "100"}]}
    assert answer({**at, "postcode": "98002"}, book)["tax"] == "8.50"
    assert answer({**at, "postcode": "98001"}, book)["tax"] == "2.00"
