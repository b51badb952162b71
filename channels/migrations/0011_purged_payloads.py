from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels", "0010_payout_lines")]

    operations = [
        migrations.AddField(
            model_name="event",
            name="purged_at",
            field=models.DateTimeField(help_text="since when its body is empty (channels/retention.py)", null=True),
        ),
        migrations.AddField(
            model_name="event",
            name="purged_bytes",
            field=models.PositiveIntegerField(help_text="how long the body was that was purged", null=True),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(("purged_at__isnull", True), ("purged_bytes__isnull", True))
                | models.Q(
                    ("body", b""),
                    ("purged_at__isnull", False),
                    ("purged_bytes__isnull", False),
                    ("state__in", ["posted", "ignored"]),
                ),
                name="event_purged",
            ),
        ),
    ]
