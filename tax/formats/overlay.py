"""A book with files laid over it, for whoever has no database. Pure.

As in the database (tax/rates/precedence.py) a file answers, from the first day on which it has one, for its rates of a tax on a category in a
jurisdiction; the book's count before that day.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import msgspec

from tax.law.boundaries import BoundaryIndex, rates_label
from tax.law.ratebook import Rate, RateBook
from tax.rates.loaded import Loaded

_Claim = tuple[str, str, str]


def laid_over(book: RateBook, files: Sequence[Loaded]) -> RateBook:
    """Rates and boundaries; of files that say the same the one of the higher rank counts, then the later."""
    rates = [rate for of in book.rates.values() for rate in of]
    for loaded in sorted(files, key=lambda loaded: loaded.rank):
        rates = [*_before(rates, loaded.rates), *loaded.rates]
    index = BoundaryIndex(
        (boundary for loaded in files for boundary in loaded.boundaries),
        [rate.jurisdiction for rate in rates if rate.jurisdiction.startswith("US-")],
    )
    found = RateBook(
        version="+".join([book.version, *(f"{loaded.code}:{loaded.version}" for loaded in files)]), rates=rates,
        rules=[rule for of in book.rules.values() for rule in of],
        deliveries=[rule for of in book.deliveries.values() for rule in of],
        countries=book.countries.values(), regions=book.regions.values(), territories=book.territories, localities=index,
    )  # fmt: skip
    index.label = rates_label(found)
    return found


def _before(below: Iterable[Rate], above: Iterable[Rate]) -> Iterator[Rate]:
    """The weaker rates until the first day of the stronger."""
    first: dict[_Claim, date] = {}
    for rate in above:
        starts = rate.starts or date.min
        first[_claim(rate)] = min(starts, first.get(_claim(rate), starts))
    for rate in below:
        until = first.get(_claim(rate))
        if until is None or (rate.ends and rate.ends <= until):
            yield rate
        elif (rate.starts or date.min) < until:
            yield msgspec.structs.replace(rate, ends=until)


def _claim(rate: Rate) -> _Claim:
    return rate.jurisdiction, rate.tax, rate.category
