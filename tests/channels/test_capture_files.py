"""CSV files by a saved mapping: all of a file or nothing of it, the same file once, and every problem by its line."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from channels.admin import mapping as screen
from channels.models import Event, Mapping
from salessync.core.models import AuditRow
from tests.worlds import World

pytestmark = pytest.mark.django_db

MAPPING = {
    "columns": {"Receipt": "id", "Time": "date", "Total": "total", "Tax": "tax", "Paid by": "tender_type"},
    "defaults": {"currency": "USD", "status": "completed", "country": "US", "region": "NY"},
    "date_format": "%m/%d/%Y %H:%M",
    "timezone": "America/New_York",
}
HEADER = "Receipt,Time,Total,Tax,Paid by,Customer\n"
ROWS = "R-1,09/01/2026 12:00,10.80,0.80,Cash,Ada Canary\nR-2,09/01/2026 12:05,21.60,1.60,Visa,Bob Canary\n"


class Shop:
    """A company with a channel of files and one mapping."""

    def __init__(self, folder):
        self.world = World()
        self.channel = self.world.channel(f"files-{self.world.company.pk}", "csv")
        self.mapping = Mapping.objects.create(company=self.world.company, name="till", body=MAPPING)
        self.folder = folder

    def file(self, text, name="sales.csv"):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def capture(self, *files, **options):
        out, err = StringIO(), StringIO()
        call_command(
            "capture", self.channel.slug, *files, **{"mapping": "till", "stdout": out, "stderr": err, **options}
        )
        return out.getvalue(), err.getvalue()

    def refused(self, *files, code=1, **options):
        """What is said about it, after the command has failed and stored nothing."""
        err = StringIO()
        with pytest.raises(CommandError) as failed:
            self.capture(*files, stderr=err, **options)
        assert failed.value.returncode == code
        assert not Event.objects.filter(channel=self.channel).exists()
        return err.getvalue() + str(failed.value)


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


# --- a good file


def test_a_file_becomes_sales_in_the_books(shop):
    out, _ = shop.capture(shop.file(HEADER + ROWS))
    assert "2 stored, 0 known before" in out
    shop.world.process()
    assert shop.world.states() == {"posted": 2}
    assert shop.world.balances()["Income:Sales"] == -3000


def test_the_same_file_twice_changes_nothing(shop):
    path = shop.file(HEADER + ROWS)
    shop.capture(path)
    shop.world.process()
    before, events = shop.world.facts(), Event.objects.count()
    out, _ = shop.capture(path)
    shop.world.process()
    assert "0 stored, 2 known before" in out
    assert (shop.world.facts(), Event.objects.count()) == (before, events)


def test_a_longer_file_adds_only_what_is_new(shop):
    shop.capture(shop.file(HEADER + ROWS))
    out, _ = shop.capture(shop.file(HEADER + ROWS + "R-3,09/01/2026 12:06,5.40,0.40,Cash,\n"))
    assert "1 stored, 2 known before" in out


def test_rows_that_stand_elsewhere_in_another_export_post_nothing_more(shop):
    shop.capture(shop.file(HEADER + ROWS))
    shop.world.process()
    before = shop.world.facts()
    shop.capture(shop.file(HEADER + "R-0,08/31/2026 12:06,0.00,0.00,Cash,\n" + ROWS))
    shop.world.process()
    assert shop.world.facts()[0] == before[0]


def test_nobody_of_the_unmapped_columns_is_stored(shop):
    shop.capture(shop.file(HEADER + ROWS))
    assert not any(b"Canary" in bytes(event.body) for event in Event.objects.all())


def test_progress_is_shown(shop):
    rows = "".join(f"R-{n},09/01/2026 12:00,10.80,0.80,Cash,\n" for n in range(1001))
    _, err = shop.capture(shop.file(HEADER + rows))
    assert "1000 read" in err and "1000 stored" in err


# --- a bad one


def test_every_problem_is_named_by_its_line_and_nothing_is_stored(shop):
    bad = "R-3,yesterday,ten,0.80,Cash,\nR-4,09/01/2026 12:00,,x,Cash,\n"
    text = shop.refused(shop.file(HEADER + ROWS + bad))
    for told in (
        "BAD_TIME",
        "line 4, column 'Time'",
        "line 4, column 'Total'",
        "line 5, column 'Total'",
        "line 5, column 'Tax'",
    ):
        assert told in text
    assert "nothing of" in text


def test_a_file_that_cannot_be_split_is_refused_with_every_line(shop):
    text = shop.refused(shop.file(HEADER + ",09/01/2026 12:00,1,0,Cash,\nR-1,09/01/2026 12:00,1,0,Cash,a,b\n"))
    assert "MISSING_ID" in text and "TOO_MANY_CELLS" in text


def test_a_word_that_neither_file_nor_mapping_explains_is_named_with_its_line(shop):
    text = shop.refused(shop.file(HEADER + ROWS + "R-3,09/01/2026 12:00,10.80,0.80,Muscheln,\n"))
    assert "UNKNOWN_" in text and "line 4" in text
    Mapping.objects.update(body=MAPPING | {"words": {"tender_type": {"Muscheln": "cash"}}})
    shop.capture(shop.file(HEADER + ROWS + "R-3,09/01/2026 12:00,10.80,0.80,Muscheln,\n"))
    assert Event.objects.filter(channel=shop.channel).count() == 3


def test_with_quarantine_only_the_wrong_transaction_waits(shop):
    out, _ = shop.capture(shop.file(HEADER + ROWS + "R-3,yesterday,1.00,0,Cash,\n"), quarantine=True)
    assert "3 stored, 0 known before, 1 for the quarantine" in out
    shop.world.process()
    assert shop.world.states() == {"posted": 2, "quarantined": 1}


def test_with_quarantine_a_file_that_cannot_be_split_is_refused_all_the_same(shop):
    shop.refused(shop.file("Receipt,Time\nR-1,x\n"), quarantine=True)


def test_of_very_many_problems_the_first_hundred_are_named_and_the_rest_counted(shop):
    text = shop.refused(shop.file(HEADER + "".join(f"R-{n},never,1,0,Cash,\n" for n in range(300))))
    assert text.count("BAD_TIME") == 100
    assert "300 transactions have problems" in text


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", HEADER.encode(), b'Receipt,Time\n"R-1', b"a\x00b"])
def test_what_is_no_such_file_is_refused(shop, content):
    shop.refused(shop.file(content))


# --- wrong usage


def test_a_csv_file_needs_a_mapping_that_exists(shop):
    path = shop.file(HEADER + ROWS)
    assert "there are till" in shop.refused(path, mapping=None, code=2)
    assert "there are till" in shop.refused(path, mapping="other", code=2)
    Mapping.objects.all().delete()
    assert "made in the admin" in shop.refused(path, mapping="till", code=2)


def test_another_companys_mapping_is_none(shop):
    Mapping.objects.create(company=World().company, name="theirs", body=MAPPING)
    assert "no mapping is called 'theirs'" in shop.refused(shop.file(HEADER + ROWS), mapping="theirs", code=2)


def test_a_mapping_is_only_for_channels_of_files(shop):
    with pytest.raises(CommandError, match="those of csv"):
        call_command("capture", shop.world.till.slug, shop.file(HEADER), mapping="till")


def test_a_file_that_is_not_there_is_said_so(shop):
    assert "cannot be read" in shop.refused(str(shop.folder / "nothing.csv"), code=2)


def test_a_payload_of_the_adapter_is_captured_as_before(shop):
    payload = {
        "mapping": MAPPING,
        "rows": [dict(zip(HEADER.strip().split(","), ROWS.split("\n")[0].split(","), strict=True))],
    }
    out, _ = shop.capture(shop.file(json.dumps(payload), "one.json"), mapping=None)
    assert out == "1 stored, 0 known before\n"
    shop.world.process()
    assert shop.world.states() == {"posted": 1}


# --- the saved mapping


def test_a_mapping_is_read_as_the_adapter_reads_it(shop):
    wrong = Mapping(company=shop.world.company, name="wrong", body={"columns": {"Nr": "nonsense"}, "decimal": "x"})
    with pytest.raises(ValidationError) as failed:
        wrong.full_clean()
    told = " ".join(failed.value.messages)
    assert "mapping.columns.Nr" in told and "mapping.decimal" in told


def test_a_name_is_once_a_company(shop):
    with pytest.raises(IntegrityError):
        Mapping.objects.create(company=shop.world.company, name="till", body=MAPPING)


# --- the page


@pytest.fixture
def client(shop):
    found = Client()
    found.force_login(User.objects.create_superuser("boss", "b@example.com", "secret"))
    return found


def form(shop, **more):
    return {
        "company": shop.world.company.pk,
        "name": "till",
        "body": json.dumps(MAPPING),
        "channel": shop.channel.pk,
        **more,
    }


def posted(client, shop, **more):
    url = reverse("admin:channels_mapping_change", args=[shop.mapping.pk])
    return client.post(url, form(shop, **more))


def test_a_trial_shows_records_and_stores_nothing(client, shop):
    events, rows = Event.objects.count(), AuditRow.objects.count()
    changed = json.dumps(MAPPING | {"timezone": "Europe/Berlin"})
    response = posted(client, shop, body=changed, file=SimpleUploadedFile("s.csv", (HEADER + ROWS).encode()), _try="")
    text = response.content.decode()
    assert response.status_code == 200
    assert "passes the checks" in text and "sale R-1, line 2" in text and "Europe/Berlin" in text
    assert "Canary" not in text.split("What the file becomes")[1]
    assert (Event.objects.count(), AuditRow.objects.count()) == (events, rows)
    assert Mapping.objects.get(pk=shop.mapping.pk).body == MAPPING


def test_a_trial_shows_problems_by_line_and_column(client, shop):
    text = posted(client, shop, text=HEADER + "R-1,never,1,0,Cash,\n", _try="").content.decode()
    assert "would be refused" in text and "BAD_TIME" in text and "line 2, column &#x27;Time&#x27;" in text


def test_a_trial_of_a_file_that_cannot_be_split_or_of_nothing_says_so(client, shop):
    assert "MISSING_COLUMN" in posted(client, shop, text="a,b\n1,2\n", _try="").content.decode()
    assert "choose a file" in posted(client, shop, text=" ", _try="").content.decode()


def test_a_trial_with_a_wrong_mapping_names_what_is_wrong_with_it(client, shop):
    text = posted(client, shop, body='{"columns": {"a": "nonsense"}}', text=HEADER + ROWS, _try="").content.decode()
    assert "nonsense" in text and "What the file becomes" not in text
    twice = posted(client, shop, body='{"columns": {"a": "id", "a": "date"}}', text=HEADER, _try="").content.decode()
    assert "appears twice" in twice


def test_hostile_text_stays_text(client, shop):
    row = 'R-1,"<script>alert(1)</script>",1,0,<img src=x>,\n'
    text = posted(client, shop, text=HEADER + row, _try="").content.decode()
    assert "<script>alert(1)" not in text and "<img src=x" not in text


def test_saving_stores_the_mapping_and_says_who_did_it(client, shop):
    assert posted(client, shop, body=json.dumps(MAPPING | {"decimal": ","}), text=HEADER).status_code == 302
    assert Mapping.objects.get(pk=shop.mapping.pk).body["decimal"] == ","
    row = AuditRow.objects.get(object_type="mapping")
    assert row.actor == "boss"
    assert "lines" not in json.dumps(row.data)  # what was only tried is no change


def test_a_new_one_is_made_by_the_page(client, shop):
    page = client.get(reverse("admin:channels_mapping_add")).content.decode()
    assert "line_unit_price" in page  # the table of what a column can be
    made = client.post(reverse("admin:channels_mapping_add"), form(shop, name="second"))
    assert made.status_code == 302
    assert Mapping.objects.filter(company=shop.world.company, name="second").exists()


def test_a_viewer_looks_and_tries_nothing(shop):
    viewer = User.objects.create_user("viewer", password="secret", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_mapping"))
    client = Client()
    client.force_login(viewer)
    url = reverse("admin:channels_mapping_change", args=[shop.mapping.pk])
    text = client.get(url).content.decode()
    assert "Receipt" in text and 'name="_try"' not in text and 'name="file"' not in text
    assert client.post(url, form(shop, text=HEADER + ROWS, _try="")).status_code == 403
    assert client.post(url, form(shop, body="{}")).status_code == 403


def test_only_the_beginning_of_a_big_file_is_tried(shop):
    rows = "".join(f"R-{n},09/01/2026 12:00,10.80,0.80,Cash,\n" for n in range(500))
    trial = screen.try_on((HEADER + rows).encode(), MAPPING, shop.channel.context())
    assert (trial.count, trial.more, trial.wrong, len(trial.shown)) == (screen.TRIED, True, 0, screen.SHOWN)
