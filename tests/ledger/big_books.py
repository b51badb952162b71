"""Long journals, written by the database itself: as many transactions over as many days as you like, 3½ postings each."""

from datetime import date

from django.db import connection, transaction

from channels.models import Channel
from ledger import accounts
from ledger.models import Account
from salessync.core.models import Company

TILLS, CATEGORIES, CODES, LOCATIONS = 16, 25, 12, 8


def company(slug: str = "big") -> Company:
    """With about sixty accounts and four channels, and nothing in its journal."""
    made = Company.objects.create(slug=slug, name=slug, base_currency="USD")
    for number in range(4):
        Channel.objects.create(slug=f"{slug}-{number}", company=made, adapter="standard", currency="USD")
    codes = [f"Assets:Till:T{n}" for n in range(TILLS)] + [f"Assets:Clearing:P{n}" for n in range(10)]
    codes += [f"Income:Sales:S{n}" for n in range(20)] + [f"Expenses:Fees:F{n}" for n in range(8)]
    codes += [accounts.TAX_PAYABLE, accounts.GIFT_CARDS]
    Account.objects.bulk_create(
        Account(company=made, code=code, name=accounts.name_of(code), kind=accounts.kind_of(code)) for code in codes
    )
    return made


def write(of: Company, *, entries: int, first: date, days: int) -> None:
    """So many entries, spread over the days in their order; each a sale with money, revenue and tax, every second one with a fee."""
    channel = Channel.objects.filter(company=of).order_by("pk").first().pk
    account = {a.code: a.pk for a in Account.objects.filter(company=of)}
    parameters = {
        "company": of.pk, "entries": entries, "first": first, "days": days, "channel": channel, "since": of.feed_seq,
        "till": account["Assets:Till:T0"], "clearing": account["Assets:Clearing:P0"], "sales": account["Income:Sales:S0"],
        "fees": account["Expenses:Fees:F0"], "tax": account[accounts.TAX_PAYABLE],
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT coalesce(max(id), 0) FROM channels_transaction")
        parameters["base"] = cursor.fetchone()[0]
        for statement in _STATEMENTS:
            cursor.execute(statement, parameters)
        cursor.execute("UPDATE core_company SET feed_seq = feed_seq + %(entries)s WHERE id = %(company)s", parameters)
        cursor.execute("SELECT setval(pg_get_serial_sequence(t, 'id'), %(base)s + %(entries)s) FROM unnest(ARRAY["
                       "'channels_transaction', 'ledger_journalentry']) t", parameters)  # fmt: skip
    of.refresh_from_db()


def settle() -> None:
    """As autovacuum would leave the tables by and by."""
    with connection.cursor() as cursor:
        for table in ("ledger_journalentry", "ledger_posting", "channels_transaction", "ledger_balance", "ledger_dimensions",
                      "ledger_dimensionsums"):  # fmt: skip
            cursor.execute(f"VACUUM ANALYZE {table}")
        cursor.execute("CHECKPOINT")


_DAY = "(%(first)s::date + ((n - 1) * %(days)s::bigint / %(entries)s)::int)"
_STATEMENTS = [
    f"""INSERT INTO channels_transaction (id, company_id, channel_id, type, source_id, family, version, version_order, version_id,
                                          status, currency, total, occurred_at, business_date)
        SELECT %(base)s + n, %(company)s, %(channel)s + n %% 4, CASE WHEN n %% 20 = 0 THEN 'refund' ELSE 'sale' END, 'S' || n,
               %(channel)s || ':S' || n, '1', '1', 0, 'completed', 'USD', 1000, {_DAY}, {_DAY}
          FROM generate_series(1, %(entries)s) n""",
    f"""INSERT INTO ledger_journalentry (id, company_id, seq, transaction_id, sequence, version_id, date, business_date, legs)
        SELECT %(base)s + n, %(company)s, %(since)s + n, %(base)s + n, 1, 1, {_DAY}, {_DAY}, 3 + n %% 2
          FROM generate_series(1, %(entries)s) n""",
    f"""INSERT INTO ledger_posting (entry_id, leg, company_id, transaction_id, account_id, amount, currency, base_amount,
                                    channel_id, location, tax_code, category, path)
        SELECT %(base)s + n, leg, %(company)s, %(base)s + n,
               CASE leg WHEN 1 THEN CASE WHEN n %% 3 = 0 THEN %(till)s + (n / 11) %% {LOCATIONS} * 2 + n %% 2 ELSE %(clearing)s + (n / 3) %% 10 END
                        WHEN 2 THEN %(sales)s + (n / 17) %% {CATEGORIES} %% 20 WHEN 3 THEN %(tax)s ELSE %(fees)s + (n / 5) %% 8 END,
               CASE leg WHEN 1 THEN 1000 + n %% 997 - (n %% 2) * 30 WHEN 2 THEN -(920 + n %% 997) WHEN 3 THEN -80 ELSE 30 END, 'USD',
               CASE leg WHEN 1 THEN 1000 + n %% 997 - (n %% 2) * 30 WHEN 2 THEN -(920 + n %% 997) WHEN 3 THEN -80 ELSE 30 END,
               %(channel)s + n %% 4, 'Shop ' || (n / 11) %% {LOCATIONS},
               CASE WHEN leg = 3 THEN 'US-NY-' || (n / 13) %% {CODES} || ' Tax 8%%' END,
               CASE WHEN leg = 2 THEN 'Category ' || (n / 17) %% {CATEGORIES} END,
               CASE leg WHEN 1 THEN 'tenders/t1' WHEN 2 THEN 'lines/1/gross' WHEN 3 THEN 'lines/1/taxes/0' ELSE 'fee' END
          FROM generate_series(1, %(entries)s) n, generate_series(1, 4) leg WHERE leg < 4 OR n %% 2 = 1""",
]  # fmt: skip
