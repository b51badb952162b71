"""Closed periods, and the sub-ledger of channels that post in summary, each with its laws.

- No entry is booked on a closed day. A writer holds its company's row from taking the entries' numbers until the commit, and so
  does who closes: neither can miss the other.
- A detail is whole and balanced like an entry; of it only the summary that takes it in is written later, once.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from salessync.core import immutable

OWN_DATES = """
ALTER TABLE ledger_journalentry DISABLE TRIGGER ledger_journalentry_append_only;
UPDATE ledger_journalentry SET business_date = date;
ALTER TABLE ledger_journalentry ENABLE TRIGGER ledger_journalentry_append_only;
"""

CLOSED_DAYS = """
CREATE FUNCTION ledger_refuse_closed_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
    SELECT b.seq, b.date, c.closed_through INTO bad FROM brought b JOIN core_company c ON c.id = b.company_id
     WHERE b.date <= c.closed_through OR b.date < b.business_date LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal entry % is dated %: the books are closed through %, and no entry is booked before its business date',
            bad.seq, bad.date, bad.closed_through USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entry_in_open_period AFTER INSERT ON ledger_journalentry
    REFERENCING NEW TABLE AS brought FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_closed_day();
"""

OPEN_DAYS = """
DROP TRIGGER ledger_entry_in_open_period ON ledger_journalentry;
DROP FUNCTION ledger_refuse_closed_day();
"""

DETAILS = """
CREATE FUNCTION ledger_check_detail_postings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
    SELECT p.detail_id, d.legs, count(*) AS legs_found, sum(p.base_amount) AS base, sum(p.amount) AS amount
      INTO bad
      FROM brought p
      LEFT JOIN ledger_detail d ON d.id = p.detail_id
      LEFT JOIN ledger_account a ON a.id = p.account_id AND a.company_id = d.company_id
     GROUP BY p.detail_id, d.legs
    HAVING d.legs IS NULL OR count(*) <> d.legs OR sum(p.base_amount) <> 0 OR count(a.id) <> count(*)
        OR (min(p.currency) = max(p.currency) AND sum(p.amount) <> 0)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'detail % does not hold: % of % legs, sum % in its currency and % in base currency',
            bad.detail_id, bad.legs_found, bad.legs, bad.amount, bad.base USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_detail_holds AFTER INSERT ON ledger_detailposting
    REFERENCING NEW TABLE AS brought FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_detail_postings();

CREATE FUNCTION ledger_take_in_detail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.entry_id IS NOT NULL OR NEW.entry_id IS NULL
       OR (to_jsonb(NEW) - 'entry_id') IS DISTINCT FROM (to_jsonb(OLD) - 'entry_id') THEN
        RAISE EXCEPTION 'detail % never changes, but for the summary that takes it in, once', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_detail_taken_in BEFORE UPDATE ON ledger_detail
    FOR EACH ROW EXECUTE FUNCTION ledger_take_in_detail();
CREATE TRIGGER ledger_detail_kept BEFORE DELETE OR TRUNCATE ON ledger_detail
    FOR EACH STATEMENT EXECUTE FUNCTION salessync_refuse_change();
"""

NO_DETAILS = """
DROP TRIGGER ledger_detail_kept ON ledger_detail;
DROP TRIGGER ledger_detail_taken_in ON ledger_detail;
DROP FUNCTION ledger_take_in_detail();
DROP TRIGGER ledger_detail_holds ON ledger_detailposting;
DROP FUNCTION ledger_check_detail_postings();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0010_payout_lines"),
        ("core", "0003_closed_through"),
        ("ledger", "0003_entries_checked_together"),
    ]

    operations = [
        migrations.AddField(
            model_name="journalentry",
            name="business_date",
            field=models.DateField(help_text="the day it belongs to", null=True),
        ),
        migrations.RunSQL(OWN_DATES, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="journalentry",
            name="business_date",
            field=models.DateField(help_text="the day it belongs to"),
        ),
        migrations.AlterField(
            model_name="journalentry",
            name="date",
            field=models.DateField(
                help_text="the day it is booked on: the business date, or the first open day after it"
            ),
        ),
        migrations.CreateModel(
            name="Detail",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("company_id", models.BigIntegerField()),
                ("sequence", models.IntegerField(help_text="counts the details of one transaction")),
                ("version_id", models.BigIntegerField(help_text="the transaction's version it was made from")),
                ("business_date", models.DateField()),
                ("legs", models.SmallIntegerField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "channel",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="channels.channel",
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="details",
                        to="ledger.journalentry",
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="details",
                        to="channels.transaction",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DetailPosting",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "detail_id", "leg", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("leg", models.SmallIntegerField()),
                ("amount", models.BigIntegerField(help_text="minor units of the currency")),
                ("currency", models.CharField(max_length=3)),
                ("base_amount", models.BigIntegerField(help_text="minor units of the company's base currency")),
                ("location", models.CharField(max_length=1000, null=True)),
                ("tax_code", models.CharField(max_length=200, null=True)),
                ("category", models.CharField(max_length=1000, null=True)),
                ("path", models.CharField(max_length=2100)),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="ledger.account",
                    ),
                ),
                (
                    "detail",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="postings",
                        to="ledger.detail",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PeriodChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "action",
                    models.CharField(choices=[("closed", "Closed"), ("reopened", "Opened again")], max_length=10),
                ),
                (
                    "closed_through",
                    models.DateField(help_text="the last closed day since then; none: everything is open", null=True),
                ),
                ("before", models.DateField(help_text="the last closed day until then", null=True)),
                ("actor", models.CharField(max_length=150)),
                ("reason", models.CharField(max_length=1000)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "company",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="period_changes", to="core.company"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="detail",
            index=models.Index(
                condition=models.Q(("entry__isnull", True)), fields=["channel", "business_date"], name="detail_pending"
            ),
        ),
        migrations.AddIndex(
            model_name="detail",
            index=models.Index(condition=models.Q(("entry__isnull", False)), fields=["entry"], name="detail_of_entry"),
        ),
        migrations.AddConstraint(
            model_name="detail",
            constraint=models.UniqueConstraint(fields=("transaction", "sequence"), name="detail_once"),
        ),
        migrations.AddConstraint(
            model_name="periodchange",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="period_change_has_reason"
            ),
        ),
        migrations.RunSQL(CLOSED_DAYS, OPEN_DAYS),
        migrations.RunSQL(DETAILS, NO_DETAILS),
        immutable.append_only("ledger_detailposting"),
        immutable.append_only("ledger_periodchange"),
    ]
