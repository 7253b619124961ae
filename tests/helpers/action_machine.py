"""A machine for the Action without the network: a copy of the action, a bare interpreter, and the packages of its lock.

The packages are links into this environment's own, only those of the lock: a run that needs another one fails. So they are ready
at once, where to install and to compile them takes seconds.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PARTS = ("action", "bot", "requirements")


def copy_action(into: Path) -> Path:
    """The repository as a runner downloads it, without what the Action does not use."""
    into.mkdir(parents=True)
    shutil.copy2(ROOT / "action.yml", into)
    for part in PARTS:
        shutil.copytree(ROOT / part, into / part, ignore=shutil.ignore_patterns("__pycache__"))
    return into


def bare_python(folder: Path) -> Path:
    """The folder of a `python3` like this one that has no packages."""
    venv.create(folder, symlinks=True, with_pip=False)
    return folder / "bin"


def warm_cache(cache: Path, action: Path) -> Path:
    """A tool cache that an earlier job left, made by the Action's own start with links for the installer's work."""
    ready = _start_module()

    def link(lock: Path, site: Path, _env: Mapping[str, str]) -> str:
        site.mkdir()
        link_packages(lock, site)
        return "Linked."

    def compiled(folder: Path) -> None:
        # The bytecode of this checkout: the copies have its dates.
        for kept in (ROOT / "bot").rglob("__pycache__"):
            place = folder / ready.CODE / kept.relative_to(ROOT)
            if place.parent.is_dir():
                shutil.copytree(kept, place, ignore=shutil.ignore_patterns("*.pytest-*"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ready, "install", link)
        patch.setattr(ready, "compile_all", compiled)
        ready.make_ready(action, {"RUNNER_TOOL_CACHE": str(cache)}, lambda _text: None)
    return cache


def link_packages(lock: Path, site: Path) -> None:
    """Link the packages of a lock into `site`; their versions are those of the lock."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith((" ", "#")):
            continue
        wanted = Requirement(line.rstrip("\\ "))
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        found = importlib.metadata.distribution(wanted.name)
        assert found.version in wanted.specifier, f"{wanted}, and {found.version} is installed: run make again"
        for file in found.files or ():
            top = file.parts[0]
            if top == "..":
                _link(Path(str(found.locate_file(file))), site / "bin" / file.name)
            elif top != "__pycache__":
                _link(Path(str(found.locate_file(top))), site / top)


def _link(target: Path, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(os.path.normpath(target))


def _start_module() -> ModuleType:
    sys.path.insert(0, str(ROOT / "action"))
    try:
        return importlib.import_module("spark_ready")
    finally:
        sys.path.remove(str(ROOT / "action"))
