"""`capabilities`: what each adapter does, from the adapters. Touches no database."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from channels.adapter import ABILITIES
from channels.capabilities import Capabilities, as_json, as_markdown, table


class Command(BaseCommand):
    """A table for people; `--json` for programs, `--markdown` writes what docs/channels.md is."""

    help = "Show what each adapter brings and takes, and why not the rest."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """In which form."""
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="one array of objects")
        form.add_argument("--markdown", action="store_true", help="the text of docs/channels.md")

    def handle(self, *args: Any, **options: Any) -> None:
        """Every adapter, in one of the three forms."""
        rows = table()
        if options["json"]:
            self.stdout.write(json.dumps(as_json(rows), indent=1, ensure_ascii=False))
        elif options["markdown"]:
            self.stdout.write(as_markdown(rows), ending="")
        else:
            self.stdout.write(as_text(rows))


def as_text(rows: list[Capabilities]) -> str:
    """One line an adapter."""
    width = max(len(row.name) for row in rows)
    lines = ["  ".join([" " * width, *ABILITIES])]
    for row in rows:
        marks = [("yes" if row.abilities[name].has else "-").ljust(len(name)) for name in ABILITIES]
        lines.append("  ".join([row.name.ljust(width), *marks]).rstrip())
    return "\n".join(lines)
