"""Reservations, what listings show, bundles, and stock moved by hand.

What a listing should show was a row that overselling wrote; it is now a mark on the product, which the next push looks at.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from salessync.core import immutable


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0012_event_mode_api"),
        ("core", "0002_append_only"),
        ("inventory", "0003_costs"),
    ]

    operations = [
        migrations.CreateModel(
            name="ChannelLocation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("remote_id", models.CharField(blank=True, help_text="as the channel calls it", max_length=255)),
                (
                    "locations",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60), blank=True, default=list, size=None
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Component",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quantity", models.DecimalField(decimal_places=4, max_digits=20)),
            ],
        ),
        migrations.CreateModel(
            name="ListingLevel",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("channel_id", models.BigIntegerField()),
                ("remote_id", models.CharField(blank=True, db_default="", max_length=255)),
                ("wanted", models.DecimalField(decimal_places=4, max_digits=20)),
                ("shown", models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("idle", "Shows what it should"),
                            ("due", "To be told"),
                            ("failed", "Could not be told"),
                        ],
                        db_default="due",
                        max_length=6,
                    ),
                ),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="when `wanted` last became another than what is shown",
                    ),
                ),
                (
                    "next_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="due then; while it is told, the lease's end",
                    ),
                ),
                ("attempts", models.IntegerField(db_default=0)),
                (
                    "turn",
                    models.BigIntegerField(
                        db_default=0, help_text="counts the calls: a part of their idempotency keys"
                    ),
                ),
                ("told_at", models.DateTimeField(help_text="when the channel last confirmed a level", null=True)),
                ("read_at", models.DateTimeField(help_text="when its level was last read back", null=True)),
                (
                    "lag_ms",
                    models.IntegerField(help_text="from the change to its confirmation, of the last push", null=True),
                ),
                ("problem", models.CharField(blank=True, db_default="", max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name="Reservation",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "public_id",
                    models.UUIDField(help_text="what the sale's record names as its reservation", unique=True),
                ),
                ("reference", models.CharField(help_text="the caller's own, as a cart's id", max_length=255)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("held", "Held"),
                            ("partial", "Held in part"),
                            ("committed", "Taken by its sale"),
                            ("released", "Released"),
                            ("expired", "Expired"),
                        ],
                        max_length=10,
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("transaction_id", models.BigIntegerField(blank=True, help_text="the sale that took it", null=True)),
            ],
        ),
        migrations.CreateModel(
            name="StockChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("channel_id", models.BigIntegerField(null=True)),
                ("units", models.DecimalField(db_default=0, decimal_places=4, max_digits=20)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="StockDocument",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("transfer", "Transfer"),
                            ("receipt", "Receipt"),
                            ("count", "Count"),
                            ("adjustment", "Adjustment"),
                        ],
                        max_length=10,
                    ),
                ),
                ("reference", models.CharField(blank=True, help_text="one document of a kind has it", max_length=200)),
                ("reason", models.CharField(max_length=500)),
                ("actor", models.CharField(max_length=150)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="StockDrift",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("remote_id", models.CharField(blank=True, db_default="", max_length=255)),
                ("expected", models.DecimalField(decimal_places=4, max_digits=20)),
                ("found", models.DecimalField(decimal_places=4, max_digits=20)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("unsynced_sale", "A sale that has not come yet"),
                            ("manual_edit", "Edited in the channel"),
                            ("lost_push", "Our push was lost"),
                            ("unknown", "Not known"),
                        ],
                        max_length=15,
                    ),
                ),
                ("message", models.CharField(max_length=1000)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("adopted", "Taken over as an adjustment"),
                            ("overwritten", "Set to our level"),
                            ("gone", "Gone by itself"),
                        ],
                        db_default="open",
                        max_length=12,
                    ),
                ),
                ("found_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_by", models.CharField(blank=True, db_default="", max_length=150)),
                ("note", models.CharField(blank=True, db_default="", max_length=1000)),
            ],
        ),
        migrations.CreateModel(
            name="StockPolicy",
            fields=[
                (
                    "channel",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="stock_policy",
                        serialize=False,
                        to="channels.channel",
                    ),
                ),
                ("is_pushed", models.BooleanField(default=True, help_text="levels are told to it")),
                (
                    "buffer",
                    models.DecimalField(
                        decimal_places=4, default=0, help_text="units of each product kept back", max_digits=20
                    ),
                ),
                (
                    "edits",
                    models.CharField(
                        choices=[
                            ("ask", "Ask a person"),
                            ("adopt", "Take them over as adjustments"),
                            ("overwrite", "Set our level again"),
                        ],
                        default="ask",
                        help_text="what becomes of edits made there",
                        max_length=10,
                    ),
                ),
                (
                    "audit_hours",
                    models.IntegerField(default=24, help_text="its levels are read back so often; 0: never"),
                ),
                ("audited_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "verbose_name_plural": "stock policies",
            },
        ),
        migrations.RemoveField(
            model_name="stockpush",
            name="listing",
        ),
        migrations.AddField(
            model_name="listing",
            name="buffer",
            field=models.DecimalField(
                blank=True, decimal_places=4, help_text="units kept back; none: the channel's", max_digits=20, null=True
            ),
        ),
        migrations.AddField(
            model_name="listing",
            name="is_pushed",
            field=models.BooleanField(default=True, help_text="its level is told to the channel"),
        ),
        migrations.AddField(
            model_name="listing",
            name="name",
            field=models.CharField(blank=True, help_text="as the channel calls it", max_length=500),
        ),
        migrations.AddField(
            model_name="listing",
            name="stock_id",
            field=models.CharField(
                blank=True, help_text="the id by which the channel counts it, where that is another one", max_length=255
            ),
        ),
        migrations.AddField(
            model_name="movement",
            name="reservation_id",
            field=models.BigIntegerField(help_text="for what it holds units or lets them go", null=True),
        ),
        migrations.AddField(
            model_name="oversell",
            name="decided_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="oversell",
            name="decided_by",
            field=models.CharField(blank=True, db_default="", max_length=150),
        ),
        migrations.AddField(
            model_name="oversell",
            name="decision",
            field=models.CharField(
                blank=True,
                choices=[("backorder", "Backorder"), ("substitute", "Substitute"), ("refund", "Refund")],
                db_default="",
                help_text="what is done for the customer",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="oversell",
            name="note",
            field=models.CharField(blank=True, db_default="", max_length=1000),
        ),
        migrations.AddField(
            model_name="product",
            name="average_cost",
            field=models.DecimalField(
                blank=True,
                decimal_places=6,
                help_text="moving average of one unit, minor units of the base currency; none: `cost` holds",
                max_digits=20,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="variant_of",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="variants",
                to="inventory.product",
            ),
        ),
        migrations.AlterField(
            model_name="movement",
            name="kind",
            field=models.CharField(
                choices=[
                    ("opening", "Opening"),
                    ("sale", "Sale"),
                    ("refund", "Refund"),
                    ("hold", "held for a reservation, or let go"),
                    ("transfer", "Transfer"),
                    ("receipt", "Receipt"),
                    ("count", "Count"),
                    ("adjustment", "Adjustment"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(("average_cost__gte", 0)), name="product_average_not_negative"
            ),
        ),
        migrations.AddField(
            model_name="channellocation",
            name="channel",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="stock_locations", to="channels.channel"
            ),
        ),
        migrations.AddField(
            model_name="component",
            name="bundle",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="components", to="inventory.product"
            ),
        ),
        migrations.AddField(
            model_name="component",
            name="part",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="part_of", to="inventory.product"
            ),
        ),
        migrations.AddField(
            model_name="listinglevel",
            name="listing",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="levels", to="inventory.listing"
            ),
        ),
        migrations.AddField(
            model_name="reservation",
            name="channel",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="channels.channel"),
        ),
        migrations.AddField(
            model_name="reservation",
            name="company",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="core.company"),
        ),
        migrations.AddField(
            model_name="stockchange",
            name="product",
            field=models.ForeignKey(
                db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to="inventory.product"
            ),
        ),
        migrations.AddField(
            model_name="stockdocument",
            name="company",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="core.company"),
        ),
        migrations.AddField(
            model_name="movement",
            name="document",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="movements",
                to="inventory.stockdocument",
            ),
        ),
        migrations.AddConstraint(
            model_name="movement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reservation_id__isnull", False)),
                fields=("reservation_id", "line_id", "product", "location", "sequence"),
                name="movement_of_reservation_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="movement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("document__isnull", False)),
                fields=("document", "line_id", "product", "location", "sequence"),
                name="movement_of_document_once",
            ),
        ),
        migrations.AddField(
            model_name="stockdrift",
            name="company",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="core.company"),
        ),
        migrations.AddField(
            model_name="stockdrift",
            name="listing",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="drifts", to="inventory.listing"
            ),
        ),
        migrations.AddConstraint(
            model_name="stockpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("audit_hours__gte", 0), ("buffer__gte", 0)), name="stock_policy_signs"
            ),
        ),
        migrations.DeleteModel(
            name="StockPush",
        ),
        migrations.AddConstraint(
            model_name="channellocation",
            constraint=models.UniqueConstraint(fields=("channel", "remote_id"), name="channel_location_once"),
        ),
        migrations.AddConstraint(
            model_name="component",
            constraint=models.UniqueConstraint(fields=("bundle", "part"), name="component_once"),
        ),
        migrations.AddConstraint(
            model_name="component",
            constraint=models.CheckConstraint(condition=models.Q(("quantity__gt", 0)), name="component_quantity"),
        ),
        migrations.AddConstraint(
            model_name="component",
            constraint=models.CheckConstraint(
                condition=models.Q(("bundle", models.F("part")), _negated=True), name="component_not_itself"
            ),
        ),
        migrations.AddIndex(
            model_name="listinglevel",
            index=models.Index(
                condition=models.Q(("state", "due")), fields=["channel_id", "next_at"], name="listing_level_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="listinglevel",
            constraint=models.UniqueConstraint(fields=("listing", "remote_id"), name="listing_level_once"),
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(
                condition=models.Q(("state__in", ["held", "partial"])),
                fields=["expires_at"],
                name="reservation_to_expire",
            ),
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(fields=["channel", "reference"], name="reservation_reference"),
        ),
        migrations.CreateModel(
            name="ReservationLine",
            fields=[
                (
                    "reservation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="inventory.reservation",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="inventory.product"
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "reservation_id", "position", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("position", models.SmallIntegerField()),
                ("sku", models.CharField(help_text="as it was asked for", max_length=255)),
                ("location", models.CharField(max_length=60)),
                ("quantity", models.DecimalField(decimal_places=4, max_digits=20)),
                ("held", models.DecimalField(decimal_places=4, max_digits=20)),
            ],
        ),
        migrations.AddConstraint(
            model_name="reservationline",
            constraint=models.CheckConstraint(
                condition=models.Q(("held__gte", 0), ("held__lte", models.F("quantity")), ("quantity__gt", 0)),
                name="reservation_line_held",
            ),
        ),
        migrations.AddConstraint(
            model_name="stockdocument",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reference", ""), _negated=True),
                fields=("company", "kind", "reference"),
                name="stock_document_once",
            ),
        ),
        migrations.AddIndex(
            model_name="stockdrift",
            index=models.Index(
                condition=models.Q(("state", "open")), fields=["company", "cause"], name="stock_drift_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="stockdrift",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")), fields=("listing", "remote_id"), name="stock_drift_one_open"
            ),
        ),
        migrations.AlterModelOptions(
            name="listinglevel",
            options={"verbose_name": "push state"},
        ),
        migrations.AddIndex(
            model_name="movement",
            index=models.Index(fields=["product", "id"], name="movement_of_product"),
        ),
        migrations.AddIndex(
            model_name="movement",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["created_at"], name="movement_time"
            ),
        ),
        immutable.append_only("inventory_stockdocument"),
    ]
