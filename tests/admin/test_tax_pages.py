"""The pages of tax: what was charged beside what is due, files of rates, the rates at a place, and what a seller is."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.backends.postgresql.psycopg_any import DateRange
from django.urls import reverse

from salessync.core.models import AuditRow
from tax.admin.days import DaysField
from tax.admin.side_by_side import AssessedLine, Charged, Computed, paired
from tax.law.ratebook import Rate as TaxRate
from tax.models import (
    Assessment,
    BookVersion,
    CategoryRule,
    Certificate,
    Dataset,
    NexusWatch,
    RateFact,
    Registration,
    SellerPlace,
    TaxDifference,
    TaxSetting,
    UnmappedCategory,
)
from tax.rates import datasets
from tax.rates.loaded import Loaded
from tests.admin.scenes import NASTY, Day

pytestmark = pytest.mark.django_db

NUL = "\x00"
CSV = (
    "# rate_unit=percent\n# code={code}\n"
    "state,county,city,district,state_rate,county_rate,city_rate,district_rate,combined_rate,category,effective_from,effective_to\n"
    "NY,Albany,,,4,{rate},,,{sum},,2026-10-01,\n"
)


@pytest.fixture(scope="module")
def prepare():
    return Day.keep_books


@pytest.fixture
def day(scene, world):
    return scene[0]


@pytest.fixture
def difference(day):
    return TaxDifference.objects.get(assessment_id=day.assessment.pk)


def url(name, *args):
    return reverse(f"admin:tax_{name}", args=args)


def text_of(response):
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def told(response):
    """What the next page says to the person."""
    return [str(message) for message in response.wsgi_request._messages]


# --- the tax of a sale


def test_the_page_of_an_assessment_shows_both_sides_and_where_the_rate_comes_from(as_, day):
    text = text_of(as_("auditor").get(url("assessment_change", day.assessment.pk)))
    fact = RateFact.objects.get(dataset=day.rates)
    for part in (
        "0.80 USD",
        "0.70 USD",
        "0.10 USD",
        "another rate",
        "nobody said what it is",
        "sale 1001".capitalize(),
    ):
        assert part in text
    assert url("ratefact_change", fact.pk) in text
    assert url("dataset_change", day.rates.pk) in text
    assert text.count('class="n differs"') == 4  # the line's sums and the amounts of its tax, not the rates
    assert "It is not stored" not in text


def test_the_page_of_an_assessment_takes_few_queries(as_, day, django_assert_max_num_queries):
    client = as_("admin")
    with django_assert_max_num_queries(20):
        client.get(url("assessment_change", day.assessment.pk))


def test_other_pages_lead_to_the_latest_assessment_of_a_transaction(as_, day):
    client, first = as_("auditor"), day.assessment
    values = {
        f.attname: getattr(first, f.attname) for f in Assessment._meta.fields if f.attname not in ("id", "created_at")
    }
    later = Assessment.objects.create(**values | {"digest": b"later", "verdict": "match", "computed": 80, "lines": []})
    assert client.get(url("assessment_of", first.transaction_id))["Location"] == url("assessment_change", later.pk)
    assert url("assessment_change", first.pk) in text_of(client.get(url("assessment_change", later.pk)))
    listed = text_of(client.get(url("assessment_changelist") + f"?transaction_id={first.transaction_id}"))
    assert "sale 1001" in listed
    nowhere = client.get(url("assessment_of", 10**12), follow=True)
    assert "Its tax has not been computed." in text_of(nowhere)


@pytest.mark.parametrize(
    "kept",
    [
        [],
        {},
        "x",
        [None, 3],
        [[NASTY]],
        [["goods", "sku", 1, 1, NASTY, [[10**15, "4", 1, 1]]]],
        [["a", "b", "c", "d", "e", []]],
    ],
)
def test_whatever_an_assessment_holds_its_page_answers(as_, day, kept):
    values = {
        f.attname: getattr(day.assessment, f.attname)
        for f in Assessment._meta.fields
        if f.attname not in ("id", "created_at")
    }
    odd = {"digest": b"odd", "lines": kept, "warnings": kept, "computed": None, "verdict": "newer_than_us", "treatment": "newer",
           "transaction_id": 10**15, "book_id": 10**15}  # fmt: skip
    odd = Assessment.objects.create(**values | odd)
    text = text_of(as_("auditor").get(url("assessment_change", odd.pk)))
    assert "newer than us" in text
    assert "not computed" in text
    assert ("It is not stored as it should be" in text) == bool(kept)
    assert "<script>alert(" not in text


def test_taxes_stand_beside_each_other_by_place_then_by_rate_and_what_is_left_over_stays_alone():
    state, city, other = (
        Computed(jurisdiction=code, rate=rate) for code, rate in (("US-NY", "4"), ("US-NY-51000", "4.5"), ("X", "1"))
    )
    theirs = [Charged(rate="4.500"), Charged(jurisdiction="us-ny", rate="3")]
    assert paired(AssessedLine(taxes=[state, city], charged_taxes=theirs)) == [(theirs[1], state), (theirs[0], city)]
    alone = Charged(jurisdiction="US-CA")
    assert paired(AssessedLine(taxes=[state, other], charged_taxes=[theirs[1], alone])) == [
        (theirs[1], state),
        (alone, other),
    ]
    assert paired(AssessedLine(taxes=[state, other], charged_taxes=[alone])) == [
        (None, state),
        (None, other),
        (alone, None),
    ]


# --- differences


def test_a_reviewer_accepts_with_a_reason_and_takes_it_back(as_, difference):
    client, page = as_("reviewer"), url("taxdifference_change", difference.pk)
    assert "Accept as charged" in text_of(client.get(page))
    client.post(url("taxdifference_accept", difference.pk), {"note": "  "})
    difference.refresh_from_db()
    assert difference.state == "open"
    client.post(url("taxdifference_accept", difference.pk), {"note": NASTY})
    difference.refresh_from_db()
    assert (difference.state, difference.closed_by, difference.note) == ("accepted", "reviewer", NASTY)
    assert "Nothing was changed" in text_of(
        client.post(url("taxdifference_accept", difference.pk), {"note": "again"}, follow=True)
    )
    assert "<script>alert(" not in text_of(client.get(page))
    client.post(url("taxdifference_reopen", difference.pk))
    difference.refresh_from_db()
    assert difference.state == "open"


def test_an_auditor_decides_nothing_about_tax(as_, day, difference):
    client, row = as_("auditor"), UnmappedCategory.objects.get(value=NASTY, matched_by="category")
    for name in ("accept", "reopen"):
        assert client.post(url(f"taxdifference_{name}", difference.pk), {"note": "x"}).status_code == 403
    for name in ("activate", "discard", "withdraw"):
        assert client.post(url(f"dataset_{name}", day.rates.pk)).status_code == 403
    assert client.get(url("dataset_add")).status_code == 403
    assert client.post(url("unmappedcategory_change", row.pk), {"category": "food.grocery"}).status_code == 403
    assert client.post(url("nexuswatch_count")).status_code == 403
    for name in ("registration", "sellerplace", "certificate", "taxsetting", "categoryrule"):
        assert client.get(url(f"{name}_add")).status_code == 403
    bulk = {
        "_selected_action": [difference.pk],
        "action": "accept_selected",
        "confirmed": "yes",
        "note": "x",
        "index": "0",
    }
    client.post(url("taxdifference_changelist"), bulk)
    difference.refresh_from_db()
    assert difference.state == "open"
    assert "Accept as charged" not in text_of(client.get(url("taxdifference_change", difference.pk)))


def test_many_are_accepted_after_a_page_that_shows_them(as_, difference):
    client, listed = as_("reviewer"), url("taxdifference_changelist")
    chosen = {"_selected_action": [difference.pk], "action": "accept_selected", "index": "0"}
    text = text_of(client.post(listed, chosen))
    assert "Accept 1 open difference as charged?" in text
    assert "sale 1001" in text
    client.post(listed, chosen | {"confirmed": "yes", "note": " "})
    difference.refresh_from_db()
    assert difference.state == "open"
    client.post(listed, chosen | {"confirmed": "yes", "note": "the shop's price list"})
    difference.refresh_from_db()
    assert (difference.state, difference.note) == ("accepted", "the shop's price list")
    assert "None of them is open." in text_of(client.post(listed, chosen))


@pytest.mark.parametrize(
    ("query", "found"),
    [("verdict=rate_mismatch", 1), ("verdict=taxability_mismatch", 0), ("place=us-ny", 1), ("place=us-ca", 0), ("size=1", 0),
     ("age=7", 0), ("state__exact=open", 1), ("channel=0", 1), ("size=x&age=y&channel=z", 1)],
)  # fmt: skip
def test_differences_are_filtered(as_, difference, query, found):
    rows = as_("admin").get(f"{url('taxdifference_changelist')}?{query}").context["cl"].result_list
    assert [row.pk for row in rows if row.pk == difference.pk] == [difference.pk] * found


# --- categories


def test_a_reviewer_maps_one_category_and_it_leaves_the_list(as_):
    client, row = as_("reviewer"), UnmappedCategory.objects.get(value=NASTY, matched_by="category")
    page = url("unmappedcategory_change", row.pk)
    assert "It is Printed books" in text_of(client.get(page))
    assert "Select a valid choice" in text_of(client.post(page, {"category": "no-such"}))
    assert client.post(page, {"category": "books.print", "_save": ""}).status_code == 302
    rule = CategoryRule.objects.get(value=NASTY)
    assert (rule.matched_by, rule.category, rule.actor) == ("category", "books.print", "reviewer")
    assert not UnmappedCategory.objects.filter(pk=row.pk).exists()


def test_many_are_mapped_to_one_category_after_a_page_that_shows_them(as_, world):
    rows = [
        UnmappedCategory.objects.create(
            company=world.company, matched_by="sku", value=value, first_transaction_id=10**15
        )
        for value in ("A-1", "A-2")
    ]
    chosen = {"_selected_action": [row.pk for row in rows], "action": "map_selected", "index": "0"}
    client, listed = as_("reviewer"), url("unmappedcategory_changelist")
    assert "A-2" in text_of(client.post(listed, chosen))
    client.post(listed, chosen | {"confirmed": "yes", "category": ""})
    assert UnmappedCategory.objects.filter(value__startswith="A-").count() == 2
    client.post(listed, chosen | {"confirmed": "yes", "category": "food.candy"})
    assert not UnmappedCategory.objects.filter(value__startswith="A-").exists()
    assert CategoryRule.objects.filter(category="food.candy", actor="reviewer").count() == 2


def test_a_rule_is_made_and_changed_by_an_administrator(as_, world):
    client, form = (
        as_("administrator"),
        {"company": world.company.pk, "matched_by": "name", "value": " Green Tea ", "category": "food.grocery"},
    )
    assert client.post(url("categoryrule_add"), form | {"value": "  "}).status_code == 200
    assert client.post(url("categoryrule_add"), form | {"value": "?!"}).status_code == 200  # no word in it
    assert client.post(url("categoryrule_add"), form).status_code == 302
    assert client.post(url("categoryrule_add"), form | {"value": "GREEN tea"}).status_code == 200  # there is one
    rule = CategoryRule.objects.get(value="Green Tea")
    assert client.post(url("categoryrule_change", rule.pk), {"category": "food.candy"}).status_code == 302
    changed = CategoryRule.objects.get(value="Green Tea")
    assert (changed.category, changed.actor) == ("food.candy", "administrator")
    assert AuditRow.objects.filter(object_type="category_rule", actor="administrator").count() == 2


# --- what a seller is


def test_a_registration_has_a_first_and_a_last_day(as_, world):
    client, form = as_("administrator"), {"company": world.company.pk, "scheme": "domestic", "number": "DE1", "jurisdiction": "de",
                                          "valid_0": "2026-01-01", "valid_1": "2026-06-30"}  # fmt: skip
    assert client.post(url("registration_add"), form).status_code == 302
    made = Registration.objects.get(jurisdiction="DE")
    assert made.valid == DateRange(date(2026, 1, 1), date(2026, 7, 1))
    assert 'value="2026-06-30"' in text_of(client.get(url("registration_change", made.pk)))
    assert "from 2026-01-01 until 2026-06-30" in text_of(client.get(url("registration_changelist")))
    overlapping = text_of(client.post(url("registration_add"), form | {"valid_0": "2026-06-30", "valid_1": ""}))
    assert "There is a registration for this place on some of these days already." in overlapping
    assert client.post(url("registration_add"), form | {"valid_0": "2026-07-01", "valid_1": ""}).status_code == 302
    assert AuditRow.objects.filter(object_type="registration", actor="administrator", action="added").count() == 2


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"jurisdiction": "US"}, "register by state"), ({"jurisdiction": "UK"}, "GB is meant"), ({"jurisdiction": NASTY}, "no country or state"),
     ({"jurisdiction": ""}, "where it is registered is missing"), ({"scheme": "oss"}, "leave it empty"),
     ({"valid_0": "2026-07-01", "valid_1": "2026-06-30"}, "lies before the first"), ({"valid_1": "9999-12-31"}, "until further notice"),
     ({"valid_0": "nonsense"}, "valid date"), ({"valid_0": "", "valid_1": ""}, "required")],
)  # fmt: skip
def test_a_registration_that_cannot_be_is_refused_with_a_sentence(as_, world, wrong, sentence):
    form = {
        "company": world.company.pk,
        "scheme": "domestic",
        "jurisdiction": "DE",
        "number": "",
        "valid_0": "2026-01-01",
        "valid_1": "",
    }
    assert sentence in text_of(as_("administrator").post(url("registration_add"), form | wrong))
    assert not Registration.objects.exclude(jurisdiction="US-NY").exists()


@pytest.mark.parametrize(
    "valid",
    [
        DateRange(date(2026, 1, 1), date(2026, 1, 2)),
        DateRange(date(2026, 1, 1), None),
        DateRange(None, date(2026, 1, 2)),
    ],
)
def test_days_come_back_from_the_page_as_they_went_there(valid):
    field = DaysField()
    shown = field.prepare_value(valid)
    assert field.clean([day and day.isoformat() for day in shown]) == valid
    assert not field.has_changed(valid, [day and day.isoformat() for day in shown])


def test_a_place_and_a_certificate_are_refused_where_they_mean_nothing(as_, world):
    client, place = as_("administrator"), {"company": world.company.pk, "location": "", "country": "us", "region": "XX"}
    assert "is no state or province of US" in text_of(client.post(url("sellerplace_add"), place))
    assert client.post(url("sellerplace_add"), place | {"region": "tx"}).status_code == 302
    assert SellerPlace.objects.get(location="").country == "US"
    paper = {"company": world.company.pk, "customer": "Jane Doe", "jurisdiction": "US-TX", "reason": "resale", "number": "1",
             "valid_0": "2026-01-01", "valid_1": "", "document": ""}  # fmt: skip
    assert "sha256:" in text_of(client.post(url("certificate_add"), paper))
    assert client.post(url("certificate_add"), paper | {"customer": "sha256:" + "B" * 64}).status_code == 302
    assert Certificate.objects.filter(customer="sha256:" + "b" * 64).exists()


def test_the_key_of_a_service_goes_in_and_never_comes_out(as_, world):
    client, page = as_("administrator"), url("taxsetting_change", world.company.pk)
    form = {
        "provider": "opensalestax",
        "tolerance": "5",
        "address": "https://tax.example.com/",
        "new_key": "a-key-of-the-service",
    }
    assert client.post(page, form).status_code == 302
    setting = TaxSetting.objects.get()
    assert (setting.key, setting.tolerance) == ("a-key-of-the-service", 5)
    assert b"a-key" not in bytes(setting.sealed_key)
    for role in ("administrator", "auditor"):
        text = text_of(as_(role).get(page))
        assert "a-key-of" not in text
        assert "ends in vice" in text
    moved = form | {"address": "https://other.example.com", "new_key": ""}
    assert "enter it again" in text_of(client.post(page, moved))
    assert client.post(page, form | {"new_key": ""}).status_code == 302  # it stays
    assert TaxSetting.objects.get().key == "a-key-of-the-service"
    for wrong in ({"address": "javascript:alert(1)"}, {"tolerance": "-1"}, {"provider": "nobody"}):
        assert client.post(page, form | wrong).status_code == 200
    TaxSetting.objects.update(sealed_key=b"x" * 40)
    assert "not readable" in text_of(client.get(page))
    assert client.post(page, form | {"new_key": "", "forget_key": "on"}).status_code == 302
    assert TaxSetting.objects.get().key == ""


def test_nexus_is_counted_when_an_administrator_asks(as_, monkeypatch):
    counted = []
    monkeypatch.setattr("tax.seller.nexus_watch.count", counted.append)
    client, listed = as_("administrator"), url("nexuswatch_changelist")
    text = text_of(client.get(listed))
    assert "120.0 %" in text
    assert "500,000.00 USD" in text
    assert client.post(url("nexuswatch_count"))["Location"] == listed
    assert counted
    assert client.get(url("nexuswatch_count")).status_code == 405
    NexusWatch.objects.update(share="99999.9999", jurisdiction=NASTY[:60])
    assert "<script>alert(" not in text_of(client.get(listed))


# --- files of rates


def file_of(content, name="rates.csv"):
    return {"file": SimpleUploadedFile(name, content.encode()), "form": "auto", "state": ""}


def test_a_file_is_brought_looked_at_and_activated(as_):
    client = as_("administrator")
    first = client.post(url("dataset_add"), file_of(CSV.format(code="ny", rate="3", sum="7")))
    dataset = Dataset.objects.get(code="ny")
    page = url("dataset_change", dataset.pk)
    assert first["Location"] == page
    assert (dataset.status, dataset.staged_by) == ("staged", "administrator")
    text = text_of(client.get(page))
    assert "What would change" in text
    assert "3 % from 2026-10-01" in text
    client.post(url("dataset_activate", dataset.pk), {"reason": NASTY})
    dataset.refresh_from_db()
    assert (dataset.status, dataset.activated_by) == ("active", "administrator")
    assert BookVersion.objects.latest("pk").reason == NASTY
    again = client.post(url("dataset_add"), file_of(CSV.format(code="ny", rate="3.5", sum="7.5")))
    text = text_of(client.get(again["Location"]))
    assert "3.5 % from 2026-10-01 instead of 3 %" in text
    assert url("dataset_change", dataset.pk) in text  # whose place it would take
    client.post(again["Location"].replace("change", "discard"))
    newer = Dataset.objects.filter(code="ny").latest("pk")
    client.post(url("dataset_discard", newer.pk))
    assert "Nothing was changed" in text_of(client.post(url("dataset_discard", newer.pk), follow=True))
    newer.refresh_from_db()
    assert newer.status == "discarded"
    assert client.get(url("dataset_change", newer.pk)).status_code == 200
    client.post(url("dataset_withdraw", dataset.pk), {"reason": "x" * 501})
    dataset.refresh_from_db()
    assert dataset.status == "active"
    client.post(url("dataset_withdraw", dataset.pk))
    dataset.refresh_from_db()
    assert dataset.status == "superseded"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(CSV.format(code="ny", rate="3", sum="8"), "line 4"), ("nothing\nof rates\n", "none of the formats"), ("{", "none of the formats"),
     ("<x", ""), ("\x00\x01", ""), (NASTY, "")],
)  # fmt: skip
def test_a_file_that_cannot_be_taken_says_why_and_leaves_nothing(as_, content, sentence):
    before = Dataset.objects.count()
    text = text_of(as_("administrator").post(url("dataset_add"), file_of(content, name=f"../{NASTY}.csv")))
    assert "The file cannot be taken" in text
    assert sentence in text
    assert "<script>alert(" not in text
    assert Dataset.objects.count() == before


def test_a_reviewer_looks_at_a_file_and_does_not_decide(as_, day):
    client = as_("reviewer")
    assert "Withdraw" not in text_of(client.get(url("dataset_change", day.rates.pk)))
    assert client.post(url("dataset_withdraw", day.rates.pk)).status_code == 403
    assert client.post(url("dataset_add"), file_of("x")).status_code == 403


@pytest.mark.parametrize("page", ["2", "0", "-1", "x", "999999", "9" * 30, "%00"])
def test_the_changes_are_paged(as_, page):
    staged = as_("administrator").post(url("dataset_add"), file_of(CSV.format(code="ny", rate="3", sum="7")))
    assert as_("auditor").get(f"{staged['Location']}?p={page}").status_code == 200


# --- the rates at a place


def here(as_, role="auditor", **asked):
    return text_of(as_(role).get(url("ratebrowser_changelist"), asked))


def test_the_rates_of_a_place_are_told_with_their_source(as_, day):
    datasets.load_seed("anna")
    text = here(as_, country="de", on="2026-09-01", category="books.print", amount="107", price_mode="inclusive")
    for part in ("Germany", "7 %", "books.print", "100.00", "19 %"):
        assert part in text
    text = here(as_, country="US", region="ny", on="2026-09-01", category="goods")
    assert url("dataset_change", day.rates.pk) in text  # the scene's own rate of New York
    assert "LOCAL_RATES_MISSING" in text
    assert "no rate" in here(as_, country="US", region="OR", on="2026-09-01", category="goods")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [({"country": "ZZ"}, "no tax rates are known"), ({"country": "US"}, "the state or province is missing"), ({"country": NASTY}, "at most 2"),
     ({"country": "DE", "amount": "1e999"}, ""), ({"country": "DE", "amount": "NaN"}, ""), ({"country": "DE", "on": "0001-01-01"}, ""),
     ({"country": "DE", "on": "9999-12-31", "amount": "1"}, ""), ({"country": "US", "region": NASTY, "city": NASTY, "amount": "1"}, "is no state"),
     ({"country": "DE", "currency": "XXQ"}, "ISO 4217"), ({"country": "DE", "category": NASTY}, "valid choice"), ({"country": "DE", "city": NUL}, "Null"),
     ({"country": "ES", "postcode": "35001", "amount": "5"}, "Canar"), ({"country": "FR", "postcode": "97100"}, ""), ({"country": "GP"}, ""),
     ({"country": "IN", "region": "MH", "amount": "100"}, ""), ({"x": "y"}, "required")],
)  # fmt: skip
def test_whatever_is_asked_about_a_place_is_answered(as_, asked, sentence):
    text = here(as_, **asked)
    assert sentence in text
    assert "<script>alert(" not in text


def test_the_rates_of_a_place_need_the_right_to_see_rates(client, day, django_user_model):
    client.force_login(django_user_model.objects.create_user("guest", is_staff=True))
    assert client.get(url("ratebrowser_changelist")).status_code == 403


@pytest.mark.parametrize(
    ("query", "found"),
    [("of=us", 1), ("of=us-ca", 0), ("tax=state", 1), ("category=standard", 1), ("category=food", 0), ("is_active__exact=1", 1),
     ("on=2019-12-31", 0), ("on=2026-01-01", 1), ("on=nonsense", 0)],
)  # fmt: skip
def test_rates_are_filtered(as_, query, found):
    rows = as_("auditor").get(f"{url('ratefact_changelist')}?{query}")
    of_scene = rows.context["cl"].queryset.filter(dataset__code="scene")  # beside the seed
    assert [row.jurisdiction_id for row in of_scene] == ["US-NY"] * found


def test_a_list_is_not_asked_for_what_no_text_has(as_):
    assert as_("auditor").get(f"{url('ratefact_changelist')}?of=%00").status_code == 302


def test_a_staged_file_is_tried_on_the_sales_of_the_last_days(as_, day):
    rate = TaxRate(jurisdiction="US-NY", tax="State", rate=Decimal(5), source="x", starts=date(2020, 1, 1))
    loaded = Loaded(code="scene", format="csv", version="2", publisher="x", rates=[rate])
    staged = datasets.stage(loaded, file_name="x", sha256="1" * 64, actor="anna")
    page = url("dataset_change", staged.pk)
    client = as_("auditor")
    assert "Try it on the last 30 days" in text_of(client.get(page))
    assert "sales since" in text_of(client.get(f"{page}?try=1"))
