"""What is on the shelf."""

import json
from decimal import Decimal
from typing import Any

from django.core.management import BaseCommand, CommandParser

from inventory.models import Level


class Command(BaseCommand):
    help = "Print on hand, reserved and available by SKU and location."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sku")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        levels = Level.objects.select_related("product").order_by("product__sku", "location")
        if options["sku"]:
            levels = levels.filter(product__sku=options["sku"])
        if not options["json"]:
            self.stdout.write(f"{'SKU':<24}{'location':<16}{'on hand':>12}{'reserved':>12}{'available':>12}")
        for level in levels.iterator():
            values = [_plain(v) for v in (level.on_hand, level.reserved, level.available)]
            if options["json"]:
                names = ("on_hand", "reserved", "available")
                self.stdout.write(
                    json.dumps(
                        {"sku": level.product.sku, "location": level.location, **dict(zip(names, values, strict=True))}
                    )
                )
            else:
                self.stdout.write(f"{level.product.sku:<24}{level.location:<16}" + "".join(f"{v:>12}" for v in values))


def _plain(value: Decimal) -> int | str:
    """Whole units as a number, parts of a unit as a decimal string."""
    return int(value) if value == value.to_integral_value() else format(value.normalize(), "f")
