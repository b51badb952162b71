"""Invented customers with everything that a vendor's payload gives away, so that scrubbing has something to do. Pure."""

from random import Random
from typing import NamedTuple

_FIRST = "Wilhelmina Thaddeus Oluwaseun Perpetua Zbigniew Marisol Ignatius Fionnuala Hjalmar Xiomara Dragomir Saoirse".split()
_LAST = "Quackenbush Featherstonehaugh Okonkwo-Bell Przybylski Vandersloot Abernathy-Cho Mbeki-Lund Szczepanski".split()
_STREETS = "Larkspur Tamarack Bellwether Quillfeather Mockingbird Sassafras".split()


class Place(NamedTuple):
    """Where a customer lives, as far as it may be kept."""

    city: str
    postcode: str
    province: str
    province_code: str | None
    country: str
    country_code: str


class Person(NamedTuple):
    """A customer; everything but `place` is personal."""

    id: int
    first: str
    last: str
    email: str
    phone: str
    street: str
    ip: str
    place: Place

    @property
    def personal(self) -> list[str]:
        """What must not be found in a scrubbed payload."""
        return [self.first, self.last, self.email, self.phone, self.street, self.ip]


def invent(rng: Random, places: list[Place]) -> Person:
    """One customer; the domains and numbers are those reserved for examples."""
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    number = rng.randrange(10_000)
    return Person(
        id=7_000_000_000_000 + rng.randrange(10**9),
        first=first,
        last=last,
        email=f"{first}.{last}{number}@example.com".lower(),
        phone=f"+1555555{number:04d}",
        street=f"{rng.randrange(1, 400)} {rng.choice(_STREETS)} Row",
        ip=f"203.0.113.{rng.randrange(256)}",
        place=rng.choice(places),
    )


def address(person: Person) -> dict[str, object]:
    """A postal address as Shopify writes it."""
    place = person.place
    return {
        "first_name": person.first, "last_name": person.last, "name": f"{person.first} {person.last}",
        "address1": person.street, "address2": None, "company": None, "phone": person.phone,
        "city": place.city, "zip": place.postcode, "province": place.province, "province_code": place.province_code,
        "country": place.country, "country_code": place.country_code, "latitude": None, "longitude": None,
    }  # fmt: skip


def customer(person: Person, currency: str) -> dict[str, object]:
    """A customer as Shopify writes it."""
    return {
        "id": person.id, "first_name": person.first, "last_name": person.last, "email": person.email,
        "phone": person.phone, "state": "disabled", "note": None, "verified_email": True, "tax_exempt": False,
        "tax_exemptions": [], "currency": currency, "admin_graphql_api_id": f"gid://shopify/Customer/{person.id}",
    }  # fmt: skip
