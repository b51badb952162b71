"""Both ways with Bookkeeper, and those who are told by webhook.

What an account is called at Bookkeeper, and which of its corrections came, are rows that only grow: an entry once sent can always be
told again as it was sent, and a correction never comes twice.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from salessync.core import immutable


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_balances")]

    operations = [
        migrations.CreateModel(
            name="BookkeeperAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=200)),
                ("name", models.CharField(max_length=200)),
                ("kind", models.CharField(help_text="asset, liability, equity, income or expense", max_length=10)),
                ("active", models.BooleanField(help_text="false: closed, and nothing can be booked on it")),
                (
                    "received_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), help_text="when it last changed"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BookkeeperCode",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "code",
                    models.CharField(
                        blank=True, help_text="what Bookkeeper calls it; empty: our own code again", max_length=200
                    ),
                ),
                ("actor", models.CharField(editable=False, max_length=150)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
        ),
        migrations.CreateModel(
            name="BookkeeperCorrection",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("reference", models.CharField(help_text="Bookkeeper's id of the entry", max_length=255)),
                ("digest", models.BinaryField(help_text="SHA-256 of what it said", max_length=32)),
                ("event_id", models.BigIntegerField(unique=True)),
                ("received_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="BookkeeperDifference",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("known_as", models.CharField(help_text="the entry's id at Bookkeeper", max_length=300)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("missing", "Missing"),
                            ("edited", "Edited"),
                            ("deleted", "Deleted"),
                            ("unknown_there", "Never sent"),
                        ],
                        max_length=15,
                    ),
                ),
                ("details", models.JSONField(help_text="what differs, both values (ledger/comparison.py)")),
                ("first_seen", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("last_seen", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("resolved_at", models.DateTimeField(null=True)),
            ],
            options={
                "permissions": [("send_again_bookkeeperdifference", "Can have an entry sent to Bookkeeper again")],
            },
        ),
        migrations.CreateModel(
            name="ReadBack",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                (
                    "position",
                    models.BigIntegerField(
                        default=0, help_text="what has a greater number is still to be read in this round"
                    ),
                ),
                ("round_started_at", models.DateTimeField(null=True)),
                ("round_finished_at", models.DateTimeField(help_text="of the last whole round", null=True)),
                (
                    "next_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="due then; while reading, the lease's end",
                    ),
                ),
                ("error", models.CharField(max_length=1000, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Subscriber",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("url", models.CharField(max_length=500)),
                (
                    "topics",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None),
                ),
                ("sealed_secrets", models.BinaryField()),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("disabled", "Disabled")], db_default="active", max_length=10
                    ),
                ),
                (
                    "cursor",
                    models.BigIntegerField(help_text="the last number of the company's feed that it was told of"),
                ),
                (
                    "difference_cursor",
                    models.BigIntegerField(help_text="the last difference with Bookkeeper that it was told of"),
                ),
                ("period_cursor", models.BigIntegerField(help_text="the last change of a period that it was told of")),
                ("attempts", models.IntegerField(db_default=0, help_text="in vain, since the last message it took")),
                (
                    "next_attempt_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="due then; while sending, the lease's end",
                    ),
                ),
                ("failing_since", models.DateTimeField(null=True)),
                ("delivered_at", models.DateTimeField(help_text="when it last took a message", null=True)),
                ("last_error", models.CharField(max_length=1000, null=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.AddField(
            model_name="delivery",
            name="codes_as_of",
            field=models.BigIntegerField(
                db_default=0,
                help_text="the last BookkeeperCode when its batch was made: retries name the same accounts",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="seen_at",
            field=models.DateTimeField(help_text="when Bookkeeper first showed that it holds the entry", null=True),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(condition=models.Q(("state", "refused")), fields=["entry"], name="delivery_refused"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("seen_at__isnull", True), ("state", "acknowledged")),
                fields=["entry"],
                name="delivery_unseen",
            ),
        ),
        migrations.AddField(
            model_name="bookkeeperaccount",
            name="company",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.company"),
        ),
        migrations.AddField(
            model_name="bookkeepercode",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="bookkeeper_codes", to="ledger.account"
            ),
        ),
        migrations.AddField(
            model_name="bookkeepercode",
            name="company",
            field=models.ForeignKey(
                editable=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.company"
            ),
        ),
        migrations.AddField(
            model_name="bookkeepercorrection",
            name="company",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.company"),
        ),
        migrations.AddField(
            model_name="bookkeeperdifference",
            name="company",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.company"),
        ),
        migrations.AddField(
            model_name="bookkeeperdifference",
            name="entry",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="differences",
                to="ledger.journalentry",
            ),
        ),
        migrations.AddConstraint(
            model_name="readback",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="read_back_is_one"),
        ),
        migrations.AddField(
            model_name="subscriber",
            name="company",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="subscribers", to="core.company"
            ),
        ),
        migrations.AddConstraint(
            model_name="bookkeeperaccount",
            constraint=models.UniqueConstraint(fields=("company", "code"), name="bookkeeper_account_code"),
        ),
        migrations.AddIndex(
            model_name="bookkeepercode",
            index=models.Index(fields=["company", "id"], name="bookkeeper_code_as_of"),
        ),
        migrations.AddConstraint(
            model_name="bookkeepercorrection",
            constraint=models.UniqueConstraint(fields=("company", "reference"), name="bookkeeper_correction_once"),
        ),
        migrations.AddConstraint(
            model_name="bookkeeperdifference",
            constraint=models.UniqueConstraint(
                condition=models.Q(("resolved_at__isnull", True)),
                fields=("known_as", "kind"),
                name="difference_open_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="bookkeeperdifference",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "unknown_there"), ("entry__isnull", False), _connector="OR"),
                name="difference_has_entry",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscriber",
            constraint=models.UniqueConstraint(fields=("company", "url"), name="subscriber_once"),
        ),
        migrations.AddConstraint(
            model_name="subscriber",
            constraint=models.CheckConstraint(
                condition=models.Q(("topics", []), _negated=True), name="subscriber_has_topics"
            ),
        ),
        migrations.RunSQL("INSERT INTO ledger_readback (id, position) VALUES (1, 0)", migrations.RunSQL.noop),
        immutable.append_only("ledger_bookkeepercode"),
        immutable.append_only("ledger_bookkeepercorrection"),
    ]
