"""Products and opening stock from a file: all or nothing, and the same file twice changes nothing."""

import pytest

from channels.models import Channel
from inventory import catalog
from inventory.models import Listing, Movement, Product
from salessync.core.problems import Refused
from tests.records import line, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db):
    return World(stock="OTHER,1")


def file(world):
    return (
        f"sku,name,barcode,category,tax_category,cost,currency,location,quantity,{world.shop.slug}\n"
        "A,Apple,123,fruit,food,0.50,USD,front,10,gid-1\n"
        'B,"Banana, big",,fruit,,,,back,2.5,\n'
        "A,Apple,123,fruit,food,0.50,USD,back,3,gid-1\n"
    )


def test_products_listings_and_stock(world):
    first = catalog.import_catalog(company=world.company, text="\ufeff" + file(world))
    assert first[:4] == (3, 2, 1, 3)
    apple = Product.objects.get(company=world.company, sku="A")
    assert (apple.cost, apple.currency, apple.barcode) == (50, "USD", "123")
    assert Listing.objects.get(channel=world.shop).product == apple
    assert {level.location: level.on_hand for level in apple.levels.all()} == {"front": 10, "back": 3}


def test_twice_changes_nothing_and_a_correction_moves_the_difference(world):
    catalog.import_catalog(company=world.company, text=file(world))
    world.send(sale([line(sku="A")]))
    assert catalog.import_catalog(company=world.company, text=file(world))[:4] == (3, 0, 0, 0)
    assert world.stock()["A"] == (12, 0)
    catalog.import_catalog(company=world.company, text=file(world).replace("front,10", "front,20"))
    assert world.stock()["A"] == (22, 0)
    assert Movement.objects.filter(product__sku="A", product__company=world.company, kind="opening").count() == 3


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("name\nx\n", "MISSING_COLUMN"),
        ("sku,surprise\nA,1\n", "UNKNOWN_COLUMN"),
        ("sku,sku\nA,B\n", "DUPLICATE_COLUMN"),
        ("sku,quantity\nA,１２\n", "BAD_QUANTITY"),
        ("sku,quantity\nA,1e3\n", "BAD_QUANTITY"),
        ("sku,cost,currency\nA,1.005,USD\n", "AMOUNT_TOO_FINE"),
        ("sku,cost,currency\nA,1,XXQ\n", "UNKNOWN_CURRENCY"),
        ("sku,name\nA\n", "BAD_ROW"),
        ("sku,name\nA,b,c\n", "BAD_ROW"),
        ("sku,name\n,b\n", "MISSING_SKU"),
        ('sku,name\nA,"b\n', "NOT_CSV"),
    ],
)
def test_a_bad_row_stops_the_file_and_is_named(world, text, code):
    with pytest.raises(Refused) as refused:
        catalog.import_catalog(company=world.company, text=text + "GOOD\n" * 0)
    assert code in [p.code for p in refused.value.problems]
    assert all(p.path.startswith("line") for p in refused.value.problems)
    assert Product.objects.filter(company=world.company).count() == 1


def test_a_column_is_a_channel_of_the_same_company(world):
    other = World()
    with pytest.raises(Refused):
        catalog.import_catalog(company=world.company, text=f"sku,{other.shop.slug}\nA,1\n")
    assert Channel.objects.filter(company=other.company).count() == 2
