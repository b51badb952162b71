"""Golden cases: `<adapter>/<case>/event.json` is a vendor's payload, `records.jsonl` what it must become.

A payload that must be refused has `problems.txt` instead, one `CODE path` a line. `case.json` says how the payload comes
(`topic`, `channel`, `timezone`, `jurisdiction`) and what the case shows (`shows`). Payloads are our own, in the documented shape.
`python -m tests.golden` writes the expectations anew; what it wrote is read against canonical.md before it is committed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from channels import adapter, canonical, payload
from channels.adapter import Context, Ignored
from channels.record import Jurisdiction
from salessync.core.problems import Refused

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One folder."""

    folder: Path

    @property
    def vendor(self) -> str:
        return self.folder.parent.name

    @property
    def name(self) -> str:
        return f"{self.vendor}/{self.folder.name}"

    @property
    def settings(self) -> dict[str, Any]:
        path = self.folder / "case.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    @property
    def topic(self) -> str | None:
        return self.settings.get("topic")

    @property
    def body(self) -> bytes:
        return (self.folder / "event.json").read_bytes()

    def context(self) -> Context:
        settings = self.settings
        place = settings.get("jurisdiction")
        return Context(
            channel=settings.get("channel", "main-shop"),
            timezone=settings.get("timezone", "UTC"),
            day_cut_hour=settings.get("day_cut_hour", 0),
            jurisdiction=msgspec.convert(place, Jurisdiction) if place else None,
        )

    def outcome(self) -> dict[str, str]:
        """File name → text: what this payload becomes now."""
        try:
            parsed = payload.parse(self.body)
            records = adapter.get(self.vendor).normalize(parsed, self.topic, self.context())
        except Refused as refused:
            return {"problems.txt": "".join(f"{p.code} {p.path}\n" for p in refused.problems)}
        except Ignored:
            return {"records.jsonl": ""}
        return {"records.jsonl": "".join(canonical.encode(r).decode() + "\n" for r in records)}

    def expected(self) -> dict[str, str]:
        """File name → text: what is written beside the payload."""
        paths = [self.folder / name for name in ("records.jsonl", "problems.txt")]
        return {p.name: p.read_text(encoding="utf-8") for p in paths if p.is_file()}


def cases(vendor: str = "*") -> list[Case]:
    """Every case of one adapter, or of all of them."""
    return [Case(path.parent) for path in sorted(FOLDER.glob(f"{vendor}/*/event.json"))]
