"""What the sandbox's shops sell: one small coffee roaster's range, with its opening stock. Pure."""

import csv
import io
from typing import NamedTuple

LOCATION = "main"
TILL_SHORT = "ETHIOPIA-250"  # opened with too few, so that the day oversells it


class Product(NamedTuple):
    """Prices in minor units: `cents` without tax (USD), `euro` with tax inside (EUR); `vat` in percent."""

    sku: str
    name: str
    category: str
    cents: int
    euro: int
    vat: int
    cost: int
    opening: int
    plu: str


PRODUCTS = [
    Product(TILL_SHORT, "Ethiopia Sidamo 250 g", "coffee", 1490, 1390, 7, 610, 2, "101"),
    Product("ETHIOPIA-1000", "Ethiopia Sidamo 1 kg", "coffee", 4990, 4690, 7, 2310, 900, "102"),
    Product("BRAZIL-250", "Brazil Santos 250 g", "coffee", 1190, 1090, 7, 480, 2000, "103"),
    Product("BRAZIL-1000", "Brazil Santos 1 kg", "coffee", 3790, 3490, 7, 1740, 900, "104"),
    Product("COLOMBIA-250", "Colombia Huila 250 g", "coffee", 1390, 1290, 7, 560, 1500, "105"),
    Product("DECAF-250", "Decaf Peru 250 g", "coffee", 1290, 1190, 7, 520, 900, "106"),
    Product("ESPRESSO-1000", "House Espresso 1 kg", "coffee", 3290, 2990, 7, 1480, 1800, "107"),
    Product("SAMPLER", "Three-origin sampler", "coffee", 2495, 2295, 7, 990, 700, "108"),
    Product("TEA-ASSAM", "Assam tea 100 g", "tea", 895, 849, 7, 310, 800, "110"),
    Product("TEA-MINT", "Mint tea 60 g", "tea", 649, 599, 7, 190, 800, "111"),
    Product("COCOA-500", "Drinking cocoa 500 g", "tea", 1150, 1099, 7, 430, 600, "112"),
    Product("MUG-WHITE", "Mug, white", "tableware", 1250, 1290, 19, 390, 1200, "201"),
    Product("MUG-BLACK", "Mug, black", "tableware", 1250, 1290, 19, 390, 1200, "202"),
    Product("CUP-ESPRESSO", "Espresso cup", "tableware", 799, 845, 19, 240, 1500, "203"),
    Product("GLASS-LATTE", "Latte glass, pair", "tableware", 1899, 1995, 19, 720, 500, "204"),
    Product("TUMBLER", "Travel tumbler", "tableware", 2750, 2890, 19, 1080, 400, "205"),
    Product("DRIPPER-V", "Pour-over dripper", "equipment", 2199, 2290, 19, 860, 400, "301"),
    Product("FILTER-100", "Paper filters, 100", "equipment", 599, 549, 19, 150, 3000, "302"),
    Product("GRINDER-HAND", "Hand grinder", "equipment", 8900, 8490, 19, 4150, 250, "303"),
    Product("KETTLE", "Gooseneck kettle", "equipment", 6450, 6290, 19, 2880, 250, "304"),
    Product("SCALE", "Coffee scale", "equipment", 4375, 4195, 19, 1930, 250, "305"),
    Product("PRESS-8", "French press, 8 cups", "equipment", 3999, 3890, 19, 1620, 300, "306"),
    Product("MILK-JUG", "Milk jug", "equipment", 1775, 1690, 19, 600, 400, "307"),
    Product("BOOK-BREW", "The Brewing Book", "books", 2400, 2250, 7, 1150, 300, "401"),
    Product("TOTE", "Tote bag", "merchandise", 1500, 1490, 19, 420, 600, "402"),
]

TAX_CATEGORIES = {"coffee": "food.grocery", "tea": "food.grocery", "books": "books.print"}
UNKNOWN = Product("HOODIE-XL", "Roastery hoodie, XL", "merchandise", 5200, 4990, 19, 0, 0, "999")  # in no catalogue
GIFT_CARD = Product("GIFT-50", "Gift card", "gift card", 5000, 5000, 0, 0, 0, "900")

STOCKED = frozenset(product.sku for product in PRODUCTS)


def catalog_csv(columns: dict[str, str]) -> str:
    """The file for `import_catalog`; `columns` names for each channel the product field that is its item id."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["sku", "name", "barcode", "category", "tax_category", "cost", "currency", "location", "quantity"]
    writer.writerow([*head, *columns])
    for product in PRODUCTS:
        cost = f"{product.cost // 100}.{product.cost % 100:02d}"
        barcode = f"40{abs(int(product.plu)):010d}"
        own = [getattr(product, field) for field in columns.values()]
        writer.writerow(
            [
                product.sku,
                product.name,
                barcode,
                product.category,
                TAX_CATEGORIES.get(product.category, "goods"),
                cost,
                "USD",
                LOCATION,
                product.opening,
                *own,
            ]
        )
    return out.getvalue()
