"""The chain of seals: it only grows, as do the tables it seals."""

from django.db import migrations, models

from salessync.core import immutable


class Migration(migrations.Migration):
    dependencies = [("core", "0004_api_clients")]

    operations = [
        migrations.CreateModel(
            name="Seal",
            fields=[
                (
                    "number",
                    models.BigIntegerField(
                        help_text="counts all seals from 1, without gaps", primary_key=True, serialize=False
                    ),
                ),
                ("of", models.CharField(help_text="audit, or journal/ with the company's id", max_length=40)),
                (
                    "first",
                    models.BigIntegerField(help_text="id of the first audit row; seq of the first journal entry"),
                ),
                ("last", models.BigIntegerField()),
                (
                    "rows",
                    models.IntegerField(help_text="how many rows it holds, those of postings and sources too"),
                ),
                ("keys", models.TextField(help_text="the rows' names in their order, one a line")),
                (
                    "digests",
                    models.BinaryField(help_text="SHA-256 of each row, 32 bytes each, in the same order"),
                ),
                (
                    "contents",
                    models.BinaryField(help_text="SHA-256 of the names with their digests", max_length=32),
                ),
                (
                    "previous",
                    models.BinaryField(help_text="hash of the seal before; zeros before the first", max_length=32),
                ),
                ("hash", models.BinaryField(max_length=32)),
                ("sealed_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("of", "last"), name="seal_of"),
                    models.UniqueConstraint(fields=("previous",), name="seal_follows_one"),
                    models.CheckConstraint(
                        condition=models.Q(("last__gte", models.F("first")), ("number__gte", 1), ("rows__gte", 1)),
                        name="seal_holds_rows",
                    ),
                ],
            },
        ),
        # digests do not compress: trying to would cost more than it saves
        migrations.RunSQL("ALTER TABLE core_seal ALTER digests SET STORAGE EXTERNAL", migrations.RunSQL.noop),
        immutable.append_only("core_seal"),
    ]
