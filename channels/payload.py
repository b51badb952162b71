"""Raw bytes to parsed JSON, strictly, and back. Pure.

What two readers could read differently (duplicate keys, NaN, NUL, lone surrogates) is refused with a code.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

from salessync.core.problems import Problem, Refused

MAX_DEPTH = 100

_fast = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def _refuse(code: str, message: str) -> NoReturn:
    raise Refused(Problem(code, "$", message))


_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,39}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        key = f"the key {twice!r}" if _NAME.fullmatch(twice) else "a key"  # anything else might be a person's
        _refuse("DUPLICATE_KEY", f"{key} appears twice in one object: which one counts is unknown")
    return found


def _constant(name: str) -> NoReturn:
    _refuse("NOT_A_NUMBER", f"{name} is not a number that money can have")


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:  # an exponent beyond what even Decimal holds
        _refuse("NUMBER_TOO_LONG", "a number in the body has an exponent that no amount has")


_strict = json.JSONDecoder(object_pairs_hook=_object, parse_float=_decimal, parse_constant=_constant)
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # an escaped backslash before u0000 is a backslash, and no NUL


def parse(body: bytes) -> Any:
    """The JSON of `body`; Refused with a code where it is not JSON that every reader reads the same way."""
    if not body.strip():
        _refuse("EMPTY_BODY", "the body is empty")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse("NOT_UTF8", "the body is not UTF-8 text")
    try:
        parsed = _strict.decode(text)
    except RecursionError:
        _refuse("TOO_DEEP", "the body is nested too deeply to be a sale")
    except json.JSONDecodeError as error:
        _refuse("NOT_JSON", f"the body is not JSON: {error.msg} at character {error.pos}")
    except ValueError:  # int() refuses thousands of digits
        _refuse("NUMBER_TOO_LONG", "a number in the body has too many digits")
    if "\x00" in text or ("\\u0000" in text and _NUL.search(text)):
        _refuse("NUL_CHARACTER", "the body holds a NUL character, which no text can have")
    if text.count("{") + text.count("[") > MAX_DEPTH and _deeper_than(MAX_DEPTH, parsed):
        _refuse("TOO_DEEP", "the body is nested too deeply to be a sale")
    if "\\ud" in text or "\\uD" in text:
        try:
            _encoder.encode(parsed)
        except UnicodeEncodeError:
            _refuse("BAD_UNICODE", "the body holds half of a surrogate pair")
    return parsed


def _deeper_than(limit: int, value: Any) -> bool:
    """Whether containers are nested more than `limit` deep: what walks a payload later may recurse without fear."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, (dict, list))
        ]
    return bool(level)


def parse_stored(body: bytes) -> Any:
    """The JSON of a body that `parse` has accepted and `dump` has written."""
    return _fast.decode(body)


def dump(payload: Any) -> bytes:
    """Parsed JSON as compact bytes; numbers keep their digits."""
    return _encoder.encode(payload)


_DIGITS = re.compile("[0-9](?:[ -]?[0-9]){12}")
_RUN = re.compile(rb"(?<![0-9])(?<![0-9]\.)[0-9](?:[ -]?[0-9]){12,}(?!\.?[0-9])")  # digits in groups, and no fraction
_GROUP = re.compile(rb"[0-9]+")
SHORTEST, LONGEST = 13, 19  # digits of a card number (ISO/IEC 7812)


def _luhn(digits: bytes) -> bool:
    total = 0
    for position, char in enumerate(reversed(digits)):
        number = char - 48
        if position % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0


def _is_card(digits: bytes) -> bool:
    # a card number starts with 2-6 (ISO/IEC 7812); ids and timestamps of vendors mostly do not pass Luhn as well
    return SHORTEST <= len(digits) <= LONGEST and digits[0:1] in b"23456" and _luhn(digits)


def _mask(match: re.Match[bytes]) -> bytes:
    """Masked wherever neighbouring groups of the run make a card number together: "size 12 4242 4242 4242 4242"."""
    run, place = bytearray(match[0]), 0
    groups = [m.span() for m in _GROUP.finditer(match[0])]
    while place < len(groups):
        start, digits = groups[place][0], b""
        for last in range(place, len(groups)):
            digits += match[0][slice(*groups[last])]
            if len(digits) > LONGEST:
                break
            if _is_card(digits):
                end = groups[last][1]
                run[start : end - 4] = b"*" * (end - 4 - start)
                place = last
                break
        place += 1
    return bytes(run)


def mask_cards(text: str) -> str:
    """The text with whatever looks like a card number (length, issuer digit, Luhn) masked down to its last four digits."""
    if _DIGITS.search(text) is None:
        return text
    return mask_card_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def mask_card_bytes(body: bytes) -> bytes:
    """The same over bytes."""
    return _RUN.sub(_mask, body)


SHAPE_BYTES = 500
_SHAPE = (
    bytes(
        ord("x") if chr(b).islower() else ord("X") if chr(b).isupper() else ord("0") if chr(b).isdigit() else b
        for b in range(128)
    )
    + b"?" * 128
)


def shape(body: bytes) -> bytes:
    """What a body that is no JSON looks like, and nothing of what it says: its first SHAPE_BYTES bytes, letters as x and X,
    digits as 0, whatever is beyond ASCII as a question mark."""
    return body[:SHAPE_BYTES].translate(_SHAPE)
