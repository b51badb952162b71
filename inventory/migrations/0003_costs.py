"""A movement carries what its units had cost. Earlier ones do not know it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inventory", "0002_append_only")]

    operations = [
        migrations.AddField(
            model_name="movement",
            name="cost",
            field=models.BigIntegerField(
                help_text="minor units of the company's base currency, signed like on_hand; none: not known", null=True
            ),
        ),
        migrations.AddField(
            model_name="movement",
            name="unit_cost",
            field=models.BigIntegerField(
                help_text="of one unit, as it was known when the sale's line first left the shelf", null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(condition=models.Q(("cost__gte", 0)), name="product_cost_not_negative"),
        ),
    ]
