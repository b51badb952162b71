"""A file of rates from a person's own disk to a staged dataset."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from tax import formats
from tax.models import Dataset
from tax.rates import datasets

LARGEST = 20_000_000  # bytes; `import_tax` takes larger ones
LABELS = {
    "sst-rates": "Streamlined Sales Tax, rates", "sst-boundaries": "Streamlined Sales Tax, boundaries", "csv": "Generic CSV",
    "tedb": "Taxes in Europe (TEDB)", "eu-vat-rates-data": "eu-vat-rates-data (JSON)",
}  # fmt: skip


class UploadForm(forms.Form):
    """The file, and what it may not say of itself."""

    file = forms.FileField(widget=UnfoldAdminFileFieldWidget, help_text="CSV, XML or JSON; or a ZIP with one CSV in it")
    form = forms.ChoiceField(
        label="Format", choices=[("auto", "as it looks"), *((name, LABELS.get(name, name)) for name in formats.FORMATS)],
        initial="auto", widget=UnfoldAdminSelectWidget,
    )  # fmt: skip
    state = forms.CharField(
        required=False, max_length=2, widget=UnfoldAdminTextInputWidget, help_text="of the United States, as GA, where the file does not name it",
    )  # fmt: skip

    def clean_state(self) -> str:
        state = self.cleaned_data["state"].strip().upper()
        if state and state not in formats.STATES:
            raise forms.ValidationError("two letters, as GA")
        return state

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST:
            raise forms.ValidationError(
                f"only {LARGEST // 1_000_000} MB are taken here; `manage.py import_tax` takes any size"
            )
        return file


def bring(asked: dict[str, Any], actor: str) -> Dataset:
    """Stage it. Refused with what is wrong in it, and nothing is stored."""
    file = asked["file"]
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="salessync-rates-") as folder:
        place = Path(folder) / (Path(file.name).name or "file")  # formats look at the name
        with place.open("wb") as copy:
            for chunk in file.chunks():
                digest.update(chunk)
                copy.write(chunk)
        loaded = formats.read(place, asked["form"], asked["state"])
        return datasets.stage(loaded, file_name=file.name, sha256=digest.hexdigest(), actor=actor)
