"""Sets up a company, its chart of accounts, roles and channels. Running any of it again changes nothing."""

import re
import secrets
from datetime import date

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from channels import adapter as adapters
from channels.models import Channel
from ledger import accounts, by_hand
from ledger.models import Account
from salessync.core import audit
from salessync.core.dates import DateError, zone
from salessync.core.models import Company
from salessync.core.money import MoneyError, minor_digits
from tax.rates import datasets

ROLES = {
    "Auditor": ("view_",),
    "Reviewer": (
        "view_",
        "replay_event",
        "change_unmappeditem",
        "send_again_bookkeeperdifference",
        "change_oversell",
        "change_stockdrift",
        "change_taxdifference",
        "change_unmappedcategory",
    ),
    "Administrator": ("",),
}
OURS = ("core", "channels", "tax", "inventory", "ledger")
COMPANY = "main"


class UnableToSetUp(ValueError):
    """The wish cannot be carried out; the message says why."""


def bootstrap(*, currency: str = "USD") -> Company:
    """The company with its base currency, the standard chart of accounts, and the roles."""
    try:
        minor_digits(currency)
    except MoneyError as error:
        raise UnableToSetUp(str(error)) from None
    datasets.load_seed("bootstrap")
    with transaction.atomic():
        company, _ = Company.objects.get_or_create(
            slug=COMPANY, defaults={"name": "Main company", "base_currency": currency}
        )
        if company.base_currency != currency:
            raise UnableToSetUp(f"the company's base currency is {company.base_currency} and cannot become {currency}")
        open_accounts(company)
        for each in Company.objects.order_by("pk"):
            open_books(each)
        for role, prefixes in ROLES.items():
            group, _ = Group.objects.get_or_create(name=role)
            of_ours = Permission.objects.filter(content_type__app_label__in=OURS)
            group.permissions.set(p for p in of_ours if p.codename.startswith(prefixes))
    return company


def open_accounts(company: Company) -> None:
    """The standard chart of accounts, as far as it is not there."""
    Account.objects.bulk_create(
        [Account(company=company, code=c, name=n, kind=accounts.kind_of(c)) for c, n in accounts.STANDARD.items()],
        ignore_conflicts=True,
    )


def open_books(company: Company, *, actor: str = "command") -> Channel:
    """The channel that entries by hand come by, as far as it is not there."""
    slug = by_hand.books_slug(company)
    channel, made = Channel.objects.get_or_create(
        slug=slug, defaults={"company": company, "adapter": "books", "currency": company.base_currency}
    )
    if (channel.company_id, channel.adapter) != (company.pk, "books"):
        raise UnableToSetUp(f"the channel {slug} is another's, and the company's entries by hand need one of that name")
    if made:
        data = {"slug": slug, "adapter": "books"}
        audit.record([(company.pk, actor, "created", "channel", channel.pk, data)])
    return channel


def create_channel(
    *, slug: str, adapter: str, secret: str | None, currency: str, timezone: str, live_from: date | None
) -> tuple[Channel, str]:
    """A channel of the main company, and its newest webhook secret (made here where none is given)."""
    company = Company.objects.filter(slug=COMPANY).first()
    if company is None:
        raise UnableToSetUp("there is no company yet: run `manage.py bootstrap` first")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", slug):
        raise UnableToSetUp(f"{slug!r} is no slug: small letters, digits and dashes, at most 60")
    if adapter not in adapters.adapter_names():
        raise UnableToSetUp(f"there is no adapter {adapter!r}; there are {', '.join(adapters.adapter_names())}")
    try:
        zone(timezone)
        if currency:
            minor_digits(currency)
    except (DateError, MoneyError) as error:
        raise UnableToSetUp(str(error)) from None
    with transaction.atomic():
        channel, made = Channel.objects.get_or_create(
            slug=slug,
            defaults={
                "company": company,
                "adapter": adapter,
                "currency": currency,
                "timezone": timezone,
                "live_from": live_from,
            },
        )
        if channel.adapter != adapter:
            raise UnableToSetUp(f"the channel {slug} exists with the adapter {channel.adapter}")
        known = channel.secrets
        if secret is None and not known:
            secret = "whsec_" + secrets.token_urlsafe(24).replace("-", "A").replace("_", "B")
        if secret is not None and secret not in known:
            channel.credentials = {**channel.credentials, "secrets": [secret, *known]}
            channel.save(update_fields=["sealed_credentials"])
        if made:
            audit.record(
                [(company.pk, "command", "created", "channel", channel.pk, {"slug": slug, "adapter": adapter})]
            )
    return channel, channel.secrets[0]
