"""Files of rates from their staging to the day on which others take their place, against a model that goes through it day by day."""

import json
import tracemalloc
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salessync.core.models import AuditRow
from salessync.core.problems import Problem, Refused
from tax.law.ratebook import DeliveryRule, Rate, Rule
from tax.models import BookVersion, Boundary, Combination, Dataset, DeliveryFact, Jurisdiction, RateFact, RuleFact
from tax.rates import books, datasets, staging
from tax.rates.datasets import UnableToChange
from tests.tax.quoting import ask
from tests.tax.rate_files import boundary, file_of, place, staged
from tests.threads import at_once

COUNTY = place("US-GA-121", "county", name="Fulton")
STATES = [place("US", "country", ""), place("US-GA", "state", "US", "Georgia")]


@pytest.fixture(autouse=True)
def georgia(request):
    if "committed_db" not in request.fixturenames:
        request.getfixturevalue("db")
        Jurisdiction.objects.create(code="US", country="US", level="country", name="United States")
        Jurisdiction.objects.create(code="US-GA", parent_id="US", country="US", level="state", name="Georgia")


def county(rate, starts=None, ends=None, **fields):
    return Rate(jurisdiction="US-GA-121", tax="Sales tax", rate=Decimal(rate), starts=starts, ends=ends, **fields)


def fulton(*facts, **fields):
    return file_of(*facts, jurisdictions=[COUNTY], **fields)


def check_constraints():
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


# --- staging


def test_a_file_is_stored_beside_what_is_active():
    rule = Rule(
        jurisdiction="US-GA",
        category="goods.clothing",
        semantic="exempt_upto",
        upper=Decimal(100),
        currency="USD",
        holiday="School",
    )
    loaded = fulton(
        county("3.125", date(2026, 1, 1)),
        rule,
        DeliveryRule(jurisdiction="US-GA", rule="always"),
        left_out={"said twice": 2},
    )
    loaded.problems.append(Problem("BAD_RATE", "line 7", "'x' is no rate"))
    dataset = staged(loaded)
    assert (dataset.status, dataset.staged_by, dataset.rank) == ("staged", "tests", 10)
    assert dataset.counts["rates"] == dataset.counts["rules"] == dataset.counts["deliveries"] == 1
    assert dataset.counts["left_out"] == {"said twice": 2}
    assert dataset.problems == [{"code": "BAD_RATE", "path": "line 7", "message": "'x' is no rate"}]
    fact = RateFact.objects.get()
    assert (fact.rate, fact.valid.lower, fact.valid.upper, fact.is_active) == (
        Decimal("3.125"),
        date(2026, 1, 1),
        None,
        False,
    )
    assert books.current().id is None
    assert Jurisdiction.objects.get(code="US-GA-121").parent_id == "US-GA"
    assert AuditRow.objects.get().action == "staged"


def test_the_same_file_again_is_the_dataset_there_is():
    first = staged(fulton(county("3")), sha256="a" * 64)
    assert staged(fulton(county("4")), sha256="a" * 64) == first
    assert RateFact.objects.get().rate == 3
    assert staged(fulton(county("4"), code="other"), sha256="a" * 64) != first


def test_a_discarded_file_may_come_again():
    loaded = fulton(county("3"), boundaries=[boundary(30301, "US-GA-121")])
    first = staged(loaded, sha256="a" * 64)
    datasets.discard(first, "tests")
    assert (first.status, RateFact.objects.count(), Boundary.objects.count()) == ("discarded", 0, 0)
    for refused in (
        lambda: datasets.activate(first, "tests"),
        lambda: datasets.changes(first),
        lambda: datasets.discard(first, "tests"),
    ):
        with pytest.raises(UnableToChange, match="discarded"):
            refused()
    again = staged(loaded, sha256="a" * 64)
    assert (again.pk, again.status, again.ended_at) == (first.pk, "staged", None)
    assert (RateFact.objects.count(), Boundary.objects.count(), Combination.objects.count()) == (1, 1, 1)
    datasets.activate(again, "tests")
    check_constraints()


def test_a_name_that_is_known_stays_where_the_file_has_none():
    staged(fulton(county("3")))
    staged(file_of(county("4"), jurisdictions=[place("US-GA-121", "county")]))
    assert Jurisdiction.objects.get(code="US-GA-121").name == "Fulton"
    staged(file_of(county("5"), jurisdictions=[place("US-GA-121", "county", name="Fulton County")]))
    assert Jurisdiction.objects.get(code="US-GA-121").name == "Fulton County"


JANUARY, JUNE = date(2026, 1, 1), date(2026, 6, 1)


@pytest.mark.parametrize(
    ("loaded", "code", "at", "said"),
    [
        (fulton(county("3", JANUARY), county("4", JUNE)), "TWO_AT_ONCE", "US-GA-121", "3 % from 2026-01-01 and 4 % from 2026-06-01 hold"),
        (fulton(county("3", None, JUNE), county("4")), "TWO_AT_ONCE", "US-GA-121", "3 % until 2026-05-31 and 4 % on every day hold"),
        (fulton(county("3", JUNE, JUNE)), "BAD_DAYS", "US-GA-121", "before it begins"),
        (fulton(county("3.1234567")), "BAD_NUMBER", "US-GA-121", "more than 6 decimals"),
        (fulton(county("-1")), "BAD_NUMBER", "US-GA-121", "not from 0 to 1000"),
        (fulton(county("NaN")), "BAD_NUMBER", "US-GA-121", "NaN"),
        (fulton(county("3", category="gadgets")), "UNKNOWN_CATEGORY", "US-GA-121", "'gadgets'"),
        (fulton(county("3", treatment="odd")), "BAD_VALUE", "US-GA-121", "treatment is 'odd'"),
        (fulton(county("3", source="x" * 501)), "TOO_LONG", "US-GA-121", "500 characters"),
        (file_of(county("3")), "UNKNOWN_JURISDICTION", "US-GA-121", "neither in it nor known"),
        (file_of(county("3"), jurisdictions=[place("US-GA-121", "county", "US-XX")]), "UNKNOWN_JURISDICTION", "US-GA-121", "belongs to US-XX"),
        (
            file_of(jurisdictions=[place("US-A", "county", "US-B"), place("US-B", "county", "US-A")]), "UNKNOWN_JURISDICTION", "US-A",
            "belongs to itself",
        ),
        (fulton(), "EMPTY_FILE", "file", "no rate"),
        (fulton(boundaries=[boundary(30301, "US-GA-121"), boundary(30302, low=9, high=8)]), "BAD_ZIP", "boundary 2", "30302"),
        (fulton(boundaries=[boundary(30301, "x" * 61)]), "BAD_JURISDICTION", "x" * 61, "60 characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place_and_a_sentence(loaded, code, at, said):
    with pytest.raises(Refused) as refused:
        staged(loaded)
    problem = refused.value.problems[0]
    assert (problem.code, problem.path) == (code, at)
    assert said in problem.message
    assert not Dataset.objects.exists() and not Boundary.objects.exists()


def test_parents_may_stand_behind_their_children():
    city = place("US-AL-07000", "city")
    loaded = file_of(county("3"), jurisdictions=[city, COUNTY, place("US-AL", "state", "US")])
    staged(loaded)
    assert Jurisdiction.objects.get(code="US-AL-07000").parent_id == "US-AL"


def test_millions_of_boundaries_pass_through_little_memory(monkeypatch):
    monkeypatch.setattr(staging, "_CHUNK", 500)
    heard = []

    def rows(count):
        for n in range(count):
            yield boundary(30000 + n // 500, "US-GA-121", f"US-GA-{n // 100 % 7:05}", low=n % 500, high=n % 500 + 1)

    peaks = []
    for count in (1_200, 4_800):
        tracemalloc.start()
        dataset = datasets.stage(
            fulton(boundaries=rows(count)),
            file_name="b.csv",
            sha256=f"{count:064}",
            actor="tests",
            progress=heard.append,
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert heard[:4] == [500, 1000, 1200, 500] and heard[-1] == 4800
    assert peaks[1] < peaks[0] * 1.5, peaks
    assert (dataset.counts["boundaries"], dataset.counts["combinations"]) == (4_800, 7)
    assert dataset.counts["unknown_jurisdictions"] == 7
    assert Combination.objects.filter(dataset=dataset).count() == 7


# --- what would change


def sentences(dataset, **page):
    return [row.sentence for row in datasets.changes(dataset, **page).rows]


def test_a_change_is_said_in_plain_words():
    april = date(2026, 4, 1)
    datasets.activate(
        staged(fulton(county("3"), county("1", category="books"), county("2", category="lodging"))), "tests"
    )
    found = datasets.changes(
        staged(
            fulton(
                county("3", None, april),
                county("3.75", april),
                county("1", category="books"),
                county("0", category="food", treatment="exempt"),
            )
        )
    )
    assert found.rates == (1, 1, 1, 1)
    assert [row.sentence for row in found.rows] == [
        "US-GA-121 Sales tax on food: 0 % exempt",
        "US-GA-121 Sales tax on lodging: 2 % is gone",
        "US-GA-121 Sales tax: 3 % until 2026-03-31, 3.75 % from 2026-04-01",
    ]
    changed = found.rows[2]
    assert (changed.how, changed.name, changed.before, changed.after) == (
        "changed", "Fulton", ((None, None, "3 %"),), ((None, april, "3 %"), (april, None, "3.75 %")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([("3", None, None)], [("4", None, None)], "4 % instead of 3 %"),
        ([("3", JANUARY, None)], [("3", JANUARY, JUNE)], "3 % from 2026-06-01 is gone"),
        ([("3", JANUARY, JUNE)], [("3", JANUARY, None)], "3 % from 2026-06-01"),
        ([("3", None, None)], [("3", None, JANUARY), ("4", JANUARY, JUNE), ("3", JUNE, None)],
         "3 % until 2025-12-31, 4 % from 2026-01-01 until 2026-05-31"),
        ([("3", JANUARY, None)], [("2", None, JANUARY), ("4", JUNE, None), ("3", JANUARY, JUNE)],
         "2 % until 2025-12-31, 3 % until 2026-05-31, 4 % from 2026-06-01"),
        ([("3", None, JUNE), ("3", JUNE, None)], [("3", None, JANUARY), ("3", JANUARY, None)], None),
    ],
)  # fmt: skip
def test_only_days_that_differ_are_said(before, after, said):
    datasets.activate(staged(fulton(*(county(*row) for row in before))), "tests")
    found = sentences(staged(fulton(*(county(*row) for row in after))))
    assert found == ([f"US-GA-121 Sales tax: {said}"] if said else [])


def test_rules_and_deliveries_are_compared_too_and_paged_as_one_list():
    clothing = {"jurisdiction": "US-GA", "category": "goods.clothing", "semantic": "exempt_upto", "currency": "USD"}
    always, follows = (DeliveryRule(jurisdiction="US-GA", rule=rule) for rule in ("always", "follows_goods"))
    datasets.activate(staged(fulton(county("3"), Rule(**clothing, upper=Decimal(100)), always)), "tests")
    dataset = staged(fulton(county("4"), Rule(**clothing, upper=Decimal("110.50")), follows))
    every = [
        "US-GA-121 Sales tax: 4 % instead of 3 %",
        "US-GA on goods.clothing: exempt up to 110.5 USD instead of exempt up to 100 USD",
        "US-GA on delivery: follows goods instead of always",
    ]
    assert sentences(dataset) == every
    assert [sentences(dataset, offset=n, limit=1) for n in range(4)] == [[one] for one in every] + [[]]
    assert datasets.changes(dataset).listed == 3


def test_zips_that_would_lie_elsewhere():
    same = [
        boundary(30301, "US-GA-121"),
        boundary(30302, "US-GA-121", low=1, high=5),
        boundary(30303, "US-GA-121", ends=JUNE),
    ]
    datasets.activate(
        staged(
            fulton(
                boundaries=[
                    *same,
                    boundary(30304, "US-GA-121"),
                    boundary(30305, "US-GA-121"),
                    boundary(30307, "US-GA-121"),
                ]
            )
        ),
        "tests",
    )
    rows = [
        *same[:2], boundary(30303, "US-GA-121", ends=JANUARY), boundary(30303, "US-GA-121", starts=JANUARY, ends=JUNE),
        boundary(30304, "US-GA-121", "US-GA-04000"), boundary(30306, "US-GA-121"), boundary(30307, "US-GA-121", starts=JUNE),
    ]  # fmt: skip
    found = datasets.changes(staged(fulton(boundaries=rows))).boundaries
    assert (found.added, found.removed, found.zips) == (5, 4, 4)
    assert [one.sentence for one in found.sample] == [
        "ZIP 30304: lies in US-GA-121, US-GA-04000 instead of US-GA-121",
        "ZIP 30305: lies in US-GA-121 no more",
        "ZIP 30306: lies in US-GA-121",
        "ZIP 30307: lies in US-GA-121 on other days",
    ]


# --- activation


def test_a_version_takes_the_place_of_the_one_before_and_gives_it_back():
    first, second = staged(fulton(county("3"))), staged(fulton(county("4")))
    datasets.activate(first, "ann", "as the state says")
    datasets.activate(second, "ben")
    first.refresh_from_db()
    assert (first.status, second.status, second.activated_by) == ("superseded", "active", "ben")
    assert first.ended_at is not None
    assert list(RateFact.objects.filter(is_active=True).values_list("rate", flat=True)) == [4]
    datasets.activate(first, "ann")
    assert list(RateFact.objects.filter(is_active=True).values_list("rate", flat=True)) == [3]
    assert [book.datasets for book in BookVersion.objects.order_by("id")] == [[first.pk], [second.pk], [first.pk]]
    assert BookVersion.objects.earliest("id").reason == "as the state says"
    told = [(row.action, row.actor, row.object_id) for row in AuditRow.objects.exclude(action="staged").order_by("id")]
    assert told == [("activated", "ann", first.pk), ("activated", "ben", second.pk), ("activated", "ann", first.pk)]


def test_what_is_active_already_changes_nothing():
    dataset = staged(fulton(county("3")))
    assert datasets.activate(dataset, "ann") == datasets.activate(dataset, "ben")
    assert (BookVersion.objects.count(), dataset.activated_by) == (1, "ann")


def test_withdrawn_facts_leave_room_for_those_behind():
    weak, strong = staged(fulton(county("3"), code="weak", rank=0)), staged(fulton(county("4"), code="strong"))
    datasets.activate(strong, "tests")
    datasets.activate(weak, "tests")
    assert BookVersion.objects.latest("id").datasets == [strong.pk, weak.pk]
    datasets.withdraw(strong, "tests")
    assert RateFact.objects.get(is_active=True).rate == 3
    for refused in (lambda: datasets.withdraw(strong, "tests"), lambda: datasets.discard(strong, "tests")):
        with pytest.raises(UnableToChange, match="is superseded"):
            refused()
    with pytest.raises(UnableToChange, match="500"):
        datasets.activate(strong, "tests", "x" * 501)


def test_of_equals_the_one_that_was_activated_last_counts_now_and_in_its_book():
    one, other = staged(fulton(county("3"), code="one")), staged(fulton(county("4"), code="other"))
    made = [datasets.activate(dataset, "tests") for dataset in (other, one)]
    datasets.withdraw(other, "tests")
    made.append(datasets.activate(other, "tests"))
    assert [books.of(book.pk).book.rates["US-GA-121"][0].rate for book in made] == [4, 3, 4]
    assert RateFact.objects.get(is_active=True).rate == 4


def test_a_file_that_tells_sales_from_outside_apart_replaces_one_that_does_not():
    datasets.activate(staged(fulton(county("3"), code="seed", rank=0)), "tests")
    datasets.activate(staged(fulton(county("4", sourcing="intra"), county("5", sourcing="inter"))), "tests")
    assert set(RateFact.objects.filter(is_active=True).values_list("rate", flat=True)) == {4, 5}


def test_the_database_refuses_two_active_facts_of_one_day():
    """Should our decision ever be wrong."""
    staged(fulton(county("3"), code="one"))
    staged(fulton(county("4"), code="two"))
    RateFact.objects.update(is_active=True)
    with pytest.raises(IntegrityError):
        check_constraints()
    transaction.set_rollback(True)


def test_two_people_at_once_activate_one_after_the_other(committed_db):
    with transaction.atomic():
        versions = [staged(file_of(county(str(n)), jurisdictions=[*STATES, COUNTY])) for n in range(1, 5)]
    each = iter(versions)
    at_once(4, lambda: datasets.activate(Dataset.objects.get(pk=next(each).pk), "tests"))
    active = Dataset.objects.get(status="active")
    assert BookVersion.objects.count() == 4
    assert BookVersion.objects.latest("id").datasets == [active.pk]
    assert RateFact.objects.get(is_active=True).dataset_id == active.pk


# --- any way to the same datasets gives the same facts

FIRST = date(2026, 1, 1)
SPAN = [None, *(FIRST + timedelta(days=n) for n in range(4))]
EACH_DAY = [FIRST + timedelta(days=n) for n in range(-1, 5)]
RANKS = {"weak": 0, "strong": 10, "other": 10}
ELSEWHERE = {"jurisdictions": [place("DE", "country", "")]}


def made(kind, key, number, starts, ends):
    common = {"jurisdiction": key[0], "starts": starts, "ends": ends}
    if kind is Rate:
        return Rate(**common, tax="VAT", category=key[1], sourcing=key[2], rate=Decimal(number))
    if kind is Rule:
        return Rule(
            **common,
            category="books",
            semantic="exempt_below",
            lower=Decimal(key[1]),
            upper=Decimal(number + 1),
            holiday=key[2],
        )
    return DeliveryRule(**common, rule="always" if number % 2 else "follows_goods")


KEYS = {
    Rate: [("DE", "standard", "any"), ("DE", "standard", "intra"), ("DE", "standard", "inter"), ("DE", "books", "any")],
    Rule: [("DE", "0", ""), ("DE", "5", ""), ("DE", "0", "Week of books")],
    DeliveryRule: [("DE",)],
}  # fmt: skip
CLAIM = {Rate: lambda key: key[:2], Rule: lambda key: (key[0], key[2]), DeliveryRule: lambda key: key}
TABLES = {Rate: RateFact, Rule: RuleFact, DeliveryRule: DeliveryFact}


@st.composite
def contents(draw):
    """[(kind, key, number, starts, ends)]: some keys, each with spans one after the other, and gaps."""
    keys = [(kind, key) for kind, of in KEYS.items() for key in of]
    found = []
    for kind, key in draw(st.lists(st.sampled_from(keys), min_size=1, max_size=5, unique=True)):
        edges = sorted(draw(st.sets(st.sampled_from(SPAN), min_size=1, max_size=3)), key=lambda day: day or date.min)
        ends = [*edges[1:], draw(st.sampled_from([None, FIRST + timedelta(days=4)]))]
        for starts, end in zip(edges, ends, strict=True):
            number = draw(st.integers(0, 3))
            if number or len(edges) == 1:
                found.append((kind, key, number, starts, end))
    return found or [(Rate, KEYS[Rate][0], 1, None, None)]


def in_force(row, day):
    return (row[3] or date.min) <= day < (row[4] or date.max)


class Model:
    """What should be, by going through every day."""

    def __init__(self):
        self.active = []  # (dataset, rank, contents), the last activated at the end

    def change(self, dataset, rows, *, is_activated):
        self.active = [one for one in self.active if one[0].code != dataset.code]
        if is_activated:
            self.active.append((dataset, dataset.rank, rows))

    def deciding(self, kind, claim, day):
        """The strongest that has begun to speak of it."""
        by_strength = sorted(enumerate(self.active), key=lambda one: (one[1][1], one[0]), reverse=True)
        for _, (dataset, _, rows) in by_strength:
            own = [row for row in rows if row[0] is kind and CLAIM[kind](row[1]) == claim]
            if any((row[3] or date.min) <= day for row in own):
                return dataset, own
        return None, []

    def timelines(self):
        """{(kind, key): what holds on each day}"""
        found = {}
        for kind, keys in KEYS.items():
            for key in keys:
                days = []
                for day in EACH_DAY:
                    _, rows = self.deciding(kind, CLAIM[kind](key), day)
                    days.append(next((row[2] for row in rows if row[1] == key and in_force(row, day)), None))
                found[kind, key] = [made(kind, key, n, None, None) if n is not None else None for n in days]
        return found

    def facts(self):
        """(kind, dataset, key, starts) of those that count on all their days."""
        return {
            (kind, dataset.pk, key, starts)
            for dataset, _, rows in self.active
            for kind, key, number, starts, ends in rows
            if all(
                self.deciding(kind, CLAIM[kind](key), day)[0] == dataset
                for day in EACH_DAY
                if in_force((kind, key, number, starts, ends), day)
            )
        }


def stored_key(kind, fact):
    if kind is Rate:
        return fact.jurisdiction_id, fact.category, fact.sourcing
    if kind is Rule:
        return fact.jurisdiction_id, f"{fact.lower:.0f}", fact.holiday
    return (fact.jurisdiction_id,)


def stored_facts():
    return {
        (kind, fact.dataset_id, stored_key(kind, fact), fact.valid.lower)
        for kind, table in TABLES.items() for fact in table.objects.filter(is_active=True)
    }  # fmt: skip


def book_timelines(book):
    found = {}
    for kind, of in ((Rate, book.rates), (Rule, book.rules), (DeliveryRule, book.deliveries)):
        for key in KEYS[kind]:
            days = []
            for day in EACH_DAY:
                rows = [row for row in of.get(key[0], ()) if row.is_in_force(day) and stored_as(kind, row) == key]
                assert len(rows) < 2
                days.append(without_days(rows[0]) if rows else None)
            found[kind, key] = days
    return found


def stored_as(kind, row):
    if kind is Rate:
        return row.jurisdiction, row.category, row.sourcing
    return (row.jurisdiction, f"{row.lower:.0f}", row.holiday) if kind is Rule else (row.jurisdiction,)


def without_days(row):
    return type(row)(**{name: getattr(row, name) for name in row.__struct_fields__} | {"starts": None, "ends": None})


def compared(before, after):
    """(added, changed, ended, unchanged) of each kind."""
    found = {kind: [0, 0, 0, 0] for kind in KEYS}
    for (kind, key), then in after.items():
        now = before[kind, key]
        if any(now) or any(then):
            found[kind][0 if not any(now) else 2 if not any(then) else 3 if now == then else 1] += 1
    return [tuple(counts) for counts in found.values()]


def quoted(book):
    found = []
    for day in EACH_DAY:
        try:
            found.append(ask("standard", "books", country="DE", date=str(day), shipping=[{"amount": "5"}], book=book))
        except Refused as refused:
            found.append(refused.problems)
    return found


@pytest.mark.parametrize("examples", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_any_sequence_gives_what_the_model_says(db, examples):
    tried = settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])(
        given(st.data())(any_sequence)
    )
    tried()


def any_sequence(data):
    model, known, answers = Model(), [], {}

    def stage(code):
        rows = data.draw(contents())
        loaded = file_of(*(made(*row) for row in rows), code=code, rank=RANKS[code], **ELSEWHERE)
        known.append((staged(loaded), rows))

    with transaction.atomic():
        for code in RANKS:
            stage(code)
        for _ in range(data.draw(st.integers(2, 8))):
            action = data.draw(st.sampled_from(["activate", "activate", "activate", "withdraw", "stage", "discard"]))
            if action == "stage":
                stage(data.draw(st.sampled_from(sorted(RANKS))))
                continue
            dataset, rows = data.draw(st.sampled_from(known))
            dataset.refresh_from_db()
            wrong = {"activate": dataset.status == "discarded", "withdraw": dataset.status != "active"}
            if wrong.get(action, dataset.status != "staged"):
                with pytest.raises(UnableToChange):
                    getattr(datasets, action)(dataset, "tests")
                continue
            before, is_active = model.timelines(), dataset.status == "active"
            told = datasets.changes(dataset)
            getattr(datasets, action)(dataset, "tests")
            if action == "withdraw" or (action == "activate" and not is_active):
                model.change(dataset, rows, is_activated=action == "activate")
            after = model.timelines()
            if action == "activate":
                assert [told.rates, told.rules, told.deliveries] == compared(before, after)
                assert len(told.rows) == told.listed
            check_constraints()
            assert stored_facts() == model.facts()
            current = books.current()
            if current.id is not None:  # else it is the seed
                assert book_timelines(current.book) == after
            answers.setdefault(current.id, quoted(current.book))
        for book_id, answer in answers.items():
            assert quoted(books.of(book_id).book) == answer
        transaction.set_rollback(True)


# --- the command


def run(*arguments):
    out = StringIO()
    call_command("rate_files", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tells_and_changes():
    dataset = staged(fulton(county("3"), code="sst-ga-rates"))
    assert "staged" in run() and "1 rates" in run()
    assert "US-GA-121 Sales tax: 3 %" in run("changes", str(dataset.pk))
    assert json.loads(run("changes", str(dataset.pk), "--json"))["rates"] == {
        "added": 1,
        "changed": 0,
        "ended": 0,
        "unchanged": 0,
    }
    assert "is active; the book of rates is" in run("activate", str(dataset.pk))
    assert json.loads(run("--json"))["status"] == "active"
    assert json.loads(run("withdraw", str(dataset.pk), "--json", "--reason", "wrong"))["status"] == "superseded"
    assert BookVersion.objects.latest("id").reason == "wrong"
    other = staged(fulton(county("4")))
    assert "is discarded" in run("discard", str(other.pk))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["activate"], 2), (["list", "7"], 2), (["activate", "999999"], 2), (["activate", str(1 << 70)], 2), (["burn", "1"], None),
        (["changes", "1", "--offset", "-1"], 2), (["withdraw", "STAGED"], 1), (["activate", "STAGED", "--reason", "x" * 501], 1),
    ],
)  # fmt: skip
def test_the_command_says_what_is_wrong(arguments, code):
    dataset = staged(fulton(county("3")))
    with pytest.raises(CommandError) as error:
        run(*(str(dataset.pk) if a == "STAGED" else a for a in arguments))
    assert code is None or error.value.returncode == code
    assert "\n" not in str(error.value)
