"""A report as CSV, as JSON and as a table of text, line by line. Pure.

In CSV and tables money is in major units beside its currency, in JSON in minor units as everywhere between programs. A cell that a
spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV Injection); a plain number stays one.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ledger.reports.report import Column, Kind, Report
from salessync.core.money import to_major

# The characters that start a formula, their full-width forms, and what a spreadsheet drops before it looks for one.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
RIGHT = (Kind.MONEY, Kind.BASE, Kind.NUMBER)  # how people read figures
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def spreadsheet_text(text: str) -> str:
    """The text as a cell that no spreadsheet calculates."""
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def shown(report: Report) -> list[Column]:
    """The columns for people."""
    return [column for column in report.columns if not column.hidden]


def major(row: Any, column: Column, base_currency: str) -> str:
    """One value as text, money in major units; nothing for None."""
    value = getattr(row, column.name)
    if value is None:
        return ""
    if column.kind == Kind.MONEY:
        return to_major(value, row.currency)
    if column.kind == Kind.BASE:
        return to_major(value, base_currency)
    return str(value)


class _Line:
    """What csv.writer writes to; gives each line back."""

    def write(self, line: str) -> str:
        return line


def as_csv(report: Report) -> Iterator[str]:
    """A line of headings, then one for each row; sums are left to who reads it."""
    columns = shown(report)
    writer = csv.writer(_Line())
    yield writer.writerow([title(column, report.base_currency) for column in columns])
    for row in report.rows:
        yield writer.writerow([_cell(row, column, report.base_currency) for column in columns])


def _cell(row: Any, column: Column, base_currency: str) -> str:
    text = major(row, column, base_currency)
    return spreadsheet_text(text) if column.kind == Kind.TEXT else text


def title(column: Column, base_currency: str) -> str:
    """The heading, with the currency that the column is in, if it is in one."""
    return column.title.replace("base currency", base_currency) if column.kind == Kind.BASE else column.title


def as_json(report: Report) -> Iterator[str]:
    """One object: what it is about, `rows`, `totals`, and last, since it may only be known then, whether it ties."""
    about = {
        "report": report.name,
        "title": report.title,
        "company": report.company,
        "base_currency": report.base_currency,
        "from": _plain(report.first),
        "to": _plain(report.last),
        "by": list(report.by),
    }
    yield json.dumps(about)[:-1] + ', "rows": ['
    for number, row in enumerate(report.rows):
        yield ("" if number == 0 else ", ") + json.dumps(_object(report.columns, row))
    totals = json.dumps([_object(report.columns, row) for row in report.totals])
    tie = report.tie()
    told = {"ties": tie.holds, "report": tie.report, "ledger": tie.ledger, "sentence": tie.sentence}
    yield f'], "totals": {totals}, "tie_out": {json.dumps(told)}}}'


def _object(columns: Sequence[Column], row: Any) -> dict[str, Any]:
    return {column.name: _plain(getattr(row, column.name)) for column in columns}


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def as_table(report: Report) -> Iterator[str]:
    """For a terminal: title, rows, sums, and the sentence on the ledger."""
    columns = shown(report)
    rows = [[_printable(major(row, c, report.base_currency)) for c in columns] for row in report.rows]
    sums = [[_printable(major(row, c, report.base_currency)) for c in columns] for row in report.totals]
    head = [title(column, report.base_currency) for column in columns]
    widths = [max(len(line[i]) for line in [head, *rows, *sums]) for i in range(len(columns))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    yield f"{report.title}, {report.company}, {report.days}"
    yield ""
    yield _aligned(head, columns, widths)
    yield rule
    for row in rows:
        yield _aligned(row, columns, widths)
    if sums:
        yield rule
        for row in sums:
            yield _aligned(row, columns, widths)
    yield ""
    yield report.tie().sentence


def _aligned(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if column.kind in RIGHT else cell.ljust(width)
        for cell, column, width in zip(cells, columns, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def _printable(text: str) -> str:
    """A vendor's text moves no cursor."""
    return "".join(c if c.isprintable() else "�" for c in text)
