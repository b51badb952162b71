import django.db.models.deletion
from django.db import migrations, models

import channels.models.mapping


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0008_privacy"),
        ("core", "0002_append_only"),
    ]

    operations = [
        migrations.CreateModel(
            name="Mapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(help_text="what `capture --mapping` names it by", max_length=60)),
                (
                    "body",
                    models.JSONField(
                        help_text="which column is which field, and how numbers, dates and words are written",
                        validators=[channels.models.mapping.validate_mapping],
                        verbose_name="mapping",
                    ),
                ),
                ("changed_at", models.DateTimeField(auto_now=True)),
                ("company", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="core.company")),
            ],
            options={
                "verbose_name": "file mapping",
                "constraints": [models.UniqueConstraint(fields=("company", "name"), name="mapping_name_once")],
            },
        ),
    ]
