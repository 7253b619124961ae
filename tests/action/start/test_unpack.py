"""A ready directory is whole or not there, whoever else writes at the same time."""

from __future__ import annotations

import os
import threading
import time
import zipfile
from pathlib import Path
from types import ModuleType

import pytest


@pytest.mark.parametrize(
    "name", ["../x", "site/../../x", "/x", "site//../x", "C:/x", "site/C:x", "site\\..\\x", "site/./x", ".", ".."]
)
def test_a_path_that_leaves_its_directory_is_refused_before_anything_is_written(
    tmp_path: Path, unpacking: ModuleType, name: str
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("site/good", "x")
        packed.writestr(zipfile.ZipInfo(name), "x")
    into = tmp_path / "deep" / "into"
    into.mkdir(parents=True)
    with pytest.raises(unpacking.BadArchiveError, match="holds the path"):
        unpacking.unpack(tmp_path / "a.zip", into, ("site",))
    assert list(into.rglob("*")) == []


def test_a_link_in_an_archive_becomes_a_file_that_leads_nowhere(tmp_path: Path, unpacking: ModuleType) -> None:
    link = zipfile.ZipInfo("site/link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(link, "/etc")
    into = tmp_path / "into"
    into.mkdir()
    unpacking.unpack(tmp_path / "a.zip", into, ("site",))
    assert not (into / "site" / "link").is_symlink()
    assert (into / "site" / "link").read_text() == "/etc"


def test_programs_stay_programs_and_what_was_not_asked_for_stays_inside(tmp_path: Path, unpacking: ModuleType) -> None:
    program = zipfile.ZipInfo("site/bin/ruff")
    program.create_system, program.external_attr = 3, 0o100755 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(program, "x")
        packed.writestr("site/plain", "x")
        packed.writestr("other/file", "x")
        packed.writestr("__main__.py", "x")
    into = tmp_path / "into"
    into.mkdir()
    unpacking.unpack(tmp_path / "a.zip", into, ("site",))
    assert os.access(into / "site" / "bin" / "ruff", os.X_OK)
    assert not os.access(into / "site" / "plain", os.X_OK)
    assert [path.name for path in into.iterdir()] == ["site"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_one_path_twice_or_too_much_in_it_is_refused(
    tmp_path: Path, unpacking: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as packed:
        packed.writestr("site/a", "x")
        packed.writestr("site/a", "y")
    with pytest.raises(unpacking.BadArchiveError, match="twice"):
        unpacking.unpack(tmp_path / "twice.zip", tmp_path / "into", ("site",))
    with zipfile.ZipFile(tmp_path / "big.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("site/a", "x" * 10_001)
    monkeypatch.setattr(unpacking, "MAX_BYTES", 10_000)
    with pytest.raises(unpacking.BadArchiveError, match="more than 10000 bytes"):
        unpacking.unpack(tmp_path / "big.zip", tmp_path / "into", ("site",))
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize("at", [0.3, 0.6, 0.95])
def test_an_archive_with_a_broken_byte_or_a_missing_end_is_refused(
    tmp_path: Path, unpacking: ModuleType, at: float
) -> None:
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("site/a", os.urandom(5_000))
    content = bytearray(whole.read_bytes())
    (tmp_path / "cut.zip").write_bytes(content[: int(len(content) * at)])
    content[int(4_000 * at)] ^= 1
    (tmp_path / "bent.zip").write_bytes(content)
    for name in ("cut.zip", "bent.zip"):
        into = tmp_path / f"into-{name}"
        into.mkdir()
        with pytest.raises(unpacking.BadArchiveError):
            unpacking.unpack(tmp_path / name, into, ("site",))


def test_of_many_that_make_one_directory_at_once_all_get_a_whole_one(tmp_path: Path, unpacking: ModuleType) -> None:
    place, failures = tmp_path / "root" / "place", []
    meet = threading.Barrier(4)

    def fill(into: Path) -> None:
        meet.wait(10)
        for name in range(20):
            (into / str(name)).write_text("whole")

    def make() -> None:
        try:
            unpacking.publish(place, fill)
        except OSError as error:
            failures.append(error)

    # A half-made one is in the way of all of them.
    (place / "rubbish").mkdir(parents=True)
    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert unpacking.is_ready(place)
    assert sorted(int(path.name) for path in place.iterdir() if path.name != ".ready") == list(range(20))
    assert [path.name for path in place.parent.iterdir()] == ["place"]


def test_what_stops_the_making_leaves_nothing_behind(tmp_path: Path, unpacking: ModuleType) -> None:
    def fill(into: Path) -> None:
        (into / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpacking.publish(tmp_path / "root" / "place", fill)
    assert list((tmp_path / "root").iterdir()) == []


def test_what_nobody_started_from_for_long_is_removed_and_what_is_used_stays(
    tmp_path: Path, unpacking: ModuleType
) -> None:
    for name in ("old", "used", "fresh"):
        unpacking.publish(tmp_path / name, lambda into: None)
    (tmp_path / ".left-behind").mkdir()
    long_ago = time.time() - unpacking.UNUSED_SECONDS - 60
    for path in (tmp_path / "old" / ".ready", tmp_path / "used" / ".ready", tmp_path / ".left-behind"):
        os.utime(path, (long_ago, long_ago))
    assert unpacking.is_ready(tmp_path / "used")
    unpacking.publish(tmp_path / "new", lambda into: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "new", "used"]
