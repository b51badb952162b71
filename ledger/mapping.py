"""Where an administrator leads a leg, instead of the account that the chart gives it. Pure.

A rule is conditions, an account and the days it holds. Of the rules that fit a leg the most specific one decides, alone; no rule
is applied to what another one made. The day is the sale's business date for its whole family, so that a refund goes back to the
accounts of its sale whatever was decided in between.

- `role`, the account that the chart gives: itself, or any account below it (Assets:Clearing is all clearing accounts).
- `kind`, the type of the line or tender. `category`, exactly. `tax_code`, exactly, or its beginning with a * (US-*).
- A rule without a role moves only what is of its own account's kind: "category books to Income:Books" takes the sales, discounts
  and returns of books, and leaves their cost and their tax where they are.

More specific is who names more conditions; of two that name as many, who names the channel, then the category, the kind, the tax
code (an exact one before a longer beginning, that before a shorter), the role (the deeper one). Two rules that are equal in all
of this and fit the same leg are the same conditions, and the database lets those hold on no day together.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from channels.manual import ACCOUNT
from ledger import accounts
from ledger.accounts import kind_of
from ledger.legs import Leg

ANY_TAX = "*"
MEMO = 100_000  # remembered answers; a category is a vendor's text, and of those there is no end


class Rule(NamedTuple):
    """An empty condition holds for everything. `channel` is a slug; `valid_to` the last day in force, None: until further notice."""

    account: str
    valid_from: date
    valid_to: date | None = None
    channel: str = ""
    role: str = ""
    kind: str = ""
    category: str = ""
    tax_code: str = ""
    id: int = 0

    def fits(self, leg: Leg, channel: str, on: date) -> bool:
        """Whether the rule may decide this leg of a sale of that channel and business date."""
        return (
            self.valid_from <= on
            and (self.valid_to is None or on <= self.valid_to)
            and (not self.channel or self.channel == channel)
            and (not self.kind or self.kind == leg.kind)
            and (not self.category or self.category == leg.category)
            and self._fits_tax(leg.tax_code)
            and self._fits_role(leg.account)
        )

    def _fits_tax(self, code: str | None) -> bool:
        if not self.tax_code:
            return True
        if code is None:
            return False
        return code.startswith(self.tax_code[:-1]) if self.tax_code.endswith(ANY_TAX) else code == self.tax_code

    def _fits_role(self, account: str) -> bool:
        if self.role:
            return account == self.role or account.startswith(f"{self.role}:")
        return kind_of(account) == kind_of(self.account)

    def precedence(self) -> tuple[int, ...]:
        """Sorts the most specific rule first; ids decide between rules that cannot hold together anyway."""
        conditions = (self.channel, self.category, self.kind, self.tax_code, self.role)
        named = [int(bool(c)) for c in conditions]
        exact = int(not self.tax_code.endswith(ANY_TAX))
        depth = (exact, len(self.tax_code), self.role.count(":"))
        return (-sum(named), *(-n for n in named), *(-n for n in depth), -self.valid_from.toordinal(), self.id)


class Rules:
    """One company's rules, ready to be asked. The same object may serve many batches."""

    def __init__(self, rows: Sequence[Rule]) -> None:
        self.given = list(rows)
        self.rows = sorted(self.given, key=Rule.precedence)
        self.empty = not self.rows
        self._known: dict[tuple[str, str | None, str | None, str | None, str, date], str] = {}

    def account(self, leg: Leg, channel: str, on: date) -> str:
        """Where the leg goes; the chart's own account where no rule fits or the leg is fixed."""
        if self.empty or leg.fixed:
            return leg.account
        key = (leg.account, leg.kind, leg.category, leg.tax_code, channel, on)
        found = self._known.get(key)
        if found is None:
            rule = self.rule(leg, channel, on)
            if len(self._known) >= MEMO:
                self._known.clear()
            found = self._known[key] = rule.account if rule else leg.account
        return found

    def rule(self, leg: Leg, channel: str, on: date) -> Rule | None:
        """The rule that decides."""
        if leg.fixed:
            return None
        return next((rule for rule in self.rows if rule.fits(leg, channel, on)), None)


# --- what a rule may say

# What a line's or tender's legs are by the chart.
_KINDS_OF = {
    **{kind: kind_of(code) for kind, code in accounts.LINE_ACCOUNTS.items()},
    **{kind: kind_of(code) for kind, code in accounts.TENDER_ACCOUNTS.items()},
    **dict.fromkeys(("card", "cash", "wallet", "bnpl", "bank", "external"), "asset"),
}

_ALIKE = {
    frozenset({"asset", "liability"}): "what is owed to you becomes what you owe, or the other way round",
    frozenset({"income", "expense"}): "what reduces revenue becomes a cost, or the other way round",
    frozenset({"income", "liability"}): "revenue is put off until it is earned, or a debt becomes revenue",
}
_A = {"asset": "an asset", "liability": "a liability", "income": "income", "expense": "an expense", "equity": "equity"}


def objections(rule: Rule) -> list[tuple[str, str]]:
    """(field, sentence) for whatever forbids the rule."""
    names = [("account", rule.account)] + ([("role", rule.role)] if rule.role else [])
    found = [
        (field, f"{name!r} is no account's name: {_SHAPE}.") for field, name in names if not ACCOUNT.fullmatch(name)
    ]
    if found:
        return found
    if not (rule.role or rule.kind or rule.category or rule.tax_code):
        found.append(("role", "Say what goes there: instead of which account, or which kind, category or tax code."))
    if rule.valid_to is not None and rule.valid_to < rule.valid_from:
        found.append(("valid_to", "It would end before it begins."))
    if rule.role == rule.account:
        found.append(("account", "That is the account it goes to without a rule."))
    if rule.account == accounts.CASH_ROUNDING and rule.role != accounts.CASH_ROUNDING:
        found.append(("account", f"{accounts.CASH_ROUNDING} holds declared cash rounding and nothing else."))
    return found + _crossing(rule)


_SHAPE = "Assets, Liabilities, Income, Expenses or Equity, then parts with a capital or digit first, as in Income:Books"


def _crossing(rule: Rule) -> list[tuple[str, str]]:
    into = kind_of(rule.account)
    if not rule.role:
        by_chart = _KINDS_OF.get(rule.kind, into)
        if by_chart != into:
            told = f"By the chart this is {_A[by_chart]}, and {rule.account} is {_A[into]}: say instead of which account it goes there."
            return [("role", told)]
        return []
    came = kind_of(rule.role)
    if came == into or frozenset({came, into}) in _ALIKE:
        return []
    return [("account", f"{rule.role} is {_A[came]} and cannot go to {rule.account}, which is {_A[into]}.")]


def warnings(rule: Rule) -> list[str]:
    """What an accountant should have thought of; nothing of it forbids the rule."""
    if not rule.role:
        return []
    found = []
    came, into = kind_of(rule.role), kind_of(rule.account)
    if (meaning := _ALIKE.get(frozenset({came, into}))) is not None:
        found.append(f"{rule.role} is {_A[came]} and {rule.account} is {_A[into]}: {meaning}.")
    if rule.role in accounts.REVENUE and into != "income":
        found.append(
            f"What is returned of it goes to {accounts.RETURNS} still, unless another rule leads that there too."
        )
    clearing = rule.role == "Assets:Clearing" or rule.role.startswith("Assets:Clearing:")
    if clearing and (rule.channel or rule.kind):
        found.append(
            "A payout takes what its lines name from wherever that went. What no line names it takes from the chart's account, "
            "to which a rule for one channel or kind of payment does not reach."
        )
    return found


# --- in words

LINE_KINDS = {
    "item": "items", "shipping": "shipping", "fee": "fees charged to customers", "tip": "tips",
    "service_charge": "service charges", "gift_card_sale": "gift cards sold", "donation": "donations",
    "deposit": "deposits", "duty": "duties",
}  # fmt: skip
TENDER_KINDS = {
    "card": "card payments", "cash": "cash payments", "gift_card": "gift card payments",
    "store_credit": "store credit payments", "wallet": "wallet payments", "bnpl": "buy now, pay later payments",
    "bank": "bank transfers", "cheque": "cheques", "voucher": "vouchers", "external": "payments taken elsewhere",
    "on_account": "sales on account",
}  # fmt: skip
OTHER_KINDS = {"unknown": "lines and payments of an unknown kind"}
KINDS = LINE_KINDS | TENDER_KINDS | OTHER_KINDS
_WHOLE = {"asset": "assets", "liability": "liabilities", "income": "income", "expense": "expenses", "equity": "equity"}
_SINGULAR = frozenset({"shipping", "income", "equity"})


def sentence(rule: Rule) -> str:
    """The rule as a bookkeeper would say it: "On main-shop, gift card payments go to Liabilities:… from 2026-09-01."."""
    subject, one = _subject(rule)
    words = [subject]
    if rule.category:
        words.append(f'of category "{rule.category}"')
    if rule.tax_code == ANY_TAX:
        words.append("under any code")
    elif rule.tax_code.endswith(ANY_TAX):
        words.append(f"under codes that begin with {rule.tax_code[:-1]}")
    elif rule.tax_code:
        words.append(f"under the code {rule.tax_code}")
    words.append(f"{'goes' if one else 'go'} to {rule.account}")
    if rule.role and subject != rule.role:
        words.append(f"instead of {rule.role}")
    said = f"{' '.join(words)} {when(rule)}."
    return f"On {rule.channel}, {said}" if rule.channel else said[0].upper() + said[1:]


def _subject(rule: Rule) -> tuple[str, bool]:
    """What the rule is about, and whether that is one thing."""
    if rule.kind:
        subject = KINDS.get(rule.kind, rule.kind)
    elif rule.tax_code and not rule.category:
        return "tax", True
    elif rule.role:
        return rule.role, True
    else:
        subject = _WHOLE[kind_of(rule.account)]
    return subject, subject in _SINGULAR


def when(rule: Rule) -> str:
    """Since when and until when; the last day is in force still."""
    if rule.valid_to is None:
        return f"from {rule.valid_from}"
    if rule.valid_to < rule.valid_from:
        return "on no day: it was withdrawn"
    return f"from {rule.valid_from} to {rule.valid_to}"
