"""Files of rates and boundaries, whatever their format: told apart by their beginning, and read into tax.rates.loaded. Pure."""

import csv
from collections.abc import Callable
from pathlib import Path

from salessync.core.problems import Problem, Refused
from tax.formats import eu_vat_rates_data, generic_csv, sst_boundaries, sst_rates, tedb
from tax.formats.american import FIPS_OF
from tax.formats.source import Source, open_source
from tax.rates.loaded import Loaded

STATES = frozenset(FIPS_OF)

FORMATS: dict[str, Callable[[Source, str], Loaded]] = {
    "sst-rates": sst_rates.read,
    "sst-boundaries": sst_boundaries.read,
    "csv": generic_csv.read,
    "tedb": tedb.read,
    "eu-vat-rates-data": eu_vat_rates_data.read,
}
_ROWS: dict[str, Callable[[list[str]], bool]] = {
    "sst-rates": sst_rates.looks_like,
    "sst-boundaries": sst_boundaries.looks_like,
    "tedb": tedb.looks_like,
    "csv": generic_csv.looks_like,
}


def read(path: Path, form: str = "auto", state: str = "") -> Loaded:
    """What the file says; `state` (GA) of a file of the United States that may not say it. Refused with all its problems."""
    source = open_source(path)
    return FORMATS[sniffed(source) if form == "auto" else form](source, state)


def sniffed(source: Source) -> str:
    """The format by the file's beginning."""
    with source.text() as text:
        start = text.read(4096)
    if start.lstrip().startswith("<"):
        return "tedb"
    if eu_vat_rates_data.looks_like(start):
        return "eu-vat-rates-data"
    first = next((line for line in start.splitlines() if line.strip(" ,")), "")
    try:
        row = next(csv.reader([first]), [])
    except csv.Error:
        row = []
    for form, looks_like in _ROWS.items():
        if row and looks_like(row):
            return form
    raise Refused(Problem("UNKNOWN_FORMAT", source.name, f"the file is none of the formats {', '.join(FORMATS)}"))
