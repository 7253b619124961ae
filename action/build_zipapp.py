"""Builds the zipapp of a release for the Python and the machine it runs on, and writes `action/bundles.json`.

    python3 action/build_zipapp.py dist/
    python3 action/build_zipapp.py --bundles https://github.com/OWNER/spark/releases/download/v1.2.3 dist/*.json

The first line writes `dist/spark-<version>-<platform>.pyz` and beside it a `.json` that tells what it is. The second,
after the files of all platforms were gathered, writes what the Action reads. The same checkout gives the same bytes with
the same Python. It needs uv on PATH, takes no package without its hash, and builds none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from spark_ready import BUNDLES, CODE, LOCK, SITE, tree_hash
from spark_unpack import platform_tag

ROOT: Final = Path(__file__).resolve().parents[1]
ZIPAPP_LOCK: Final = "requirements/zipapp.txt"
"""The packages of `requirements/action.txt` and those that draw in a terminal."""
OLDEST_C_LIBRARY: Final = "manylinux_2_28"
"""A wheel for a newer one would load on the runner that built it, and not in an older container."""
_TIME: Final = (1980, 1, 1, 0, 0, 0)
_BINDINGS: Final = "tree_sitter_language_pack/bindings"
_OWN_PACKAGE: Final = frozenset({"yaml", "csharp", "embeddedtemplate"})
"""Grammars that the language pack takes from packages of their own."""
_BYTECODE_ALONE: Final = ("openai", "pydantic", "pygments", "rich")
"""Packages with two thirds of all modules, whose licences ask for no source beside it. Writing files is most of a cold start."""
_UNSTABLE: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", ".lock"})
"""What an installer writes about itself."""


class BuildError(Exception):
    """Why there is no zipapp."""


def build(root: Path, lock: Path, into: Path, *, level: int = 6) -> Path:
    """Build the zipapp of the checkout `root` with the packages of `lock`; returns where it is.

    level: how hard zlib tries, 0 to 9. Raises BuildError.
    """
    version = _version(root)
    tag = platform_tag()
    missing = _pins(root / LOCK) - _pins(lock)
    if missing:
        raise BuildError(f"{lock} lacks {', '.join(sorted(missing))} of {LOCK}. Run make lock.")
    target = into / f"spark-{version}-{tag}.pyz"
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="spark-zipapp-") as folder:
        work = Path(folder)
        _install(lock, work / SITE)
        _trim(work / SITE, _grammars(root))
        shutil.copytree(root / "bot", work / CODE / "bot", ignore=shutil.ignore_patterns("__pycache__"))
        _compile(work)
        names = sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file())
        content = _content(work, names)
        about = {"content": content, "tag": tag, "version": version}
        own = {
            "__main__.py": (root / "action/boot.py").read_bytes(),
            "spark_unpack.py": (root / "action/spark_unpack.py").read_bytes(),
            "spark.json": json.dumps(about, sort_keys=True).encode(),
        }
        _write(target, work, names, own, level)
    entry = {
        "tag": tag,
        "name": target.name,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "bytes": target.stat().st_size,
        "version": version,
        "lock": hashlib.sha256((root / LOCK).read_bytes()).hexdigest(),
        "code": tree_hash(root / "bot"),
    }
    target.with_suffix(".json").write_text(json.dumps(entry, indent=2, sort_keys=True) + "\n", "utf-8")
    return target


def bundles(url: str, entries: Iterable[Path]) -> Mapping[str, object]:
    """What `action/bundles.json` holds for these files at `url`. BuildError unless all are of one checkout."""
    read = [json.loads(path.read_bytes()) for path in sorted(entries)]
    for name in ("version", "lock", "code"):
        if len({entry[name] for entry in read}) != 1:
            raise BuildError(f"the files differ in {name}: build all of them from one commit")
    files = {entry["tag"]: {name: entry[name] for name in ("name", "sha256", "bytes")} for entry in read}
    if len(files) < len(read):
        raise BuildError("two files are for the same platform")
    return {**{name: read[0][name] for name in ("version", "lock", "code")}, "url": url.rstrip("/"), "files": files}


def _version(root: Path) -> str:
    found = re.search(r'^__version__ = "([^"]+)"', (root / "bot/__init__.py").read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError("bot/__init__.py names no version")
    return found[1]


def _pins(lock: Path) -> set[str]:
    """Names with versions, without markers."""
    return set(re.findall(r"^[A-Za-z0-9._-]+==[^\s;\\]+", lock.read_text("utf-8"), re.MULTILINE))


def _grammars(root: Path) -> set[str]:
    """The grammars that our own table names."""
    known = runpy.run_path(str(root / "bot/diff/languages.py"))
    return {*known["SUFFIXES"].values(), *known["NAMES"].values()}


def _install(lock: Path, site: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        raise BuildError("uv is not on PATH. Install it: python3 -m pip install uv.")
    command = [uv, "pip", "install", "--quiet", "--no-config", "--link-mode", "copy", "--python", sys.executable]
    command += ["--target", str(site), "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)]
    if sys.platform == "linux":
        command += ["--python-platform", f"{os.uname().machine}-{OLDEST_C_LIBRARY}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"uv could not install {lock}: {done.stderr.strip()}")


def _trim(site: Path, grammars: set[str]) -> None:
    """Leave out what is never used, and what names the machine that built it."""
    for script in (site / "bin").glob("*"):
        # The others start with the path of an interpreter.
        if script.stem != "ruff":
            script.unlink()
    for path in [path for path in site.rglob("*") if path.name in _UNSTABLE and path.is_file()]:
        path.unlink()
    if not (site / _BINDINGS).is_dir():
        return
    there = {
        path.name.partition(".")[0]: path for path in (site / _BINDINGS).iterdir() if path.suffix in {".so", ".pyd"}
    }
    if unknown := grammars - set(there) - _OWN_PACKAGE:
        raise BuildError(f"no grammar is there for {', '.join(sorted(unknown))} of bot/diff/languages.py")
    for name in set(there) - grammars:
        there[name].unlink()


def _compile(work: Path) -> None:
    """Bytecode that is never held against its source again: nobody edits an unpacked release."""
    for path in work.rglob("__pycache__"):
        shutil.rmtree(path)
    command = [sys.executable, "-s", "-m", "compileall", "-qq", "-j0", "--invalidation-mode", "unchecked-hash"]
    # The order of a set's members in bytecode follows the seed.
    env = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": "", "PYTHONSAFEPATH": "1"}
    alone = [f"./{SITE}/{name}" for name in _BYTECODE_ALONE if (work / SITE / name).is_dir()]
    # Status 1 says that some file did not compile: packages bring templates along.
    if alone:
        subprocess.run([*command, "-b", "-s", ".", *alone], cwd=work, env=env, stdin=subprocess.DEVNULL, check=False)
    for source in [source for folder in alone for source in (work / folder).rglob("*.py")]:
        if source.with_suffix(".pyc").exists():
            source.unlink()
    subprocess.run([*command, "-s", ".", "."], cwd=work, env=env, stdin=subprocess.DEVNULL, check=False)
    if not any((work / CODE / "bot" / "__pycache__").glob("*.pyc")):
        raise BuildError("nothing was compiled")


def _content(work: Path, names: Iterable[str]) -> str:
    whole = hashlib.sha256()
    for name in names:
        whole.update(f"{name}\0{hashlib.sha256((work / name).read_bytes()).hexdigest()}\0".encode())
    return whole.hexdigest()


def _write(target: Path, work: Path, names: Iterable[str], own: Mapping[str, bytes], level: int) -> None:
    with target.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as packed:
            for name, content in sorted(own.items()):
                packed.writestr(_member(name, 0o644), content, compresslevel=level)
            for name in names:
                mode = 0o755 if name.startswith(f"{SITE}/bin/") else 0o644
                packed.writestr(_member(name, mode), (work / name).read_bytes(), compresslevel=level)
    target.chmod(0o755)


def _member(name: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _TIME)
    member.compress_type = zipfile.ZIP_DEFLATED
    # Otherwise it names the system that built it.
    member.create_system = 3
    member.external_attr = (0o100000 | mode) << 16
    return member


def main() -> int:
    """Build a zipapp, or write `action/bundles.json`; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bundles", metavar="URL", help="write action/bundles.json for files that lie at this URL")
    parser.add_argument("paths", nargs="+", type=Path, help="where to write; with --bundles, the .json of each file")
    options = parser.parse_args()
    try:
        if options.bundles is not None:
            told = json.dumps(bundles(options.bundles, options.paths), indent=2, sort_keys=True)
            (ROOT / BUNDLES).write_text(told + "\n", "utf-8")
        else:
            print(build(ROOT, ROOT / ZIPAPP_LOCK, options.paths[0]))
    except BuildError as error:
        print(f"build_zipapp: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
