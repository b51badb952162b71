"""The statements that read, keep and prove the sums. Their text is ours; whatever came from outside is a parameter.

A subquery with OFFSET 0 is not folded into the rest, so that the plan stays the same however much the planner errs: entries by the
journal's index on their number, an entry's postings by their primary key, kept sums by theirs.
"""
# ruff: noqa: S608

from ledger.spans import BITS, LEVELS

SUMS = ("postings", "debit", "credit", "base")
SUMMED = "count(*) AS postings, sum(greatest(amount, 0)) AS debit, sum(greatest(-amount, 0)) AS credit, sum(base_amount) AS base"
_TOTALS = ", ".join(f"sum({column})::bigint AS {column}" for column in SUMS)
_KEPT_TOTALS = "sum(postings) AS postings, sum(debit) AS debit, sum(credit) AS credit, sum(base_amount) AS base"

_EPOCH = "DATE '0001-01-01'"
_DAY = f"(e.date - {_EPOCH} + 1)"  # as Python's date.toordinal() counts
_POSTINGS = "LATERAL (SELECT * FROM ledger_posting p WHERE p.entry_id = e.id OFFSET 0) p"

DIMENSIONS = "account_id, currency, channel_id, location, tax_code, category, origin"
_DIGEST = f"sha256(convert_to(({DIMENSIONS})::text, 'UTF8'))"  # a row's text quotes its columns, and tells NULL from ''

# Which part of its record an amount comes from, whichever account an administrator led it to.
_ORIGIN = """left(coalesce(e.type, 'none'), 20) || '/' || CASE
               WHEN p.path LIKE 'tenders/%%' THEN 'tender'
               WHEN p.path LIKE 'lines/adjustment%%' THEN 'adjustment'
               WHEN p.path LIKE 'lines/%%/gross' THEN 'gross'
               WHEN p.path LIKE 'lines/%%/discount' OR p.path LIKE 'lines/%%/discounts' THEN 'discount'
               WHEN p.path LIKE 'lines/%%/net' THEN 'net'
               WHEN p.path LIKE 'lines/%%/taxes' OR p.path LIKE 'lines/%%/taxes/%%' THEN 'tax'
               WHEN p.path LIKE 'lines/%%' THEN 'line'
               ELSE 'other' END"""
_TYPE = "(SELECT type FROM channels_transaction t WHERE t.id = {}.transaction_id) AS type"

# What the entries of `tail` consist of: their own postings, or of a summary those of the sales that it took in.
_LINES = f"""
        SELECT {_DAY} AS day, e.sign, p.account_id, p.currency, p.channel_id, p.location, p.tax_code, p.category,
               {_ORIGIN} AS origin, p.amount, p.base_amount
          FROM (SELECT e.*, {_TYPE.format("e")} FROM tail e
                 WHERE NOT EXISTS (SELECT FROM ledger_detail d WHERE d.entry_id = e.id) OFFSET 0) e, {_POSTINGS}
         UNION ALL
        SELECT {_DAY}, e.sign, p.account_id, p.currency, e.channel_id, p.location, p.tax_code, p.category,
               {_ORIGIN}, p.amount, p.base_amount
          FROM (SELECT e.date, e.sign, d.id, d.channel_id, {_TYPE.format("d")}
                  FROM tail e JOIN ledger_detail d ON d.entry_id = e.id) e JOIN ledger_detailposting p ON p.detail_id = e.id"""


# --- reading

# `tail`: the entries between the kept sums and the one asked for, to be added, or where the roller is further already, taken off.
_READ = f"""
    WITH pos AS (
        SELECT coalesce((SELECT seq FROM ledger_balanceposition WHERE company_id = %(company)s), 0) AS kept,
               coalesce(%(through)s::bigint, (SELECT feed_seq FROM core_company WHERE id = %(company)s)) AS wanted
    ), tail AS (
        SELECT e.id, e.date, e.transaction_id, CASE WHEN pos.wanted >= pos.kept THEN 1 ELSE -1 END AS sign
          FROM pos, LATERAL (SELECT * FROM ledger_journalentry e WHERE e.company_id = %(company)s
                                AND e.seq > least(pos.kept, pos.wanted) AND e.seq <= greatest(pos.kept, pos.wanted) OFFSET 0) e
         WHERE {_DAY} BETWEEN %(first)s AND %(last)s
    ), run AS (
        SELECT * FROM unnest(%(levels)s::int[], %(firsts)s::int[], %(lasts)s::int[]) AS run (level, first, last)
    )"""

BY_ACCOUNT = f"""
    {_READ}
    SELECT account_id, currency, {_TOTALS} FROM (
        SELECT a.id AS account_id, s.*
          FROM ledger_account a, run, LATERAL (
              SELECT currency, {_KEPT_TOTALS} FROM ledger_balance b
               WHERE b.account_id = a.id AND b.level = run.level AND b.span BETWEEN run.first AND run.last
               GROUP BY currency OFFSET 0) s
         WHERE a.company_id = %(company)s AND (%(accounts)s::bigint[] IS NULL OR a.id = ANY(%(accounts)s))
         UNION ALL
        SELECT p.account_id, p.currency, e.sign, e.sign * greatest(p.amount, 0), e.sign * greatest(-p.amount, 0),
               e.sign * p.base_amount
          FROM tail e, {_POSTINGS}
         WHERE %(accounts)s::bigint[] IS NULL OR p.account_id = ANY(%(accounts)s)
    ) s GROUP BY account_id, currency HAVING sum(postings) <> 0"""


def by_dimensions(columns: tuple[str, ...]) -> str:
    """Sums by these columns of the dimensions, `day` among them if it is wanted, and by currency."""
    asked = ", ".join((*columns, "currency"))
    wanted = "(%(accounts)s::bigint[] IS NULL OR account_id = ANY(%(accounts)s) OR %(taxed)s AND tax_code IS NOT NULL)"
    return f"""
    {_READ}
    SELECT {asked}, {_TOTALS} FROM (
        SELECT {DIMENSIONS}, s.*
          FROM ledger_dimensions k, run, LATERAL (
              SELECT {"span" if "day" in columns else "NULL::int"} AS day, {_KEPT_TOTALS} FROM ledger_dimensionsums s
               WHERE s.dimensions_id = k.id AND s.level = run.level AND s.span BETWEEN run.first AND run.last
               GROUP BY 1 OFFSET 0) s
         WHERE k.company_id = %(company)s AND {wanted}
         UNION ALL
        SELECT {DIMENSIONS}, day, sign, sign * greatest(amount, 0), sign * greatest(-amount, 0), sign * base_amount
          FROM ({_LINES}) l
         WHERE {wanted}
    ) s GROUP BY {asked} HAVING sum(postings) <> 0"""


# The days on which an account has postings, and how many.
DAYS = f"""
    {_READ}
    SELECT day, sum(postings)::bigint FROM (
        SELECT span AS day, postings FROM ledger_balance
         WHERE account_id = %(account)s AND level = 0 AND span BETWEEN %(first)s AND %(last)s
         UNION ALL
        SELECT {_DAY}, e.sign FROM tail e, {_POSTINGS} WHERE p.account_id = %(account)s
    ) s GROUP BY day HAVING sum(postings) <> 0 ORDER BY day"""


# --- rolling

_CHUNK = """
    WITH tail AS MATERIALIZED (
        SELECT id, date, transaction_id, 1 AS sign FROM ledger_journalentry
         WHERE company_id = %(company)s AND seq > %(since)s AND seq <= %(until)s
    )"""

_ADD = """
    DO UPDATE SET postings = kept.postings + excluded.postings, debit = kept.debit + excluded.debit,
                  credit = kept.credit + excluded.credit, base_amount = kept.base_amount + excluded.base_amount"""

_UPWARDS = f"CROSS JOIN LATERAL (SELECT level, s.day >> ({BITS} * level) AS span FROM generate_series(0, {LEVELS - 1}) level) u"

ROLL_ACCOUNTS = f"""
    {_CHUNK}, summed AS (
        SELECT {_DAY} AS day, p.account_id, p.currency, {SUMMED} FROM tail e, {_POSTINGS} GROUP BY 1, 2, 3
    )
    INSERT INTO ledger_balance AS kept (company_id, account_id, level, span, currency, postings, debit, credit, base_amount)
    SELECT %(company)s, s.account_id, u.level, u.span, s.currency, {_TOTALS}
      FROM summed s {_UPWARDS} GROUP BY 2, 3, 4, 5 ORDER BY 2, 3, 4, 5
    ON CONFLICT (account_id, level, span, currency) {_ADD}"""

ROLL_DIMENSIONS = f"""
    {_CHUNK}, summed AS (
        SELECT day, {DIMENSIONS}, {SUMMED} FROM ({_LINES}) l GROUP BY day, {DIMENSIONS}
    ), named AS MATERIALIZED (
        SELECT *, {_DIGEST} AS digest FROM summed
    ), met AS MATERIALIZED (
        SELECT n.*, (SELECT id FROM ledger_dimensions k WHERE k.company_id = %(company)s AND k.digest = n.digest) AS id
          FROM (SELECT DISTINCT ON (digest) digest, {DIMENSIONS} FROM named) n
    ), new AS (
        INSERT INTO ledger_dimensions (company_id, digest, {DIMENSIONS})
        SELECT %(company)s, digest, {DIMENSIONS} FROM met WHERE id IS NULL RETURNING id, digest
    ), known AS (
        SELECT id, digest FROM met WHERE id IS NOT NULL UNION ALL SELECT id, digest FROM new
    )
    INSERT INTO ledger_dimensionsums AS kept (company_id, dimensions_id, level, span, postings, debit, credit, base_amount)
    SELECT %(company)s, k.id, u.level, u.span, {_TOTALS}
      FROM named s JOIN known k USING (digest) {_UPWARDS} GROUP BY 2, 3, 4 ORDER BY 2, 3, 4
    ON CONFLICT (dimensions_id, level, span) {_ADD}"""


# --- proving

BLOCKS = f"""
    SELECT least(e.first, b.first), greatest(e.last, b.last)
      FROM (SELECT min{_DAY} >> {BITS} AS first, max{_DAY} >> {BITS} AS last
              FROM ledger_journalentry e WHERE company_id = %(company)s AND seq <= %(kept)s) e,
           (SELECT min(span) >> {BITS} AS first, max(span) >> {BITS} AS last
              FROM ledger_balance WHERE company_id = %(company)s AND level = 0) b"""

# The dates are compared as they are stored, so that the index on them serves.
_BLOCK = f"""
    WITH tail AS MATERIALIZED (
        SELECT id, date, transaction_id, 1 AS sign FROM ledger_journalentry
         WHERE company_id = %(company)s AND seq <= %(kept)s
           AND date BETWEEN {_EPOCH} + (%(first)s - 1) AND {_EPOCH} + (%(last)s - 1)
    )"""


def _verdict(name: str, same: str) -> str:
    """Rows of both sides with the same key, whichever has them: how many, how many differ, and five of those."""
    ours, kept = (", ".join(f"{side}.{column}" for column in SUMS) for side in ("ours", "kept"))
    return f"""
    SELECT count(*), count(*) FILTER (WHERE wrong), (array_agg(name) FILTER (WHERE wrong))[1:5] FROM (
        SELECT {name} AS name, ({ours}) IS DISTINCT FROM ({kept}) AS wrong FROM ours FULL JOIN kept ON {same}
    ) x"""


_ON = f"' on ' || ({_EPOCH} + (coalesce(ours.day, kept.day) - 1))"

ACCOUNT_DAYS = f"""
    {_BLOCK}, ours AS (
        SELECT {_DAY} AS day, p.account_id, p.currency, {SUMMED} FROM tail e, {_POSTINGS} GROUP BY 1, 2, 3
    ), kept AS (
        SELECT b.span AS day, b.account_id, b.currency, b.postings, b.debit, b.credit, b.base_amount AS base
          FROM ledger_account a, LATERAL (SELECT * FROM ledger_balance b WHERE b.account_id = a.id AND b.level = 0
                                             AND b.span BETWEEN %(first)s AND %(last)s OFFSET 0) b
         WHERE a.company_id = %(company)s
    )""" + _verdict(
    f"'account ' || coalesce(ours.account_id, kept.account_id) || {_ON}",
    "ours.day = kept.day AND ours.account_id = kept.account_id AND ours.currency = kept.currency",
)

DIMENSION_DAYS = f"""
    {_BLOCK}, summed AS (
        SELECT day, {DIMENSIONS}, {SUMMED} FROM ({_LINES}) l GROUP BY day, {DIMENSIONS}
    ), ours AS (
        SELECT *, {_DIGEST} AS digest FROM summed
    ), kept AS (
        SELECT s.span AS day, k.digest, s.postings, s.debit, s.credit, s.base_amount AS base
          FROM ledger_dimensions k, LATERAL (SELECT * FROM ledger_dimensionsums s WHERE s.dimensions_id = k.id AND s.level = 0
                                                AND s.span BETWEEN %(first)s AND %(last)s OFFSET 0) s
         WHERE k.company_id = %(company)s
    )""" + _verdict(
    f"'dimensions ' || left(encode(coalesce(ours.digest, kept.digest), 'hex'), 12) || {_ON}",
    "ours.day = kept.day AND ours.digest = kept.digest",
)


def _levels(table: str, key: tuple[str, ...], what: str) -> str:
    """Every span of a level beside the sum of the spans of the level below that it is made of."""
    columns = ", ".join(key)
    same = " AND ".join(f"ours.{column} = kept.{column}" for column in (*key, "span"))
    name = f"'{what} ' || coalesce(ours.{key[0]}, kept.{key[0]}) || ', span ' || coalesce(ours.span, kept.span)"
    return f"""
    WITH ours AS (
        SELECT {columns}, span >> {BITS} AS span, {_KEPT_TOTALS} FROM {table}
         WHERE company_id = %(company)s AND level = %(level)s - 1 GROUP BY {columns}, span >> {BITS}
    ), kept AS (
        SELECT {columns}, span, postings, debit, credit, base_amount AS base FROM {table}
         WHERE company_id = %(company)s AND level = %(level)s
    )""" + _verdict(f"{name} || ' of level ' || %(level)s", same)


ACCOUNT_LEVELS = _levels("ledger_balance", ("account_id", "currency"), "account")
DIMENSION_LEVELS = _levels("ledger_dimensionsums", ("dimensions_id",), "dimensions")
