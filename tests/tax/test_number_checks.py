"""Tax numbers: form and check digit of each country, and what the EU's register says, here a server that lies and falls silent."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.backends.postgresql.psycopg_any import DateRange
from django.db.models import F

from salessync.core.models import Company
from salessync.core.problems import Refused
from tax.models import Registration, TaxNumberCheck
from tax.seller import number_checks
from tax.seller.number_checks import Number, read

GOOD, ASKER = "CZ45274649", "DE136695976"


@pytest.mark.parametrize(
    ("given", "country", "expected"),
    [
        ("cz 4527 4649", "", Number("CZ45274649", "eu_vat", True, "CZ")),
        ("45274649", "CZ", Number("CZ45274649", "eu_vat", True, "CZ")),
        ("CZ45274640", "", Number("CZ45274640", "eu_vat", False, "CZ")),
        ("094259216", "GR", Number("EL094259216", "eu_vat", True, "EL")),
        ("EL094259216", "", Number("EL094259216", "eu_vat", True, "EL")),
        ("XI980780684", "", Number("XI980780684", "eu_vat", True, "XI")),
        ("GB 980 7806 84", "", Number("GB980780684", "gb_vat", True)),
        ("980780684", "gb", Number("GB980780684", "gb_vat", True)),
        ("802311781", "GB", Number("GB802311781", "gb_vat", False)),
        ("CHE-107.787.577 IVA", "", Number("CHE107787577", "ch_uid", True)),
        ("CHE-107.787.578 MWST", "CH", Number("CHE107787578", "ch_uid", False)),
        ("NO 995 525 828 MVA", "", Number("995525828MVA", "no_mva", True)),
        ("83 914 571 673", "AU", Number("83914571673", "au_abn", True)),
        ("49-098-576", "NZ", Number("49098576", "nz_ird", True)),
        ("27AAPFU0939F1ZV", "IN", Number("27AAPFU0939F1ZV", "in_gstin", True)),
        ("27AAPFU0939F1ZO", "IN", Number("27AAPFU0939F1ZO", "in_gstin", False)),
        ("00192200M", "SG", Number("00192200M", "sg_uen", True)),
        ("12302 6635 RT 0001", "CA", Number("123026635RT0001", "ca_bn", True)),
    ],
)
def test_form_and_check_digit(given, country, expected):
    assert read(given, country) == expected


@pytest.mark.parametrize(
    ("given", "country", "code"),
    [
        ("83914571673", "", "MISSING_COUNTRY"),
        ("123", "JP", "UNKNOWN_COUNTRY"),
        ("-", "DE", "BAD_NUMBER"),
        ("1" * 51, "DE", "BAD_NUMBER"),
        ("\uff11\uff12", "DE", "BAD_NUMBER"),
    ],
)
def test_what_is_no_number_is_refused(given, country, code):
    with pytest.raises(Refused) as refused:
        read(given, country)
    assert refused.value.problems[0].code == code


# --- the register -----------------------------------------------------------------------------------------------------


class Register:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.status, self.answer = 200, {"valid": True, "requestIdentifier": ""}

    def __enter__(self):
        register = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                register.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                body = register.answer if isinstance(register.answer, bytes) else json.dumps(register.answer).encode()
                self.send_response(register.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def register(db, monkeypatch, settings):
    settings.OUTBOUND_ALLOWED_CIDRS = ["127.0.0.1/32"]
    with Register() as found:
        monkeypatch.setattr(number_checks, "REGISTER", found.url)
        yield found


@pytest.fixture
def company(db):
    company = Company.objects.create(slug="asker", name="Asker", base_currency="EUR")
    Registration.objects.create(company=company, jurisdiction="US-NY", number="12-3", valid=DateRange(None, None))
    Registration.objects.create(company=company, jurisdiction="DE", number="136695976", valid=DateRange(None, None))
    return company


def test_a_valid_answer_with_its_proof(register, company):
    register.answer = {
        "countryCode": "CZ",
        "vatNumber": "45274649",
        "valid": True,
        "requestIdentifier": "WAPIAAAAaEDkvhHx",
    }
    found = number_checks.check("cz 45274649", company=company)
    assert register.asked == [
        {"countryCode": "CZ", "vatNumber": "45274649", "requesterMemberStateCode": "DE", "requesterNumber": "136695976"}
    ]
    assert (found.number, found.registry, found.consultation) == (GOOD, "valid", "WAPIAAAAaEDkvhHx")
    assert found.checked_at is not None


def test_a_register_that_says_no(register):
    register.answer = {"valid": False, "requestIdentifier": ""}
    assert number_checks.check(GOOD).registry == "invalid"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"actionSucceed": False, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]}),
        (200, {"actionSucceed": False, "valid": False}),
        (200, {"valid": None}),
        (200, {"valid": "false"}),
        (200, []),
        (200, b"<html>"),
        (400, {"valid": False}),
        (500, {"valid": False}),
        (302, {"valid": True}),
    ],
)
def test_no_clear_answer_is_never_invalid(register, status, answer):
    register.status, register.answer = status, answer
    assert number_checks.check(GOOD).registry == "unreachable"


def test_a_dead_register_is_unreachable(register, monkeypatch):
    monkeypatch.setattr(number_checks, "REGISTER", "http://127.0.0.1:9")
    assert number_checks.check(GOOD).registry == "unreachable"


def test_a_malformed_or_foreign_number_is_not_asked_for(register):
    assert number_checks.check("CZ45274640").registry == ""
    assert number_checks.check("83914571673", "AU").registry == ""
    assert number_checks.check(GOOD, ask_register=False).registry == ""
    assert register.asked == []


def test_a_fresh_valid_answer_is_asked_for_once(register):
    first = number_checks.check(GOOD)
    assert number_checks.check(GOOD) == first
    assert len(register.asked) == 1
    TaxNumberCheck.objects.update(checked_at=F("checked_at") - timedelta(days=31))
    assert number_checks.check(GOOD) != first
    assert len(register.asked) == 2


def test_what_was_not_valid_is_asked_for_again(register):
    register.answer = {"valid": False}
    number_checks.check(GOOD)
    register.answer = {"valid": True}
    assert number_checks.check(GOOD).registry == "valid"
    register.status = 503
    assert number_checks.check(GOOD).registry == "valid"
    assert len(register.asked) == 2


def test_who_has_a_number_of_its_own_wants_the_proof_too(register, company):
    number_checks.check(GOOD)
    register.answer = {"valid": True, "requestIdentifier": "W1"}
    assert number_checks.check(GOOD, company=company).consultation == "W1"
    assert number_checks.check(GOOD, company=company).consultation == "W1"
    assert len(register.asked) == 2


# --- the command ------------------------------------------------------------------------------------------------------


def run(*arguments):
    out = StringIO()
    code = 0
    try:
        call_command("check_tax_number", *arguments, stdout=out)
    except SystemExit as ended:
        code = ended.code
    return code, out.getvalue()


def test_the_command_tells_it_in_a_sentence_and_in_json(register):
    code, out = run(GOOD, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["number"], told["well_formed"], told["registry"], told["consultation"]) == (GOOD, True, "valid", None)
    code, out = run("CZ45274640")
    assert code == 1 and "check digit is wrong" in out
    register.status = 500
    code, out = run("DE136695976")
    assert code == 0 and "no answer" in out
    register.status, register.answer = 200, {"valid": False}
    assert run("DE136695976")[0] == 1


@pytest.mark.parametrize(
    "arguments", [("83914571673",), ("1", "--country", "JP"), (GOOD, "--company", "nobody"), ("-.", "--country", "DE")]
)
def test_wrong_usage_is_one_sentence_and_exit_2(db, arguments):
    with pytest.raises(CommandError) as error:
        run("--", arguments[0]) if arguments[0] == "-." else run(*arguments)
    assert error.value.returncode == 2
