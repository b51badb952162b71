"""The chart of accounts, each with its balance."""

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from ledger import balances
from ledger.models import Account
from salessync.core.models import Company
from salessync.core.screens import AuditedAdmin, ListAdmin, money

WAIT_SECONDS = 2.0


@admin.register(Account)
class AccountAdmin(AuditedAdmin, ListAdmin):
    """The chart; an account's code is fixed, since postings stand on it."""

    list_display = ("code", "name", "kind", "balance")
    list_filter = (("kind", ChoicesDropdownFilter),)
    list_select_related = ("company",)
    search_fields = ("code", "name")
    ordering = ("company", "code")
    list_per_page = 200
    readonly_fields = ("company", "code", "kind")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # accounts are made when they are first used

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return False

    def enrich(self, rows: list[Account]) -> None:
        of_company: dict[Company, list[int]] = {}
        for account in rows:
            of_company.setdefault(account.company, []).append(account.pk)
        found: dict[int, int] = {}
        for company, accounts in of_company.items():
            found |= _balances(company, accounts)
        for account in rows:
            account.base_balance = found.get(account.pk)

    @admin.display(description="balance (debit positive)")
    def balance(self, account: Account) -> str:
        return money(account.base_balance, account.company.base_currency)


def _balances(company: Company, accounts: list[int]) -> dict[int, int]:
    """In base currency; nothing, while a long journal is added up for the first time."""
    try:
        balances.catch_up(company, seconds=WAIT_SECONDS)
    except balances.StillRolling:
        return {}
    found = dict.fromkeys(accounts, 0)
    for total in balances.by_account(company=company, period=balances.Period(), accounts=accounts):
        found[total.account_id] += total.base
    return found
