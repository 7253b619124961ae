"""Makes git repositories whose changes are as nasty as git allows: names and contents that look like parts of a diff.

For tests and benchmarks: real commits by `git fast-import`, the same for the same seed. It says what it did to which
file, but not what the diff should look like: git and the blobs are the oracle for that.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

KINDS = (
    "add",
    "delete",
    "modify",
    "rename",
    "rename and modify",
    "copy",
    "mode",
    "mode and modify",
    "type change",
    "symlink",
    "submodule",
    "binary",
    "empty it",
    "fill it",
    "add empty",
    "delete empty",
    "newline at end",
    "rename binary",
)
"""What can happen to a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileFile:
    """What was done to one file. Paths are raw bytes, as git stores them."""

    kind: str
    path: bytes
    old_path: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileChange:
    """One change: two commits of the repository, the second on top of the first."""

    base: str
    head: str
    base_tree: str
    head_tree: str
    files: tuple[HostileFile, ...]


NAMES: tuple[bytes, ...] = (
    b"plain.py",
    b"x b/y",
    b"a b/a b/a",
    b" b/leading",
    b"b/b/b",
    b"a/a",
    b"a b",
    b"with space.py",
    b"ends with space ",
    b" starts with space",
    b"two  spaces",
    b'quote".py',
    b'"quoted"',
    b"back\\slash",
    b"tab\tin",
    b"ends with tab\t",
    b"new\nline",
    b"new\ndiff --git a/x b/x\n--- a/x",
    b"carriage\rreturn",
    b"ends with cr\r",
    b"caf\xc3\xa9.py",
    "日本語.py".encode(),
    "🦄/🦄.py".encode(),
    b"e\xcc\x81 combining",
    b"not-utf8-\xff\xfe.py",
    b"latin1-\xe9",
    b"-leading-dash",
    b"--- a",
    b"+++ b",
    b"--- a/x",
    b"@@ -1 +1 @@",
    b"diff --git a",
    b"diff --git a/x b/x",
    b"rename from x",
    b"Binary files a and b differ",
    b"dev/null",
    b"\x01control\x7f",
    b"\\ No newline at end of file",
    b"new file mode 100644",
    b"similarity index 100%",
    b"i/w/c/o/1/2",
    b"deep/er/than/most/files/are/in/most/trees/x.c",
    b"*?[glob]",
    b":(top)magic",
    b"# hash",
    b"$HOME/`id`",
    b"<img src=x>",
    b"a => b",
    b"{a => b}/c",
    b"%s%n",
    b"\xe2\x80\xa8 line separator",
    b"\xe2\x80\xae bidi",
    b"x" * 200,
)
"""Names that a parser may trip over."""

LINES: tuple[bytes, ...] = (
    b"",
    b" ",
    b"\t",
    b"diff --git a/evil b/evil",
    b"diff --cc evil",
    b"--- a/evil",
    b"+++ b/evil",
    b"-- a/evil",
    b"++ b/evil",
    b"@@ -1,3 +1,3 @@",
    b"@@ -1 +1 @@ def f():",
    b"\\ No newline at end of file",
    b"\\ Kein Zeilenumbruch am Dateiende.",
    b"index 0000000..1111111 100644",
    b"new file mode 100644",
    b"rename from x",
    b"Binary files a/x and b/x differ",
    b"GIT binary patch",
    b"Subproject commit 0123456789012345678901234567890123456789",
    b"-- ",
    b"---",
    b"--",
    b"-",
    b"+",
    b"+added",
    b"-removed",
    b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001",
    b"commit 0123456789012345678901234567890123456789",
    b"form\x0cfeed",
    b"line\xe2\x80\xa8separator",
    b"next\xc2\x85line",
    b"lone\rcarriage\rreturn",
    b"ends with cr\r",
    b"\r",
    b"\x0b\x1c\x1d\x1e",
    b"not utf8 \xff\xfe\xe9",
    b"replacement \xef\xbf\xbd",
    b"surrogate \xed\xa0\x80",
    b"\xef\xbb\xbfbom",
    b"\x1b[31mred",
    b"\xe2\x80\xaereversed",
    b"    return x",
    b"def f(a, b):",
    b"}",
    b"trailing space ",
    "日本語 🦄".encode(),
    b"R42#k3f|code",
    b"```suggestion",
    b"x" * 3000,
)
"""Lines of content that a parser may take for something else."""

_COMMITTER = "committer Spark <spark@example.invalid> 1700000000 +0000"


def hostile_repository(path: Path, seed: int, *, changes: int = 20, files: int = 6) -> list[HostileChange]:
    """Make a bare repository at `path` with `changes` changes of up to `files` files each.

    The branches `base-N` and `head-N` point to the commits of change N, and tags would be free to use. Two seeds give
    different repositories, one seed always the same. OSError or CalledProcessError when git fails.
    """
    rng = random.Random(seed)  # noqa: S311 - the same nasty things again, no secret
    _git(path.parent, "init", "--quiet", "--bare", str(path))
    stream = bytearray()
    done = []
    for number in range(changes):
        builder = _Change(rng)
        for _ in range(rng.randint(1, files)):
            builder.add(rng.choice(KINDS))
        builder.bystanders()
        stream += _commit(f"refs/heads/base-{number}", builder.base, None)
        stream += _commit(f"refs/heads/head-{number}", builder.head, f"refs/heads/base-{number}")
        done.append(tuple(builder.files))
    _git(path, "fast-import", "--quiet", "--force", data=bytes(stream))
    listed = _git(path, "for-each-ref", "--format=%(refname:short) %(objectname) %(tree)", "refs/heads")
    refs = {name: (commit, tree) for name, commit, tree in (line.split() for line in listed.decode().splitlines())}
    return [
        HostileChange(
            base=refs[f"base-{number}"][0],
            head=refs[f"head-{number}"][0],
            base_tree=refs[f"base-{number}"][1],
            head_tree=refs[f"head-{number}"][1],
            files=files_done,
        )
        for number, files_done in enumerate(done)
    ]


def hostile_content(rng: random.Random, *, lines: int | None = None) -> bytes:
    """Text of up to 60 lines, with lines that look like parts of a diff, in any newline style."""
    count = rng.randint(1, 60) if lines is None else lines
    ending = rng.choice([b"\n", b"\n", b"\n", b"\r\n"])
    made = [rng.choice(LINES) if rng.random() < 0.5 else b"line %d" % rng.randint(0, 30) for _ in range(count)]
    text = b"".join(line + ending for line in made)
    return text if rng.random() < 0.8 else text.removesuffix(ending)


def hostile_edit(rng: random.Random, text: bytes) -> bytes:
    """`text` with a few lines changed, added and removed; never equal to `text`."""
    lines = text.split(b"\n")
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(lines))
        action = rng.randrange(4)
        if action == 0:
            lines[at] = rng.choice(LINES)
        elif action == 1:
            lines[at:at] = [rng.choice(LINES) for _ in range(rng.randint(1, 4))]
        elif action == 2 and len(lines) > 1:
            del lines[at : at + rng.randint(1, 4)]
        else:
            lines[at] += b" changed"
        lines = lines or [b""]
    edited = b"\n".join(lines)
    return edited if edited != text else text + b"one more\n"


@dataclass(slots=True)
class _Change:
    """The trees before and after, as path to (mode, content)."""

    rng: random.Random
    base: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)
    head: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)
    files: list[HostileFile] = field(default_factory=list)

    def add(self, kind: str) -> None:
        path = self._name()
        old, new = self._versions(kind)
        if kind in {"rename", "rename and modify", "copy", "rename binary"}:
            old_path = self._name()
            self.base[old_path] = old
            if kind == "copy":
                # Git looks for the source of a copy among the changed files alone, unless told to look harder.
                self.head[old_path] = (old[0], hostile_edit(self.rng, old[1]))
                self.files.append(HostileFile(kind="modify", path=old_path))
            self.head[path] = new
            self.files.append(HostileFile(kind=kind, path=path, old_path=old_path))
            return
        if kind not in {"add", "add empty", "symlink"}:
            self.base[path] = old
        if kind not in {"delete", "delete empty"}:
            self.head[path] = new
        self.files.append(HostileFile(kind=kind, path=path))

    def _versions(self, kind: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
        rng = self.rng
        text = hostile_content(rng)
        plain = ("100644", text)
        if kind in {"rename", "rename and modify", "copy"}:
            # Long enough that git sees the likeness, and unlike any other file.
            unique = b"".join(b"%d only here\n" % rng.getrandbits(60) for _ in range(30))
            plain = ("100644", unique + text)
            edited = plain[1] + b"one more line at the end\n"
            return plain, plain if kind == "rename" else ("100644", edited)
        blob = b"\0\1\2" + rng.randbytes(300)
        table: dict[str, tuple[tuple[str, bytes], tuple[str, bytes]]] = {
            "mode": (plain, ("100755", text)),
            "mode and modify": (plain, ("100755", hostile_edit(rng, text))),
            "type change": (plain, ("120000", b"target of the link")),
            "symlink": (plain, ("120000", rng.choice(NAMES))),
            "submodule": (("160000", rng.randbytes(20)), ("160000", rng.randbytes(20))),
            "binary": (("100644", blob), ("100644", blob + rng.randbytes(9))),
            "rename binary": (("100644", blob), ("100644", blob)),
            "empty it": (plain, ("100644", b"")),
            "fill it": (("100644", b""), plain),
            "add empty": (plain, ("100644", b"")),
            "delete empty": (("100644", b""), plain),
            "newline at end": (
                ("100644", text.removesuffix(b"\n") + b"x"),
                ("100644", text.removesuffix(b"\n") + b"x\n"),
            ),
        }
        return table.get(kind, (plain, ("100644", hostile_edit(rng, text))))

    def bystanders(self) -> None:
        """Files that do not change."""
        for _ in range(2):
            self.base[self._name()] = ("100644", hostile_content(self.rng, lines=3))
        for path, version in self.base.items():
            if path not in self.head and not any(path in {file.path, file.old_path} for file in self.files):
                self.head[path] = version

    def _name(self) -> bytes:
        """A name that no file of this change has, and that is no folder of one, nor the other way round."""
        taken = set(self.base) | set(self.head)
        while True:
            name = self.rng.choice(NAMES)
            if self.rng.random() < 0.3:
                name = self.rng.choice(NAMES) + b"/" + name
            if self.rng.random() < 0.3:
                name = b"%d%s" % (self.rng.randrange(100), name)
            if not any(name == other or _inside(name, other) or _inside(other, name) for other in taken):
                return name


def _inside(path: bytes, folder: bytes) -> bool:
    return path.startswith(folder + b"/")


def _commit(ref: str, files: dict[bytes, tuple[str, bytes]], parent: str | None) -> bytes:
    lines = [f"commit {ref}", _COMMITTER, "data 0"]
    if parent is not None:
        lines.append(f"from {parent}")
    made = bytearray("\n".join([*lines, "deleteall", ""]).encode())
    for path, (mode, content) in files.items():
        if mode == "160000":
            made += b"M 160000 %s %s\n" % (content.hex().encode(), _quoted(path))
        else:
            made += b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), _quoted(path), len(content), content)
    return bytes(made)


def _quoted(path: bytes) -> bytes:
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % escaped


def _git(folder: Path, *arguments: str, data: bytes | None = None) -> bytes:
    return subprocess.run(["git", "-C", str(folder), *arguments], input=data, check=True, capture_output=True).stdout


def diff_options() -> Sequence[str]:
    """The options under which the settings of a machine do not change what `git diff` prints."""
    return (
        *("-c", "core.quotePath=false", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false"),
        *("-c", "diff.renames=true", "-c", "core.attributesFile=/dev/null"),
    )
