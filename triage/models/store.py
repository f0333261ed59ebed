"""Where a deployment keeps its models."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from triage.classify import default_models_dir
from triage.models.registry import Registry

#: The folder of models inside the data folder, where none is set.
FOLDER: Final = "models"


def default_registry(models: Path | None, data: Path) -> Registry:
    """Open the registry: ``models`` where it is set, else a folder in ``data``.

    The models that come with the product stand behind it.
    """
    return Registry(models or data / FOLDER, default_models_dir())
