"""git's own objects and branches written as files, where that is plain: a process for each would take most of a test's time.

The forms are those of gitformat-loose, gitrepository-layout and git-commit-tree. What is not plain (odd paths, odd names,
a branch inside a branch) is refused with None or False, and git itself does it, with its own checks and errors. Refuses to
read packs.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

Content = bytes | tuple[str, bytes] | None
"""A file of a commit: what is in it, None to delete it, or `(mode, content)`."""
ReadTree = Callable[[str], bytes | None]
"""Gives the content of the tree with this sha."""

_TREE = "40000"
_MODES = frozenset({"100644", "100755", "120000", "160000"})
# Nothing that git's verify_path looks twice at, such as names that some file system takes for .git.
_NAME = r"(?!\.[Gg][Ii][Tt](?!hub/))\.?\w[\w+@=-]*(?:\.[\w+@=-]+)*"
_PATH = re.compile(rf"{_NAME}(?:/{_NAME})*", re.ASCII)
_IDENT = re.compile(r"[A-Za-z0-9](?:[\w @+.\[\]-]*[\w\]])?", re.ASCII)
_WHEN = re.compile(r"[0-9]{9,10} \+0000")
_REF = re.compile(r"refs/(?:heads|pull)/[A-Za-z0-9_][\w-]*(?:/[A-Za-z0-9_][\w-]*)*", re.ASCII)
_CONFIG = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[gc]
\tauto = 0
[transfer]
\tfsckObjects = false
"""


def make_bare(path: Path, default_branch: str) -> None:
    """An empty bare repository."""
    for part in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
        (path / part).mkdir(parents=True)
    (path / "config").write_text(_CONFIG)
    (path / "HEAD").write_text(f"ref: refs/heads/{default_branch}\n")


def write_object(root: Path, kind: str, content: bytes) -> str:
    """Store an object in the repository at `root`; returns its sha."""
    data = b"%s %d\0" % (kind.encode(), len(content)) + content
    sha = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    place = root / "objects" / sha[:2] / sha[2:]
    if not place.exists():
        _put(place, zlib.compress(data, 1))
    return sha


def write_ref(root: Path, name: str, sha: str) -> bool:
    """Point a reference such as `refs/heads/main` at a commit that is there; False where git is to do it."""
    if _REF.fullmatch(name) is None or (root / "packed-refs").exists():
        return False
    try:
        # git takes no file that ends so for a branch.
        _put(root / name, f"{sha}\n".encode(), suffix=".lock")
    except OSError:
        # A branch stands where this one needs a folder, or the other way round.
        return False
    return True


def write_commit(
    root: Path, *, tree: str, parents: Sequence[str], message: str, name: str, email: str, when: str
) -> str | None:
    """Store a commit, its author also its committer; returns its sha, None where git is to do it."""
    if not all(map(_IDENT.fullmatch, (name, email))) or _WHEN.fullmatch(when) is None or "\0" in message:
        return None
    who = f"{name} <{email}> {when}"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in dict.fromkeys(parents)), f"author {who}"]
    return write_object(root, "commit", "\n".join([*lines, f"committer {who}", "", message]).encode())


def write_tree(root: Path, base: str | None, files: Mapping[str, Content], read: ReadTree) -> str | None:
    """The tree `base` (None: empty) with `files` laid over it, as `git update-index --replace` lays them; returns its sha.

    None where git is to do it.
    """
    modes = {value[0] for value in files.values() if isinstance(value, tuple)}
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    if not modes <= _MODES or not all(map(_PATH.fullmatch, files)) or not folders.isdisjoint(files):
        return None
    return _lay(root, base, files, read) or write_object(root, "tree", b"")


def _lay(root: Path, base: str | None, files: Mapping[str, Content], read: ReadTree) -> str | None:
    """The sha of the tree, None of an empty one."""
    entries = _entries(read(base) or b"") if base is not None else {}
    below: dict[bytes, dict[str, Content]] = {}
    for path, value in files.items():
        first, _, rest = path.partition("/")
        name = first.encode()
        if rest:
            below.setdefault(name, {})[rest] = value
        elif value is not None:
            mode, content = value if isinstance(value, tuple) else ("100644", value)
            entries[name] = (mode, content.decode() if mode == "160000" else write_object(root, "blob", content))
        elif entries.get(name, (_TREE,))[0] != _TREE:
            del entries[name]
    for name, inner in below.items():
        mode, old = entries.get(name, ("", None))
        made = _lay(root, old if mode == _TREE else None, inner, read)
        if made is not None:
            entries[name] = (_TREE, made)
        elif mode == _TREE:
            del entries[name]
    ordered = sorted(entries.items(), key=lambda entry: entry[0] + b"/" * (entry[1][0] == _TREE))
    content = b"".join(b"%s %s\0%s" % (mode.encode(), name, bytes.fromhex(sha)) for name, (mode, sha) in ordered)
    return write_object(root, "tree", content) if entries else None


def _entries(tree: bytes) -> dict[bytes, tuple[str, str]]:
    entries: dict[bytes, tuple[str, str]] = {}
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        mode, _, name = tree[at:end].partition(b" ")
        entries[name] = (mode.decode(), tree[end + 1 : end + 21].hex())
        at = end + 21
    return entries


def _put(place: Path, data: bytes, *, suffix: str = "") -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    # A reader never sees half a file.
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix="tmp_obj_", suffix=suffix, delete=False) as part:
        part.write(data)
    try:
        Path(part.name).replace(place)
    except OSError:
        Path(part.name).unlink()
        raise
