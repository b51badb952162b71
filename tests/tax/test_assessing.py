"""What the pipeline finds out about the tax of sales and refunds, and the differences that follow."""

from datetime import date

import pytest
from django.db import DatabaseError, transaction
from msgspec.structs import replace

from channels.record import Jurisdiction
from channels.sale import Customer
from tax.assessment import assessments, differences
from tax.models import Assessment, Certificate, Registration, SellerPlace, TaxDifference, TaxSetting, UnmappedCategory
from tax.seller import mapping
from tests.records import back, line, refund, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db
STATE = [("US-CT", "Connecticut", "6.35", 64)]
EVER = (None, None)


@pytest.fixture
def world():
    found = World()
    register(found, "US-CT", "US-NY")
    return found


def register(world, *places):
    for place in places:
        Registration.objects.create(company=world.company, jurisdiction=place, valid=EVER)


def sold(lines, place="CT", **more):
    """To Connecticut, whose 6.35 % is all that is due there."""
    country, _, region = place.rpartition("-")
    return replace(sale(lines, **more), jurisdiction=Jurisdiction(country=country or "US", region=region))


def assessed(world, id_="S1"):
    return Assessment.objects.filter(transaction_id__in=of(world, id_)).order_by("id").last()


def of(world, id_):
    from channels.models import Transaction

    return list(Transaction.objects.filter(channel=world.till, source_id=id_).values_list("pk", flat=True))


def difference(world, id_="S1"):
    return TaxDifference.objects.filter(transaction_id__in=of(world, id_)).first()


def test_a_sale_that_is_taxed_as_it_should_be(world):
    world.send(sold([line(taxes=STATE)]))
    found = assessed(world)
    assert (found.verdict, found.computed, found.charged, found.treatment) == ("match", 64, 64, "taxable")
    assert (found.country, found.region, found.net) == ("US", "CT", 1000)
    (only,) = assessments.lines_of(found)
    assert only["taxes"][0] | {"rule": "", "source": ""} == {
        "name": "State sales tax", "jurisdiction": "US-CT", "rate": "6.35", "base": 1000, "tax": 64, "rule": "", "source": "",
    }  # fmt: skip
    assert only["taxes"][0]["rule"] and only["taxes"][0]["source"]
    assert only["charged_taxes"] == [{"name": "Connecticut", "jurisdiction": "US-CT", "rate": "6.35", "amount": 64}]
    assert difference(world) is None


@pytest.mark.parametrize(
    ("taxes", "place", "verdict", "computed"),
    [
        ([("US-CT", "CT", "6.35", 63)], "CT", "rounding_only", 64),
        ([("US-CT", "CT", "6", 60)], "CT", "rate_mismatch", 64),
        ([], "CT", "registered_but_not_charged", 64),
        ([("US-NJ", "NJ", "6.625", 66)], "NJ", "not_registered_but_charged", 0),
        ([], "NJ", "match", 0),
    ],
)
def test_verdicts(world, taxes, place, verdict, computed):
    world.send(sold([line(taxes=taxes)], place))
    found = assessed(world)
    assert (found.verdict, found.computed) == (verdict, computed)
    assert (difference(world) is not None) == (verdict not in ("match", "rounding_only"))


def test_a_channel_that_charges_what_is_exempt(world):
    mapping.set_rule(company=world.company, matched_by="sku", value="MUG", category="food.grocery", actor="anna")
    world.send(sold([line(taxes=STATE)]))
    found = difference(world)
    assert (found.verdict, found.amount, found.state) == ("taxability_mismatch", 64, "open")
    assert assessments.lines_of(assessed(world))[0]["category_by"] == "sku"


def test_what_a_marketplace_collects_is_compared_and_owed_by_nobody_here(world):
    one = line(taxes=STATE)
    one = replace(one, taxes=[replace(tax, collector="marketplace") for tax in one.taxes])
    world.send(sold([one]))
    assert (assessed(world).verdict, difference(world)) == ("marketplace_collected", None)


def test_without_registrations_nobody_is_blamed_for_charging_nothing():
    world = World()
    world.send(sold([line(taxes=[])]), sold([line(taxes=[("US-CT", "CT", "6", 60)])], id_="S2"))
    assert (assessed(world).verdict, "registrations" in assessed(world).message) == ("", True)
    assert assessed(world, "S2").verdict == "rate_mismatch"


def test_local_taxes_that_are_not_loaded_are_no_difference(world):
    world.send(
        replace(
            sale([line(taxes=[("US-NY", "NY", "8.875", 89)])]),
            jurisdiction=Jurisdiction(country="US", region="NY", postcode="10001"),
        )
    )
    found = assessed(world)
    assert (found.verdict, found.computed, difference(world)) == ("", 40, None)
    assert "cannot be judged" in found.message


def test_an_edit_that_puts_it_right_closes_the_difference(world):
    world.send(sold([line(taxes=[("US-CT", "CT", "6", 60)])]))
    assert difference(world).state == "open"
    world.send(sold([line(taxes=STATE)], version="2"))
    assert difference(world).state == "gone"
    assert Assessment.objects.filter(transaction_id__in=of(world, "S1")).count() == 2
    world.send(sold([line(taxes=[("US-CT", "CT", "6", 60)])], version="3"))
    assert difference(world).state == "open"
    world.send(sold([line(taxes=[("US-CT", "CT", "6", 60)])], version="4", status="voided"))
    assert difference(world).state == "gone"


def test_an_accepted_difference_stays_so_until_it_is_another(world):
    wrong = [("US-CT", "CT", "6", 60)]
    world.send(sold([line(taxes=wrong)]))
    with pytest.raises(differences.NotPossible):
        differences.accept(difference(world), "anna", " ")
    differences.accept(difference(world), "anna", "the shop's own rate, told to the accountant")
    world.send(sold([line(taxes=wrong)], version="2"))
    assert (difference(world).state, difference(world).closed_by) == ("accepted", "anna")
    world.send(sold([line(taxes=[("US-CT", "CT", "5", 50)])], version="3"))
    assert (difference(world).state, difference(world).amount) == ("open", -14)
    with pytest.raises(differences.NotPossible):
        differences.reopen(difference(world), "anna")


def test_refunds_are_measured_by_the_sale_whatever_the_order_of_arrival(world):
    three = line(units=3, taxes=[("US-CT", "CT", "6.35", 191)])
    first = refund([back(three, units=1, net=1000, tax=64)], of="S1")
    world.send(first)
    assert assessed(world, "R1") is None
    world.send(sold([three]))
    assert (assessed(world, "R1").verdict, assessed(world, "R1").computed) == ("match", 64)
    world.send(refund([back(three, units=2, net=2000, tax=100)], of="S1", id_="R2", minutes=90))
    found = assessed(world, "R2")
    assert (found.verdict, found.computed, found.charged) == ("rate_mismatch", 127, 100)
    assert difference(world, "R2").amount == -27


def test_a_certificate_frees_a_customer_where_it_holds(world):
    ref = "sha256:" + "a" * 64
    Certificate.objects.create(
        company=world.company, customer=ref, jurisdiction="US-CT", reason="resale", number="1", valid=(None, date(2026, 10, 1))
    )  # fmt: skip
    one = replace(sold([line(taxes=[])]), customer=Customer(ref=ref))
    world.send(one)
    assert (assessed(world).treatment, assessed(world).verdict) == ("exempt", "match")
    world.send(replace(one, source=replace(one.source, id="S2"), business_date=date(2026, 10, 1)))
    assert assessed(world, "S2").verdict == "registered_but_not_charged"


def test_a_till_without_an_address_is_where_its_location_is(world):
    SellerPlace.objects.create(company=world.company, country="US", region="CT")
    world.send(replace(sale([line(taxes=STATE)]), jurisdiction=Jurisdiction(country="US", region="CT", basis="store")))
    assert assessed(world).verdict == "match"


def test_a_place_without_rates_is_said_and_stops_nothing(world):
    world.send(replace(sale([line(taxes=[])]), jurisdiction=Jurisdiction(country="ZW")))
    found = assessed(world)
    assert (found.computed, found.verdict, found.treatment) == (None, "", "")
    assert found.message and world.states() == {"posted": 1}


def test_the_tolerance_of_a_company(world):
    TaxSetting.objects.create(company=world.company, tolerance=5)
    world.send(sold([line(taxes=[("US-CT", "CT", "6", 60)])]))
    assert (assessed(world).verdict, difference(world)) == ("rate_mismatch", None)


def test_what_nobody_mapped_is_asked_about_once(world):
    world.send(
        sold([line(taxes=STATE), replace(line("2", taxes=[]), category="Odd things")]),
        sold([line(taxes=STATE)], id_="S2"),
    )
    found = UnmappedCategory.objects.filter(company=world.company).values_list("matched_by", "value").order_by("value")
    assert list(found) == [("sku", "MUG"), ("category", "Odd things")]


def test_a_replay_adds_nothing_and_an_assessment_never_changes(world):
    world.send(sold([line(taxes=STATE)]), sold([line(taxes=STATE)]))
    assert Assessment.objects.filter(company_id=world.company.pk).count() == 1
    with pytest.raises(DatabaseError), transaction.atomic():
        Assessment.objects.update(verdict="match")


def test_delivery_and_prices_with_tax_inside():
    world = World(currency="EUR")
    register(world, "DE")
    inside = line(price=1190, taxes=[("DE", "VAT", "19", 190)])
    ship = replace(line("2", price=595, taxes=[("DE", "VAT", "19", 95)], type_="shipping"), name="DHL")
    world.send(
        replace(
            sale([ship, inside], currency="EUR", inclusive=True),
            jurisdiction=Jurisdiction(country="DE", postcode="10115"),
        )
    )
    found = assessed(world)
    assert (found.verdict, found.computed, found.net) == ("match", 285, 1500)
    assert [one["line"] for one in assessments.lines_of(found)] == ["2", "1"]
    assert [one["computed"] for one in assessments.lines_of(found)] == [95, 190]


def test_delivery_that_is_taxed_otherwise_than_the_goods_is_named():
    """In Germany delivery shares the rate of what is delivered: 7 % with food."""
    world = World(currency="EUR")
    register(world, "DE")
    mapping.set_rule(company=world.company, matched_by="sku", value="MUG", category="food.grocery", actor="anna")
    food = line(price=1070, taxes=[("DE", "VAT", "7", 70)])
    ship = line("2", price=595, taxes=[("DE", "VAT", "19", 95)], type_="shipping")
    world.send(replace(sale([food, ship], currency="EUR", inclusive=True), jurisdiction=Jurisdiction(country="DE")))
    found = assessed(world)
    assert (found.verdict, found.computed, found.charged) == ("rate_mismatch", 109, 165)
    assert (round(found.implied_rate), "19" in found.message) == (19, True)
