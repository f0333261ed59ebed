"""What a model on disk promises: it says what scikit-learn says, and loading it runs nothing."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from triage.classify import Classifier, ModelFiles, default_models_dir
from triage.errors import InvalidModel
from triage.learn import train, verify
from triage.learn.corpus import load_examples

MODELS = default_models_dir()
CORPUS = MODELS / "corpus"
CURRENT = MODELS / (MODELS / "current").read_text("utf-8").strip()
FILES = ("arrays.npz", "model.json", "checksums.json")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CURRENT, tmp_path / CURRENT.name))


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take every twelfth post and every tenth term."""
    folder = tmp_path_factory.mktemp("corpus")
    for part, pattern, step in (("posts", "*.jsonl", 12), ("lexicon", "*.jsonl", 10)):
        (folder / part).mkdir()
        for path in sorted((CORPUS / part).glob(pattern)):
            lines = path.read_text("utf-8").splitlines(keepends=True)[::step]
            (folder / part / path.name).write_text("".join(lines), "utf-8")
    return folder


@pytest.mark.slow
def test_says_what_scikit_learn_says() -> None:
    """On every post of the corpus the shipped table and scikit-learn differ by less than 1e-5."""
    assert verify(ModelFiles.load(CURRENT), load_examples(CORPUS)) < 1e-5


@pytest.mark.slow
def test_training_twice_gives_the_same_bytes(small_corpus: Path, tmp_path: Path) -> None:
    """The same corpus gives the same version and the same bytes, and a table that is exact."""
    first = train(small_corpus, tmp_path / "one", folds=2)
    second = train(small_corpus, tmp_path / "two", folds=2)
    assert first == second
    for name in FILES:
        assert (tmp_path / "one" / first / name).read_bytes() == (
            tmp_path / "two" / second / name
        ).read_bytes()
    model = ModelFiles.load(tmp_path / "one" / first)
    assert verify(model, load_examples(small_corpus)) < 1e-5


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_refused(copy: Path, name: str) -> None:
    """One flipped bit anywhere in the first, middle or last part of a file refuses the model."""
    sound = (copy / name).read_bytes()
    for at in (1, len(sound) // 3, len(sound) // 2, len(sound) - 2):
        damaged = bytearray(sound)
        damaged[at] ^= 1
        (copy / name).write_bytes(damaged)
        with pytest.raises(InvalidModel):
            Classifier.load(copy)
    (copy / name).write_bytes(sound)
    assert Classifier.load(copy).version == CURRENT.name


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    """A model without one of its files is refused, and so is no model at all."""
    (copy / name).unlink()
    with pytest.raises(InvalidModel):
        Classifier.load(copy)
    with pytest.raises(InvalidModel):
        Classifier.load(copy / "nergens")


def test_holds_no_objects() -> None:
    """The arrays hold numbers only: nothing in them can be a pickle."""
    with zipfile.ZipFile(CURRENT / "arrays.npz") as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                version = np.lib.format.read_magic(member)
                assert version == (1, 0)
                dtype = np.lib.format.read_array_header_1_0(member)[2]
            assert dtype.kind in "fi", name


def test_is_small_and_documented() -> None:
    """The model takes at most 20 MB, and says how well it does on authors it had not seen."""
    assert sum(path.stat().st_size for path in CURRENT.iterdir()) < 20_000_000
    metrics = json.loads((CURRENT / "model.json").read_text("utf-8"))["metrics"]
    assert metrics["topic_first"] > 0.69
    assert metrics["urgency_kappa"] > 0.75
    assert metrics["critical_recall"] > 0.8
    assert metrics["intent"] > 0.7
