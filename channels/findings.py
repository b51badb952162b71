"""What can be wrong with any record, each a Problem with its place: the words of channels/checks.py and money_checks.py. Pure."""

from channels.record import Settlement
from salessync.core.money import LIMIT, MINOR_DIGITS, to_major
from salessync.core.problems import Problem


def unknown(problems: list[Problem], *fields: tuple[str, str | None]) -> None:
    """Words that nobody here knows yet."""
    for path, value in fields:
        if value == "unknown":
            name = path.rsplit(".", 1)[-1]
            problems.append(
                Problem(
                    f"UNKNOWN_{name.upper()}",
                    path,
                    f"the channel sent a {name.replace('_', ' ')} that is not known here",
                )
            )


def magnitudes(problems: list[Problem], *fields: tuple[str, int | None]) -> None:
    """Amounts whose direction comes from the type, which are therefore never negative, and within what JSON can carry."""
    for path, value in fields:
        if value is None or 0 <= value <= LIMIT:
            continue
        code = "NEGATIVE_AMOUNT" if value < 0 else "AMOUNT_TOO_LARGE"
        what = "is negative, which has no meaning here" if value < 0 else "is beyond what an amount may be"
        problems.append(Problem(code, path, f"{path} {what}"))


def known_currency(problems: list[Problem], path: str, currency: str) -> None:
    """A currency whose minor unit is known."""
    if currency not in MINOR_DIGITS:
        problems.append(Problem("UNKNOWN_CURRENCY", path, f"{currency!r} is not an ISO 4217 currency code"))


def settlement_currency(problems: list[Problem], where: str, settlement: Settlement | None) -> None:
    """The currency that a tender or charge is settled in."""
    if settlement is not None:
        known_currency(problems, f"{where}settlement.currency", settlement.currency)


def differs(problems: list[Problem], currency: str, code: str, path: str, stated: int, proven: int, what: str) -> None:
    """A figure that the record states and its parts do not give."""
    if stated != proven:
        problems.append(
            Problem(
                code, path,
                f"{path} says {to_major(stated, currency)} {currency}, but {what} {to_major(proven, currency)}",
            )
        )  # fmt: skip
