"""The saved mapping of a file's columns: which field each one is, and how its numbers, dates and words are written. Pure.

{"columns": {column: field}, "defaults": {field: text}, "decimal": "." or ",", "date_format": "%d.%m.%Y %H:%M" or absent for
RFC 3339, "timezone": IANA name or absent for the channel's, "tax_inclusive": true or false, "delimiter": absent where the
header tells it, "words": {field: {the file's word: ours}}}
"""

import re
from typing import Any

import msgspec

from channels.adapters.csv.words import FIELDS, WORDS, key
from channels.reading import Json, Reader
from salessync.core import dates

KEYS = ("columns", "defaults", "decimal", "date_format", "timezone", "tax_inclusive", "delimiter", "words")
DELIMITERS = (",", ";", "\t", "|")
DIRECTIVES = "YymbBdHIpMSfz%"  # weekdays say nothing, and the rest depends on the machine
LONGEST = 255  # characters of a column's name


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """`columns` by field; `words` by field and word."""

    columns: dict[str, str]
    defaults: dict[str, str]
    decimal: str
    date_format: str | None
    timezone: str | None
    tax_inclusive: bool
    delimiter: str | None
    words: dict[str, dict[str, str]]

    def tells(self, *fields: str) -> bool:
        """Whether a column or a default holds any of the fields."""
        return any(field in self.columns or field in self.defaults for field in fields)


def read_mapping(raw: Any) -> Mapping:
    """The mapping, or Refused with everything that is wrong with it."""
    reader = Reader()
    mapping = reader.object(raw, "mapping")
    reader.finish()
    for name in mapping:
        if name not in KEYS:
            reader.refuse("UNKNOWN_FIELD", f"mapping.{name[:60]}", f"a mapping has no part called {name[:60]!r}")
    found = Mapping(
        columns=_columns(reader, mapping),
        defaults=_defaults(reader, mapping),
        decimal=_choice(reader, mapping, "decimal", (".", ",")) or ".",
        date_format=_date_format(reader, mapping.get("date_format")),
        timezone=_timezone(reader, mapping.get("timezone")),
        tax_inclusive=_truth(reader, mapping, "tax_inclusive"),
        delimiter=_choice(reader, mapping, "delimiter", DELIMITERS),
        words=_words(reader, mapping),
    )
    if not reader.problems and "id" not in found.columns:
        reader.refuse("MISSING_COLUMN", "mapping.columns", "no column is mapped to the transaction's id")
    if found.tells("discount") and found.tells("line_discount"):
        reader.refuse(
            "TWO_DISCOUNTS", "mapping.columns", "either the rows have the discount or the transaction has: map one"
        )
    reader.finish()
    return found


def _columns(reader: Reader, mapping: Json) -> dict[str, str]:
    columns: dict[str, str] = {}
    for column, field in _texts(reader, mapping, "columns", "").items():
        path = f"mapping.columns.{column[:60]}"
        if field not in FIELDS:
            reader.refuse("UNKNOWN_FIELD", path, f"{field[:60]!r} is no field that a column can be mapped to")
        elif field in columns:
            reader.refuse(
                "DUPLICATE_FIELD", path, f"two columns are mapped to {field}: {columns[field]!r} and this one"
            )
        elif not column.strip() or len(column) > LONGEST:
            reader.refuse("BAD_COLUMN", path, f"a column's name has 1 to {LONGEST} characters")
        else:
            columns[field] = column
    return columns


def _defaults(reader: Reader, mapping: Json) -> dict[str, str]:
    defaults = _texts(reader, mapping, "defaults", "")
    for field in defaults:
        if field not in FIELDS:
            path = f"mapping.defaults.{field[:60]}"
            reader.refuse("UNKNOWN_FIELD", path, f"{field[:60]!r} is no field that can have a default")
    return {field: text.strip() for field, text in defaults.items() if text.strip()}


def _words(reader: Reader, mapping: Json) -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = {}
    raw = mapping.get("words")
    for field in reader.object(raw, "mapping.words") if raw is not None else {}:
        known, where = WORDS.get(field), f"mapping.words.{field[:60]}"
        if known is None:
            reader.refuse("UNKNOWN_FIELD", where, f"words are mapped of {', '.join(WORDS)}, not of {field[:60]!r}")
            continue
        words[field] = {}
        for word, ours in _texts(reader, raw, field, "words.").items():
            if ours in known:
                words[field][key(word)] = ours
            else:
                reader.refuse("UNKNOWN_WORD", f"{where}.{word[:60]}", f"{ours[:60]!r} is no {field.replace('_', ' ')}")
    return words


def _texts(reader: Reader, parent: Any, name: str, where: str) -> dict[str, str]:
    """An object of texts."""
    raw = parent.get(name)
    if raw is None:
        return {}
    found = {}
    for label, text in reader.object(raw, f"mapping.{where}{name}").items():
        if type(text) is str and len(text) <= LONGEST:
            found[label] = text
        else:
            path = f"mapping.{where}{name}.{label[:60]}"
            reader.refuse("BAD_FIELD", path, f"should be a text of at most {LONGEST} characters")
    return found


def _choice(reader: Reader, mapping: Json, name: str, choices: tuple[str, ...]) -> str | None:
    value = mapping.get(name)
    if value is None or (type(value) is str and value in choices):
        return value
    reader.refuse("BAD_FIELD", f"mapping.{name}", f"should be one of {' '.join(repr(one) for one in choices)}")
    return None


def _truth(reader: Reader, mapping: Json, name: str) -> bool:
    value = mapping.get(name)
    if value is not None and type(value) is not bool:
        reader.refuse("BAD_FIELD", f"mapping.{name}", "should be true or false")
    return value is True


def _timezone(reader: Reader, value: Any) -> str | None:
    if value is None:
        return None
    try:
        if type(value) is str:
            dates.zone(value)
            return value
        reader.refuse("UNKNOWN_TIMEZONE", "mapping.timezone", "should be the name of an IANA time zone")
    except dates.DateError as error:
        reader.refuse(error.code, "mapping.timezone", str(error))
    return None


def _date_format(reader: Reader, value: Any) -> str | None:
    """A strptime format that names a whole day with directives that mean the same everywhere."""
    if value is None:
        return None
    if type(value) is str and len(value) <= 60 and value.isascii():
        used = re.findall("%(.?)", value, re.DOTALL)
        counts = [sum(one in family for one in used) for family in ("Yy", "mbB", "d", "HI", "p", "M", "S", "f", "z")]
        whole_day = counts[:3] == [1, 1, 1] and max(counts) == 1 and ("I" in used) == ("p" in used)
        if whole_day and all(one and one in DIRECTIVES for one in used):
            return value
    reader.refuse(
        "BAD_DATE_FORMAT", "mapping.date_format",
        f"should name year, month and day once each, as in %d.%m.%Y %H:%M; of %{' %'.join(DIRECTIVES)}",
    )  # fmt: skip
    return None
