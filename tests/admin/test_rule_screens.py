"""Account rules in the admin: nothing is saved before it was shown what changes, and what was shown is what is posted."""

from datetime import date, timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone
from msgspec.structs import replace

from channels.models import Channel
from ledger import account_rules, periods, rebuild
from ledger.admin import rule_preview, rules
from ledger.models import Account, AccountRule, JournalEntry, Rebuild
from ledger.rebuild import Scope
from salessync import verify
from salessync.core.models import AuditRow
from tests.admin.scenes import NASTY
from tests.records import line, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db

SINCE = date(2026, 9, 1)
BOOK, TOY = (replace(line(taxes=[]), category=c) for c in ("books", "toys"))
LIST, ADD = (reverse(f"admin:ledger_accountrule_{name}") for name in ("changelist", "add"))


@pytest.fixture
def world(world):
    world.send(sale([BOOK], id_="B-1"), sale([BOOK, replace(TOY, id="2")], id_="B-2"), sale([TOY], id_="B-3"))
    return world


def said(world, **more):
    """What a person fills in."""
    given = {"company": world.company.pk, "channel": "", "kind": "", "category": "books", "tax_code": "", "role": "",
             "account_code": "Income:Books", "valid_from": SINCE.isoformat(), "valid_to": ""}  # fmt: skip
    return given | more


def text_of(response):
    return " ".join(response.content.decode().split())


def told(response):
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def made(world, **more):
    account = account_rules.account_named(world.company, more.pop("account", "Income:Books"))
    given = {"company": world.company, "account": account, "category": "books", "valid_from": SINCE} | more
    return account_rules.add(rule=AccountRule(**given), actor="anna", sentence="as said")


def page_of(rule):
    return reverse("admin:ledger_accountrule_change", args=[rule.pk])


# --- adding


def test_the_preview_shows_what_would_be_posted_and_saves_nothing(as_, world):
    entries = JournalEntry.objects.count()
    accounts = Account.objects.count()
    text = text_of(as_("administrator").post(ADD, said(world, _preview="")))
    assert "Income of category &quot;books&quot; goes to Income:Books from 2026-09-01." in text
    assert "<dt>Transactions that change</dt><dd>2</dd>" in text
    assert '<tr><td>Income:Books</td><td class="n"></td><td class="n">20.00 USD</td></tr>' in text
    assert '<tr><td>Income:Sales</td><td class="n">20.00 USD</td><td class="n"></td></tr>' in text
    assert "<td><div>Income:Sales −10.00 USD</div></td> <td><div>Income:Books −10.00 USD</div></td>" in text
    assert f"{world.till}: sale B-1" in text
    for button in ("Save and post the difference", "Save only for what comes from now on", "Back"):
        assert button in text
    assert (AccountRule.objects.count(), Rebuild.objects.count()) == (0, 0)
    assert (JournalEntry.objects.count(), Account.objects.count()) == (entries, accounts)


def test_saving_posts_what_was_shown_and_leaves_a_trail(as_, world):
    response = as_("administrator").post(ADD, said(world, _post=""))
    rule = AccountRule.objects.get()
    assert response.url == page_of(rule)
    assert "goes to Income:Books from 2026-09-01. 2 differences were posted." in told(response)
    assert world.balances()["Income:Books"] == -2000
    assert Account.objects.get(code="Income:Books").kind == "income"
    asked = rule.rebuilds.get()
    assert (asked.asked_by, asked.entries, asked.done_at is not None) == ("administrator", 2, True)
    row = AuditRow.objects.get(object_type="accountrule")
    assert (row.actor, row.action, row.object_id) == ("administrator", "added", rule.pk)
    assert [law.law for law in verify.verify_books() if law.violations] == []
    text = text_of(as_("auditor").get(page_of(rule)))
    assert "2 differences were posted." in text
    assert "administrator" in text
    assert "Last day in force" not in text  # an auditor only reads
    assert "goes to Income:Books from 2026-09-01." in text_of(as_("auditor").get(LIST))


def test_saving_only_for_what_comes_leaves_what_stands(as_, world):
    before = world.balances()
    tomorrow = account_rules.untouched_from(world.company, timezone.now())
    response = as_("administrator").post(ADD, said(world, _later=""))
    assert AccountRule.objects.get().valid_from == tomorrow > timezone.now().date()
    assert "Nothing that stood had to change." in told(response)
    assert world.balances() == before
    text = text_of(as_("administrator").post(ADD, said(world, category="toys", valid_from=tomorrow.isoformat())))
    assert "Nothing that stands. It tells for what comes." in text
    assert "from now on" not in text
    assert "Save and post the difference" not in text


def test_conditions_may_be_as_long_as_they_can_be(as_, world):
    """Also for the index that compares them, whatever the alphabet."""
    longest = {"category": "".join(chr(0x4E00 + n * 7) for n in range(500)), "tax_code": "税" * 200 + "*",
               "role": "Income:" + "X" * 193, "account_code": "Income:" + "Y" * 193}  # fmt: skip
    assert as_("administrator").post(ADD, said(world, **longest, _post="")).status_code == 302
    rule = AccountRule.objects.get()
    assert "X" * 193 in text_of(as_("auditor").get(page_of(rule)))
    assert len(rule.rebuilds.get().reason) <= 1000


def test_going_back_keeps_what_was_said(as_, world):
    client = as_("administrator")
    response = client.post(ADD, said(world, category='a "b" & c', kind="item", tax_code="US-*"))
    back = response.context["step"].back
    form = client.get(back).context["adminform"].form
    assert {name: form[name].value() for name in form.fields} == {
        name: str(value) for name, value in said(world, category='a "b" & c', kind="item", tax_code="US-*").items()
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"category": ""}, "Say what goes there"),
        ({"account_code": "Books"}, "is no account&#x27;s name"),
        ({"account_code": ""}, "This field is required"),
        ({"valid_from": "soon"}, "Enter a valid date"),
        ({"valid_to": "2026-08-01"}, "It would end before it begins."),
        ({"role": "Income:Sales", "account_code": "Assets:Bank"}, "is income and cannot go to Assets:Bank"),
        ({"account_code": "Income:Cash-rounding"}, "holds declared cash rounding and nothing else"),
        ({"kind": "nonsense"}, "Select a valid choice"),
        ({"category": "x" * 501}, "at most 500 characters"),
        ({"company": "no"}, "Select a valid choice"),
    ],
)
@pytest.mark.parametrize("button", ["_preview", "_post", "_later"])
def test_what_cannot_be_is_said_at_its_place(as_, world, changes, words, button):
    response = as_("administrator").post(ADD, said(world, **{button: ""}, **changes))
    if button == "_later" and "valid_from" in changes:
        return  # the button says the day
    assert response.status_code == 200
    assert words in text_of(response)
    assert not AccountRule.objects.exists()


def test_a_channel_of_another_company_is_refused(as_, world):
    other = World()
    assert f"It belongs to {other.company}." in text_of(
        as_("administrator").post(ADD, said(world, channel=other.till.pk))
    )


def test_the_same_conditions_on_the_same_days_name_the_rule_that_holds(as_, world):
    made(world, valid_to=SINCE + timedelta(days=9))
    client = as_("administrator")
    text = text_of(client.post(ADD, said(world, account_code="Income:Other")))
    assert "It has the conditions of another rule: “Income of category &quot;books&quot; goes to Income:Books" in text
    later = said(world, account_code="Income:Other", valid_from="2026-09-11")
    assert "What changes in the books" in text_of(client.post(ADD, later))


def test_a_rule_that_came_in_between_is_no_fault_of_the_page(as_, world, monkeypatch):
    made(world)
    monkeypatch.setattr("ledger.admin.rule_forms.holding", lambda *args: None)
    monkeypatch.setattr(AccountRule, "validate_constraints", lambda self, exclude=None: None)
    response = as_("administrator").post(ADD, said(world, account_code="Income:Other", _post=""))
    assert response.url.startswith(ADD)
    assert "nothing was saved" in told(response)
    assert not Account.objects.filter(code="Income:Other").exists()


def test_books_that_are_written_without_a_pause_put_it_off(as_, world, monkeypatch):
    def busy(**more):
        raise account_rules.UnableToChange("try again")

    monkeypatch.setattr(account_rules, "add", busy)
    response = as_("administrator").post(ADD, said(world, _post=""))
    assert "try again" in told(response)
    assert not Rebuild.objects.exists()


def test_what_is_unusual_is_said_before_it_is_saved(as_, world):
    more = {"role": "Income:Sales", "account_code": "Liabilities:Deferred"}
    assert "revenue is put off until it is earned" in text_of(as_("administrator").post(ADD, said(world, **more)))


def test_closed_days_are_said_and_booked_on_the_first_open_one(as_, world):
    periods.close(company=world.company, through=date(2026, 9, 30), actor="anna", reason="month end")
    client = as_("administrator")
    text = text_of(client.post(ADD, said(world)))
    assert "The books are closed through 2026-09-30: 2 of the 2 differences belong to closed days" in text
    assert "booked on 2026-10-01, the first open one" in text
    client.post(ADD, said(world, _post=""))
    days = JournalEntry.objects.order_by("-pk").values_list("date", "business_date")[:2]
    assert list(days) == [(date(2026, 10, 1), SINCE)] * 2


def test_more_than_a_request_can_hold_is_said_and_left_to_a_worker(as_, world, monkeypatch):
    monkeypatch.setattr(rebuild, "FAMILIES", 1)
    monkeypatch.setattr(rule_preview, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(rules, "POST_SECONDS", 0.0)
    client = as_("administrator")
    text = text_of(client.post(ADD, said(world)))
    assert "These are the figures of what could be computed in 0 seconds." in text
    assert f"python manage.py rebuild --company {world.company.slug} --from 2026-09-01" in text
    response = client.post(ADD, said(world, _post=""))
    assert "the rest goes on in the background" in told(response)
    assert rebuild.run_due(seconds=60) == 1
    assert world.balances()["Income:Books"] == -2000
    assert "2 differences were posted." in text_of(client.get(reverse("admin:ledger_rebuild_changelist")))


def test_a_lock_that_is_not_given_leaves_the_rule_and_what_is_to_be_done(as_, world, monkeypatch):
    def locked(*args, **more):
        raise OperationalError("canceling statement due to lock timeout")

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "step", locked)
        response = as_("administrator").post(ADD, said(world, _post=""))
    assert response.status_code == 302
    assert "the rest goes on in the background" in told(response)
    assert rebuild.run_due(seconds=60) == 1
    assert world.balances()["Income:Books"] == -2000


# --- ending


def test_ending_shows_what_goes_back_and_posts_it(as_, world):
    client, rule = as_("administrator"), made(world)
    rebuild.go_on(rebuild.ask(scope=Scope(world.company.pk), reason="", actor="anna"), seconds=60)
    text = text_of(client.post(page_of(rule), {"_withdraw": ""}))
    assert "goes to Income:Books on no day: it was withdrawn." in text
    assert '<tr><td>Income:Books</td><td class="n">20.00 USD</td><td class="n"></td></tr>' in text
    assert AccountRule.objects.get().valid_to is None
    response = client.post(page_of(rule), {"valid_to": "2026-08-31", "_post": ""})
    assert "2 differences were posted." in told(response)
    assert "Income:Books" not in world.balances()
    assert [law.law for law in verify.verify_books() if law.violations] == []
    text = text_of(client.get(page_of(rule)))
    assert "withdrawn" in text
    assert AuditRow.objects.filter(object_type="accountrule", action="ended", actor="administrator").exists()


def test_ending_from_now_on_leaves_what_stands(as_, world):
    client, rule = as_("administrator"), made(world)
    rebuild.go_on(rebuild.ask(scope=Scope(world.company.pk), reason="", actor="anna"), seconds=60)
    before = world.balances()
    shown = client.post(page_of(rule), {"valid_to": "2026-08-31"})
    assert "Save only for what comes from now on" in text_of(shown)
    client.post(page_of(rule), {"valid_to": "2026-08-31", "_later": ""})
    rule.refresh_from_db()
    assert rule.valid_to == account_rules.untouched_from(world.company, timezone.now()) - timedelta(days=1)
    assert world.balances() == before


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("2026-08-30", "2026-08-31 withdraws it altogether"),
        ("", "it has no last day already"),
        ("never", "Enter a valid date"),
    ],
)
def test_an_end_that_cannot_be_is_said(as_, world, last, words):
    rule = made(world)
    response = as_("administrator").post(page_of(rule), {"valid_to": last, "_post": ""})
    assert words in told(response)
    rule.refresh_from_db()
    assert rule.valid_to is None


def test_a_rule_does_not_rise_again_into_the_days_of_another(as_, world):
    rule = made(world, valid_to=SINCE)
    made(world, valid_from=SINCE + timedelta(days=5), account="Income:Other")
    client = as_("administrator")
    response = client.post(page_of(rule), {"valid_to": "", "_post": ""})
    assert "another rule with its conditions holds then" in told(response)
    client.post(page_of(rule), {"valid_to": "2026-09-05", "_post": ""})
    rule.refresh_from_db()
    assert rule.valid_to == date(2026, 9, 5)


# --- who may what, and how it looks


@pytest.mark.parametrize("role", ["reviewer", "auditor"])
def test_who_may_not_decide_only_reads(as_, world, role):
    client, rule = as_(role), made(world)
    assert client.get(LIST).status_code == client.get(page_of(rule)).status_code == 200
    assert client.get(ADD).status_code == client.post(ADD, said(world, _post="")).status_code == 403
    assert client.post(page_of(rule), {"valid_to": "2026-09-02", "_post": ""}).status_code == 403
    assert AccountRule.objects.count() == 1


def test_nobody_deletes_a_rule(as_, world):
    rule = made(world)
    assert (
        as_("admin").post(reverse("admin:ledger_accountrule_delete", args=[rule.pk]), {"post": "yes"}).status_code
        == 403
    )


def test_hostile_text_is_shown_as_text(as_, world):
    client = as_("administrator")
    world.send(sale([replace(BOOK, category=NASTY)], id_="B-9"))
    text = client.post(ADD, said(world, category=NASTY)).content.decode()
    assert "<script>alert(" not in text
    client.post(ADD, said(world, category=NASTY, _post=""))
    rule = AccountRule.objects.get()
    for url in (LIST, page_of(rule), ADD, reverse("admin:ledger_rebuild_changelist")):
        response = client.get(url)
        assert response.status_code == 200
        assert "<script>alert(" not in response.content.decode()


def test_the_form_proposes_what_the_books_bear(as_, world):
    response = as_("administrator").get(ADD)
    proposed = response.context["proposals"]
    assert {"books", "toys"} <= set(proposed["categories"])
    assert "US-NY State 4%" in proposed["taxes"]
    assert {"Income:Sales", "Assets:Clearing:Stripe"} <= set(proposed["accounts"])
    assert {"Assets:Clearing", "Assets:Clearing:Stripe"} <= set(proposed["roles"])
    assert '<option value="books">' in response.content.decode()


@pytest.mark.parametrize(("state", "count"), [("", 4), ("holds", 1), ("coming", 1), ("over", 2), ("nonsense", 4)])
def test_the_list_is_filtered_by_state(as_, world, state, count):
    today = timezone.now().date()
    made(world, valid_from=today - timedelta(days=9), valid_to=today - timedelta(days=8))
    made(world, valid_from=today, valid_to=today - timedelta(days=1), category="toys")
    made(world, valid_from=today, category="games")
    made(world, valid_from=today + timedelta(days=1), category="music")
    response = as_("administrator").get(f"{LIST}?state={state}")
    assert len(response.context["cl"].result_list) == count


def test_a_rule_of_one_channel_names_it(as_, world):
    client = as_("administrator")
    channel = Channel.objects.get(pk=world.till.pk)
    client.post(
        ADD, said(world, channel=channel.pk, category="", kind="gift_card", account_code="Liabilities:Cards", _post="")
    )
    text = text_of(client.get(LIST))
    assert f"On {channel}, gift card payments go to Liabilities:Cards from 2026-09-01." in text
    asked = Rebuild.objects.get()
    assert (asked.channel, asked.first, asked.last) == (channel, SINCE, None)
