"""Account rules, and the recomputations that follow from them.

- Two rules with the same conditions hold on no day together: an exclusion constraint, for which btree_gist compares texts and
  numbers in a GiST index. The extension is trusted, so the database's owner may create it.
- A rule is never changed but for its last day, and never deleted; its account and channel are of its company.
"""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
from django.db import migrations, models

RULES = """
CREATE FUNCTION ledger_keep_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - 'valid_to') IS DISTINCT FROM (to_jsonb(OLD) - 'valid_to') THEN
        RAISE EXCEPTION 'account rule % never changes, but for its last day', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM ledger_account WHERE id = NEW.account_id AND company_id = NEW.company_id)
       OR NEW.channel_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM channels_channel WHERE id = NEW.channel_id AND company_id = NEW.company_id) THEN
        RAISE EXCEPTION 'account rule % names an account or a channel of another company', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_rule_kept BEFORE INSERT OR UPDATE ON ledger_accountrule
    FOR EACH ROW EXECUTE FUNCTION ledger_keep_rule();
CREATE TRIGGER ledger_rule_not_deleted BEFORE DELETE OR TRUNCATE ON ledger_accountrule
    FOR EACH STATEMENT EXECUTE FUNCTION salessync_refuse_change();
"""

NO_RULES = """
DROP TRIGGER ledger_rule_not_deleted ON ledger_accountrule;
DROP TRIGGER ledger_rule_kept ON ledger_accountrule;
DROP FUNCTION ledger_keep_rule();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_periods_and_details")]

    operations = [
        migrations.RunSQL("CREATE EXTENSION IF NOT EXISTS btree_gist;", migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="account",
            name="kind",
            field=models.CharField(
                choices=[
                    ("asset", "Asset"),
                    ("liability", "Liability"),
                    ("income", "Income"),
                    ("expense", "Expense"),
                    ("equity", "Equity"),
                ],
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="AccountRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("role", models.CharField(blank=True, max_length=200)),
                ("kind", models.CharField(blank=True, max_length=20)),
                ("category", models.CharField(blank=True, max_length=500)),
                ("tax_code", models.CharField(blank=True, max_length=201)),
                ("valid_from", models.DateField()),
                ("valid_to", models.DateField(blank=True, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ledger.account"
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="channels.channel"
                    ),
                ),
                ("company", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="core.company")),
            ],
            options={
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            ("company", "="),
                            (django.db.models.functions.comparison.Coalesce("channel", 0), "="),
                            ("role", "="),
                            ("kind", "="),
                            ("category", "="),
                            ("tax_code", "="),
                            (
                                models.Func(
                                    models.F("valid_from"),
                                    models.Func(
                                        models.F("valid_to"),
                                        output_field=models.DateField(),
                                        template="(%(expressions)s)::date + 1",
                                    ),
                                    function="daterange",
                                    output_field=django.contrib.postgres.fields.ranges.DateRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="account_rule_once",
                        violation_error_message="Another rule with the same conditions holds on some of these days: end that one first.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("category", ""), ("kind", ""), ("role", ""), ("tax_code", ""), _negated=True
                        ),
                        name="account_rule_has_condition",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to", None),
                            (
                                "valid_to__gte",
                                models.Func(
                                    models.F("valid_from"),
                                    output_field=models.DateField(),
                                    template="(%(expressions)s)::date - 1",
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="account_rule_days",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Rebuild",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first", models.DateField(help_text="sales of this business day and later", null=True)),
                ("last", models.DateField(help_text="sales up to this business day", null=True)),
                ("reason", models.CharField(max_length=1000)),
                ("asked_by", models.CharField(max_length=150)),
                ("asked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("after", models.CharField(default="", max_length=330)),
                ("transactions", models.BigIntegerField(default=0, help_text="looked at")),
                ("entries", models.BigIntegerField(default=0, help_text="posted")),
                ("problems", models.JSONField(default=list, help_text="what could not be computed")),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "channel",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to="channels.channel"),
                ),
                ("company", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="core.company")),
                (
                    "rule",
                    models.ForeignKey(
                        help_text="whose change asked for it",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rebuilds",
                        to="ledger.accountrule",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("done_at__isnull", True)), fields=["id"], name="rebuild_due")
                ],
            },
        ),
        migrations.RunSQL(RULES, NO_RULES),
    ]
