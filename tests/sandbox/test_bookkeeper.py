"""The sandbox Bookkeeper by itself: what it refuses, what it remembers, and that its books check."""

import json
import time
import uuid

import pytest
import requests
import standardwebhooks
from beancount import loader
from beancount.core import data, realization

from tests.sandbox.running import SECRET, RunningBookkeeper


def posting(account, amount, currency="USD", base=None, **more):
    return {
        "account": account, "amount": amount, "currency": currency, "base_amount": amount if base is None else base,
        "channel": "main-shop", "location": None, "tax_code": None, "category": None, "path": "lines/1",
    } | more  # fmt: skip


def entry(n=1, postings=None, currency="USD", **more):
    return {
        "id": f"acme:{n}", "seq": n, "date": "2026-09-01", "currency": currency,
        "source": {"type": "sale", "channel": "main-shop", "id": f"S{n}", "version": "1"},
        "record": {"schema": "salessync/1", "type": "sale", "source": {"id": f"S{n}"}},
        "postings": postings or [posting("Assets:Till:Main", 1250, currency), posting("Income:Sales", -1250, currency)],
    } | more  # fmt: skip


def post(bookkeeper, entries, *, key="msg_1", secret=SECRET, at=None, body=None, headers=None):
    body = json.dumps({"entries": entries}) if body is None else body
    at = int(time.time()) if at is None else at
    to_sign = f"{key}.{at}.{body}".encode()
    signature = standardwebhooks.webhooks.hmac_data(standardwebhooks.Webhook(secret)._whsecret, to_sign)
    signed = {
        "Idempotency-Key": key, "webhook-id": key, "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{standardwebhooks.webhooks.base64.b64encode(signature).decode()}",
    }  # fmt: skip
    return requests.post(bookkeeper.url, data=body.encode(), headers=signed | (headers or {}), timeout=5)


def results(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One for all tests that must leave it as it was."""
    running = RunningBookkeeper(tmp_path_factory.mktemp("shared"))
    try:
        yield running
        assert [id_ for id_ in running.accepted() if id_ != "acme:good"] == []
    finally:
        running.kill()


def test_accepted_then_duplicate_with_the_same_receipt(bookkeeper):
    [first] = results(post(bookkeeper, [entry()]))
    assert first["status"] == "accepted" and first["acknowledgement"]
    [again] = results(post(bookkeeper, [entry()]))
    assert again == first | {"status": "duplicate"}
    [other] = results(post(bookkeeper, [entry(date="2026-09-02")], key="msg_2"))
    assert other["status"] == "refused" and other["acknowledgement"] is None and "another entry" in other["error"]


def test_the_same_entry_twice_in_one_batch(bookkeeper):
    assert [r["status"] for r in results(post(bookkeeper, [entry(), entry()]))] == ["accepted", "duplicate"]


def test_a_key_stands_for_one_body(bookkeeper):
    post(bookkeeper, [entry(1)])
    assert post(bookkeeper, [entry(2)]).status_code == 422
    assert list(bookkeeper.accepted()) == ["acme:1"]


@pytest.mark.parametrize(
    "more",
    [
        {"secret": "whsec_b3RoZXI="},
        {"at": 0},
        {"seconds_off": 400},
        {"seconds_off": -400},
        {"headers": {"webhook-signature": ""}},
        {"headers": {"webhook-signature": "v1"}},
        {"headers": {"webhook-signature": "v1,é".encode("latin-1")}},
        {"headers": {"webhook-timestamp": "now"}},
        {"headers": {"webhook-id": "msg_2"}},
    ],
)
def test_what_is_not_signed_is_not_read(shared, more):
    if off := more.get("seconds_off"):
        more = {"at": int(time.time()) + off}
    assert post(shared, [entry()], **more).status_code == 401
    assert shared.accepted().keys() <= {"acme:good"}


def changed(path, value):
    found = entry()
    at = found
    for step in path[:-1]:
        at = at[step]
    if value is KeyError:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["seq"], 0), (["seq"], True), (["seq"], "1"), (["date"], "2026-02-30"), (["date"], "1969-12-31"), (["date"], "20260901"),
        (["currency"], "usd"), (["currency"], "EUR"), (["record"], None), (["record"], KeyError), (["extra"], 1),
        (["record", "type"], "refund"), (["record", "source", "id"], "S2"), (["source", "type"], "order"),
        (["source", "type"], ["sale"]), (["source", "version"], None), (["postings"], []), (["postings", 1], None),
        (["postings", 0, "amount"], 1251), (["postings", 0, "base_amount"], 1249), (["postings", 0, "amount"], 1250.0),
        (["postings", 0, "amount"], "1250"), (["postings", 0, "amount"], 2**53), (["postings", 0, "account"], "Bank:Main"),
        (["postings", 0, "account"], "Assets:till"), (["postings", 0, "path"], ""), (["postings", 0, "channel"], KeyError),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_refused_by_itself(shared, path, value):
    bad, good = changed(path, value), entry(2, id="acme:good")
    statuses = [r["status"] for r in results(post(shared, [bad, good], key=f"msg_{uuid.uuid4().hex}"))]
    assert statuses[0] == "refused" and statuses[1] in ("accepted", "duplicate")
    assert list(shared.accepted()) == ["acme:good"]


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", "x", '{"entries": []}', '{"entries": [1]}', '{"entries": [{"id": NaN}]}', "[" * 100_000,
     '{"entries": [], "entries": []}', json.dumps({"entries": [entry(n) for n in range(1, 1002)]})],
)  # fmt: skip
def test_a_body_that_is_none_is_refused_whole(shared, body):
    assert post(shared, [], body=body).status_code == 400
    assert shared.accepted().keys() <= {"acme:good"}


def test_in_base_currency_both_amounts_agree(bookkeeper):
    legs = [posting("Assets:Till:Main", 100, base=90), posting("Income:Sales", -100, base=-90)]
    assert results(post(bookkeeper, [entry(1, legs)]))[0]["status"] == "refused"


def test_reading_back(bookkeeper):
    sent = [entry(n) for n in range(1, 6)]
    receipts = [r["acknowledgement"] for r in results(post(bookkeeper, sent))]

    def get(**params):
        return requests.get(bookkeeper.url, params=params, timeout=5).json()

    assert get(after=2)["entries"] == [
        e | {"acknowledgement": r} for e, r in list(zip(sent, receipts, strict=True))[2:]
    ]
    assert get(after=5) == {"entries": []}
    assert get(id="acme:4")["entries"][0]["id"] == "acme:4"
    assert get(id="acme:40") == {"entries": []}
    assert get() == {"accepted": 5}
    assert requests.get(bookkeeper.url, params={"after": "x"}, timeout=5).status_code == 400


def test_it_remembers_through_a_kill_and_writes_the_same_file_again(bookkeeper):
    before = results(post(bookkeeper, [entry(n) for n in range(1, 4)]))
    written = bookkeeper.file.read_text()
    bookkeeper.kill()
    bookkeeper.file.write_text("torn")
    bookkeeper.start()
    assert bookkeeper.file.read_text() == written
    after = results(post(bookkeeper, [entry(n) for n in range(1, 4)]))
    assert after == [r | {"status": "duplicate"} for r in before]


def balances(file):
    """account → {currency: amount}, as beancount adds it up."""
    entries, errors, _ = loader.load_file(str(file))
    assert errors == []
    assert all(isinstance(e, data.Open | data.Transaction) for e in entries)
    tree = realization.realize(entries)
    found = {}
    for account in realization.iter_children(tree):
        amounts = {p.units.currency: str(p.units.number) for p in account.balance.reduce(lambda p: p.units)}
        if amounts:
            found[account.account] = amounts
    return found


def test_its_books_check_in_every_kind_of_currency(bookkeeper):
    odd = entry(2, source={"type": "sale", "channel": 'a"b\\c', "id": "é\n☕", "version": "1"})
    odd["record"]["source"]["id"] = "é\n☕"
    sent = [
        entry(1),
        odd,
        entry(
            3,
            [posting("Assets:Till:Main", 500, "JPY", 333), posting("Income:Sales", -500, "JPY", -333)],
            "JPY",
        ),
        entry(
            4,
            [posting("Assets:Till:Main", 1234, "KWD", 4012), posting("Income:Sales", -1234, "KWD", -4012)],
            "KWD",
        ),
        entry(
            5,
            [
                posting("Assets:Clearing:Stripe", -9200, "EUR", -10007),
                posting("Assets:Bank", 10000),
                posting("Expenses:Fx", 7),
            ],
        ),
        entry(
            6,
            [
                posting("Assets:Clearing:Stripe", -65, "EUR", -100),
                posting("Assets:Bank", 97),
                posting("Expenses:Fx", 3),
            ],
        ),
        entry(7, [posting("Assets:Clearing:Stripe", 0, "EUR", 3), posting("Expenses:Fx", -3)]),
        entry(8, [posting("Assets:Clearing:Stripe", 1, "EUR", -1), posting("Expenses:Fx", 1)]),
    ]
    assert {r["status"] for r in results(post(bookkeeper, sent))} == {"accepted"}
    assert balances(bookkeeper.file) == {
        "Assets:Till:Main": {"USD": "25.00", "JPY": "500", "KWD": "1.234"},
        "Income:Sales": {"USD": "-25.00", "JPY": "-500", "KWD": "-1.234"},
        "Assets:Clearing:Stripe": {"EUR": "-92.64"},
        "Equity:Conversion-differences": {"USD": "0.02"},
        "Assets:Bank": {"USD": "100.97"},
        "Expenses:Fx": {"USD": "0.08"},
    }


def test_several_currencies_need_a_base_currency(tmp_path):
    running = RunningBookkeeper(tmp_path, base_currency=None)
    legs = [posting("Assets:Clearing:Stripe", -92, "EUR", -100), posting("Assets:Bank", 100)]
    try:
        [result] = results(post(running, [entry(1, legs)]))
        assert result["status"] == "refused" and "base currency" in result["error"]
    finally:
        running.stop()


def test_faults_come_as_ordered_and_end(bookkeeper):
    bookkeeper.fail("429", 1, retry_after="7")
    bookkeeper.fail("drop")
    bookkeeper.fail("drop_reply")
    first = post(bookkeeper, [entry()])
    assert (first.status_code, first.headers["Retry-After"]) == (429, "7")
    assert bookkeeper.accepted() == {}
    for accepted in (0, 1):
        with pytest.raises(requests.ConnectionError):
            post(bookkeeper, [entry()])
        assert len(bookkeeper.accepted()) == accepted
    assert results(post(bookkeeper, [entry()]))[0]["status"] == "duplicate"
    order = requests.post(bookkeeper.url.replace("entries", "_faults"), json={"mode": "no such"}, timeout=5)
    assert order.status_code == 400


# --- what people do in it by hand


def get(bookkeeper, **params):
    return requests.get(bookkeeper.url, params=params, timeout=5).json()["entries"]


def test_a_page_is_as_long_as_it_was_asked_for(bookkeeper):
    post(bookkeeper, [entry(n) for n in range(1, 6)])
    assert [e["seq"] for e in get(bookkeeper, after=1, limit=2)] == [2, 3]
    post(bookkeeper, [entry(7, id="other:7", seq=2)], key="msg_2")
    assert [e["id"] for e in get(bookkeeper, after=1, limit=1)] == [
        "acme:2",
        "other:7",
    ]  # one number is never torn apart
    assert requests.get(bookkeeper.url, params={"after": 0, "limit": "all"}, timeout=5).status_code == 400


def test_an_edited_entry_is_told_as_it_is_now_and_still_taken_for_the_one_that_was_sent(bookkeeper):
    [receipt] = results(post(bookkeeper, [entry(1)]))
    bookkeeper.by_hand("edit", id="acme:1", changes={"date": "2026-12-24"})
    assert get(bookkeeper, id="acme:1")[0]["date"] == "2026-12-24"
    assert "2026-12-24 *" in bookkeeper.file.read_text()
    assert results(post(bookkeeper, [entry(1)], key="msg_2")) == [receipt | {"status": "duplicate"}]


def test_a_deleted_entry_is_gone_or_marked_and_a_marked_one_comes_back(bookkeeper):
    post(bookkeeper, [entry(n) for n in range(1, 4)])
    bookkeeper.by_hand("delete", id="acme:1")
    bookkeeper.by_hand("delete", id="acme:2", mark=True)
    assert [(e["id"], e.get("deleted")) for e in get(bookkeeper, after=0)] == [("acme:2", True), ("acme:3", None)]
    assert balances(bookkeeper.file)["Assets:Till:Main"] == {"USD": "12.50"}
    bookkeeper.kill()
    bookkeeper.start()
    assert balances(bookkeeper.file)["Assets:Till:Main"] == {"USD": "12.50"}
    bookkeeper.by_hand("restore", id="acme:2")
    assert [r["status"] for r in results(post(bookkeeper, [entry(1), entry(2)], key="msg_2"))] == ["accepted", "duplicate"]  # fmt: skip
    assert balances(bookkeeper.file)["Assets:Till:Main"] == {"USD": "37.50"}
    order = requests.post(bookkeeper.url.replace("entries", "_delete"), json={"id": "acme:9"}, timeout=5)
    assert order.status_code == 404
    assert requests.post(bookkeeper.url.replace("entries", "_edit"), json={}, timeout=5).status_code == 400


def test_nothing_is_booked_on_a_closed_account_or_a_closed_day(bookkeeper):
    post(bookkeeper, [entry(1)])
    bookkeeper.by_hand("account", code="Income:Sales", name="Sales", active=False)
    bookkeeper.by_hand("account", code="4000", name="Turnover")
    assert bookkeeper.told("accounts")["accounts"] == [
        {"code": "4000", "name": "Turnover", "kind": "asset", "active": True},
        {"code": "Assets:Till:Main", "name": "Main", "kind": "asset", "active": True},
        {"code": "Income:Sales", "name": "Sales", "kind": "income", "active": False},
    ]
    [refused] = results(post(bookkeeper, [entry(2)], key="msg_2"))
    assert (refused["status"], refused["error"]) == ("refused", "the account Income:Sales is closed")
    bookkeeper.by_hand("account", code="Income:Sales", name="Sales", active=True)
    bookkeeper.by_hand("lock", through="2026-09-01")
    assert bookkeeper.told("lock") == {"through": "2026-09-01"}
    late = [entry(2), entry(3, date="2026-09-02"), entry(1)]
    assert [r["status"] for r in results(post(bookkeeper, late, key="msg_3"))] == ["refused", "accepted", "duplicate"]
    bookkeeper.by_hand("lock", through=None)
    assert results(post(bookkeeper, [entry(2)], key="msg_4"))[0]["status"] == "accepted"


def test_reading_back_fails_when_it_is_told_to_and_pushing_does_not(bookkeeper):
    bookkeeper.fail("503", of="read")
    assert results(post(bookkeeper, [entry(1)]))[0]["status"] == "accepted"
    assert requests.get(bookkeeper.url, params={"after": 0}, timeout=5).status_code == 503
    assert [e["id"] for e in get(bookkeeper, after=0)] == ["acme:1"]
