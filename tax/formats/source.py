"""A file as it was given: plain, or the one CSV inside a ZIP; and what is wrong with its lines. Pure."""

import codecs
import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

import msgspec

from salessync.core.problems import Problem, Refused

LARGEST = 4 * 1024**3  # bytes, unpacked: the largest boundary files have some hundred megabytes
LARGEST_WHOLE = 200 * 1024**2  # of what is read at once
_LONGEST_LINE = 100_000
_MOST_PROBLEMS = 100


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("latin-1-byte", _as_latin_1)


class Source(msgspec.Struct, frozen=True):
    """`name` of the file, or of the CSV inside; reading it again begins anew."""

    path: Path
    name: str
    is_packed: bool = False

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return Path(self.name).stem

    @contextmanager
    def _bytes(self) -> Iterator[IO[bytes]]:
        if self.is_packed:
            with zipfile.ZipFile(self.path) as packed, packed.open(self.name) as file:
                yield file  # ends after as many bytes as it says it has: nothing unpacks without end
        else:
            with self.path.open("rb") as plain:
                yield plain

    @contextmanager
    def text(self) -> Iterator[TextIO]:
        """UTF-8 with or without a byte order mark; a byte that is none is read as Latin-1."""
        try:
            with self._bytes() as file, io.TextIOWrapper(file, "utf-8-sig", "latin-1-byte", newline="") as text:
                yield text
        except (
            OSError,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,
        ) as error:  # the last: it has a password
            raise Refused(Problem("UNREADABLE", self.name, f"the file cannot be read: {error}")) from None

    def whole(self) -> str:
        """All of a small file."""
        with self.text() as text:
            content = text.read(LARGEST_WHOLE + 1)
        if len(content) > LARGEST_WHOLE:
            raise Refused(Problem("TOO_LARGE", self.name, "the file is larger than 200 MB"))
        return content

    def lines(self) -> Iterator[str]:
        """One by one, so that no file is ever whole in memory."""
        with self.text() as text:
            while line := text.readline(_LONGEST_LINE + 1):
                if len(line) > _LONGEST_LINE:
                    raise Refused(
                        Problem("LINE_TOO_LONG", self.name, f"a line has more than {_LONGEST_LINE} characters")
                    )
                yield line

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The lines of a CSV by their number; empty ones are passed over."""
        reader = csv.reader(self.lines())
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise Refused(Problem("NOT_A_CSV", f"line {reader.line_num}", f"the line is no CSV: {error}")) from None


def open_source(path: Path) -> Source:
    """Refused where there is nothing to read, or too much."""
    try:
        if not zipfile.is_zipfile(path):
            _check_size(path.name, path.stat().st_size)
            return Source(path, path.name)
        with zipfile.ZipFile(path) as packed:
            inside = [
                one for one in packed.infolist() if not one.is_dir() and one.filename.lower().endswith((".csv", ".txt"))
            ]
    except (OSError, zipfile.BadZipFile) as error:
        raise Refused(Problem("UNREADABLE", path.name, f"the file cannot be read: {error}")) from None
    if len(inside) != 1:
        raise Refused(Problem("NOT_ONE_CSV", path.name, f"the ZIP holds {len(inside)} CSV files: it should be one"))
    _check_size(path.name, inside[0].file_size)
    return Source(path, inside[0].filename, is_packed=True)


def _check_size(name: str, size: int) -> None:
    if size > LARGEST:
        raise Refused(Problem("TOO_LARGE", name, f"the file has {size} bytes: more than {LARGEST} are not read"))


class Findings:
    """What is wrong with a file's lines. A file is taken whole or not at all."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, code: str, line: int, message: str) -> None:
        """Refuses at once where there is no end of it."""
        self.problems.append(Problem(code, f"line {line}", message))
        if len(self.problems) >= _MOST_PROBLEMS:
            self.refuse()

    def refuse(self) -> None:
        """Refused, where there was anything."""
        if self.problems:
            raise Refused(*self.problems)


class Unusable(ValueError):
    """A field of a line, with the code of its problem."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
