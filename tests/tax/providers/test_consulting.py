"""A company's provider is asked once; where it does not answer, our own rates do, and say so."""

import json
import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection

from salessync.core.crypto import UnableToDecrypt
from salessync.core.models import Company
from tax.assessment import consulting
from tax.assessment.consulting import MAX_AGE, consult, consult_all
from tax.law.seed import seed
from tax.models import ProviderAnswer, TaxSetting
from tax.providers import breaker
from tax.providers.breaker import FAILURES, PAUSE, WINDOW, Breaker
from tests.tax.providers.stripe_server import KEY

NOW = datetime.now(UTC).replace(microsecond=0)
DOWN = (503, {}, b"{}")


@pytest.fixture
def setting(db, stripe):
    """A company that asks Stripe."""
    cache.clear()
    stripe.calls.clear()
    company = Company.objects.create(slug="acme", name="Acme", base_currency="EUR")
    setting = TaxSetting(company=company, provider="stripe", address=stripe.url)
    setting.key = KEY
    setting.save()
    yield setting
    stripe.fault, stripe.delay = None, 0.0
    cache.clear()


def sale(amount="100.00", **fields):
    return {"date": NOW.date().isoformat(), "currency": "EUR", "country": "DE", "lines": [{"amount": amount}], **fields}


def ask(setting, request=None, *, seconds=0.0, now=NOW):
    return consult(setting, sale() if request is None else request, book=seed(), now=now + timedelta(seconds=seconds))


def fail(setting, stripe, times=1, **when):
    """So many different questions that are not answered."""
    stripe.fault = DOWN
    for n in range(times):
        assert ask(setting, sale(f"{n + 1}.00"), **when).is_degraded
    stripe.fault = None


# --- the key


def test_the_key_is_sealed_and_bound_to_its_company(setting):
    setting.refresh_from_db()
    assert setting.key == KEY and KEY.encode() not in bytes(setting.sealed_key)
    other = TaxSetting(
        company=Company.objects.create(slug="other", name="Other", base_currency="EUR"), sealed_key=setting.sealed_key
    )
    with pytest.raises(UnableToDecrypt):
        assert other.key
    setting.key = ""
    assert setting.sealed_key is None and setting.key == ""


def test_a_key_that_does_not_open_is_said(setting):
    setting.sealed_key = b"x" * 40
    found = ask(setting)
    assert (found.provider, found.is_degraded, found.problem.code) == ("local", True, "ACCESS_REFUSED")


# --- the cache


def test_the_same_question_is_asked_once(setting, stripe):
    first, second = ask(setting), ask(setting)
    assert first == second and first.provider == "stripe" and not first.is_degraded and first.problem is None
    assert first.answer["tax"] == "19.00" and len(stripe.calls) == 1
    ask(setting, sale("100.01"))
    assert len(stripe.calls) == 2 and ProviderAnswer.objects.count() == 2


def test_the_order_of_keys_is_no_other_question(setting, stripe):
    ask(setting)
    ask(setting, dict(reversed(list(sale().items()))))
    assert len(stripe.calls) == 1


def test_an_old_answer_is_asked_again_and_replaced(setting, stripe):
    undated = sale(date=None)
    ask(setting, undated, now=NOW - MAX_AGE)
    assert len(stripe.calls) == 1
    request = sale(date=(NOW - timedelta(days=3)).date().isoformat())
    ask(setting, request)
    ProviderAnswer.objects.update(answered_at=NOW - MAX_AGE)
    ask(setting, request)
    ask(setting, request)
    assert len(stripe.calls) == 3
    assert ProviderAnswer.objects.filter(answered_at=NOW).count() == 1


def test_another_company_key_or_address_is_another_question(setting, stripe):
    ask(setting)
    company = Company.objects.create(slug="other", name="Other", base_currency="EUR")
    other = TaxSetting(company=company, provider="stripe", address=stripe.url)
    other.key = KEY
    ask(other)
    setting.address = stripe.url + "/"
    ask(setting)
    setting.key = "sk_test_of_another_account"
    assert ask(setting).is_degraded  # what the old key was told is not the new one's answer
    assert len(stripe.calls) == 4


def test_what_was_stored_meanwhile_stays(setting):
    ask(setting)
    row = ProviderAnswer.objects.get()
    consultation = consulting._Consultation(
        setting,
        consulting.provider("local", consulting.Access(seed(), NOW.date())),
        consulting.Access(seed(), NOW.date()),
        NOW,
    )
    consultation.service.name = "stripe"
    consultation._keep(bytes(row.digest), {"net": "other"})
    assert ProviderAnswer.objects.get().answer == row.answer


def test_our_own_answers_are_not_stored(setting, stripe):
    for name in ("local", "channel"):
        setting.provider = name
        found = ask(setting, sale(lines=[{"amount": "100.00", "charged": "19.00"}]))
        assert (found.provider, found.answer["tax"], found.problem) == (name, "19.00", None)
    stripe.fault = DOWN
    setting.provider = "stripe"
    assert ask(setting).is_degraded
    assert not ProviderAnswer.objects.exists()


# --- what goes wrong


def test_local_rates_stand_in_and_say_so(setting, stripe):
    stripe.fault = DOWN
    found = ask(setting)
    assert (found.provider, found.is_degraded, found.problem.code) == ("local", True, "PROVIDER_UNREACHABLE")
    assert found.answer["tax"] == "19.00" and found.answer["degraded"] is True
    (said,) = [w for w in found.answer["warnings"] if w["code"] == "PROVIDER_UNREACHABLE"]
    assert "stripe" in said["message"] and "503" in said["message"]
    json.dumps(found.answer)


def test_what_stripe_refuses_is_computed_with_our_rates(setting):
    found = ask(setting, sale(date="2025-01-01"))
    assert (found.provider, found.is_degraded, found.problem.code) == ("local", True, "DATE_OUT_OF_RANGE")
    assert found.answer["tax"] == "19.00"
    assert found.answer["warnings"][-1]["code"] == "PROVIDER_REFUSED" and found.answer["warnings"][-1]["path"] == "date"


@pytest.mark.parametrize(
    "request_", [{}, {"lines": 3}, sale(country="QQ"), sale(lines=[{"amount": "x"}]), sale(channel_tax="much")],
    ids=["empty", "lines", "place", "amount", "channel's tax"],
)  # fmt: skip
def test_what_nobody_can_compute_has_no_answer(setting, request_):
    found = ask(setting, request_)
    assert found.answer is None and found.problem.code and found.problem.message


def test_nobody_has_that_name(setting):
    setting.provider = "acme-tax"
    found = ask(setting)
    assert found.answer["tax"] == "19.00" and found.problem.code == "UNKNOWN_PROVIDER"


def test_a_slow_service_is_not_waited_for(setting, stripe, monkeypatch):
    monkeypatch.setattr(consulting, "TIMEOUT", 0.2)
    stripe.delay = 0.8
    assert ask(setting).problem.code == "PROVIDER_UNREACHABLE"


def test_neither_key_nor_customer_is_logged(setting, stripe, caplog):
    caplog.set_level(logging.DEBUG)
    setting.address = stripe.url
    setting.key = "sk_live_other"
    ask(setting, sale(customer={"tax_id": "DE136695976"}, city="Geheim"))
    stripe.fault = (500, {}, b"sk_live_other Geheim")
    ask(setting, sale("3.00"))
    assert "ACCESS_REFUSED" in caplog.text
    assert "sk_live_other" not in caplog.text and "Geheim" not in caplog.text and "DE136695976" not in caplog.text


# --- the comparison


def test_the_channels_tax_is_compared_and_not_part_of_the_question(setting, stripe):
    right, wrong = ask(setting, sale(channel_tax="19.00")), ask(setting, sale(channel_tax="7.00"))
    assert right.answer["verdict"] == "match" and wrong.answer["verdict"] == "rate_mismatch"
    assert "verdict" not in ask(setting).answer and len(stripe.calls) == 1


# --- the breaker


def test_five_failures_in_a_row_open_it(setting, stripe):
    fail(setting, stripe, FAILURES - 1)
    assert not ask(setting, sale("50.00")).is_degraded  # one answer, and the count begins anew
    fail(setting, stripe, FAILURES)
    stripe.calls.clear()
    found = ask(setting, sale("60.00"), seconds=PAUSE - 1)
    assert found.is_degraded and "left alone" in found.problem.message and not stripe.calls


def test_failures_far_apart_do_not_open_it(setting, stripe):
    for n in range(FAILURES + 2):
        fail(setting, stripe, seconds=n * WINDOW)
    assert not ask(setting, sale("60.00"), seconds=(FAILURES + 1) * WINDOW + 1).is_degraded


def test_what_is_known_is_answered_while_it_is_open(setting, stripe):
    ask(setting, sale("60.00"))
    fail(setting, stripe, FAILURES)
    assert not ask(setting, sale("60.00")).is_degraded


def test_one_trial_closes_it(setting, stripe):
    fail(setting, stripe, FAILURES)
    stripe.calls.clear()
    assert not ask(setting, sale("60.00"), seconds=PAUSE).is_degraded
    assert not ask(setting, sale("70.00"), seconds=PAUSE).is_degraded
    assert len(stripe.calls) == 2


def test_a_trial_that_fails_opens_it_again(setting, stripe):
    fail(setting, stripe, FAILURES)
    stripe.calls.clear()
    fail(setting, stripe, seconds=PAUSE + 10)
    assert len(stripe.calls) == 1
    assert ask(setting, sale("60.00"), seconds=2 * PAUSE + 9).is_degraded and len(stripe.calls) == 1
    assert not ask(setting, sale("60.00"), seconds=2 * PAUSE + 10).is_degraded


def test_one_company_or_service_does_not_close_anothers(setting, stripe):
    fail(setting, stripe, FAILURES)
    assert not Breaker("stripe", setting.company_id).lets_through(NOW)
    assert Breaker("stripe", setting.company_id + 1).lets_through(NOW)
    assert Breaker("opensalestax", setting.company_id).lets_through(NOW)


def test_a_rejected_key_opens_it_and_a_refused_sale_does_not(setting, stripe):
    for n in range(FAILURES + 1):
        ask(setting, sale(f"{n}.50", country="QA"))
    assert Breaker("stripe", setting.company_id).lets_through(NOW)
    setting.key = "sk_test_wrong"
    for n in range(FAILURES + 1):
        ask(setting, sale(f"{n}.50"))
    assert not Breaker("stripe", setting.company_id).lets_through(NOW)


def test_what_was_not_asked_says_nothing_of_the_service(setting, stripe):
    old = sale(date="2025-01-01")  # Stripe computes for the last days only
    fail(setting, stripe, FAILURES - 1)
    assert ask(setting, old).problem.code == "DATE_OUT_OF_RANGE"
    fail(setting, stripe)
    stripe.calls.clear()
    assert ask(setting, sale("60.00")).is_degraded and not stripe.calls
    assert ask(setting, old, seconds=PAUSE).problem.code == "DATE_OUT_OF_RANGE"  # is no trial
    assert not ask(setting, sale("60.00"), seconds=PAUSE).is_degraded


def test_only_one_of_many_tries(setting):
    guard = Breaker("stripe", setting.company_id)
    for _ in range(FAILURES):
        guard.failed(NOW)
    let, later = [], NOW + timedelta(seconds=PAUSE)
    threads = [threading.Thread(target=lambda: let.append(guard.lets_through(later))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert let.count(True) == 1
    assert guard.lets_through(later + timedelta(seconds=PAUSE))  # who tried never came back: another may


def test_it_works_without_a_cache(setting, stripe, settings):
    settings.CACHES = {"default": {"BACKEND": "nowhere.Cache"}}
    breaker._own.clear()
    fail(setting, stripe, FAILURES)
    stripe.calls.clear()
    assert ask(setting, sale("60.00")).is_degraded and not stripe.calls
    guard, later = Breaker("stripe", setting.company_id), NOW + timedelta(seconds=PAUSE)
    assert [guard.lets_through(later) for _ in range(3)] == [True, False, False]
    guard.answered()
    assert guard.lets_through(NOW)
    breaker._own.clear()


# --- many at once


def test_a_batch_does_not_wait_for_every_time_out(setting, stripe):
    stripe.fault = DOWN
    requests = [sale(f"{n}.00") for n in range(1, 41)]
    found = consult_all(setting, requests, book=seed(), now=NOW)
    assert [one.answer["gross"] for one in found] == [f"{n * 1.19:.2f}" for n in range(1, 41)]
    assert all(one.is_degraded for one in found) and len(stripe.calls) == FAILURES


def test_a_batch_that_is_known_asks_nobody(setting, stripe):
    requests = [sale(f"{n}.00") for n in range(1, 6)]
    first = consult_all(setting, requests, book=seed(), now=NOW)
    stripe.calls.clear()
    assert consult_all(setting, requests, book=seed(), now=NOW) == first and not stripe.calls


def test_an_answer_comes_back_as_it_was_given(setting):
    given = ask(setting, sale("33.33"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM tax_provideranswer")
        assert json.loads(cursor.fetchone()[0]) == given.answer
    assert ask(setting, sale("33.33")) == given
