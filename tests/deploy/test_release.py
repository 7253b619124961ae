from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bot import __version__

CHANGELOG = """\
# Changelog

## [Unreleased]

### Added

- Not yet.

## [1.2.0] - 2026-11-30

### Added

- A thing.

## [1.1.0] - 2026-10-01

- Older.

[Unreleased]: https://github.com/OWNER/spark/compare/v1.2.0...main
"""


@pytest.fixture(scope="module")
def release(root: Path) -> ModuleType:
    """The module `action/release.py`."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("spark_release", root / "action" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("version", "own", "tags", "wrong"),
    [
        ("1.2.0", "1.2.0", ["v1.1.0", "v1"], []),
        ("1.2.0", "1.1.0", [], [r"has the version 1\.1\.0\. Set it to 1\.2\.0"]),
        ("1.3.0", "1.3.0", [], [r"tells nothing of 1\.3\.0"]),
        ("1.2.0", "1.2.0", ["v1.2.0"], [r"the tag v1\.2\.0 is there"]),
        ("v1.2.0", "1.2.0", [], ["is no version"]),
        ("1.2", "1.2", [], ["is no version"]),
        ("1.02.0", "1.02.0", [], ["is no version"]),
        ("1.2.0; rm -rf /", "1.2.0", [], ["is no version"]),
        ("1.2.0\n", "1.2.0", [], ["is no version"]),
    ],
)
def test_a_version_goes_out_when_everything_is_ready(
    release: ModuleType, version: str, own: str, tags: list[str], wrong: list[str]
) -> None:
    found = release.problems(version, own=own, changelog=CHANGELOG, tags=tags)
    assert len(found) == len(wrong)
    assert all(re.search(text, problem) for text, problem in zip(wrong, found, strict=True))


def test_the_notes_are_what_the_changelog_says_of_the_version(release: ModuleType) -> None:
    assert release.notes("1.2.0", CHANGELOG) == "### Added\n\n- A thing."
    assert release.notes("1.1.0", CHANGELOG) == "- Older."
    assert release.notes("1.20", CHANGELOG) == release.notes("9.9.9", CHANGELOG) == ""


@pytest.mark.parametrize(
    ("version", "tags", "moved"),
    [
        ("1.0.0", "v1.0.0", "v1.0 v1"),
        ("1.2.0", "v1 v1.1 v1.1.0 v1.2.0 v2.0.0 v2", "v1.2 v1"),
        # A fix of an older line takes nobody back.
        ("1.1.1", "v1.1.0 v1.1.1 v1.2.0", "v1.1"),
        ("1.1.1", "v1.1.1 v1.1.2", ""),
        ("1.10.0", "v1.9.0 v1.10.0", "v1.10 v1"),
        ("0.1.0", "v0.1.0 nonsense v1.x", "v0.1 v0"),
    ],
)
def test_a_plain_tag_moves_to_the_newest_of_its_line_alone(
    release: ModuleType, version: str, tags: str, moved: str
) -> None:
    assert release.moving(version, tags.split()) == moved.split()


def test_the_script_reads_this_checkout_and_says_what_is_missing(root: Path) -> None:
    command = [sys.executable, "-I", "action/release.py", "check", "99.0.0"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"bot/__init__.py has the version {__version__}. Set it to 99.0.0 on main first." in done.stderr
    assert "CHANGELOG.md tells nothing of 99.0.0." in done.stderr
