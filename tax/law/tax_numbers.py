"""Tax numbers of customers: format and check digit, by python-stdnum; whether a register knows them is asked elsewhere. Pure."""

import msgspec
from stdnum import get_cc_module

_OWN_PREFIX = {"GR": "EL"}
_MODULE = {"EL": "gr", "XI": "gb"}
EU = frozenset(
    "AT BE BG CY CZ DE DK EE EL ES FI FR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK XI".split()
)  # as VAT numbers begin


class TaxNumber(msgspec.Struct, frozen=True):
    """`prefix` as VAT numbers have it (EL for Greece); `is_valid`: the check digit holds."""

    number: str
    prefix: str
    is_valid: bool


def eu_number(given: str, country: str) -> TaxNumber:
    """A VAT number of the EU, with its prefix or, without, of `country` (ISO)."""
    number = "".join(c for c in given.upper() if c.isalnum())
    prefix = number[:2] if number[:2] in EU else _OWN_PREFIX.get(country, country)
    module = get_cc_module(_MODULE.get(prefix, prefix.lower()), "vat") if prefix in EU else None
    digits = number.removeprefix(prefix)
    is_valid = module is not None and bool(module.is_valid(digits) or module.is_valid(prefix + digits))
    return TaxNumber(number=prefix + digits, prefix=prefix, is_valid=is_valid)


_BUSINESS = {
    "GB": ("gb", "vat"),
    "AU": ("au", "abn"),
    "NZ": ("nz", "ird"),
    "SG": ("sg", "uen"),
    "NO": ("no", "mva"),
    "CH": ("ch", "vat"),
}


def business_number(given: str, country: str) -> TaxNumber:
    """A number by which a business of `country` (ISO) is known to its tax office; not valid where no check is known."""
    if country not in _BUSINESS:
        return eu_number(given, country)
    module = get_cc_module(*_BUSINESS[country])
    number = "".join(c for c in given.upper() if c.isalnum())
    return TaxNumber(number=number, prefix=country, is_valid=module is not None and bool(module.is_valid(number)))
