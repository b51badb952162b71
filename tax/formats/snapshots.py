"""Sources that say what holds on one day, and nothing of later ones. Pure.

From its first day on a dataset answers for what it has a rate of (tax/rates/precedence.py), so that a snapshot of last summer would undo a change
that is law already and comes in winter. So it carries along what the seed knows of later days, each row with its own source.
"""

from collections.abc import Iterable
from datetime import date
from itertools import groupby

import msgspec

from tax.law.ratebook import Rate
from tax.law.seed import seed


def with_later(rates: Iterable[Rate]) -> list[Rate]:
    """The rates, and the seed's of the same jurisdiction, tax and category that begin after them."""
    found: list[Rate] = []
    for (jurisdiction, tax, category), of_one in groupby(sorted(rates, key=_key), _key):
        *own, last = sorted(of_one, key=lambda rate: rate.starts or date.min)
        known = [rate for rate in seed().rates.get(jurisdiction, ()) if (rate.tax, rate.category) == (tax, category)]
        later = {rate.starts: rate for rate in known if rate.starts and last.starts and rate.starts > last.starts}
        found += [*own, msgspec.structs.replace(last, ends=min(later, default=last.ends)), *later.values()]
    return found


def _key(rate: Rate) -> tuple[str, str, str]:
    return rate.jurisdiction, rate.tax, rate.category
