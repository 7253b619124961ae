"""Directories that are either whole or not there: made beside their place, stamped, and moved there by one rename.

Shared by the Action's start and the zipapp. It refuses an archive that would write outside its directory, and takes a
directory without its stamp for one that was never finished. Standard library alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

STAMP: Final = ".ready"
"""The last file that is written into a directory; its date is when the directory was last used."""
UNUSED_SECONDS: Final = 14 * 24 * 3600.0
"""A ready directory that nobody started from for this long is removed when another one is made."""
MAX_BYTES: Final = 2_000_000_000
"""Bytes that an archive may unpack to; a whole bundle has 250 MB."""
THREADS: Final = 4
"""zlib and the file system both let other threads work meanwhile."""


class BadArchiveError(Exception):
    """An archive that is not one, or that would write outside its directory."""


def platform_tag() -> str:
    """What compiled packages must be built for: `cpython-312-x86_64-linux-gnu`.

    It names the interpreter, its version, the machine and the C library, so that no bundle is tried that cannot work.
    """
    tag = EXTENSION_SUFFIXES[0].split(".")[1]
    # macOS alone leaves the machine out of it.
    return f"{tag}-{os.uname().machine}" if tag.endswith("darwin") else tag


def is_ready(place: Path) -> bool:
    """Whether `place` was finished. Notes that it is used."""
    if not _has_stamp(place, place.name):
        return False
    try:
        os.utime(place / STAMP)
    except OSError:
        # A stamp that cannot be dated belongs to somebody else, whose directory is not ours to use.
        return False
    return True


def _has_stamp(place: Path, name: str) -> bool:
    try:
        return (place / STAMP).read_text("utf-8") == name
    except (OSError, UnicodeDecodeError):
        return False


def publish(place: Path, fill: Callable[[Path], None]) -> None:
    """Make `place` ready: `fill` writes into a directory beside it. Whatever `fill` raises leaves nothing behind.

    Of two starts at once both write and the first one's directory stays. Raises OSError where nothing can be written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        fill(making)
        (making / STAMP).write_text(place.name, "utf-8")
        _move(making, place)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    _sweep(place.parent)


def _move(made: Path, place: Path) -> None:
    try:
        made.rename(place)
    except OSError:
        if is_ready(place):
            return
        # It was never finished: out of the way with it.
        aside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        try:
            place.rename(aside / "half")
            if _has_stamp(aside / "half", place.name):
                # Another start had put a whole one there between the two lines above, and may be running from it.
                (aside / "half").rename(place)
                return
            made.rename(place)
        except OSError:
            if not is_ready(place):
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove what nobody used for long: self-hosted runners keep these directories."""
    oldest = time.time() - UNUSED_SECONDS
    for place in root.iterdir():
        dated = place / STAMP if (place / STAMP).exists() else place
        try:
            if place.is_dir() and dated.stat().st_mtime < oldest:
                shutil.rmtree(place, ignore_errors=True)
        except OSError:
            continue


def unpack(archive: Path, into: Path, folders: tuple[str, ...]) -> None:
    """Write what `archive` has under `folders` into `into`. Raises BadArchiveError before anything is written."""
    import zipfile  # noqa: PLC0415 - a start that finds everything ready must not wait for it
    import zlib  # noqa: PLC0415 - as above
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - as above

    try:
        with zipfile.ZipFile(archive) as packed:
            members = [one for one in packed.infolist() if _is_wanted(one.filename, folders)]
            if len({one.filename for one in members}) < len(members):
                raise BadArchiveError(f"{archive.name} holds one path twice")
            if sum(one.file_size for one in members) > MAX_BYTES:
                raise BadArchiveError(f"{archive.name} unpacks to more than {MAX_BYTES} bytes")
            for folder in {os.path.dirname(one.filename) for one in members}:  # noqa: PTH120 - 3,000 of them
                (into / folder).mkdir(parents=True, exist_ok=True)

            def write(member: zipfile.ZipInfo) -> None:
                target = into / member.filename
                with target.open("xb") as file:
                    file.write(packed.read(member))
                if member.external_attr >> 16 & 0o100:
                    target.chmod(0o755)

            with ThreadPoolExecutor(THREADS) as pool:
                for _ in pool.map(write, members):
                    pass
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        raise BadArchiveError(f"{archive.name} is no whole archive: {error}") from error


def _is_wanted(name: str, folders: tuple[str, ...]) -> bool:
    """Whether a member is written. Raises BadArchiveError for a name that leaves the directory, wanted or not."""
    parts = name.split("/")
    if "\\" in name or ":" in name or "\0" in name or not name or ".." in parts or "." in parts or parts[0] == "":
        raise BadArchiveError(f"the archive holds the path {name[:100]!r}")
    return parts[0] in folders and not name.endswith("/")
