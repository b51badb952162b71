from django.db import migrations

from salessync.core import immutable


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]

    operations = [
        migrations.RunSQL(immutable.FUNCTION, "DROP FUNCTION salessync_refuse_change();"),
        immutable.append_only("core_auditrow"),
    ]
