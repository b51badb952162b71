"""A CSV file → the payloads of its transactions. Pure; nothing in a cell is ever evaluated."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from channels.adapters.csv.mapping import DELIMITERS, Mapping, read_mapping
from channels.adapters.csv.scrub import scrub_mapping
from channels.reading import Json
from salessync.core.problems import Problem, Refused

MOST_PROBLEMS = 100  # a person reads them
LONGEST_CELL = 32_000  # what a spreadsheet can hold; more is a quotation mark that was never closed


def events(text: str | bytes, mapping: Any) -> Iterator[Json]:
    """One payload a transaction, in the order of the file: {mapping, rows, lines}, only with the columns that are mapped.

    Refused as a whole, before the first payload, where the file cannot be split with certainty; what a single cell means is
    seen by `normalize`, which names its line and column as well.
    """
    found = read_mapping(mapping)
    body = _decoded(text)
    skipped, delimiter = _told_delimiter(body)
    rows = _rows("".join(body.splitlines(keepends=True)[skipped:]), skipped, delimiter or found.delimiter, found)
    kept = scrub_mapping(mapping)
    return (
        {"mapping": kept, "rows": [row for _, row in group], "lines": [line for line, _ in group]} for group in rows
    )


def _refuse(code: str, place: str, message: str) -> Refused:
    return Refused(Problem(code, place, message))


def _decoded(text: str | bytes) -> str:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise _refuse("NOT_UTF8", "file", "the file is not UTF-8 text: save it as CSV UTF-8") from None
    text = text.removeprefix("\ufeff")
    if "\x00" in text:
        raise _refuse("NUL_CHARACTER", "file", "the file holds a NUL character, which no text can have")
    if not text.strip():
        raise _refuse("EMPTY_FILE", "file", "the file is empty")
    return text


def _told_delimiter(text: str) -> tuple[int, str | None]:
    """Spreadsheets write `sep=;` above the header."""
    first = text.split("\n", 1)[0].strip().strip('"')
    if len(first) == 5 and first.startswith("sep=") and first[4] in DELIMITERS:
        return 1, first[4]
    return 0, None


def _rows(text: str, skipped: int, delimiter: str | None, mapping: Mapping) -> list[list[tuple[int, Json]]]:
    """The rows of each transaction, each with its line in the file."""
    delimiter = delimiter or _delimiter(text, mapping)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    problems: list[Problem] = []
    groups: dict[str, list[tuple[int, Json]]] = {}
    places: dict[str, int] = {}
    width = None
    began = 0
    try:
        for cells in reader:
            line, began = began + 1 + skipped, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if width is None:
                places, width = _header(cells, line, delimiter, mapping), len(cells)
                continue
            row = _row(cells, line, width, places, problems)
            column = mapping.columns["id"]
            key = row[column].strip()
            if not key:
                problems.append(
                    Problem("MISSING_ID", f"line {line}", f"line {line}, column {column!r}: the id is missing")
                )
            groups.setdefault(key, []).append((line, row))
    except csv.Error as error:
        message = f"line {reader.line_num + skipped}: not readable as CSV ({error}); a quotation mark may be left open"
        problems.append(Problem("NOT_CSV", f"line {reader.line_num + skipped}", message))
    if not groups and not problems:
        problems.append(Problem("NO_ROWS", "file", "below the header there is nothing"))
    if problems:
        raise Refused(*problems[:MOST_PROBLEMS])
    return list(groups.values())


def _delimiter(text: str, mapping: Mapping) -> str:
    """The one by which the header has most of the mapped columns."""

    def known(delimiter: str) -> int:
        try:
            header = next(csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter))
        except (csv.Error, StopIteration):
            return -1
        return len({cell.strip() for cell in header} & {column.strip() for column in mapping.columns.values()})

    return max(DELIMITERS, key=known)


def _header(cells: list[str], line: int, delimiter: str, mapping: Mapping) -> dict[str, int]:
    """Where each mapped column stands."""
    names = [cell.strip() for cell in cells]
    problems = []
    for column in mapping.columns.values():
        count = names.count(column.strip())
        if count == 0:
            message = f"line {line}: there is no column {column!r} when the header is split at {delimiter!r}"
            problems.append(Problem("MISSING_COLUMN", f"line {line}", message))
        elif count > 1:
            message = f"line {line}: {count} columns are called {column!r}, and which one is meant is unknown"
            problems.append(Problem("DUPLICATE_COLUMN", f"line {line}", message))
    if problems:
        raise Refused(*problems[:MOST_PROBLEMS])
    return {column: names.index(column.strip()) for column in mapping.columns.values()}


def _row(cells: list[str], line: int, width: int, places: dict[str, int], problems: list[Problem]) -> Json:
    """The mapped cells of one row; a short row has empty ones at its end."""
    if any(cell.strip() for cell in cells[width:]):
        message = f"line {line}: {len(cells)} cells under {width} columns; a text with the delimiter in it needs quotation marks"
        problems.append(Problem("TOO_MANY_CELLS", f"line {line}", message))
    row = {column: cells[place] if place < len(cells) else "" for column, place in places.items()}
    for column, cell in row.items():
        if len(cell) > LONGEST_CELL:
            message = f"line {line}, column {column!r}: the cell is too long; a quotation mark may be left open"
            problems.append(Problem("CELL_TOO_LONG", f"line {line}", message))
    return row
