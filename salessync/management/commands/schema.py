"""`schema`: the JSON Schemas of the canonical records, from their types. Touches no database."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from channels.canonical import TYPES, AnyRecord

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "schema"


class Command(BaseCommand):
    """Writes docs/schema/*.json; `--check` writes nothing and exits 1 where a file is stale."""

    help = "Write the JSON Schemas of the canonical records to docs/schema."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to, and whether to write at all."""
        parser.add_argument("--check", action="store_true", help="only say whether the files are what the types are")
        parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files are (default: docs/schema)")

    def handle(self, *args: Any, **options: Any) -> None:
        """One file a record type, and record.json for any of them."""
        folder: Path = options["folder"]
        stale = [name for name, text in schemas().items() if _read(folder / name) != text]
        if options["check"]:
            for name in stale:
                self.stderr.write(f"STALE_SCHEMA {name} run manage.py schema")
            sys.exit(1 if stale else 0)
        folder.mkdir(parents=True, exist_ok=True)
        for name in stale:
            (folder / name).write_text(schemas()[name], encoding="utf-8")
            self.stdout.write(name)


def schemas() -> dict[str, str]:
    """File name → JSON Schema."""
    types: dict[str, Any] = {**TYPES, "record": AnyRecord}
    return {f"{name}.json": _text(one) for name, one in types.items()}


def _text(one: Any) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(one)}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
