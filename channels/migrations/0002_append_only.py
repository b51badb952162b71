from django.db import migrations

from salessync.core import immutable


class Migration(migrations.Migration):
    dependencies = [("channels", "0001_initial"), ("core", "0002_append_only")]

    operations = [immutable.append_only("channels_transactionversion")]
