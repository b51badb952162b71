"""The commands that set up, feed and check a company, as scripts use them."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from channels import canonical
from channels.models import Channel, Event
from ledger.models import Account, Rate
from salessync.core.models import Company
from tests.records import line, sale

pytestmark = pytest.mark.django_db


def run(*arguments, **options):
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


@pytest.fixture
def shop(db):
    run("bootstrap")
    run("create_channel", "till-1", "standard", "--secret", "whsec_dGVzdA==", "--timezone", "Europe/Berlin")
    return Channel.objects.get(slug="till-1")


def test_bootstrap_and_create_channel_twice_change_nothing(shop):
    before = Company.objects.count(), Account.objects.count(), Channel.objects.count()
    run("bootstrap")
    run("create_channel", "till-1", "standard")
    assert (Company.objects.count(), Account.objects.count(), Channel.objects.count()) == before
    assert Channel.objects.get(slug="till-1").secrets == ["whsec_dGVzdA=="]


@pytest.mark.parametrize(
    "arguments",
    [
        ("bootstrap", "--currency", "XXQ"),
        ("bootstrap", "--currency", "EUR"),
        ("create_channel", "x", "nobody"),
        ("create_channel", "Bad Slug", "standard"),
        ("create_channel", "x", "standard", "--timezone", "Mars/Olympus"),
        ("create_channel", "x", "standard", "--currency", "euro"),
        ("create_channel", "till-1", "shopify"),
        ("capture", "nobody", "file.json"),
        ("capture", "till-1", "no-such-file.json"),
        ("import_rates", "no-such-file.csv"),
        ("import_catalog", "no-such-file.csv"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(shop, arguments):
    with pytest.raises(CommandError) as error:
        run(*arguments)
    assert error.value.returncode == 2
    assert "\n" not in str(error.value)


def test_capture_process_and_look(shop, tmp_path):
    made = sale([line(sku="MUG")])
    made.source.channel = "till-1"
    (tmp_path / "one.json").write_bytes(canonical.encode(made))
    made.source.id = "S2"
    (tmp_path / "more.jsonl").write_bytes(canonical.encode(made) + b"\n\n")
    (tmp_path / "products.csv").write_text("sku,quantity\nMUG,5\n")
    run("import_catalog", tmp_path / "products.csv")
    assert run("capture", "till-1", tmp_path / "one.json", tmp_path / "more.jsonl") == "2 stored, 0 known before\n"
    assert run("capture", "till-1", tmp_path / "one.json") == "0 stored, 1 known before\n"
    assert run("process_inbox", "--once") == "2 events processed\n"
    assert json.loads(run("stock", "--json", "--sku", "MUG")) == {
        "sku": "MUG", "location": "main", "on_hand": 3, "reserved": 0, "available": 3,
    }  # fmt: skip
    laws = json.loads(run("verify_books", "--json"))
    assert laws["ok"]
    assert all(law["violations"] == 0 for law in laws["laws"])
    event = Event.objects.filter(state="posted").first()
    assert run("replay_event", str(event.pk)) == "1 of 1 events are due again\n"
    run("process_inbox")
    assert json.loads(run("verify_books", "--json"))["ok"]


def test_requeue_brings_back_what_was_set_aside(shop, tmp_path):
    (tmp_path / "bad.json").write_text('{"type": "sale"}')
    run("capture", "till-1", tmp_path / "bad.json")
    run("process_inbox")
    assert Event.objects.get().state == "quarantined"
    assert run("requeue", "--state", "quarantined") == "1 events are due again\n"


def test_rates_are_dated_and_refused_where_doubtful(shop, tmp_path):
    file = tmp_path / "rates.csv"
    file.write_text("date,from,to,rate\n2026-09-01,EUR,USD,1.1\n")
    for _ in range(2):
        run("import_rates", file)
    assert Rate.objects.count() == 1
    for bad in ["2026-02-30,EUR,USD,1", "2026-09-01,EUR,XXQ,1", "2026-09-01,EUR,USD,0", "2026-09-01,EUR,USD,１"]:
        file.write_text(f"date,from,to,rate\n2026-09-02,EUR,USD,1.2\n{bad}\n")
        with pytest.raises(CommandError) as error:
            run("import_rates", file)
        assert error.value.returncode == 1
    assert Rate.objects.count() == 1


@pytest.mark.parametrize(
    ("table", "damage"),
    [
        (
            "ledger_posting",
            "UPDATE ledger_posting SET amount = amount + 1, base_amount = base_amount + 1 WHERE leg = 1",
        ),
        ("ledger_posting", "DELETE FROM ledger_posting WHERE leg = 1"),
        ("ledger_posting", "UPDATE ledger_posting SET amount = amount * 2, base_amount = base_amount * 2"),
        ("ledger_delivery", "DELETE FROM ledger_delivery"),
        ("inventory_movement", "UPDATE inventory_movement SET on_hand = on_hand - 1"),
        ("inventory_level", "UPDATE inventory_level SET on_hand = on_hand + 1"),
        ("channels_transactionversion", "UPDATE channels_transactionversion SET record = 'x'::bytea"),
        ("channels_transactionversion", "DELETE FROM channels_transactionversion"),
        ("core_company", "UPDATE core_company SET feed_seq = feed_seq + 1"),
        ("channels_line", "UPDATE channels_line SET transaction_id = 0"),
    ],
)
def test_verify_books_finds_what_was_tampered_with(shop, tmp_path, table, damage):
    made = sale([line(sku="MUG")])
    made.source.channel = "till-1"
    (tmp_path / "one.json").write_bytes(canonical.encode(made))
    (tmp_path / "products.csv").write_text("sku,quantity\nMUG,5\n")
    run("import_catalog", tmp_path / "products.csv")
    run("capture", "till-1", tmp_path / "one.json")
    run("process_inbox")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(damage)
    with pytest.raises(SystemExit) as ended:
        run("verify_books")
    assert ended.value.code == 1
