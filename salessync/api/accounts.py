"""GET accounts: the chart of accounts."""

from typing import Any

from msgspec import Struct
from rest_framework.request import Request

from ledger.models import Account
from salessync.api import paging
from salessync.api.paging import Page, PageQuery
from salessync.api.resource import Resource
from salessync.api.schema import operation
from salessync.core.models import ApiClient


class AccountRow(Struct, kw_only=True):
    """`code` is the full name, as beancount and hledger write it; `kind` is asset, liability, income or expense."""

    code: str
    name: str
    kind: str


class AccountPage(Page[AccountRow]):
    """Accounts by code."""


class Accounts(Resource):
    @operation(scope=ApiClient.Scope.BOOKS, name="accounts", query=PageQuery, answer=AccountPage)
    def get(self, request: Request, query: PageQuery) -> Any:
        """The chart of accounts. Accounts of a processor, till or channel appear when they are first used."""
        rows = Account.objects.filter(company=self.company).values("code", "name", "kind")
        return paging.page(request, query, rows, key="code", build=lambda row: AccountRow(**row))
