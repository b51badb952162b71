"""Puts every sealed value under the newest key of FIELD_ENCRYPTION_KEYS, so that older ones may be dropped.

A sealed column is a BinaryField named `sealed_…` of a model that says with `_binding()` to what its values are bound: whoever adds one
that way need not register it. A column that is empty holds nothing.
"""

from collections.abc import Iterator
from typing import NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from salessync.core import audit, crypto

STEP = 200  # rows read at once


class Column(NamedTuple):
    """Sealed values of one kind."""

    model: type[models.Model]
    name: str

    def __str__(self) -> str:
        return f"{self.model._meta.db_table}.{self.name}"


class Count(NamedTuple):
    """`by_key`: how many values each key opens, in the order of FIELD_ENCRYPTION_KEYS; `unreadable` opens with none."""

    column: str
    by_key: list[int]
    unreadable: list[str]

    @property
    def old(self) -> int:
        """How many still need a key other than the newest."""
        return sum(self.by_key[1:])


def columns() -> list[Column]:
    """Every sealed column there is."""
    return [
        Column(model, field.name)
        for model in apps.get_models()
        if not model._meta.proxy
        for field in model._meta.local_fields
        if isinstance(field, models.BinaryField) and field.name.startswith("sealed_")
    ]


def counts() -> list[Count]:
    """Which keys are in use."""
    return [_count(column) for column in columns()]


def rotate(*, actor: str) -> int:
    """Seal anew what an older key sealed; how many. Again and again changes nothing; what no key opens is left as it is.

    Each value is a transaction of its own under its row's lock, so that it may stop anywhere and go on later, and loses no change that
    somebody else makes meanwhile.
    """
    return sum(_seal_anew(column, pk, actor) for column in columns() for pk, key, _ in _values(column) if key)


def _count(column: Column) -> Count:
    found = Count(str(column), [0] * len(settings.FIELD_ENCRYPTION_KEYS), [])
    for _, key, name in _values(column):
        if key is None:
            found.unreadable.append(name)
        else:
            found.by_key[key] += 1
    return found


def _values(column: Column) -> Iterator[tuple[int, int | None, str]]:
    """(primary key of the row, number of the key, what the value is bound to) of all that is not empty."""
    last = 0
    while rows := list(column.model._default_manager.filter(pk__gt=last).order_by("pk")[:STEP]):
        for row in rows:
            if sealed := bytes(getattr(row, column.name) or b""):
                yield row.pk, _key_of(sealed, row._binding()), row._binding()
        last = rows[-1].pk


def _key_of(sealed: bytes, binding: str) -> int | None:
    try:
        return crypto.unseal_with(sealed, bound_to=binding)[0]
    except crypto.UnableToDecrypt:
        return None


def _seal_anew(column: Column, pk: int, actor: str) -> int:
    with transaction.atomic():
        row = column.model._default_manager.select_for_update(no_key=True).filter(pk=pk).first()
        if row is None or not _key_of(bytes(getattr(row, column.name) or b""), row._binding()):
            return 0  # gone, or done by somebody else
        binding = row._binding()
        _, value = crypto.unseal_with(getattr(row, column.name), bound_to=binding)
        sealed = crypto.seal(value, bound_to=binding)
        if crypto.unseal_with(sealed, bound_to=binding) != (0, value):
            raise RuntimeError(f"what was sealed anew for {binding} does not open again")
        setattr(row, column.name, sealed)
        row.save(update_fields=[column.name])
        company = getattr(row, "company_id", None)
        audit.record([(company, actor, "sealed anew", row._meta.model_name, pk, {"column": column.name})])
    return 1
