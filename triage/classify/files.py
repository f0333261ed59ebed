"""A model on disk: arrays in one ``.npz`` without objects, JSON beside it, and their checksums.

Loading executes nothing: no pickle, no code, shapes and labels are compared before use.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triage.errors import InvalidModel

FORMAT: Final = 2
ARRAYS: Final = "arrays.npz"
MODEL: Final = "model.json"
CHECKSUMS: Final = "checksums.json"
#: The largest file of a model, in bytes.
SIZE_LIMIT: Final = 64 * 1024 * 1024

#: Every array: its type and how many dimensions it has.
SHAPES: Final[Mapping[str, tuple[str, int]]] = {
    "bias": ("float32", 1),
    "words": ("float16", 2),
    "grams": ("float16", 2),
    "pairs": ("float16", 2),
    "pair_tokens": ("int32", 2),
    "lexicon": ("float32", 2),
    "phrase_tokens": ("int32", 2),
    "phrase_keys": ("int32", 2),
    "phrase_weights": ("float32", 1),
    "cues": ("float32", 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """The parts of a model as they stand on disk.

    Each weight array has one row a feature and one column a class: topics, urgencies, intents.
    ``pair_tokens`` (pairs, 2) and ``phrase_tokens`` (phrases, 4; -1 where a phrase is shorter) hold
    indices into ``tokens``; the first ``len(words)`` tokens have a row in ``words``.
    ``phrase_keys`` (weights, 2) names the phrase and the lexicon key of each of ``phrase_weights``.
    """

    version: str
    meta: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    @property
    def tokens(self) -> list[str]:
        """Tokens by index; the first two are the marks of a text's beginning and end."""
        tokens: list[str] = self.meta["tokens"]
        return tokens

    @classmethod
    def load(cls, folder: Path) -> ModelFiles:
        """Read and verify a model. Raises InvalidModel."""
        raw = {name: _read(folder / name) for name in (ARRAYS, MODEL, CHECKSUMS)}
        try:
            expected = json.loads(raw[CHECKSUMS])
        except ValueError:
            raise InvalidModel(f"{folder.name}: {CHECKSUMS} is geen JSON") from None
        for name in (ARRAYS, MODEL):
            if hashlib.sha256(raw[name]).hexdigest() != expected.get(name):
                raise InvalidModel(f"{folder.name}: {name} past niet bij zijn controlegetal")
        try:
            meta = json.loads(raw[MODEL])
            with np.load(io.BytesIO(raw[ARRAYS]), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in SHAPES}
        except (ValueError, KeyError, OSError, zipfile.BadZipFile):
            raise InvalidModel(f"{folder.name}: niet te lezen") from None
        model = cls(version=folder.name, meta=meta, arrays=arrays)
        model._verify()
        return model

    def save(self, folder: Path) -> None:
        """Write a model; the same model gives the same bytes."""
        self._verify()
        folder.mkdir(parents=True, exist_ok=False)
        packed = io.BytesIO()
        parts: dict[str, Any] = {name: self.arrays[name] for name in SHAPES}
        np.savez_compressed(packed, **parts)
        raw = {
            ARRAYS: packed.getvalue(),
            MODEL: json.dumps(self.meta, ensure_ascii=False, indent=0, sort_keys=True).encode(),
        }
        checksums = {name: hashlib.sha256(data).hexdigest() for name, data in raw.items()}
        raw[CHECKSUMS] = json.dumps(checksums, indent=1, sort_keys=True).encode()
        for name, data in raw.items():
            (folder / name).write_bytes(data)

    def _verify(self) -> None:
        if self.meta.get("format") != FORMAT:
            raise InvalidModel(f"{self.version}: formaat {self.meta.get('format')}, wij {FORMAT}")
        for name, (kind, dimensions) in SHAPES.items():
            array = self.arrays[name]
            if array.dtype != kind or array.ndim != dimensions:
                raise InvalidModel(f"{self.version}: {name} heeft een andere vorm")
        labels = self.meta["labels"]
        classes = sum(len(labels[head]) for head in ("topics", "urgencies", "intents"))
        for name in ("words", "grams", "pairs", "lexicon", "cues"):
            if self.arrays[name].shape[1] != classes:
                raise InvalidModel(f"{self.version}: {name} telt andere klassen")
        rows = {"grams": "grams", "lexicon": "lexicon_keys", "cues": "cues"}
        for name, key in rows.items():
            if len(self.arrays[name]) != len(self.meta[key]):
                raise InvalidModel(f"{self.version}: {name} telt andere kenmerken")


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise InvalidModel(f"{path.parent.name}: {path.name} is te groot")
        return path.read_bytes()
    except OSError:
        raise InvalidModel(f"{path.parent.name}: {path.name} ontbreekt") from None


def default_models_dir() -> Path:
    """Give the folder of the shipped models: in a wheel, or in the checkout beside the package."""
    package = Path(str(files("triage")))
    shipped = package / "_models"
    return shipped if shipped.is_dir() else package.parent / "models"
