"""Finds or makes a directory with Spark's dependencies and one with its compiled code, and runs Spark from them.

In this order: what an earlier start on this machine left ready; the bundle of the release, named with its SHA-256 in
`action/bundles.json`; the packages of `requirements/action.txt`, held against the hashes in that file, by uv or pip. It
resolves nothing, builds nothing, and uses nothing of which it has not seen the hash. Standard library alone.

The directories lie in the runner's tool cache, which a self-hosted runner keeps. Whoever can write there can change what
later jobs run, of Spark and of every tool in it; that is why such runners are not for the pull requests of strangers.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import spark_unpack
from spark_install import CannotStartError, compile_all, install, one_line
from spark_unpack import BadArchiveError, is_ready, platform_tag, publish

OUTSIDE: Final = 3
"""The exit code where nothing could be made ready."""
LOCK: Final = "requirements/action.txt"
BUNDLES: Final = "action/bundles.json"
DOWNLOAD_SECONDS: Final = 60.0
"""For a whole bundle of 50 MB; longer than that the packages themselves come sooner."""
READ_SECONDS: Final = 10.0
CODE: Final = "code"
"""The folder of a ready directory that holds our package `bot`."""
SITE: Final = "site"
"""The folder with the dependencies."""
OBJECTS: Final = 200_000
"""That may come before the interpreter looks for some that can go; the imports make about as many. Its default is 700."""
_CHUNK: Final = 1 << 18

Tell = Callable[[str], None]


class _NoBundleError(Exception):
    """Why there is no bundle to be had, in a few words."""


@dataclass(frozen=True)
class Bundle:
    """A file of the release, for this platform and these dependencies."""

    url: str
    sha256: str
    size: int
    """Bytes."""
    has_code: bool
    """Its compiled code is that of this checkout, file by file."""

    @property
    def place(self) -> str:
        """The name of its directory."""
        return f"bundle-{self.sha256[:32]}"


def start(action: str, env: Mapping[str, str]) -> int:
    """Run `spark action` of the checkout in the folder `action`; returns its exit code, or 3 where it cannot start."""
    try:
        sys.path[:0] = [str(path) for path in make_ready(Path(action), env, _tell)]
    except CannotStartError as error:
        _give_up(str(error), env)
        return OUTSIDE
    # What is imported stays. Looking through it again and again for what can go takes a seventh of the imports' time.
    gc.set_threshold(OBJECTS)
    from bot.__main__ import main  # noqa: PLC0415 - it is only there now

    return main(["action"])


def make_ready(action: Path, env: Mapping[str, str], tell: Tell) -> tuple[Path, Path]:
    """The directory with our code and the one with the dependencies. Raises CannotStartError."""
    failure: OSError | None = None
    for root in _roots(env):
        try:
            return _ready_in(root, action, env, tell)
        except OSError as error:
            # A tool cache may be read-only, full, or another user's.
            failure = error
    raise CannotStartError(
        f"Spark's dependencies cannot be kept anywhere on this runner ({failure}). "
        "Free some space, or let the job write to RUNNER_TEMP."
    )


def _roots(env: Mapping[str, str]) -> list[Path]:
    """Where directories may be kept, best first."""
    roots = [Path(env[name]) / "spark" for name in ("RUNNER_TOOL_CACHE", "RUNNER_TEMP") if env.get(name)]
    if roots:
        return roots
    raise CannotStartError("RUNNER_TEMP is not set. Run this inside GitHub Actions, or use the spark command itself.")


def _ready_in(root: Path, action: Path, env: Mapping[str, str], tell: Tell) -> tuple[Path, Path]:
    lock = hashlib.sha256((action / LOCK).read_bytes()).hexdigest()
    code_hash = tree_hash(action / "bot")
    bundle = _bundle(action, lock, code_hash, tell)
    tag = platform_tag()
    coded = root / f"code-{_short(code_hash, tag)}"
    locked = root / f"lock-{_short(lock, tag)}"
    bundled = None if bundle is None else root / bundle.place
    if bundle is not None and bundled is not None and not is_ready(bundled) and not is_ready(locked):
        _try_bundle(bundle, bundled, tell)
    if bundle is not None and bundled is not None and is_ready(bundled):
        if not bundle.has_code:
            _make_code(coded, action)
        return (bundled if bundle.has_code else coded) / CODE, bundled / SITE
    if is_ready(locked):
        _make_code(coded, action)
    else:
        _install_beside(locked, coded, action, env, tell)
    return coded / CODE, locked / SITE


def _install_beside(locked: Path, coded: Path, action: Path, env: Mapping[str, str], tell: Tell) -> None:
    """Install the packages, and compile our own code meanwhile: most of an install is waiting for the network."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - a start that finds all ready does without it

    def fill(into: Path) -> None:
        tell(install(action / LOCK, into / SITE, env))
        compile_all(into)

    with ThreadPoolExecutor(1) as beside:
        compiled = beside.submit(_make_code, coded, action)
        publish(locked, fill)
        compiled.result()


def _make_code(place: Path, action: Path) -> None:
    """Our own code with its bytecode: compiling it again in each job costs what a review does."""
    if is_ready(place):
        return

    def fill(into: Path) -> None:
        import shutil  # noqa: PLC0415 - as above

        shutil.copytree(action / "bot", into / CODE / "bot", ignore=shutil.ignore_patterns("__pycache__"))
        compile_all(into)

    publish(place, fill)


def tree_hash(folder: Path) -> str:
    """The SHA-256 over names and contents of all files of a package but its bytecode."""
    whole = hashlib.sha256()
    # No Path for each: that takes as long as to read and to hash them.
    within = len(str(folder)) + 1
    for name in sorted(_files(str(folder))):
        with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            content = file.read()
        whole.update(f"{name[within:].replace(os.sep, '/')}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()


def _files(folder: str) -> list[str]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found += [] if entry.name == "__pycache__" else _files(entry.path)
            else:
                found.append(entry.path)
    return found


def _short(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


# -- the bundle of the release ---------------------------------------------------------------------------------------


def _bundle(action: Path, lock: str, code: str, tell: Tell) -> Bundle | None:
    """The bundle that fits this checkout and this platform; None where there is none."""
    try:
        known = json.loads((action / BUNDLES).read_bytes())
        entry = known["files"].get(platform_tag())
        if entry is None or known["lock"] != lock:
            return None
        name, sha256, size = str(entry["name"]), str(entry["sha256"]), int(entry["bytes"])
        return Bundle(url=f"{known['url']}/{name}", sha256=sha256, size=size, has_code=known["code"] == code)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        tell(f"{BUNDLES} cannot be read ({type(error).__name__}: {error}), so the packages are installed.")
        return None


def _try_bundle(bundle: Bundle, place: Path, tell: Tell) -> None:
    """Download, check and unpack it. Where that fails a line says why, and nothing was made."""
    import tempfile  # noqa: PLC0415 - as in _install_beside

    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=place.parent) as folder:
        archive = Path(folder) / "bundle.pyz"
        try:
            _download(bundle, archive)
            publish(place, lambda into: spark_unpack.unpack(archive, into, (CODE, SITE)))
            tell(f"Unpacked the bundle {bundle.url}.")
        except (_NoBundleError, BadArchiveError) as error:
            tell(f"The bundle {bundle.url} is not used: {error}. The packages are installed instead.")


def _download(bundle: Bundle, target: Path) -> None:
    """Raises _NoBundleError unless `target` holds the very bytes that the release names."""
    import http.client  # noqa: PLC0415 - as above
    import time  # noqa: PLC0415 - as above
    import urllib.request  # noqa: PLC0415 - as above

    until = time.monotonic() + DOWNLOAD_SECONDS
    seen, got = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(bundle.url, timeout=READ_SECONDS) as answer, target.open("wb") as file:
            while chunk := answer.read(_CHUNK):
                got += len(chunk)
                if got > bundle.size:
                    raise _NoBundleError(f"it has more than {bundle.size} bytes")
                if time.monotonic() > until:
                    raise _NoBundleError(f"after {DOWNLOAD_SECONDS:.0f} s {got} of {bundle.size} bytes were there")
                seen.update(chunk)
                file.write(chunk)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _NoBundleError(one_line(str(error) or type(error).__name__)) from error
    if got != bundle.size:
        raise _NoBundleError(f"it ended after {got} of {bundle.size} bytes")
    if seen.hexdigest() != bundle.sha256:
        raise _NoBundleError("its SHA-256 is not the one of the release")


# -- what is said ----------------------------------------------------------------------------------------------------


def _tell(text: str) -> None:
    print(f"spark: {text}", flush=True)


def _give_up(text: str, env: Mapping[str, str]) -> None:
    text = one_line(text, 2_000)
    print("::error title=Spark cannot start::" + text.replace("%", "%25"), flush=True)
    if path := env.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"verdict=neutral\nreason={text}\n")
