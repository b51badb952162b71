"""Verdicts and treatments for people."""

from typing import NamedTuple


class Word(NamedTuple):
    """`colour` of the label; the sentence says what it means."""

    text: str
    colour: str
    sentence: str


VERDICTS = {
    "match": Word("match", "success", "The channel charged what is due."),
    "rounding_only": Word("rounding only", "success", "The channel rounded otherwise, and no more than that."),
    "rate_mismatch": Word("another rate", "danger", "The channel taxed the same goods, at another rate."),
    "taxability_mismatch": Word("taxable or not", "danger", "The channel taxed what bears no tax, or did not tax what does."),
    "jurisdiction_mismatch": Word("another place", "danger", "The channel taxed it as if it had been sold elsewhere, or left out a place."),
    "not_registered_but_charged": Word("charged, not registered", "danger", "The channel charged tax where the seller is not registered."),
    "registered_but_not_charged": Word("not charged", "danger", "The channel charged no tax where the seller is registered."),
    "marketplace_collected": Word("by the marketplace", "info", "The marketplace collects the tax and owes it."),
    "": Word("not compared", "", "There was nothing to compare, or not enough is known to judge it."),
}  # fmt: skip

TREATMENTS = {
    "taxable": "taxable", "zero": "zero rate", "exempt": "exempt", "reverse_charge": "reverse charge: the customer owes the tax",
    "export_zero": "export", "not_registered": "the seller is not registered there", "marketplace_collected": "collected by the marketplace",
    "tax_holiday": "tax holiday", "out_of_scope": "outside the scope of the tax", "": "could not be computed",
}  # fmt: skip

COLOURS = {code: word.colour for code, word in VERDICTS.items()}


def verdict(code: str) -> Word:
    """Of a code that may be newer than this table."""
    return VERDICTS.get(code) or Word(code.replace("_", " "), "warning", "")


def treatment(code: str) -> str:
    """In words."""
    return TREATMENTS.get(code) or code.replace("_", " ")
