"""Keeps of a vendor's payload what is listed and nothing else: the engine of every adapter's `scrub`. Pure.

Of what stands where something else belongs only its kind is kept, so that it is refused as before.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from channels.adapter import customer_ref
from channels.payload import mask_cards
from channels.reading import last4

Keep = Callable[[Any], Any]


def scalar(value: Any) -> Any:
    """A number, a truth value or a short word."""
    return _blank(value) if type(value) is dict or type(value) is list else value


def _blank(value: Any) -> Any:
    """Of what has no place there only its kind, so that it is refused as before."""
    if type(value) is dict:
        return {"scrubbed": None} if value else value
    if type(value) is list:
        return [None] if value else value
    return "?" if type(value) is str and value else value


def text(value: Any) -> Any:
    """Free text without card numbers."""
    return mask_cards(value) if type(value) is str and len(value) > 12 else scalar(value)


def last_digits(value: Any) -> Any:
    """Of a card's number the last four digits."""
    return last4(value)


class Spare(NamedTuple):
    """Kept only where the key `beside` it is missing or null."""

    beside: str
    how: Keep


def an_object(keep: Mapping[str, Keep | Spare]) -> Keep:
    """An object with these keys only."""
    plain = tuple(key for key, how in keep.items() if how is scalar)
    spare = tuple((key, how.beside, how.how) for key, how in keep.items() if isinstance(how, Spare))
    rest = tuple((key, how) for key, how in keep.items() if how is not scalar and not isinstance(how, Spare))

    def kept(value: Any) -> Any:
        if type(value) is not dict:
            return _blank(value)
        found = {}
        for key in plain:
            if key in value:
                one = value[key]
                found[key] = _blank(one) if type(one) is dict or type(one) is list else one
        for key, beside, how in spare:
            if key in value and value.get(beside) is None:
                found[key] = how(value[key])
        for key, how in rest:
            if key in value:
                found[key] = how(value[key])
        return found

    return kept


def a_list(of: Keep) -> Keep:
    """A list of such."""

    def kept(value: Any) -> Any:
        if type(value) is not list:
            return _blank(value)
        return [of(one) for one in value]

    return kept


def words(names: str, how: Keep = scalar) -> dict[str, Keep | Spare]:
    """Several keys that are kept alike."""
    return dict.fromkeys(names.split(), how)


def customer(value: Any) -> Any:
    """Of a customer a hash of the id, and whether no tax is charged."""
    if type(value) is not dict:
        return None
    identifier = value.get("id")
    if type(identifier) is str and (len(identifier) > 255 or (identifier and not identifier.strip())):
        identifier = " "  # no id, and refused as such
    elif type(identifier) is str or (type(identifier) is int and 0 <= identifier < 10**30):
        identifier = customer_ref(identifier)
    kept = {"id": scalar(identifier)}
    return kept | ({"tax_exempt": value["tax_exempt"]} if type(value.get("tax_exempt")) is bool else {})
