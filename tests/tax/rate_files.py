"""Files of rates with everything that a test does not care about."""

from itertools import count

from tax.law.ratebook import DeliveryRule, Rate, Rule
from tax.rates.datasets import stage
from tax.rates.loaded import Loaded, LoadedBoundary, LoadedJurisdiction

_files = count(1)


def file_of(*facts, code="file", **fields):
    """A file with these facts, of whichever kinds."""
    kinds = {
        name: [f for f in facts if type(f) is kind]
        for name, kind in (("rates", Rate), ("rules", Rule), ("deliveries", DeliveryRule))
    }
    return Loaded(code=code, format="csv", version=f"{next(_files)}", publisher="An authority", **kinds, **fields)


def staged(loaded, sha256=""):
    """Brought as a file that nobody brought before, unless told otherwise."""
    return stage(loaded, file_name="rates.csv", sha256=sha256 or f"{next(_files):064}", actor="tests")


def place(code, level, parent=None, name=""):
    """Of a state, unless told otherwise."""
    return LoadedJurisdiction(code, code[:5] if parent is None else parent, code[:2], level, name)


def boundary(zip5, *jurisdictions, low=0, high=9999, **fields):
    """The whole ZIP, or exact ZIP+4 codes of it."""
    return LoadedBoundary(zip5, low, high, (low, high) != (0, 9999), jurisdictions, **fields)
