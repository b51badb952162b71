"""`new_channel`: the skeleton of another adapter and its first golden cases. Touches no database."""

import json
import keyword
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels import adapter as adapters

ROOT = Path(__file__).resolve().parents[3]
SKELETON = Path(__file__).resolve().parents[1] / "skeleton"
TO_DO = "to do: put a payload in the vendor's documented shape in place of this one; personal data says canary"

PLAIN: dict[str, Any] = {
    "id": "1001",
    "status": "done",
    "updated_at": "2026-09-01T12:00:00Z",
    "currency": "USD",
    "total": "10.80",
    "lines": [{"id": "1", "sku": "MUG", "name": "Mug", "quantity": 1, "price": "10.00", "tax": "0.80"}],
    "payments": [{"id": "p1", "type": "credit_card", "amount": "10.80"}],
    "customer": {"name": "Ada Canary", "email": "canary@example.org"},
}
UNKNOWN = {**PLAIN, "id": "1002", "status": "a_word_of_tomorrow"}
MALFORMED = {name: value for name, value in PLAIN.items() if name != "id"}


class Command(BaseCommand):
    """Writes new files only; what exists is never overwritten."""

    help = "Write the skeleton of another adapter: mapping tables, methods to fill in, and example golden cases."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What it is called."""
        parser.add_argument("name", help="small letters, digits and underscores; it stands in addresses and records")
        parser.add_argument("--label", help="what people call the vendor")

    def handle(self, *args: Any, **options: Any) -> None:
        """All files, or none."""
        name = options["name"]
        label = options["label"] or name.replace("_", " ").title()
        self._check(name, label)
        for path, text in skeleton(name, label):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            self.stdout.write(str(path.relative_to(ROOT)))
        for line in (
            "",
            f"What is to do:  python -m pytest tests/channels/test_contract.py -k {name}",
            f"Then:           python -m tests.golden {name}, and read what it wrote",
            "At last:        python manage.py capabilities --markdown > docs/channels.md",
        ):
            self.stdout.write(line)

    def _check(self, name: str, label: str) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]{1,39}", name) or keyword.iskeyword(name):
            raise CommandError(
                f"{name!r} is no name: a small letter, then letters, digits and underscores, at most 40", returncode=2
            )
        if not label.strip() or not label.isprintable() or set('"\\$') & set(label):
            raise CommandError(f"{label!r} is no label: printable, without quotation marks, \\ and $", returncode=2)
        there = [path for path, _ in skeleton(name, label) if path.exists()]
        if name in adapters.adapter_names() or there or (ROOT / "tests" / "golden" / name).exists():
            raise CommandError(f"there is an adapter {name!r} already, or what is left of one", returncode=2)


def skeleton(name: str, label: str) -> Iterator[tuple[Path, str]]:
    """Every file with its text."""
    words = {
        "name": name,
        "label": label,
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "header": name.replace("_", "-"),
    }
    golden = ROOT / "tests" / "golden" / name
    yield ROOT / "channels" / "adapters" / f"{name}.py", _filled("adapter.py.txt", words)
    yield golden / "sign.py", _filled("sign.py.txt", words)
    for case, event, shows in (
        ("simple_sale", PLAIN, "the plainest sale: one line, one tax, one payment"),
        ("unknown_words", UNKNOWN, "a word that is in no table becomes unknown"),
        ("malformed", MALFORMED, "a payload that lacks what it must have is refused with every problem"),
    ):
        yield golden / case / "event.json", json.dumps(event, indent=1) + "\n"
        yield golden / case / "case.json", json.dumps({"shows": shows, "to_do": TO_DO}, indent=1) + "\n"
    yield golden / "malformed" / "problems.txt", "MISSING_ID id\n"


def _filled(template: str, words: dict[str, str]) -> str:
    return Template((SKELETON / template).read_text(encoding="utf-8")).substitute(words)
