"""Files of authorities: what each says, and what is refused about it."""

import json
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salessync.core.problems import Refused
from tax import formats
from tax.formats import source
from tax.formats.generic_csv import COLUMNS, ZIP_COLUMNS
from tax.formats.overlay import laid_over
from tax.law.seed import seed
from tax.rates.loaded_checks import problems_of
from tests.tax import sst
from tests.tax.quoting import ask, rate

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
HEADER = ",".join(ZIP_COLUMNS + COLUMNS)


@pytest.fixture
def read(tmp_path):
    def read(*lines, name="GAR2026Q2FEB19.csv", **options):
        return formats.read(sst.write(tmp_path / name, *lines), **options)

    return read


def rates(loaded):
    return [(r.jurisdiction, r.category, r.rate, r.sourcing, r.starts, r.ends) for r in loaded.rates]


def refused(read, *lines, **options):
    with pytest.raises(Refused) as error:
        list(read(*lines, **options).boundaries)
    return [(p.code, p.path) for p in error.value.problems]


# --- SST rates


def test_a_rate_file_names_jurisdictions_taxes_and_days(read):
    loaded = read(
        "\ufeff" + sst.rate("45", "13", "0.04", food="0"), sst.rate("00", "121", "0.03", end="20191231"),
        sst.rate("00", "121", "0.02", begin="20200101", end="20991231"), sst.rate("01", "04000", "0.019"), sst.rate("63", "00060", "0.0075"),
    )  # fmt: skip
    assert (loaded.code, loaded.version, loaded.rank, loaded.covers) == ("sst-ga-rates", "2026Q2FEB19", 10, ("US-GA",))
    begin = date(2011, 1, 1)
    assert rates(loaded) == [
        ("US-GA", "standard", Decimal(4), "any", begin, None), ("US-GA", "food.grocery", Decimal(0), "any", begin, None),
        ("US-GA-121", "standard", Decimal(3), "any", begin, date(2020, 1, 1)), ("US-GA-121", "standard", Decimal(2), "any", date(2020, 1, 1), None),
        ("US-GA-04000", "standard", Decimal("1.9"), "any", begin, None), ("US-GA-63-00060", "standard", Decimal("0.75"), "any", begin, None),
    ]  # fmt: skip
    assert [r.tax for r in loaded.rates if r.category == "standard"] == [
        "State sales tax", "County sales tax", "County sales tax", "City sales tax", "District sales tax",
    ]  # fmt: skip
    assert {r.verified_on for r in loaded.rates} == {date(2026, 2, 19)}
    assert next(r for r in loaded.rates if r.category == "food.grocery").treatment == "exempt"
    assert [j.level for j in loaded.jurisdictions] == ["state", "county", "city", "district"]
    assert not list(problems_of(loaded))


def test_rates_that_differ_by_where_it_is_sent_from_are_two(read):
    loaded = read(sst.rate("00", "001", "0.01", inter="0.02", food="0.005"))
    assert [(r.category, r.sourcing, r.rate) for r in loaded.rates] == [
        ("standard", "intra", 1), ("standard", "inter", 2), ("food.grocery", "any", Decimal("0.5")),
    ]  # fmt: skip


def test_a_blank_rate_of_food_is_not_known(read):
    loaded = read("13,45,13,0.04,0.04,,,20110101,29991231")
    assert [r.category for r in loaded.rates] == ["standard"]
    assert loaded.left_out == {"rate of food not given: the general rate holds": 1}


@pytest.mark.parametrize("end", ["29991231", "99991231", "20991231", "20780101", ""])
def test_far_ends_are_open(read, end):
    assert read(sst.rate("45", "13", "0.04", end=end)).rates[0].ends is None


def test_where_a_row_ends_on_the_day_of_the_next_the_later_begin_wins(read):
    loaded = read(
        sst.rate("00", "001", "0.02", begin="20200101"), sst.rate("00", "001", "0.01", end="20200101"),
        sst.rate("00", "001", "0.01", end="20200101"), sst.rate("00", "003", "0.01", begin="20200102", end="20200101"),
    )  # fmt: skip
    assert [(r.rate, r.starts, r.ends) for r in loaded.rates] == [
        (1, date(2011, 1, 1), date(2020, 1, 1)), (2, date(2020, 1, 1), None),
    ]  # fmt: skip
    assert loaded.left_out == {
        "said twice": 1, "never in force: ends before it begins": 1, "cut: the next rate began before its last day": 1,
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=6))
def test_no_two_rates_of_a_jurisdiction_hold_at_once(tmp_path_factory, rows):
    """Whatever a file says, it is refused or unambiguous, and of two rates that held it is the later."""
    day = lambda n: date.fromordinal(date(2020, 1, 1).toordinal() + n)  # noqa: E731
    lines = [sst.rate("00", "001", f"0.0{r}", begin=f"{day(b):%Y%m%d}", end=f"{day(e):%Y%m%d}") for b, e, r in rows]
    try:
        loaded = formats.read(sst.write(tmp_path_factory.mktemp("sst") / "GAR.csv", *lines))
    except Refused:
        return
    assert not list(problems_of(loaded))
    for n in range(62):
        said = [(b, r) for b, e, r in rows if b <= n <= e]
        holds = [r.rate for r in loaded.rates if r.is_in_force(day(n))]
        assert holds == ([max(said)[1]] if said else [])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("13,45,13,0.04,0.04,0,0,20110101", "WRONG_COLUMNS"), ("99,45,99,0.04,0.04,0,0,20110101,29991231", "UNKNOWN_STATE"),
        ("27,45,27,0.04,0.04,0,0,20110101,29991231", "OTHER_STATE"), ("13,45,13,4,4,0,0,20110101,29991231", "BAD_RATE"),
        ("13,45,13,x,0.04,0,0,20110101,29991231", "BAD_RATE"), ("13,45,13,-0.04,0.04,0,0,20110101,29991231", "BAD_RATE"),
        ("13,45,13,0.04,0.04,0,0,20111301,29991231", "BAD_DATE"), ("13,00,1210,0.04,0.04,0,0,20110101,29991231", "BAD_COUNTY"),
        ("13,01,AB,0.04,0.04,0,0,20110101,29991231", "BAD_PLACE"), ("13,63,,0.04,0.04,0,0,20110101,29991231", "TWO_RATES"),
        ("13,6x,1,0.04,0.04,0,0,20110101,29991231", "BAD_DISTRICT"), ("13,00,001,0.05,0.05,0,0,20110101,29991231", "TWO_RATES"),
        ("13,00,001,0.05,0.05,0,0,20200101,20200131", "OVERLAP"),
    ],
)  # fmt: skip
def test_a_wrong_line_refuses_the_file_and_is_named(read, line, code):
    good = [sst.rate("00", "001", "0.01"), sst.rate("63", "00000", "0.01")]
    assert refused(read, *good, line) == [(code, "line 3")]


def test_the_state_asked_for_must_be_the_files(read):
    assert refused(read, sst.rate("45", "13", "0.04"), state="MN") == [("OTHER_STATE", "line 1"), ("EMPTY", "line 1")]


# --- SST boundaries


def places(loaded):
    return [(b.zip5, b.low, b.high, b.is_exact, b.jurisdictions) for b in loaded.boundaries]


def test_records_of_zips_and_ranges(read):
    loaded = read(
        sst.boundary("31201", "31203", county="021", kind="z", end="20201231"),
        sst.boundary("30303", plus=("0010", "0020"), county="121", place="04000", kind="4", districts=[("60", "63"), ("00061", "63")]),
        sst.boundary("30304", "30306", plus=("9990", "0005"), county="121", kind="4"), sst.boundary("30307", state=""),
        name="GAB2026Q2FEB18.csv",
    )  # fmt: skip
    assert (loaded.code, loaded.covers) == ("sst-ga-boundaries", ("US-GA",))
    city = ("US-GA-121", "US-GA-04000", "US-GA-63-00060", "US-GA-63-00061")
    wanted = [
        *((zip5, 0, 9999, False, ("US-GA-021",)) for zip5 in (31201, 31202, 31203)), (30303, 10, 20, True, city),
        (30304, 9990, 9999, True, ("US-GA-121",)), (30305, 0, 9999, True, ("US-GA-121",)), (30306, 0, 5, True, ("US-GA-121",)),
        (30307, 0, 9999, False, ("US-GA",)),
    ]  # fmt: skip
    assert places(loaded) == wanted
    assert places(loaded) == wanted  # a second time too
    first, last = next(iter(loaded.boundaries)), list(loaded.boundaries)[-1]
    assert (first.ends, first.has_state, last.has_state) == (date(2021, 1, 1), True, False)


def test_streets_are_counted_and_kept_as_a_possibility_of_their_zip(read):
    loaded = read(*[sst.boundary("30303", county=c, kind="A") for c in ("121", "121", "089")], name="GAB.csv")
    assert places(loaded) == [(30303, 0, 0, False, ("US-GA-121",)), (30303, 0, 0, False, ("US-GA-089",))]
    assert loaded.left_out == {"street addresses: kept as a possibility of their ZIP": 3}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("4,20110101,29991231,x", "WRONG_COLUMNS"), (sst.boundary("3030x"), "BAD_ZIP"), (sst.boundary("30303", "30301"), "BAD_RANGE"),
        (sst.boundary("10000", "99999"), "BAD_RANGE"), (sst.boundary("30303", kind="4", plus=("0020", "0010")), "BAD_RANGE"),
        (sst.boundary("30303", kind="4", plus=("x", "0010")), "BAD_ZIP"), (sst.boundary("30303", kind="Q"), "UNKNOWN_RECORD"),
        (sst.boundary("30303", fips="27"), "OTHER_STATE"), (sst.boundary("30303", begin=""), "BAD_DATE"),
        (sst.boundary("30303", districts=[("1234567", "63")]), "BAD_DISTRICT"),
    ],
)  # fmt: skip
def test_a_wrong_boundary_refuses_the_file_and_is_named(read, line, code):
    assert refused(read, sst.boundary("30303"), line, name="GAB.csv") == [(code, "line 2")]


def test_a_file_that_is_wrong_throughout_is_not_read_to_its_end(read):
    found = refused(read, *[sst.boundary("30303"), *[sst.boundary("x")] * 500], name="GAB.csv")
    assert len(found) == 100


# --- the file itself


def zipped(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name.replace("_", "."), content)
    return path


def test_the_one_csv_of_a_zip_is_read(tmp_path, monkeypatch):
    line = sst.rate("45", "13", "0.04") + "\n"
    assert formats.read(zipped(tmp_path / "a.zip", GAR2026Q2FEB19_csv=line, readme_md="")).version == "2026Q2FEB19"
    for files in ({}, {"a_csv": line, "b_csv": line}):
        with pytest.raises(Refused, match="NOT_ONE_CSV"):
            formats.read(zipped(tmp_path / "b.zip", **files))
    monkeypatch.setattr(source, "LARGEST", 1000)
    with pytest.raises(Refused, match="TOO_LARGE"):
        formats.read(zipped(tmp_path / "bomb.zip", a_csv="0" * 1_000_000))


def test_latin_1_and_damage(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(f"# rate_unit=percent\n{HEADER}\n,,,CA,Ca\xf1on,,,,1,,,1,,,\n".encode("latin-1"))
    assert [j.name for j in formats.read(path).jurisdictions][1:] == ["Cañon"]
    broken = zipped(tmp_path / "broken.zip", a_csv=sst.rate("45", "13", "0.04") * 100)
    broken.write_bytes(broken.read_bytes()[:50] + b"\0\0\0\0" + broken.read_bytes()[54:])
    for path in (broken, tmp_path / "absent", tmp_path):
        with pytest.raises(Refused):
            formats.read(path)


@pytest.mark.parametrize(
    "content", ["", "\n\n", "hello", "a,b,c", "{}", '{"version": 1, "source": 2}', "<x/>", "\0\0,\0", '"', "<" * 5000]
)
@pytest.mark.parametrize("form", ["auto", *formats.FORMATS])
def test_what_is_no_such_file_is_refused(read, content, form):
    assert refused(read, content, form=form)


@given(st.binary(max_size=200))
def test_no_bytes_break_a_reader(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "x.csv"
    path.write_bytes(content)
    for form in formats.FORMATS:
        with pytest.raises(Refused):
            list(formats.read(path, form).boundaries)


# --- generic CSV


def table(*rows, unit="percent", header=HEADER):
    return [f"# rate_unit={unit}", header, *rows]


def test_a_table_of_percentages_or_fractions(read):
    row = "90001,,,CA,Los Angeles,Los Angeles,a | b,{},{},,{} | {},{},,2026-01-01,2026-12-31"
    percent = read(*table(row.format("7.25", "1", "0.5", "0.75", "9.5")), name="ca.csv")
    fraction = read(*table(row.format("0.0725", "0.01", "0.005", "0.0075", "0.095"), unit="fraction"), name="ca.csv")
    assert rates(percent) == rates(fraction)
    assert [(r.jurisdiction, r.tax, r.rate) for r in percent.rates] == [
        ("US-CA", "State sales tax", Decimal("7.25")), ("US-CA-county-los-angeles", "County sales tax", 1),
        ("US-CA-district-a", "District sales tax", Decimal("0.5")), ("US-CA-district-b", "District sales tax", Decimal("0.75")),
    ]  # fmt: skip
    assert {(r.starts, r.ends) for r in percent.rates} == {(date(2026, 1, 1), date(2027, 1, 1))}
    local = ("US-CA-county-los-angeles", "US-CA-city-los-angeles", "US-CA-district-a", "US-CA-district-b")
    assert places(percent) == [(90001, 0, 9999, False, local)]
    assert not list(problems_of(percent))


def test_rates_without_places_and_places_without_rates(read):
    only = read(*table("AL,001,,,4,1,,,5,grocery,,", header=",".join(COLUMNS)), name="al.csv")
    assert [(r.jurisdiction, r.category) for r in only.rates] == [
        ("US-AL", "food.grocery"),
        ("US-AL-001", "food.grocery"),
    ]
    where = read(*table("35004,0001,0099,AL,001,,,,,,,,,,", "35005,,,AL,,,,,,,,,,,"), name="al.csv")
    assert (where.rates, places(where)) == (
        [],
        [(35004, 1, 99, True, ("US-AL-001",)), (35005, 0, 9999, False, ("US-AL",))],
    )


def test_two_whole_rows_of_a_zip_are_possibilities(read):
    loaded = read(
        *table(
            "35004,,,AL,001,,,,,,,,,,",
            "35004,,,AL,003,,,,,,,,,,",
            "35005,,,AL,001,,,,,,,,,,2025-12-31",
            "35005,,,AL,003,,,,,,,,,2026-01-01,",
        )
    )
    assert [(b.zip5, b.high) for b in loaded.boundaries] == [(35004, 0), (35004, 0), (35005, 9999), (35005, 9999)]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (",,,CA,a,,,7.25,1,,,8.26,,,", "SUM_DIFFERS"), (",,,CA,a,,,7.25,1,,,,,,", "BAD_RATE"), (",,,CA,a,,,7.25,,1,,8.25,,,", "RATE_WITHOUT_NAME"),
        (",,,XX,a,,,7.25,,,,7.25,,,", "UNKNOWN_STATE"), (",,,CA,a,,,725,,,,725,,,", "BAD_RATE"), (",,,CA,a,,,7.25,,,,7.25,magic,,", "UNKNOWN_CATEGORY"),
        (",,,CA,a,,,7.25,,,,7.25,,01/01/2026,", "BAD_DATE"), (",,,CA,a,,,7.25,,,,7.25,,2026-02-01,2026-01-01", "BAD_DATE"),
        ("9000x,,,CA,a,,,7.25,,,,7.25,,,", "BAD_ZIP"), ("90001,20,10,CA,a,,,7.25,,,,7.25,,,", "BAD_ZIP"), (",,,CA,!!,,,7.25,,,,7.25,,,", "BAD_NAME"),
        (",,,CA,a", "WRONG_COLUMNS"), (",,,CA,b,,,7,,,,7,,,", "TWO_RATES"),
    ],
)  # fmt: skip
def test_a_wrong_row_of_a_table_refuses_it_and_is_named(read, row, code):
    good = ",,,CA,a,,,7.25,1,,,8.25,,,"
    assert refused(read, *table(good, row)) == [(code, "line 4")]


def test_the_unit_of_rates_is_never_guessed(read):
    assert refused(read, HEADER, ",,,CA,a,,,0.0725,,,,0.0725,,,") == [("MISSING_RATE_UNIT", "line 1")]
    assert refused(read, *table("x", unit="per mille")) == [("MISSING_RATE_UNIT", "line 1")]
    assert refused(read, *table("x", header="state,combined_rate")) == [("WRONG_COLUMNS", "header")]


# --- TEDB and the package

TEDB = "member_state,type,rate_type,rate,situation_on,category,cn_codes,comment"
SOAP = """<?xml version="1.0" encoding="UTF-8"?>
<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>
<ns0:retrieveVatRatesRespMsg xmlns="urn:ec.europa.eu:taxud:tedb:services:v1:IVatRetrievalService:types"
 xmlns:ns0="urn:ec.europa.eu:taxud:tedb:services:v1:IVatRetrievalService">
<additionalInformation/>
<vatRateResults><memberState>EL</memberState><type>STANDARD</type><rate><type>DEFAULT</type><value>24.0</value></rate>
<situationOn>2026-09-15+02:00</situationOn></vatRateResults>
<vatRateResults><memberState>DE</memberState><type>REDUCED</type><rate><type>REDUCED_RATE</type><value>7.0</value></rate>
<situationOn>2026-09-15+02:00</situationOn><cnCodes><code><value>4901</value><description>Books</description></code></cnCodes>
<category><identifier>LOAN_LIBRARIES</identifier><description>Books &amp; papers</description></category>
<comment>Annex 2</comment></vatRateResults>
</ns0:retrieveVatRatesRespMsg></env:Body></env:Envelope>"""


def own(loaded):
    return [
        (r.jurisdiction, r.category, r.rate, r.treatment)
        for r in loaded.rates
        if r.source.endswith(f"as of {r.starts}")
    ]


def test_the_answer_of_the_web_service(read):
    loaded = read(*SOAP.splitlines(), name="tedb.xml")
    assert own(loaded) == [("DE", "books.print", 7, "taxable"), ("GR", "standard", 24, "taxable")]
    assert loaded.version == "2026-09-15"


def test_entities_and_faults_are_refused(read):
    bomb = SOAP.replace("<env:Env", '<!DOCTYPE x [<!ENTITY a "aaaa">]>\n<env:Env', 1)
    assert refused(read, *bomb.splitlines()) == [("NOT_XML", "line 1")]
    assert refused(read, "<Envelope><Body><Fault><faultstring>TEDB-ERR-2</faultstring></Fault></Body></Envelope>") == [
        ("FAULT", "line 1")
    ]


def test_only_what_is_clear_is_taken_of_tedb(read):
    food = "02;0401;10"
    loaded = read(
        TEDB, "AT,STANDARD,DEFAULT,20.0,2025-07-01,,,", f"AT,REDUCED,REDUCED_RATE,10.0,2025-07-01,FOODSTUFFS,{food},",
        "AT,REDUCED,REDUCED_RATE,13.0,2025-07-01,FOODSTUFFS,0101 29 10,live animals", "AT,REDUCED,REDUCED_RATE,13.0,2025-07-01,TAPESTRIES,5805 00 00,",
        "AT,REDUCED,REDUCED_RATE,19.0,2025-07-01,REGION,,Jungholz", f"SK,REDUCED,REDUCED_RATE,5.0,2025-07-01,FOODSTUFFS,{food},",
        f"SK,REDUCED,REDUCED_RATE,19.0,2025-07-01,FOODSTUFFS,{food},", "CZ,REDUCED,EXEMPTED,0.0,2025-07-01,LOAN_LIBRARIES,4901,",
        "ES,STANDARD,DEFAULT,7.0,2025-07-01,,,VAT - Canary Islands -", "DE,STANDARD,DEFAULT,19.0,2025-07-01,,,VAT - Import -",
        "DE,REDUCED,REDUCED_RATE,7.0,2025-07-01,PHARMACEUTICAL_PRODUCTS,3006 50 00,", "LU,REDUCED,REDUCED_RATE,3.0,2025-07-01,FOODSTUFFS,02;04,",
        "LU,REDUCED,REDUCED_RATE,3.0,2025-07-01,FOODSTUFFS,10;19,",
    )  # fmt: skip
    assert own(loaded) == [
        ("AT", "food.grocery", 10, "taxable"), ("AT", "standard", 20, "taxable"), ("CZ", "books.print", 0, "exempt"),
        ("LU", "food.grocery", 3, "taxable"),
    ]  # fmt: skip
    assert loaded.left_out == {
        "narrower than our category": 2, "a category that none of ours means": 1, "of a region": 2, "of imports alone": 1,
        "several rates for one category": 2,
    }  # fmt: skip
    assert [(p.code, p.path) for p in loaded.problems] == [("SEVERAL_RATES", "SK.food.grocery")]
    assert not list(problems_of(loaded))


def test_a_snapshot_undoes_no_change_that_comes_after_it(read):
    loaded = read(
        TEDB, "DE,STANDARD,DEFAULT,19.0,2025-07-01,,,", "LT,REDUCED,REDUCED_RATE,9.0,2025-07-01,ACCOMMODATION,,"
    )
    lodging = [(r.rate, r.starts, r.ends) for r in loaded.rates if r.category == "lodging"]
    assert lodging == [(9, date(2025, 7, 1), date(2026, 1, 1)), (12, date(2026, 1, 1), None)]
    book = laid_over(seed(), [loaded])
    german = {day: rate(ask(book=book, country="DE", date=day)) for day in ("2020-08-01", "2025-06-30", "2026-01-01")}
    assert german == {"2020-08-01": 16, "2025-06-30": 19, "2026-01-01": 19}


def test_the_package_gives_standard_rates_and_is_compared_for_others(read):
    country = {"standard": 25.5, "reduced": [10, 13.5], "super_reduced": None, "parking": None}
    content = {
        "version": "2026-09-29",
        "source": "TEDB",
        "rates": {"FI": country, "DE": {**country, "standard": 19, "reduced": []}, "AD": country},
    }
    loaded = read(json.dumps(content, indent=2), name="eu.json")
    assert (loaded.code, loaded.version, loaded.rank) == ("eu-vat-rates-data", "2026-09-29", 5)
    now = [(r.jurisdiction, r.rate, r.starts) for r in loaded.rates if r.source.startswith("eu-vat-rates-data")]
    assert now == [("DE", 19, date(2026, 9, 29)), ("FI", Decimal("25.5"), date(2026, 9, 29))]
    assert {p.path for p in loaded.problems} == {"rates.DE"}
    assert any("7 %" in p.message for p in loaded.problems)
    assert loaded.left_out == {"country without seed facts": 1, "reduced rates: they name no goods": 2}
    content["rates"]["FI"]["standard"] = "25"
    assert refused(read, json.dumps(content)) == [("BAD_RATE", "rates.FI")]


# --- files that nobody here wrote


@pytest.mark.skipif(not SHARED.exists(), reason="the authorities' own files are not part of a clone")
def test_real_files_are_read_without_a_problem():
    found = {path.name: formats.read(path) for path in sorted((SHARED / "sst").glob("*.csv"))}
    assert {loaded.code for loaded in found.values()} == {"sst-ga-rates", "sst-mn-rates", "sst-mn-boundaries"}
    assert [len(loaded.rates) for loaded in found.values()] == [451, 0, 149]
    assert all(not list(problems_of(loaded)) for loaded in found.values())
    assert sum(1 for _ in found["MNB2026Q2FEB18-sample.csv"].boundaries) == 291
    tedb = formats.read(SHARED / "eu_tedb_categories_2025-08.csv")
    assert not list(problems_of(tedb))
    assert {r.jurisdiction for r in tedb.rates if r.category == "standard"} >= {"DE", "FR", "GR", "ES"}
