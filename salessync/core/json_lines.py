"""Parsed JSON as lines that know their place, so that a page can point at the one that is wrong. Pure."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

MAX_LINES = 4000
MAX_TEXT = 2000


class JsonLine(NamedTuple):
    """One line of pretty-printed JSON; `path` is written as problems write theirs: lines[0].net."""

    indent: int
    text: str
    path: str


def json_lines(value: Any) -> list[JsonLine]:
    """The whole value, cut after MAX_LINES."""
    found: list[JsonLine] = []
    for line in _lines(value, 0, "", "", ""):
        if len(found) == MAX_LINES:
            found.append(JsonLine(0, f"… cut after {MAX_LINES} lines", "…"))
            break
        found.append(line)
    return found


def text_lines(body: bytes) -> list[JsonLine]:
    """Bytes that are no JSON: text where they are text, escapes where they are not."""
    text = body[: MAX_LINES * 20].decode("utf-8", "backslashreplace")
    visible = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return [JsonLine(0, line[:MAX_TEXT], "") for line in visible.split("\n")[:MAX_LINES]]


def same_place(path: str, problem_path: str) -> bool:
    """Whether a problem's path names this line."""
    return bool(path) and path == re.sub(r"^\$\.?", "", problem_path).replace("[...]", "[0]")


def _lines(value: Any, indent: int, path: str, name: str, comma: str) -> Iterator[JsonLine]:
    if isinstance(value, dict) and value:
        yield JsonLine(indent, f"{name}{{", path)
        last = len(value) - 1
        for index, (key, item) in enumerate(value.items()):
            place = f"{path}.{key}" if path else str(key)
            yield from _lines(item, indent + 1, place, f"{_scalar(key)}: ", "," if index < last else "")
        yield JsonLine(indent, f"}}{comma}", "")
    elif isinstance(value, list) and value:
        yield JsonLine(indent, f"{name}[", path)
        last = len(value) - 1
        for index, item in enumerate(value):
            yield from _lines(item, indent + 1, f"{path}[{index}]", "", "," if index < last else "")
        yield JsonLine(indent, f"]{comma}", "")
    else:
        yield JsonLine(indent, f"{name}{_scalar(value)}{comma}"[:MAX_TEXT], path)


def _scalar(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
