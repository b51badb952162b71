"""Bookkeeper's file, read by somebody else: beancount's own check and loader."""

import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

from beancount import loader
from beancount.core.data import Transaction

from salessync.core.money import minor_digits
from salessync.sandbox.bookkeeper.beancount_text import CONVERSION
from salessync.sandbox.findings import Balances


def bean_check(file: Path) -> list[str]:
    """What `bean-check` complains of; nothing for books that are in order."""
    done = subprocess.run(
        [sys.executable, "-m", "beancount.scripts.check", "--no-cache", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return said or ([f"bean-check ended with {done.returncode}"] if done.returncode else [])


def balances(file: Path) -> Balances:
    """Every account and currency of the file that is not zero, in minor units; without what only the file's format needs."""
    entries, _, _ = loader.load_file(str(file))
    found: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        if isinstance(entry, Transaction):
            for posting in entry.postings:
                if posting.account == CONVERSION:
                    continue
                assert posting.units is not None and isinstance(posting.units.number, Decimal)
                currency = posting.units.currency
                found[posting.account, currency] += _minor(posting.units.number, currency)
    return {key: amount for key, amount in found.items() if amount}


def _minor(number: Decimal, currency: str) -> int:
    scaled = number.scaleb(minor_digits(currency))
    assert scaled == int(scaled), f"{number} {currency} has a fraction of a minor unit"
    return int(scaled)
