"""Clover: the static code, what golden cases cannot show, and the conversations with its API."""

import copy
import itertools
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from channels import adapter, checks
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.client import Account, CursorExpired, Pointer, StaleStock, StockLevel
from salessync.core.problems import Refused
from tests.calls import converse, reply

CLOVER = adapter.get("clover")
CONTEXT = Context(channel="till", timezone="America/New_York")
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
MERCHANT = "MERCHANT00001"
ACCOUNT = Account(channel="till", credentials={"merchant_id": MERCHANT, "token": "t"})
ROOT = f"/v3/merchants/{MERCHANT}"
START = datetime(2026, 1, 1, tzinfo=UTC)


def ms(at):
    return round(at.timestamp() * 1000)


# --- the static code


def test_the_code_is_compared_whole():
    def verify(value, secrets=("0307e264-b33a",)):
        CLOVER.verify({"x-clover-auth": value}, b"{}", Trust(secrets=secrets), NOW)

    verify("0307e264-b33a")
    verify("0307e264-b33a", ("another", "0307e264-b33a"))
    for value in ("0307e264-b33", "0307e264-b33a ", "0307E264-B33A", ""):
        with pytest.raises(SignatureRefused):
            verify(value)
    with pytest.raises(SignatureRefused):
        verify("é", ("é",))


def test_the_greeting_tells_the_code_that_has_to_be_typed_in():
    said = CLOVER.greeting({}, b'{"verificationCode": "ce7643c1-83ea-4218-abe6-da876c9c7a0a"}')
    assert said.endswith("ce7643c1-83ea-4218-abe6-da876c9c7a0a")


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"{}", b'{"verificationCode": 5}', b'{"verificationCode": "<script>"}',
     b'{"verificationCode": "abcd-efgh", "merchants": {}}', b'{"verificationCode": "' + b"a" * 2000 + b'"}'],
)  # fmt: skip
def test_nothing_else_is_a_greeting(body):
    assert CLOVER.greeting({}, body) is None


# --- events


def event(*ids, merchant=MERCHANT, change="UPDATE"):
    return {
        "appId": "APP",
        "merchants": {merchant: [{"objectId": i, "type": change, "ts": 1788278462000 + n} for n, i in enumerate(ids)]},
    }


def test_an_event_is_told_by_object_change_and_time():
    first = CLOVER.envelope({}, event("O:ORDER1"))
    assert (first.delivery_id, first.topic) == ("O:ORDER1:UPDATE:1788278462000", "O:UPDATE")
    assert first != CLOVER.envelope({}, event("O:ORDER1", change="CREATE"))
    several = CLOVER.envelope({}, event(*(f"O:ORDER{n}" for n in range(40)), "P:PAY1"))
    assert several.topic == "several"
    assert several.delivery_id.startswith("sha256:")


def test_an_event_prints_nothing_and_points_to_its_orders_and_payments():
    message = event("O:ORDER1", "P:PAY1", "I:ITEM1", "O:../../x")
    assert CLOVER.normalize(message, "several", CONTEXT) == []
    assert CLOVER.pointer(message, "several") == Pointer("events", f"{MERCHANT}/O:ORDER1 {MERCHANT}/P:PAY1")
    assert CLOVER.pointer(event("I:ITEM1"), "I:UPDATE") is None
    with pytest.raises(Ignored):
        CLOVER.normalize(event("I:ITEM1"), "I:UPDATE", CONTEXT)


# --- orders


def order(**changes):
    base = {
        "id": "ORDER1", "currency": "USD", "total": 1000, "paymentState": "PAID", "state": "locked",
        "createdTime": 1788278400000, "modifiedTime": 1788278460000,
        "lineItems": {"elements": [{"id": "LINE1", "name": "Mug", "price": 1000}]},
        "payments": {"elements": [payment()]},
    }  # fmt: skip
    return base | changes


def payment(identifier="PAY1", amount=1000, **changes):
    tender = {"id": "T1", "labelKey": "com.clover.tender.cash"}
    return {"id": identifier, "amount": amount, "result": "SUCCESS", "tender": tender, "taxAmount": 0} | changes


def normalize(**changes):
    return CLOVER.normalize({"order": order(**changes)}, None, CONTEXT)


def problems(record):
    return [p.code for p in checks.check(record) if p.code != "MISSING_JURISDICTION"]


def test_a_list_that_was_cut_at_a_hundred_lines_does_not_pass_the_proof():
    lines = [{"id": f"L{n}", "name": "Nail", "price": 10} for n in range(400)]
    whole = normalize(lineItems={"elements": lines}, total=4000, payments={"elements": [payment(amount=4000)]})[0]
    assert problems(whole) == []
    cut = normalize(lineItems={"elements": lines[:100]}, total=4000, payments={"elements": [payment(amount=4000)]})[0]
    assert problems(cut) == ["TOTAL_MISMATCH"]


def test_the_owners_total_is_carried_through():
    sale = normalize(total=990)[0]
    assert sale.totals.total == 990
    assert "TOTAL_MISMATCH" in problems(sale)


def test_lists_may_come_bare_as_the_devices_write_them():
    bare = order()
    bare["lineItems"], bare["payments"] = bare["lineItems"]["elements"], bare["payments"]["elements"]
    assert CLOVER.normalize(bare, None, CONTEXT) == CLOVER.normalize({"order": order()}, None, CONTEXT)


def test_an_order_without_its_lines_is_refused():
    for missing in ({"lineItems": None}, {"lineItems": {"href": "…/line_items"}}):
        with pytest.raises(Refused):
            normalize(**missing)


def test_an_empty_tab_is_ignored():
    with pytest.raises(Ignored):
        normalize(lineItems={"elements": []}, payments={"elements": []}, total=0, paymentState="OPEN", state="open")


def test_payments_that_were_not_asked_for_are_not_known():
    raw = order()
    del raw["payments"]
    sale = CLOVER.normalize(raw, None, CONTEXT)[0]
    assert (sale.tenders, sale.totals.paid, sale.totals.due) == (None, None, None)


@pytest.mark.parametrize(
    ("result", "status", "paid"),
    [("SUCCESS", "captured", 1000), ("AUTH", "authorized", 0), ("AUTH_COMPLETED", "captured", 1000), ("FAIL", "failed", 0),
     ("PENDING", "pending", 0), ("VOIDED", "voided", 0), ("VOID_FAILED", "captured", 1000), ("DISCOUNT", "unknown", 0),
     (None, "unknown", 0)],
)  # fmt: skip
def test_results_of_a_payment(result, status, paid):
    sale = normalize(payments={"elements": [payment(result=result)]})[0]
    assert (sale.tenders[0].status, sale.totals.paid) == (status, paid)


def test_a_void_that_is_an_object_of_its_own_undoes_the_payment_it_names():
    void = payment("VOID1", result="SUCCESS", voidPaymentRef={"id": "PAY1"})
    sale = normalize(voids={"elements": [void]}, paymentState="OPEN", state="open")[0]
    assert [(t.id, t.status) for t in sale.tenders] == [("PAY1", "voided")]
    assert (sale.status, sale.payment_status) == ("voided", "voided")


def test_a_tab_that_is_paid_again_after_a_void_is_paid():
    sale = normalize(voids={"elements": [payment("PAY0", result="VOIDED")]})[0]
    assert (sale.status, sale.payment_status, sale.totals.paid) == ("completed", "paid", 1000)


def test_a_card_tells_the_tender_where_that_is_a_mere_reference():
    card = {"cardType": "MC", "last4": "4444", "first6": "555555", "cardholderName": "X"}
    tender = normalize(payments={"elements": [payment(tender={"id": "T9"}, cardTransaction=card)]})[0].tenders[0]
    assert (tender.type, tender.card.brand, tender.card.last4) == ("card", "mastercard", "4444")
    loaded = {"cardType": "GIFT_CARD", "last4": "0001"}
    assert normalize(payments={"elements": [payment(cardTransaction=loaded, tender=None)]})[0].tenders[0].type == (
        "gift_card"
    )


def test_an_item_that_is_no_revenue_and_has_no_telling_name_is_not_booked():
    sale = normalize(lineItems={"elements": [{"id": "L1", "name": "Thing", "price": 1000, "isRevenue": False}]})[0]
    assert "UNKNOWN_TYPE" in problems(sale)


def test_a_deleted_order_is_cancelled():
    assert normalize(deletedTime=1788278470000)[0].status == "cancelled"


def test_taxes_that_the_payments_collected_without_any_rate_are_taxes_all_the_same():
    sale = normalize(total=1089, payments={"elements": [payment(amount=1089, taxAmount=89)]})[0]
    assert (sale.totals.tax, sale.lines[0].taxes[0].rate) == (89, None)
    assert problems(sale) == []


def test_a_fixed_tax_counts_for_each_line():
    bottle = {"id": "DEPOSIT", "name": "Bottle deposit", "rate": 0, "taxAmount": 5}
    lines = [{"id": f"L{n}", "name": "Water", "price": 100, "taxRates": {"elements": [bottle]}} for n in range(2)]
    sale = normalize(
        lineItems={"elements": lines}, total=210, payments={"elements": []}, paymentState="OPEN", state="open"
    )[0]
    assert [line.tax for line in sale.lines] == [5, 5]
    assert problems(sale) == []


@pytest.mark.parametrize(("vat", "total", "tax"), [(False, 880, 80), (True, 800, 73)])
def test_what_is_taxed_is_the_price_after_discounts(vat, total, tax):
    rates = {"elements": [{"id": "R", "name": "Tax", "rate": 1000000}]}
    discounts = {"elements": [{"id": "D", "name": "Less", "amount": -200}]}
    line = {"id": "L1", "name": "Mug", "price": 1000, "taxRates": rates, "discounts": discounts}
    sale = normalize(
        lineItems={"elements": [line]}, total=total, isVat=vat, payments={"elements": []}, paymentState="OPEN",
        state="open",
    )[0]  # fmt: skip
    assert (sale.totals.tax, sale.totals.total) == (tax, total)
    assert "tax_from_rates" in sale.extensions["clover"]
    assert problems(sale) == []


def test_a_total_that_the_rates_do_not_come_near_is_not_explained_away():
    rates = {"elements": [{"id": "R", "name": "Tax", "rate": 1000000}]}
    line = {"id": "L1", "name": "Mug", "price": 1000, "taxRates": rates}
    sale = normalize(
        lineItems={"elements": [line]}, total=1102, payments={"elements": []}, paymentState="OPEN", state="open"
    )[0]
    assert problems(sale) == ["TOTAL_MISMATCH"]


def test_taxes_that_were_removed_are_gone():
    rates = {"elements": [{"id": "R", "name": "Tax", "rate": 1000000}]}
    lines = {"elements": [{"id": "L1", "name": "Mug", "price": 1000, "taxRates": rates}]}
    assert problems(normalize(lineItems=lines, taxRemoved=True)[0]) == []


def test_a_discount_never_makes_a_line_negative():
    discounts = {"elements": [{"id": "D", "name": "All of it", "amount": -5000}]}
    lines = {"elements": [{"id": "L1", "name": "Mug", "price": 1000, "discounts": discounts}]}
    sale = normalize(lineItems=lines, total=0, payments={"elements": []})[0]
    assert (sale.lines[0].discount, sale.lines[0].net) == (1000, 0)
    assert problems(sale) == []


def test_a_surcharge_inside_of_the_payment_is_not_added_to_it():
    charge = {"elements": [{"id": "C", "type": "CONVENIENCE_FEE", "amount": 50}]}
    sale = normalize(total=1000, payments={"elements": [payment(amount=1050, additionalCharges=charge)]})[0]
    assert (sale.totals.total, sale.totals.fees, sale.tenders[0].amount, sale.totals.due) == (1050, 50, 1050, 0)
    assert problems(sale) == []


def test_a_credit_of_a_sale_names_it():
    credit = {
        "id": "CR1",
        "amount": 300,
        "createdTime": 1788278500000,
        "tender": {"labelKey": "com.clover.tender.cash"},
    }
    sale, refund = normalize(credits={"elements": [credit]})
    assert (refund.sale, refund.totals.total, refund.status) == (sale.source.id, 300, "succeeded")
    undone = normalize(credits={"elements": [credit | {"creditRefunds": {"elements": [{"id": "X"}]}}]})[1]
    assert undone.status == "cancelled"
    assert undone.source.version > refund.source.version or undone.source.version == "2026-09-01T16:01:40Z"


def test_refund_versions_order_its_states():
    def refund(**changes):
        raw = {"id": "R1", "amount": 100, "createdTime": 1788278405000, "payment": {"id": "PAY1"}} | changes
        return normalize(refunds={"elements": [raw]})[1]

    made, failed = refund(status="SUCCESS"), refund(status="FAIL")
    assert (made.status, failed.status) == ("succeeded", "failed")
    assert made.source.version < failed.source.version


def test_a_number_that_json_readers_would_round_is_refused():
    with pytest.raises(Refused) as caught:
        normalize(total=2**53)
    assert [p.code for p in caught.value.problems] == ["AMOUNT_TOO_LARGE"]


# --- the API


class Api:
    """A merchant's orders, payments and refunds, served by the documented rules."""

    def __init__(self, orders=(), payments=(), refunds=()):
        self.lists = {"orders": list(orders), "payments": list(payments), "refunds": list(refunds)}
        self.lines = {}
        self.windows = []
        self.before = lambda ask: None

    def order(self, identifier):
        return next((o for o in self.lists["orders"] if o["id"] == identifier), None)

    def __call__(self, ask):
        self.before(ask)
        assert len(ask.params.get("expand", "").split(",")) <= 3
        parts = ask.path.removeprefix(ROOT + "/").split("/")
        if len(parts) == 1:
            return self._list(parts[0], ask)
        if parts[0] != "orders":
            found = next((o for o in self.lists[parts[0]] if o["id"] == parts[1]), None)
            return self._one(found, ask)
        found = self.order(parts[1])
        if len(parts) == 2:
            return self._one(found, ask)
        rows = self.lines.get(parts[1], []) if parts[2] == "line_items" else []
        offset, limit = ask.params.get("offset", 0), min(ask.params["limit"], 1000)
        return reply({"elements": rows[offset : offset + limit]})

    def _one(self, found, ask):
        if found is None:
            assert 404 in ask.accepts
            return reply({"message": "Not Found"}, 404)
        return reply(copy.deepcopy(found))

    def _list(self, name, ask):
        """No order is promised: the rows come as they lie."""
        (low, high) = (re.fullmatch(r"(\w+)([<>]=)(\d+)", f) for f in ask.params["filter"])
        assert (low[2], high[2], low[1]) == (">=", "<=", high[1])
        assert int(high[3]) - int(low[3]) < 90 * 86_400_000, "Clover cuts longer windows"
        self.windows.append((low[1], int(low[3]), int(high[3])))
        rows = [o for o in self.lists[name] if int(low[3]) <= o[low[1]] <= int(high[3])]
        offset = ask.params.get("offset", 0)
        return reply({"elements": copy.deepcopy(rows[offset : offset + ask.params["limit"]])})


def small(n, at, **changes):
    return {"id": f"ORDER{n}", "currency": "USD", "modifiedTime": ms(at), "createdTime": ms(at)} | changes


def ids(told):
    return [f.payload["order"]["id"] for page in told.pages for f in page.found]


def poll(api, stream="orders", since=START, until=NOW, cursor=None, created=False):
    return converse(CLOVER.poll(stream, ACCOUNT, since=since, until=until, cursor=cursor, created=created), api)


def many(count, step=timedelta(hours=1)):
    made = [small(n, START + n * step) for n in range(count)]
    return made[::2] + made[1::2]  # in no order


def test_every_order_of_the_window_comes_once():
    told = poll(Api(many(450)))
    assert sorted(ids(told)) == sorted(f"ORDER{n}" for n in range(450))
    assert told.pages[-1].cursor is None
    assert all(page.cursor for page in told.pages[:-1])


def test_the_windows_lie_side_by_side():
    """Each page is one answer that held all of its window; nothing lies between two of them."""
    api = Api(many(450))
    told = poll(api)
    held = [w for w in api.windows if sum(w[1] <= o["modifiedTime"] <= w[2] for o in api.lists["orders"]) < 100]
    assert len(held) == len(told.pages)
    assert (held[0][1], held[-1][2]) == (ms(START), ms(NOW))
    assert all(after[1] == before[2] + 1 for before, after in itertools.pairwise(held))


def test_a_poll_goes_on_after_any_cursor():
    whole = poll(Api(many(450)))
    for index, page in enumerate(whole.pages[:-1]):
        rest = poll(Api(many(450)), cursor=page.cursor)
        assert ids(rest) == [f.payload["order"]["id"] for p in whole.pages[index + 1 :] for f in p.found]


def test_an_order_that_changes_while_the_list_is_read_is_not_lost():
    """It leaves the window that is being read, so no other one may slip through in its place; the next poll brings it."""
    api = Api(many(250))
    late = ms(NOW + timedelta(seconds=1))

    def touch(ask):
        if ask.path == f"{ROOT}/orders" and len(api.windows) == 1:
            api.order("ORDER0")["modifiedTime"] = late

    api.before = touch
    first = set(ids(poll(api)))
    second = set(ids(poll(api, since=NOW, until=NOW + timedelta(hours=1))))
    assert first | second == {f"ORDER{n}" for n in range(250)}


def test_more_orders_in_one_millisecond_than_an_answer_holds():
    told = poll(Api([small(n, START) for n in range(230)]), until=START)
    assert len(set(ids(told))) == 230


def test_an_empty_window_is_one_page():
    told = poll(Api(), until=START + timedelta(days=80))
    assert (len(told.asks), [p.found for p in told.pages], told.pages[-1].cursor) == (1, [()], None)


def test_what_is_asked_for_by_creation_is_filtered_by_creation():
    api = Api(many(3))
    poll(api, created=True)
    assert {field for field, _, _ in api.windows} == {"createdTime"}


def test_payments_and_refunds_bring_their_orders():
    at = START + timedelta(days=1)
    orders = [small(n, START - timedelta(days=9)) for n in range(3)]
    payments = [{"id": f"P{n}", "order": {"id": f"ORDER{n % 2}"}, "modifiedTime": ms(at)} for n in range(4)]
    refunds = [{"id": "R1", "orderRef": {"id": "ORDER2"}, "createdTime": ms(at)}, {"id": "R2", "createdTime": ms(at)}]
    api = Api(orders, payments, refunds)
    assert ids(poll(api, "payments")) == ["ORDER0", "ORDER1"]
    assert ids(poll(api, "refunds")) == ["ORDER2"]


def test_an_order_that_is_deleted_meanwhile_is_passed_over():
    api = Api(many(3))

    def delete(ask):
        if ask.path == f"{ROOT}/orders/ORDER1":
            api.lists["orders"] = [o for o in api.lists["orders"] if o["id"] != "ORDER1"]

    api.before = delete
    assert sorted(ids(poll(api))) == ["ORDER0", "ORDER2"]


@pytest.mark.parametrize("cursor", ["", "x", "1", "1:2:3", "-1:5", "1:é"])
def test_a_cursor_that_is_not_ours_begins_anew(cursor):
    with pytest.raises(CursorExpired):
        poll(Api(), cursor=cursor)


@pytest.mark.parametrize("body", [None, [], {}, {"elements": None}, {"elements": {}}])
def test_an_answer_without_a_list_is_not_an_empty_one(body):
    with pytest.raises(Refused):
        poll(lambda ask: reply(body))


def test_all_lines_are_fetched_page_by_page():
    api = Api([small(1, START)])
    api.lines["ORDER1"] = [{"id": f"L{n}", "price": 1} for n in range(2400)]
    found = converse(CLOVER.fetch(Pointer("order", "ORDER1"), ACCOUNT), api).result
    assert [line["id"] for line in found.payload["order"]["lineItems"]["elements"]] == [f"L{n}" for n in range(2400)]


def test_an_order_that_changes_between_two_answers_is_read_again():
    api = Api([small(1, START, total=1)])

    def change(ask):
        if ask.path.endswith("/payments") and api.order("ORDER1")["total"] == 1:
            api.order("ORDER1").update(total=2, modifiedTime=ms(NOW))

    api.before = change
    told = converse(CLOVER.fetch(Pointer("order", "ORDER1"), ACCOUNT), api)
    assert told.result.payload["order"]["total"] == 2
    assert len(told.asks) == 8


def test_an_event_fetches_each_order_once():
    api = Api([small(1, START), small(2, START)], [{"id": "P1", "order": {"id": "ORDER1"}}])
    pointer = CLOVER.pointer(event("O:ORDER1", "P:P1", "O:ORDER2"), "several")
    told = converse(CLOVER.fetch(pointer, ACCOUNT), api)
    assert [o["id"] for o in told.result.payload["orders"]] == ["ORDER1", "ORDER2"]
    one = converse(CLOVER.fetch(CLOVER.pointer(event("P:P1"), "P:CREATE"), ACCOUNT), api)
    assert one.result.payload["order"]["id"] == "ORDER1"


def test_events_of_another_merchant_are_not_asked_for():
    pointer = CLOVER.pointer(event("O:ORDER1", merchant="OTHER00000001"), "O:UPDATE")
    told = converse(CLOVER.fetch(pointer, ACCOUNT), Api([small(1, START)]))
    assert (told.asks, told.result) == ([], None)


@pytest.mark.parametrize("pointer", [Pointer("order", "NONE"), Pointer("payment", "NONE"), Pointer("order", "../x")])
def test_what_is_not_there_is_none(pointer):
    assert converse(CLOVER.fetch(pointer, ACCOUNT), Api()).result is None


def test_what_is_fetched_is_read():
    api = Api([order()])
    api.lines["ORDER1"] = order()["lineItems"]["elements"]
    found = converse(CLOVER.fetch(Pointer("order", "ORDER1"), ACCOUNT), api).result
    sale = CLOVER.normalize(json.loads(json.dumps(found.payload)), found.topic or None, CONTEXT)[0]
    assert (sale.source.id, sale.totals.total) == ("ORDER1", 1000)


# --- tokens, hosts, stock


def test_hosts_by_region():
    def host(test=False, **credentials):
        return CLOVER.base_url(Account(channel="c", credentials=credentials, test=test))

    assert host() == "https://api.clover.com"
    assert host(region="eu") == "https://api.eu.clover.com"
    assert host(test=True, region="eu") == "https://apisandbox.dev.clover.com"
    assert CLOVER.authorization(ACCOUNT) == {"Authorization": "Bearer t"}


def test_tokens_are_renewed_together():
    account = Account(
        channel="c", credentials={"merchant_id": "M", "token": "a", "client_id": "i", "refresh_token": "r"}
    )
    ask = CLOVER.refresh(account)
    assert (ask.method, ask.path, ask.json) == ("POST", "/oauth/v2/refresh", {"client_id": "i", "refresh_token": "r"})
    answer = {
        "access_token": "b",
        "access_token_expiration": 1788282000,
        "refresh_token": "s",
        "refresh_token_expiration": 1,
    }
    renewed = CLOVER.renewed(reply(answer), account, NOW)
    assert renewed == {
        "merchant_id": "M", "token": "b", "client_id": "i", "refresh_token": "s", "expires_at": 1788282000,
    }  # fmt: skip
    assert CLOVER.refresh(ACCOUNT) is None
    with pytest.raises(Refused):
        CLOVER.renewed(reply({"message": "no"}), account, NOW)


def test_a_refusal_says_how_long_to_wait():
    assert CLOVER.pause(reply(None, 429, retry_after="7")) == 7
    assert CLOVER.pause(reply(None, 429, retry_after="soon")) == 0
    assert CLOVER.pause(reply(None)) == 0


def level(**changes):
    values = {"item_id": "ITEM1", "location": "L", "available": "4", "expected": "7", "key": "k", "at": NOW} | changes
    return StockLevel(**values)


def test_stock_is_set_where_it_is_what_we_think():
    told = converse(CLOVER.push_stock(ACCOUNT, level()), lambda ask: reply({"quantity": 7, "stockCount": 7}))
    assert [(a.method, a.path, a.json) for a in told.asks] == [
        ("GET", f"{ROOT}/item_stocks/ITEM1", None),
        ("POST", f"{ROOT}/item_stocks/ITEM1", {"quantity": 4}),
    ]
    unknown = converse(CLOVER.push_stock(ACCOUNT, level(expected=None, available="2.5")), lambda ask: reply({}))
    assert [a.json for a in unknown.asks] == [{"quantity": 2.5}]


@pytest.mark.parametrize(("body", "actual"), [({"quantity": 5}, "5"), ({}, None), (None, None)])
def test_stock_that_moved_meanwhile_is_not_overwritten(body, actual):
    with pytest.raises(StaleStock) as caught:
        converse(CLOVER.push_stock(ACCOUNT, level()), lambda ask: reply(body))
    assert caught.value.actual == actual


def test_an_item_that_would_change_the_address_is_refused():
    with pytest.raises(Refused):
        converse(CLOVER.push_stock(ACCOUNT, level(item_id="a/../b")), lambda ask: reply({"quantity": 7}))
