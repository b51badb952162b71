"""The pages of stock: one product's whole stock, what waits for a person, stock moved by hand, and how channels take part."""

from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from channels.adapters.shopify import Shopify
from channels.client import StockRead
from channels.models import Transaction
from inventory import availability, levels, oversells, reservations
from inventory.models import (
    ChannelLocation,
    Component,
    Level,
    Listing,
    ListingLevel,
    Movement,
    Oversell,
    Product,
    Reservation,
    StockChange,
    StockDocument,
    StockDrift,
    StockPolicy,
)
from inventory.oversells import UnableToDecide
from salessync.core.models import AuditRow, Company
from tests.admin.scenes import NASTY, Day

pytestmark = pytest.mark.django_db

RAW = "<script>alert("


@pytest.fixture(scope="module")
def prepare():
    return Day.keep_books


@pytest.fixture
def day(scene, world):
    return scene[0]


@pytest.fixture
def oversell(day):
    return Oversell.objects.get(transaction_id=Transaction.objects.get(source_id="S2").pk)


@pytest.fixture
def elsewhere(day):
    """Another company's product."""
    company = Company.objects.create(slug="other", name="Other", base_currency="USD")
    return Product.objects.create(company=company, sku="THEIRS")


def url(name, *args):
    return reverse(f"admin:inventory_{name}", args=args)


def text_of(response):
    assert response.status_code == 200
    text = " ".join(response.content.decode().split())
    assert RAW not in text
    return text


def told(response):
    """What the next page says to the person."""
    return [str(message) for message in response.wsgi_request._messages]


def rows_of(response):
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def changed(model, pk, action):
    return AuditRow.objects.get(object_type=model, object_id=pk, action=action)


# --- a product


def test_a_products_page_shows_all_of_its_stock(as_, day, oversell):
    text = text_of(as_("auditor").get(url("product_change", day.mug.pk)))
    sold = Transaction.objects.get(source_id="S1")
    for part in (
        "−4", "−5", "short by 2", "Edited in the channel", "shop-mug-too", "320 ms", "Held in part", "It is part of", "SET",
        "sale 1001", "refund R-1", "opening stock", "to be decided",
        url("oversell_change", oversell.pk), url("stockdrift_change", day.drift.pk), url("reservation_change", day.reservation.pk),
        url("stockdocument_change", day.document.pk), reverse("admin:channels_transaction_change", args=[sold.pk]),
    ):  # fmt: skip
        assert part in text, part
    assert url("stockdocument_receipt") not in text  # an auditor moves nothing


def test_a_bundles_page_shows_what_its_scarcest_part_gives(as_, day):
    bundle, lid = Product.objects.get(sku="SET"), Product.objects.get(sku=NASTY + "lid")
    page = as_("administrator").get(url("product_change", bundle.pk))
    assert page.context["stock"]["gives"] == "0"
    levels.set_opening(
        company_id=bundle.company_id, wanted={(lid.pk, "main"): Decimal(9), (day.mug.pk, "far"): Decimal(12)}
    )
    page = as_("administrator").get(url("product_change", bundle.pk))
    assert page.context["stock"]["gives"] == "3"  # −5 + 12 mugs, two in each
    assert [row[3] for row in page.context["stock"]["leaves"]] == ["3", "9"]
    assert "A bundle: its parts give" in text_of(page)


def test_a_products_page_takes_few_queries(as_, day, django_assert_max_num_queries):
    client = as_("admin")
    with django_assert_max_num_queries(30):
        client.get(url("product_change", day.mug.pk))


def parts_of(*rows, initial=0):
    data = {"components-TOTAL_FORMS": str(len(rows)), "components-INITIAL_FORMS": str(initial)}
    for n, row in enumerate(rows):
        data |= {f"components-{n}-{name}": value for name, value in row.items()}
    return {"name": "x", "barcode": "", "category": "", "tax_category": "", "currency": "", "cost_in_words": ""} | data


def test_a_bundle_is_not_inside_of_itself(as_, day, elsewhere):
    client, bundle = as_("administrator"), Product.objects.get(sku="SET")
    box = Product.objects.create(company=bundle.company, sku="BOX")
    assert client.post(url("product_change", box.pk), parts_of({"part": bundle.pk, "quantity": "1"})).status_code == 302
    for part, why in (
        (box, "BOX is made of MUG itself"),
        (bundle, "SET is made of MUG itself"),
        (elsewhere, "another company"),
    ):
        answer = client.post(url("product_change", day.mug.pk), parts_of({"part": part.pk, "quantity": "1"}))
        assert why in text_of(answer)
    itself = client.post(url("product_change", day.mug.pk), parts_of({"part": day.mug.pk, "quantity": "1"}))
    assert "MUG is made of MUG itself" in text_of(itself)
    nothing = client.post(url("product_change", box.pk), parts_of({"part": bundle.pk, "quantity": "-1"}))
    assert "more than nothing of it" in text_of(nothing)
    assert not Component.objects.filter(bundle=day.mug).exists()


def test_new_parts_have_the_bundles_listings_looked_at(as_, day):
    StockChange.objects.all().delete()
    lid = Product.objects.get(sku=NASTY + "lid")
    box = Product.objects.create(company=lid.company, sku="BOX")
    as_("administrator").post(url("product_change", box.pk), parts_of({"part": lid.pk, "quantity": "0.5"}))
    assert Component.objects.get(bundle=box).quantity == Decimal("0.5")
    assert [change.product_id for change in StockChange.objects.all()] == [box.pk]
    assert changed("product", box.pk, "changed").actor == "administrator"


def test_a_form_that_says_nothing_of_parts_leaves_them(as_, day):
    bundle = Product.objects.get(sku="SET")
    form = {name: value for name, value in parts_of().items() if not name.startswith("components")}
    assert as_("administrator").post(url("product_change", bundle.pk), form | {"name": "Set"}).status_code == 302
    bundle.refresh_from_db()
    assert (bundle.name, bundle.components.count()) == ("Set", 2)


def test_a_variant_has_no_variants(as_, day):
    client, lid = as_("administrator"), Product.objects.get(sku=NASTY + "lid")
    form = parts_of() | {"variant_of": lid.pk}
    assert client.post(url("product_change", day.mug.pk), form).status_code == 302
    assert "is a variant itself" in text_of(
        client.post(url("product_change", lid.pk), form | {"variant_of": day.mug.pk})
    )
    assert "nothing varies itself" in text_of(client.post(url("product_change", lid.pk), form))


# --- levels and movements


@pytest.mark.parametrize(
    ("query", "skus"),
    [("level=negative", ["MUG"]), ("level=zero", []), ("level=near", ["FEW"]), ("level=reserved", ["MUG"]), ("location=far", ["FEW"]), ("level=x", ["FEW", "MUG"])],
)  # fmt: skip
def test_levels_are_filtered(as_, day, query, skus):
    few = Product.objects.create(company=day.world.company, sku="FEW")
    levels.set_opening(company_id=few.company_id, wanted={(few.pk, "far"): Decimal(5)})
    assert [row.product.sku for row in rows_of(as_("auditor").get(f"{url('level_changelist')}?{query}"))] == skus


def test_movements_are_filtered_and_say_why(as_, day):
    client, lid = as_("auditor"), Product.objects.get(sku=NASTY + "lid")
    levels.set_opening(company_id=lid.company_id, wanted={(lid.pk, "far"): Decimal(5)})
    today = timezone.now().date()

    def found(query):
        return rows_of(client.get(f"{url('movement_changelist')}?{query}"))

    every = Movement.objects.count()
    assert [row.product_id for row in found("location=far")] == [lid.pk]
    assert {row.kind for row in found("kind__exact=hold")} == {"hold"}
    assert {row.product_id for row in found(f"product__id__exact={lid.pk}")} == {lid.pk}
    assert len(found(f"created_at_from={today}&created_at_to={today}")) == every
    assert len(found("created_at_to=2020-01-01")) == 0
    assert len(found("created_at_from=nonsense&created_at_to=9999-12-31")) == every
    text = text_of(client.get(url("movement_changelist")))
    for name, pk in (("reservation", day.reservation.pk), ("stockdocument", day.document.pk)):
        assert url(f"{name}_change", pk) in text


# --- what channels show


def test_what_is_due_comes_first_and_is_filtered(as_, day):
    client = as_("auditor")
    assert [row.state for row in rows_of(client.get(url("listinglevel_changelist")))] == ["due", "failed", "idle"]
    assert [row.state for row in rows_of(client.get(url("listinglevel_changelist") + "?state__exact=failed"))] == [
        "failed"
    ]
    assert rows_of(client.get(f"{url('listinglevel_changelist')}?channel={day.till.pk}")) == []
    assert len(rows_of(client.get(f"{url('listinglevel_changelist')}?channel={day.world.shop.pk}"))) == 3


def again(client, rows):
    return client.post(
        url("listinglevel_changelist"),
        {"action": "tell_again", "_selected_action": [row.pk for row in rows], "index": "0"},
    )


def test_levels_are_told_again(as_, day, monkeypatch):
    monkeypatch.setattr(availability, "can_be_told", lambda channel: True)
    ListingLevel.objects.update(next_at=timezone.now() + timezone.timedelta(hours=6))
    ChannelLocation.objects.create(channel=day.world.shop, remote_id=NASTY)
    due, failed, idle = ListingLevel.objects.order_by("state")
    ListingLevel.objects.filter(pk=due.pk).update(attempts=1)  # its call is under way
    again(as_("reviewer"), [due, failed, idle])
    assert sorted(ListingLevel.objects.values_list("state", flat=True)) == ["due", "failed", "idle"]
    said = told(again(as_("administrator"), [due, failed, idle]))
    assert said[0] == "2 levels are told again within moments."
    assert said[1].startswith("1 left alone")
    for row in ListingLevel.objects.all():
        assert row.state == "due"
        assert (row.next_at <= timezone.now()) == (row.pk != due.pk)
    assert changed("listing level", failed.pk, "told again").data == {"was": "failed"}


def test_what_a_channel_is_not_told_is_not_told_again(as_, day, monkeypatch):
    monkeypatch.setattr(availability, "can_be_told", lambda channel: True)
    rows = list(ListingLevel.objects.order_by("state"))  # no place of that name is known
    assert told(again(as_("administrator"), rows))[0].startswith("0 levels")
    ChannelLocation.objects.create(channel=day.world.shop, remote_id=NASTY)
    Listing.objects.filter(channel=day.world.shop).update(is_pushed=False)
    assert told(again(as_("administrator"), rows))[0].startswith("0 levels")
    Listing.objects.filter(channel=day.world.shop).update(is_pushed=True)
    monkeypatch.setattr(availability, "can_be_told", lambda channel: False)
    assert told(again(as_("administrator"), rows))[0].startswith("0 levels")
    assert ListingLevel.objects.filter(state="idle").exists()


# --- oversells


def test_a_reviewer_decides_an_oversell_once_and_takes_it_back(as_, oversell):
    client = as_("reviewer")
    decide = url("oversell_decide", oversell.pk)
    for form, why in (
        ({}, "choose what is done"),
        ({"decision": "x"}, "choose what is done"),
        ({"decision": "substitute"}, "say in the note"),
    ):
        assert why in told(client.post(decide, form))[-1]
    client.post(decide, {"decision": "substitute", "note": NASTY})
    oversell.refresh_from_db()
    assert (oversell.decision, oversell.note, oversell.decided_by) == ("substitute", NASTY, "reviewer")
    assert oversell.decided_at is not None
    assert told(as_("administrator").post(decide, {"decision": "refund"})) == [
        "Nothing was changed: somebody decided it meanwhile: look at it again."
    ]
    text = text_of(client.get(url("oversell_change", oversell.pk)))
    assert "they get something else" in text
    assert decide not in text
    reopen = url("oversell_reopen", oversell.pk)
    assert "look at it again" in told(client.post(reopen, {"seen": "another"}))[-1]
    client.post(reopen, {"seen": oversell.decided_at.isoformat()})
    oversell.refresh_from_db()
    assert (oversell.decision, oversell.note, oversell.decided_by, oversell.decided_at) == ("", "", "", None)
    assert changed("oversell", oversell.pk, "decided").data == {"decision": "substitute", "note": NASTY}
    assert changed("oversell", oversell.pk, "reopened").actor == "reviewer"


def test_of_two_who_decide_from_the_same_page_one_does(oversell):
    first, second = Oversell.objects.get(pk=oversell.pk), Oversell.objects.get(pk=oversell.pk)
    oversells.decide(first, "refund", "anna", "")
    with pytest.raises(UnableToDecide):
        oversells.decide(second, "backorder", "ben", "")
    seen = Oversell.objects.get(pk=oversell.pk)
    oversells.reopen(first, "anna")
    with pytest.raises(UnableToDecide, match="nothing was decided"):
        oversells.reopen(first, "anna")
    oversells.decide(first, "backorder", "ben", "")
    Oversell.objects.filter(pk=oversell.pk).update(decided_at=timezone.now())  # of another moment than what was seen
    with pytest.raises(UnableToDecide, match="meanwhile"):
        oversells.reopen(seen, "anna")
    oversell.refresh_from_db()
    assert (oversell.decision, oversell.decided_by) == ("backorder", "ben")


def test_the_work_list_of_oversells(as_, day, oversell):
    client = as_("reviewer")

    def found(query):
        return [row.pk for row in rows_of(client.get(f"{url('oversell_changelist')}?{query}"))]

    every = list(Oversell.objects.order_by("-id").values_list("pk", flat=True))
    assert found("") == every  # those that stock moved by hand has opened as well
    oversells.decide(oversell, "backorder", "anna", "")
    Oversell.objects.filter(pk=every[0]).update(resolved_at=timezone.now())
    assert found("open=todo") == [pk for pk in every if pk not in (oversell.pk, every[0])]
    assert found("open=decided") == found("decision=backorder") == [oversell.pk]
    assert found("open=no") == [every[0]]
    assert found("location=nowhere") == []
    by_hand = Oversell.objects.get(transaction_id=0)
    assert "stock was moved by hand" in text_of(client.get(url("oversell_change", by_hand.pk)))


# --- reservations


def test_a_reservation_is_released(as_, day):
    before = Level.objects.get(product=day.mug).reserved
    page = url("reservation_change", day.reservation.pk)
    release = url("reservation_release", day.reservation.pk)
    assert release not in text_of(as_("reviewer").get(page))
    assert release in text_of(as_("administrator").get(page))
    assert as_("reviewer").post(release).status_code == 403
    assert as_("administrator").get(release).status_code == 405
    assert told(as_("administrator").post(release)) == ["Released: its units can be sold again."]
    assert Level.objects.get(product=day.mug).reserved == before - 1
    assert Reservation.objects.get(pk=day.reservation.pk).state == "released"
    assert changed("reservation", day.reservation.pk, "released").actor == "administrator"
    assert told(as_("administrator").post(release)) == ["Nothing was changed: it is over already (released)."]
    assert Level.objects.get(product=day.mug).reserved == before - 1
    assert reservations.violations() == []


def test_reservations_are_filtered(as_, day):
    client = as_("auditor")
    for query, count in (
        ("state__exact=partial", 1),
        ("state__exact=held", 0),
        ("expiry=hour", 1),
        ("expiry=over", 0),
        ("expiry=open", 1),
    ):
        assert len(rows_of(client.get(f"{url('reservation_changelist')}?{query}"))) == count, query
    Reservation.objects.update(expires_at=timezone.now() - timezone.timedelta(minutes=1))
    assert len(rows_of(client.get(f"{url('reservation_changelist')}?expiry=over"))) == 1


# --- listings, policies, places


def test_a_listing_keeps_nothing_back_that_is_less_than_nothing(as_, day, elsewhere):
    client, listing = as_("administrator"), Listing.objects.get(item_id="shop-mug")
    form = {
        "channel": listing.channel_id,
        "item_id": "shop-mug",
        "stock_id": "",
        "name": "",
        "product": day.mug.pk,
        "is_pushed": "on",
    }
    page = url("listing_change", listing.pk)
    assert "nothing or more is kept back" in text_of(client.post(page, form | {"buffer": "-1"}))
    assert "another company" in text_of(client.post(page, form | {"product": elsewhere.pk, "buffer": ""}))
    StockChange.objects.all().delete()
    lid = Product.objects.get(sku=NASTY + "lid")
    assert client.post(page, form | {"product": lid.pk, "buffer": "3"}).status_code == 302
    assert {change.product_id for change in StockChange.objects.all()} == {day.mug.pk, lid.pk}


def test_a_policy_is_set_and_all_listings_are_looked_at(as_, day):
    client, shop = as_("administrator"), day.world.shop
    form = {"channel": shop.pk, "is_pushed": "on", "buffer": "1.5", "edits": "overwrite", "audit_hours": "12"}
    for wrong in ({"buffer": "-1"}, {"audit_hours": "-1"}, {"audit_hours": "100000"}, {"channel": day.berlin.pk}):
        assert client.post(url("stockpolicy_add"), form | wrong).status_code == 200
    StockChange.objects.all().delete()
    assert client.post(url("stockpolicy_add"), form).status_code == 302
    assert StockPolicy.objects.get(channel=shop).buffer == Decimal("1.5")
    assert [change.product_id for change in StockChange.objects.all()] == [day.mug.pk]
    assert changed("stockpolicy", shop.pk, "added").actor == "administrator"
    StockChange.objects.all().delete()
    client.post(url("stockpolicy_delete", shop.pk), {"post": "yes"})
    assert StockChange.objects.count() == 1


def test_a_place_sells_from_locations_one_a_line(as_, day):
    client, shop = as_("administrator"), day.world.shop
    form = {"channel": shop.pk, "remote_id": "gid://1", "locations": " main \nstore\n\nmain\n"}
    said = told(client.post(url("channellocation_add"), form))
    assert said[0] == "Nothing is kept at store yet: is that how it is written?"
    made = ChannelLocation.objects.get(channel=shop)
    assert made.locations == ["main", "store"]
    page = url("channellocation_change", made.pk)
    assert client.post(page, form | {"locations": "x" * 61}).status_code == 200
    assert client.post(page, form | {"locations": ""}).status_code == 302
    assert ChannelLocation.objects.get(pk=made.pk).locations == []


# --- stock moved by hand


def document(*lines, **head):
    data = {
        "location": "main",
        "reference": "D-1",
        "reason": NASTY,
        "line-INITIAL_FORMS": "0",
        "line-TOTAL_FORMS": str(len(lines)),
    }
    for n, (sku, quantity, *cost) in enumerate(lines):
        data |= {f"line-{n}-sku": sku, f"line-{n}-quantity": quantity, f"line-{n}-unit_cost": "".join(cost)}
    return data | head


@pytest.fixture
def shelf(day):
    """Ten lids at main."""
    lid = Product.objects.get(sku=NASTY + "lid")
    levels.set_opening(company_id=lid.company_id, wanted={(lid.pk, "main"): Decimal(10)})
    return lid


def on_hand(product):
    return {level.location: level.on_hand for level in Level.objects.filter(product=product)}


@pytest.mark.parametrize(
    ("kind", "quantity", "after"),
    [("receipt", "2.5", {"main": Decimal("12.5")}), ("transfer", "4", {"main": 6, "store": 4}), ("count", "7", {"main": 7}), ("adjustment", "−3", {"main": 7})],
)  # fmt: skip
def test_stock_is_moved_by_hand_after_it_was_shown(as_, shelf, kind, quantity, after):
    client, page = as_("administrator"), url(f"stockdocument_{kind}")
    assert shelf.sku in client.get(f"{page}?product={shelf.pk}").context["lines"].forms[0].initial.values()
    form = document((shelf.sku, quantity), ("", ""), to="store", company=shelf.company_id)
    before, documents = on_hand(shelf), StockDocument.objects.count()
    shown = client.post(page, form | {"_preview": "1"})
    text_of(shown)
    assert {step.location: step.after for step in shown.context["steps"]} == {
        k: f"{v}".rstrip() for k, v in after.items()
    }
    assert (on_hand(shelf), StockDocument.objects.count()) == (before, documents)  # nothing yet
    client.post(page, form | {"_post": "1"})
    assert on_hand(shelf) == after
    made = StockDocument.objects.get(reference="D-1")
    assert (made.kind, made.reason, made.actor) == (kind, NASTY, "administrator")
    text_of(client.get(url("stockdocument_change", made.pk)))
    assert "recorded before" in told(client.post(page, form | {"_post": "1"}))[-1]  # the button pressed twice
    assert on_hand(shelf) == after


def test_a_receipt_says_what_it_cost_in_major_units(as_, shelf):
    form = document((shelf.sku, "2", "4.50"), company=shelf.company_id, _post="1")
    as_("administrator").post(url("stockdocument_receipt"), form)
    assert Movement.objects.latest("id").cost == 900


@pytest.mark.parametrize(
    ("kind", "lines", "why"),
    [
        ("transfer", [("LID", "11")], "only 10 of"), ("adjustment", [("LID", "-11")], "only 10 of"),
        ("receipt", [("LID", "1e3")], "is not a quantity"), ("receipt", [("LID", "1", "x")], "is not what a unit may cost"),
        ("receipt", [("NONE", "1")], "there is no product"), ("count", [("SET", "1")], "is a bundle"),
        ("count", [("LID", "-1")], "less than nothing"), ("receipt", [], "no lines"), ("receipt", [("LID", "")], "is not a quantity"),
        ("receipt", [("x" * 300, "1")], "at most 255"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", ["_preview", "_post"])
def test_what_cannot_be_moved_says_why(as_, shelf, kind, lines, why, step):
    named = [(line[0].replace("LID", shelf.sku), *line[1:]) for line in lines]
    before = Movement.objects.count()
    answer = as_("administrator").post(
        url(f"stockdocument_{kind}"), document(*named, to="store", company=shelf.company_id, **{step: "1"})
    )
    assert why in text_of(answer)
    assert Movement.objects.count() == before


def test_more_lines_keep_what_was_said(as_, shelf):
    client, page = as_("administrator"), url("stockdocument_count")
    grown = client.post(page, document((shelf.sku, "7"), company=shelf.company_id, _more="1"))
    assert len(grown.context["lines"].forms) == 7
    assert grown.context["lines"].forms[0]["quantity"].value() == "7"
    assert client.post(page, {"_more": "1", "line-TOTAL_FORMS": "x"}).status_code == 200
    assert client.post(page, {"_preview": "1"}).status_code == 200
    for pk in ("x", "9" * 30, NASTY):
        assert client.get(page, {"product": pk}).status_code == 200


# --- who may what


def test_an_auditor_reads_and_changes_nothing(as_, day, oversell):
    client = as_("auditor")
    before = list(AuditRow.objects.values_list("pk", flat=True))
    assert client.post(url("oversell_decide", oversell.pk), {"decision": "refund"}).status_code == 403
    assert client.post(url("oversell_reopen", oversell.pk), {}).status_code == 403
    assert client.post(url("reservation_release", day.reservation.pk)).status_code == 403
    for kind in ("receipt", "transfer", "count", "adjustment"):
        assert client.get(url(f"stockdocument_{kind}")).status_code == 403
    for name, pk in (("product", day.mug.pk), ("stockpolicy", day.berlin.pk), ("channellocation", ChannelLocation.objects.get().pk),
                     ("listing", Listing.objects.first().pk)):  # fmt: skip
        assert client.post(url(f"{name}_change", pk), {}).status_code == 403
        assert client.get(url(f"{name}_add")).status_code == 403
        assert client.post(url(f"{name}_delete", pk), {"post": "yes"}).status_code == 403
    again(client, ListingLevel.objects.all())
    for how in ("adopt", "overwrite"):
        ask(client, how, day.drift)
        assert settle(client, how, seen(day.drift)).status_code == 403
    assert StockDrift.objects.get(pk=day.drift.pk).state == "open"
    assert list(AuditRow.objects.values_list("pk", flat=True)) == before


@pytest.mark.parametrize("name", ["listinglevel", "reservation", "stockdocument", "stockdrift", "oversell"])
def test_what_is_recorded_is_not_edited_by_the_superuser(as_, day, name):
    client = as_("admin")
    pk = {
        "listinglevel": day.told,
        "reservation": day.reservation,
        "stockdocument": day.document,
        "stockdrift": day.drift,
    }.get(name, Oversell.objects.first()).pk
    assert client.get(url(f"{name}_add")).status_code == 403
    assert client.post(url(f"{name}_change", pk), {}).status_code == 403
    assert client.post(url(f"{name}_delete", pk), {"post": "yes"}).status_code == 403


def test_a_reviewer_decides_and_moves_nothing(as_, day):
    client = as_("reviewer")
    assert client.get(url("stockdocument_receipt")).status_code == 403
    assert client.post(url("product_change", day.mug.pk), {}).status_code == 403
    assert client.post(url("stockpolicy_change", day.berlin.pk), {}).status_code == 403


# --- drifts


def ask(client, how, *drifts):
    form = {"action": f"{how}_selected", "_selected_action": [one.pk for one in drifts], "index": "0"}
    return client.post(url("stockdrift_changelist"), form)


def settle(client, how, *seen):
    return client.post(url(f"stockdrift_{how}"), {"seen": seen})


def seen(drift):
    return f"{drift.pk} {drift.expected:.0f} {drift.found:.0f}"


@pytest.fixture
def edited(day, monkeypatch):
    """A product of which there are 10, the drift of its listing, and what that shows: 12."""
    shows = {"77": "12"}

    def read(adapter, account, places):
        yield from ()
        return [StockRead(place.item_id, place.location, shows[place.item_id]) for place in places]

    monkeypatch.setattr(Shopify, "read_stock", read)
    channel = day.world.channel("edited", "shopify")
    channel.credentials = {"secrets": ["s"], "token": "t", "base_url": "https://edited.example.com"}
    channel.save()
    product = Product.objects.create(company=channel.company, sku="EDITED")
    levels.set_opening(company_id=channel.company_id, wanted={(product.pk, "main"): Decimal(10)})
    listing = Listing.objects.create(channel=channel, product=product, item_id="e", stock_id="77")
    ListingLevel.objects.create(listing=listing, channel_id=channel.pk, wanted=10, shown=10, state="idle")
    StockChange.objects.all().delete()
    drift = StockDrift.objects.create(
        company=channel.company, listing=listing, expected=10, found=12, cause="unknown", message="x"
    )
    return drift, shows


@pytest.mark.parametrize(
    ("how", "state", "moves", "after"),
    [("adopt", "adopted", "+2 of EDITED", 12), ("overwrite", "overwritten", "is told 10 in place of 12", 10)],
)
def test_a_drift_is_settled_after_what_moves_was_shown(as_, edited, how, state, moves, after):
    drift, _ = edited
    client, product = as_("reviewer"), drift.listing.product
    assert moves in text_of(client.get(url("stockdrift_change", drift.pk)))
    asked = ask(client, how, drift)
    assert moves in text_of(asked)
    assert f'name="seen" value="{seen(drift)}"' in asked.content.decode()
    assert (StockDrift.objects.get(pk=drift.pk).state, on_hand(product)) == ("open", {"main": 10})
    said = told(settle(client, how, seen(drift)))
    found = StockDrift.objects.get(pk=drift.pk)
    assert (found.state, found.closed_by) == (state, "reviewer"), said
    assert on_hand(product) == {"main": after}
    assert ListingLevel.objects.get(listing=drift.listing).state == ("idle" if how == "adopt" else "due")
    assert said[-1].startswith("1 listing ")
    text_of(client.get(url("stockdrift_change", drift.pk)))


def test_a_drift_that_is_gone_by_now_moves_nothing(as_, edited):
    drift, shows = edited
    shows["77"] = "10"
    assert "shows what it should by now" in told(settle(as_("reviewer"), "adopt", seen(drift)))[0]
    assert (StockDrift.objects.get(pk=drift.pk).state, on_hand(drift.listing.product)) == ("gone", {"main": 10})


def test_a_drift_that_is_another_by_now_is_not_settled(as_, edited):
    drift, _ = edited
    StockDrift.objects.filter(pk=drift.pk).update(found=7)
    client = as_("reviewer")
    assert "no longer as shown" in told(settle(client, "adopt", seen(drift)))[-1]
    settle(client, "adopt", "x", "", f"{'9' * 30} 1 2", f"{drift.pk}", NASTY)
    assert StockDrift.objects.get(pk=drift.pk).state == "open"
    assert client.get(url("stockdrift_adopt")).status_code == 405


def test_a_channel_that_cannot_be_asked_says_so(as_, day):
    said = told(settle(as_("reviewer"), "adopt", seen(day.drift)))
    assert len(said) == 1
    assert "level" in said[0]
    assert StockDrift.objects.get(pk=day.drift.pk).state == "open"


def test_a_bundles_drift_is_only_set_to_ours(as_, edited):
    drift, _ = edited
    Component.objects.create(bundle=drift.listing.product, part=Product.objects.get(sku="MUG"), quantity=1)
    assert "a bundle has no stock of its own" in text_of(as_("reviewer").get(url("stockdrift_change", drift.pk)))


def test_drifts_are_filtered_and_the_open_ones_come_first(as_, day):
    client = as_("auditor")
    first = StockDrift.objects.order_by("-id").first()
    StockDrift.objects.filter(pk=first.pk).update(state="gone", found_at=timezone.now() - timezone.timedelta(days=2))

    def found(query):
        return [row.pk for row in rows_of(client.get(f"{url('stockdrift_changelist')}?{query}"))]

    assert found("")[-1] == first.pk
    assert found("age=24") == found("state__exact=gone") == [first.pk]
    assert found(f"channel={day.till.pk}") == found("cause__exact=lost_push") == []
    assert len(found(f"channel={day.world.shop.pk}")) == 3
