from django.db import migrations

from salessync.core import immutable


class Migration(migrations.Migration):
    dependencies = [("channels", "0001_initial"), ("core", "0002_append_only")]

    operations = [
        immutable.append_only("channels_transactionversion"),
        # An event is updated twice: its body lies apart, so that only the small row is written again.
        migrations.RunSQL("ALTER TABLE channels_event SET (toast_tuple_target = 256)", migrations.RunSQL.noop),
        # A record is written once, on the hot path: compressing its 2 kB took longer than writing them.
        migrations.RunSQL(
            "ALTER TABLE channels_transactionversion SET (toast_tuple_target = 8160)", migrations.RunSQL.noop
        ),
    ]
