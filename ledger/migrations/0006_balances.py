"""Sums of the journal by account and by dimensions, in a tree of spans of days; and the days of the journal to be found by.

An entry's date is found by an index of ranges of pages, which costs the writer next to nothing: entries lie nearly in their order.
"""

import django.db.models.deletion
from django.db import migrations, models

UNCHECKED = {"db_constraint": False, "on_delete": django.db.models.deletion.DO_NOTHING}


def sums() -> list[tuple[str, models.Field]]:
    return [
        ("company_id", models.BigIntegerField()),
        ("level", models.SmallIntegerField()),
        ("span", models.IntegerField(help_text="the span's number on its level; on level 0 the day's ordinal")),
        ("postings", models.BigIntegerField(help_text="how many")),
        ("debit", models.BigIntegerField(help_text="minor units of the currency, positive")),
        ("credit", models.BigIntegerField(help_text="minor units of the currency, positive")),
        (
            "base_amount",
            models.BigIntegerField(help_text="minor units of the company's base currency, debit positive"),
        ),
    ]


class Migration(migrations.Migration):
    dependencies = [("channels", "0010_payout_lines"), ("ledger", "0005_account_rules")]

    operations = [
        migrations.CreateModel(
            name="BalancePosition",
            fields=[
                (
                    "company",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        serialize=False,
                        to="core.company",
                    ),
                ),
                ("seq", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Balance",
            fields=[
                *sums(),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id",
                        "level",
                        "span",
                        "currency",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("account", models.ForeignKey(to="ledger.account", related_name="+", db_index=False, **UNCHECKED)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="Dimensions",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("company_id", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("location", models.CharField(max_length=1000, null=True)),
                ("tax_code", models.CharField(max_length=200, null=True)),
                ("category", models.CharField(max_length=1000, null=True)),
                (
                    "origin",
                    models.CharField(
                        help_text="type of the transaction and part of its record: sale/gross", max_length=40
                    ),
                ),
                ("digest", models.BinaryField(max_length=32)),
                ("account", models.ForeignKey(to="ledger.account", related_name="+", **UNCHECKED)),
                ("channel", models.ForeignKey(to="channels.channel", related_name="+", db_index=False, **UNCHECKED)),
            ],
        ),
        migrations.AddConstraint(
            model_name="dimensions",
            constraint=models.UniqueConstraint(fields=("company_id", "digest"), name="dimensions_once"),
        ),
        migrations.CreateModel(
            name="DimensionSums",
            fields=[
                *sums(),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "dimensions_id", "level", "span", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "dimensions",
                    models.ForeignKey(to="ledger.dimensions", related_name="+", db_index=False, **UNCHECKED),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.RunSQL(
            "CREATE INDEX ledger_entry_day ON ledger_journalentry USING brin (date)"
            " WITH (pages_per_range = 16, autosummarize = on)",
            "DROP INDEX ledger_entry_day",
        ),
    ]
