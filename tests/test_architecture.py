"""What holds the rooms in order and a linter cannot know."""

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import channels
import salessync
from salessync.core import nudge

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["salessync", "channels", "tax", "inventory", "ledger", "reconciliation"]
DRAWERS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "tools",
    "shared",
    "exceptions",
    "constants",
}


def modules_of(package: str) -> list[Path]:
    return [path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]


def test_channels_is_ours() -> None:
    """django-channels has the same import name."""
    assert Path(channels.__file__ or "").parent == ROOT / "channels"


def test_every_top_module_has_its_layer() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    listed = {name for layer in layers for name in re.split(r"[\s:|]+", layer)}
    there = {f"salessync.{module.name}" for module in pkgutil.iter_modules(salessync.__path__)}
    assert there - listed == set(), "add them to the layers in pyproject.toml"
    assert {name for name in listed if name.startswith("salessync.")} - there == set(), "they are gone"


def test_no_module_is_a_drawer() -> None:
    found = [path for package in PACKAGES for path in modules_of(package) if path.stem in DRAWERS]
    assert found == []


def test_the_top_package_imports_nothing() -> None:
    assert (ROOT / "salessync" / "__init__.py").read_text() == ""


def test_every_task_that_is_nudged_exists() -> None:
    tasks = importlib.import_module("salessync.tasks")
    nudged = {
        value for name, value in vars(nudge).items() if name.isupper() and str(value).startswith("salessync.tasks.")
    }
    assert nudged
    assert nudged <= {task.name for task in vars(tasks).values() if hasattr(task, "apply_async")}


def test_every_task_has_its_queue() -> None:
    app, tasks = (importlib.import_module(f"salessync.{name}") for name in ("celery", "tasks"))
    names = {task.name for task in vars(tasks).values() if hasattr(task, "apply_async")}
    assert names == set(app.app.conf.task_routes)
    assert {entry["task"] for entry in app.app.conf.beat_schedule.values()} <= names


def test_every_variable_is_explained() -> None:
    """.env.example has a line for each variable that is read."""
    names = ("salessync/settings.py", "salessync/management/processes.py", "gunicorn.conf.py")
    sources = "".join((ROOT / name).read_text() for name in names)
    read = set(re.findall(r'(?:text|words|number|env\.bool|environ\.get)\(\s*"([A-Z_]+)"', sources))
    read |= set(re.findall(r"(?:env|environ)\.get\('([A-Z_]+)'\)", sources))
    example = (ROOT / ".env.example").read_text()
    assert read == set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
