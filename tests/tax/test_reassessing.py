"""Sales assessed again when what is known of them has changed."""

import json
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tax.assessment import reassessing
from tax.law.ratebook import Rate
from tax.models import Assessment, TaxDifference
from tax.rates import books, datasets
from tax.rates.loaded import Loaded
from tax.seller import mapping
from tests.records import line
from tests.tax.test_assessing import STATE, assessed, difference, register, sold
from tests.worlds import World

pytestmark = pytest.mark.django_db
DAYS = {"first": date(2026, 9, 1), "last": date(2026, 9, 1)}


@pytest.fixture
def world():
    datasets.load_seed("test")
    found = World()
    register(found, "US-CT")
    found.send(*[sold([line(taxes=STATE)], id_=f"S{n}") for n in range(3)])
    return found


def again(world, **more):
    return reassessing.reassess(world.company.pk, **{**DAYS, "book": books.current(), "post": True, **more})


def test_nothing_changes_where_nothing_has_changed(world):
    tally = again(world)
    assert (tally.looked_at, tally.changed) == (3, 0)
    assert Assessment.objects.filter(company_id=world.company.pk).count() == 3


def test_a_mapping_that_was_missing(world):
    mapping.set_rule(company=world.company, matched_by="sku", value="MUG", category="food.grocery", actor="anna")
    would = again(world, post=False)
    assert (would.changed, would.more, would.samples[0].after) == (3, {"USD": -192}, 0)
    assert (assessed(world, "S0").verdict, difference(world, "S0")) == ("match", None)
    assert again(world).changed == 3
    assert (assessed(world, "S0").verdict, difference(world, "S0").amount) == ("taxability_mismatch", 64)
    assert Assessment.objects.filter(company_id=world.company.pk).count() == 6
    assert again(world).changed == 0
    assert TaxDifference.objects.filter(company=world.company, state="open").count() == 3


def test_what_was_said_before_may_be_said_again_after_something_else(world):
    def mapped(category):
        mapping.set_rule(company=world.company, matched_by="sku", value="MUG", category=category, actor="anna")
        return again(world).changed

    assert [mapped("food.grocery"), mapped("goods"), mapped("food.grocery")] == [3, 3, 3]
    assert Assessment.objects.filter(transaction_id=assessed(world, "S0").transaction_id).count() == 4
    assert difference(world, "S0").state == "open"


def test_only_the_days_that_were_asked_for(world):
    assert again(world, first=date(2026, 9, 2), last=date(2026, 9, 30)).looked_at == 0


def test_what_staged_rates_would_change_is_told_and_nothing_written(world):
    rate = Rate(
        jurisdiction="US-CT", tax="State sales tax", rate=Decimal(7), source="a new act", starts=date(2026, 1, 1)
    )
    loaded = Loaded(code="connecticut", format="csv", version="1", publisher="State", rates=[rate])
    staged = datasets.stage(loaded, file_name="ct.csv", sha256="c" * 64, actor="anna")
    found = {one.company: one.tally for one in reassessing.preview(staged, today=date(2026, 9, 15))}[world.company]
    assert (found.looked_at, found.changed, found.more) == (3, 3, {"USD": 18})
    assert (found.samples[0].before, found.samples[0].after, found.samples[0].verdict_after) == (
        64,
        70,
        "rate_mismatch",
    )
    assert assessed(world, "S0").computed == 64
    assert books.current().id != 0 and again(world).changed == 0


def test_the_command(world):
    out = StringIO()
    call_command(
        "assess_taxes", "--from", "2026-09-01", "--json", "--company", world.company.slug, stdout=out, stderr=StringIO()
    )
    assert json.loads(out.getvalue())["looked_at"] == 3
    for wrong in (["--from", "yesterday"], ["--from", "2026-09-02", "--to", "2026-09-01"]):
        with pytest.raises(CommandError) as error:
            call_command("assess_taxes", *wrong, "--company", world.company.slug, stderr=StringIO())
        assert error.value.returncode == 2
