"""The registry: versions in a folder, and the steps by which one of them goes live.

A version is a folder that never changes. Two pointers name the version that judges (``current``)
and the one that judges beside it and is only counted (``shadow``); workers notice within a second
(:mod:`triage.models.live`). Versions that come with the product are found behind the deployment's
own, so a folder of one's own may begin empty.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

from triage.classify import Classifier
from triage.errors import InvalidModel, Refused
from triage.models import history
from triage.models.gate import Verdict
from triage.models.history import Entry, Step
from triage.models.pointers import checked, read_pointer, write_pointer

#: What a version's folder must hold to count as one.
_MODEL: Final = "model.json"
#: How many versions ``gc`` keeps besides the ones in use.
KEEP: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version as ``triage models list`` shows it."""

    version: str
    folder: Path
    #: When it was written here, in UTC.
    made_at: datetime
    current: bool
    shadow: bool
    #: It came with the product: never removed.
    shipped: bool
    #: Figures of its training, as they stand in it.
    metrics: dict[str, Any]


class Registry:
    """The models of one deployment.

    ``folder`` is its own, made when something is first written; ``shipped`` stands behind it.
    Every step is one line in ``promotions.jsonl``.
    """

    def __init__(self, folder: Path, shipped: Path | None = None) -> None:
        self.folder = folder
        self.shipped = None if shipped is None or shipped == folder else shipped

    # -- looking ---------------------------------------------------------------------------------

    def current(self) -> str:
        """Give the version that judges. Raises InvalidModel where none is named."""
        for folder in self._folders():
            if version := read_pointer(folder, "current"):
                return version
        message = f"{self.folder}: geen model is aangewezen (bestand current)"
        raise InvalidModel(message, code="no-model")

    def candidates(self) -> list[str]:
        """Give the versions to try at the start: the current one, then what it would fall back to.

        Raises InvalidModel.
        """
        tried = [self.current(), history.previous(self.history())]
        if self.shipped is not None:
            tried.append(read_pointer(self.shipped, "current"))
        return list(dict.fromkeys(version for version in tried if version))

    def shadow(self) -> str | None:
        """Give the version that judges beside it, where there is one."""
        return read_pointer(self.folder, "shadow")

    def path(self, version: str) -> Path:
        """Give the folder of a version. Raises InvalidModel."""
        for folder in self._folders():
            if (folder / checked(version) / _MODEL).is_file():
                return folder / version
        raise InvalidModel(f"model {version} is er niet", code="no-such-model")

    def versions(self) -> list[Version]:
        """Give all versions, newest first."""
        live, shadow = self.current(), self.shadow()
        found: dict[str, Version] = {}
        for folder in self._folders():
            for model in sorted(folder.glob(f"*/{_MODEL}")):
                name = model.parent.name
                if name.startswith(".") or name in found:
                    continue
                found[name] = Version(
                    version=name,
                    folder=model.parent,
                    made_at=datetime.fromtimestamp(model.stat().st_mtime, UTC),
                    current=name == live,
                    shadow=name == shadow,
                    shipped=folder == self.shipped,
                    metrics=_metrics(model),
                )
        return sorted(found.values(), key=lambda v: (v.made_at, v.version), reverse=True)

    def history(self) -> list[Entry]:
        """Give what was promoted and rolled back, oldest first."""
        return history.read(self.folder)

    # -- steps -----------------------------------------------------------------------------------

    def promote(
        self,
        version: str,
        verdict: Verdict | None,
        *,
        by: str,
        why: str,
        at: datetime,
        force: bool = False,
    ) -> Entry:
        """Let a version judge, if the gate lets it through.

        ``verdict`` None: it was not evaluated, which refuses like any other reason. ``force`` goes
        past a refusal; then ``by`` and ``why`` must say who and why. Raises Refused, which says by
        how much it falls short, and InvalidModel.
        """
        refusals = verdict.refusals if verdict else (_NOT_EVALUATED,)
        if refusals and not force:
            message = "\n".join((f"{version} gaat niet live:", *refusals))
            raise Refused(message, code="gate" if verdict else "gate-unmeasured")
        if force and not (by.strip() and why.strip()):
            message = "met --force hoort wie het doet (--by) en waarom (--why)"
            raise Refused(message, code="force-unsaid")
        Classifier.load(self.path(version))  # what is damaged does not go live, forced or not
        with history.alone(self.folder):
            entry = _entry("promote", version, self.current(), by=by, why=why, at=at)
            if refusals:
                entry = replace(entry, forced=True, refusals=tuple(refusals))
            self._go(entry)
            if self.shadow() == version:
                write_pointer(self.folder, "shadow", None)
        return entry

    def rollback(self, *, by: str, why: str, at: datetime) -> Entry:
        """Let the version before the last promotion judge again. Raises Refused, InvalidModel."""
        with history.alone(self.folder):
            version = history.previous(self.history())
            if version is None:
                message = "er is geen eerdere versie om naar terug te gaan"
                raise Refused(message, code="no-earlier-model")
            Classifier.load(self.path(version))
            entry = _entry("rollback", version, self.current(), by=by, why=why, at=at)
            self._go(entry)
        return entry

    def set_shadow(self, version: str | None, *, by: str, why: str, at: datetime) -> Entry:
        """Let a version judge beside the current one, or none. Raises InvalidModel, Refused."""
        if version is not None:
            Classifier.load(self.path(version))
        with history.alone(self.folder):
            entry = _entry("shadow", version, self.shadow(), by=by, why=why, at=at)
            history.append(self.folder, entry)
            write_pointer(self.folder, "shadow", version)
        return entry

    def gc(self, *, keep: int = KEEP, by: str, at: datetime) -> list[str]:
        """Remove old versions; give which.

        Stay: the current one, the shadow, the one that a rollback would take, the ``keep`` newest,
        and all that came with the product.
        """
        with history.alone(self.folder):
            used = {self.current(), self.shadow(), history.previous(self.history())}
            own = [v for v in self.versions() if v.folder.parent == self.folder]
            gone = [v for v in own[keep:] if v.version not in used]
            for version in gone:
                why = f"bewaard: de laatste {keep}"
                entry = _entry("remove", version.version, None, by=by, why=why, at=at)
                history.append(self.folder, entry)
                shutil.rmtree(version.folder)
        return [version.version for version in gone]

    def add(self, write: Callable[[Path], str]) -> str:
        """Take in a version that ``write`` makes in the folder it is given; give its name.

        It is made aside and moved in one step, so that nobody sees half a model.
        """
        with history.alone(self.folder):
            aside = self.folder / ".new"
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            try:
                made = aside / checked(write(aside))
                version, there = self._free_name(made)
                if not there:
                    made.replace(self.folder / version)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        return version

    def _free_name(self, made: Path) -> tuple[str, bool]:
        """Give the name for a version, and whether the very same is there already.

        The same weights may come with another calibration: that is another version.
        """
        for number in count(1):
            name = made.name if number == 1 else f"{made.name}-{number}"
            taken = [folder / name for folder in self._folders() if (folder / name).exists()]
            if not taken:
                return name, False
            if _checksums(taken[0]) == _checksums(made):
                return name, True
        raise AssertionError  # pragma: no cover - count never ends

    # -- inside ----------------------------------------------------------------------------------

    def _go(self, entry: Entry) -> None:
        # The line comes first: a promotion that nobody wrote down must not be.
        history.append(self.folder, entry)
        write_pointer(self.folder, "current", entry.version)

    def _folders(self) -> Sequence[Path]:
        return (self.folder,) if self.shipped is None else (self.folder, self.shipped)


_NOT_EVALUATED: Final = "niet geëvalueerd op de vaste toetsset (triage evaluate)"


def _entry(
    action: Step, version: str | None, before: str | None, *, by: str, why: str, at: datetime
) -> Entry:
    return Entry(action=action, version=version, before=before, by=by, why=why, at=at.isoformat())


def _checksums(folder: Path) -> bytes:
    try:
        return (folder / "checksums.json").read_bytes()
    except OSError:
        return b""


def _metrics(model: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(model.read_text(encoding="utf-8")).get("metrics", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return metrics if isinstance(metrics, dict) else {}
