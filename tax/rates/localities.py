"""The boundaries of the database: a ZIP's rows are read once, together with others' where they are asked for in advance."""

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import date

from django.db import connection

from tax.law.boundaries import Combination, Districts, Label, codes_label, combination, locate, packed, parse_zip
from tax.law.ratebook import Locality

_MOST_ROWS = 2_500_000  # kept, of 16 bytes: as many as all states of the Streamlined Sales Tax have
_AT_ONCE = 200  # ZIPs in one query: their rows are in memory twice
_STATE = len("US-MN")
_WIDTH = len(packed(0, 0, False, None, None, 0))

_ROWS = """
    SELECT zip5, low, high, is_exact, lower(valid), upper(valid), combination_id FROM tax_boundary
    WHERE zip5 = ANY(%s) AND dataset_id = ANY(%s)
"""
_COMBINATIONS = "SELECT id, jurisdictions, has_state FROM tax_combination WHERE id = ANY(%s)"
_RATED = (
    "SELECT DISTINCT jurisdiction_id FROM tax_ratefact WHERE dataset_id = ANY(%s) AND jurisdiction_id LIKE 'US-__-%%'"
)


class StoredLocalities:
    """Of the datasets that count together, with rates and boundaries: other datasets are another. Threads may share it."""

    def __init__(self, dataset_ids: Sequence[int], label: Label = codes_label) -> None:
        self.dataset_ids = list(dataset_ids)
        self.label = label
        self._lock = threading.Lock()
        self._zips: OrderedDict[int, array[int]] = OrderedDict()
        self._rows = 0
        self._combinations: dict[int, Combination] = {}
        self._states: set[str] | None = None
        self._districts = Districts()

    def prefetch(self, postcodes: Iterable[str]) -> None:
        """Reads the rows of all these ZIPs that are not kept, two hundred in a query."""
        found = (parse_zip(postcode) for postcode in postcodes)
        wanted = sorted({one[0] for one in found if one is not None and one[0] not in self._zips})
        for start in range(0, len(wanted), _AT_ONCE):
            self._read(set(wanted[start : start + _AT_ONCE]))

    def locate(self, country: str, region: str, postcode: str, city: str, on: date) -> Locality | None:
        """None where nothing is stored for the place, or no local rate of its state is."""
        state, wanted = f"US-{region}", parse_zip(postcode)
        if country != "US" or wanted is None or state not in self._rated_states():
            return None
        with self._lock:
            rows = self._zips.get(wanted[0])
            if rows is not None:
                self._zips.move_to_end(wanted[0])
        if rows is None:
            rows = self._read({wanted[0]})[wanted[0]]
        return locate(rows, wanted[1], on, state, self._combinations.__getitem__, self.label) if rows else None

    def _rated_states(self) -> set[str]:
        """Where no local rate is known, knowing the place would make a tax of the state's rate alone look complete."""
        if self._states is None:
            with connection.cursor() as cursor:
                cursor.execute(_RATED, [self.dataset_ids])
                codes = [code for (code,) in cursor.fetchall()]
            self._districts = Districts(codes)
            self._states = {code[:_STATE] for code in codes}
        return self._states

    def _read(self, wanted: set[int]) -> dict[int, "array[int]"]:
        self._rated_states()
        found: dict[int, array[int]] = {one: array("i") for one in wanted}
        if wanted:
            with connection.cursor() as cursor:
                cursor.execute(_ROWS, [sorted(wanted), self.dataset_ids])
                for one, *row in cursor:
                    found[one].extend(packed(*row))
            self._learn({rows[at] for rows in found.values() for at in range(_WIDTH - 1, len(rows), _WIDTH)})
            self._keep(found)
        return found

    def _learn(self, ids: set[int]) -> None:
        unknown = sorted(number for number in ids if number not in self._combinations)
        if not unknown:
            return
        with connection.cursor() as cursor:
            cursor.execute(_COMBINATIONS, [unknown])
            for number, codes, has_state in cursor:
                self._combinations[number] = combination(codes, has_state, self._districts)

    def _keep(self, found: dict[int, "array[int]"]) -> None:
        with self._lock:
            for one, rows in found.items():
                if one not in self._zips:
                    self._zips[one] = rows
                    self._rows += len(rows) // _WIDTH + 1
            while self._rows > _MOST_ROWS and len(self._zips) > len(found):
                _, rows = self._zips.popitem(last=False)
                self._rows -= len(rows) // _WIDTH + 1
