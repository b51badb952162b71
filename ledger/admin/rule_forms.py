"""What a person says of an account rule, and when one ends. Neither form saves anything: the page that shows what changes does."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.db import connection
from django.db.models import F, Q
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from inventory.models import Product
from ledger import account_rules, accounts, mapping
from ledger.mapping import Rule
from ledger.models import Account, AccountRule
from salessync.core.screens import remembered

KINDS = [
    ("", "Any"),
    ("Lines", list(mapping.LINE_KINDS.items())),
    ("Payments", list(mapping.TENDER_KINDS.items())),
    ("Other", list(mapping.OTHER_KINDS.items())),
]
RECENT = 50_000  # postings among which categories and tax codes are looked for
LONGEST = 500  # list of proposals


def listed(name: str, **more: str) -> UnfoldAdminTextInputWidget:
    """A text field with proposals."""
    return UnfoldAdminTextInputWidget(attrs={"list": name, "autocomplete": "off", "spellcheck": "false", **more})


class RuleForm(forms.ModelForm):
    """A new rule. Never valid to the admin's own way of saving, which would show nothing first: ask `sound`."""

    kind = forms.ChoiceField(
        choices=KINDS,
        required=False,
        label="Line or payment",
        widget=UnfoldAdminSelectWidget,
        help_text="its type; gift cards sold are lines, gift cards redeemed are payments",
    )
    account_code = forms.CharField(
        max_length=200,
        label="Goes to",
        widget=listed("rule-accounts", placeholder="Income:Books"),
        help_text="an account's full name; made where there is none",
    )

    class Meta:
        model = AccountRule
        fields = ("company", "channel", "kind", "category", "tax_code", "role", "valid_from", "valid_to")
        labels = {"role": "Instead of", "valid_from": "First day", "valid_to": "Last day"}
        help_texts = {
            "channel": "empty: on every channel",
            "category": "of the product, exactly as the channel says it; empty: any",
            "tax_code": "exactly, or its beginning with a *: US-*; empty: any, and what is no tax",
            "role": "the account without this rule, or one above it: Assets:Clearing is every clearing account;"
            " empty: whatever is of the same kind as the account that it goes to",
            "valid_from": "a sale's business day; its refunds follow it, whenever they come",
            "valid_to": "in force on it still; empty: until further notice",
        }
        widgets = {
            "category": listed("rule-categories"),
            "tax_code": listed("rule-taxes"),
            "role": listed("rule-roles", placeholder="Income:Sales"),
        }

    def is_valid(self) -> bool:
        return False

    @property
    def sound(self) -> bool:
        """Whether what was said can be a rule."""
        return self.is_bound and not self.errors

    def rule(self) -> Rule:
        """What was said, once it is sound."""
        return account_rules.as_rule(self.instance)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        company, channel, code = cleaned["company"], cleaned.get("channel"), cleaned["account_code"]
        if channel is not None and channel.company_id != company.pk:
            self.add_error("channel", f"It belongs to {channel.company}.")
            return cleaned
        said = {name: cleaned.get(name) or "" for name in ("role", "kind", "category", "tax_code")}
        rule = Rule(code, cleaned["valid_from"], cleaned.get("valid_to"), channel.slug if channel else "", **said)
        for field, sentence in mapping.objections(rule):
            self.add_error("account_code" if field == "account" else field, sentence)
        if not self.errors:
            self.instance.account = Account.objects.filter(company=company, code=code).first() or Account(
                company=company, code=code
            )
            others = AccountRule.objects.filter(company=company, channel=channel, **said)
            if (other := holding(others, rule.valid_from, rule.valid_to)) is not None:
                self.add_error("valid_from", f"It has the conditions of another rule: “{other}” End that one first.")
        return cleaned


class EndForm(forms.Form):
    """Another last day for a rule; the day before its first withdraws it."""

    valid_to = forms.DateField(
        required=False, label="Last day", widget=UnfoldAdminTextInputWidget(attrs={"type": "date"})
    )

    def __init__(self, *args: Any, rule: AccountRule, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rule = rule

    def clean_valid_to(self) -> date | None:
        last = self.cleaned_data["valid_to"]
        before_first = self.rule.valid_from - timedelta(days=1)
        if last is not None and last < before_first:
            raise forms.ValidationError(
                f"{self.rule.valid_from} is its first day; {before_first} withdraws it altogether"
            )
        if last == self.rule.valid_to:
            raise forms.ValidationError("that is its last day already" if last else "it has no last day already")
        same = {
            name: getattr(self.rule, name) for name in ("company", "channel", "role", "kind", "category", "tax_code")
        }
        others = AccountRule.objects.filter(**same).exclude(pk=self.rule.pk)
        if (other := holding(others, self.rule.valid_from, last)) is not None:
            raise forms.ValidationError(f"another rule with its conditions holds then: “{other}”")
        return last


def holding(rules: Any, first: date, last: date | None) -> str | None:
    """The sentence of one of the rules that holds on a day between, both among them."""
    if last is not None and last < first:
        return None
    found = rules.filter(Q(valid_to=None) | Q(valid_to__gte=first) & Q(valid_to__gte=F("valid_from")))
    if last is not None:
        found = found.filter(valid_from__lte=last)
    other = found.select_related("account", "channel").order_by("valid_from").first()
    return mapping.sentence(account_rules.as_rule(other)) if other else None


def proposals() -> dict[str, list[str]]:
    """What the fields propose: accounts and what is above them, and what the latest postings bear."""
    codes = set(Account.objects.order_by("code").values_list("code", flat=True)[: LONGEST * 4])
    roles = codes | set(accounts.STANDARD)
    above = {":".join(parts[:n]) for parts in (r.split(":") for r in roles) for n in range(2, len(parts))}
    categories, taxes = remembered("rule-proposals", _borne)
    return {
        "accounts": sorted(codes | set(accounts.STANDARD))[:LONGEST],
        "roles": sorted(roles | above)[:LONGEST],
        "categories": categories[:LONGEST],
        "taxes": taxes[:LONGEST],
    }


def _borne() -> tuple[list[str], list[str]]:
    categories = set(Product.objects.exclude(category="").values_list("category", flat=True).distinct()[:LONGEST])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT category, tax_code FROM ("
            " (SELECT category, tax_code FROM ledger_posting ORDER BY entry_id DESC, leg DESC LIMIT %s) UNION ALL"
            " (SELECT category, tax_code FROM ledger_detailposting ORDER BY detail_id DESC, leg DESC LIMIT %s)) x",
            [RECENT, RECENT],
        )
        rows = cursor.fetchall()
    return sorted(categories | {c for c, _ in rows if c}), sorted({t for _, t in rows if t})
