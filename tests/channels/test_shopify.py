"""Shopify's oddities, one by one; the whole records are in tests/golden/shopify."""

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels import adapter, canonical, checks, payload
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.adapters.shopify.words import percent, tax_place
from channels.record import Jurisdiction
from salessync.core.problems import Refused
from tests.golden import FOLDER, cases

SHOPIFY = adapter.get("shopify")
CONTEXT = Context(channel="main-shop", timezone="America/New_York")
STORE = Jurisdiction(country="US", region="NJ", postcode="07030", city="Hoboken")
NOW = datetime(2026, 9, 1, tzinfo=UTC)
CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus"
ABSENT = object()


def event(case):
    return payload.parse((FOLDER / "shopify" / case / "event.json").read_bytes())


def change(parsed, **paths):
    """A copy with some places changed: `a__0__b=value`; ABSENT removes."""
    parsed = copy.deepcopy(parsed)
    for path, value in paths.items():
        *parents, last = [int(key) if key.isdigit() else key for key in path.split("__")]
        place = parsed
        for key in parents:
            place = place[key]
        if value is ABSENT:
            del place[last]
        else:
            place[last] = value
    return parsed


def normalize(parsed, topic="orders/updated", context=CONTEXT):
    return SHOPIFY.normalize(parsed, topic, context)


def order(case="simple_sale", context=CONTEXT, **paths):
    return normalize(change(event(case), **paths), context=context)[0]


def with_transactions(case="split_transactions", **paths):
    return normalize(change(event(case), **{f"order__{k}": v for k, v in paths.items()}), topic=None)[0]


def refund(case="partial_refund_by_line", **paths):
    return normalize(change(event(case), **paths), "refunds/create")[0]


def codes(parsed, topic="orders/updated", context=CONTEXT):
    with pytest.raises(Refused) as refused:
        normalize(parsed, topic, context)
    return [f"{p.code} {p.path}" for p in refused.value.problems]


def wrong(record):
    return [p.code for p in checks.check(record)]


# --- which payload is what


@pytest.mark.parametrize(
    "topic",
    [
        "orders/create",
        "orders/updated",
        "orders/paid",
        "orders/cancelled",
        "orders/fulfilled",
        "orders/partially_fulfilled",
    ],
)
def test_every_order_topic_brings_the_whole_order(topic):
    assert [r.record_type for r in normalize(event("simple_sale"), topic)] == ["sale"]


def test_rest_answers_are_told_by_their_wrapper():
    bare, back, row = event("simple_sale"), event("partial_refund_by_line"), event("capture_event")
    whole = [canonical.encode(r) for r in normalize(bare)]
    assert [canonical.encode(r) for r in normalize({"order": bare}, None)] == whole
    assert [canonical.encode(r) for r in normalize({"orders": [bare, bare]}, None)] == whole * 2
    assert [canonical.encode(r) for r in normalize(bare, None)] == whole
    assert [r.record_type for r in normalize({"refund": back}, None)] == ["refund"]
    assert [r.record_type for r in normalize({"transaction": row}, None)] == ["charge"]
    assert normalize({"orders": []}, None) == []


def test_a_list_of_transactions_is_a_charge_a_payment():
    rows = event("authorization_and_capture")["order"]["transactions"]
    found = normalize({"transactions": rows}, None)
    assert [(c.source.id, c.status, c.amount, c.captured) for c in found] == [
        ("832", "captured", 20000, 20000), ("833", "pending", 11200, 0),
    ]  # fmt: skip
    assert found[0].extensions["shopify"]["parent_id"] == "831"


def test_other_topics_are_ignored_with_a_reason():
    for topic in ("orders/delete", "products/update", "app/uninstalled"):
        with pytest.raises(Ignored, match=r"[a-z]"):
            normalize({"id": 1}, topic)


@pytest.mark.parametrize("kind", ["refund", "change"])
def test_rows_that_are_no_payment_print_nothing(kind):
    assert normalize(change(event("capture_event"), kind=kind), "order_transactions/create") == []


def test_a_void_that_failed_changes_nothing():
    assert normalize(change(event("void_event"), status="failure"), "order_transactions/create") == []


def test_the_void_of_an_authorization_is_newer_than_it():
    authorized = normalize(
        change(event("authorization_alone"))["order"]["transactions"][0], "order_transactions/create"
    )[0]
    voided = normalize(change(event("void_event"), parent_id=841, order_id=9028), "order_transactions/create")[0]
    assert (authorized.source.id, authorized.status) == ("841", "authorized")
    assert (voided.source.id, voided.status, voided.captured) == ("841", "voided", 0)
    assert authorized.source.version < voided.source.version


# --- signatures and envelopes


def signed(**headers):
    good = {"x-shopify-hmac-sha256": "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g="}
    return {k.replace("_", "-"): v for k, v in (headers or good).items()}


def test_the_newer_header_without_prefix_counts_first():
    from tests.golden.shopify.sign import sign

    good = sign(b"{}", "s", NOW)["x-shopify-hmac-sha256"]
    SHOPIFY.verify({"shopify-hmac-sha256": good, "x-shopify-hmac-sha256": "old"}, b"{}", Trust(secrets=("s",)), NOW)
    with pytest.raises(SignatureRefused):
        SHOPIFY.verify({"shopify-hmac-sha256": "bad", "x-shopify-hmac-sha256": good}, b"{}", Trust(secrets=("s",)), NOW)


def test_the_envelope_is_in_the_headers():
    found = SHOPIFY.envelope({"x-shopify-webhook-id": "w1", "x-shopify-topic": "orders/paid"}, None)
    assert (found.delivery_id, found.topic) == ("w1", "orders/paid")
    assert SHOPIFY.envelope({}, {"id": 1}).delivery_id is None


# --- status


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("pending", "pending"), ("authorized", "authorized"), ("partially_paid", "partially_paid"), ("paid", "paid"),
        ("partially_refunded", "partially_refunded"), ("refunded", "refunded"), ("voided", "voided"), ("expired", "voided"),
        ("something_new", "unknown"),
    ],
)  # fmt: skip
def test_payment_status(word, ours):
    assert order(financial_status=word).payment_status == ours


def test_without_a_word_the_transactions_say_what_was_paid():
    assert codes(change(event("simple_sale"), financial_status=None)) == ["MISSING_PAYMENT_STATUS financial_status"]
    assert with_transactions(financial_status=None).payment_status == "paid"
    assert with_transactions("authorization_alone", financial_status=None).payment_status == "authorized"
    assert with_transactions("authorization_and_capture", financial_status=None).payment_status == "partially_paid"
    assert with_transactions(financial_status=None, transactions=[]).payment_status == "pending"


def test_status():
    assert order().status == "open"
    assert order(fulfillment_status="partial").status == "open"
    assert order(fulfillment_status="fulfilled").status == "completed"
    assert order(closed_at="2026-09-01T10:00:00Z").status == "completed"
    assert order(financial_status="voided").status == "voided"
    assert order(financial_status="voided", cancelled_at="2026-09-01T10:00:00Z").status == "cancelled"


def test_no_transactions_is_not_known_and_an_empty_list_is_none():
    assert (order().tenders, order().totals.paid, order().totals.due) == (None, None, None)
    unpaid = order(transactions=[], financial_status="pending")
    assert (unpaid.tenders, unpaid.totals.paid, unpaid.totals.due) == ([], 0, unpaid.totals.total)


# --- place and time


def test_jurisdiction_is_where_the_goods_go_else_the_buyer_else_the_store():
    def place(context=CONTEXT, **paths):
        found = order(context=context, **paths).jurisdiction
        return found and (found.country, found.region, found.basis)

    store = Context(channel="c", jurisdiction=STORE)
    elsewhere = {"country_code": "US", "province_code": "VT"}
    assert place(billing_address=elsewhere) == ("US", "NY", "destination")
    assert place(shipping_address=None, billing_address=elsewhere) == ("US", "VT", "destination")
    assert place(shipping_address=None, billing_address=None) is None
    assert place(store, shipping_address=None, billing_address=None) == ("US", "NJ", "store")
    assert place(store, shipping_address=None, billing_address=elsewhere, source_name="pos") == ("US", "NJ", "store")
    assert place(shipping_address={"country_code": "USA"}, billing_address=None) is None
    assert place(shipping_address={"country_code": "JP", "province_code": "JP-13"}) == ("JP", "13", "destination")


def test_imported_orders_count_on_the_day_they_were_processed():
    sale = order(processed_at="2026-08-01T12:00:00-04:00")
    assert (sale.occurred_at, str(sale.business_date)) == (datetime(2026, 8, 1, 16, tzinfo=UTC), "2026-08-01")
    assert order(processed_at=None).occurred_at == datetime(2026, 9, 1, 3, 12, 9, tzinfo=UTC)


def test_the_day_is_the_stores_own():
    assert str(order(context=Context(channel="c")).business_date) == "2026-09-01"
    assert str(order(context=Context(channel="c", timezone="America/New_York")).business_date) == "2026-08-31"
    late = Context(channel="c", timezone="Asia/Tokyo", day_cut_hour=13)
    assert str(order(context=late).business_date) == "2026-08-31"
    assert codes(event("simple_sale"), context=Context(channel="c", timezone="Mars/Olympus")) == [
        "UNKNOWN_TIMEZONE timezone"
    ]


# --- taxes


@pytest.mark.parametrize(
    ("rate", "text"),
    [(Decimal("0.08875"), "8.875"), (Decimal("0.04"), "4.0"), (0.19, "19.0"), ("0.06", "6.0"), (1, "100.0"), (0, "0.0"),
     (Decimal("NaN"), None), ("x", None), (None, None)],
)  # fmt: skip
def test_rates_are_in_percent(rate, text):
    assert percent(rate) == text


def test_the_place_of_a_tax_where_its_title_says_enough():
    assert tax_place("New York State Tax", "US", "NY") == "US-NY"
    assert tax_place("New York City Tax", "US", "NY") is None
    assert tax_place("Kings County Tax", "US", "NY") is None
    assert tax_place("DE MwSt", "DE", None) == "DE"
    assert tax_place("GST", "CA", "ON") == "CA"
    assert tax_place("HST", "CA", "ON") == "CA-ON"
    assert tax_place("State Tax", None, None) is None


def test_taxes_that_only_the_order_bears_are_spread_over_its_taxable_lines():
    sale = order(
        "two_taxes", line_items__0__tax_lines=[],
        line_items=[
            {"id": 1, "quantity": 1, "price": "10.00", "title": "A"},
            {"id": 2, "quantity": 1, "price": "20.00", "title": "B"},
            {"id": 3, "quantity": 1, "price": "10.00", "title": "C", "taxable": False},
        ],
        tax_lines=[{"title": "NY State Tax", "rate": Decimal("0.08875"), "price": "3.55", "channel_liable": False}],
    )  # fmt: skip
    assert [line.tax for line in sale.lines] == [118, 237, 0]
    assert "tax_allocation" in sale.extensions["shopify"]
    assert wrong(sale) == []


def test_a_discount_that_only_the_order_bears_is_spread_over_its_lines():
    sale = order(
        "discount_line_and_order", line_items__0__discount_allocations=[], line_items__1__discount_allocations=[],
        subtotal_price="132.50",
    )  # fmt: skip
    assert [line.discount for line in sale.lines] == [1400, 350]
    assert "discount_allocation" in sale.extensions["shopify"]
    assert wrong(sale) == []


# --- the vendor's totals are carried, so that the proof can object


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("total_price", "TOTAL_MISMATCH"), ("total_tax", "TAX_MISMATCH"), ("subtotal_price", "NET_MISMATCH"),
        ("total_line_items_price", "GROSS_MISMATCH"), ("total_discounts", "DISCOUNT_MISMATCH"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("case", ["discount_line_and_order", "tax_inclusive"])
def test_a_total_that_is_a_cent_off_is_objected_to(case, field, code):
    parsed = event(case)
    off = f"{Decimal(parsed[field]) + Decimal('0.01'):.2f}"
    changed = {field: off} | ({"current_total_price": off} if field == "total_price" else {})
    if case == "tax_inclusive" and field == "total_discounts":
        changed = {field: "500.00"}
    assert code in wrong(order(case, **changed))


def test_a_line_that_is_a_cent_off_is_objected_to():
    assert "GROSS_MISMATCH" in wrong(order("simple_sale", line_items__0__price="12.51"))
    assert "SHIPPING_MISMATCH" in wrong(order("simple_sale", total_shipping_price_set__shop_money__amount="5.01"))


def test_discounts_on_shipping_stand_in_discounted_price_or_in_allocations():
    told = order(
        "shipping_with_discount", shipping_lines__0__discounted_price="3.00", shipping_lines__0__discount_allocations=[]
    )
    assert (told.lines[1].discount, told.totals.shipping, wrong(told)) == (400, 300, [])
    both = order("shipping_with_discount", shipping_lines__0__discounted_price="3.00")
    assert (both.lines[1].discount, wrong(both)) == (400, [])


def test_a_removed_shipping_line_is_absent():
    sale = order(shipping_lines__0__is_removed=True, current_total_price="27.22", current_total_tax="2.22")
    assert (sale.totals.total, sale.totals.shipping, [x.type for x in sale.lines], wrong(sale)) == (
        2722,
        0,
        ["item"],
        [],
    )


# --- edits


def test_an_edit_that_only_added_is_seen_in_the_current_total():
    parsed = event("simple_sale")
    parsed["line_items"].append({"id": 5, "title": "Added", "quantity": 1, "current_quantity": 1, "price": "3.00"})
    sale = normalize(change(parsed, current_total_price="35.66"))[0]
    assert (sale.totals.total, sale.extensions["shopify"]["edited"], wrong(sale)) == (3566, True, [])


def test_what_an_edit_removed_takes_its_share_of_discount_and_tax_with_it():
    parsed = change(event("partial_refund_by_line"), refund_line_items__0__line_item__quantity=3)["refund_line_items"][
        0
    ]["line_item"]
    sale = order(
        line_items=[parsed | {"current_quantity": 2}], shipping_lines=[], current_total_price="17.42", current_total_tax="1.42",
        total_shipping_price_set=None,
    )  # fmt: skip
    line = sale.lines[0]
    assert (line.quantity, line.gross, line.discount, line.tax) == ("2", 2000, 400, 142)
    assert (sale.totals.total, wrong(sale)) == (1742, [])


def test_refunded_units_are_still_sold():
    parsed = event("cancellation")
    sale, back = normalize(change(parsed, cancelled_at=None))
    assert (sale.lines[0].quantity, sale.totals.total, back.totals.total, wrong(sale)) == ("2", 2722, 2722, [])
    assert "edited" not in sale.extensions["shopify"]


# --- payments


def test_change_without_a_parent_belongs_to_the_cash():
    cash = with_transactions(transactions__3__parent_id=None).tenders[2]
    assert (cash.tendered, cash.change, cash.amount) == (6000, 400, 5600)


def test_change_without_cash_or_beyond_it_is_refused():
    parsed = event("split_transactions")
    del parsed["order"]["transactions"][2]
    assert codes(parsed, None) == ["ORPHAN_CHANGE transactions[2].parent_id"]
    too_much = change(event("split_transactions"), order__transactions__3__amount="61.00")
    assert codes(too_much, None) == ["CHANGE_OVER_CASH transactions[3].amount"]


def test_a_capture_that_failed_leaves_its_authorization_standing():
    sale = with_transactions(
        "authorization_and_capture", transactions__1__status="failure", transactions__2__status="error"
    )
    assert [(t.id, t.status) for t in sale.tenders] == [("831", "authorized"), ("832", "failed"), ("833", "failed")]
    assert (sale.totals.paid, wrong(sale)) == (0, [])


def test_a_void_after_a_partial_capture_only_releases_the_rest():
    parsed = event("authorization_and_capture")
    rows = parsed["order"]["transactions"]
    rows[2] = rows[2] | {"kind": "void", "status": "success", "amount": "0.00"}
    sale = normalize(parsed, None)[0]
    assert [(t.id, t.status) for t in sale.tenders] == [("832", "captured")]


def test_two_transactions_of_one_id_are_refused():
    parsed = change(event("split_transactions"), order__transactions__1__id=811)
    assert "DUPLICATE_TENDER transactions[1].id" in codes(parsed, None)


def test_a_transaction_in_a_third_currency_is_refused():
    parsed = change(event("presentment_currency"), order__transactions__0__currency="EUR")
    assert codes(parsed, None) == ["WRONG_CURRENCY transactions[0].currency"]


def test_part_of_the_buyers_currency_is_converted_by_the_ratio_alone():
    sale = with_transactions(
        "presentment_currency", transactions=event("presentment_currency")["order"]["transactions"][:1]
    )
    assert (sale.tenders[0].amount, sale.totals.due, wrong(sale)) == (3333, 6667, [])


@pytest.mark.parametrize(
    ("gateway", "details", "kind", "processor"),
    [
        ("shopify_payments", {"payment_method_name": "ideal"}, "bank", None), ("paypal", {}, "wallet", "paypal"),
        ("Cash on Delivery (COD)", {}, "cash", None), ("gift_card", {}, "gift_card", None),
        ("our_own_bank", {"credit_card_company": "Visa"}, "card", "our_own_bank"), ("never_heard", {}, "unknown", "never_heard"),
        (None, {}, "unknown", None), ("", {}, "unknown", None),
    ],
)  # fmt: skip
def test_tender_types(gateway, details, kind, processor):
    tender = with_transactions(transactions__1__gateway=gateway, transactions__1__payment_details=details).tenders[1]
    assert (tender.type, tender.processor) == (kind, processor)


def test_a_manual_method_of_the_merchants_own_is_external():
    tender = with_transactions(
        transactions__1__gateway="Pay the driver", transactions__1__payment_details=ABSENT,
        transactions__1__manual_payment_gateway=True,
    ).tenders[1]  # fmt: skip
    assert (tender.type, tender.processor) == ("external", None)


def test_a_card_keeps_brand_and_last_four_even_of_a_full_number():
    details = {"credit_card_company": "American Express", "credit_card_number": "378282246310005"}
    card = with_transactions(transactions__1__payment_details=details).tenders[1].card
    assert (card.brand, card.last4) == ("amex", "0005")
    assert "378282246310005" not in str(SHOPIFY.scrub({"transaction": {"payment_details": details}}))


# --- refunds


def test_a_refund_in_its_order_is_the_refund_that_comes_alone():
    parsed = event("cancellation")
    inside = normalize(parsed)[1]
    alone = normalize(parsed["refunds"][0], "refunds/create")[0]
    assert canonical.encode(inside) == canonical.encode(alone)


def test_a_refund_without_money_of_an_unpaid_order_is_a_refund_of_nothing():
    found = refund(transactions=[])
    assert (found.status, found.totals.total, found.totals.adjustment, wrong(found)) == ("succeeded", 0, -872, [])


def test_a_refund_is_pending_as_long_as_any_of_it_is():
    found = refund("refund_less_than_lines", transactions__1__status="pending")
    assert (found.status, found.totals.total, len(found.tenders), wrong(found)) == ("pending", 600, 2, [])
    retried = refund("refund_less_than_lines", transactions__0__status="failure")
    assert (retried.status, retried.totals.total, [t.id for t in retried.tenders]) == ("succeeded", 100, ["876"])


def test_the_tax_of_a_discrepancy_is_tax():
    found = refund(
        transactions__0__amount="7.63",
        order_adjustments=[{"kind": "refund_discrepancy", "amount": "1.00", "tax_amount": "0.09"}],
    )
    assert (found.totals.adjustment, found.totals.tax, found.totals.total, wrong(found)) == (-100, 63, 763, [])


def test_a_shipping_refund_that_only_the_adjustment_tells():
    found = normalize(change(event("shipping_refund"), refund__refund_shipping_lines=[]), None)[0]
    assert (found.lines[0].type, found.totals.shipping, found.totals.tax, found.totals.total) == (
        "shipping",
        500,
        44,
        544,
    )


def test_restock_types():
    for word, ours in (("no_restock", "none"), ("cancel", "cancel"), ("return", "return"), ("legacy_restock", "return"), (None, "none"), ("x", "unknown")):  # fmt: skip
        assert refund(refund_line_items__0__restock_type=word).lines[0].restock == ours


def test_the_currency_of_a_refund_is_the_shops_else_its_moneys():
    bare = change(
        event("partial_refund_by_line"), total_duties_set=None, total_additional_fees_set=None,
        refund_line_items__0__subtotal_set=None, refund_line_items__0__total_tax_set=None,
    )  # fmt: skip
    assert normalize(bare, "refunds/create")[0].currency == "USD"
    assert codes(change(bare, transactions__0__currency=None), "refunds/create") == ["MISSING_CURRENCY currency"]


def test_money_in_the_buyers_currency_goes_back_by_the_refunds_own_ratio():
    def both(shop, buyer):
        return {
            "shop_money": {"amount": shop, "currency_code": "USD"},
            "presentment_money": {"amount": buyer, "currency_code": "CAD"},
        }

    parsed = change(
        event("partial_refund_by_line"), refund_line_items__0__subtotal_set=both("8.00", "10.95"),
        refund_line_items__0__total_tax_set=both("0.72", "0.98"), transactions__0__currency="CAD", transactions__0__amount="11.93",
    )  # fmt: skip
    found = normalize(parsed, "refunds/create")[0]
    assert (found.totals.total, found.tenders[0].amount, len(found.lines), wrong(found)) == (872, 872, 1, [])
    nothing = change(parsed, refund_line_items=[])
    assert codes(nothing, "refunds/create") == ["MISSING_RATE transactions"]


def test_the_version_of_a_refund_moves_with_its_money():
    later = refund(transactions__0__processed_at="2026-09-05T00:00:00Z")
    assert (later.source.version, later.occurred_at.day) == ("2026-09-05T00:00:00Z", 2)


def test_a_refunded_tip_is_a_tip():
    tip = {"title": "Tip", "product_id": None, "variant_id": None}
    assert (
        refund(
            refund_line_items__0__line_item=tip,
            refund_line_items__0__total_tax_set=None,
            refund_line_items__0__total_tax=0,
        )
        .lines[0]
        .type
        == "tip"
    )


# --- malformed


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        ({"id": None}, ["MISSING_ID id"]),
        ({"id": ""}, ["MISSING_ID id"]),
        ({"id": True}, ["BAD_ID id"]),
        ({"id": Decimal("1.5")}, ["BAD_ID id"]),
        ({"id": "9" * 256}, ["BAD_ID id"]),
        ({"currency": None}, ["MISSING_CURRENCY currency"]),
        ({"currency": "XXQ"}, ["UNKNOWN_CURRENCY currency"]),
        ({"total_price": None, "total_price_set": None}, ["MISSING_AMOUNT total_price"]),
        ({"total_price": {}}, ["BAD_AMOUNT total_price"]),
        ({"total_price": 12.5}, ["BAD_AMOUNT total_price"]),
        ({"total_price": "１２.00"}, ["BAD_AMOUNT total_price"]),
        ({"total_price": "1,000.00"}, ["BAD_AMOUNT total_price"]),
        ({"line_items": "none"}, ["NOT_A_LIST line_items"]),
        ({"line_items": [5]}, ["NOT_AN_OBJECT line_items[0]"]),
        ({"line_items__0__quantity": -1}, ["BAD_QUANTITY line_items[0].quantity"]),
        ({"line_items__0__quantity": 2**63}, ["BAD_QUANTITY line_items[0].quantity"]),
        ({"line_items__0__price": "90071992547409.00"}, ["AMOUNT_TOO_LARGE line_items[0].price"]),
        ({"line_items__0__sku": "x" * 1001}, ["BAD_SKU line_items[0].sku"]),
        ({"line_items__0__id": None, "updated_at": "yesterday"}, ["BAD_TIME updated_at", "MISSING_ID line_items[0].id"]),
        ({"processed_at": "2026-09-01T10:00:00"}, ["BAD_TIME processed_at"]),
        ({"processed_at": "2026-02-30T10:00:00Z"}, ["BAD_TIME processed_at"]),
        ({"processed_at": None, "created_at": None}, ["MISSING_TIME processed_at"]),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(paths, found):
    assert codes(change(event("simple_sale"), **paths)) == found


def test_amounts_finer_than_the_currency_are_refused():
    assert codes(change(event("jpy"), total_price="10.50")) == ["AMOUNT_TOO_FINE total_price"]
    assert codes(change(event("kwd"), total_price="1.2345")) == ["AMOUNT_TOO_FINE total_price"]


def test_everything_that_is_missing_is_told_at_once():
    parsed = change(
        event("simple_sale"), id=None, currency=None, total_price=None, total_price_set=None, financial_status=None
    )
    assert codes(parsed) == [
        "MISSING_ID id", "MISSING_CURRENCY currency", "MISSING_AMOUNT total_price", "MISSING_PAYMENT_STATUS financial_status",
    ]  # fmt: skip


def test_ids_are_text_whether_they_come_as_numbers_or_not():
    assert order(id="9001").source.id == order(id=9001).source.id == "9001"
    assert order(id="09001").source.id == "09001"


def test_a_lower_case_currency_is_certain():
    assert order(currency="usd").currency == "USD"


@pytest.mark.parametrize("parsed", [None, [], "x", 5, {}])
@pytest.mark.parametrize("topic", ["orders/create", "refunds/create", "order_transactions/create", None])
def test_no_object_is_refused(parsed, topic):
    assert codes(parsed, topic)


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=12), st.just([]), st.just({}), st.just([1]), st.just({"a": 1}),
    st.decimals(allow_nan=True, allow_infinity=True), st.sampled_from(["-1.00", "0.00", "1e3", "NaN", "9" * 30, "0001-01-01T00:00:00Z", "JPY", "x" * 5000]),
)  # fmt: skip
BODIES = [(c.topic, payload.parse(c.body)) for c in cases("shopify")]


def places(node, path=()):
    yield path
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(child, (*path, key))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_broken_in_a_payload_ends_in_records_or_in_codes(data):
    topic, parsed = data.draw(st.sampled_from(BODIES))
    parsed = copy.deepcopy(parsed)
    for _ in range(data.draw(st.integers(1, 3))):
        everywhere = [p for p in places(parsed) if p]
        where = everywhere[data.draw(st.integers(0, 10_000)) % len(everywhere)]
        node = parsed
        for key in where[:-1]:
            node = node[key]
        node[where[-1]] = copy.deepcopy(data.draw(JUNK))

    def outcome(of):
        try:
            records = normalize(of, topic)
        except Refused as refused:
            return sorted(p.code for p in refused.problems)
        except Ignored:
            return []
        for record in records:
            checks.check(record)
        return [canonical.encode(r) for r in records]

    found = outcome(parsed)
    assert outcome(SHOPIFY.scrub(parsed)) == found
    for one in found:
        if isinstance(one, bytes):
            kept = canonical.from_dict(json.loads(one)) if b'"discount":-' not in one else None
            assert kept is None or canonical.encode(kept) == one


# --- scrubbing


def test_personal_data_goes_wherever_it_stands():
    kept = payload.dump(SHOPIFY.scrub(event("cancellation"))).decode()
    for gone in (
        "203.0.113.7",
        "555 0100",
        "example",
        "Street",
        "token",
        "receipt",
        "properties",
        "note",
        "user_agent",
        "424242",
        "70070",
        "latitude",
    ):
        assert gone not in kept
    for stays in ("sha256:", '"10001"', '"NY"', '"New York"', '"4242"', "MUG-1"):
        assert stays in kept


def test_a_card_number_in_a_title_is_masked():
    parsed = change(event("simple_sale"), line_items__0__name="Mug 4242 4242 4242 4242")
    assert normalize(parsed)[0].lines[0].name == "Mug ***************4242"
    assert "4242 4242" not in str(SHOPIFY.scrub(parsed))


# --- the vendor's own samples, where they are at hand


needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the vendors' samples are not at {CORPUS}")


@needs_corpus
def test_every_sample_of_the_vendor_is_read_or_refused_with_a_code():
    read = 0
    for path in sorted((CORPUS / "shopify").glob("*/*.json")):
        parsed = payload.parse(path.read_bytes())
        topic = parsed.get("name") if "webhook" in path.parent.name else None
        body = parsed.get("response", parsed)
        try:
            records = normalize(body, topic)
        except (Refused, Ignored):
            continue
        read += len(records)
        for record in records:
            assert canonical.decode(canonical.encode(record)) == record, path
            if topic and topic.startswith("orders/"):
                assert any(code.endswith("_MISMATCH") for code in wrong(record)), f"{path.name} does not add up"
            else:
                assert set(wrong(record)) <= {"MISSING_JURISDICTION"}, path
        again = [canonical.encode(r) for r in normalize(SHOPIFY.scrub(body), topic)]
        assert again == [canonical.encode(r) for r in records], path
    assert read > 20


@needs_corpus
def test_the_vendors_own_signature():
    vectors = json.loads((CORPUS / "signatures" / "vectors.json").read_text(encoding="utf-8"))
    for vector in vectors:
        if vector["vendor"] == "shopify" and "body" in vector:
            headers = {vector["header"].lower(): vector["expected"]}
            SHOPIFY.verify(headers, vector["body"].encode(), Trust(secrets=(vector["secret"],)), NOW)
