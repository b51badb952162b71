"""Files through the command into the database, and the places found there."""

import json
import os
import resource
import subprocess
import sys
import time
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tax.models import Boundary, Combination, Dataset, RateFact
from tax.rates import books, localities
from tax.rates.localities import StoredLocalities
from tests.tax import sst
from tests.tax.quoting import ask, codes, rate

ON = date(2026, 6, 15)
MOST_MEMORY = 200 * 1024  # kB of a process that computes
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments):
    out = StringIO()
    call_command("import_tax", *map(str, arguments), stdout=out, stderr=StringIO())
    return out.getvalue()


def failed(*arguments):
    """The exit code, and the command's sentence."""
    with pytest.raises(CommandError) as error:
        run(*arguments)
    return error.value.returncode, str(error.value)


@pytest.fixture
def georgia(tmp_path, db):
    """Rates and boundaries, not yet imported."""
    rates = sst.write(
        tmp_path / "GAR2026Q2FEB19.csv", sst.rate("45", "13", "0.04", food="0"), sst.rate("00", "121", "0.03"),
        sst.rate("01", "04000", "0.019"), sst.rate("00", "067", "0.02"), sst.rate("63", "00060", "0.0075"),
    )  # fmt: skip
    bounds = sst.write(
        tmp_path / "GAB2026Q2FEB19.csv", sst.boundary("30303", county="121", place="04000"), sst.boundary("30075", county="121", districts=[("60", "61")]),
        sst.boundary("30075", county="067", kind="4", plus=("1000", "1999")), sst.boundary("31201", county="021", kind="A"),
    )  # fmt: skip
    return rates, bounds


def at(postcode, region="GA"):
    return {"country": "US", "region": region, "postcode": postcode, "currency": "USD"}


def test_a_file_is_staged_shown_and_activated(georgia):
    rates, bounds = georgia
    told = run(rates)
    assert "sst-ga-rates 2026Q2FEB19: 6 rates, 5 jurisdictions; of US-GA" in told
    assert "it would be active" in told and "US-GA-121 County sales tax" in told and "--activate" in told
    assert Dataset.objects.get(code="sst-ga-rates").status == "staged"
    assert not RateFact.objects.filter(jurisdiction="US-GA-121", is_active=True).exists()
    assert "it is active" in run(rates, "--activate", "--reason", "the quarter's")
    run(bounds, "--activate")
    assert Dataset.objects.filter(status="active").count() == 3  # with the seed
    answer = ask(book=books.current().book, **at("30303-1015"))
    assert [(t["jurisdiction"], t["tax"]) for t in answer["by_line"][0]["taxes"]] == [
        ("US-GA", "4.00"), ("US-GA-121", "3.00"), ("US-GA-04000", "1.90"),
    ]  # fmt: skip


def test_the_same_file_twice_changes_nothing(georgia):
    rates, bounds = georgia
    for file in (rates, bounds):
        run(file, "--activate")
    before = [list(model.objects.order_by("pk").values()) for model in (Dataset, RateFact, Combination, Boundary)]
    for file in (rates, bounds):
        assert json.loads(run(file, "--activate", "--json"))["status"] == "active"
    assert [
        list(model.objects.order_by("pk").values()) for model in (Dataset, RateFact, Combination, Boundary)
    ] == before


def test_what_a_program_reads(georgia):
    told = json.loads(run(georgia[0], "--json", "--state", "ga", "--format", "sst-rates"))
    assert (told["code"], told["status"], told["counts"]["rates"], told["problems"]) == (
        "sst-ga-rates",
        "staged",
        6,
        [],
    )
    rates = told["changes"]["rates"]
    assert (rates["added"], rates["changed"], rates["ended"]) == (4, 0, 0)  # the state's own are known


def test_a_wrong_file_leaves_nothing_behind(georgia, tmp_path):
    bounds = georgia[1]
    with bounds.open("a") as file:
        file.write(sst.boundary("x") + "\n")
    assert failed(bounds) == (1, "nothing was stored: 1 problem")
    assert list(Dataset.objects.values_list("code", flat=True)) == ["seed"]
    assert not Boundary.objects.exists()
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("import_tax", str(bounds), "--json", stdout=out)
    assert [(p["code"], p["path"]) for p in json.loads(out.getvalue())["problems"]] == [("BAD_ZIP", "line 5")]


def test_wrong_usage_is_one_sentence_and_exit_2(georgia, tmp_path):
    assert failed(tmp_path / "absent.csv")[0] == 2
    assert failed(tmp_path)[0] == 2
    assert failed(georgia[0], "--state", "XX") == (2, "'XX' is no state: two letters, as GA")
    assert failed(georgia[0], "--state", "MN")[0] == 1
    assert failed(georgia[0], "--format", "sst-boundaries")[0] == 1


# --- places


@pytest.fixture
def stored(georgia):
    for file in georgia:
        run(file, "--activate")
    return StoredLocalities(list(Dataset.objects.values_list("id", flat=True)))


def locate(stored, postcode, region="GA", country="US"):
    return stored.locate(country, region, postcode, "", ON)


@pytest.mark.parametrize("postcode", ["30303", "30303-1015", "303031015", " 30303 1015 "])
def test_a_place_is_found_however_its_zip_is_written(stored, postcode):
    assert locate(stored, postcode).jurisdictions == ("US-GA-121", "US-GA-04000")


def test_what_is_not_stored_is_not_found(stored):
    for postcode, region, country in [
        ("30304", "GA", "US"),
        ("", "GA", "US"),
        ("30303", "AL", "US"),
        ("30303", "GA", "DE"),
        ("3030", "GA", "US"),
    ]:
        assert locate(stored, postcode, region, country) is None


def test_a_district_of_another_type_and_the_possibilities_of_a_zip(stored):
    assert locate(stored, "30075-0001").jurisdictions == ("US-GA-121", "US-GA-63-00060")
    assert locate(stored, "30075").candidates == ("US-GA-067", "US-GA-121 + US-GA-63-00060")
    assert locate(stored, "31201").jurisdictions == ("US-GA-021",)  # of addresses that all say so


def test_boundaries_without_local_rates_are_no_place(georgia):
    run(georgia[1], "--activate")
    assert locate(StoredLocalities([Dataset.objects.get(code="sst-ga-boundaries").pk]), "30303") is None
    answer = ask(book=books.current().book, **at("30303"))
    assert (rate(answer), codes(answer)) == (4, ["LOCAL_RATES_MISSING"])


def test_places_asked_for_in_advance_are_read_at_once(stored):
    with CaptureQueriesContext(
        connection,
    ) as asked:
        stored.prefetch(["30303", "30075-0001", "31201", "99999", "nowhere"])
    assert len(asked) == 3  # the states with rates, the rows, their combinations
    with CaptureQueriesContext(connection) as asked:
        stored.prefetch(["30303", "99999"])
        assert [locate(stored, postcode) is None for postcode in ("30303", "30075", "99999")] == [False, False, True]
    assert len(asked) == 0


def test_what_was_not_asked_for_lately_is_forgotten_and_read_again(stored, monkeypatch):
    monkeypatch.setattr(localities, "_MOST_ROWS", 4)
    for _ in range(2):
        for postcode in ("30303", "30075", "31201"):
            assert locate(stored, postcode) is not None
    assert stored._rows <= 4 and len(stored._zips) < 3
    assert stored._rows == sum(len(rows) // localities._WIDTH + 1 for rows in stored._zips.values())


# --- all states


def import_all(folder, *, rates, ranges, states=tuple(sst.STATES)):
    """Files of that size, activated; a few of their ZIP+4."""
    files, sample = sst.generate(folder, rates=rates, ranges=ranges, states=states)
    began = time.monotonic()
    for file in files:
        run(file, "--activate")
    print(f"{Boundary.objects.count()} boundaries, {RateFact.objects.count()} rates: {time.monotonic() - began:.0f} s")
    return sample


def test_a_few_states_of_generated_files(tmp_path, db):
    sample = import_all(tmp_path, rates=240, ranges=4_000, states=("GA", "MN", "WY"))
    book = books.current().book
    for state, postcode in (one.split() for one in sample):
        answer = ask(book=book, **at(postcode, state))
        assert codes(answer) == [] and rate(answer) > 6


_COMPUTE = """
import re, sys, time
import django
django.setup()
from tax.quoting import quote
from tax.rates import books
sample = [line.split() for line in open(sys.argv[1])]
book = books.current().book
def asked(state, postcode):
    return {"date": "2026-06-15", "currency": "USD", "price_mode": "exclusive", "country": "US", "region": state, "postcode": postcode,
            "lines": [{"amount": "100.00", "qty": "1"}]}
book.localities.prefetch(postcode for _, postcode in sample)
wrong = [one for one in sample if (a := quote.answer(asked(*one), book))["warnings"] or len(a["by_line"][0]["taxes"]) < 2]
assert not wrong, wrong[:3]
began = time.process_time()
for one in sample:
    quote.answer(asked(*one), book)
speed = round(len(sample) / (time.process_time() - began))
status = open("/proc/self/status").read()
print(speed, *(re.search(what + r":\\s+(\\d+)", status)[1] for what in ("VmHWM", "VmRSS")))  # getrusage would count the parent in
"""


@pytest.mark.slow
def test_all_states_need_less_than_200_mb(tmp_path, committed_db):
    sample = import_all(tmp_path, rates=15_000, ranges=2_000_000)
    (tmp_path / "sample").write_text("\n".join(sample))
    done = subprocess.run(
        [sys.executable, "-c", _COMPUTE, str(tmp_path / "sample")], capture_output=True, text=True, cwd=ROOT, check=False,
        env={**os.environ, "DATABASE_URL": committed_db, "REDIS_URL": "redis://127.0.0.1:1", "DJANGO_SETTINGS_MODULE": "salessync.settings"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    speed, memory, now = map(int, done.stdout.split())
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{len(sample)} places, {speed} sales/s, {memory // 1024} MB at most, {now // 1024} MB at the end; the import {mine // 1024} MB"
    )
    assert memory < MOST_MEMORY
