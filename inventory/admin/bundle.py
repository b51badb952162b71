"""What a bundle is made of: its parts, edited on its product's page, and how many of it these give."""

from collections.abc import Collection
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from django import forms
from django.db import connection
from django.forms.models import BaseInlineFormSet
from unfold.admin import TabularInline

from inventory.admin import cells
from inventory.models import Component, Product
from salessync.core.forms import Alone

LOCK = 7242  # pg_advisory_xact_lock's class for companies: two people cannot close one circle from its two ends


class Leaf(NamedTuple):
    """A product on the shelf, and how many of it are in one bundle."""

    product_id: int
    sku: str
    units: Decimal
    available: Decimal

    @property
    def gives(self) -> Decimal:
        """So many bundles, whole ones."""
        return max((self.available / self.units).to_integral_value(ROUND_FLOOR), Decimal(0))


def leaves(bundle: Product) -> list[Leaf]:
    """What is in one of it in the end, bundles inside of it taken apart, with what is available over all locations; the scarcest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE inside (part, units, path) AS (
                SELECT part_id, quantity::numeric, ARRAY[bundle_id, part_id] FROM inventory_component WHERE bundle_id = %s
                 UNION ALL
                SELECT c.part_id, i.units * c.quantity, i.path || c.part_id
                  FROM inside i JOIN inventory_component c ON c.bundle_id = i.part WHERE c.part_id <> ALL(i.path)
            )
            SELECT p.id, p.sku, sum(i.units),
                   COALESCE((SELECT sum(l.on_hand - l.reserved) FROM inventory_level l WHERE l.product_id = p.id), 0)
              FROM inside i JOIN inventory_product p ON p.id = i.part
             WHERE NOT EXISTS (SELECT FROM inventory_component c WHERE c.bundle_id = i.part)
             GROUP BY p.id ORDER BY p.sku
            """,
            [bundle.pk],
        )
        return sorted((Leaf(*row) for row in cursor.fetchall()), key=lambda leaf: leaf.gives)


def around(bundle: Product, parts: Collection[int]) -> str:
    """The SKU of a part that is, or contains, the bundle; empty: none does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, (%s %% 2147483647)::int)", [LOCK, bundle.company_id])
        cursor.execute(
            """
            WITH RECURSIVE inside (start, part) AS (
                SELECT p, p FROM unnest(%s::bigint[]) p
                 UNION
                SELECT i.start, c.part_id FROM inside i JOIN inventory_component c ON c.bundle_id = i.part
                 WHERE i.part <> %s
            )
            SELECT p.sku FROM inside i JOIN inventory_product p ON p.id = i.start WHERE i.part = %s ORDER BY p.id LIMIT 1
            """,
            [list(parts), bundle.pk, bundle.pk],
        )
        row = cursor.fetchone()
        return row[0] if row else ""


class ComponentForms(BaseInlineFormSet):
    """The parts as they will be."""

    def clean(self) -> None:
        super().clean()
        filled = [form.cleaned_data for form in self.forms if form.is_valid() and form.cleaned_data.get("part")]
        parts = {data["part"].pk: data["part"] for data in filled if not data.get("DELETE")}
        if not parts or not self.instance.company_id:
            return
        for part in parts.values():
            if part.company_id != self.instance.company_id:
                raise forms.ValidationError(f"{part} is another company's.")
        if self.instance.pk and (sku := around(self.instance, list(parts))):
            raise forms.ValidationError(
                f"{sku} is made of {self.instance} itself: a bundle cannot be inside of itself."
            )


class ComponentForm(forms.ModelForm):
    """More than nothing of it."""

    def clean_quantity(self) -> Decimal:
        quantity = self.cleaned_data["quantity"]
        if quantity <= 0:
            raise forms.ValidationError("more than nothing of it")
        return quantity


class ComponentInline(Alone, TabularInline):
    """A product with parts is a bundle: it has no stock of its own, its parts are sold."""

    model = Component
    form = ComponentForm
    formset = ComponentForms
    fk_name = "bundle"
    verbose_name = "part"
    verbose_name_plural = "What it is made of"
    autocomplete_fields = ("part",)
    fields = ("part", "quantity")
    extra = 0
    hide_title = True
    formfield_overrides = cells.UNITS
