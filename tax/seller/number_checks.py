"""Whether a customer's tax number is right: form and check digit, and for numbers of the EU what its register (VIES) says of it.

The register's answer is kept with its time and, where the asker gave a VAT number of its own, its consultation number: the proof that a
sale without VAT to a business was checked (directive 2006/112/EC, article 138).
"""

import json
from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models.functions import Now
from stdnum import get_cc_module

from salessync.core import http
from salessync.core.models import Company
from salessync.core.problems import Problem, Refused
from tax.law import tax_numbers
from tax.models import Registration, TaxNumberCheck

REGISTER = "https://ec.europa.eu/taxation_customs/vies/rest-api/check-vat-number"
FRESH = timedelta(days=30)  # for so long a valid answer need not be asked for again
PATIENCE = 20.0  # seconds; the register asks the member state while we wait
VALID, INVALID, UNREACHABLE = "valid", "invalid", "unreachable"

_EU = tax_numbers.EU | {"GR"}
_SCHEMES = {  # country (ISO) → python-stdnum's module, and with what its numbers begin
    "GB": ("gb.vat", "GB"), "CH": ("ch.uid", "CHE"), "LI": ("ch.uid", "CHE"), "NO": ("no.mva", "NO"), "AU": ("au.abn", ""),
    "NZ": ("nz.ird", ""), "IN": ("in.gstin", ""), "SG": ("sg.uen", ""), "CA": ("ca.bn", ""),
}  # fmt: skip
_SWISS_SUFFIXES = ("MWST", "TVA", "IVA", "TPV")  # registered for VAT, in the four languages


class Number(NamedTuple):
    """`number` without spaces, `scheme` such as eu_vat or au_abn; `prefix` as the EU's register has it, empty elsewhere."""

    number: str
    scheme: str
    is_well_formed: bool
    prefix: str = ""


def read(given: str, country: str = "") -> Number:
    """The number as it is kept, and whether its check digit holds. `country` (ISO) where the number does not begin with it.

    Refused where nobody can say which country's it is, or where we do not know its numbers.
    """
    plain = "".join(c for c in given.upper() if c.isascii() and c.isalnum())
    if not plain or len(plain) > 50:
        raise Refused(Problem("BAD_NUMBER", "number", f"{given[:60]!r} is no tax number"))
    country = country.strip().upper() or _country_of(plain)
    if country in _EU:
        found = tax_numbers.eu_number(plain, country)
        return Number(found.number, "eu_vat", found.is_valid, found.prefix)
    if country not in _SCHEMES:
        said = f"tax numbers of {country[:20]!r} are not known here" if country else "say which country's number it is"
        raise Refused(Problem("UNKNOWN_COUNTRY" if country else "MISSING_COUNTRY", "country", said))
    return _national(plain, _SCHEMES[country][0])


def _country_of(plain: str) -> str:
    """By the letters that it begins with."""
    if plain[:2] in tax_numbers.EU:
        return plain[:2]
    return next((country for country, (_, prefix) in _SCHEMES.items() if prefix and plain.startswith(prefix)), "")


def _national(plain: str, scheme: str) -> Number:
    country, _, kind = scheme.partition(".")
    module = get_cc_module(country, kind)
    assert module is not None and hasattr(module, "compact")  # each of _SCHEMES is one of python-stdnum's
    if kind == "uid":
        plain = next((plain.removesuffix(end) for end in _SWISS_SUFFIXES if plain.endswith(end)), plain)
    number = ("GB" if country == "gb" else "") + module.compact(plain)
    return Number(number, f"{country}_{kind}", bool(module.is_valid(plain)))


def check(
    given: str, country: str = "", *, company: Company | None = None, ask_register: bool = True
) -> TaxNumberCheck:
    """The latest that is known of the number, asked for anew where that is too old. `company`: in whose name the register is asked.

    `registry` of the answer is valid, invalid or unreachable, or empty where no register was asked; Refused as `read`.
    """
    found = read(given, country)
    asker = _own_number(company) if company and found.prefix else ""
    fresh = _fresh(found.number, needs_proof=bool(asker))
    if fresh is not None:
        return fresh
    registry = consultation = ""
    if ask_register and found.prefix and found.is_well_formed:
        registry, consultation = _ask(found, asker)
    return TaxNumberCheck.objects.create(
        number=found.number, scheme=found.scheme, is_well_formed=found.is_well_formed, registry=registry,
        consultation=consultation,
    )  # fmt: skip


def _fresh(number: str, *, needs_proof: bool) -> TaxNumberCheck | None:
    """A valid answer that is not too old; the register's latest word counts, so one that it took back is none."""
    known = TaxNumberCheck.objects.filter(number=number, checked_at__gt=Now() - FRESH, registry__in=[VALID, INVALID])
    latest = known.order_by("-checked_at", "-pk").first()
    if latest is None or latest.registry != VALID or (needs_proof and not latest.consultation):
        return None
    return latest


def _own_number(company: Company) -> str:
    """A VAT number of the EU under which the company is registered itself; empty where it has none."""
    numbers = Registration.objects.filter(company=company, scheme="domestic").exclude(number="").order_by("pk")
    for registration in numbers:
        own = tax_numbers.eu_number(registration.number, registration.jurisdiction[:2])
        if own.is_valid:
            return own.number
    return ""


def _ask(number: Number, asker: str) -> tuple[str, str]:
    """What the register says: (registry, consultation number). Whatever is no clear answer is unreachable, never invalid."""
    asked = {"countryCode": number.prefix, "vatNumber": number.number.removeprefix(number.prefix)}
    if asker:
        asked |= {"requesterMemberStateCode": asker[:2], "requesterNumber": asker[2:]}
    try:
        answer = http.post_json(url=REGISTER, body=json.dumps(asked).encode(), timeout=PATIENCE).json()
    except http.UnableToReach:
        return UNREACHABLE, ""
    return _understood(answer)


def _understood(answer: Any) -> tuple[str, str]:
    """The register answers with status 200 also where a member state did not: {"actionSucceed": false, "errorWrappers": [...]}."""
    if (
        not isinstance(answer, dict)
        or not isinstance(answer.get("valid"), bool)
        or answer.get("actionSucceed") is False
    ):
        return UNREACHABLE, ""
    consultation = answer.get("requestIdentifier")
    return (
        VALID if answer["valid"] else INVALID,
        consultation[:100] if isinstance(consultation, str) else "",
    )
