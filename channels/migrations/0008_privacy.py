"""Privacy requests, and the one change that a stored version may undergo: its person is taken out of the record."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

# Whoever asks, whatever the program: a version is replaced by the same record without its person, once, for a request that is
# written down and asks for removal; its digest stays that of the record as it was accepted.
REDACTION = """
CREATE FUNCTION channels_without_person(record bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT r
        || CASE WHEN r ? 'customer' THEN jsonb_build_object('customer',
               CASE WHEN r #> '{customer,exempt}' = 'true' THEN '{"ref": null, "exempt": true, "tax_id": null}'::jsonb
                    ELSE 'null'::jsonb END) ELSE '{}' END
        || CASE WHEN r #>> '{jurisdiction,basis}' = 'destination'
                THEN jsonb_build_object('jurisdiction', r -> 'jurisdiction' || '{"postcode": null, "city": null}')
                ELSE '{}' END
      FROM (SELECT convert_from(record, 'UTF8')::jsonb) AS x(r)
$$;

CREATE FUNCTION channels_only_redaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.redacted_at IS NULL AND NEW.redacted_at IS NOT NULL
       AND (NEW.id, NEW.company_id, NEW.transaction_id, NEW.version, NEW.digest, NEW.event_id, NEW.payments_order, NEW.created_at)
           IS NOT DISTINCT FROM
           (OLD.id, OLD.company_id, OLD.transaction_id, OLD.version, OLD.digest, OLD.event_id, OLD.payments_order, OLD.created_at)
       AND NEW.redacted_digest = sha256(NEW.record)
       AND convert_from(NEW.record, 'UTF8')::jsonb = channels_without_person(OLD.record)
       AND EXISTS (SELECT FROM channels_privacyrequest r JOIN channels_transaction t ON t.channel_id = r.channel_id
                    WHERE r.id = NEW.redacted_by AND r.kind IN ('customer_redact', 'shop_redact') AND t.id = OLD.transaction_id)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

DROP TRIGGER channels_transactionversion_append_only ON channels_transactionversion;
CREATE TRIGGER channels_transactionversion_append_only BEFORE DELETE OR TRUNCATE ON channels_transactionversion
    FOR EACH STATEMENT EXECUTE FUNCTION salessync_refuse_change();
CREATE TRIGGER channels_transactionversion_only_redaction BEFORE UPDATE ON channels_transactionversion
    FOR EACH ROW EXECUTE FUNCTION channels_only_redaction();
"""
NO_REDACTION = """
DROP TRIGGER channels_transactionversion_only_redaction ON channels_transactionversion;
DROP TRIGGER channels_transactionversion_append_only ON channels_transactionversion;
CREATE TRIGGER channels_transactionversion_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON channels_transactionversion
    FOR EACH STATEMENT EXECUTE FUNCTION salessync_refuse_change();
DROP FUNCTION channels_only_redaction();
DROP FUNCTION channels_without_person(bytea);
"""

# Next to empty: where requests wait on a channel that is paused.
WAITING = """
CREATE INDEX event_privacy ON channels_event (id)
 WHERE state = 'new' AND topic IN ('customers/data_request', 'customers/redact', 'shop/redact');
"""


class Migration(migrations.Migration):
    dependencies = [("channels", "0007_control")]

    operations = [
        migrations.CreateModel(
            name="PrivacyRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("company_id", models.BigIntegerField()),
                (
                    "event_id",
                    models.BigIntegerField(help_text="the event that brought it: carried out once", unique=True),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("data_request", "Customer's data asked for"),
                            ("customer_redact", "Customer to be forgotten"),
                            ("shop_redact", "Shop's customers to be forgotten"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "subject",
                    models.CharField(help_text="the customer's hash; null: none was named", max_length=71, null=True),
                ),
                (
                    "orders",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=255),
                        default=list,
                        help_text="ids that the request names",
                        size=None,
                    ),
                ),
                (
                    "found",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=255),
                        default=list,
                        help_text="ids of the customer's other orders",
                        size=None,
                    ),
                ),
                ("received_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                ("done", models.JSONField(default=dict, help_text="counts of what was changed or found")),
                (
                    "answer",
                    models.JSONField(help_text="which fields of which orders are held; never their values", null=True),
                ),
                ("at_version", models.BigIntegerField()),
                ("last_version", models.BigIntegerField()),
                ("at_event", models.BigIntegerField()),
                ("last_event", models.BigIntegerField()),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="channels.channel"
                    ),
                ),
            ],
            options={
                "permissions": [("download_privacyrequest", "Can download what is held of a person")],
                "indexes": [
                    models.Index(condition=models.Q(("done_at__isnull", True)), fields=["id"], name="privacy_undone"),
                    models.Index(fields=["channel", "kind"], name="privacy_of_channel"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Forgotten",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject", models.CharField(help_text="customer:… or order:…", max_length=270)),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.channel",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("channel", "subject"), name="forgotten_once"),
                ],
            },
        ),
        migrations.AlterField(
            model_name="transactionversion",
            name="digest",
            field=models.BinaryField(help_text="SHA-256 of the record as it was accepted", max_length=32),
        ),
        migrations.AddField(
            model_name="transactionversion",
            name="redacted_at",
            field=models.DateTimeField(help_text="when the person was taken out of the record", null=True),
        ),
        migrations.AddField(
            model_name="transactionversion",
            name="redacted_digest",
            field=models.BinaryField(help_text="SHA-256 of the record since then", max_length=32, null=True),
        ),
        migrations.AddField(
            model_name="transactionversion",
            name="redacted_by",
            field=models.BigIntegerField(help_text="the privacy request that asked for it", null=True),
        ),
        migrations.AddConstraint(
            model_name="transactionversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("redacted_at__isnull", True), ("redacted_by__isnull", True), ("redacted_digest__isnull", True)
                )
                | models.Q(
                    ("redacted_at__isnull", False), ("redacted_by__isnull", False), ("redacted_digest__isnull", False)
                ),
                name="transaction_version_redacted",
            ),
        ),
        migrations.RunSQL(REDACTION, NO_REDACTION),
        migrations.RunSQL(WAITING, "DROP INDEX event_privacy;"),
    ]
