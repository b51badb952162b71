"""What an outside service says of sales that the pipeline has assessed, and when it decides."""

from datetime import date, timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from msgspec.structs import replace

from channels.record import Jurisdiction
from tax.assessment import assessments, second_opinions
from tax.models import Assessment, TaxDifference, TaxSetting
from tests.records import line, sale
from tests.tax.providers.stripe_server import KEY
from tests.worlds import World

YORK = [("US-NY", "NY", "8.875", 89)]  # by our rates only the state's 4 % are known; the service knows the city's too


@pytest.fixture
def world(db, stripe):
    cache.clear()
    found = World()
    setting = TaxSetting(company=found.company, provider="stripe", address=stripe.url)
    setting.key = KEY
    setting.save()
    yield found
    stripe.fault = None
    cache.clear()


def today(record):
    return replace(record, business_date=timezone.localdate())


def sold(taxes, id_="S1", **more):
    place = Jurisdiction(country="US", region="NY", postcode="10001")
    return replace(today(sale([line(taxes=taxes)], id_=id_, **more)), jurisdiction=place)


def last(world):
    return Assessment.objects.filter(company_id=world.company.pk).order_by("id").last()


def test_the_service_judges_what_our_rates_cannot(world):
    world.send(sold(YORK), sold([("US-NY", "NY", "8", 80)], id_="S2"))
    assert {a.verdict for a in Assessment.objects.filter(company_id=world.company.pk)} == {""}
    assert second_opinions.ask_due() == 2
    found = {a.charged: a for a in Assessment.objects.filter(company_id=world.company.pk, provider="stripe")}
    assert (found[89].verdict, found[89].computed) == ("match", 89)
    assert (found[80].verdict, found[80].computed) == ("rate_mismatch", 89)
    assert sum(tax["tax"] for tax in assessments.lines_of(found[89])[0]["taxes"]) == 89
    difference = TaxDifference.objects.get(company=world.company)
    assert (difference.transaction_id, difference.amount) == (found[80].transaction_id, -9)
    assert second_opinions.ask_due() == 0


def test_a_new_version_is_asked_about_again_and_closes_the_difference(world):
    world.send(sold([("US-NY", "NY", "8", 80)]))
    second_opinions.ask_due()
    assert TaxDifference.objects.get(company=world.company).state == "open"
    world.send(sold(YORK, version="2"))
    assert second_opinions.ask_due() == 1
    assert TaxDifference.objects.get(company=world.company).state == "gone"


def test_while_it_is_away_our_own_rates_stand_in_and_it_is_asked_again_later(world, stripe):
    stripe.fault = (503, {}, b"{}")
    world.send(sold(YORK))
    assert second_opinions.ask_due() == 1
    assert (last(world).provider, last(world).is_degraded, last(world).computed) == ("stripe", True, 40)
    assert not TaxDifference.objects.filter(company=world.company).exists()
    stripe.fault = None
    cache.clear()
    assert second_opinions.ask_due() == 0  # not within the hour
    original, second_opinions.AGAIN = second_opinions.AGAIN, timedelta(0)
    try:
        assert second_opinions.ask_due() == 1
    finally:
        second_opinions.AGAIN = original
    assert (last(world).is_degraded, last(world).computed) == (False, 89)


def test_while_it_stays_away_it_is_asked_once_an_hour(world, stripe, monkeypatch):
    stripe.fault = (503, {}, b"{}")
    world.send(sold(YORK))
    monkeypatch.setattr(second_opinions, "AGAIN", timedelta(0))
    assert [second_opinions.ask_due(seconds=5), second_opinions.ask_due(seconds=5)] == [1, 1]
    monkeypatch.setattr(second_opinions, "AGAIN", timedelta(hours=1))
    assert second_opinions.ask_due() == 0  # the last time counts, although it said the same as the first


def test_what_it_refuses_of_a_sale_it_is_not_asked_again(world, stripe, monkeypatch):
    returned = line("2", units=-1, taxes=[], exchange="1")
    record = today(sale([line(units=2, taxes=YORK), returned]))
    world.send(replace(record, jurisdiction=Jurisdiction(country="US", region="NY", postcode="10001")))
    monkeypatch.setattr(second_opinions, "AGAIN", timedelta(0))
    assert second_opinions.ask_due(seconds=5) == 1
    assert (last(world).provider, last(world).is_degraded) == ("stripe", False)
    assert "PROVIDER_REFUSED" in {warning["code"] for warning in last(world).warnings}
    assert second_opinions.ask_due() == 0


def test_days_long_past_are_left_to_our_rates(world):
    world.send(replace(sold(YORK), business_date=date(2020, 1, 1)))
    assert second_opinions.ask_due() == 0
