"""The zipapp: built from the lock, the same bytes each time, and run by a Python that has nothing installed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
STOCK = Path(sys.base_prefix) / "bin" / "python3"
# What `spark config` needs, which is enough for compiled packages to be among it.
REAL = ("pydantic", "pydantic-core", "typing-extensions", "typing-inspection", "annotated-types", "pyyaml", "pathspec")


def run(archive: Path, *arguments: str, cache: Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.defpath, "HOME": str(cache), "XDG_CACHE_HOME": str(cache)}
    command = [str(STOCK), str(archive), *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def small(
    runner: Any,
    make_wheel: Callable[[Path, str, Mapping[str, str]], Path],
    wheels: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A checkout with a small `bot`, a lock of one package, and grammars that are empty files."""
    bindings = {f"tree_sitter_language_pack/bindings/{name}.abi3.so": "" for name in ("python", "cobol")}
    own = runner.home / "own-wheels"
    own.mkdir()
    grammars = make_wheel(own, "grammars", bindings)
    program = {"bin/ruff": "#!/bin/sh\n", "bin/other": "#!/usr/bin/python3\n"}
    programs = make_wheel(own, "programs", program)
    lock = runner.action / "requirements" / "zipapp.txt"
    with lock.open("w") as file:
        file.write((runner.action / "requirements" / "action.txt").read_text())
        for name, wheel in (("grammars", grammars), ("programs", programs)):
            file.write(f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    (runner.action / "bot" / "diff").mkdir()
    languages = 'SUFFIXES = {".py": "python"}\nNAMES = {"x": "yaml"}\n'
    (runner.action / "bot" / "diff" / "languages.py").write_text(languages)
    for name, value in {**runner.env, "UV_FIND_LINKS": f"{wheels},{own}"}.items():
        monkeypatch.setenv(name, value)
    return Path(runner.action)


def test_the_same_checkout_gives_the_same_bytes(small: Path, building: ModuleType, tmp_path: Path) -> None:
    lock = small / "requirements" / "zipapp.txt"
    first = building.build(small, lock, tmp_path / "one")
    os.utime(small / "bot" / "__main__.py", (1, 1))
    second = building.build(small, lock, tmp_path / "two")
    assert first.name == second.name == f"spark-1.2.3-{building.platform_tag()}.pyz"
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as packed:
        names = set(packed.namelist())
        assert packed.testzip() is None
        assert str(tmp_path).encode() not in b"".join(packed.read(name) for name in names)
        modes = {one.filename: one.external_attr >> 16 & 0o777 for one in packed.infolist()}
    assert "site/tree_sitter_language_pack/bindings/python.abi3.so" in names
    assert "site/tree_sitter_language_pack/bindings/cobol.abi3.so" not in names
    assert "site/sparkdep-1.0.dist-info/METADATA" in names
    assert not [name for name in names if name.endswith(("/RECORD", "/INSTALLER", "bin/other"))]
    assert any(re.fullmatch(r"code/bot/__pycache__/__main__\..*\.pyc", name) for name in names)
    assert modes["site/bin/ruff"] == 0o755
    assert modes["site/sparkdep.py"] == 0o644


def test_a_released_zipapp_is_what_the_action_starts_from(
    small: Path, building: ModuleType, runner: Any, release: Any, started: Callable[..., dict[str, Any]]
) -> None:
    built = building.build(small, small / "requirements" / "zipapp.txt", runner.home / "dist")
    release.files[built.name] = built.read_bytes()
    known = building.bundles(f"{release.url}/", [built.with_suffix(".json")])
    (small / "action" / "bundles.json").write_text(json.dumps(known))
    done = runner.start(PATH="")
    told = started(done)
    assert (done.returncode, done.stderr) == (7, "")
    assert Path(told["dependency"]).is_relative_to(runner.cache)
    assert Path(told["bot"]).is_relative_to(runner.cache)
    assert told["is_compiled"]
    assert runner.kept == ["bundle"]
    # A checkout that was edited is what runs, on the same packages.
    with (small / "bot" / "__main__.py").open("a") as file:
        file.write("# edited\n")
    edited = started(runner.start(PATH=""))
    assert edited["dependency"] == told["dependency"]
    assert edited["bot"] != told["bot"]
    assert release.asked == [built.name]


def test_a_grammar_that_no_package_has_stops_the_build(small: Path, building: ModuleType, tmp_path: Path) -> None:
    (small / "bot" / "diff" / "languages.py").write_text('SUFFIXES = {".x": "klingon"}\nNAMES = {}\n')
    with pytest.raises(building.BuildError, match="klingon"):
        building.build(small, small / "requirements" / "zipapp.txt", tmp_path / "dist")
    assert not list((tmp_path / "dist").iterdir())


def test_a_lock_that_lacks_a_package_of_the_action_stops_the_build(
    small: Path, building: ModuleType, tmp_path: Path
) -> None:
    lock = small / "requirements" / "zipapp.txt"
    lock.write_text(lock.read_text().replace("sparkdep==1.0", "sparkdep==1.1"))
    with pytest.raises(building.BuildError, match=r"sparkdep==1\.0"):
        building.build(small, lock, tmp_path / "dist")


def test_the_locks_of_the_zipapp_and_the_action_pin_the_same_versions(building: ModuleType) -> None:
    assert building._pins(ROOT / building.LOCK)
    assert building._pins(ROOT / building.LOCK) <= building._pins(ROOT / building.ZIPAPP_LOCK)


def test_files_of_two_commits_or_twice_of_one_platform_are_no_release(building: ModuleType, tmp_path: Path) -> None:
    one = {"tag": "a", "name": "a.pyz", "sha256": "0", "bytes": 1, "version": "1", "lock": "2", "code": "3"}
    for name, entry in {"one": one, "two": {**one, "tag": "b"}, "code": {**one, "tag": "b", "code": "4"}}.items():
        (tmp_path / name).write_text(json.dumps(entry))
    told = building.bundles("https://x.test/v1/", [tmp_path / "one", tmp_path / "two"])
    assert told["url"] == "https://x.test/v1"
    assert set(told["files"]) == {"a", "b"}
    with pytest.raises(building.BuildError, match="code"):
        building.bundles("https://x.test", [tmp_path / "one", tmp_path / "code"])
    with pytest.raises(building.BuildError, match="same platform"):
        building.bundles("https://x.test", [tmp_path / "one", tmp_path / "one"])


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory, building: ModuleType) -> Path:
    """Our real code with the real packages that one verb needs, compiled ones among them."""
    root = tmp_path_factory.mktemp("real")
    locked = (ROOT / "requirements" / "zipapp.txt").read_text("utf-8")
    entries = re.findall(r"^(\S+)==(?:.*\\\n)*.*\n", locked, re.MULTILINE)
    assert set(REAL) <= set(entries)
    (root / "requirements").mkdir()
    lock = root / "requirements" / "action.txt"
    lock.write_text(
        "".join(match[0] for match in re.finditer(r"^(\S+)==(?:.*\\\n)*.*\n", locked, re.MULTILINE) if match[1] in REAL)
    )
    shutil.copytree(ROOT / "action", root / "action", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "bot", root / "bot", ignore=shutil.ignore_patterns("__pycache__", "sandbox", "server", "html")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        try:
            patch.setenv("UV_OFFLINE", "1")
            built: Path = building.build(root, lock, root / "dist", level=1)
        except building.BuildError as cached:
            patch.delenv("UV_OFFLINE")
            try:
                built = building.build(root, lock, root / "dist", level=1)
            except building.BuildError as error:
                pytest.skip(f"the packages cannot be had: {cached}; {error}")
    return built


def test_a_python_with_nothing_installed_runs_it_and_unpacks_it_once(zipapp: Path, tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "spark.yml").write_text("review:\n  effort: hasty\n")
    cache = tmp_path / "cache"
    for hostile in ("bot.py", "yaml.py"):
        (tmp_path / hostile).write_text("raise SystemExit('the current directory was imported')")
    done = run(zipapp, "config", "check", ".github/spark.yml", cache=cache, cwd=tmp_path)
    assert done.returncode == 2
    assert "hasty" in done.stdout + done.stderr
    [place] = (cache / "spark-review").iterdir()
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.name != ".ready"}
    assert run(zipapp, "--version", cache=cache).stdout.startswith("spark ")
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.name != ".ready"} == before
    assert list((cache / "spark-review").iterdir()) == [place]


def test_the_largest_packages_come_as_bytecode_alone_and_ours_with_its_source(zipapp: Path) -> None:
    with zipfile.ZipFile(zipapp) as packed:
        names = set(packed.namelist())
    assert {"site/pydantic/main.pyc", "site/pydantic/py.typed", "site/yaml/loader.py", "code/bot/__main__.py"} <= names
    assert not [name for name in names if name.startswith("site/pydantic/") and name.endswith(".py")]


def test_a_cache_that_others_can_write_to_is_not_used(zipapp: Path, tmp_path: Path) -> None:
    (tmp_path / "spark-review").mkdir()
    (tmp_path / "spark-review").chmod(0o777)
    done = run(zipapp, "--version", cache=tmp_path)
    assert done.returncode == 3
    assert "others can write" in done.stderr
    assert "XDG_CACHE_HOME" in done.stderr
    assert list((tmp_path / "spark-review").iterdir()) == []


def test_a_zipapp_for_another_machine_or_with_a_missing_end_says_so(zipapp: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(zipapp) as packed, zipfile.ZipFile(tmp_path / "other.pyz", "w") as other:
        for name in ("__main__.py", "spark_unpack.py"):
            other.writestr(name, packed.read(name))
        other.writestr("spark.json", json.dumps({"tag": "cpython-311-riscv64-linux-gnu", "content": "0" * 64}))
    done = run(tmp_path / "other.pyz", "--version", cache=tmp_path)
    assert done.returncode == 2
    assert "riscv64" in done.stderr
    assert "spark-review" in done.stderr
    with zipfile.ZipFile(zipapp) as packed, zipfile.ZipFile(tmp_path / "hollow.pyz", "w") as hollow:
        hollow.writestr("__main__.py", packed.read("__main__.py"))
        hollow.writestr("spark_unpack.py", packed.read("spark_unpack.py"))
    done = run(tmp_path / "hollow.pyz", "--version", cache=tmp_path)
    assert done.returncode == 3
    assert "Download it again" in done.stderr
    assert "Traceback" not in done.stderr
