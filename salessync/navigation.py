"""The admin's sidebar: what there is to do, then sales, books, stock, and what is set up once."""

from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.urls import reverse

from salessync.dashboard import refused_deliveries

AT_MOST = 1000

GROUPS: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    (
        "Work",
        (
            ("Quarantine", "shield_question", "channels.quarantinedevent", "channels.view_event"),
            ("Control totals", "fact_check", "channels.controlday", ""),
            ("Unmapped items", "link_off", "inventory.unmappeditem", ""),
            ("Oversells", "production_quantity_limits", "inventory.oversell", ""),
            ("Stock drifts", "compare_arrows", "inventory.stockdrift", ""),
        ),
    ),
    (
        "Sales",
        (
            ("Transactions", "receipt_long", "channels.transaction", ""),
            ("Events", "inbox", "channels.event", ""),
            ("Readings", "sync", "channels.reading", ""),
            ("Fetches", "download", "channels.fetch", ""),
        ),
    ),
    (
        "Books",
        (
            ("Journal", "menu_book", "ledger.journalentry", ""),
            ("Reports", "bar_chart", "ledger.report", "ledger.view_journalentry"),
            ("By hand", "edit_note", "ledger.byhand", "ledger.view_journalentry"),
            ("Periods", "event_available", "ledger.periodchange", ""),
            ("Accounts", "account_balance", "ledger.account", ""),
            ("Deliveries", "send", "ledger.delivery", ""),
            ("Differences", "difference", "ledger.bookkeeperdifference", ""),
            ("Bookkeeper's accounts", "account_tree", "ledger.bookkeeperaccount", ""),
            ("Account codes", "sync_alt", "ledger.bookkeepercode", ""),
            ("Rates", "currency_exchange", "ledger.rate", ""),
            ("Account rules", "alt_route", "ledger.accountrule", ""),
            ("Rebuilds", "restart_alt", "ledger.rebuild", ""),
        ),
    ),
    (
        "Tax",
        (
            ("Tax differences", "rule", "tax.taxdifference", ""),
            ("Unmapped categories", "label_off", "tax.unmappedcategory", ""),
            ("Tax of sales", "request_quote", "tax.assessment", ""),
            ("Rates at a place", "pin_drop", "tax.ratebrowser", "tax.view_ratefact"),
            ("Tax rates", "percent", "tax.ratefact", ""),
            ("Rate files", "upload_file", "tax.dataset", ""),
            ("Nexus", "flag", "tax.nexuswatch", ""),
            ("Category rules", "label", "tax.categoryrule", ""),
            ("Registrations", "how_to_reg", "tax.registration", ""),
            ("Places of the seller", "warehouse", "tax.sellerplace", ""),
            ("Certificates", "verified", "tax.certificate", ""),
            ("Tax number checks", "pin", "tax.taxnumbercheck", ""),
            ("Tax settings", "tune", "tax.taxsetting", ""),
        ),
    ),
    (
        "Stock",
        (
            ("Levels", "shelves", "inventory.level", ""),
            ("Movements", "swap_vert", "inventory.movement", ""),
            ("Products", "category", "inventory.product", ""),
            ("Listings", "sell", "inventory.listing", ""),
            ("Push state", "cloud_upload", "inventory.listinglevel", ""),
            ("Reservations", "shopping_cart", "inventory.reservation", ""),
            ("Moved by hand", "pallet", "inventory.stockdocument", ""),
            ("Stock policies", "rule_settings", "inventory.stockpolicy", ""),
            ("Channel locations", "location_on", "inventory.channellocation", ""),
        ),
    ),
    (
        "Set up",
        (
            ("Channels", "storefront", "channels.channel", ""),
            ("File mappings", "view_column", "channels.mapping", ""),
            ("Companies", "apartment", "core.company", ""),
            ("Users", "group", "auth.user", ""),
            ("Roles", "badge", "auth.group", ""),
            ("API clients", "key", "core.apiclient", ""),
            ("Subscribers", "webhook", "ledger.subscriber", ""),
            ("Audit", "history", "core.auditrow", ""),
            ("Privacy", "privacy_tip", "channels.privacyrequest", ""),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups with the pages that this person may see, and how much work waits on each."""
    badges = _badges()
    home = {"title": "Home", "icon": "dashboard", "link": reverse("admin:index")}
    found: list[dict[str, Any]] = [{"items": [home]}]
    for title, pages in GROUPS:
        items = [_item(page, badges) for page in pages if request.user.has_perm(page[3] or _view(page[2]))]
        if items:
            found.append({"title": title, "separator": True, "items": items})
    _mark([item for group in found[1:] for item in group["items"]], request.path)
    return found


def _mark(items: list[dict[str, Any]], path: str) -> None:
    """The page one is on, and not also the one under whose address it lies."""
    here = max((item["link"] for item in items if path.startswith(item["link"])), key=len, default="")
    for item in items:
        item["active"] = item["link"] == here


def _view(model: str) -> str:
    app, name = model.split(".")
    return f"{app}.view_{name}"


def _item(page: tuple[str, str, str, str], badges: dict[str, int]) -> dict[str, Any]:
    title, icon, model, _ = page
    item: dict[str, Any] = {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{model.replace('.', '_')}_changelist"),
    }
    count = badges.get(model)
    if count:
        item["badge"] = f"{AT_MOST}+" if count > AT_MOST else str(count)
        item["badge_variant"] = "danger"
    return item


def _badges() -> dict[str, int]:
    """Counted up to a bound, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM (SELECT FROM channels_event WHERE state IN ('quarantined', 'dead') LIMIT %s) x),
                   (SELECT count(*) FROM (SELECT FROM inventory_unmappeditem LIMIT %s) x),
                   (SELECT count(*) FROM (SELECT FROM inventory_oversell WHERE resolved_at IS NULL AND decision = '' LIMIT %s) x),
                   (SELECT count(*) FROM (SELECT FROM channels_controlday WHERE state IN ('open', 'failed') LIMIT %s) x),
                   (SELECT count(*) FROM (SELECT FROM ledger_bookkeeperdifference WHERE resolved_at IS NULL LIMIT %s) x),
                   (SELECT count(*) FROM (SELECT FROM tax_taxdifference WHERE state = 'open' LIMIT %s) x),
                   (SELECT count(*) FROM (SELECT FROM tax_unmappedcategory LIMIT %s) x),
                   (SELECT count(*) FROM (SELECT FROM tax_nexuswatch WHERE state = 'passed' LIMIT %s) x),
                   (SELECT count(*) FROM (SELECT FROM tax_dataset WHERE status = 'staged' LIMIT %s) x),
                   (SELECT count(*) FROM (SELECT FROM inventory_stockdrift WHERE state = 'open' LIMIT %s) x)
            """,
            [AT_MOST + 1] * 10,
        )
        quarantined, unmapped, oversold, gaps, differences, tax, uncategorised, passed, staged, drifts = (
            cursor.fetchone()
        )
    return {
        "channels.quarantinedevent": quarantined,
        "channels.controlday": gaps,
        "inventory.unmappeditem": unmapped,
        "inventory.oversell": oversold,
        "ledger.bookkeeperdifference": differences,
        "ledger.delivery": refused_deliveries(),
        "tax.taxdifference": tax,
        "tax.unmappedcategory": uncategorised,
        "tax.nexuswatch": passed,
        "tax.dataset": staged,
        "inventory.stockdrift": drifts,
    }
