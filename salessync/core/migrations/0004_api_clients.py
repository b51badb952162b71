"""Programs that use the API."""

import django.contrib.postgres.fields
import django.core.validators
from django.db import migrations, models
from django.db.models.functions import Now

ID = ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))
SCOPES = [
    ("sales", "Send sales, refunds and cash sessions"), ("stock", "Read stock"), ("reservations", "Reserve stock"),
    ("books", "Read transactions, accounts, payouts and revenue"), ("bookkeeper", "Follow the journal and acknowledge it"),
    ("discrepancies", "Read and decide discrepancies"), ("metrics", "Read metrics"),
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("core", "0003_closed_through")]

    operations = [
        migrations.CreateModel(
            name="ApiClient",
            fields=[
                ID,
                ("company", models.ForeignKey(on_delete=models.PROTECT, to="core.company")),
                ("name", models.CharField(max_length=60)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(choices=SCOPES, max_length=20), size=None
                    ),
                ),
                (
                    "requests_per_minute",
                    models.PositiveIntegerField(default=600, validators=[django.core.validators.MinValueValidator(1)]),
                ),
                (
                    "expires_at",
                    models.DateTimeField(blank=True, help_text="none: it does not expire", null=True),
                ),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
            options={
                "verbose_name": "API client",
                "constraints": [
                    models.UniqueConstraint(fields=["company", "name"], name="api_client_name"),
                    models.CheckConstraint(
                        condition=models.Q(scopes__len__gt=0, scopes__contained_by=[scope for scope, _ in SCOPES]),
                        name="api_client_scopes",
                    ),
                    models.CheckConstraint(condition=models.Q(requests_per_minute__gte=1), name="api_client_pace"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiSecret",
            fields=[
                ID,
                (
                    "client",
                    models.ForeignKey(on_delete=models.CASCADE, related_name="secrets", to="core.apiclient"),
                ),
                ("slot", models.PositiveSmallIntegerField()),
                (
                    "prefix",
                    models.CharField(help_text="names the secret, and proves nothing", max_length=16, unique=True),
                ),
                ("digest", models.BinaryField(help_text="SHA-256 of the token, which nobody keeps", max_length=32)),
                ("created_at", models.DateTimeField(db_default=Now())),
                ("last_used_at", models.DateTimeField(help_text="to the hour", null=True)),
            ],
            options={
                "verbose_name": "API secret",
                "constraints": [
                    models.UniqueConstraint(fields=["client", "slot"], name="api_secret_slot"),
                    models.CheckConstraint(condition=models.Q(slot__in=[1, 2]), name="api_secret_two_live"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiPace",
            fields=[
                (
                    "client",
                    models.OneToOneField(
                        on_delete=models.CASCADE, primary_key=True, serialize=False, to="core.apiclient"
                    ),
                ),
                ("minute", models.BigIntegerField(help_text="since 1970, by the database's clock")),
                ("requests", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="ApiAnswer",
            fields=[
                ID,
                ("client", models.ForeignKey(db_index=False, on_delete=models.CASCADE, to="core.apiclient")),
                ("key", models.CharField(max_length=255)),
                (
                    "fingerprint",
                    models.BinaryField(
                        help_text="SHA-256 of the request: the same key means the same request", max_length=32
                    ),
                ),
                ("status", models.PositiveSmallIntegerField()),
                ("headers", models.JSONField(default=dict)),
                ("body", models.BinaryField()),
                ("created_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "verbose_name": "API answer",
                "constraints": [models.UniqueConstraint(fields=["client", "key"], name="api_answer_once")],
                "indexes": [models.Index(fields=["created_at"], name="api_answer_age")],
            },
        ),
    ]
