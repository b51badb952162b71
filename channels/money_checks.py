"""The proof of the records that move money and no goods: charge, payout, dispute, cash session, manual entry. Pure."""

from channels.cash_session import CashSession
from channels.charge import Charge
from channels.dispute import Dispute
from channels.findings import differs, known_currency, magnitudes, settlement_currency, unknown
from channels.manual import ACCOUNT, Manual, ManualPosting
from channels.payout import Payout
from salessync.core.money import MINOR_DIGITS, to_major
from salessync.core.problems import Problem


def check_charge(charge: Charge, problems: list[Problem]) -> None:
    """What was not captured has captured nothing."""
    unknown(problems, ("status", charge.status), ("tender_type", charge.tender_type))
    magnitudes(problems, ("amount", charge.amount), ("captured", charge.captured), ("tip", charge.tip))
    settlement_currency(problems, "", charge.settlement)
    if charge.status in ("pending", "authorized", "failed", "voided") and charge.captured:
        problems.append(
            Problem("CAPTURED_MISMATCH", "captured", f"a charge that is {charge.status} has captured nothing")
        )


def check_payout(payout: Payout, problems: list[Problem]) -> None:
    """Each line, and all of them together with what the processor leaves unexplained."""
    unknown(problems, ("status", payout.status), ("method", payout.method))
    if payout.lines is None:
        return
    total = payout.residual or 0
    ids: set[str] = set()
    for index, line in enumerate(payout.lines):
        if line.id in ids:
            problems.append(Problem("DUPLICATE_LINE", f"lines[{index}].id", f"two lines have the id {line.id!r}"))
        ids.add(line.id)
        unknown(problems, (f"lines[{index}].category", line.category))
        differs(problems, payout.currency, "PAYOUT_LINE_MISMATCH", f"lines[{index}].net", line.net, line.gross - line.fee,
                 "gross less fee is")  # fmt: skip
        total += line.net
    differs(
        problems, payout.currency, "PAYOUT_MISMATCH", "amount", payout.amount, total, "lines and residual add up to"
    )


def check_dispute(dispute: Dispute, problems: list[Problem]) -> None:
    """A dispute has words and magnitudes, and no arithmetic."""
    unknown(problems, ("kind", dispute.kind), ("state", dispute.state))
    magnitudes(problems, ("amount", dispute.amount), ("fee", dispute.fee))


def check_cash_session(session: CashSession, problems: list[Problem]) -> None:
    """What should be in the drawer follows from what went in and out of it, where the till tells both."""
    unknown(problems, ("status", session.status))
    magnitudes(problems, ("opening_float", session.opening_float), ("counted", session.counted))
    if session.closed_at is not None and session.closed_at < session.opened_at:
        problems.append(Problem("CLOSED_BEFORE_OPENED", "closed_at", "the drawer was closed before it was opened"))
    if session.status == "counted" and session.counted is None:
        problems.append(Problem("MISSING_COUNT", "counted", "the drawer was counted, but not what was in it"))
    if session.status in ("open", "closed") and session.counted is not None:
        problems.append(
            Problem("COUNTED_MISMATCH", "counted", f"a drawer that is {session.status} has not been counted")
        )
    ids: set[str] = set()
    for index, movement in enumerate(session.movements):
        where = f"movements[{index}]"
        if movement.id in ids:
            problems.append(Problem("DUPLICATE_MOVEMENT", f"{where}.id", f"two movements have the id {movement.id!r}"))
        ids.add(movement.id)
        unknown(problems, (f"{where}.type", movement.type))
        magnitudes(problems, (f"{where}.amount", movement.amount))
    if session.expected is not None and session.reckoned is not None:
        differs(problems, session.currency, "EXPECTED_MISMATCH", "expected", session.expected, session.reckoned,
                "float, takings and movements add up to")  # fmt: skip


def check_manual(manual: Manual, problems: list[Problem]) -> None:
    """An entry by hand has a reason, real accounts, and adds up to nothing."""
    unknown(problems, ("kind", manual.kind))
    if not manual.reason.strip():
        problems.append(Problem("MISSING_REASON", "reason", "an entry by hand needs its reason"))
    if len(manual.postings) < 2:
        problems.append(Problem("TOO_FEW_POSTINGS", "postings", "an entry has at least two postings"))
    for index, posting in enumerate(manual.postings):
        _check_posting(manual, posting, f"postings[{index}]", problems)
    _check_balance(manual, problems)


def _check_posting(manual: Manual, posting: ManualPosting, where: str, problems: list[Problem]) -> None:
    if not ACCOUNT.fullmatch(posting.account):
        problems.append(
            Problem(
                "BAD_ACCOUNT", f"{where}.account",
                f"{posting.account!r} is no account's name: Assets, Liabilities, Income, Expenses or Equity, then parts with"
                " a capital or digit first, as in Income:Breakage",
            )
        )  # fmt: skip
    known_currency(problems, f"{where}.currency", manual.currency_of(posting))
    if not posting.amount and not posting.base_amount:
        problems.append(Problem("EMPTY_POSTING", f"{where}.amount", "the posting moves nothing"))
    if posting.base_amount is not None and posting.amount * posting.base_amount < 0:
        problems.append(
            Problem("OPPOSITE_SIGNS", f"{where}.base_amount", "a debit is worth a debit, and a credit a credit")
        )


def _check_balance(manual: Manual, problems: list[Problem]) -> None:
    currencies = {manual.currency_of(posting) for posting in manual.postings}
    without = [index for index, posting in enumerate(manual.postings) if posting.base_amount is None]
    if len(currencies) == 1:
        _adds_up(problems, sum(posting.amount for posting in manual.postings), currencies.pop())
        if len(without) == len(manual.postings):
            return
    if without:
        problems.extend(
            Problem(
                "MISSING_BASE_AMOUNT", f"postings[{index}].base_amount",
                "where currencies differ, or one posting says it, each says what it is worth in the company's currency",
            )
            for index in without
        )  # fmt: skip
    elif sum(posting.base_amount or 0 for posting in manual.postings):
        message = "what the postings are worth in the company's currency does not add up to nothing"
        problems.append(Problem("UNBALANCED_BASE", "postings", message))


def _adds_up(problems: list[Problem], total: int, currency: str) -> None:
    if total and currency in MINOR_DIGITS:
        message = f"the postings add up to {to_major(total, currency)} {currency} and not to nothing"
        problems.append(Problem("UNBALANCED", "postings", message))
