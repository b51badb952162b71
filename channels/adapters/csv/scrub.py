"""What is kept of a payload: the mapping, and of the rows the mapped columns. Pure.

A file's other columns hold the customer's name, address and notes; no field that a column can be mapped to is one of a person.
"""

from typing import Any

from channels.adapters.csv.mapping import KEYS
from channels.adapters.csv.words import FIELDS
from channels.scrubbing import Keep, a_list, an_object, scalar, text

FREE = frozenset({"line_name", "tax_name", "tender_type", "line_type", "status"})  # where a card number could stand


def _texts(value: Any) -> Any:
    return {name: scalar(one) for name, one in value.items()} if type(value) is dict else scalar(value)


def _words(value: Any) -> Any:
    return {name: _texts(one) for name, one in value.items()} if type(value) is dict else scalar(value)


_MAPPING = an_object({name: _texts if name in ("columns", "defaults") else scalar for name in KEYS} | {"words": _words})


def scrub_mapping(mapping: Any) -> Any:
    """A mapping is the merchant's own setting; of what is no part of one only the name is left, for it to be refused."""
    unknown = [name for name in mapping if name not in KEYS] if type(mapping) is dict else []
    return _MAPPING(mapping) | {name[:60]: None for name in unknown} if unknown else _MAPPING(mapping)


def scrub(payload: Any) -> Any:
    """The payload with only what `normalize` reads."""
    mapping = payload.get("mapping") if type(payload) is dict else None
    columns = mapping.get("columns") if type(mapping) is dict else None
    keep: dict[str, Keep] = {
        column: text if field in FREE else scalar
        for column, field in (columns.items() if type(columns) is dict else ())
        if type(field) is str and field in FIELDS
    }
    return an_object({"mapping": scrub_mapping, "rows": a_list(an_object(keep)), "lines": a_list(scalar)})(payload)
