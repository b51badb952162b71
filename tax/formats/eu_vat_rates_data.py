"""The JSON of the package eu-vat-rates-data (vatnode.dev, MIT), which follows the European Commission's TEDB day by day. Pure.

Its standard rates hold from the day of its version, until the next change that the seed knows (tax.formats.snapshots). Its reduced rates name no goods, and some are those of islands and overseas parts:
they are compared with the rates that we have, and not taken.
"""

import json
from datetime import date
from decimal import Decimal
from typing import Any

from salessync.core.problems import Problem, Refused
from tax.formats import snapshots
from tax.formats.source import Source
from tax.law.ratebook import ROOT, Rate
from tax.law.seed import seed
from tax.rates.loaded import Loaded

_NO_COUNTRY = "country without seed facts"
_NO_CATEGORY = "reduced rates: they name no goods"
_RANK = 5  # above the seed, below the authorities


def looks_like(start: str) -> bool:
    """By its first characters."""
    return start.lstrip().startswith("{") and '"version"' in start and '"source"' in start


def read(source: Source, state: str = "") -> Loaded:
    """Problems tell where our reduced rates are not among those of the package."""
    try:
        content = json.loads(source.whole(), parse_float=Decimal, parse_int=Decimal)
        version = date.fromisoformat(content["version"])
        countries = dict(content["rates"]).items()
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(
            Problem("NOT_THE_FORMAT", source.name, f"this is no JSON of eu-vat-rates-data: {error}")
        ) from None
    book = seed()
    rates: list[Rate] = []
    problems: list[Problem] = []
    left_out: dict[str, int] = {}
    for country, given in countries:
        ours = [row for row in book.rates.get(country, ()) if row.is_in_force(version)]
        standard = next((row for row in ours if row.category == ROOT), None)
        if standard is None:
            left_out[_NO_COUNTRY] = left_out.get(_NO_COUNTRY, 0) + 1
            continue
        rate, others = _numbers(country, given)
        left_out[_NO_CATEGORY] = left_out.get(_NO_CATEGORY, 0) + len(others)
        rates.append(
            Rate(
                jurisdiction=country, tax=standard.tax, rate=rate, starts=version, verified_on=version,
                source=f"eu-vat-rates-data {version} (vatnode.dev, of {str(content.get('source', ''))[:60]})",
            )
        )  # fmt: skip
        problems += [
            Problem(
                "NOT_IN_PACKAGE", f"rates.{country}",
                f"we have {row.rate.normalize():f} % for {row.category}, which the package does not list among {country}'s rates",
            )
            for row in ours if row.rate and row.rate not in {rate, *others}
        ]  # fmt: skip
    if not rates:
        raise Refused(Problem("EMPTY", source.name, "the file holds no country that has seed facts"))
    return Loaded(
        code="eu-vat-rates-data", format="eu-vat-rates-data", version=version.isoformat(), publisher="vatnode.dev", licence="MIT",
        attribution="eu-vat-rates-data, https://vatnode.dev", rank=_RANK, rates=snapshots.with_later(rates), left_out=left_out, problems=problems,
    )  # fmt: skip


def _numbers(country: str, given: Any) -> tuple[Decimal, list[Decimal]]:
    """The standard rate, and all others."""
    try:
        others = [*given.get("reduced", []), given.get("super_reduced"), given.get("parking")]
        numbers = [given["standard"], *(rate for rate in others if rate is not None)]
        if not all(isinstance(rate, Decimal) and 0 <= rate <= 100 for rate in numbers):
            raise ValueError("a rate is no percentage")
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise Refused(Problem("BAD_RATE", f"rates.{country}"[:60], f"the rates cannot be read: {error}")) from None
    return numbers[0], numbers[1:]
