"""The journal in formats that other programs read and check. Reads only, and streams: the journal may be longer than the memory.

Each function gives the entries from `since` to the end of `until` (booked days; None: all), in the order of date and feed. Where
days lie before `since`, the first entry is what every account brings forward, so that the balances are those of the trial balance.
"""

from collections.abc import Callable, Iterator

from ledger.exports.to_beancount import beancount
from ledger.exports.to_csv import csv
from ledger.exports.to_hledger import hledger

FORMATS: dict[str, Callable[..., Iterator[str]]] = {"beancount": beancount, "csv": csv, "hledger": hledger}

__all__ = ["FORMATS", "beancount", "csv", "hledger"]
