"""The bundle of a release: used only when it is the very file that the checkout names, and never missed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

NAME = "spark-1.2.3.pyz"


def archive(files: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, text in files.items():
            packed.writestr(path, text)
    return file.getvalue()


GOOD = archive(
    {
        "__main__.py": "",
        "site/sparkdep.py": "VALUE = 'from the bundle'\n",
        "code/bot/__main__.py": "VALUE = 'from the bundle'\n",
        "site/filler": "\n".join(map(str, range(40_000))),
    }
)


def offer(runner: Any, release: Any, ready: ModuleType, content: bytes = GOOD, **known: object) -> None:
    """Put a bundle on the server and its name into the checkout; `known` replaces what is true."""
    release.files[NAME] = content
    entry = {"name": NAME, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    tag = known.pop("tag", ready.platform_tag())
    true: dict[str, object] = {
        "version": "1.2.3",
        "url": release.url,
        "lock": hashlib.sha256((runner.action / ready.LOCK).read_bytes()).hexdigest(),
        "code": ready.tree_hash(runner.action / "bot"),
        "files": {tag: {**entry, **{name: known.pop(name) for name in ("sha256", "bytes") if name in known}}},
    }
    (runner.action / ready.BUNDLES).write_text(json.dumps({**true, **known}))


def test_a_bundle_is_downloaded_once_and_brings_our_code_compiled(runner: Any, release: Any, ready: ModuleType) -> None:
    offer(runner, release, ready)
    code, site = ready.make_ready(runner.action, {**runner.env, "PATH": ""}, runner.told.append)
    assert (site / "sparkdep.py").read_text() == "VALUE = 'from the bundle'\n"
    assert (code / "bot" / "__main__.py").read_text() == "VALUE = 'from the bundle'\n"
    assert ready.make_ready(runner.action, {**runner.env, "PATH": ""}, runner.told.append) == (code, site)
    assert release.asked == [NAME]
    assert runner.kept == ["bundle"]


def test_a_checkout_with_other_code_runs_its_own_on_the_packages_of_the_bundle(
    runner: Any, release: Any, ready: ModuleType
) -> None:
    offer(runner, release, ready, code="0" * 64)
    code, site = ready.make_ready(runner.action, runner.env, runner.told.append)
    assert (site / "sparkdep.py").read_text() == "VALUE = 'from the bundle'\n"
    assert (code / "bot" / "__main__.py").read_text() == (runner.action / "bot" / "__main__.py").read_text()
    assert list((code / "bot" / "__pycache__").glob("__main__*.pyc"))


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"bytes": len(GOOD) - 1}, "more than"),
        ({"bytes": len(GOOD) + 1}, f"ended after {len(GOOD)} of"),
        ({"content": b"no archive at all"}, "no whole archive"),
        ({"content": GOOD[: len(GOOD) // 2]}, "no whole archive"),
        ({"content": archive({"../../../evil.py": "", "site/sparkdep.py": ""})}, "../../../evil.py"),
        ({"content": archive({"/tmp/evil.py": "", "site/sparkdep.py": ""})}, "/tmp/evil.py"),
        ({"url": "http://127.0.0.1:9"}, "refused"),
        ({"url": "no-scheme"}, "unknown url type"),
    ],
)
@pytest.mark.usefixtures("uncompiled")
def test_a_bundle_that_is_not_right_is_never_unpacked_and_the_lock_takes_its_place(
    runner: Any, release: Any, ready: ModuleType, known: dict[str, Any], why: str
) -> None:
    offer(runner, release, ready, **known)
    _, site = ready.make_ready(runner.action, runner.env, runner.told.append)
    assert (site / "sparkdep.py").read_text() == "VALUE = 'from the lock'\n"
    assert runner.kept == ["code", "lock"]
    about = [line for line in runner.told if "bundle" in line]
    assert len(about) == 1
    assert why in about[0]
    assert not list(runner.home.rglob("evil.py"))


@pytest.mark.usefixtures("uncompiled")
def test_a_download_that_ends_halfway_is_not_used(runner: Any, release: Any, ready: ModuleType) -> None:
    offer(runner, release, ready)
    release.files[NAME] = GOOD[: len(GOOD) // 2]
    release.promised[NAME] = len(GOOD)
    _, site = ready.make_ready(runner.action, runner.env, runner.told.append)
    assert (site / "sparkdep.py").read_text() == "VALUE = 'from the lock'\n"
    assert any(f"of {len(GOOD)} bytes" in line for line in runner.told)


@pytest.mark.usefixtures("uncompiled")
def test_a_file_that_is_not_there_is_told_by_its_status(runner: Any, release: Any, ready: ModuleType) -> None:
    offer(runner, release, ready)
    release.files.clear()
    ready.make_ready(runner.action, runner.env, runner.told.append)
    assert runner.kept == ["code", "lock"]
    assert any("404" in line and release.url in line for line in runner.told)


@pytest.mark.parametrize("known", [{"tag": "cpython-399-riscv"}, {"lock": "0" * 64}])
@pytest.mark.usefixtures("uncompiled")
def test_a_bundle_for_another_platform_or_other_packages_is_not_asked_for(
    runner: Any, release: Any, ready: ModuleType, known: dict[str, Any]
) -> None:
    offer(runner, release, ready, **known)
    ready.make_ready(runner.action, runner.env, runner.told.append)
    assert release.asked == []
    assert runner.kept == ["code", "lock"]


@pytest.mark.parametrize("text", ["", "[]", '{"files": {"TAG": 1}, "lock": "LOCK"}'])
@pytest.mark.usefixtures("uncompiled")
def test_a_list_of_bundles_that_cannot_be_read_is_told_and_the_lock_is_used(
    runner: Any, ready: ModuleType, text: str
) -> None:
    lock = hashlib.sha256((runner.action / ready.LOCK).read_bytes()).hexdigest()
    text = text.replace("TAG", ready.platform_tag()).replace("LOCK", lock)
    (runner.action / ready.BUNDLES).write_text(text)
    _, site = ready.make_ready(runner.action, runner.env, runner.told.append)
    assert (site / "sparkdep.py").exists()
    assert any(ready.BUNDLES in line for line in runner.told)


@pytest.mark.usefixtures("uncompiled")
def test_packages_that_are_ready_are_not_downloaded_again_as_a_bundle(
    runner: Any, release: Any, ready: ModuleType
) -> None:
    _, site = ready.make_ready(runner.action, runner.env, runner.told.append)
    offer(runner, release, ready)
    assert ready.make_ready(runner.action, runner.env, runner.told.append)[1] == site
    assert release.asked == []


def test_the_hash_of_the_code_knows_every_name_and_byte_and_no_bytecode(tmp_path: Path, ready: ModuleType) -> None:
    (tmp_path / "a.py").write_text("1")
    seen = {ready.tree_hash(tmp_path)}
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("1")
    assert ready.tree_hash(tmp_path) in seen
    for change in (
        lambda: (tmp_path / "a.py").write_text("2"),
        lambda: (tmp_path / "a.py").rename(tmp_path / "b.py"),
        lambda: (tmp_path / "sub").mkdir() or (tmp_path / "b.py").rename(tmp_path / "sub" / "b.py"),
        (tmp_path / "c.html").touch,
    ):
        change()
        assert ready.tree_hash(tmp_path) not in seen
        seen.add(ready.tree_hash(tmp_path))
