"""Products and opening stock."""

from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import transaction

from inventory import catalog
from salessync.core.models import Company
from salessync.core.problems import Refused
from salessync.management.arguments import text_of
from salessync.setup import COMPANY
from tax.law.categories import category_of
from tax.seller import mapping


class Command(BaseCommand):
    help = f"Import products and opening stock: columns {','.join(catalog.FIELDS)}, and one a channel (its slug) with its item id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        company = Company.objects.filter(slug=COMPANY).first()
        if company is None:
            raise CommandError("there is no company yet: run `manage.py bootstrap` first", returncode=2)
        text = text_of(options["file"])
        try:
            with transaction.atomic():
                done = catalog.import_catalog(company=company, text=text)
                known = {sku: name for sku, name in done.tax_categories.items() if category_of(name)}
                categories = mapping.from_catalog(company, known, "command")
        except Refused as refused:
            for problem in refused.problems:
                self.stderr.write(str(problem))
            raise CommandError(f"nothing was imported: {len(refused.problems)} problems", returncode=1) from None
        for sku in sorted(done.tax_categories.keys() - known.keys()):
            self.stderr.write(f"{sku}: no tax category is called {done.tax_categories[sku]!r}; it is left to be mapped")
        self.stdout.write(
            f"{done.rows} rows: {done.products} new products, {done.listings} new listings, {done.movements} stock movements,"
            f" {categories} new tax categories"
        )
